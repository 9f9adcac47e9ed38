"""Idle connections: what it costs to hold apps that say nothing.

The relay's memory before and after tells what each takes. At the end all are still there and a
message still comes through.
"""

from __future__ import annotations

import asyncio
import itertools
from contextlib import suppress
from typing import Final

from ..load import OPENING, Load
from ..trips import Trip, each

#: Trips that are attached before memory is looked at, so that what a first connection needs is
#: there already.
_WARM: Final = 50
_ASKED: Final = 50
_AT_ONCE: Final = 64


class Idle(Load):
    """`connections` attached apps, held for `hold_s` seconds."""

    async def prepare(self) -> None:
        count = self.plan.share(self.option("connections") // 2)
        self._trips: list[Trip] = []

        async def one(_: int) -> None:
            self._trips.append(await self.trips.open())
            self.told(OPENING, len(self._trips) / count)

        await each(range(count), one)
        self._warm = await self.open_attached(_WARM // self.plan.parts or 1)

    @property
    def texts_ahead(self) -> int:
        return 4 * _ASKED

    async def run(self) -> None:
        parties = [party for trip in self._trips for party in trip.parties]
        there = itertools.count(1)
        await each(
            parties,
            self.attach,
            _AT_ONCE,
            lambda: self.told("attaching", next(there) / len(parties)),
        )
        self.told("holding them", 1.0)
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stop.wait(), self.option("hold_s"))
        for party in parties:
            if not party.is_attached:
                self.tally.counts["failed to stay"] += 1

    async def settle(self) -> None:
        asked = self._trips[:_ASKED]
        for trip in asked:
            for party in trip.parties:
                party.post(self.text())
        await self.everything_arrived(asked)
        self.hang_up(party for trip in self._trips + self._warm for party in trip.parties)
