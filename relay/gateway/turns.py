"""When the frames of apps are taken: at once, or in a later tick if this one has lasted.

Where thousands of apps post in one moment, to take all of it in one tick would keep everything else
waiting for seconds: the store's answers would count as late, and the apps would be cut off, come
back all at once, and find no better. So a tick takes frames for a while only, and the rest in the
next ones. Of whom many wait nothing more is read: what comes waits in the socket, and in the app.
"""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any, Final

import structlog

from .connection import Connection
from .counts import Counts

log = structlog.get_logger(__name__)

#: How many frames of one app may wait here.
MOST_WAITING: Final = 8
#: For how long frames are taken in one tick.
TICK_S: Final = 0.02


class Turns:
    """The frames of one node, in the order in which they came; `step` takes one."""

    def __init__(
        self,
        loop: AbstractEventLoop,
        counts: Counts,
        step: Callable[[Connection, Any], None],
        now_s: Callable[[], float] = monotonic,
    ) -> None:
        self._loop = loop
        self._counts = counts
        self._step = step
        self._now_s = now_s
        self._ends_s: float | None = None
        self._waiting: deque[tuple[Connection, Any]] = deque()

    def take(self, connection: Connection, frame: Any) -> None:
        """Take a frame that has just come, as soon as it is its turn."""
        if self._ends_s is None:
            self._ends_s = self._now_s() + TICK_S
            self._loop.call_soon(self._next_tick)
        elif self._waiting or self._now_s() > self._ends_s:
            self._counts.deferred += 1
            connection.waiting += 1
            if connection.waiting == MOST_WAITING:
                connection.stop_reading()
            self._waiting.append((connection, frame))
            return
        self._step(connection, frame)

    def _next_tick(self) -> None:
        """What came up to now has been read; take what waits, and let the rest wait on."""
        self._ends_s = None
        if not self._waiting:
            return
        self._ends_s = self._now_s() + TICK_S
        self._loop.call_soon(self._next_tick)
        while self._waiting and self._now_s() <= self._ends_s:
            self._take(*self._waiting.popleft())

    def _take(self, connection: Connection, frame: Any) -> None:
        connection.waiting -= 1
        if connection.closed:
            return
        if connection.waiting == MOST_WAITING - 1:
            connection.read_on()
        try:
            self._step(connection, frame)
        except Exception:
            # As picows does it with one that is taken at once.
            log.exception("frame_failed")
            connection.abort()
