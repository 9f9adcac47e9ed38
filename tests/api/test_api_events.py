"""The platform's events over HTTP: the oldest first, until they are acknowledged."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import pytest

from relay.store import keys
from relay.store.events import Events
from tests.support.cost import least_ms

if TYPE_CHECKING:
    from conftest import World


async def _listed(world: World, limit: int = 500) -> tuple[list[dict], bool]:
    answer = await world.call("GET", f"/v1/events?limit={limit}")
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert set(body) == {"events", "more"}
    return body["events"], body["more"]


async def _acknowledge(world: World, ids: list[str]) -> int:
    answer = await world.call("POST", "/v1/events/ack", {"ids": ids})
    assert answer.status_code == 200, answer.text
    return answer.json()["acknowledged"]


async def test_an_event_stays_until_it_is_acknowledged(world: World) -> None:
    assert await _listed(world) == ([], False)
    before_ms = int(time.time() * 1000)
    await Events(world.store).emit(
        "channel.closed", subject="trip-1", trip="trip-1", detail="fraud"
    )
    (event,), more = await _listed(world)
    assert not more
    assert event["kind"] == "channel.closed"
    assert event["trip"] == "trip-1"
    assert event["detail"] == "fraud"
    assert before_ms <= event["at"] <= time.time() * 1000 + 5
    assert (await _listed(world))[0] == [event]
    assert await _acknowledge(world, [event["id"]]) == 1
    assert await _acknowledge(world, [event["id"]]) == 0
    assert await _listed(world) == ([], False)


async def test_events_of_all_partitions_come_in_the_order_of_time(world: World) -> None:
    events = Events(world.store)
    for number in range(60):
        # So far apart that the store's clock tells them apart.
        await events.emit("k", subject=f"trip-{number}", n=number)
        await asyncio.sleep(0.002)
    found, more = await _listed(world)
    assert [event["n"] for event in found] == list(range(60))
    assert not more
    few, more = await _listed(world, 7)
    assert [event["n"] for event in few] == list(range(7))
    assert more


@pytest.mark.parametrize("subjects", [1, 3, 900])
async def test_five_thousand_events_are_taken_in_batches(world: World, subjects: int) -> None:
    events, total = Events(world.store), 5000
    shuffled = random.Random(7)
    written: Counter[str] = Counter()
    for _ in range(total // 250):
        wave = [f"trip-{shuffled.randrange(subjects)}" for _ in range(250)]
        numbered = []
        for subject in wave:
            numbered.append((subject, written[subject]))
            written[subject] += 1
        await asyncio.gather(*(events.emit("k", subject=s, s=s, n=n) for s, n in numbered))
    seen: dict[str, list[int]] = {}
    rounds, last_ms = 0, 0
    while True:
        batch, more = await _listed(world)
        if not batch:
            break
        rounds += 1
        for event in batch:
            seen.setdefault(event["s"], []).append(event["n"])
        times = [event["at"] for event in batch]
        assert times == sorted(times)
        assert times[0] >= last_ms
        last_ms = times[-1]
        assert await _acknowledge(world, [event["id"] for event in batch]) == len(batch)
        assert more or len(seen) == len(written)
    assert not more
    # Every one once, and those of one subject in the order in which they happened.
    assert seen == {subject: list(range(n)) for subject, n in written.items()}
    assert rounds <= 40


async def test_what_is_no_event_is_passed_over(world: World) -> None:
    await Events(world.store).emit("k", subject="t")
    ((event,), _) = await _listed(world)
    number, ms, seq = event["id"].split("-")
    wrong = [
        "", "x", "999-1-1", "1--1", f"{number}-{ms}-{int(seq) + 1}", f"{number}-{ms}",
        f"{number}-99999999999999999999999-0", f"{int(number) + 256}-{ms}-{seq}", "٣-1-1",
    ]  # fmt: skip
    assert await _acknowledge(world, wrong) == 0
    assert (await _listed(world))[0] == [event]
    assert await _acknowledge(world, [*wrong, event["id"], event["id"]]) == 1


async def test_only_the_platform_reads_and_acknowledges(world: World) -> None:
    for scope, operator in (("metrics", ""), ("agent", "ayu"), ("supervisor", "sri")):
        key = await world.new_key(scope, operator=operator)
        for method, path, body in (
            ("GET", "/v1/events", None),
            ("POST", "/v1/events/ack", {"ids": []}),
        ):
            assert (await world.call(method, path, body, key=key)).status_code == 403
            assert (await world.call(method, path, body, key="none")).status_code == 401


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "cursor=1", "limit=1&limit=2"]
)
async def test_a_query_that_makes_no_sense_is_refused(world: World, query: str) -> None:
    assert (await world.call("GET", f"/v1/events?{query}")).status_code == 422


@pytest.mark.parametrize("body", [{}, {"ids": "1"}, {"ids": ["1"] * 501}, {"ids": ["x" * 65]}])
async def test_an_acknowledgement_that_makes_no_sense_is_refused(world: World, body: dict) -> None:
    assert (await world.call("POST", "/v1/events/ack", body)).status_code == 422


async def test_the_oldest_are_lost_where_nobody_acknowledges(world: World) -> None:
    events = Events(world.store)
    key = keys.events(keys.partition("t"))
    for _ in range(22):
        await asyncio.gather(*(events.emit("k", subject="t") for _ in range(500)))
    assert 10_000 <= await world.store.pipe.call("XLEN", key) <= 10_200


async def test_a_page_of_many_partitions_answers_soon(world: World, show) -> None:
    events = Events(world.store)
    for start in range(0, 10_000, 500):
        await asyncio.gather(
            *(events.emit("k", subject=f"trip-{n}", n=n) for n in range(start, start + 500))
        )
    batch, more = await _listed(world)
    assert more
    assert len(batch) >= 100
    took_ms = await least_ms(world.store, partial(_listed, world))
    show(f"10,000 events waiting: a page of {len(batch)} in {took_ms:.0f} ms of processor time")
    assert took_ms < 200
