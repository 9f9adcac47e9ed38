"""Connections that ask for a seat, from the question to the store until its answer.

What is told of a trip meanwhile may be newer than the answer, and would find nobody there who could
be told. So who was told of since he asked looks at the channel again once he is seated; nobody else
need, because from then on news finds him.
"""

from __future__ import annotations

from .connection import Connection


class Arrivals:
    """Those of one node, by trip."""

    __slots__ = ("_overtaken", "_waiting")

    def __init__(self) -> None:
        self._waiting: dict[str, set[Connection]] = {}
        self._overtaken: set[Connection] = set()

    def add(self, trip: str, connection: Connection) -> None:
        """Note one before the store is asked."""
        self._waiting.setdefault(trip, set()).add(connection)

    def news_of(self, trip: str) -> None:
        """Note that something was told of a trip."""
        if trip in self._waiting:
            self._overtaken |= self._waiting[trip]

    def news_was_lost(self) -> None:
        """Note that anything may have been told of any trip."""
        self._overtaken.update(*self._waiting.values())

    def remove(self, trip: str, connection: Connection) -> bool:
        """Note that the answer is here; give whether there may have been news meanwhile."""
        waiting = self._waiting[trip]
        waiting.discard(connection)
        if not waiting:
            del self._waiting[trip]
        if connection in self._overtaken:
            self._overtaken.discard(connection)
            return True
        return False
