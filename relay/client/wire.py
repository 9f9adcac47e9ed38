"""Frames as MessagePack maps, and the WebSocket they travel on.

This side reads frames with its own few lines instead of the relay's structs: light for those who
install it, and a second opinion on what is on the wire.
"""

from __future__ import annotations

import logging
import ssl
from typing import Any, Final, TypeAlias, TypeVar

import msgpack  # type: ignore[import-untyped]
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as _connect
from websockets.exceptions import NegotiationError
from websockets.typing import Subprotocol

Frame: TypeAlias = dict[str, Any]
T = TypeVar("T")

SUBPROTOCOL: Final = Subprotocol("relay.v1.msgpack")

#: What the relay takes in one message.
MAX_SENT_BYTES: Final = 16 * 1024

#: What it may send is larger: `closed` can list every id of a channel.
MAX_RECEIVED_BYTES: Final = 1024 * 1024

OPEN_TIMEOUT_S: Final = 10.0

#: The relay pings too. These are for the half-open connections of a phone that changed networks:
#: noticed within 35 s, as the relay does.
PING_INTERVAL_S: Final = 25.0
PING_TIMEOUT_S: Final = 10.0

#: The app is leaving, or gives a dead connection up: nobody should wait long for an answer.
CLOSE_TIMEOUT_S: Final = 2.0


class BadFrame(Exception):
    """What the relay sent is not what the protocol describes. What it held is not kept."""


def pack(value: object) -> bytes:
    """MessagePack of plain values."""
    data: bytes = msgpack.packb(value)
    return data


def unpack(data: bytes) -> Any:
    """Read MessagePack. Raises `BadFrame`, which holds nothing of what was read."""
    try:
        return msgpack.unpackb(data)
    except Exception:  # noqa: BLE001 - msgpack raises half a dozen kinds, and some quote what they read
        raise BadFrame("no MessagePack") from None


def decode(data: str | bytes) -> Frame:
    """Read one frame: a map with a string `op`. Raises `BadFrame`."""
    if isinstance(data, str):
        raise BadFrame("a text message on a binary subprotocol")
    frame = unpack(data)
    if not isinstance(frame, dict) or not isinstance(frame.get("op"), str):
        raise BadFrame("no map with an op")
    return frame


def field(frame: Frame, name: str, kind: type[T]) -> T:
    """The field `name`, which must be of `kind`. Raises `BadFrame`."""
    value: Any = frame.get(name)
    if kind is float and type(value) is int:
        value = float(value)
    # `type` and not `isinstance`: True is no integer here.
    if type(value) is not kind:
        raise BadFrame(f"the field {name} is missing or of the wrong type")
    result: T = value
    return result


def optional(frame: Frame, name: str, kind: type[T]) -> T | None:
    """As `field`, or None where the field is left out."""
    return None if frame.get(name) is None else field(frame, name, kind)


def inner(frame: Frame, name: str) -> Frame:
    """The map in the field `name`. Raises `BadFrame`."""
    return field(frame, name, dict)


def strings(frame: Frame, name: str) -> list[str]:
    """A list of strings, empty where the field is left out. Raises `BadFrame`."""
    values: list[str] = optional(frame, name, list) or []
    if not all(type(value) is str for value in values):
        raise BadFrame(f"the field {name} holds something that is no string")
    return values


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
