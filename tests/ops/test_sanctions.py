"""Sanctions hold where a channel opens and at once where one is open, however the two are timed."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

import pytest

from relay.core.casework import SanctionKind, SanctionReason
from relay.core.ids import Role
from relay.ops.actor import Actor
from relay.ops.audit import Audit
from relay.ops.notes import MAX_NOTE_CHARS, checked_note
from relay.ops.refusals import OpsCode, Refused
from relay.ops.sanctions import Sanction, Sanctions, Standing
from relay.store import keys
from relay.store.audit import AuditLog
from relay.store.cases import CaseRecords
from relay.store.endpoint import StoreError
from relay.store.events import Events
from relay.store.oversight import Oversight
from relay.store.parties import MAX_SANCTIONS, Parties
from relay.store.records import PartyRecord
from relay.store.store import Store
from relay.vault.envelope import MessageCipher, unwrap
from relay.vault.ring import KeyRing

from .channels import a_case, open_channel, say
from .conftest import Clock

HOUR_MS = 3_600_000
RECORD_S = 30 * 86400

Make = Callable[..., Actor]


def made(store: Store, ring: KeyRing, clock: Clock) -> Sanctions:
    return Sanctions(
        store, Parties(store, longest_record_s=RECORD_S), CaseRecords(store),
        Audit(AuditLog(store), ring=lambda: ring, now_ms=clock), Events(store),
        ring=lambda: ring, now_ms=clock, random_bytes=os.urandom,
    )  # fmt: skip


@pytest.fixture
def sanctions(store: Store, ring: KeyRing, clock: Clock) -> Sanctions:
    return made(store, ring, clock)


@pytest.fixture
def audit(store: Store, ring: KeyRing, clock: Clock) -> Audit:
    return Audit(AuditLog(store), ring=lambda: ring, now_ms=clock)


@pytest.fixture
def boss(actor: Make) -> Actor:
    return actor("ayu", "supervisor")


async def told(store: Store) -> list[tuple[str, str]]:
    """What the platform was told: (kind, party)."""
    page = await Events(store).waiting(500)
    return [(event["kind"], event["party"]) for event in page.events]


async def impose(
    sanctions: Sanctions, by: Actor, party: str, kind: SanctionKind, **terms: object
) -> Sanction:
    return await sanctions.impose(by, party, kind, SanctionReason.HARASSMENT, **terms)  # type: ignore[arg-type]


async def refused(act: object, code: OpsCode, field: str = "") -> Refused:
    with pytest.raises(Refused) as caught:
        await act  # type: ignore[misc]
    assert (caught.value.code, caught.value.field) == (code, field)
    return caught.value


# --- at open --------------------------------------------------------------------------------------


async def test_nobody_stands_in_the_way_of_a_party_without_sanctions(
    sanctions: Sanctions, store: Store
) -> None:
    standing = await sanctions.standing(["drv-1", "cus-1"], trip="t-1")
    assert standing == Standing("", ())
    assert standing.bars({Role.DRIVER: "drv-1", Role.CUSTOMER: "cus-1"}) == b"[]"
    parties = Parties(store, longest_record_s=RECORD_S)
    assert await parties.trips("drv-1") == await parties.trips("cus-1") == ["t-1"]


@pytest.mark.parametrize("who", ["drv-1", "cus-1"])
async def test_a_suspended_party_gets_no_channel_until_its_time_is_over(
    sanctions: Sanctions, boss: Actor, clock: Clock, who: str
) -> None:
    await impose(sanctions, boss, who, SanctionKind.SUSPEND, hours=2)
    assert (await sanctions.standing(["drv-1", "cus-1"])).refusal == "suspended"
    assert (await sanctions.standing(["drv-2", "cus-2"])).refusal == ""
    clock.advance(2 * HOUR_MS - 1)
    assert (await sanctions.standing(["drv-1", "cus-1"])).refusal == "suspended"
    clock.advance(1)
    assert (await sanctions.standing(["drv-1", "cus-1"])).refusal == ""


@pytest.mark.parametrize("named_first", ["drv-1", "cus-1"])
async def test_a_pair_is_never_paired_again_whichever_way_round(
    sanctions: Sanctions, boss: Actor, named_first: str
) -> None:
    other = "cus-1" if named_first == "drv-1" else "drv-1"
    await impose(sanctions, boss, named_first, SanctionKind.NEVER_PAIR, other=other)
    assert (await sanctions.standing(["drv-1", "cus-1"])).refusal == "never_pair"
    assert (await sanctions.standing(["cus-1", "drv-1"])).refusal == "never_pair"
    assert (await sanctions.standing(["drv-1", "cus-2"])).refusal == ""
    assert (await sanctions.standing(["drv-2", "cus-1"])).refusal == ""


async def test_a_muted_party_gets_a_channel_with_its_bar(
    sanctions: Sanctions, boss: Actor, clock: Clock, store: Store, ring: KeyRing
) -> None:
    await impose(sanctions, boss, "drv-1", SanctionKind.MUTE, hours=1)
    assert await open_channel(store, ring, clock.now_ms, "t-1", sanctions=sanctions) == "opened"
    assert await say(store, ring, "t-1", Role.DRIVER, "halo", "m1") == "muted"
    assert await say(store, ring, "t-1", Role.CUSTOMER, "halo", "m2") == "stored"
    clock.advance(HOUR_MS)
    standing = await sanctions.standing(["drv-1", "cus-1"])
    assert standing.bars({Role.DRIVER: "drv-1", Role.CUSTOMER: "cus-1"}) == b"[]"


async def test_what_an_open_must_know_costs_one_round_trip(
    sanctions: Sanctions, boss: Actor, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    await impose(sanctions, boss, "drv-1", SanctionKind.MUTE, hours=1)
    flushes = 0
    line = store.pipe._line
    assert line is not None
    real = line._flush

    def counted() -> None:
        nonlocal flushes
        flushes += 1
        real()

    monkeypatch.setattr(line, "_flush", counted)
    await sanctions.standing(["drv-1", "cus-1"], trip="t-9")
    assert flushes == 1


async def test_a_store_too_full_for_the_index_gives_no_standing(
    sanctions: Sanctions, store: Store
) -> None:
    """Else a sanction that comes a moment later would not find the channel."""
    await store.pipe.call("CONFIG", "SET", "maxmemory", 1, "maxmemory-policy", "noeviction")
    try:
        with pytest.raises(StoreError):
            await sanctions.standing(["drv-1", "cus-1"], trip="t-1")
        assert (await sanctions.standing(["drv-1", "cus-1"])).refusal == ""
    finally:
        await store.pipe.call("CONFIG", "SET", "maxmemory", 0)


# --- in open channels -----------------------------------------------------------------------------


async def test_a_sanction_holds_at_once_in_open_channels_and_no_longer_when_it_is_lifted(
    sanctions: Sanctions, boss: Actor, clock: Clock, store: Store, ring: KeyRing
) -> None:
    for number in range(3):
        await open_channel(
            store, ring, clock.now_ms, f"t-{number}", customer=f"cus-{number}", sanctions=sanctions
        )
    await open_channel(store, ring, clock.now_ms, "t-other", "drv-2", sanctions=sanctions)
    await store.end("t-0", grace_s=0, detail="")
    mute = await impose(sanctions, boss, "drv-1", SanctionKind.MUTE, hours=1)
    stop = await impose(sanctions, boss, "drv-1", SanctionKind.SUSPEND)
    for trip in ("t-1", "t-2"):
        assert await say(store, ring, trip, Role.DRIVER, "halo", "m1") == "barred"
        assert await say(store, ring, trip, Role.CUSTOMER, "halo", "m2") == "stored"
    assert await say(store, ring, "t-other", Role.DRIVER, "halo", "m1") == "stored"
    await sanctions.lift(boss, "drv-1", stop.id, "a mistake")
    assert await say(store, ring, "t-1", Role.DRIVER, "halo", "m3") == "muted"
    await sanctions.lift(boss, "drv-1", mute.id, "a mistake")
    assert await say(store, ring, "t-1", Role.DRIVER, "halo", "m4") == "stored"
    assert (await sanctions.standing(["drv-1", "cus-1"])).refusal == ""
    assert await told(store) == [
        ("sanction.imposed", "drv-1"), ("sanction.imposed", "drv-1"),
        ("sanction.lifted", "drv-1"), ("sanction.lifted", "drv-1"),
    ]  # fmt: skip


async def test_lifting_one_of_two_mutes_leaves_the_other(
    sanctions: Sanctions, boss: Actor, clock: Clock, store: Store, ring: KeyRing
) -> None:
    await open_channel(store, ring, clock.now_ms, "t-1", sanctions=sanctions)
    first = await impose(sanctions, boss, "drv-1", SanctionKind.MUTE, hours=1)
    await impose(sanctions, boss, "drv-1", SanctionKind.MUTE, hours=2)
    await sanctions.lift(boss, "drv-1", first.id, "twice by mistake")
    assert await say(store, ring, "t-1", Role.DRIVER, "halo", "m1") == "muted"


async def test_lifting_a_suspension_leaves_what_the_other_party_has_blocked(
    sanctions: Sanctions, boss: Actor, clock: Clock, store: Store, ring: KeyRing
) -> None:
    await open_channel(store, ring, clock.now_ms, "t-1", sanctions=sanctions)
    await Oversight(store).bar("t-1", Role.DRIVER, "drv-1", "all", 2**52, source="block")
    stop = await impose(sanctions, boss, "drv-1", SanctionKind.SUSPEND)
    await sanctions.lift(boss, "drv-1", stop.id, "a mistake")
    assert await say(store, ring, "t-1", Role.DRIVER, "halo", "m1") == "barred"


async def test_a_pair_that_is_never_to_meet_again_is_parted_at_once(
    sanctions: Sanctions, boss: Actor, clock: Clock, store: Store, ring: KeyRing
) -> None:
    await open_channel(store, ring, clock.now_ms, "t-1", sanctions=sanctions)
    await open_channel(store, ring, clock.now_ms, "t-2", customer="cus-2", sanctions=sanctions)
    await impose(sanctions, boss, "drv-1", SanctionKind.NEVER_PAIR, other="cus-1")
    assert await say(store, ring, "t-1", Role.DRIVER, "halo", "m1") == "barred"
    assert await say(store, ring, "t-2", Role.DRIVER, "halo", "m1") == "stored"
    refusal = await open_channel(store, ring, clock.now_ms, "t-3", sanctions=sanctions)
    assert refusal == "never_pair"


async def test_a_warning_reaches_the_party_alone_once_in_each_open_channel(
    sanctions: Sanctions, boss: Actor, clock: Clock, store: Store, ring: KeyRing
) -> None:
    await open_channel(store, ring, clock.now_ms, "t-1", sanctions=sanctions)
    warning = await impose(sanctions, boss, "cus-1", SanctionKind.WARN)
    parties = Parties(store, longest_record_s=RECORD_S)
    await parties.pend("cus-1", warning.id, clock.now_ms)
    clock.advance(60_000)
    assert await sanctions.finish() == 1  # carried out again: no second message
    _, epoch, wrapped = await store.messages_key("t-1")
    page = await store.log_page("t-1", epoch, b"0-0", 10)
    (entry,) = [fields for _, fields in page if fields[1]]
    cipher = MessageCipher(unwrap(ring, wrapped, trip="t-1"), trip="t-1", epoch=epoch)
    assert entry[2] == b"sc"
    assert cipher.open("system", entry[1].decode(), entry[3]) == b"kwarning"
    assert (await sanctions.standing(["drv-1", "cus-1"])).refusal == ""


# --- races ----------------------------------------------------------------------------------------


async def test_an_open_that_has_read_the_sanctions_does_not_slip_past_one_that_is_new(
    sanctions: Sanctions, boss: Actor, clock: Clock, store: Store, ring: KeyRing
) -> None:
    """The node stands still between the two steps of `open`, for as long as it likes."""
    standing = await sanctions.standing(["drv-1", "cus-1"], trip="t-1")
    assert standing.refusal == ""
    await impose(sanctions, boss, "drv-1", SanctionKind.SUSPEND)
    assert await open_channel(store, ring, clock.now_ms, "t-1") == "raced"
    mark = await store.ask_mark("t-1")
    assert (await sanctions.standing(["drv-1", "cus-1"], trip="t-1")).refusal == "suspended"
    # For others the trip's name is as free as before.
    again = await open_channel(
        store, ring, clock.now_ms, "t-1", "drv-2", sanctions=sanctions, mark=mark
    )
    assert again == "opened"


async def test_an_open_between_the_look_and_the_mark_is_seen(
    sanctions: Sanctions,
    boss: Actor,
    clock: Clock,
    store: Store,
    ring: KeyRing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await sanctions.standing(["drv-1", "cus-1"], trip="t-1")
    real = sanctions._parties.mark

    async def late(trip: str, mark: str) -> None:
        assert await open_channel(store, ring, clock.now_ms, trip) == "opened"
        await real(trip, mark)

    monkeypatch.setattr(sanctions._parties, "mark", late)
    await impose(sanctions, boss, "drv-1", SanctionKind.SUSPEND)
    assert await say(store, ring, "t-1", Role.DRIVER, "halo", "m1") == "barred"


@pytest.mark.parametrize("comes", [Role.DRIVER, Role.CUSTOMER])
async def test_a_reassignment_that_has_read_the_sanctions_does_not_bring_a_pair_together(
    sanctions: Sanctions, boss: Actor, clock: Clock, store: Store, ring: KeyRing, comes: Role
) -> None:
    """Whichever of the two sits there already."""
    seats = {Role.DRIVER: "drv-1", Role.CUSTOMER: "cus-1"}
    others = seats | {comes: "elsewhere"}
    assert await open_channel(
        store, ring, clock.now_ms, "t-1", *others.values(), sanctions=sanctions
    ) == "opened"  # fmt: skip
    mark = await store.ask_mark("t-1") or b""
    assert (await sanctions.standing(list(seats.values()), trip="t-1")).refusal == ""
    await impose(sanctions, boss, "drv-1", SanctionKind.NEVER_PAIR, other="cus-1")
    party = PartyRecord(seats[comes], "Alias", "id", b"", "digest")
    outcome, _ = await store.reassign(
        "t-1", comes, epoch=1, party=party, token_ttl_s=600, bars=b"[]", mark=mark
    )
    assert outcome == "raced"


async def test_opens_and_sanctions_at_once_never_leave_a_party_unstopped(
    sanctions: Sanctions, boss: Actor, clock: Clock, store: Store, other_store: Store, ring: KeyRing
) -> None:
    elsewhere = made(other_store, ring, clock)
    for number in range(40):
        driver, trip = f"drv-{number}", f"t-{number}"
        _, outcome = await asyncio.gather(
            impose(elsewhere, boss, driver, SanctionKind.SUSPEND),
            open_channel(store, ring, clock.now_ms, trip, driver, sanctions=sanctions),
        )
        if outcome == "opened":
            assert await say(store, ring, trip, Role.DRIVER, "halo", "m1") == "barred"
        else:
            assert outcome in ("suspended", "raced")


async def test_what_a_dead_node_left_is_finished_by_another(
    sanctions: Sanctions,
    boss: Actor,
    clock: Clock,
    store: Store,
    other_store: Store,
    ring: KeyRing,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await open_channel(store, ring, clock.now_ms, "t-1", sanctions=sanctions)

    async def dies(*_: object) -> None:
        raise StoreError("away")

    with monkeypatch.context() as broken:
        broken.setattr(sanctions, "_enforce", dies)
        with pytest.raises(StoreError):
            await impose(sanctions, boss, "drv-1", SanctionKind.SUSPEND)
    assert await say(store, ring, "t-1", Role.DRIVER, "halo", "m1") == "stored"
    assert await sanctions.finish() == 0  # its node may still be at it
    clock.advance(60_000)
    elsewhere = made(other_store, ring, clock)
    done = await asyncio.gather(sanctions.finish(), elsewhere.finish())
    assert sorted(done) == [0, 1]
    assert await say(store, ring, "t-1", Role.DRIVER, "halo", "m2") == "barred"
    assert await told(store) == [("sanction.imposed", "drv-1")]
    assert await sanctions.finish() == 0


# --- who may, and what is written down ------------------------------------------------------------


async def test_nothing_is_imposed_that_cannot_be_written_down(
    sanctions: Sanctions, boss: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> int:
        raise StoreError("away")

    held = await impose(sanctions, boss, "drv-2", SanctionKind.SUSPEND)
    monkeypatch.setattr(sanctions._audit, "record", away)
    for act in (
        impose(sanctions, boss, "drv-1", SanctionKind.SUSPEND),
        sanctions.lift(boss, "drv-2", held.id, "why"),
        sanctions.appeal(boss, "drv-2", held.id, "why"),
    ):
        with pytest.raises(StoreError):
            await act
    assert (await sanctions.standing(["drv-1", "cus-1"])).refusal == ""
    assert await sanctions.of("drv-1") == []
    assert await sanctions.of("drv-2") == [held]
    clock.advance(60_000)
    assert await sanctions.finish() == 0


async def test_every_act_is_in_the_audit_log(
    sanctions: Sanctions, boss: Actor, actor: Make, audit: Audit
) -> None:
    found = await impose(sanctions, boss, "drv-1", SanctionKind.SUSPEND, note="after two reports")
    await sanctions.appeal(boss, "drv-1", found.id, "says it was a friend")
    await sanctions.decide(
        actor("wati", "supervisor"), "drv-1", found.id, lifts=True, note="believable"
    )
    entries = await audit.page(party="drv-1")
    assert [(entry.act, entry.actor, entry.outcome) for entry in reversed(entries)] == [
        ("sanction.impose", "ayu", ""),
        ("sanction.appeal", "ayu", ""),
        ("sanction.decide", "wati", "lifted"),
    ]
    assert {entry.details["sanction"] for entry in entries} == {found.id}
    assert entries[-1].note == "after two reports"


async def test_an_agent_needs_a_case_about_the_party(
    sanctions: Sanctions, actor: Make, store: Store
) -> None:
    agent = actor("budi")
    case = await a_case(store, "cus-1", "drv-1")
    mute = SanctionKind.MUTE
    await refused(impose(sanctions, agent, "drv-1", mute, hours=1), OpsCode.NOT_ALLOWED, "case")
    for party, named in (("drv-9", case), ("drv-1", "c7-ffffffff"), ("drv-1", "nonsense")):
        await refused(
            impose(sanctions, agent, party, mute, hours=1, case=named), OpsCode.NOT_FOUND, "case"
        )
    await refused(
        impose(sanctions, actor("citra"), "drv-1", mute, hours=1, case=case),
        OpsCode.NOT_ALLOWED,
        "case",
    )
    assert (await impose(sanctions, agent, "drv-1", mute, hours=1, case=case)).case == case
    suspend = SanctionKind.SUSPEND
    for hours in (None, 73):
        await refused(
            impose(sanctions, agent, "drv-1", suspend, hours=hours, case=case),
            OpsCode.NOT_ALLOWED,
            "hours",
        )
    await impose(sanctions, agent, "drv-1", suspend, hours=72, case=case)
    closed = await a_case(store, "cus-1", "drv-1", "t-2", state="closed")
    await refused(
        impose(sanctions, agent, "drv-1", mute, hours=1, case=closed), OpsCode.NOT_ALLOWED, "case"
    )


async def test_an_agent_parts_only_the_two_parties_of_the_case(
    sanctions: Sanctions, boss: Actor, actor: Make, store: Store
) -> None:
    agent, pair = actor("budi"), SanctionKind.NEVER_PAIR
    case = await a_case(store, "cus-1", "drv-1")
    for party in ("drv-1", "cus-1"):
        stranger = impose(sanctions, agent, party, pair, other="cus-2", case=case)
        await refused(stranger, OpsCode.NOT_ALLOWED, "other")
        assert await sanctions.of(party) == []
    assert (await impose(sanctions, agent, "cus-1", pair, other="drv-1", case=case)).other
    assert (await impose(sanctions, boss, "drv-1", pair, other="cus-2", case=case)).other


async def test_who_may_lift_and_decide(
    sanctions: Sanctions, boss: Actor, actor: Make, store: Store
) -> None:
    case = await a_case(store, "cus-1", "drv-1")
    agent, other, wati = actor("budi"), actor("citra"), actor("wati", "supervisor")
    mine = await impose(sanctions, agent, "drv-1", SanctionKind.MUTE, hours=1, case=case)
    await refused(sanctions.lift(other, "drv-1", mine.id, "why"), OpsCode.NOT_ALLOWED)
    await refused(sanctions.lift(agent, "drv-1", mine.id, " "), OpsCode.INVALID, "note")
    assert (await sanctions.lift(agent, "drv-1", mine.id, "enough")).lifted_by == "budi"
    await refused(sanctions.lift(agent, "drv-1", mine.id, "enough"), OpsCode.CONFLICT)
    await refused(sanctions.lift(boss, "drv-1", "s0", "enough"), OpsCode.NOT_FOUND)

    stop = await impose(sanctions, boss, "drv-1", SanctionKind.SUSPEND)
    decide = sanctions.decide
    await refused(decide(wati, "drv-1", stop.id, lifts=True, note="n"), OpsCode.CONFLICT)
    await sanctions.appeal(agent, "drv-1", stop.id, "he objects")
    await refused(sanctions.appeal(agent, "drv-1", stop.id, "again"), OpsCode.CONFLICT)
    for by in (boss, agent):
        await refused(decide(by, "drv-1", stop.id, lifts=True, note="n"), OpsCode.NOT_ALLOWED)
    assert (await sanctions.standing(["drv-1"])).refusal == "suspended"
    upheld = await decide(wati, "drv-1", stop.id, lifts=False, note="proven")
    assert upheld.appeal == "upheld"
    assert (await sanctions.standing(["drv-1"])).refusal == "suspended"
    await refused(decide(wati, "drv-1", stop.id, lifts=True, note="n"), OpsCode.CONFLICT)


@pytest.mark.parametrize(
    ("kind", "terms", "field"),
    [
        (SanctionKind.MUTE, {}, "hours"),
        (SanctionKind.MUTE, {"hours": 0}, "hours"),
        (SanctionKind.MUTE, {"hours": 721}, "hours"),
        (SanctionKind.WARN, {"hours": 1}, "hours"),
        (SanctionKind.SUSPEND, {"hours": 0}, "hours"),
        (SanctionKind.SUSPEND, {"other": "cus-1"}, "other"),
        (SanctionKind.NEVER_PAIR, {}, "other"),
        (SanctionKind.NEVER_PAIR, {"other": "drv-1"}, "other"),
        (SanctionKind.NEVER_PAIR, {"other": "no name"}, "other"),
        (SanctionKind.WARN, {"note": "call +62 812 3456 7890"}, "note"),
    ],
)
async def test_sanctions_that_cannot_be(
    sanctions: Sanctions, boss: Actor, kind: SanctionKind, terms: dict[str, object], field: str
) -> None:
    await refused(impose(sanctions, boss, "drv-1", kind, **terms), OpsCode.INVALID, field)
    assert await sanctions.of("drv-1") == []


@pytest.mark.parametrize("typed", ["081234567890", "6281234567890"])
async def test_a_number_that_is_typed_for_a_party_is_not_written_down(
    sanctions: Sanctions, boss: Actor, audit: Audit, typed: str
) -> None:
    await refused(impose(sanctions, boss, typed, SanctionKind.WARN), OpsCode.INVALID, "party")
    pair = impose(sanctions, boss, "drv-1", SanctionKind.NEVER_PAIR, other=typed)
    await refused(pair, OpsCode.INVALID, "other")
    assert await audit.page() == []


async def test_two_at_once_do_not_both_change_a_sanction(
    sanctions: Sanctions, boss: Actor, actor: Make
) -> None:
    for number in range(10):
        found = await impose(sanctions, boss, f"drv-{number}", SanctionKind.SUSPEND)
        results = await asyncio.gather(
            sanctions.lift(boss, found.party, found.id, "enough"),
            sanctions.lift(actor("wati", "supervisor"), found.party, found.id, "enough"),
            return_exceptions=True,
        )
        assert sum(isinstance(result, Sanction) for result in results) == 1
        assert sum(isinstance(result, Refused) for result in results) == 1


async def test_sanctions_are_listed_the_newest_first_and_bounded(
    sanctions: Sanctions, boss: Actor, clock: Clock
) -> None:
    for number in range(MAX_SANCTIONS):
        clock.advance(1)
        await impose(sanctions, boss, "drv-1", SanctionKind.WARN, note=f"no {number}")
    await refused(impose(sanctions, boss, "drv-1", SanctionKind.WARN), OpsCode.TOO_MANY)
    clock.advance(1)
    last = await impose(sanctions, boss, "drv-2", SanctionKind.SUSPEND)
    page = await sanctions.listed(count=10)
    assert [page[0], page[1].note] == [last, f"no {MAX_SANCTIONS - 1}"]
    older = await sanctions.listed(before_ms=page[-1].at, count=10)
    assert older[0].note == f"no {MAX_SANCTIONS - 10}"
    clock.advance(366 * 24 * HOUR_MS)
    kept = await impose(sanctions, boss, "drv-1", SanctionKind.WARN)
    assert await sanctions.of("drv-1") == [kept]
    assert await sanctions.listed() == [kept, last]


async def test_a_party_that_was_warned_often_can_still_be_stopped(
    sanctions: Sanctions, boss: Actor
) -> None:
    """Neither can a warning be lifted, nor would that make room before a year is over."""
    for _ in range(MAX_SANCTIONS):
        await impose(sanctions, boss, "drv-1", SanctionKind.WARN)
    await impose(sanctions, boss, "drv-1", SanctionKind.SUSPEND)
    assert (await sanctions.standing(["drv-1", "cus-1"])).refusal == "suspended"
    assert len(await sanctions.of("drv-1")) == len(await sanctions.listed(count=200))


async def test_what_makes_room_for_a_sanction_is_over_and_settled(
    sanctions: Sanctions, boss: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one in force, nor one that somebody objects to, nor one whose end nobody has enforced."""
    monkeypatch.setattr("relay.store.parties.MAX_SANCTIONS", 4)
    parties = Parties(sanctions._store, longest_record_s=RECORD_S)
    kinds = (SanctionKind.SUSPEND, SanctionKind.WARN, SanctionKind.SUSPEND, SanctionKind.SUSPEND)
    first = []
    for kind in kinds:
        clock.advance(1)
        first.append(await impose(sanctions, boss, "drv-1", kind))
    holds, warned, unfinished, lifted = first
    await sanctions.appeal(boss, "drv-1", warned.id, "it was somebody else")
    for one in (unfinished, lifted):
        clock.advance(1)
        await sanctions.lift(boss, "drv-1", one.id, "enough")
    await parties.pend("drv-1", unfinished.id, clock.now_ms)
    suspend = await impose(sanctions, boss, "drv-1", SanctionKind.SUSPEND)
    kept = {one.id for one in await sanctions.of("drv-1")}
    assert kept == {holds.id, warned.id, unfinished.id, suspend.id}
    await refused(impose(sanctions, boss, "drv-1", SanctionKind.SUSPEND), OpsCode.TOO_MANY)
    assert {one.id for one in await sanctions.of("drv-1")} == kept
    await sanctions.lift(boss, "drv-1", holds.id, "no longer matters")
    another = await impose(sanctions, boss, "drv-1", SanctionKind.SUSPEND)
    assert another in await sanctions.of("drv-1")


