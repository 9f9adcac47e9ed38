"""A party that is stopped in its channel: muted, or barred altogether."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from relay.core.bars import Bars
from relay.core.ids import Role
from relay.rig.texts import numbered
from relay.rig.waiting import until
from relay.store import keys
from relay.store.log_writer import LogWriter
from relay.store.oversight import Oversight
from relay.store.records import time_ms
from relay.store.store import Store
from tests.support.party import JSON, MSGPACK, Party
from tests.support.relay import RelayProcess

HOUR_MS = 3_600_000


@asynccontextmanager
async def oversight_of(relay: RelayProcess) -> AsyncIterator[Oversight]:
    async with relay.store() as store:
        yield Oversight(store)


def in_an_hour() -> int:
    return int(time.time() * 1000) + HOUR_MS


@pytest.mark.parametrize("protocol", [MSGPACK, JSON])
async def test_who_is_muted_writes_quick_replies_only(relay: RelayProcess, protocol: str) -> None:
    tokens = await relay.open_trip(f"mute-{protocol[-4:]}")
    driver = await Party.attach(relay.gateway_url, tokens["driver"], protocol)
    customer = await Party.attach(relay.gateway_url, tokens["customer"], protocol)
    async with oversight_of(relay) as oversight:
        trip = driver.attached["trip"]
        outcome = await oversight.bar(trip, Role.DRIVER, "drv-1", "text", in_an_hour(), source="s1")
        assert outcome == "ok"
        name = await driver.post(numbered(1))
        refused = await driver.hear("refused", id=name)
        assert refused["code"] == "muted" and "retry_after_ms" not in refused
        await driver.say("post", id="place", kind="location", lat=-6.2, lon=106.8, epoch=1)
        assert (await driver.hear("refused", id="place"))["code"] == "muted"
        # Sent again it is not there either, and that is final: no app need ask for hours.
        await driver.say("post", id=name, text=numbered(1), again=True, epoch=1)
        refused = await driver.hear("refused", id=name)
        assert refused["code"] == "muted" and "retry_after_ms" not in refused
        await driver.say("post", id="quick", kind="quick", key="arrived", epoch=1)
        await driver.hear("accepted", id="quick")
        await customer.accepted(numbered(2))
        # Another connection of the same party is no way round it.
        again = await Party.attach(relay.gateway_url, tokens["driver"], protocol)
        assert (await again.hear("refused", id=await again.post(numbered(3))))["code"] == "muted"
        assert await oversight.bar(trip, Role.DRIVER, "drv-1", "text", 0, source="s1") == "ok"
        await until(lambda: _can_post(again), "the mute is lifted")
        await customer.hear("message", kind="text")
        assert not any(numbered(n) in customer.texts() for n in (1, 3))


async def test_a_mute_is_over_when_its_time_is(relay: RelayProcess) -> None:
    """Nobody lifts it: in the channel that is open all the while the party writes again."""
    tokens = await relay.open_trip("lapses")
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    customer = await Party.attach(relay.gateway_url, tokens["customer"])
    async with relay.store() as store:
        seconds, micros = await store.pipe.call("TIME")
        ends_ms = int(seconds) * 1000 + int(micros) // 1000 + 1500
        oversight = Oversight(store)
        assert await oversight.bar("lapses", Role.DRIVER, "drv-1", "text", ends_ms, source="s") == (
            "ok"
        )
        name = await driver.post(numbered(1))
        assert (await driver.hear("refused", id=name))["code"] == "muted"
        await until(lambda: _can_post(driver), "the mute is over", 5)
        accepted = driver.all("accepted")[0]
        assert accepted["at"] >= ends_ms
        await customer.hear("message", id=accepted["id"])
        assert numbered(1) not in customer.texts()


async def _can_post(party: Party) -> bool:
    name = await party.post(numbered(9))
    await until(partial(answered, party, name), "the post is answered")
    return name in {frame["id"] for frame in party.all("accepted")}


async def test_who_is_barred_sees_a_closed_channel_and_the_peer_stays(relay: RelayProcess) -> None:
    tokens = await relay.open_trip("barred")
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    customer = await Party.attach(relay.gateway_url, tokens["customer"])
    async with oversight_of(relay) as oversight:
        assert (
            await oversight.bar("barred", Role.DRIVER, "drv-1", "all", in_an_hour(), source="s1")
            == "ok"
        )
    assert (await driver.hear("closed", within_s=1))["reason"] == "closed"
    assert await driver.closed(within_s=3) == 4500
    await customer.hear("presence", online=False)
    await customer.accepted(numbered(1))
    late = await Party.connect(relay.gateway_url)
    await late.say("attach", token=tokens["driver"])
    assert (await late.hear("closed"))["reason"] == "closed"
    assert await late.closed() == 4500


def answered(party: Party, name: str) -> bool:
    return any(
        frame["id"] == name for frame in party.heard if frame["op"] in ("accepted", "refused")
    )


async def test_a_post_on_its_way_when_the_bar_comes_is_refused_or_was_before_it(
    two_nodes: tuple[RelayProcess, RelayProcess],
) -> None:
    """The sender's node hears of the bar from the store's own answer: whatever is accepted came
    before the bar in the log, and what came after it reaches nobody, over either node."""
    here, there = two_nodes
    async with oversight_of(here) as oversight:
        for round_number in range(20):
            trip = f"race-{round_number}"
            tokens = await here.open_trip(trip)
            driver = await Party.attach(here.gateway_url, tokens["driver"])
            customer = await Party.attach(there.gateway_url, tokens["customer"])
            names = [await driver.post(numbered(n)) for n in range(round_number % 5)]
            barring = asyncio.create_task(
                oversight.bar(trip, Role.DRIVER, "drv-1", "text", in_an_hour(), source="s1")
            )
            names += [await driver.post(numbered(n)) for n in range(20, 40)]
            assert await barring == "ok"
            for name in names:
                await until(partial(answered, driver, name), "each post is answered")
            accepted = [frame["id"] for frame in driver.all("accepted")]
            assert accepted == names[: len(accepted)], "nothing is accepted after a refusal"
            if accepted:
                await customer.hear("message", id=accepted[-1])
            again = await Party.attach(there.gateway_url, tokens["customer"])
            assert [f["id"] for f in again.all("message")] == accepted
            await again.drop()
            await driver.drop()


async def test_a_bar_parts_the_entries_of_one_millisecond(relay: RelayProcess) -> None:
    """Sent in one go: posts, a bar, posts, its lifting, posts. What lies between is stopped."""
    async with relay.store() as store:
        oversight = Oversight(store)
        for round_number in range(20):
            trip = f"burst-{round_number}"
            await relay.open_trip(trip)
            bar = partial(oversight.bar, trip, Role.DRIVER, "drv-1", "text", source="s1")
            times_ms: list[int] = []
            for until_ms in (in_an_hour(), 0, None):
                five_posts(store, trip, times_ms)
                if until_ms is not None:
                    last = asyncio.create_task(bar(until_ms))
                    await asyncio.sleep(0)  # it is on its way
            assert await last == "ok"
            # Answers come in order: with this one all are there.
            bars = Bars(await store.pipe.call("HGET", keys.trip(trip), "bars"))
            stopped = [bars.stops("d", at_ms, "text") == "text" for at_ms in times_ms]
            assert stopped == [False] * 5 + [True] * 5 + [False] * 5


def five_posts(store: Store, trip: str, times_ms: list[int]) -> None:
    """Write to a log as a node does, and note the store's times of the entries."""
    writer = LogWriter(trip, 1)
    for n in range(5):
        store.pipe.send(
            writer.post(f"p{n}", b"d", b"sealed"),
            lambda reply: times_ms.append(time_ms(reply[0])),
            skip=LogWriter.SKIP,
        )


async def test_what_is_lifted_is_lifted_at_once_whatever_a_clock_says(relay: RelayProcess) -> None:
    """The log may be ahead of a clock: of the store's that went back, or of what a node takes it for."""
    tokens = await relay.open_trip("lifted")
    async with relay.store() as store:
        oversight = Oversight(store)
        log = keys.log("lifted", 1)
        ahead_ms = int(time.time() * 1000) + 5000
        await store.pipe.call("XSETID", log, f"{ahead_ms}-0")
        bar = partial(oversight.bar, "lifted", Role.DRIVER, "drv-1", source="s1")
        assert await bar("all", in_an_hour()) == "ok"
        assert await bar("all", 0) == "ok"
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        await driver.accepted(numbered(1))
        assert await bar("text", in_an_hour()) == "ok"
        assert (await driver.hear("refused", id=await driver.post(numbered(2))))["code"] == "muted"
        assert await bar("text", 0) == "ok"
        await until(lambda: _can_post(driver), "the mute is lifted", 2)
