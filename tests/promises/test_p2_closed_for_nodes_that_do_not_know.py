"""P2, where a node was frozen, or has not heard: what was closed stays closed for it too."""

from __future__ import annotations

import asyncio

import msgpack

from relay.rig.process import frozen
from relay.rig.waiting import until
from relay.store import keys
from tests.support.party import Party
from tests.support.relay import RelayProcess

#: Longer than a node trusts what it knew.
FROZEN_S = 2.5


async def test_a_node_that_was_frozen_sends_nothing_of_a_closed_trip(
    two_nodes: tuple[RelayProcess, RelayProcess],
) -> None:
    """What was accepted before the close, but lay in the frozen node's buffers, stays there."""
    one, other = two_nodes
    for number in range(3):
        trip = f"frozen-{number}"
        tokens = await one.open_trip(trip)
        driver = await Party.attach(one.gateway_url, tokens["driver"])
        customer = await Party.attach(other.gateway_url, tokens["customer"])
        await driver.hear("presence", online=True)
        await driver.accepted("before")
        await customer.hear("message", text="before")
        (worker,) = other.workers()
        async with frozen(worker, FROZEN_S):
            await driver.accepted("while you were frozen")
            assert (await one.end_trip(trip))["state"] == "closed"
            closed = await driver.hear("closed", reason="ended")
            assert len(closed["undelivered"]) >= 1
        assert await customer.closed() == 4500
        assert customer.texts() == ["before"]


async def test_a_frozen_node_delivers_what_is_still_open_when_it_wakes(
    two_nodes: tuple[RelayProcess, RelayProcess],
) -> None:
    one, other = two_nodes
    tokens = await one.open_trip("thaw")
    driver = await Party.attach(one.gateway_url, tokens["driver"])
    customer = await Party.attach(other.gateway_url, tokens["customer"])
    await driver.hear("presence", online=True)
    (worker,) = other.workers()
    async with frozen(worker, FROZEN_S):
        await driver.accepted("one")
        await driver.accepted("two")
    await customer.hear("message", text="two")
    assert customer.texts() == ["one", "two"]


async def test_a_reader_that_has_not_heard_of_a_sooner_deadline_shows_nothing_from_after_it(
    two_nodes: tuple[RelayProcess, RelayProcess],
) -> None:
    """No news of the deadline, no sweep yet, and the peer's node reads the log for another reason."""
    one, other = two_nodes
    for number in range(3):
        trip = f"sooner-{number}"
        tokens = await one.open_trip(trip)
        driver = await Party.attach(one.gateway_url, tokens["driver"])
        customer = await Party.attach(other.gateway_url, tokens["customer"])
        await driver.accepted("before")
        await customer.hear("message", text="before")
        log = f"{keys.tag(keys.partition(trip))}:log:{trip}:1"
        async with one.redis() as redis:

            async def pages_read() -> int:
                stats = await redis.info("commandstats")
                return int(stats["cmdstat_xrange"]["calls"])

            seconds, micros = await redis.time()
            deadline = seconds * 1000 + micros // 1000 + 100
            await redis.hset(keys.trip(trip), "deadline", deadline)
            await asyncio.sleep(0.15)
            for late in ("after", "long after"):
                post_id = await driver.post(late)
                assert (await driver.hear("refused", id=post_id))["code"] == "closed"
            *_, (entry_id, fields) = await redis.xrange(log)
            assert fields[b"i"].decode() == post_id, "it is in no log: nothing is tried here"
            seat = (await redis.hget(keys.trip(trip), "c.seat")).decode()
            # A hint that leaves one out, so that the node reads the log.
            hint = ["post", trip, 1, await redis.xlen(log), entry_id, "d", post_id, fields[b"d"]]
            reads = await pages_read()
            inbox = keys.inbox(seat.partition(" ")[0])
            assert await redis.execute_command("SPUBLISH", inbox, msgpack.packb([hint])) == 1

            async def is_read(before: int = reads) -> bool:
                return await pages_read() > before

            await until(is_read, "the log is read")
        await customer.say("ping")
        await customer.hear("pong")
        await one.end_trip(trip)
        assert await customer.closed() == 4500
        assert customer.texts() == ["before"]


async def test_a_close_is_final(relay: RelayProcess) -> None:
    """Neither a late nor a repeated open brings a closed trip back, nor one its end overtook."""
    await relay.open_trip("final")
    await relay.end_trip("final")
    for trip in ("final", "overtaken"):
        if trip == "overtaken":
            assert (await relay.end_trip(trip))["state"] == "closed"
        answer = await relay.open(trip)
        assert answer.status_code == 409
        assert answer.json()["code"] == "closed"
        assert (await relay.end_trip(trip))["state"] == "closed"
