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
from .checking import Stream, Violations
from .party import NOT_CONNECTED, Party
from .tally import Tally
from .texts import Text, texts
from .trips import CallFailed, Trip, Trips, each
from .wire import Plan

#: Texts that are made before the load begins.
_AHEAD: Final = 20_000
#: How long nothing of what is under way may come at the end.
SETTLE_S: Final = 15.0
#: How long after the end of its trip was answered a party may still be attached. A second is what
#: is promised; a load that fills the machine may see it later.
_CUT_S: Final = 5.0
#: How long it is waited for what is under way as long as anything still comes.
_SETTLE_MOST_S: Final = 40.0
_LOOK_S: Final = 0.02
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
        #: All that it needs was there.
        self.has_begun = False
        #: Parties that it has attached.
        self.attached = 0
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
                f"{self.attached:,} had been attached by this load process; "
                + _ADVICE.get(party.close_code, "its log and metrics say why")
            )
        self.attached += 1

    async def everything_arrived(self, trips: Sequence[Trip]) -> None:
        """Wait until nothing is under way, and count what never arrived.

        Who was sent away comes back meanwhile, and is given what it missed. A relay that was sent
        more than it carries is at it for a while: it is waited for as long as anything comes.
        """
        parties = [party for trip in trips for party in trip.parties]
        owed = sum(party.says.owed for party in parties)
        since_s = now_s = time.monotonic()
        end_s = now_s + _SETTLE_MOST_S
        while owed and now_s < min(end_s, since_s + SETTLE_S):
            # A relay that is stuck lets each wait; all together wait no longer than for anything.
            with suppress(TimeoutError):
                async with asyncio.timeout(min(end_s, since_s + SETTLE_S) - now_s):
                    away = [party for party in parties if not party.is_attached]
                    await each(away, self._come_back)
            await asyncio.sleep(_LOOK_S)
            now_s, before = time.monotonic(), owed
            owed = sum(party.says.owed for party in parties)
            if owed != before:
                since_s = now_s
        is_at_it = now_s < since_s + SETTLE_S
        for trip in trips:
            for party, peer in (trip.parties, trip.parties[::-1]):
                self._given_up(party.says, peer, is_at_it=is_at_it)

    def _given_up(self, stream: Stream, hearer: Party, *, is_at_it: bool) -> None:
        """Count what a stream still owes its hearer. It is lost only if it might have come."""
        unanswered = stream.unanswered()
        self.tally.counts["unanswered"] += len(unanswered)
        for name in unanswered:
            del stream.under_way[name]
        if not hearer.is_attached:
            self.tally.counts["failed to come back"] += 1
            stream.under_way.clear()
        elif is_at_it:
            self.tally.counts["failed to arrive in time"] += stream.owed
            stream.under_way.clear()
        stream.close()

    async def _come_back(self, party: Party) -> None:
        with suppress(*NOT_CONNECTED):
            await party.come_back()

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
        except NOT_CONNECTED:
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
        await asyncio.sleep(_LOOK_S)
    return True
