"""A legal hold keeps messages readable beyond the day's key, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from relay.core.ids import Role
from relay.ops.actor import Actor
from relay.ops.audit import Audit
from relay.ops.holds import Holds
from relay.ops.refusals import OpsCode, Refused
from relay.store import keys
from relay.store.audit import AuditLog
from relay.store.endpoint import StoreError
from relay.store.holds import HoldList
from relay.store.oversight import Oversight
from relay.store.parties import Parties
from relay.store.store import Store
from relay.vault.envelope import MessageCipher, unwrap, wrapping_key_id
from relay.vault.ring import KeyRing, KeyUnavailable, Purpose

from .channels import PHONES, a_case, open_channel, say
from .conftest import Clock

DAY_MS = 86_400_000
LONGEST_S = 180 * 86400

Make = Callable[..., Actor]


class Keys:
    """The key ring of the moment."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring

    def __call__(self) -> KeyRing:
        return self.ring

    def destroy(self, purpose: Purpose, at_ms: int) -> None:
        self.ring = self.ring.without({self.ring.current(purpose, at_ms).id})


@pytest.fixture
def held_by(ring: KeyRing) -> Keys:
    return Keys(ring)


@pytest.fixture
def audit(store: Store, ring: KeyRing, clock: Clock) -> Audit:
    return Audit(AuditLog(store), ring=lambda: ring, now_ms=clock)


@pytest.fixture
def holds(store: Store, held_by: Keys, clock: Clock, audit: Audit) -> Holds:
    return Holds(
        store, Parties(store, longest_record_s=3600), audit, ring=held_by, now_ms=clock,
        random_bytes=os.urandom, longest_hold_s=LONGEST_S,
    )  # fmt: skip


@pytest.fixture
def boss(actor: Make) -> Actor:
    return actor("ayu", "supervisor")


async def texts(store: Store, ring: KeyRing, trip: str) -> list[bytes]:
    """What a trip's messages say, open or kept."""
    _, epoch, wrapped = await store.messages_key(trip)
    cipher = MessageCipher(unwrap(ring, wrapped, trip=trip), trip=trip, epoch=epoch)
    entries = await Oversight(store).read_kept(trip, epoch, 100)
    sender = {b"d": "driver", b"c": "customer"}
    return [
        cipher.open(sender[fields[2]], fields[1].decode(), fields[3])  # type: ignore[arg-type]
        for _, fields in entries
        if fields[1]
    ]


async def sweep(store: Store, trip: str) -> None:
    """Do everything that is due in a trip's partition."""
    while await store.sweep(keys.partition(trip), 100):
        pass


async def overdue(store: Store, trip: str) -> None:
    """Let the time come at which a closed trip's messages were to be destroyed."""
    number = keys.partition(trip)
    await store.pipe.call("HSET", keys.trip(trip), "retention_s", 1, "closed", 1)
    await store.pipe.call("ZADD", keys.due(number), 1, f"messages:{trip}")
    await sweep(store, trip)


async def refused(act: object, code: OpsCode, field: str = "") -> None:
    with pytest.raises(Refused) as caught:
        await act  # type: ignore[misc]
    assert (caught.value.code, caught.value.field) == (code, field)


async def test_held_messages_outlive_their_day_s_key_and_go_when_they_are_released(
    holds: Holds, boss: Actor, store: Store, held_by: Keys, clock: Clock
) -> None:
    await open_channel(store, held_by.ring, clock.now_ms, "t-1")
    await say(store, held_by.ring, "t-1", Role.DRIVER, "halo", "m1")
    hold = await holds.place(boss, "t-1", clock.now_ms + 30 * DAY_MS, "a court asked for it")
    await store.end("t-1", grace_s=0, detail="")
    held_by.destroy(Purpose.MESSAGES, clock.now_ms)
    held_by.destroy(Purpose.NUMBERS, clock.now_ms)
    await overdue(store, "t-1")
    assert await texts(store, held_by.ring, "t-1") == [b"thalo"]
    assert await holds.listed() == [hold]

    await holds.release(boss, "t-1", "the court has it")
    await sweep(store, "t-1")
    assert await holds.listed() == []
    assert (await store.messages_key("t-1"))[2] == b""
    assert await Oversight(store).read_kept("t-1", 1, 100) == []


