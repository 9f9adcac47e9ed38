"""What waits for the end of a tick: that it is never sent after a close frame, nor by who slept on it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from relay.core.codes import CloseCode
from relay.gateway.connection import Connection
from relay.gateway.lease import LEASE_S

from .echo import Echo, echo

_MASK = bytes(4)


class _Freezes(Echo):
    """What SIGSTOP and SIGCONT do to a process that has said something but not written it."""

    def take(self, connection: Connection, frame: Any) -> None:
        super().take(connection, frame)
        time.sleep(LEASE_S + 0.1)
        if self._codec.message == b"and close":
            self.close(CloseCode.CHANNEL_CLOSED)


async def test_who_was_frozen_sends_nothing_that_was_said_before() -> None:
    """The channel may have closed meanwhile. The app comes back and is told."""
    async with echo(_Freezes) as url:
        for said in ("only said", "and close"):
            async with asyncio.timeout(10), connect(url, proxy=None, compression=None) as app:
                await app.send(said)
                heard = []
                try:
                    while True:
                        heard.append(await app.recv())
                except ConnectionClosed:
                    pass
            assert (heard, app.close_code) == ([], CloseCode.STORE_AWAY)
            assert "retry_after_ms=" in (app.close_reason or "")


async def test_nothing_follows_the_close_frame_of_who_broke_the_protocol() -> None:
    async with echo() as url:
        host, _, port = url[5:].strip("/").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )
        async with asyncio.timeout(10):
            await reader.readuntil(b"\r\n\r\n")
            # A good message and an opcode that is none, in one segment.
            writer.write(b"\x81\x82" + _MASK + b"hi" + b"\x83\x80" + _MASK)
            answer = await reader.read()
        writer.close()
    at = 2 + answer[1] if answer[0] == 0x81 else 0
    assert answer[at] == 0x88, "a close frame"
    assert len(answer) == at + 2 + answer[at + 1], "and nothing after it"
