"""The WebSocket that the frames travel on, with settings for a phone and for silence in logs."""

from __future__ import annotations

import logging
import ssl
from typing import Any, Final

from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as _connect
from websockets.exceptions import InvalidURI, NegotiationError
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

SUBPROTOCOL: Final = Subprotocol("relay.v1.msgpack")

#: The relay takes 16 KiB but may send more: `closed` can list every id of a channel.
MAX_RECEIVED_BYTES: Final = 1024 * 1024

OPEN_TIMEOUT_S: Final = 10.0

#: The relay pings too. These are for the half-open connections of a phone that changed networks:
#: noticed within 35 s, as the relay does.
PING_INTERVAL_S: Final = 25.0
PING_TIMEOUT_S: Final = 10.0

#: The app is leaving, or gives a dead connection up: nobody should wait long for an answer.
CLOSE_TIMEOUT_S: Final = 2.0


class _Direct(_connect):
    """A connection to the host that was named, and to no other.

    Following a redirect would show the token, in the first frame, to whoever sent it: a captive
    portal, say.
    """

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def _silent_logger() -> logging.Logger:
    # At DEBUG `websockets` logs whole frames, the token among them. This logger stands outside the
    # hierarchy, so no application can switch that on by setting a level somewhere.
    logger = logging.Logger("relay.client.wire", level=logging.CRITICAL + 1)  # noqa: LOG001
    logger.addHandler(logging.NullHandler())
    return logger


def check_url(url: str) -> bool:
    """Tell whether a WebSocket address is one with TLS. Raises `ValueError` if it is none."""
    try:
        return parse_uri(url).secure
    except (InvalidURI, ValueError):
        words = "the gateway's address begins with wss:// (or ws://) and names a host"
        raise ValueError(words) from None


async def open_socket(url: str, tls: ssl.SSLContext | None) -> ClientConnection:
    """Open a WebSocket to `url`.

    Raises `OSError` (`TimeoutError` among them) or a `websockets.exceptions.WebSocketException`.
    """
    more: dict[str, Any] = {} if tls is None else {"ssl": tls}
    socket = await _Direct(
        url,
        subprotocols=[SUBPROTOCOL],
        compression=None,
        proxy=None,
        open_timeout=OPEN_TIMEOUT_S,
        ping_interval=PING_INTERVAL_S,
        ping_timeout=PING_TIMEOUT_S,
        close_timeout=CLOSE_TIMEOUT_S,
        max_size=MAX_RECEIVED_BYTES,
        logger=_silent_logger(),
        **more,
    )
    if socket.subprotocol != SUBPROTOCOL:
        await socket.close()
        words = "the server chose no subprotocol"
        raise NegotiationError(words)
    return socket
