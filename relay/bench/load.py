"""What every scenario has: a plan, an API, a tally, texts, and how it begins and ends."""

from __future__ import annotations

import asyncio
import itertools
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Final

from ..core.codes import CloseCode
from .checking import Violations
from .party import Party
from .tally import Tally
from .texts import Text, texts
from .trips import CallFailed, Trip, Trips, each
from .wire import Plan

#: Texts that are made before the load begins.
_AHEAD: Final = 20_000
#: How long what is under way may take at the end.
SETTLE_S: Final = 15.0
#: How long after the end of its trip was answered a party may still be attached. A second is what
#: is promised; a load that fills the machine may see it later.
_CUT_S: Final = 5.0
OPENING: Final = "opening trips"
#: What to do where an app is sent away that the load cannot do without.
_ADVICE: Final[dict[int, str]] = {
    CloseCode.TOO_MANY: "it takes no more, or not so fast: `relay_turned_away_total` of its "
    "metrics names the limit, deploy/LOADTEST.md those that a load needs raised; each worker also "
    "needs an open file for every app (`ulimit -n`)",
    CloseCode.DRAINING: "it is about to stop",
    CloseCode.STORE_AWAY: "its store does not answer",
}


class Load(ABC):
    """One scenario in one load process: `prepare`, then `run` from the start signal until `stop` is
    set or there is nothing left to do, then `settle`."""

    def __init__(self, plan: Plan, told: Callable[[str, float], None]) -> None:
        self.plan = plan
        self.tally = Tally()
        self.violations = Violations()
        self.trips = Trips(plan, self.tally, self.violations)
        self.stop = asyncio.Event()
        self._attached = 0
        #: Tells what it does that takes time, and how far it is with that, from 0 to 1.
        self.told = told
        source = texts(int(plan.run, 16), plan.part, plan.parts)
        self._texts: Iterator[Text] = itertools.chain(
            list(itertools.islice(source, self.texts_ahead)), source
        )

    @property
    def texts_ahead(self) -> int:
        return _AHEAD

    def take(self) -> tuple[dict[str, int], dict[str, dict[int, int]]]:
        """What was counted and timed since it was taken last."""
        return self.tally.take()

    def option(self, name: str) -> int:
        return int(self.plan.options[name])

    def text(self) -> Text:
        """The next message; nobody in this run has posted it before."""
        return next(self._texts)

    @abstractmethod
    async def prepare(self) -> None:
        """Open what the load needs."""

    @abstractmethod
    async def run(self) -> None:
        """The load itself."""

    @abstractmethod
    async def settle(self) -> None:
        """Wait for what is under way, and see that all of it came."""

    async def open_attached(self, count: int) -> list[Trip]:
        """Open trips and attach both parties of each."""
        opened: list[Trip] = []

        async def one(_: int) -> None:
            trip = await self.trips.open()
            for party in trip.parties:
                await self.attach(party)
            opened.append(trip)
            self.told(OPENING, len(opened) / count)

        await each(range(count), one)
        return opened

    async def attach(self, party: Party) -> None:
        """Attach a party that the load cannot do without. Raises `CallFailed`."""
        if not await party.connect():
            raise CallFailed(
                f"the gateway sent an app away with close code {party.close_code}, when "
                f"{self._attached:,} had been attached by this load process; "
                + _ADVICE.get(party.close_code, "its log and metrics say why")
            )
        self._attached += 1

    async def everything_arrived(self, trips: Sequence[Trip]) -> None:
        """Wait until nothing is under way, and count what never arrived."""
        await each(
            (p for trip in trips for p in trip.parties if not p.is_attached), self._come_back
        )
        streams = [party.says for trip in trips for party in trip.parties]
        await until(lambda: not any(stream.owed for stream in streams), SETTLE_S)
        for stream in streams:
            for name in stream.unanswered():
                self.tally.counts["unanswered"] += 1
                del stream.under_way[name]
            stream.close()

    async def _come_back(self, party: Party) -> None:
        """An app that was sent away meanwhile is given what it missed once it is back."""
        with suppress(OSError, TimeoutError):
            await party.connect()
        if not party.is_attached:
            self.tally.counts["failed to come back"] += 1

    async def ended(self, trip: Trip) -> None:
        """After the end of a trip was answered: nothing more is accepted, both are sent away, and
        what was accepted has arrived or is told as undelivered."""
        answered_s = time.monotonic()
        for party in trip.parties:
            if party.is_attached:
                party.post(self.text())
        for party in trip.parties:
            await self.parted(party)
        self.tally.times["cut"].add(time.monotonic() - answered_s)
        # Not before both are gone: what one posted may still be on its way to the other.
        for party in trip.parties:
            party.says.close()

    async def parted(self, party: Party) -> None:
        """A party that has no place in its channel any more is sent away, and told what of its
        messages did not arrive."""
        if not await party.gone(_CUT_S):
            self.violations.add("uncut", party.name)
            party.cut()
        if party.closed is None:
            await self._told_the_end(party)

    async def _told_the_end(self, party: Party) -> None:
        """An app that was away asks after the end what became of its messages."""
        try:
            await party.connect()
            await party.gone(_CUT_S)
        except (OSError, TimeoutError):
            pass
        if party.closed is None:
            self.tally.counts["failed to hear the end"] += 1
            party.says.under_way.clear()
        party.cut()

    def hang_up(self, parties: Iterable[Party]) -> None:
        for party in parties:
            party.cut()


async def until(is_so: Callable[[], bool], within_s: float) -> bool:
    """Wait until something is so; False if it is not within that time."""
    end_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > end_s:
            return False
        await asyncio.sleep(0.02)
    return True
