"""An echo on the gateway's own connections, for who tests the WebSocket and not the relay.

Frames come and go the way that they do with the relay: through picows as the gateway has it set up,
and through `Connection`, but for what a message says: whatever it is, it is sent back. Only how large it
may be is another matter, because the tests send larger ones than the relay takes.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from picows import WSFrame, WSMsgType, WSTransport, ws_create_server

from relay.core.bucket import Bucket
from relay.core.codes import CloseCode
from relay.core.frames import Ping, Pong
from relay.core.session import Session, Side
from relay.core.websocket import BINARY, SHORT_HEADS, TEXT, Assembler
from relay.gateway.connection import Connection

_MAX_BYTES = 2**20


class _AsItCame:
    """A codec that takes everything for a ping, and keeps it."""

    is_text = True
    message = b""

    def decode(self, data: bytes) -> Ping:
        self.message = data
        return Ping()

    def encode(self, _: object) -> bytes:
        return self.message


class Echo(Connection):
    """One connection; it is its own gate."""

    __slots__ = ("_codec",)

    def __init__(self) -> None:
        self._codec = codec = _AsItCame()
        bucket = Bucket(1e9, 1e9, 0.0)
        door: Any = None
        super().__init__(self, "echo", codec, codec, bucket, 1e9, door)  # type: ignore[arg-type]
        self._assembler = Assembler(_MAX_BYTES)
        # As if it were attached: an app that is may say `ping`.
        self.session = Session(Side.RELAY)
        self.session.receive("attach")
        self.session.send("attached")
        self.session.send("replayed")

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type in (WSMsgType.TEXT, WSMsgType.BINARY):
            # An app keeps to what its subprotocol says, and here is none.
            self._kind = frame.msg_type
            self._opcode = TEXT if frame.msg_type == WSMsgType.TEXT else BINARY
            self._heads = SHORT_HEADS[self._opcode]
        super().on_ws_frame(transport, frame)

    def in_turn(self, connection: Connection, message: bytes) -> None:
        self.act_on(message)

    def take(self, connection: Connection, frame: Any) -> None:
        self.send(Pong())

    def flush_soon(self, connection: Connection) -> None:
        # Before the next message comes, which may be of the other kind.
        self._loop.call_soon(self.flush)

    def connected(self, connection: Connection) -> None:
        pass

    def has_room(self, connection: Connection) -> None:
        pass

    def closes(self, code: CloseCode) -> None:
        pass

    def dropped(self, connection: Connection) -> None:
        pass


@asynccontextmanager
async def echo(kind: type[Echo] = Echo) -> AsyncIterator[str]:
    """Serve it; give its URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    server: asyncio.Server = await ws_create_server(
        lambda _: kind(),
        sock=listener,
        max_frame_size=_MAX_BYTES,
        enable_auto_pong=False,
        read_buffer_init_size=2048,
    )
    try:
        yield f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        server.close()
