"""One connection of the API's, as uvicorn serves it, but that an answer leaves in one write and a
call that does not come to its end is not waited for.

uvicorn writes its head and its body apart. Each is a system call, and these are the dearest part of
a call that the store answers quickly. And it waits for the rest of a call for ever, while each
connection takes one of the files that the worker has for apps as well.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: What is held back at most: whoever writes more has to notice when the caller does not read it.
_HELD_BYTES: Final = 64 * 1024
#: A call that is not whole after this time ends its connection; at most as long again may pass.
REQUEST_S: Final = 30.0


class Connection(HttpToolsProtocol):
    """To be given to uvicorn as its `http`."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._joined = JoinedWrites(cast(asyncio.Transport, transport), self.loop)
        super().connection_made(self._joined)
        self._awaited_since_s: float | None = self.loop.time()
        self._watch = self.loop.call_later(REQUEST_S, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        self._watch.cancel()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        # A connection that only now says its first words has been waited for since it was made.
        if self._awaited_since_s is None:
            self._awaited_since_s = self.loop.time()
        super().on_message_begin()

    def on_message_complete(self) -> None:
        self._awaited_since_s = None
        super().on_message_complete()

    def _look(self) -> None:
        # One timer for a connection, not one for each call: those would cost more than they bring.
        since_s = self._awaited_since_s
        if since_s is not None and self.loop.time() - since_s >= REQUEST_S:
            self._joined.close()
            return
        self._watch = self.loop.call_later(REQUEST_S, self._look)

    def eof_received(self) -> None:
        # The transport ends when the caller has no more to say; what is answered already is for it.
        self._joined.flush()


class JoinedWrites(asyncio.Transport):
    """A transport that writes at the end of an event-loop tick what it was given in it."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._held: list[bytes] = []
        self._held_bytes = 0

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        if not self._held:
            self._loop.call_soon(self.flush)
        self._held.append(bytes(data))
        self._held_bytes += len(data)
        if self._held_bytes > _HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what is held back."""
        if self._held and not self._transport.is_closing():
            self._transport.write(b"".join(self._held))
        self._held.clear()
        self._held_bytes = 0

    def close(self) -> None:
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)
