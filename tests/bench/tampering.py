"""A gateway that does wrong on its way to the apps: what the load test has to notice."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgpack
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

_EVERY = 15
_MSGPACK = Subprotocol("relay.v1.msgpack")


@asynccontextmanager
async def tampering(gateway_url: str) -> AsyncIterator[str]:
    """The URL of a gateway that passes all on to another, but delivers some messages twice, some
    with another text, and some after the one that follows."""
    numbers = itertools.count()

    async def talk(app: ServerConnection) -> None:
        held: list[bytes] = []

        def bent(data: bytes) -> list[bytes]:
            frame: dict[str, Any] = msgpack.unpackb(data)
            if frame["op"] != "message":
                return [data]
            if held:
                return [data, held.pop()]
            match next(numbers) % _EVERY:
                case 3:
                    return [data, data]
                case 6:
                    return [msgpack.packb(frame | {"text": frame["text"] + "!"})]
                case 9:
                    held.append(data)
                    return []
            return [data]

        async with connect(gateway_url, subprotocols=[_MSGPACK]) as relay:
            forth = asyncio.create_task(_pump(app, relay))
            with suppress(ConnectionClosed):
                async for data in relay:
                    assert isinstance(data, bytes)
                    for one in bent(data):
                        await app.send(one)
            forth.cancel()

    async with serve(talk, "127.0.0.1", 0, subprotocols=[_MSGPACK]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v1/channel"


async def _pump(app: ServerConnection, relay: Any) -> None:
    with suppress(ConnectionClosed):
        async for data in app:
            await relay.send(data)
