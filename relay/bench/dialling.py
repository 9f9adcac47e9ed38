"""A WebSocket of the load, opened with as little as that takes.

What a load process spends on a connection the relay beside it does not get. picows' `ws_connect`
takes the address apart each time, has another thread look it up, waits for a socket that is
connected already and makes a logger for each connection.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import socket
import ssl
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from aiofastnet import create_connection
from picows import WSListener
from picows.picows import WSAutoPingStrategy, WSProtocol  # type: ignore[attr-defined]

_MAX_FRAME_BYTES: Final = 2**20
_READ_BUFFER_BYTES: Final = 2048
# Of a plain logger picows makes another one for each connection.
_log: Final = logging.LoggerAdapter(logging.getLogger("picows.client"), {})


class _Place(NamedTuple):
    """Where an address leads. `tls` is None where it is not `wss://`."""

    host: str
    netloc: str
    path: str
    family: int
    address: Any
    tls: ssl.SSLContext | None


@functools.cache
def _place(url: str, within_s: float) -> _Place:
    """Find the server of an address, the first one there that answers. Raises `OSError`.

    `wss://` is believed of whom the system's authorities say so, or those of SSL_CERT_FILE; to read
    these takes longer than to connect.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    is_secure = parts.scheme == "wss"
    port = parts.port or (443 if is_secure else 80)
    tls = ssl.create_default_context() if is_secure else None
    with socket.create_connection((parts.hostname, port), within_s) as found:
        place = _Place(
            parts.hostname, parts.netloc, parts.path or "/", found.family, found.getpeername(), tls
        )
        if tls is not None:
            # Of one that is not believed, or speaks no TLS, the connections below say less.
            tls.wrap_socket(found, server_hostname=parts.hostname).close()
    return place


def reach(url: str, within_s: float) -> None:
    """See that there is somebody: what many connections would wait for in vain is found out once.
    Raises `OSError`."""
    _place(url, within_s)


async def dial(url: str, headers: dict[str, str], within_s: float, listener: WSListener) -> None:
    """Open a WebSocket, which is `listener`'s from then on. Raises `OSError`, `TimeoutError` or
    picows' `WSError`."""
    place = _place(url, within_s)
    loop = asyncio.get_running_loop()
    sock = socket.socket(place.family, socket.SOCK_STREAM)
    sock.setblocking(False)
    # On one machine the other end has answered by the time that the system is asked again.
    if sock.connect_ex(place.address) and sock.connect_ex(place.address):
        try:
            async with asyncio.timeout(within_s):
                await loop.sock_connect(sock, place.address)
        except BaseException:
            sock.close()
            raise

    def protocol() -> WSProtocol:
        return WSProtocol(
            place.netloc, place.path, True, lambda *_: listener, _log, True, within_s, False, 10,
            10, WSAutoPingStrategy.PING_WHEN_IDLE, True, _MAX_FRAME_BYTES, headers,
            _READ_BUFFER_BYTES,
        )  # fmt: skip

    _, opening = await create_connection(
        loop, protocol, sock=sock, ssl=place.tls,
        server_hostname=place.host if place.tls else None,
    )  # fmt: skip
    await opening.wait_until_handshake_complete()
    if opening.listener is None:
        raise ConnectionResetError("the connection ended before the WebSocket was open")
