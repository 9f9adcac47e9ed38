"""How the load's connections fail: at once and with an error that a scenario counts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from picows import WSListener

from relay.bench.dialling import dial

_Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]


async def _dial(url: str, within_s: float = 10.0) -> float:
    """Give how long it took to fail."""
    began_s = time.monotonic()
    with pytest.raises((OSError, TimeoutError)):
        await dial(url, {}, within_s, WSListener())
    return time.monotonic() - began_s


@asynccontextmanager
async def _served(serve: _Serve) -> AsyncIterator[str]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        # A name that stands for several addresses, of which only one has a server.
        yield f"ws://localhost:{server.sockets[0].getsockname()[1]}/"


async def test_a_server_that_hangs_up_or_is_gone_fails_at_once() -> None:
    async with _served(lambda _, writer: writer.close()) as url:
        assert await _dial(url) < 5
    assert await _dial(url) < 5


async def test_a_server_that_does_not_answer_fails_in_time_and_is_left() -> None:
    ended: list[bytes] = []

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended.append(await reader.read())
        writer.close()

    async with _served(silent) as url:
        assert 0.2 <= await _dial(url, 0.2) < 5
        async with asyncio.timeout(5):
            while not any(ended):
                await asyncio.sleep(0.01)
    assert ended[-1].startswith(b"GET / HTTP/1.1\r\nHost: localhost:")