async def test_what_a_hold_put_off_comes_in_its_own_time_once_it_is_released(
    holds: Holds, boss: Actor, store: Store, held_by: Keys, clock: Clock
) -> None:
    """The trip's record and the evidence of its case wait for the hold, and for no longer."""
    await open_channel(store, held_by.ring, clock.now_ms, "t-1", retention_s=1)
    case = await a_case(store, "cus-1", "drv-1", "t-1")
    number = keys.partition("t-1")
    record = keys.case(number, case)
    await store.pipe.call("HSET", record, "evidence", "sealed", "evidence_until", 1)
    await store.pipe.call("ZADD", keys.due(number), 1, f"case:{case}")
    until_ms = clock.now_ms + 30 * DAY_MS
    await holds.place(boss, "t-1", until_ms, "a court asked for it")
    await store.end("t-1", grace_s=0, detail="")
    await overdue(store, "t-1")
    for member in (f"case:{case}", "record:t-1"):
        assert int(await store.pipe.call("ZSCORE", keys.due(number), member)) >= until_ms, member
    assert await store.pipe.call("HEXISTS", record, "evidence")

    await holds.release(boss, "t-1", "the court has it")
    await sweep(store, "t-1")
    assert not await store.pipe.call("HEXISTS", record, "evidence")
    # `overdue` has let the trip end long ago, so nothing of it need be kept.
    assert not await store.pipe.call("EXISTS", keys.trip("t-1"))


async def test_without_a_hold_they_go_with_the_key(
    store: Store, held_by: Keys, clock: Clock
) -> None:
    await open_channel(store, held_by.ring, clock.now_ms, "t-1")
    await say(store, held_by.ring, "t-1", Role.DRIVER, "halo", "m1")
    await store.end("t-1", grace_s=0, detail="")
    held_by.destroy(Purpose.MESSAGES, clock.now_ms)
    with pytest.raises(KeyUnavailable):
        await texts(store, held_by.ring, "t-1")


async def test_a_hold_neither_keeps_a_number_nor_brings_one_back(
    holds: Holds, boss: Actor, store: Store, held_by: Keys, clock: Clock
) -> None:
    await open_channel(store, held_by.ring, clock.now_ms, "t-1")
    await holds.place(boss, "t-1", clock.now_ms + DAY_MS, "why")
    sealed = await store.pipe.call("HMGET", keys.trip("t-1"), "d.phone", "c.phone")
    await store.end("t-1", grace_s=0, detail="")
    await holds.place(boss, "t-1", clock.now_ms + 2 * DAY_MS, "why")
    record = await store.pipe.call("HGETALL", keys.trip("t-1"))
    assert b"d.phone" not in record and b"c.phone" not in record
    for secret in (*sealed, *(phone.encode() for phone in PHONES.values())):
        assert all(secret not in value for value in record)
    evidence_key = held_by.ring.current(Purpose.EVIDENCE, clock.now_ms).id
    assert bytes.fromhex(evidence_key) not in b"".join(sealed)


async def test_a_hold_ends_by_itself(
    holds: Holds, boss: Actor, store: Store, held_by: Keys, clock: Clock
) -> None:
    await open_channel(store, held_by.ring, clock.now_ms, "t-1", retention_s=1)
    await say(store, held_by.ring, "t-1", Role.DRIVER, "halo", "m1")
    await holds.place(boss, "t-1", clock.now_ms + DAY_MS, "why")
    await store.end("t-1", grace_s=0, detail="")
    await overdue(store, "t-1")
    assert await texts(store, held_by.ring, "t-1") == [b"thalo"]
    clock.advance(DAY_MS)
    assert await holds.listed() == []
    # The store has a clock of its own, by which a day has to pass as well.
    await store.pipe.call("HSET", keys.trip("t-1"), "hold", clock.now_ms - DAY_MS)
    await overdue(store, "t-1")
    assert (await store.messages_key("t-1"))[2] == b""


async def test_placing_it_again_extends_it_under_a_younger_key(
    holds: Holds, boss: Actor, store: Store, held_by: Keys, clock: Clock
) -> None:
    await open_channel(store, held_by.ring, clock.now_ms, "t-1")
    await holds.place(boss, "t-1", clock.now_ms + DAY_MS, "why")
    first = wrapping_key_id((await store.messages_key("t-1"))[2])
    clock.advance(8 * DAY_MS)
    await store.pipe.call("HSET", keys.trip("t-1"), "hold", clock.now_ms + DAY_MS)
    again = await holds.place(boss, "t-1", clock.now_ms + LONGEST_S * 1000, "still needed")
    second = wrapping_key_id((await store.messages_key("t-1"))[2])
    assert first != second
    assert second == held_by.ring.current(Purpose.EVIDENCE, clock.now_ms).id
    assert await holds.listed() == [again]


