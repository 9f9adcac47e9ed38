"""The real commands, as processes, and what can be seen of them from outside."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

#: Nothing that the machine's own environment says may change what a test sees.
CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}
LIMIT_S = 40.0


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


#: What runs a command: `relay_command` or a `Quickly`.
Run: TypeAlias = Callable[..., Awaitable[Done]]


async def start(*words: object, **environment: str) -> asyncio.subprocess.Process:
    """Start `relay` with these words and variables."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-m", "relay", *map(str, words),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env={**CLEAN, **environment},
    )  # fmt: skip


async def finish(process: asyncio.subprocess.Process, given: str = "") -> Done:
    """Give a command its input and wait for its end."""
    try:
        async with asyncio.timeout(LIMIT_S):
            out, err = await process.communicate(given.encode())
    except TimeoutError:
        process.kill()
        out, err = await process.communicate()
        raise AssertionError(f"not ended after {LIMIT_S} s: {out!r} {err!r}") from None
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


async def relay_command(*words: object, given: str = "", **environment: str) -> Done:
    """Run `relay` to its end."""
    return await finish(await start(*words, **environment), given)


_ONE_AFTER_THE_OTHER = """
import contextlib, io, json, os, sys
from relay.cli import app
asked, answers, environment = sys.stdin, sys.stdout, dict(os.environ)
for line in asked:
    words, given, variables = json.loads(line)
    out, err, code = io.StringIO(), io.StringIO(), 0
    sys.stdin = io.TextIOWrapper(io.BytesIO(given.encode()))
    os.environ.update(variables)
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app(words, prog_name="relay")
        except SystemExit as end:
            code = end.code or 0
    os.environ.clear()
    os.environ.update(environment)
    print(json.dumps([code, out.getvalue(), err.getvalue()]), file=answers, flush=True)
"""


class Quickly:
    """Runs many commands in one process, one after the other: to start one takes the longest.

    For the variants of a command; each command is run as a process of its own in other tests.
    """

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> Quickly:
        return cls(await _start_python(_ONE_AFTER_THE_OTHER))

    async def __call__(self, *words: object, given: str = "", **environment: str) -> Done:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        asked = json.dumps([list(map(str, words)), given, environment])
        self._process.stdin.write(asked.encode() + b"\n")
        async with asyncio.timeout(LIMIT_S):
            answer = await self._process.stdout.readline()
        if not answer:
            raise AssertionError((await finish(self._process)).err)
        return Done(*json.loads(answer))

    async def stop(self) -> None:
        done = await finish(self._process)
        assert (done.code, done.err) == (0, "")


async def _start_python(code: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", code,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env={**CLEAN, **environment}, limit=2**24,
    )  # fmt: skip


async def python(code: str, given: str = "", **environment: str) -> Done:
    """Run Python code with the relay at hand."""
    return await finish(await _start_python(code, **environment), given)


def processes_of(path: Path) -> list[int]:
    """The processes that have to do with a path: by environment, command line or working folder."""
    found, needle = [], str(path).encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            shown = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
            if needle in shown + os.readlink(entry / "cwd").encode():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


@contextmanager
def command_lines() -> Iterator[set[bytes]]:
    """Every command line that any process of this machine has meanwhile, as far as can be seen."""
    seen: set[bytes] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            for entry in os.listdir("/proc"):
                if entry.isdigit():
                    try:
                        with open(f"/proc/{entry}/cmdline", "rb") as file:
                            seen.add(file.read())
                    except OSError:
                        continue
            time.sleep(0.05)  # every command lives for several times as long

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()
