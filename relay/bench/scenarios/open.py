"""Open loop: messages at a rate that does not ask how the relay is doing.

Latencies count from the moment a message was meant to be sent, on a clock that ticks every
millisecond: those of one millisecond are meant to be sent together, at its end.
"""

from __future__ import annotations

import random
import time

from ..arrivals import poisson, together
from ..load import Load
from ..metronome import TICK_S, Metronome
from ..party import Party
from ..returning import returning
from ..trips import Trip, each


class OpenLoop(Load):
    """`rate` messages a second from the parties of `trips` trips, at random; `unattached` others
    are open meanwhile."""

    _trips: list[Trip]

    async def prepare(self) -> None:
        self._trips = await self.open_attached(self.plan.share(self.option("trips")))
        others = self.plan.share(self.plan.options.get("unattached", 0))
        await each(range(others), lambda _: self.trips.open())

    async def run(self) -> None:
        parties = [party for trip in self._trips for party in trip.parties]
        async with returning(parties):
            await self._post_at_the_rate(parties)

    async def _post_at_the_rate(self, parties: list[Party]) -> None:
        source = random.Random(f"{self.plan.run} {self.plan.part} arrivals")
        per_s = self.plan.options["rate"] / self.plan.parts
        began_s = time.monotonic()
        moments = (began_s + at_s for at_s in together(poisson(per_s, source), TICK_S))
        due_s = next(moments)
        with Metronome() as metronome:
            while not self.stop.is_set():
                now_s = time.monotonic()
                while due_s <= now_s:
                    parties[int(source.random() * len(parties))].post(self.text(), due_s)
                    self.tally.counts["posted"] += 1
                    due_s = next(moments)
                await metronome.until(min(due_s, now_s + 0.05))

    async def settle(self) -> None:
        await self.everything_arrived(self._trips)
        self.hang_up(party for trip in self._trips for party in trip.parties)
