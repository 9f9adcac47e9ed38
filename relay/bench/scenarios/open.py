"""Open loop: messages at a rate that does not ask how the relay is doing.

Latencies count from the moment a message was meant to be sent. Messages leave within a millisecond
of it, and that millisecond counts too.
"""

from __future__ import annotations

import asyncio
import random
import time
from typing import Final

from ..arrivals import poisson
from ..load import Load
from ..trips import Trip, each

_STEP_S: Final = 0.001


class OpenLoop(Load):
    """`rate` messages a second from the parties of `trips` trips, at random; `unattached` others
    are open meanwhile."""

    _trips: list[Trip]

    async def prepare(self) -> None:
        self._trips = await self.open_attached(self.plan.share(self.option("trips")))
        others = self.plan.share(self.plan.options.get("unattached", 0))
        await each(range(others), lambda _: self.trips.open())

    async def run(self) -> None:
        source = random.Random(f"{self.plan.run} {self.plan.part} arrivals")
        parties = [party for trip in self._trips for party in trip.parties]
        moments = poisson(self.plan.options["rate"] / self.plan.parts, source)
        began_s = time.monotonic()
        due_s = began_s + next(moments)
        while not self.stop.is_set():
            now_s = time.monotonic()
            while due_s <= now_s:
                parties[int(source.random() * len(parties))].post(self.text(), due_s)
                self.tally.counts["posted"] += 1
                due_s = began_s + next(moments)
            await asyncio.sleep(max(_STEP_S, min(due_s - now_s, 0.05)))

    async def settle(self) -> None:
        await self.everything_arrived(self._trips)
        self.hang_up(party for trip in self._trips for party in trip.parties)
