"""A peer, as small as can be: stores, acknowledges, delivers. What another process runs with uvicorn."""

from __future__ import annotations

import os

import msgpack
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

store = Redis(unix_socket_path=os.environ["REDIS_SOCKET"])
seats: dict[tuple[str, str], WebSocket] = {}


async def channel(socket: WebSocket) -> None:
    trip, role = socket.path_params["trip"], socket.path_params["role"]
    await socket.accept()
    seats[trip, role] = socket
    try:
        while True:
            _, number, text, posted_s = msgpack.unpackb(await socket.receive_bytes())
            place = await store.execute_command(
                "XADD", f"trip:{{{trip}}}:log", "NOMKSTREAM", "*", "d", text
            )
            assert place is not None, "the trip is not open"
            await socket.send_bytes(msgpack.packb((2, number, place)))
            peer = seats.get((trip, "d" if role == "c" else "c"))
            if peer is not None:
                await peer.send_bytes(msgpack.packb((3, place, text, posted_s)))
    except WebSocketDisconnect:
        pass


app = Starlette(routes=[WebSocketRoute("/{trip}/{role}", channel)])
