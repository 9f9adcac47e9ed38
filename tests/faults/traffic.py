"""Conversations that go on while something fails, and the account of them afterwards."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any, Self

from relay.client import Channel, Message, connect
from relay.rig.waiting import until
from tests.support.relay import RelayProcess
from tests.support.texts import chat, numbered

_PAUSE_S = 0.02, 0.1


class Side:
    """A party that posts numbered texts and keeps what it is given."""

    def __init__(self, trip: str, name: str, url: str, token: str) -> None:
        self.trip, self.name = trip, name
        self._url, self._token = url, token
        self.posted: list[str] = []
        self.accepted = 0
        self.given: list[str] = []
        #: When each of them was posted, and each of those was given.
        self.posted_at_s: list[float] = []
        self.given_at_s: list[float] = []
        #: When the newest post that is accepted was posted.
        self.served_s = 0.0
        self._settling: set[asyncio.Task[None]] = set()

    async def talk(self, rng: random.Random, enough: asyncio.Event, done: asyncio.Event) -> None:
        async with connect(self._url, self._token) as channel:
            listening = asyncio.create_task(self._listen(channel))
            loop = asyncio.get_running_loop()
            while not enough.is_set():
                number = len(self.posted)
                # Of a very long talk with many figures the guard takes these out.
                text = f"{self.name} {chat(number) if number < 100 else numbered(number)}"
                self.posted_at_s.append(loop.time())
                delivery = await channel.post(text)
                self.posted.append(text)
                task = loop.create_task(self._settle(delivery, loop.time()))
                self._settling.add(task)
                task.add_done_callback(self._settling.discard)
                await asyncio.sleep(rng.uniform(*_PAUSE_S))
            await asyncio.gather(*self._settling)
            await done.wait()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _settle(self, delivery: Any, posted_s: float) -> None:
        await delivery.accepted()
        self.accepted += 1
        self.served_s = max(self.served_s, posted_s)

    async def _listen(self, channel: Channel) -> None:
        async for event in channel:
            if isinstance(event, Message):
                self.given.append(event.text)
                self.given_at_s.append(asyncio.get_running_loop().time())


class Traffic:
    """Trips whose parties sit at nodes in turn, the two of a trip at different ones if there are two.
    Use as an asynchronous context manager."""

    def __init__(self, nodes: Sequence[RelayProcess], trips: int, rng: random.Random) -> None:
        self._nodes, self._trips, self._rng = nodes, trips, rng
        self.sides: list[tuple[Side, Side]] = []
        self._enough, self._done = asyncio.Event(), asyncio.Event()
        self._talking: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        for number in range(self._trips):
            trip = f"talk-{numbered(number)}"
            tokens = await self._nodes[0].open_trip(
                trip, driver={"party_id": f"d{number}", "phone": "+6281234567890", "alias": "Budi"}
            )
            driver, customer = (
                Side(trip, f"{role} {numbered(number)}", node.gateway_url, tokens[role])
                for role, node in zip(
                    ("driver", "customer"), (self._nodes[0], self._nodes[-1]), strict=True
                )
            )
            self.sides.append((driver, customer))
        self._talking = [
            asyncio.create_task(side.talk(self._rng, self._enough, self._done))
            for pair in self.sides
            for side in pair
        ]
        await self.served()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._talking:
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)

    def _all(self) -> list[Side]:
        return [side for pair in self.sides for side in pair]

    def _look(self) -> None:
        for task in self._talking:
            if task.done():
                task.result()

    async def served(self, trips: Sequence[str] = (), within_s: float = 30.0) -> float:
        """Wait until each side (of these trips, or of all) has had a post accepted that it posts from
        now on; give how long that took."""
        began_s = asyncio.get_running_loop().time()
        wanted = [side for side in self._all() if not trips or side.trip in trips]

        def are_served() -> bool:
            self._look()
            return all(side.served_s > began_s for side in wanted)

        await until(are_served, "everyone's posts are accepted", within_s)
        return asyncio.get_running_loop().time() - began_s

    async def account(self, within_s: float = 30.0) -> dict[str, int]:
        """End the conversations and see that all was given once, in order, to the right side."""
        self._enough.set()

        def all_given() -> bool:
            self._look()
            return all(
                one.accepted == len(one.posted) and len(other.given) >= len(one.posted)
                for pair in self.sides
                for one, other in (pair, pair[::-1])
            )

        try:
            await until(all_given, "everything is accepted and given", within_s)
        except TimeoutError as error:
            raise AssertionError(f"{error}: {self._sum()}") from None
        self._done.set()
        await asyncio.gather(*self._talking)
        for pair in self.sides:
            for one, other in (pair, pair[::-1]):
                assert one.given == other.posted, _where_they_part(one.given, other.posted)
        return self._sum()

    def delays_s(self, times_s: Sequence[tuple[float, float]]) -> list[float]:
        """How long each message took that was posted in one of these times, the shortest first. To
        be asked after the account, when the n-th that was posted is the n-th that was given."""
        return sorted(
            given_s - posted_s
            for pair in self.sides
            for one, other in (pair, pair[::-1])
            for posted_s, given_s in zip(one.posted_at_s, other.given_at_s, strict=True)
            if any(since_s <= posted_s < until_s for since_s, until_s in times_s)
        )

    def _sum(self) -> dict[str, int]:
        lost = doubled = 0
        for pair in self.sides:
            for one, other in (pair, pair[::-1]):
                given = Counter(other.given)
                lost += sum(text not in given for text in one.posted)
                doubled += sum(count - 1 for count in given.values())
        every = self._all()
        return {
            "posted": sum(len(side.posted) for side in every),
            "accepted": sum(side.accepted for side in every),
            "given": sum(len(side.given) for side in every),
            "lost": lost,
            "doubled": doubled,
        }


def _where_they_part(given: list[str], posted: list[str]) -> str:
    """The first difference, for people."""
    at = next(
        (n for n, (one, other) in enumerate(zip(given, posted, strict=False)) if one != other),
        min(len(given), len(posted)),
    )
    return f"number {at}: given {given[at : at + 6]}, posted {posted[at : at + 6]}"
