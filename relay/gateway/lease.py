"""Whether a node may act on what it knows of the trips in one slot of the store.

It knows it from the store, and only for so long. After a pause in the store's answers channels may
have closed meanwhile, and a new connection may lead to a store that has lost the end of a log: then
nothing goes out until each of these channels has been looked at. A pause counts even if it is over,
as for a node that was frozen and has just woken up. Of several servers, one that is away stops the
trips on it and no others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import structlog

from ..store.endpoint import Unanswered
from ..store.pipe import Line, Pipe

log = structlog.get_logger(__name__)

#: For how long the store's answers may stop before nothing is delivered any more.
LEASE_S: Final = 1.0
#: How much of what other nodes tell is kept meanwhile.
_MOST_HINTS: Final = 20_000


class Lease:
    """That of one slot. `now_s` gives the loop's time."""

    __slots__ = (
        "_held", "_line", "_now_s", "_pipe", "_seen_s", "_slot", "suspended", "suspended_at_s",
    )  # fmt: skip

    def __init__(self, pipe: Pipe, slot: int, now_s: Callable[[], float]) -> None:
        self._pipe = pipe
        self._slot = slot
        self._now_s = now_s
        #: Over which connection to the store every channel was looked at.
        self._line = self.line
        self._seen_s = float("inf")
        self._held: list[Callable[[], None]] = []
        self.suspended = False
        self.suspended_at_s = 0.0

    @property
    def line(self) -> Line | None:
        """The connection to the server that has the slot now, if there is one."""
        return self._pipe.line_at(self._slot)

    def holds(self) -> bool:
        """Whether something may be delivered now. To be asked every few hundred ms at least."""
        line = self._pipe.line_at(self._slot)
        confirmed_s = line.confirmed_s if line is not None else float("-inf")
        away_s = max(confirmed_s - self._seen_s, self._now_s() - confirmed_s)
        self._seen_s = confirmed_s
        if (away_s > LEASE_S or line is not self._line) and not self.suspended:
            self.suspended = True
            self.suspended_at_s = self._now_s()
        return not self.suspended

    def hold(self, delivery: Callable[[], None]) -> None:
        """Keep what may not be delivered now. Bounded by what apps may have in flight."""
        self._held.append(delivery)

    def hold_reply(self, take: Callable[[Any], None], reply: Any) -> None:
        """Keep a reply of the store that `take` may not act on now.

        After a new connection to the store it is as good as none: what it says may be lost.
        """
        line = self.line
        self.hold(lambda: take(reply if line is self.line else Unanswered()))

    def hold_hint(self, take: Callable[[Any], None], hint: Any) -> None:
        """`hold_reply` for what another node tells, if there is room: that node may have its store
        for as long as this one has none. The next look finds what is not kept."""
        if len(self._held) < _MOST_HINTS:
            self.hold_reply(take, hint)

    def resume(self, line: Line) -> None:
        """Deliver what was held; call it when every channel has been looked at, which began over
        this connection to the store."""
        self._line = line
        self.suspended = False
        held, self._held = self._held, []
        for delivery in held:
            try:
                delivery()
            except Exception:
                log.exception("a held delivery failed")
