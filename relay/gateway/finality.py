"""What must not be undone: the ends, reassignments and revocations that this node has heard of
or has answered itself: the news of what it answered may be lost on its way back.

A store that failed over to a replica, or was restored, may have forgotten its last writes, a close
among them. So every node keeps in mind what it has heard for a while, and says it again to each
store that it connects to, before anything else (`store/scripts/again.lua`). Saying it to a store
that knows does nothing.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final

#: Longer than a failover takes, and few enough to be said in under a second.
REMEMBERED_S: Final = 300.0
MOST: Final = 20_000

#: What makes two news the same.
_SAME: Final = ("op", "trip", "role", "epoch", "count", "deadline")
#: What of them is said again. Lists of what never arrived are not: they may be long.
_SAID: Final = (*_SAME, "reason", "detail")
_FINAL: Final = frozenset({"closed", "reassigned", "revoked"})


class Finality:
    """The final news of the last minutes, oldest first."""

    __slots__ = ("_heard",)

    def __init__(self) -> None:
        self._heard: OrderedDict[tuple[Any, ...], tuple[float, dict[str, Any]]] = OrderedDict()

    def hear(self, news: dict[str, Any], now_s: float) -> None:
        """Keep in mind what a script told every node or answered, if it is final.

        So is an end with grace, before its grace has run out."""
        if news["op"] in _FINAL or (news["op"] == "state" and news["state"] == "grace"):
            # Of the same thing what was heard first counts: it came of the step that did it.
            said: dict[str, Any] = {name: news[name] for name in _SAID if name in news}
            self._heard.setdefault(tuple(news.get(name) for name in _SAME), (now_s, said))
            while len(self._heard) > MOST or now_s - self._oldest_s() > REMEMBERED_S:
                self._heard.popitem(last=False)

    def _oldest_s(self) -> float:
        return next(iter(self._heard.values()))[0]

    def said(self, now_s: float) -> Iterator[dict[str, Any]]:
        """What is still to be kept in mind."""
        return (news for at_s, news in self._heard.values() if now_s - at_s <= REMEMBERED_S)
