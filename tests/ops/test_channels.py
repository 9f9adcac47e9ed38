"""Finding channels and closing them by hand."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from relay.core.acts import Act
from relay.core.casework import HandReason
from relay.core.ids import Role
from relay.ops.actor import Actor
from relay.ops.channels import MOST_BY_AGENT
from relay.ops.desk import Desk, desk_of
from relay.ops.limits import DeskLimits
from relay.ops.refusals import OpsCode, Refused
from relay.store import keys
from relay.store.endpoint import StoreError
from relay.store.oversight import Oversight
from relay.store.store import Store
from relay.vault.ring import KeyRing
from tests.support.cost import least_ms

from .channels import open_channel
from .conftest import Clock

MANY = 10_000
NOTE = "asked for by the platform's duty desk"


@pytest.fixture
def desk(store: Store, ring: KeyRing, clock: Clock) -> Desk:
    return desk_of(
        store, ring=lambda: ring, now_ms=clock, random_bytes=os.urandom,
        limits=DeskLimits(evidence_s=86400, record_s=86400, notice_delay_s=86400),
    )  # fmt: skip


async def opened(store: Store, ring: KeyRing, clock: Clock, trips: list[str]) -> None:
    for start in range(0, len(trips), 200):
        outcomes = await asyncio.gather(
            *(
                open_channel(store, ring, clock.now_ms, trip, f"drv-{trip}", f"cus-{trip}")
                for trip in trips[start : start + 200]
            )
        )
        assert set(outcomes) == {"opened"}


async def attach(store: Store, trip: str, role: Role) -> None:
    """Let a party be online, at a node that lives."""
    now_ms = int(time.time() * 1000)
    await store.pipe.call("ZADD", keys.NODES, now_ms, "node")
    await store.pipe.call("HSET", keys.trip(trip), f"{role.letter}.seat", "node c1 dev 1")


async def test_pages_go_through_all_channels_once_the_newest_first(
    store: Store, ring: KeyRing, clock: Clock, desk: Desk
) -> None:
    trips = [f"trip-{number}" for number in range(130)]
    await opened(store, ring, clock, trips)
    seen: list[str] = []
    times: list[int] = []
    older = ""
    while True:
        page = await desk.channels.page(older=older, count=50)
        assert page.total_open == 130
        seen += [row.trip for row in page.rows]
        times += [row.opened_at for row in page.rows]
        if not page.older:
            break
        older = page.older
    assert sorted(seen) == sorted(trips)
    assert times == sorted(times, reverse=True)
    with pytest.raises(Refused) as caught:
        await desk.channels.page(older="bm9wZQ")
    assert caught.value.code is OpsCode.INVALID


async def test_filters_and_search(store: Store, ring: KeyRing, clock: Clock, desk: Desk) -> None:
    await opened(store, ring, clock, ["a", "b", "c", "d"])
    await attach(store, "b", Role.DRIVER)
    await attach(store, "c", Role.DRIVER)
    await attach(store, "c", Role.CUSTOMER)
    await store.end("d", grace_s=600, detail="done")
    await store.end("a", grace_s=0, detail="done")
    await store.pipe.call("HSET", keys.trip("b"), "findings", "3")

    async def found(**filters: object) -> set[str]:
        return {row.trip for row in (await desk.channels.page(**filters)).rows}  # type: ignore[arg-type]

    assert await found() == {"b", "c", "d"}
    assert await found(state="grace") == {"d"}
    assert await found(state="open") == {"b", "c"}
    assert await found(online="both") == {"c"}
    assert await found(online="one") == {"b"}
    assert await found(online="none") == {"d"}
    assert await found(findings=True) == {"b"}
    assert await found(search="a") == {"a"}
    await desk.parties.joined("drv-b", "b")
    assert await found(search="drv-b") == {"b"}
    assert await found(search="nobody") == set()
    with pytest.raises(Refused) as caught:
        await desk.channels.page(search="+62 812 3456 7890")
    assert caught.value.code is OpsCode.INVALID and "812" not in caught.value.detail


async def test_whose_trips_somebody_looks_up_is_written_down(
    store: Store, ring: KeyRing, clock: Clock, desk: Desk, actor: Callable[..., Actor]
) -> None:
    await opened(store, ring, clock, ["t", "u"])
    await desk.parties.joined("cus-t", "t")
    ayu, sri = actor("ayu"), actor("sri", "supervisor", "key")

    async def looked_up() -> list[tuple[str, str, str]]:
        entries = await desk.audit.page(act=Act.PARTY_TRIPS)
        return [(one.actor, one.party, one.via) for one in reversed(entries)]

    await desk.channels.page(search="t", by=ayu)  # a trip, as it stands in a case or a report
    await desk.channels.page(search="nobody", by=ayu)  # what was typed may be anything
    assert await looked_up() == []
    assert (await desk.channels.page(search="cus-t", by=ayu)).rows
    assert await looked_up() == [("ayu", "cus-t", "console")]
    for who in (ayu, sri, sri):
        await desk.channels.page(search=" cus-t ", by=who)
    both = [("ayu", "cus-t", "console"), ("sri", "cus-t", "key")]
    assert await looked_up() == both  # a page that keeps itself up to date is one look
    clock.advance(3_600_000)
    await desk.channels.page(search="cus-t", by=ayu)
    assert await looked_up() == [*both, ("ayu", "cus-t", "console")]


async def test_a_channel_tells_its_story_without_a_word_of_what_was_said(
    store: Store, ring: KeyRing, clock: Clock, desk: Desk
) -> None:
    await opened(store, ring, clock, ["t"])
    store.found_soon("t", Role.DRIVER, epoch=1, classes=["number", "link"])
    await store.change("t", deadline=clock.now_ms + 7_200_000, policy=None, allow=None)
    await store.end("t", grace_s=0, detail="done")
    detail = await desk.channels.detail("t")
    assert detail is not None
    assert [step.kind for step in detail.timeline] == ["opened", "deadline", "closed"]
    assert detail.findings[Role.DRIVER] == {"number": 1, "link": 1}
    assert detail.row.findings == 2
    assert (detail.row.state, detail.row.reason, detail.row.detail) == ("closed", "ended", "done")
    assert await desk.channels.detail("unknown") is None
    assert await desk.channels.detail("no such id!") is None


async def test_a_close_by_hand_is_written_down_before_it_is_done(
    store: Store, ring: KeyRing, clock: Clock, desk: Desk, actor: Callable[..., Actor]
) -> None:
    await opened(store, ring, clock, ["t"])
    ayu = actor("ayu")
    closed = await desk.channels.close(ayu, "t", HandReason.SAFETY, NOTE)
    assert closed.trip == "t"
    (entry,) = await desk.audit.page(trip="t")
    assert (entry.act, entry.actor, entry.reason, entry.note) == (
        Act.CHANNEL_CLOSE, "ayu", "safety", NOTE,
    )  # fmt: skip
    with pytest.raises(Refused) as caught:
        await desk.channels.close(ayu, "t", HandReason.SAFETY, NOTE)
    assert caught.value.code is OpsCode.CONFLICT
    assert [one.outcome for one in await desk.audit.page(trip="t")] == ["already", "", ""]
    with pytest.raises(Refused) as caught:
        await desk.channels.close(ayu, "nope", HandReason.SAFETY, NOTE)
    assert caught.value.code is OpsCode.NOT_FOUND
    with pytest.raises(Refused) as caught:
        await desk.channels.close(ayu, "t", HandReason.SAFETY, "call 0812 3456 7890")
    assert (caught.value.code, caught.value.field) == (OpsCode.INVALID, "note")


async def test_what_cannot_be_written_down_is_not_done(
    mortal: tuple[Store, Callable[[], Awaitable[None]]],
    ring: KeyRing,
    clock: Clock,
    actor: Callable[..., Actor],
) -> None:
    store, _ = mortal
    await opened(store, ring, clock, ["t"])
    desk = desk_of(
        store, ring=lambda: ring, now_ms=clock, random_bytes=os.urandom,
        limits=DeskLimits(evidence_s=86400, record_s=86400, notice_delay_s=86400),
    )  # fmt: skip
    await desk.parties.joined("cus-t", "t")
    # A full store takes no entry, and still could close: closing frees before it writes.
    await store.pipe.call("CONFIG", "SET", "maxmemory", "1")
    with pytest.raises(StoreError):
        await desk.channels.close(actor("ayu"), "t", HandReason.SAFETY, NOTE)
    for _ in range(2):  # not remembered as written down either
        with pytest.raises(StoreError):
            await desk.channels.page(search="cus-t", by=actor("ayu"))
    (row,) = await Oversight(store).sights(["t"])
    assert row is not None and row.state == "open"


async def test_several_are_closed_up_to_the_limit_of_who_asks(
    store: Store, ring: KeyRing, clock: Clock, desk: Desk, actor: Callable[..., Actor]
) -> None:
    trips = [f"t{number}" for number in range(MOST_BY_AGENT + 1)]
    await opened(store, ring, clock, trips)
    with pytest.raises(Refused) as caught:
        await desk.channels.close_several(actor("ayu"), trips, HandReason.FRAUD, NOTE)
    assert caught.value.code is OpsCode.TOO_MANY
    assert await desk.audit.page() == []
    closing = await desk.channels.close_several(
        actor("ayu"), [*trips[:3], trips[0], "unknown"], HandReason.FRAUD, NOTE
    )
    assert [one async for one in closing] == [
        ("t0", "closed"), ("t1", "closed"), ("t2", "closed"), ("unknown", "not_found"),
    ]  # fmt: skip
    closing = await desk.channels.close_several(
        actor("sri", "supervisor"), trips, HandReason.FRAUD, NOTE
    )
    results = [result async for _, result in closing]
    assert results.count("closed") == len(trips) - 3 and results.count("already") == 3
    assert (await desk.channels.page()).total_open == 0


async def test_the_list_is_quick_with_ten_thousand_channels_open(
    store: Store, ring: KeyRing, clock: Clock, desk: Desk, show: Callable[[str], None]
) -> None:
    await opened(store, ring, clock, [f"trip-{number}" for number in range(MANY)])

    first_ms = await least_ms(store, desk.channels.page)
    filtered_ms = await least_ms(store, partial(desk.channels.page, findings=True))
    show(
        f"list of {MANY} open channels: first page {first_ms:.0f} ms of processor time, "
        f"no filter hit {filtered_ms:.0f} ms"
    )
    assert first_ms < 100
