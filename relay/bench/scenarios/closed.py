"""Closed loop: each party keeps so many posts unanswered, and posts the next when one is answered.

It finds how many messages a second a relay carries. Its latencies are those of a queue that the
load itself keeps full: for what people would feel, see the open loop.
"""

from __future__ import annotations

from ..load import Load
from ..party import Party
from ..returning import returning
from ..trips import Trip


class ClosedLoop(Load):
    """`trips` trips, `in_flight` unanswered posts of each party."""

    _trips: list[Trip]

    async def prepare(self) -> None:
        self._trips = await self.open_attached(self.plan.share(self.option("trips")))

    async def run(self) -> None:
        parties = [party for trip in self._trips for party in trip.parties]
        async with returning(parties):
            for party in parties:
                party.on_answered = self._next
                for _ in range(self.option("in_flight")):
                    self._next(party)
            await self.stop.wait()

    def _next(self, party: Party) -> None:
        if not self.stop.is_set():
            party.post(self.text())

    async def settle(self) -> None:
        await self.everything_arrived(self._trips)
        self.hang_up(party for trip in self._trips for party in trip.parties)
