"""Takes the sockets of apps: each becomes a `Door`, unless there are too many strangers already.

aiofastnet's own server makes a task for each socket, and a transport also for one that must not
even be heard. Aborted in `connection_made`, that one would be read from once more, and stay
registered with the event loop when its descriptor is closed: whoever is given that next, a call by
HTTP say, stops the loop.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, Final

import structlog
from aiofastnet.selector_transport import SelectorSocketTransport  # type: ignore[import-not-found]

from .admission import Admission
from .door import Answer, Door

log = structlog.get_logger(__name__)

_BACKLOG: Final = 4096
#: After the system could not give a socket, say because too many files are open.
_RETRY_S: Final = 1.0


class Listener:
    """Listens on a bound socket, until `close`."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        listener: socket.socket,
        admission: Admission,
        answer: Callable[[Any, Door], Answer],
    ) -> None:
        self._loop = loop
        self._listener = listener
        self._admission = admission
        self._answer = answer
        listener.setblocking(False)
        listener.listen(_BACKLOG)
        self._begin()

    def close(self) -> None:
        """Take no more; those that are here stay."""
        if self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)
            self._listener.close()

    def _begin(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.add_reader(self._listener, self._take_all)

    def _take_all(self) -> None:
        for _ in range(_BACKLOG):
            try:
                sock, name = self._listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                # It would be told of the same one again at once, and again.
                log.error("accept_failed", error=error.strerror)
                self._loop.remove_reader(self._listener)
                self._loop.call_later(_RETRY_S, self._begin)
                return
            self._take(sock, str(name[0]) if name else "")

    def _take(self, sock: socket.socket, peer: str) -> None:
        stranger_at = self._admission.takes_socket(peer)
        if stranger_at is None:
            sock.close()
            return
        SelectorSocketTransport(
            self._loop, sock, Door(self._admission, self._answer, peer, stranger_at)
        )
