"""What must not be undone: the ends, reassignments and revocations that this node has heard of.

A store that failed over to a replica, or was restored, may have forgotten its last writes, a close
among them. So every node keeps in mind what it has heard for a while, and says it again to each
store that it connects to, before anything else (`store/scripts/again.lua`). Saying it to a store
that knows does nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final

#: Longer than a failover takes, and few enough to be said in under a second.
REMEMBERED_S: Final = 300.0
MOST: Final = 20_000

_FINAL: Final = frozenset({"closed", "reassigned", "revoked"})


class Finality:
    """The final news of the last minutes, oldest first."""

    __slots__ = ("_heard",)

    def __init__(self) -> None:
        self._heard: deque[tuple[float, dict[str, Any]]] = deque(maxlen=MOST)

    def hear(self, news: dict[str, Any], now_s: float) -> None:
        """Keep in mind what a script told every node, if it is final.

        So is an end with grace, before its grace has run out."""
        if news["op"] in _FINAL or (news["op"] == "state" and news["state"] == "grace"):
            self._heard.append((now_s, news))
            while now_s - self._heard[0][0] > REMEMBERED_S:
                self._heard.popleft()

    def said(self, now_s: float) -> Iterator[dict[str, Any]]:
        """What is still to be kept in mind."""
        return (news for at_s, news in self._heard if now_s - at_s <= REMEMBERED_S)
