"""Trip churn: trips that are opened, chatted in and ended, one after the other.

After the end has been answered each party tries to post once more: none of these may be accepted.
"""

from __future__ import annotations

import asyncio
from typing import Final

from ..load import OPENING, Load
from ..party import NOT_CONNECTED
from ..trips import CallFailed, Trip

_ANSWER_S: Final = 20.0


class Churn(Load):
    """`at_once` trips at a time with `messages` messages of each party; with none, nobody attaches
    and only the API is at work."""

    async def prepare(self) -> None:
        self.told(OPENING, 1.0)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(self.plan.share(self.option("at_once"))):
                group.create_task(self._trips_in_turn())

    async def _trips_in_turn(self) -> None:
        while not self.stop.is_set():
            trip = await self.trips.open()
            if self.option("messages"):
                await self._chat(trip)
            await self.trips.end(trip)
            if self.option("messages"):
                await self.ended(trip)

    async def _chat(self, trip: Trip) -> None:
        try:
            for party in trip.parties:
                await self.attach(party)
        except (CallFailed, *NOT_CONNECTED):
            if not self.attached:
                raise
            self.tally.counts["failed to attach"] += 1
            return
        for _ in range(self.option("messages")):
            for party in trip.parties:
                party.post(self.text())
            for party, peer in (trip.parties, trip.parties[::-1]):
                if not await party.says.nothing_owed(_ANSWER_S):
                    if peer.is_attached:
                        party.says.overdue()
                    self.tally.counts["failed to arrive in time"] += party.says.owed
                    return

    async def settle(self) -> None:
        """Each trip was settled when it ended."""
