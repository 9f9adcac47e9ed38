"""Conversations that go on while something fails, and the account of them afterwards.

Some trips stay for the whole run: by them one sees when the relay serves again. Others come and go,
one after another: they are opened, reassigned and ended by the platform or by their deadline in the
midst of whatever fails.
"""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Final, Protocol, Self

from ..rig.platform import Platform
from ..rig.waiting import until
from .account import Account, Wrong
from .trips import App, Backend, Fate, Manner, Trip

_LASTS_S: Final = 1.0, 5.0
_BETWEEN_S: Final = 0.05
#: So many calls at a time.
_AT_ONCE: Final = 8


class Node(Protocol):
    """A relay as platform and apps reach it."""

    @property
    def gateway_url(self) -> str: ...
    @property
    def api_url(self) -> str: ...
    @property
    def key(self) -> str: ...


class Traffic:
    """`stay` trips that stay, and `pass_by` at a time that come and go. Their parties sit at nodes
    in turn, the two of a trip at different ones if there are two. `replicated` is whether another
    server may take the store's place. Use as an asynchronous context manager."""

    def __init__(
        self,
        nodes: Sequence[Node],
        stay: int,
        rng: random.Random,
        *,
        pass_by: int = 0,
        replicated: bool = False,
    ) -> None:
        self.account = Account()
        self._nodes, self._rng = nodes, rng
        self._backend = Backend(
            self.account,
            [Platform(node.api_url, node.key) for node in nodes],
            rng,
            replicated=replicated,
        )
        self._numbers = itertools.count(1)
        self._pass_by = pass_by
        self.staying = [self._trip() for _ in range(stay)]
        self._passing: set[Trip] = set()
        self._gone: list[Trip] = []
        self._lanes: list[asyncio.Task[None]] = []
        self._enough = False

    def _trip(self, manner: Manner = Manner.CHATTING) -> Trip:
        number = next(self._numbers)
        # Who is talked to so much sits at the first node.
        shift = 1 if manner is Manner.CHATTERBOX else number % len(self._nodes)
        nodes = [*self._nodes[shift:], *self._nodes[:shift]]
        urls = {"driver": nodes[0].gateway_url, "customer": nodes[-1].gateway_url}
        rng = random.Random(self._rng.random())
        return Trip(number, self.account, self._backend, urls, rng, manner)

    async def __aenter__(self) -> Self:
        await asyncio.gather(*(trip.open() for trip in self.staying))
        for _ in range(self._pass_by):
            self._lanes.append(asyncio.create_task(self._lane()))
        await self.served()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._lanes:
            task.cancel()
        await asyncio.gather(*self._lanes, return_exceptions=True)
        for trip in (*self.staying, *self._passing, *self._gone):
            await trip.leave()
        self._backend.close()

    async def _lane(self) -> None:
        while not self._enough:
            trip = self._trip()
            self._passing.add(trip)
            await trip.live(Fate.drawn(self._rng, _LASTS_S))
            self._passing.discard(trip)
            self._gone.append(trip)
            await asyncio.sleep(_BETWEEN_S)

    def _look(self) -> None:
        for trip in (*self.staying, *self._passing, *self._gone):
            trip.look()
        for lane in self._lanes:
            if lane.done() and not self._enough:
                lane.result()

    def _apps(self) -> list[App]:
        return [app for trip in self.staying for app in trip.apps.values()]

    async def served(self, trips: Sequence[Trip] = (), within_s: float = 30.0) -> float:
        """Wait until each party (of these trips, or of all that stay) has had a post accepted that
        was made from now on, and was shown one; give how long that took. Raises `TimeoutError`."""
        began_s = asyncio.get_running_loop().time()
        apps = [app for trip in trips for app in trip.apps.values()] or self._apps()

        def are_served() -> bool:
            self._look()
            return all(min(app.served_s, app.heard_s) > began_s for app in apps)

        await until(are_served, "everyone's posts are accepted and shown", within_s)
        return asyncio.get_running_loop().time() - began_s

    @asynccontextmanager
    async def also(self, trips: int, manner: Manner) -> AsyncIterator[list[Trip]]:
        """More trips for a time, all of them attached."""
        more = [self._trip(manner) for _ in range(trips)]
        self._passing.update(more)
        opening = asyncio.Semaphore(_AT_ONCE)

        async def open_one(trip: Trip) -> None:
            async with opening:
                await trip.open()

        await asyncio.gather(*(open_one(trip) for trip in more))
        await until(
            lambda: all(app.attached for trip in more for app in trip.apps.values()),
            "all are attached", 60,
        )  # fmt: skip
        try:
            yield more
        finally:
            for trip in more:
                trip.hush()
        await until(
            lambda: all(trip.is_settled for trip in more), "all of it is accepted and shown", 60
        )
        await asyncio.gather(*(trip.end() for trip in more))
        self._passing.difference_update(more)
        self._gone += more

    @contextmanager
    def network_held(self) -> Iterator[None]:
        """While what is given to apps in time may be late."""
        now_s = asyncio.get_running_loop().time
        began_s, held = now_s(), self.account.held
        held.append((began_s, float("inf")))
        try:
            yield
        finally:
            held.remove((began_s, float("inf")))
            held.append((began_s, now_s()))

    async def end(self, within_s: float = 30.0) -> Account:
        """End the conversations, wait for what is still to come, and give the account. All that
        stayed open is ended then, and nothing of what was ever ended may be open."""
        self._enough = True
        for app in self._apps():
            app.is_quiet = True
        await self._settle("the trips that come and go are over", self._lanes_are_over, within_s)
        await self._settle("everything is accepted and shown", self._is_all_settled, within_s)
        # Those that pass by are over, but where something went wrong.
        await asyncio.gather(*(trip.end() for trip in (*self.staying, *self._passing)))
        every = [*self.staying, *self._passing, *self._gone]
        await self._settle("the apps hear that it is over", self._all_are_gone, within_s)
        for trip in every:
            await trip.check_closed()
        return self.account

    def _is_all_settled(self) -> bool:
        self._look()
        return self.account.is_settled()

    def _lanes_are_over(self) -> bool:
        return all(lane.done() for lane in self._lanes)

    def _all_are_gone(self) -> bool:
        self._look()
        trips = (*self.staying, *self._gone)
        return all(app.closed is not None for trip in trips for app in trip.apps.values())

    async def _settle(self, what: str, is_so: Callable[[], Any], within_s: float) -> None:
        try:
            await until(is_so, what, within_s)
        except TimeoutError as error:
            now_s = asyncio.get_running_loop().time()
            self.account.saw(Wrong.STUCK, now_s, str(error))
