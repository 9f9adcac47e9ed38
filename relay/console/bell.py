"""What every page tells at once: a threat that nobody has taken up, and alarms about operators."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, NamedTuple

from ..core.casework import Category
from ..ops.actor import Actor
from ..ops.desk import Desk

#: All open pages ask every two seconds; the store is asked once in that time by each worker.
_FRESH_MS: Final = 1_000


class Ringing(NamedTuple):
    """`threats` are cases not taken up yet, `first` the most urgent one's id; `alarms` are for
    supervisors."""

    threats: int
    first: str
    alarms: int


class Bell:
    """Keeps the answer for a second."""

    def __init__(self, desk: Desk, *, now_ms: Callable[[], int]) -> None:
        self._desk = desk
        self._now_ms = now_ms
        self._asked_at = 0
        self._threats: tuple[int, str] = (0, "")
        self._alarms: list[str] = []
        self._asking = asyncio.Lock()

    async def ringing(self, actor: Actor) -> Ringing:
        """What `actor` is to hear. An alarm is not shown to whom it is about. Raises
        `StoreError`."""
        async with self._asking:
            if self._now_ms() - self._asked_at >= _FRESH_MS:
                await self._ask()
        alarms = sum(1 for operator in self._alarms if operator != actor.id)
        return Ringing(*self._threats, alarms if actor.is_supervisor else 0)

    def forget(self) -> None:
        """Ask anew next time, because something was done about it."""
        self._asked_at = 0

    async def _ask(self) -> None:
        # The first priority is a threat's alone; the queue begins with the most urgent.
        queue = await self._desk.cases.queue(assignee="-", category=Category.THREAT, count=1)
        alarms = await self._desk.watch.alarms()
        self._threats = queue.counts["urgent"], (queue.rows[0].id if queue.rows else "")
        self._alarms = [one.operator for one in alarms if not one.acknowledged_by]
        self._asked_at = self._now_ms()