async def test_the_trip_stays_in_its_parties_indexes(
    holds: Holds, boss: Actor, store: Store, held_by: Keys, clock: Clock
) -> None:
    parties = Parties(store, longest_record_s=1)
    await open_channel(store, held_by.ring, clock.now_ms, "t-1")
    await parties.standing(["drv-1", "cus-1"], clock.now_ms, trip="t-1")
    await holds.place(boss, "t-1", clock.now_ms + 30 * DAY_MS, "why")
    for party in ("drv-1", "cus-1"):
        gone = int(await store.pipe.call("ZSCORE", keys.trips_of(party), "t-1"))
        assert gone > clock.now_ms + 37 * DAY_MS
        assert await store.pipe.call("PEXPIRETIME", keys.trips_of(party)) == gone


async def test_who_may_and_what_cannot_be(
    holds: Holds, boss: Actor, actor: Make, store: Store, held_by: Keys, clock: Clock
) -> None:
    await open_channel(store, held_by.ring, clock.now_ms, "t-1")
    soon = clock.now_ms + DAY_MS
    agent = actor("budi")
    await refused(holds.place(agent, "t-1", soon, "why"), OpsCode.NOT_ALLOWED)
    await refused(holds.place(boss, "t-1", soon, ""), OpsCode.INVALID, "note")
    for until_ms in (clock.now_ms, clock.now_ms + LONGEST_S * 1000 + 1):
        await refused(holds.place(boss, "t-1", until_ms, "why"), OpsCode.INVALID, "until")
    for trip in ("t-9", "no name"):
        await refused(holds.place(boss, trip, soon, "why"), OpsCode.NOT_FOUND)
        await refused(holds.release(boss, trip, "why"), OpsCode.NOT_FOUND)
    await refused(holds.release(boss, "t-1", "why"), OpsCode.CONFLICT)
    await holds.place(boss, "t-1", soon, "why")
    await refused(holds.release(agent, "t-1", "why"), OpsCode.NOT_ALLOWED)
    assert len(await holds.listed()) == 1


async def test_what_is_destroyed_cannot_be_held(
    holds: Holds, boss: Actor, store: Store, held_by: Keys, clock: Clock, audit: Audit
) -> None:
    soon = clock.now_ms + DAY_MS
    await open_channel(store, held_by.ring, clock.now_ms, "t-1", retention_s=0)
    await store.end("t-1", grace_s=0, detail="")
    await refused(holds.place(boss, "t-1", soon, "why"), OpsCode.GONE)
    assert await audit.page(trip="t-1") == []
    await open_channel(store, held_by.ring, clock.now_ms, "t-2")
    held_by.destroy(Purpose.MESSAGES, clock.now_ms)
    await refused(holds.place(boss, "t-2", soon, "why"), OpsCode.GONE)
    assert await holds.listed() == await HoldList(store).all() == []
    assert [(e.act, e.outcome) for e in await audit.page(trip="t-2")] == [
        ("hold.place", "not_done"), ("hold.place", ""),
    ]  # fmt: skip


async def test_a_hold_that_cannot_be_extended_stays_as_it_was(
    holds: Holds, boss: Actor, store: Store, held_by: Keys, clock: Clock
) -> None:
    await open_channel(store, held_by.ring, clock.now_ms, "t-1")
    first = await holds.place(boss, "t-1", clock.now_ms + 9 * DAY_MS, "why")
    held_by.destroy(Purpose.EVIDENCE, clock.now_ms)
    clock.advance(8 * DAY_MS)
    await refused(holds.place(boss, "t-1", clock.now_ms + 9 * DAY_MS, "why"), OpsCode.GONE)
    assert await holds.listed() == [first]


async def test_every_hold_is_in_the_audit_log_or_is_not_placed(
    holds: Holds,
    boss: Actor,
    store: Store,
    held_by: Keys,
    clock: Clock,
    audit: Audit,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await open_channel(store, held_by.ring, clock.now_ms, "t-1")
    soon = clock.now_ms + DAY_MS
    await holds.place(boss, "t-1", soon, "why so")
    await holds.release(boss, "t-1", "no more")
    assert [(e.act, e.actor, e.note) for e in await audit.page(trip="t-1")] == [
        ("hold.release", "ayu", "no more"), ("hold.place", "ayu", "why so"),
    ]  # fmt: skip

    async def away(*_: object, **__: object) -> int:
        raise StoreError("away")

    monkeypatch.setattr(holds._audit, "record", away)
    with pytest.raises(StoreError):
        await holds.place(boss, "t-1", soon, "why")
    assert await holds.listed() == []
    assert await store.pipe.call("HGET", keys.trip("t-1"), "hold") is None
