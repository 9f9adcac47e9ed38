"""A gateway that does wrong on its way to the apps: what the load test has to notice."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgpack
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from relay.rig.waiting import until

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

    async with _serving(talk) as url:
        yield url


@asynccontextmanager
async def unmasking(gateway_url: str) -> AsyncIterator[str]:
    """The URL of a gateway that delivers what was written instead of what the guard left of it, in
    a trip that is the only one."""
    written: list[dict[str, str]] = []

    async def talk(app: ServerConnection) -> None:
        mine: dict[str, str] = {}
        written.append(mine)

        def note(data: bytes) -> None:
            frame: dict[str, Any] = msgpack.unpackb(data)
            if frame["op"] == "post":
                mine[frame["id"]] = frame["text"]

        def unmasked(data: bytes) -> bytes:
            frame: dict[str, Any] = msgpack.unpackb(data)
            if frame["op"] != "message" or frame["from"] != "peer":
                return data
            (peers,) = (one for one in written if one is not mine)
            packed: bytes = msgpack.packb(frame | {"text": peers[frame["id"]]})
            return packed

        async with connect(gateway_url, subprotocols=[_MSGPACK]) as relay:
            forth = asyncio.create_task(_pump(app, relay, note))
            with suppress(ConnectionClosed):
                async for data in relay:
                    assert isinstance(data, bytes)
                    await app.send(unmasked(data))
            forth.cancel()

    async with _serving(talk) as url:
        yield url


@asynccontextmanager
async def unending(gateway_url: str) -> AsyncIterator[str]:
    """The URL of a gateway that keeps the end of a channel from the first app that connects, and
    accepts what that posts afterwards."""
    numbers = itertools.count()

    async def talk(app: ServerConnection) -> None:
        is_first = next(numbers) == 0
        unanswered: dict[str, None] = {}

        def note(data: bytes) -> None:
            frame: dict[str, Any] = msgpack.unpackb(data)
            if frame["op"] == "post":
                unanswered[frame["id"]] = None

        async with connect(gateway_url, subprotocols=[_MSGPACK]) as relay:
            forth = asyncio.create_task(_pump(app, relay, note))
            with suppress(ConnectionClosed):
                async for data in relay:
                    assert isinstance(data, bytes)
                    frame: dict[str, Any] = msgpack.unpackb(data)
                    unanswered.pop(frame.get("id", ""), None)
                    if not is_first or frame["op"] != "closed":
                        await app.send(data)
        if is_first:
            # What was posted before the end was answered by the relay.
            await until(lambda: unanswered or forth.done(), "it posts after the end")
            for name in unanswered:
                said = {"op": "accepted", "id": name, "pos": "9999999999999-0", "at": 1, "tag": "t"}
                await app.send(msgpack.packb(said))
            await app.wait_closed()
        forth.cancel()

    async with _serving(talk) as url:
        yield url


@asynccontextmanager
async def losing(
    gateway_url: str, *, of_replays: bool = False, confirming: bool = False
) -> AsyncIterator[str]:
    """The URL of a gateway that keeps some messages to itself, and confirms them as if the app had
    if so told: of those that an app is given when it comes back, or of those that come as they are
    posted."""
    numbers = itertools.count()

    async def talk(app: ServerConnection) -> None:
        is_replay = False
        async with connect(gateway_url, subprotocols=[_MSGPACK]) as relay:
            forth = asyncio.create_task(_pump(app, relay))
            with suppress(ConnectionClosed):
                async for data in relay:
                    assert isinstance(data, bytes)
                    frame: dict[str, Any] = msgpack.unpackb(data)
                    if frame["op"] in ("attached", "replayed"):
                        is_replay = frame["op"] == "attached"
                    is_meant = frame["op"] == "message" and is_replay == of_replays
                    if not is_meant or next(numbers) % _EVERY != 3:
                        await app.send(data)
                    elif confirming:
                        await relay.send(msgpack.packb({"op": "got", "pos": frame["pos"]}))
            forth.cancel()

    async with _serving(talk) as url:
        yield url


@asynccontextmanager
async def unveiling(gateway_url: str, numbers: set[str]) -> AsyncIterator[str]:
    """The URL of a gateway that tells each of these numbers in a field that no app knows."""

    async def talk(app: ServerConnection) -> None:
        async with connect(gateway_url, subprotocols=[_MSGPACK]) as relay:
            forth = asyncio.create_task(_pump(app, relay))
            with suppress(ConnectionClosed):
                async for data in relay:
                    assert isinstance(data, bytes)
                    frame: dict[str, Any] = msgpack.unpackb(data)
                    await app.send(msgpack.packb(frame | {"peers": sorted(numbers)}))
            forth.cancel()

    async with _serving(talk) as url:
        yield url


@asynccontextmanager
async def _serving(talk: Callable[[ServerConnection], Awaitable[None]]) -> AsyncIterator[str]:
    async with serve(talk, "127.0.0.1", 0, subprotocols=[_MSGPACK]) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        yield f"ws://127.0.0.1:{port}/v1/channel"


async def _pump(app: ServerConnection, relay: Any, note: Callable[[bytes], object] = len) -> None:
    with suppress(ConnectionClosed):
        async for data in app:
            assert isinstance(data, bytes)
            note(data)
            with suppress(ConnectionClosed):
                await relay.send(data)
