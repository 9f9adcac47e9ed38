"""Events that nobody fetches do not stay for ever."""

from __future__ import annotations

import time

from relay.store import keys
from relay.store.events import Events
from relay.store.scripts import EVENTS_S
from relay.store.store import Store


async def test_an_event_that_is_not_fetched_is_gone_after_a_month(store: Store) -> None:
    events = Events(store)
    await events.emit("audit.checkpoint", subject="audit", n=1)
    number = keys.partition("audit")
    now_ms = int(time.time() * 1000)
    ((member, due),) = [(name, at) for name, at in await _due(store, number)]
    assert member == b"events:" and abs(due - (now_ms + EVENTS_S * 1000)) < 60_000

    # Two that came long ago, the later of them not a month ago yet, and it is time to look.
    await store.pipe.call("DEL", keys.events(number))
    for age_s in (EVENTS_S + 60, EVENTS_S - 60):
        at = f"{now_ms - age_s * 1000}-0"
        await store.pipe.call("XADD", keys.events(number), at, "e", '{"kind":"watch.alarm"}')
    await store.pipe.call("ZADD", keys.due(number), now_ms - 1, "events:")
    await store.sweep(number, 10)
    page = await events.waiting(10)
    assert len(page.events) == 1
    ((member, due),) = await _due(store, number)
    assert member == b"events:" and abs(due - (now_ms + 60_000)) < 10_000


async def _due(store: Store, number: int) -> list[tuple[bytes, int]]:
    flat = await store.pipe.call("ZRANGE", keys.due(number), 0, -1, "WITHSCORES")
    return [(name, int(at)) for name, at in zip(flat[::2], flat[1::2], strict=True)]
