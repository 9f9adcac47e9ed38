"""An answer leaves in one write, and nothing that was written before an end is lost."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from relay.api import connection
from relay.api.connection import Connection, JoinedWrites
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


_PATIENCE_S = 0.3


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers the whole body, a while after it has come."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message.get("body", b""), message.get("more_body", False)
    await asyncio.sleep(3 * _PATIENCE_S if scope["path"] == "/slow" else 0)
    length = str(len(body)).encode()
    await send({"type": "http.response.start", "status": 200,
                "headers": [(b"content-length", length)]})  # fmt: skip
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    """Where an application is served by such connections, which have little patience."""
    monkeypatch.setattr(connection, "REQUEST_S", _PATIENCE_S)
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(
            _echo,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=1,
        )
    )
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    yield listening.getsockname()[1]
    server.should_exit = True
    await serving


@pytest.mark.parametrize(
    "begun",
    [b"", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Le", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nhal",
     b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nokPOST / HTTP/1.1\r\nHost"],
)  # fmt: skip
async def test_a_call_that_is_begun_and_not_ended_holds_no_connection(
    port: int, begun: bytes
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(begun)
    answered = await asyncio.wait_for(reader.read(), 10 * _PATIENCE_S)
    assert answered.count(b"HTTP/1.1 200") == begun.count(b"ok")
    writer.close()


async def test_who_waits_for_an_answer_or_calls_again_is_not_cut_off(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for path in (b"/slow", b"/", b"/slow"):
        writer.write(b"POST " + path + b" HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi")
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(2) == b"hi"
    writer.close()