async def test_an_objection_that_comes_meanwhile_is_not_lost_with_what_makes_room(
    sanctions: Sanctions, boss: Actor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.store.parties.MAX_SANCTIONS", 2)
    warned = await impose(sanctions, boss, "drv-1", SanctionKind.WARN)
    clock.advance(1)
    later = await impose(sanctions, boss, "drv-1", SanctionKind.WARN)
    real = sanctions._parties._first_over
    said = iter(["it was somebody else"])

    async def slow(kept: list[Sanction], now_ms: int) -> list[Sanction]:
        found = await real(kept, now_ms)
        for note in said:
            await sanctions.appeal(boss, "drv-1", found[0].id, note)
        return found

    monkeypatch.setattr(sanctions._parties, "_first_over", slow)
    stop = await impose(sanctions, boss, "drv-1", SanctionKind.SUSPEND)
    kept = await sanctions.of("drv-1")
    assert {one.id for one in kept} == {warned.id, stop.id}
    assert later.id not in {one.id for one in kept}


async def test_a_party_s_trips_are_forgotten_with_their_records(store: Store) -> None:
    parties = Parties(store, longest_record_s=1)
    await parties.joined("drv-1", "t-1")
    assert await parties.trips("drv-1") == ["t-1"]
    ttl_ms = await store.pipe.call("PTTL", keys.trips_of("drv-1"))
    assert 0 < ttl_ms <= 1000
    await Parties(store, longest_record_s=3600).joined("drv-1", "t-2")
    await store.pipe.call("ZADD", keys.trips_of("drv-1"), 1, "t-1")
    await parties.joined("drv-1", "t-3")
    assert await parties.trips("drv-1") == ["t-2", "t-3"]
    assert await store.pipe.call("PTTL", keys.trips_of("drv-1")) > 3_000_000


# --- notes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "  ", "two\nlines", "a\x1b[31mred", "n" * (MAX_NOTE_CHARS + 1), "call 0812 3456 7890",
     "wa.me/someone", "his mail is budi@example.com", "turned \u202e round"],
)  # fmt: skip
def test_notes_that_are_not_kept(text: str) -> None:
    with pytest.raises(Refused) as caught:
        checked_note(text)
    assert (caught.value.code, caught.value.field) == (OpsCode.INVALID, "note")
    assert not text.strip() or text not in caught.value.detail


def test_notes_that_are_kept() -> None:
    assert checked_note("  rude at 10:45, twice ") == "rude at 10:45, twice"
    assert checked_note("n" * MAX_NOTE_CHARS) == "n" * MAX_NOTE_CHARS
    assert checked_note(" ", required=False) == ""
