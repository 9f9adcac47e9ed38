"""A socket from its first moment to its last: picows' protocol, with the book of who is let in.

picows asks for a listener when the handshake has been read, and does not tell whose it was. What
comes before that, and what never gets so far, is bounded here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from http import HTTPStatus
from typing import Any, Final
from weakref import ref

import structlog
from picows import (
    WSListener,
    WSTransport,
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)
from picows.picows import WSAutoPingStrategy, WSProtocol  # type: ignore[attr-defined]

from ..core.codes import CloseCode, close_reason
from ..core.frames import MAX_FRAME_BYTES
from .admission import Admission
from .limits import ATTACH_TIMEOUT_S

log = structlog.get_logger(__name__)

Answer = WSListener | WSUpgradeResponseWithListener | None
_Answer = Callable[[WSUpgradeRequest], Answer]

_READ_BUFFER_BYTES: Final = 2048
_ACCEPT: Final = "Sec-WebSocket-Accept"


class Door(WSProtocol):  # type: ignore[misc]
    """One socket. `peer` is the address that has connected, `stranger_at` what the book was told of
    it, `address` the one that it counts under, if it was let in."""

    __slots__ = (
        "__weakref__", "_admission", "_is_stranger", "_stranger_at", "address", "is_inside", "peer",
    )  # fmt: skip

    def __init__(
        self,
        admission: Admission,
        answer: Callable[[WSUpgradeRequest, Door], Answer],
        peer: str,
        stranger_at: str,
    ) -> None:
        super().__init__(
            None, None, False, _of(ref(self), answer), _Quiet(), True,
            ATTACH_TIMEOUT_S, False, 20, 20, WSAutoPingStrategy.PING_WHEN_IDLE, False,
            MAX_FRAME_BYTES, None, _READ_BUFFER_BYTES,
        )  # fmt: skip
        self._admission = admission
        self._is_stranger = True
        self._stranger_at = stranger_at
        self.peer = peer
        self.is_inside = False
        self.address = ""

    def connection_lost(self, error: Exception | None) -> None:
        self.attached()
        if self.is_inside:
            self.is_inside = False
            self._admission.leaves(self.address)
        super().connection_lost(error)

    def attached(self) -> None:
        """Note that this is no stranger any more."""
        if self._is_stranger:
            self._is_stranger = False
            self._admission.is_known(self._stranger_at)


def _of(door: ref[Door], answer: Callable[[WSUpgradeRequest, Door], Answer]) -> _Answer:
    """What answers at this door without holding it: a stranger who goes without a handshake is
    freed at once then, and not when the garbage collector comes by."""

    def answer_here(request: WSUpgradeRequest) -> Answer:
        here = door()
        return None if here is None else answer(request, here)

    return answer_here


class Welcome(WSUpgradeResponse):
    """The answer to a handshake, in this subprotocol if the app offered any."""

    __slots__ = ("_head",)

    def __init__(self, subprotocol: str | None) -> None:
        self.version, self.status, self.body = b"HTTP/1.1", HTTPStatus.SWITCHING_PROTOCOLS, None
        #: picows adds what answers the app's key, which alone is not known before.
        self.headers = {}  # type: ignore[assignment]
        self._head = _welcome(subprotocol)

    def to_bytes(self) -> bytearray:
        return bytearray(b"%b%b\r\n\r\n" % (self._head, self.headers[_ACCEPT].encode()))


@cache
def _welcome(subprotocol: str | None) -> bytes:
    chosen = f"Sec-WebSocket-Protocol: {subprotocol}\r\n" if subprotocol else ""
    return (
        f"HTTP/1.1 101 Switching Protocols\r\n{chosen}Connection: upgrade\r\n"
        f"Upgrade: websocket\r\n{_ACCEPT}: "
    ).encode()


class SentAway(WSListener):
    """A connection that ends with the handshake.

    With a close code, because a browser does not let its page see why a handshake failed.
    """

    def __init__(self, code: CloseCode, retry_after_ms: int = 0) -> None:
        self._code = code
        self._retry_after_ms = retry_after_ms

    def on_ws_connected(self, transport: WSTransport) -> None:
        reason = close_reason(self._code, self._retry_after_ms)
        transport.send_close(self._code, reason)  # type: ignore[arg-type]
        transport.disconnect()


class _Quiet:
    """picows' log without what it says of every connection, and without a logger for each."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802
        return False

    def log(self, *args: object, **kwargs: object) -> None:
        pass

    debug = info = warning = error = log

    def exception(self, message: str, *args: object, **kwargs: Any) -> None:
        # picows calls this while it handles the exception.
        log.exception("gateway_exception")  # noqa: LOG004
