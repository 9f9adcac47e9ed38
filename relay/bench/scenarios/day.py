"""A ride day: what a city does in a day, in a minute or so.

Rides begin as a day has them, with a peak in the morning and one in the evening. In each the two
open a channel, chat, and are parted when the trip ends. Some lose their connection in a tunnel,
some have a phone that hardly reads, some get another driver, some try to give a number away, some
report the other. All of it is checked; what happens on bad networks is timed apart from the rest.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from ...core.casework import Category
from ...core.frames import Report
from ..arrivals import ride_day
from ..load import OPENING, SETTLE_S, Load, until
from ..party import NOT_CONNECTED, Party
from ..tally import Tally
from ..texts import Text, disguised
from ..trips import Trip
from ..wire import Plan

#: How many rides of a hundred have what.
_TUNNEL, _SLOW, _REASSIGNED, _LEAKING, _REPORTED = 15, 10, 8, 10, 5
_MESSAGES: Final = (4, 12)
_PAUSE_S: Final = 0.25
_AWAY_S: Final = (0.2, 1.0)
_TRIES: Final = 5


class RideDay(Load):
    """`rides` rides over a day of `day_s` seconds."""

    def __init__(self, plan: Plan, told: Callable[[str, float], None]) -> None:
        super().__init__(plan, told)
        self._random = random.Random(f"{plan.run} {plan.part} day")
        #: What is seen on bad networks.
        self._rough = Tally()

    def take(self) -> tuple[dict[str, int], dict[str, dict[int, int]]]:
        counts, times = super().take()
        rough_counts, rough_times = self._rough.take()
        together = Counter(counts)
        together.update(rough_counts)
        return dict(together), times | {f"rough_{name}": it for name, it in rough_times.items()}

    async def prepare(self) -> None:
        self.told(OPENING, 1.0)

    async def run(self) -> None:
        moments = ride_day(
            self.plan.share(self.option("rides")), self.option("day_s"), self._random
        )
        began_s = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for moment in moments:
                await asyncio.sleep(began_s + moment - time.monotonic())
                if self.stop.is_set():
                    break
                group.create_task(self._ride())

    async def settle(self) -> None:
        """Each ride was settled when it ended."""

    def _happens(self, of_a_hundred: int) -> bool:
        return self._random.random() * 100 < of_a_hundred

    async def _ride(self) -> None:
        source = self._random
        trip = await self.trips.open()
        has_tunnel, is_slow = self._happens(_TUNNEL), self._happens(_SLOW)
        if has_tunnel or is_slow:
            trip.driver.tally = trip.customer.tally = self._rough
        for party in trip.parties:
            await self._attach(party)
        messages = source.randint(*_MESSAGES)
        special = source.randrange(messages)
        change = source.randrange(messages) if self._happens(_REASSIGNED) else -1
        leak = source.randrange(messages) if self._happens(_LEAKING) else -1
        for step in range(messages):
            if step == change:
                trip = await self._reassigned(trip)
            party = source.choice(trip.parties)
            if step == special and has_tunnel:
                await self._tunnel(trip, party)
            elif step == special and is_slow:
                await self._hardly_reading(trip, party)
            await self._say(party, self._number_of(trip) if step == leak else self.text())
            await asyncio.sleep(source.expovariate(1 / _PAUSE_S))
        if self._happens(_REPORTED):
            await self._report(trip.customer)
        await self.trips.end(trip)
        await self.ended(trip)

    def _number_of(self, trip: Trip) -> Text:
        """A try to give away one's own number."""
        self.tally.counts["leak attempts"] += 1
        return disguised(self._random, trip.phones[self._random.choice(("driver", "customer"))])

    async def _say(self, party: Party, text: Text) -> None:
        """Post, and wait for the answer as an app does: one whose connection broke comes back."""
        if not party.is_attached:
            await self._attach(party)
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def hear(_: Party) -> None:
            if not answered.done():
                answered.set_result(None)

        party.on_answered = hear
        party.post(text)
        for _ in range(_TRIES):
            if party.is_attached and party.line is not None:
                await asyncio.wait(
                    (answered, party.line.over), timeout=SETTLE_S,
                    return_when=asyncio.FIRST_COMPLETED,
                )  # fmt: skip
            if answered.done() or party.is_attached:
                break
            await self._attach(party)
        if not answered.done():
            party.tally.counts["unanswered"] += 1
        party.on_answered = None

    async def _attach(self, party: Party) -> None:
        """Attach, as often as it takes; then post again what nobody knows of."""
        began_s = time.monotonic()
        for attempt in range(_TRIES):
            try:
                if await party.come_back():
                    party.tally.times["attach"].add(time.monotonic() - began_s)
                    return
            except NOT_CONNECTED:
                pass
            await asyncio.sleep(0.1 * 2**attempt * self._random.random())
        party.tally.counts["failed to attach"] += 1

    async def _tunnel(self, trip: Trip, party: Party) -> None:
        """The connection breaks while a message is on its way; meanwhile the other goes on."""
        self.tally.counts["tunnels"] += 1
        party.post(self.text())
        party.cut()
        peer = trip.customer if party is trip.driver else trip.driver
        for _ in range(2):
            await self._say(peer, self.text())
        await asyncio.sleep(self._random.uniform(*_AWAY_S))
        await self._attach(party)

    async def _hardly_reading(self, trip: Trip, party: Party) -> None:
        """The network stalls: nothing comes through for a while, and nothing breaks."""
        self.tally.counts["stalls"] += 1
        party.pause(True)
        peer = trip.customer if party is trip.driver else trip.driver
        for _ in range(3):
            await self._say(peer, self.text())
        await asyncio.sleep(self._random.uniform(*_AWAY_S))
        party.pause(False)

    async def _reassigned(self, trip: Trip) -> Trip:
        """Another driver takes over while the customer is writing."""
        trip.customer.post(self.text())
        after = await self.trips.reassign_driver(trip)
        old = trip.driver
        await self.parted(old)
        if not trip.customer.is_attached:
            await self._attach(trip.customer)
        if not await until(lambda: trip.customer.then is None, SETTLE_S):
            self.tally.counts["failed to hear of the new driver"] += 1
        trip.customer.before.close()
        old.says.close()
        after.driver.tally = trip.driver.tally
        await self._attach(after.driver)
        return after

    async def _report(self, party: Party) -> None:
        party.send(Report(id="r1", category=Category.ASKED_CONTACT, note="Dia minta nomor saya"))
        if await until(lambda: "r1" in party.reported, SETTLE_S):
            self.tally.counts["reports"] += 1
        else:
            self.tally.counts["failed to report"] += 1
