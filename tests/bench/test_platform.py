"""The platform of load and fault runs keeps its connections, as a platform's backend does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from relay.rig.platform import Platform


class Api:
    """Answers every call alike, and counts the connections on which they came."""

    def __init__(self) -> None:
        self.connections = 0
        self.head = ""
        #: How many calls a connection is answered before it is ended.
        self.calls = 1000

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        for _ in range(self.calls):
            try:
                await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            # In two parts, as a network may cut it.
            writer.write(f"HTTP/1.1 200 OK\r\n{self.head}Content-Length: 2\r\n\r\n".encode())
            await writer.drain()
            writer.write(b"{}")
        writer.close()


@asynccontextmanager
async def calling(api: Api) -> AsyncIterator[Platform]:
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    platform = Platform(f"http://{host}:{port}", "key")
    try:
        yield platform
    finally:
        platform.close()
        server.close()
        await server.wait_closed()


async def test_calls_in_turn_take_one_connection() -> None:
    api = Api()
    async with calling(api) as platform:
        for _ in range(5):
            assert (await platform.call("GET", "/")).status == 200
    assert api.connections == 1


async def test_calls_at_a_time_take_as_many_and_keep_them() -> None:
    api = Api()
    async with calling(api) as platform:
        for _ in range(3):
            await asyncio.gather(*(platform.call("GET", "/") for _ in range(4)))
    assert api.connections == 4


@pytest.mark.parametrize("says", ["", "Connection: close\r\n"])
async def test_a_connection_that_the_api_has_ended_is_not_asked_again(says: str) -> None:
    api = Api()
    api.head, api.calls = says, 1
    async with calling(api) as platform:
        for _ in range(3):
            assert (await platform.call("GET", "/")).status == 200
            async with asyncio.timeout(5):
                while platform._idle and not platform._idle[-1].ended:
                    await asyncio.sleep(0.001)
    assert api.connections == 3


async def test_a_connection_that_the_api_may_end_just_now_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relay.rig.platform._KEPT_S", 0.0)
    api = Api()
    async with calling(api) as platform:
        for _ in range(3):
            await platform.call("GET", "/")
    assert api.connections == 3
