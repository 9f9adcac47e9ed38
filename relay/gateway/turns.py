"""When what apps say is acted on: at once, or in a later tick if this one has lasted.

Where thousands of apps post in one moment, to take all of it in one tick would keep everything else
waiting for seconds: the store's answers would count as late, and the apps would be cut off, come
back all at once, and find no better. So a tick takes messages for a while only, and the rest in the
next ones. From whom one waits nothing more is read: what comes waits in the socket, and in the app.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Final

import structlog

from .connection import Connection
from .counts import Counts

log = structlog.get_logger(__name__)

#: For how long messages are taken in one tick.
TICK_S: Final = 0.05


class Turns:
    """The messages of one node's apps, in the order in which they came."""

    def __init__(
        self, loop: AbstractEventLoop, counts: Counts, now_s: Callable[[], float] = monotonic
    ) -> None:
        self._loop = loop
        self._counts = counts
        self._now_s = now_s
        #: When this tick will have lasted; None if nothing was taken in it.
        self._ends_s: float | None = None
        self._waiting: deque[tuple[Connection, bytes]] = deque()

    def take(self, connection: Connection, message: bytes) -> None:
        """Take what has just come, as soon as it is its turn."""
        if self._ends_s is None:
            self._ends_s = self._now_s() + TICK_S
            self._loop.call_soon(self._next_tick)
        elif self._waiting or self._now_s() > self._ends_s:
            self._counts.deferred += 1
            if not connection.waiting:
                connection.stop_reading()
            connection.waiting += 1
            self._waiting.append((connection, message))
            return
        connection.act_on(message)

    def _next_tick(self) -> None:
        """All that there was to read has been read; take what waits, and let the rest wait on."""
        self._ends_s = None
        if not self._waiting:
            return
        self._ends_s = self._now_s() + TICK_S
        self._loop.call_soon(self._next_tick)
        while self._waiting and self._now_s() <= self._ends_s:
            self._take_waiting(*self._waiting.popleft())

    def _take_waiting(self, connection: Connection, message: bytes) -> None:
        connection.waiting -= 1
        if connection.closed:
            return
        if not connection.waiting:
            connection.read_on()
        try:
            connection.act_on(message)
        except Exception:
            # As picows does it with what is taken at once.
            log.exception("message_failed")
            connection.abort()
