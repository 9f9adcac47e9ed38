"""Numbers planted in whatever goes into a relay, and all that comes out of it."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from redis.asyncio import Redis

from .leaks import Scanner

#: Places where things come out.
HTTP, LOG, STORE, COMMANDS, FILES, PROCESSES, CLI = (
    "HTTP answers", "log", "store", "store's log of commands", "files", "processes", "command line",
)  # fmt: skip
DRIVER, CUSTOMER, STRANGER = "frames to the driver", "frames to the customer", "frames to strangers"
FRAMES: Final = (DRIVER, CUSTOMER)
#: What lies in the store in clear is also in its append-only file and in the commands it was given.
IN_STORE: Final = (STORE, COMMANDS, FILES)
#: A key that is only asked for.
LOOKED_UP: Final = (COMMANDS,)

#: A number may come in two pieces; none is longer than this in any form.
_OVERLAP_BYTES: Final = 256

_OPERATORS: Final = ("811", "812", "813", "852", "853", "857", "878", "896")


class Plant(NamedTuple):
    """A number, what was done with it, and where it may be seen for that."""

    number: str
    what: str
    may_be_in: frozenset[str]


class Plants:
    """Makes valid numbers, each for one use, such that none turns up by chance."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._plants: dict[str, Plant] = {}
        now_ms = int(time.time() * 1000)
        # Digits of the time that stand still while a test runs, and after the last of them.
        self._slow = {str(at_ms)[:7] for at_ms in (now_ms, now_ms + 3_600_000)}

    def number(self, what: str, *may_be_in: str) -> str:
        """A fresh number in E.164. `may_be_in`: the places where this use of it rightly shows."""
        while True:
            number = "+62" + self._rng.choice(_OPERATORS) + f"{self._rng.randrange(10**8):08d}"
            end = number[-9:]
            if (
                number not in self._plants
                and not any(end[:3] in slow for slow in self._slow)
                and end[-1] != "0"
                and end[-4:-1] != "000"  # as the counter does in a position, after the time
                and min(end[1:3]) > "5"  # as minutes or seconds do in no time of day
            ):
                self._plants[number] = Plant(number, what, frozenset(may_be_in))
                return number

    def add(self, number: str, what: str) -> str:
        """Plant a given number, which may be seen nowhere."""
        self._plants[number] = Plant(number, what, frozenset())
        return number

    def may_also_be_in(self, number: str, *places: str) -> None:
        """Allow a planted number in more places."""
        plant = self._plants[number]
        self._plants[number] = plant._replace(may_be_in=plant.may_be_in | set(places))

    def __iter__(self) -> Iterator[Plant]:
        return iter(list(self._plants.values()))

    def __len__(self) -> int:
        return len(self._plants)


class Evidence:
    """All that came out, by place, and the search of it."""

    def __init__(self, plants: Plants) -> None:
        self._plants = plants
        self._new: dict[str, list[bytes]] = defaultdict(list)
        self.bytes_searched = 0
        #: The plants that were seen where they may be.
        self.seen: dict[str, set[str]] = defaultdict(set)

    def add(self, place: str, *parts: bytes) -> None:
        self._new[place] += parts

    def leaks(self) -> list[str]:
        """Search what is new; tell which number can be read in which form and where."""
        plants = {plant.number: plant for plant in self._plants}
        scanner = Scanner(plants)
        found = []
        for place, parts in self._new.items():
            data = b"\n=====\n".join(parts)
            self.bytes_searched += len(data)
            for leak in scanner.find(data):
                plant = plants[leak.number]
                if place in plant.may_be_in:
                    self.seen[leak.number].add(place)
                else:
                    found.append(f"{place}: {plant.what}, as {leak.form}, near {leak.near!r}")
        self._new.clear()
        return found


class Tap:
    """A TCP proxy that keeps every byte that comes back, by connection.

    Without a connection to the target it ends the app's.
    """

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = host, int(port)
        self._heard: list[tuple[bytearray, list[int]]] = []
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.address = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=2**20)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def news(self) -> list[bytes]:
        """What has come back since the last call, with a little of what came before it."""
        found = []
        for buffer, taken in self._heard:
            if len(buffer) > taken[0]:
                found.append(bytes(buffer[max(0, taken[0] - _OVERLAP_BYTES) :]))
                taken[0] = len(buffer)
        return found

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            writer.transport.abort()
            return
        self._writers.add(back)
        buffer = bytearray()
        self._heard.append((buffer, [0]))
        await asyncio.gather(
            _pump(reader, back), _pump(there, writer, buffer), return_exceptions=True
        )
        for side in (writer, back):
            self._writers.discard(side)
            side.transport.abort()


async def _pump(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, copy: bytearray | None = None
) -> None:
    try:
        while data := await reader.read(65536):
            if copy is not None:
                copy += data
            writer.write(data)
            await writer.drain()
        if copy is None and writer.can_write_eof():
            writer.write_eof()
    finally:
        if copy is not None:
            writer.close()


# --- what an insider with access to the machine can read ------------------------------------------


async def store_contents(redis: Redis) -> list[bytes]:
    """Every key of the store, its value by type, and as DUMP has it."""
    found: list[bytes] = []
    reads: dict[bytes, Any] = {
        b"string": redis.get,
        b"hash": redis.hgetall,
        b"list": lambda key: redis.lrange(key, 0, -1),
        b"set": redis.smembers,
        b"zset": lambda key: redis.zrange(key, 0, -1, withscores=True),
        b"stream": redis.xrange,
    }
    async for key in redis.scan_iter(count=1000):
        kind = await redis.type(key)
        value = await reads[kind](key) if kind in reads else None
        found += [key, *_flat(value), await redis.dump(key) or b""]
    return found


async def store_commands(redis: Redis) -> list[bytes]:
    """What the store remembers of commands since the last call (SLOWLOG and COMMANDLOG, which are
    emptied), and of clients (CLIENT LIST, INFO, ACL LOG)."""
    found = _flat(await redis.execute_command("SLOWLOG", "GET", "-1"))
    for kind in ("SLOW", "LARGE-REQUEST", "LARGE-REPLY"):
        if kind != "SLOW":  # which is what SLOWLOG gave
            found += _flat(await redis.execute_command("COMMANDLOG", "GET", "-1", kind))
        await redis.execute_command("COMMANDLOG", "RESET", kind)
    found += _flat(await redis.execute_command("CLIENT", "LIST"))
    found += _flat(await redis.info("everything"))
    found += _flat(await redis.acl_log())
    return found


def _flat(value: Any) -> list[bytes]:
    if isinstance(value, bytes | bytearray):
        return [bytes(value)]
    if isinstance(value, dict):
        return [part for pair in value.items() for item in pair for part in _flat(item)]
    if isinstance(value, list | tuple | set):
        return [part for item in value for part in _flat(item)]
    return [str(value).encode()]


def files_in(folder: Path) -> list[bytes]:
    """Names and contents of every file there is."""
    found = []
    for path in sorted(folder.rglob("*")):
        found.append(os.fsencode(path))
        if path.is_file():
            found.append(path.read_bytes())
    return found


def processes_from(pid: int) -> list[bytes]:
    """Command line and environment of a process and all that it started."""
    parents: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(fields[1])].append(int(entry.name))
    found, todo = [], [pid]
    while todo:
        one = todo.pop()
        todo += parents[one]
        try:
            found += [Path(f"/proc/{one}/{name}").read_bytes() for name in ("cmdline", "environ")]
        except OSError:
            continue
    return found
