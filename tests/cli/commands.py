"""The real commands, as processes, and what can be seen of them from outside."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

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


_IN_ONE = """
import contextlib, io, json, sys
from relay.cli import app
for words in json.load(sys.stdin):
    out, err, code = io.StringIO(), io.StringIO(), 0
    sys.stdin = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app(words, prog_name="relay")
        except SystemExit as end:
            code = end.code or 0
    print(json.dumps([code, out.getvalue(), err.getvalue()]))
"""


async def relay_commands(*every: tuple[object, ...], **environment: str) -> list[Done]:
    """Run many quick commands, one after the other, in one process: starting one takes longest."""
    words = json.dumps([list(map(str, words)) for words in every])
    done = await python(_IN_ONE, given=words, **environment)
    assert done.code == 0, done.err
    found = [Done(*line) for line in done.json_lines]
    assert len(found) == len(every)
    return found


async def python(code: str, given: str = "", **environment: str) -> Done:
    """Run Python code with the relay at hand."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-W", "error", "-c", code,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env={**CLEAN, **environment},
    )  # fmt: skip
    return await finish(process, given)


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
            time.sleep(0.02)  # every command lives for ten times as long

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        yield seen
    finally:
        stop.set()
        watcher.join()


def end(pid: int, number: signal.Signals) -> None:
    os.kill(pid, number)
