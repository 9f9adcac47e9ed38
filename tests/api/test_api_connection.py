"""An answer leaves in one write, and nothing that was written before an end is lost."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from relay.api.connection import JoinedWrites
from tests.support.relay import RelayProcess


class Recorder(asyncio.Transport):
    """Keeps what is written, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, data: Any) -> None:
        assert not self.is_closed
        self.writes.append(bytes(data))

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


async def test_what_is_written_in_a_tick_leaves_in_one_write() -> None:
    wire = Recorder()
    joined = JoinedWrites(wire, asyncio.get_running_loop())
    for tick in range(2):
        joined.write(b"head %d, " % tick)
        joined.write(bytearray(b"body"))
        assert len(wire.writes) == tick
        await asyncio.sleep(0)
    assert wire.writes == [b"head 0, body", b"head 1, body"]


async def test_an_end_comes_after_what_was_written() -> None:
    wire = Recorder()
    joined = JoinedWrites(wire, asyncio.get_running_loop())
    joined.write(b"last words")
    joined.close()
    assert (wire.writes, wire.is_closed, joined.is_closing()) == ([b"last words"], True, True)
    await asyncio.sleep(0)
    assert wire.writes == [b"last words"]


async def test_a_connection_that_ended_meanwhile_is_not_written_to() -> None:
    wire = Recorder()
    joined = JoinedWrites(wire, asyncio.get_running_loop())
    joined.write(b"too late")
    wire.close()
    await asyncio.sleep(0)
    assert wire.writes == []


async def test_little_is_held_back() -> None:
    wire = Recorder()
    joined = JoinedWrites(wire, asyncio.get_running_loop())
    part = b"x" * 10_000
    for _ in range(30):
        joined.write(part)
    assert sum(map(len, wire.writes)) >= 300_000 - 64 * 1024
    await asyncio.sleep(0)
    assert sum(map(len, wire.writes)) == 300_000


async def test_who_says_no_more_after_its_call_is_answered(relay: RelayProcess) -> None:
    """As `nc -N` and simple health checks do."""
    host, _, port = relay.api_url.partition("//")[2].partition("/")[0].rpartition(":")
    for _ in range(20):
        reader, writer = await asyncio.open_connection(host, int(port))
        # Its end comes with the call, in one packet.
        wire = writer.get_extra_info("socket")
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: relay\r\n\r\n")
        writer.write_eof()
        async with asyncio.timeout(10):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200"), answer
        writer.close()
