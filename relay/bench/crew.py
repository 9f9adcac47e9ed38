"""The load processes of one run: started, told to begin together, listened to, ended."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from .histogram import Histogram
from .target import Where
from .wire import (
    MAX_LINE_BYTES,
    Doing,
    Done,
    Failed,
    Finished,
    FromLoad,
    Go,
    Line,
    Plan,
    Ready,
    Second,
    Stop,
    encode,
    from_load,
)

#: From the start signal to the start, so that every process has heard it.
_START_S: Final = 0.3
_END_S: Final = 90.0
#: What is told to leave before its end has trips to end on a relay that may not answer.
_LEAVE_S: Final = 6.0


class LoadFailed(Exception):
    """The load could not be put on; the text is one line for a person."""


@dataclass(slots=True)
class SecondOfAll:
    """One second of all load processes together."""

    counts: Counter[str] = field(default_factory=Counter)
    times: dict[str, Histogram] = field(default_factory=dict)
    took_s: float = 1.0

    def add(self, second: Second) -> None:
        self.counts.update(second.counts)
        for name, counts in second.times.items():
            self.times.setdefault(name, Histogram()).merge(counts)
        self.took_s = max(self.took_s, second.took_s)


class Crew:
    """Load processes that do one plan together."""

    def __init__(
        self, scenario: str, where: Where, options: dict[str, Any], *, parts: int, run: str
    ) -> None:
        self._plans = [Plan(scenario, *where, options, part, parts, run) for part in range(parts)]
        self._processes: list[asyncio.subprocess.Process] = []
        self._readers: list[asyncio.Task[None]] = []
        #: What each does besides the load itself, if anything, and how far it is.
        self._doing = [("", 0.0)] * parts
        self._ready = self._finished = 0
        self._changed = asyncio.Event()
        self._failed = ""
        self.seconds: dict[int, SecondOfAll] = {}
        self.done: list[Done] = []
        self.began_s = 0.0

    async def __aenter__(self) -> Crew:
        for plan in self._plans:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "relay.bench.loader",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                limit=MAX_LINE_BYTES, start_new_session=True, env=dict(os.environ),
            )  # fmt: skip
            self._processes.append(process)
            self._readers.append(asyncio.create_task(self._listen(process)))
            await self._tell(process, plan)
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._processes:
            if process.returncode is None:
                process.terminate()
        try:
            async with asyncio.timeout(_LEAVE_S):
                for process in self._processes:
                    await process.wait()
        except TimeoutError:
            pass
        finally:
            for process in self._processes:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
            await asyncio.gather(*self._readers, return_exceptions=True)

    @property
    def pids(self) -> list[int]:
        return [process.pid for process in self._processes]

    @property
    def doing(self) -> tuple[str, float]:
        """What they do besides the load itself, if anything, and how far they are with that: as the
        first one does, and those that do the same."""
        what, _ = self._doing[0]
        shares = [share for one, share in self._doing if one == what]
        return what, sum(shares) / len(shares)

    async def ready(self, told: Callable[[str, float], None]) -> None:
        """Wait until all are prepared; `told` hears how far they are with what."""
        while self._ready < len(self._plans):
            await self._change()
            told(*self.doing)
        self._doing = [("", 0.0)] * len(self._plans)

    async def go(self) -> float:
        """Let all begin; give the moment."""
        self.began_s = time.monotonic() + _START_S
        for process in self._processes:
            await self._tell(process, Go(self.began_s))
        await asyncio.sleep(_START_S)
        return self.began_s

    async def finished(self, within_s: float) -> bool:
        """Wait until all have done what there was to do; False if they go on after that time."""
        # Not `wait_for`: where it makes a task of what it waits for, as Python 3.11 does, what is
        # heard before that task begins is missed.
        try:
            async with asyncio.timeout(within_s):
                while self._finished < len(self._plans):
                    await self._change()
        except TimeoutError:
            return False
        return True

    async def stop(self, told: Callable[[str, float], None]) -> None:
        """Let all come to an end, and hear how it went; `told` hears what that waits for."""
        for process in self._processes:
            await self._tell(process, Stop())
        try:
            async with asyncio.timeout(_END_S):
                while len(self.done) < len(self._plans):
                    await self._change()
                    told(*self.doing)
        except TimeoutError:
            raise LoadFailed(
                f"a load process had not come to its end {_END_S:.0f} seconds after the load: the "
                "relay may answer nothing any more; its log says why"
            ) from None

    async def _change(self) -> None:
        if self._failed:
            raise LoadFailed(self._failed)
        self._changed.clear()
        await self._changed.wait()
        if self._failed:
            raise LoadFailed(self._failed)

    async def _tell(self, process: asyncio.subprocess.Process, line: Line) -> None:
        assert process.stdin is not None
        process.stdin.write(encode(line) + b"\n")
        # Of one that has ended it is known by what it says no more.
        with suppress(ConnectionError):
            await process.stdin.drain()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        part = self._processes.index(process)
        is_done = False
        while line := await process.stdout.readline():
            said = from_load.decode(line)
            is_done = is_done or isinstance(said, Done)
            self._heard(part, said)
            self._changed.set()
        if not is_done:
            self._failed = self._failed or (
                f"a load process ended by itself (exit code {await process.wait()}) before it was "
                "done; what it said, if anything, is above. A negative code is the signal that "
                "killed it: -9 where the machine had no memory left"
            )
            self._changed.set()

    def _heard(self, part: int, said: FromLoad) -> None:
        match said:
            case Doing():
                self._doing[part] = said.what, said.share
            case Ready():
                self._ready += 1
            case Second():
                self.seconds.setdefault(said.index, SecondOfAll()).add(said)
            case Finished():
                self._finished += 1
            case Done():
                self.done.append(said)
            case Failed():
                self._failed = said.why
