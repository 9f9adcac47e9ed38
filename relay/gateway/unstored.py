"""Ends that the store would not take: its memory or its disk is full, or it does not answer.

Whoever asked for the end was told that it may not have been done. All the same the trip is over for
the platform, so at every node that hears of it both parties are cut off at once, with a code that
says come back: how it ended, only the store can tell them. Until it can nobody is seated there, and
the end is said to the store again and again.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

import structlog

from ..core.codes import CloseCode
from ..store.endpoint import StoreError
from .finality import MOST, REMEMBERED_S

if TYPE_CHECKING:
    from .node import Node

log = structlog.get_logger(__name__)

_AT_ONCE: Final = 100
_RETRY_MS: Final = 1000


class Unstored:
    """Those that a node has heard of, the oldest first."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, tuple[float, str, str]] = OrderedDict()

    def __contains__(self, trip: str) -> bool:
        return trip in self._waiting

    def take(self, node: Node, trip: str, reason: str, detail: str) -> None:
        """Cut off both parties, and keep in mind what the store has to be told."""
        if trip not in self._waiting:
            log.warning("end_not_stored")
            self._waiting[trip] = (node.loop.time(), reason, detail)
            if len(self._waiting) > MOST:
                self._waiting.popitem(last=False)
        channel = node.channels.get(trip)
        for connection in tuple(channel.connections.values()) if channel else ():
            node.close(connection, CloseCode.STORE_AWAY, retry_after_ms=_RETRY_MS)

    def settle(self, trip: str) -> None:
        """The store has it."""
        self._waiting.pop(trip, None)

    async def say_again(self, node: Node) -> None:
        """Tell the store of each. Raises nothing."""
        while self._waiting and node.loop.time() - next(iter(self._waiting.values()))[0] > (
            REMEMBERED_S
        ):
            self._waiting.popitem(last=False)
            log.error("end_given_up", why="the store has not taken it; the deadline closes it")
        for trips in _batches(tuple(self._waiting)):
            told = await asyncio.gather(*(self._say(node, trip) for trip in trips))
            if not all(told):
                return

    async def _say(self, node: Node, trip: str) -> bool:
        waiting = self._waiting.get(trip)
        if waiting is None:
            return True  # another node has said it meanwhile
        _, reason, detail = waiting
        try:
            await node.store.end_again(trip, reason=reason, detail=detail)
        except StoreError:
            return False
        self.settle(trip)
        return True


def _batches(trips: tuple[str, ...]) -> list[tuple[str, ...]]:
    return [trips[start : start + _AT_ONCE] for start in range(0, len(trips), _AT_ONCE)]
