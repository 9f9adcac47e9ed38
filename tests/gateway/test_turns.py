"""More posts at once than a tick can take: they wait, and nobody is cut off."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

import relay as relay_package
from relay.bench.target import RAISED
from relay.gateway.connection import Connection
from relay.gateway.counts import Counts
from relay.gateway.turns import TICK_S, Turns
from tests.support.party import Party
from tests.support.relay import RelayProcess

TRIPS, POSTS = 60, 4

#: 480 posts of 10 ms each are five seconds, if one tick takes them all.
SLOW = """
import time
import relay.gateway.posting

pack = relay.gateway.posting.pack_body

def slow(body):
    end = time.monotonic() + 0.01
    while time.monotonic() < end:
        pass
    return pack(body)

relay.gateway.posting.pack_body = slow
"""


async def test_a_moment_in_which_all_post_holds_up_nobody_else_and_cuts_nobody_off(
    tmp_path: Path,
) -> None:
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
            await party.accepted("halo")  # from here on the guard knows what was said before
        for party in parties:
            for _ in range(POSTS):
                await party.post("sudah di lobby")
        began_s = time.monotonic()
        assert (await relay.call("GET", "/v1/trips/moment-0")).status_code == 200
        between_s = time.monotonic() - began_s
        for party in parties:
            await until_accepted(party)
        all_s = time.monotonic() - began_s
        print(f"a call was answered after {between_s:.2f} s, all posts after {all_s:.2f} s")
        assert between_s < all_s / 2
        assert {party.close_code for party in parties} == {None}
        assert not Counter(frame["op"] for party in parties for frame in party.heard)["refused"]
        assert "store_lost" not in relay.log.read_text()


async def until_accepted(party: Party) -> None:
    while len(party.all("accepted")) <= POSTS:
        await party.hear("accepted", 60)


class App:
    """As much of a connection as turns are told of; `step` is what it does with a message."""

    def __init__(self, step: Callable[[App, bytes], None]) -> None:
        self.act_on = partial(step, self)
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
FRAMES = st.lists(st.sampled_from([0, 1, 20, 20, 70]), min_size=1, max_size=12)
EVENTS = st.lists(
    st.tuples(FRAMES, st.integers(0, 1))
    | st.just("tick")
    | st.tuples(st.just("ends"), st.integers(0, 1)),
    max_size=20,
)


@given(EVENTS)
def test_each_frame_is_taken_once_in_order_and_no_tick_goes_on(events: list[Any]) -> None:
    now_s, loop = 0.0, Ticks()
    taken: list[tuple[App, int]] = []
    came: list[tuple[App, int]] = []
    begun_s: list[float] = [0.0]

    def step(app: App, message: bytes) -> None:
        nonlocal now_s
        number, lasts_ms = map(int, message.split())
        assert not app.closed
        assert now_s - begun_s[0] <= TICK_S + 1e-9
        taken.append((app, number))
        now_s += lasts_ms / 1000
        if lasts_ms == 70 and app is apps[0]:
            raise RuntimeError("it cannot be taken")

    apps = [App(step) for _ in range(2)]
    counts = Counts()
    turns = Turns(cast(asyncio.AbstractEventLoop, loop), counts, lambda: now_s)

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
        for lasts_ms in what if app.reads else ():  # what came in one piece
            if app.closed:
                break
            came.append((app, len(came)))
            try:
                turns.take(cast(Connection, app), b"%d %d" % (len(came) - 1, lasts_ms))
            except RuntimeError:
                app.abort()  # as picows does it
            assert app.closed or app.reads is not bool(app.waiting)
    while loop.soon:
        tick()
    assert sum(app.waiting for app in apps) == 0
    assert counts.deferred <= len(came)
    assert taken == [one for one in came if one in set(taken)]
    assert len(taken) == len(set(taken))
    left = {app for app, _ in set(came) - set(taken)}
    assert all(app.closed for app in left)
    assert all(app.reads or app.closed for app in apps)
