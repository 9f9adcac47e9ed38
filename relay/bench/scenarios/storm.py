"""Connect storm: every app comes back at once, as after a node or a mobile network was away.

Each connection attaches with what it has and is given what it missed; then it drops, and the next
one comes.
"""

from __future__ import annotations

import asyncio
import time

from ..checking import Sent
from ..load import SETTLE_S, Load, until
from ..party import NOT_CONNECTED, Party
from ..texts import Text


class Storm(Load):
    """`connections` apps, `at_once` of them on their way; each has missed `missed` messages."""

    async def prepare(self) -> None:
        trips = await self.open_attached(self.plan.share(self.option("connections") // 2))
        self.told("posting what they miss", 0.0)
        #: What each party is to be given, the last one it has first.
        self._owed: dict[Party, list[tuple[str, Sent]]] = {}
        for trip in trips:
            for party, peer in (trip.parties, trip.parties[::-1]):
                texts = [self._plain() for _ in range(1 + self.option("missed"))]
                names = [peer.post(text) for text in texts]
                self._owed[party] = [(name, peer.says.under_way[name]) for name in names]
        await until(
            lambda: not any(party.says.owed or party.hears.owed for party in self._owed), SETTLE_S
        )
        self.hang_up(self._owed)

    def _plain(self) -> Text:
        """A message that the guard leaves as it is, whatever it heard before."""
        while any(map(str.isdigit, (text := self.text()).text)) or text.number:
            pass
        return text

    async def run(self) -> None:
        parties = list(self._owed)
        at_once = max(1, min(self.plan.share(self.option("at_once")), len(parties)))
        async with asyncio.TaskGroup() as group:
            for first in range(at_once):
                group.create_task(self._again_and_again(parties[first::at_once]))

    async def _again_and_again(self, parties: list[Party]) -> None:
        while not self.stop.is_set():
            for party in parties:
                if self.stop.is_set():
                    return
                (_, last), *missed = self._owed[party]
                began_s = time.monotonic()
                party.hears = party.hears.replayed(missed, began_s)
                try:
                    attached = await party.connect(last.accepted_pos)
                except NOT_CONNECTED:
                    attached = False
                if attached:
                    self.tally.times["attach"].add(time.monotonic() - began_s)
                    party.hears.close()
                else:
                    self.tally.counts["failed to attach"] += 1
                party.cut()

    async def settle(self) -> None:
        self.hang_up(self._owed)
