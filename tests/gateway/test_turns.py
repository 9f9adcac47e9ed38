"""More posts at once than a tick can take: they wait, and nobody is cut off."""

from __future__ import annotations

import asyncio
import os
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

import relay as relay_package
from relay.bench.target import RAISED
from relay.gateway.connection import Connection
from relay.gateway.counts import Counts
from relay.gateway.turns import MOST_WAITING, TICK_S, Turns
from tests.support.party import Party
from tests.support.relay import RelayProcess

TRIPS, POSTS = 60, 4

#: 480 posts of 10 ms each: what is answered in the tick that takes them all would be seconds late.
SLOW = """
import time
import relay.guard.guard

judge = relay.guard.guard.Guard.judge

def slow(*args):
    end = time.monotonic() + 0.01
    while time.monotonic() < end:
        pass
    return judge(*args)

relay.guard.guard.Guard.judge = slow
"""


async def test_a_moment_in_which_all_post_cuts_nobody_off(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(SLOW)
    path = os.pathsep.join([str(tmp_path), str(Path(relay_package.__file__).parents[1])])
    async with RelayProcess(tmp_path, environment={"PYTHONPATH": path}, **RAISED) as relay:
        opened = [await relay.open_trip(f"moment-{number}") for number in range(TRIPS)]
        parties = [
            await Party.attach(relay.gateway_url, tokens[role])
            for tokens in opened
            for role in ("driver", "customer")
        ]
        for party in parties:
            await party.say("ping")
            for _ in range(POSTS):
                await party.post("sudah di lobby lantai 3")
        for party in parties:
            await until_accepted(party)
        assert {party.close_code for party in parties} == {None}
        assert not Counter(frame["op"] for party in parties for frame in party.heard)["refused"]
        assert "store_lost" not in relay.log.read_text()


async def until_accepted(party: Party) -> None:
    while len(party.all("accepted")) < POSTS:
        await party.hear("accepted", 60)


class App:
    """As much of a connection as turns are told of."""

    def __init__(self) -> None:
        self.waiting = 0
        self.closed = self.aborted = False
        self.reads = True

    def stop_reading(self) -> None:
        assert self.reads
        self.reads = False

    def read_on(self) -> None:
        assert not self.reads
        self.reads = True

    def abort(self) -> None:
        self.closed = self.aborted = True


class Ticks:
    """An event loop whose ticks are made by hand."""

    def __init__(self) -> None:
        self.soon: deque[Callable[[], None]] = deque()

    def call_soon(self, callback: Callable[[], None]) -> None:
        self.soon.append(callback)

    def tick(self) -> None:
        for _ in range(len(self.soon)):
            self.soon.popleft()()


#: What comes: an app's frames with how many ms each takes, the end of a tick, or of an app.
FRAMES = st.lists(st.sampled_from([0, 1, 9, 9, 30]), min_size=1, max_size=12)
EVENTS = st.lists(
    st.tuples(FRAMES, st.integers(0, 1))
    | st.just("tick")
    | st.tuples(st.just("ends"), st.integers(0, 1)),
    max_size=20,
)


@given(EVENTS)
def test_each_frame_is_taken_once_in_order_and_no_tick_goes_on(events: list[Any]) -> None:
    now_s, loop, apps = 0.0, Ticks(), [App() for _ in range(2)]
    taken: list[tuple[App, int]] = []
    came: list[tuple[App, int]] = []
    begun_s: list[float] = [0.0]

    def step(connection: Connection, frame: tuple[int, int]) -> None:
        nonlocal now_s
        app = cast(App, connection)
        assert not app.closed
        assert now_s - begun_s[0] <= TICK_S + 1e-9
        taken.append((app, frame[0]))
        now_s += frame[1] / 1000
        if frame[1] == 30 and app is apps[0]:
            raise RuntimeError("it cannot be taken")

    counts = Counts()
    turns = Turns(cast(asyncio.AbstractEventLoop, loop), counts, step, lambda: now_s)

    def tick() -> None:
        begun_s[0] = now_s
        with capture_logs():  # of a frame that cannot be taken
            loop.tick()
        begun_s[0] = now_s

    for event in events:
        if event == "tick":
            tick()
            continue
        what, number = event
        app = apps[number]
        if what == "ends":
            app.closed = True
            continue
        for lasts_ms in what:
            if app.closed or not app.reads:
                break
            came.append((app, len(came)))
            try:
                turns.take(cast(Connection, app), (len(came) - 1, lasts_ms))
            except RuntimeError:
                app.abort()  # as picows does it
            assert app.waiting <= MOST_WAITING
    while loop.soon:
        tick()
    assert sum(app.waiting for app in apps) == 0
    assert counts.deferred <= len(came)
    assert taken == [one for one in came if one in set(taken)]
    assert len(taken) == len(set(taken))
    left = {app for app, _ in set(came) - set(taken)}
    assert all(app.closed for app in left)
    assert all(app.reads or app.closed for app in apps)
