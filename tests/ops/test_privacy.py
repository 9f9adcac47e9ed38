"""What a party may ask of its data, within 3 x 24 hours, and what nobody learns by it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from typing import Any

import pytest

from relay.core.casework import SanctionKind, SanctionReason
from relay.core.ids import Role
from relay.ops.actor import Actor
from relay.ops.audit import Audit
from relay.ops.holds import Holds
from relay.ops.privacy import LIMIT_MS, Privacy, Wish
from relay.ops.refusals import OpsCode, Refused
from relay.ops.sanctions import Sanctions
from relay.rig.waiting import until
from relay.store import keys
from relay.store.audit import AuditLog
from relay.store.cases import CaseRecords
from relay.store.endpoint import StoreError
from relay.store.events import Events
from relay.store.oversight import Oversight
from relay.store.parties import Parties
from relay.store.records import PartyRecord
from relay.store.store import Store
from relay.vault.ring import KeyRing

from .channels import PHONES, a_case, open_channel, say
from .conftest import Clock

HOUR_MS = 3_600_000

Make = Callable[..., Actor]


class Office:
    """The services that a test of this needs, on one store."""

    def __init__(self, store: Store, ring: KeyRing, clock: Clock) -> None:
        self.store, self.ring, self.clock = store, ring, clock
        self.parties = Parties(store, longest_record_s=30 * 86400)
        self.audit = Audit(AuditLog(store), ring=lambda: ring, now_ms=clock)
        cases, events = CaseRecords(store), Events(store)
        self.sanctions = Sanctions(
            store, self.parties, cases, self.audit, events, ring=lambda: ring, now_ms=clock,
            random_bytes=os.urandom,
        )  # fmt: skip
        self.holds = Holds(
            store, self.parties, self.audit, ring=lambda: ring, now_ms=clock,
            random_bytes=os.urandom, longest_hold_s=30 * 86400,
        )  # fmt: skip
        self.privacy = Privacy(
            store, self.parties, cases, self.audit, events, now_ms=clock, random_bytes=os.urandom
        )

    async def open(
        self, trip: str, driver: str = "drv-1", customer: str = "cus-1", **terms: Any
    ) -> None:
        outcome = await open_channel(
            self.store, self.ring, self.clock.now_ms, trip, driver, customer,
            sanctions=self.sanctions, **terms,
        )  # fmt: skip
        assert outcome == "opened"

    async def end(self, trip: str) -> None:
        await self.store.end(trip, grace_s=0, detail="")

    async def record(self, trip: str) -> dict[bytes, bytes]:
        flat = await self.store.pipe.call("HGETALL", keys.trip(trip))
        return dict(zip(flat[::2], flat[1::2], strict=True))


@pytest.fixture
def office(store: Store, ring: KeyRing, clock: Clock) -> Office:
    return Office(store, ring, clock)


@pytest.fixture
def host(actor: Make) -> Actor:
    return actor("host:root", "supervisor", "host")


async def refused(act: object, code: OpsCode, field: str = "") -> None:
    with pytest.raises(Refused) as caught:
        await act  # type: ignore[misc]
    assert (caught.value.code, caught.value.field) == (code, field)


# --- export ---------------------------------------------------------------------------------------


async def test_an_export_tells_a_party_what_is_held_of_it(office: Office, host: Actor) -> None:
    await office.open("t-1")
    await say(office.store, office.ring, "t-1", Role.DRIVER, "halo", "m1")
    await say(office.store, office.ring, "t-1", Role.DRIVER, "lagi", "m2")
    await say(office.store, office.ring, "t-1", Role.CUSTOMER, "ya", "m1")
    await office.store.pipe.call("HSET", keys.trip("t-1"), "d.f.phone", 2, "c.f.account", 1)
    await office.open("t-2", customer="cus-2")
    await office.end("t-2")
    await office.open("t-3", driver="drv-2")
    found = await office.privacy.export(host, "drv-1")
    json.dumps(found)
    trips = {trip["trip"]: trip for trip in found["trips"]}
    assert set(trips) == {"t-1", "t-2"}
    first = trips["t-1"]
    assert (first["role"], first["state"], first["messages_kept"]) == ("driver", "open", 2)
    assert (first["alias"], first["locale"]) == ("Alias-driver", "id")
    assert first["findings"] == {"phone": 2}
    assert first["number_held"] is True
    assert (trips["t-2"]["state"], trips["t-2"]["number_held"]) == ("closed", False)
    assert trips["t-2"]["closed_at"] >= trips["t-2"]["opened_at"] > 0
    assert found["number_held"] is True
    assert found["requests"][0]["wish"] == "export"


async def test_an_export_holds_nothing_of_anybody_else(
    office: Office, host: Actor, actor: Make
) -> None:
    """Not the other party, no number, no text, no operator, and nothing of a report against it."""
    await office.open("t-1")
    await say(office.store, office.ring, "t-1", Role.DRIVER, "mysecrettext", "m1")
    case = await a_case(office.store, "cus-1", "drv-1")
    agent, boss = actor("budi"), actor("ayu", "supervisor")
    await office.audit.record(agent, "evidence.read", case=case, party="drv-1", trip="t-1")
    await office.sanctions.impose(
        agent, "drv-1", SanctionKind.MUTE, SanctionReason.HARASSMENT, hours=1, case=case,
        note="as the customer said",
    )  # fmt: skip
    await office.sanctions.impose(
        boss, "drv-1", SanctionKind.NEVER_PAIR, SanctionReason.SAFETY, other="cus-1"
    )
    found = await office.privacy.export(host, "drv-1")
    text = json.dumps(found)
    hidden = [
        "cus-1", "Alias-customer", "mysecrettext", case, "budi", "ayu", "host:root", "evidence.read",
        "as the customer said", *PHONES.values(), *(phone[3:] for phone in PHONES.values()),
    ]  # fmt: skip
    assert [one for one in hidden if one in text] == []
    assert found["reports"] == []
    assert {one["kind"] for one in found["sanctions"]} == {"mute", "never_pair"}
    assert "sanction.impose" in {one["act"] for one in found["audit"]}

    reporter = await office.privacy.export(host, "cus-1")
    assert [one["case"] for one in reporter["reports"]] == [case]
    assert reporter["reports"][0]["category"] == "harassment"
    assert "drv-1" not in json.dumps(reporter)
    assert reporter["sanctions"] == []


async def test_a_party_that_was_replaced_hears_of_its_own_time_alone(
    office: Office, host: Actor
) -> None:
    await office.open("t-1")
    await say(office.store, office.ring, "t-1", Role.DRIVER, "halo", "m1")
    await office.parties.joined("drv-2", "t-1")
    record = await office.record("t-1")
    await office.store.pipe.call(
        "HSET", keys.trip("t-1"), "epoch", 2, "e2.d", "drv-2", "e2.c", "cus-1", "d.party", "drv-2",
        "gone.party", "drv-1", "gone.epoch", 1,
    )  # fmt: skip
    assert record[b"e1.d"] == b"drv-1"
    (old,) = (await office.privacy.export(host, "drv-1"))["trips"]
    assert (old["first_epoch"], old["last_epoch"], old["messages_kept"]) == (1, 1, 1)
    assert (old["alias"], old["number_held"], old["findings"]) == (None, False, {})
    (new,) = (await office.privacy.export(host, "drv-2"))["trips"]
    assert (new["first_epoch"], new["last_epoch"], new["messages_kept"]) == (2, 2, 0)


async def test_an_export_is_the_same_whether_or_not_there_is_a_case_about_the_party(
    office: Office, host: Actor
) -> None:
    """What an erasure left undone because of a case would tell the party that it was reported."""
    outcomes = {}
    for party in ("drv-1", "drv-2"):
        await office.open(f"t-{party}", driver=party)
        await office.end(f"t-{party}")
        if party == "drv-2":
            await a_case(office.store, "cus-1", party, f"t-{party}")
        await office.privacy.erase(host, party)
        found = await office.privacy.export(host, party)
        outcomes[party] = [
            [one["outcome"] for one in found[what]] for what in ("requests", "audit")
        ]
    assert outcomes["drv-1"] == outcomes["drv-2"]


async def test_an_export_tells_who_was_blocked_what_the_app_was_told(
    office: Office, host: Actor
) -> None:
    """To that party the channel closed when it was shut out, in the words of any close by hand."""
    await office.open("t-1")
    oversight = Oversight(office.store)
    ends_ms = office.clock.now_ms + HOUR_MS
    assert await oversight.bar("t-1", Role.DRIVER, "drv-1", "all", ends_ms, source="block") == "ok"
    (trip,) = (await office.privacy.export(host, "drv-1"))["trips"]
    assert (trip["state"], trip["reason"]) == ("closed", "closed")
    await office.end("t-1")
    (later,) = (await office.privacy.export(host, "drv-1"))["trips"]
    told = ("state", "reason", "closed_at")
    assert [later[name] for name in told] == [trip[name] for name in told]


@pytest.mark.parametrize("window_s", [0, 3600])
async def test_what_a_party_is_told_does_not_differ_by_a_case_or_a_hold(
    office: Office, host: Actor, window_s: int
) -> None:
    """Before it has its data erased, afterwards, when it asks again, and when it could be done."""
    store, told = office.store, {}
    for what in ("nothing", "case", "held"):
        party, trip = f"drv-{what}", f"t-{what}"
        await office.open(trip, driver=party, report_window_s=window_s)
        await say(store, office.ring, trip, Role.DRIVER, "halo", "m1")
        await office.end(trip)
        if what == "case":
            await a_case(store, "cus-1", party, trip)
        elif what == "held":
            await office.holds.place(host, trip, office.clock.now_ms + HOUR_MS, "a court")
        heard = told[what] = [await _heard(office, host, party)]
        await office.privacy.request(host, party, Wish.ERASE)
        answer = await office.privacy.erase(host, party)
        assert answer["complete"] is (what == "nothing" and not window_s)
        heard.append([answer["told"], await _heard(office, host, party)])
        office.clock.advance(1000)
        await office.privacy.request(host, party, Wish.ERASE)
        answer = await office.privacy.erase(host, party)
        heard.append([answer["told"], await _heard(office, host, party)])
        if what == "case":
            number = keys.partition(trip)
            await store.pipe.call("ZREM", keys.cases(number), *await _cases(store, trip))
        elif what == "held":
            await office.holds.release(host, trip, "the court has it")
        if what != "nothing":
            await office.privacy.erase(host, party)
            assert await Oversight(store).read_kept(trip, 1, 10) == []
        heard.append(await _heard(office, host, party))
        if not window_s:
            assert {one.done_at is None for one in await office.privacy.requests()} == {False}
            assert not any(party.encode() in name for name in await office.record(trip))
    assert told["case"] == told["held"] == told["nothing"]


async def _heard(office: Office, host: Actor, party: str) -> Any:
    """What an export says, without what is another's for each: its id, its trip's, when it was."""
    found = await office.privacy.export(host, party)
    for trip in found["trips"]:
        assert trip.pop("trip") == party.replace("drv", "t")
        assert trip.pop("opened_at") <= trip.pop("closed_at")
        assert "held_until" not in trip
    told = {name: found[name] for name in ("trips", "sanctions", "reports", "number_held")}
    told["requests"] = [
        (one["wish"], one["outcome"], one["done_at"] is None) for one in found["requests"]
        if one["wish"] == "erase"
    ]  # fmt: skip
    told["audit"] = [(one["act"], one["outcome"]) for one in found["audit"]]
    return told


async def test_who_was_blocked_is_told_so_whatever_becomes_of_the_trip(
    office: Office, host: Actor
) -> None:
    """Also where it was replaced, brought back, or the other was, and of what it has erased."""
    store = office.store
    oversight, never_ms = Oversight(store), 2**52

    async def told() -> Any:
        (trip,) = (await office.privacy.export(host, "drv-1"))["trips"]
        return trip

    async def seat(role: Role, party: str, epoch: int) -> None:
        await office.parties.joined(party, "t-1")
        record = PartyRecord(party, "Somebody", "en", b"sealed", f"digest-{party}-{epoch}")
        outcome, _ = await store.reassign(
            "t-1", role, epoch=epoch, party=record, token_ttl_s=600, bars=b"[]", mark=b""
        )
        assert outcome == "reassigned"

    await office.open("t-1", retention_s=86400)
    await say(store, office.ring, "t-1", Role.DRIVER, "halo", "m1")
    await store.pipe.call("HSET", keys.trip("t-1"), "d.f.number", 1)
    await store.pipe.call("HSET", keys.trip("t-1"), "blocked.drv-1", "cus-1")
    before = await told()
    assert (before["state"], before["closed_at"], before["number_held"]) == ("open", None, True)
    assert await oversight.bar("t-1", Role.DRIVER, "drv-1", "all", never_ms, source="block") == "ok"
    first = await told()
    assert (first["state"], first["reason"], first["number_held"]) == ("closed", "closed", False)
    assert (first["deadline"], first["alias"], first["messages_kept"]) == (None, before["alias"], 1)
    assert first["findings"] == {"number": 1}
    # What a node that had not heard of it writes for that party was refused.
    *_, (_, said) = await oversight.read_kept("t-1", 1, 10)
    await store.pipe.call("XADD", keys.log("t-1", 1), "*", *said)
    assert await told() == first
    steps = (
        ("a longer trip", lambda: store.pipe.call("HINCRBY", keys.trip("t-1"), "deadline", 1000)),
        ("another customer", lambda: seat(Role.CUSTOMER, "cus-2", 1)),
        ("the customer again", lambda: seat(Role.CUSTOMER, "cus-1", 2)),
        ("another driver", lambda: seat(Role.DRIVER, "drv-2", 3)),
        ("the driver again", lambda: seat(Role.DRIVER, "drv-1", 4)),
        ("a third driver", lambda: seat(Role.DRIVER, "drv-3", 5)),
        ("the end", lambda: office.end("t-1")),
    )
    for what, act in steps:
        await act()
        assert await told() == first, what
    for party in ("drv-2", "drv-3"):
        (trip,) = (await office.privacy.export(host, party))["trips"]
        assert trip["reason"] == "ended"
    erased = await office.privacy.erase(host, "drv-1")
    assert erased["told"] == "1 trips erased, 0 but for the id, 0 not yet"
    record = await office.record("t-1")
    assert not any(b"drv-1" in part for item in record.items() for part in item)
    assert not any(name.startswith(b"shut.") for name in record)


async def test_what_did_not_arrive_is_forgotten_with_what_is_told_to_be_erased(
    office: Office, host: Actor
) -> None:
    """Whatever stays, nobody learns by asking whether the trip goes on or a case keeps it."""
    oversight, store = Oversight(office.store), office.store
    told: dict[str, list[object]] = {}
    for trip in ("closed", "blocked", "in-a-case"):
        await office.open(trip, driver=f"drv-{trip}", report_window_s=3600)
        await say(store, office.ring, trip, Role.DRIVER, "halo", "m1")
        if trip == "in-a-case":
            await a_case(store, "cus-1", f"drv-{trip}", trip)
        if trip == "blocked":
            party = f"drv-{trip}"
            await oversight.bar(trip, Role.DRIVER, party, "all", 2**52, source="block")
        else:
            await oversight.close_by_hand(trip, "safety")
        for _ in range(2):
            answered: asyncio.Future[object] = asyncio.get_running_loop().create_future()
            store.attach_soon(
                trip, digest="digest-driver", node="n", connection="c", device="", attempt=0,
                epoch=1, after="", after_id="", page=1, pending=["m1", "m2"], callback=answered.set_result,
            )  # fmt: skip
            told.setdefault(trip, []).append(await answered)
            await office.privacy.erase(host, f"drv-{trip}")
    assert told["closed"] == told["blocked"] == told["in-a-case"]
    assert [getattr(found, "undelivered", None) for found in told["closed"]] == [("m1", "m2"), ()]


async def test_who_was_let_in_again_is_told_that_the_channel_is_open(
    office: Office, host: Actor
) -> None:
    await office.open("t-1", report_window_s=3600)
    impose, lift = office.sanctions.impose, office.sanctions.lift
    first = await impose(host, "drv-1", SanctionKind.SUSPEND, SanctionReason.SAFETY)
    (trip,) = (await office.privacy.export(host, "drv-1"))["trips"]
    second = await impose(host, "drv-1", SanctionKind.SUSPEND, SanctionReason.SAFETY)
    await lift(host, "drv-1", first.id, "twice by mistake")
    assert (await office.privacy.export(host, "drv-1"))["trips"] == [trip]
    erased = await office.privacy.erase(host, "drv-1")
    assert (set(erased["stays"]), erased["told"]) == (
        {"open", "sanctions"}, "0 trips erased, 1 but for the id, 0 not yet",
    )  # fmt: skip
    (stripped,) = (await office.privacy.export(host, "drv-1"))["trips"]
    assert stripped == trip | {"alias": None, "locale": None, "messages_kept": 0}
    await lift(host, "drv-1", second.id, "a mistake")

    async def reopened() -> Any:
        (found,) = (await office.privacy.export(host, "drv-1"))["trips"]
        return found["state"] == "open" and found

    again = await until(reopened, "the millisecond in which it was let in")
    assert (again["closed_at"], again["number_held"]) == (None, True)
    assert again["alias"] == trip["alias"]


# --- erase ----------------------------------------------------------------------------------------


async def test_what_is_erased_is_gone_and_what_stays_is_named(office: Office, host: Actor) -> None:
    store = office.store
    for trip in ("closed", "held", "case", "done", "open"):
        await office.open(trip)
        await say(store, office.ring, trip, Role.DRIVER, "halo", "m1")
        if trip != "open":
            await office.end(trip)
    await office.holds.place(host, "held", office.clock.now_ms + HOUR_MS, "a court")
    await a_case(store, "cus-1", "drv-1", "case")
    await a_case(store, "drv-1", "cus-1", "done", state="closed")
    found = await office.privacy.erase(host, "drv-1")
    assert (found["complete"], found["trips_erased"]) == (False, 2)
    assert {what: stays["count"] for what, stays in found["stays"].items()} == {
        "open": 1, "held": 1, "case": 1,
    }  # fmt: skip
    oversight = Oversight(store)
    for trip in ("closed", "done"):
        record = await office.record(trip)
        assert not any(b"drv-1" in part for item in record.items() for part in item)
        assert record[b"d.party"] == record[b"e1.d"] == b"-"
        assert record[b"c.party"] == b"cus-1"
        assert {b"d.alias", b"d.tokens", b"messages_key"}.isdisjoint(record)
        assert await oversight.read_kept(trip, 1, 10) == []
        assert await oversight.timeline(trip) == []
    for trip in ("held", "case", "open"):
        assert (await office.record(trip))[b"d.party"] == b"drv-1"
        assert len(await oversight.read_kept(trip, 1, 10)) == 2
    assert sorted(await office.parties.trips("drv-1")) == ["case", "held", "open"]

    await office.holds.release(host, "held", "the court has it")
    await store.pipe.call("ZREM", keys.cases(keys.partition("case")), *await _cases(store, "case"))
    await office.end("open")
    again = await office.privacy.erase(host, "drv-1")
    assert (again["complete"], again["trips_erased"], again["stays"]) == (True, 3, {})
    assert await office.parties.trips("drv-1") == []
    (request,) = await office.privacy.requests()
    assert request.done_at is not None
    assert (await office.privacy.export(host, "drv-1"))["trips"] == []
    # For the other party the trip is what it was, but for what was said there.
    assert [one["trip"] for one in (await office.privacy.export(host, "cus-1"))["trips"]]


async def _cases(store: Store, trip: str) -> list[bytes]:
    cases: list[bytes] = await store.pipe.call("ZRANGE", keys.cases(keys.partition(trip)), 0, -1)
    return cases


async def test_who_erases_himself_can_still_be_reported_in_the_window(
    office: Office, host: Actor
) -> None:
    await office.open("t-1", report_window_s=3600)
    await say(office.store, office.ring, "t-1", Role.DRIVER, "halo", "m1")
    await office.end("t-1")
    found = await office.privacy.erase(host, "drv-1")
    assert (found["complete"], set(found["stays"])) == (False, {"window"})
    record = await office.record("t-1")
    assert record[b"d.party"] == b"drv-1"
    assert {b"d.alias", b"messages_key"}.isdisjoint(record)
    await office.store.pipe.call("HSET", keys.trip("t-1"), "closed", 1)
    assert (await office.privacy.erase(host, "drv-1"))["complete"] is True
    assert (await office.record("t-1"))[b"d.party"] == b"-"


async def test_an_erasure_leaves_the_reports_of_another_whose_id_begins_alike(
    office: Office, host: Actor
) -> None:
    """An id may hold dots: `drv.1` is not the party `drv`."""
    await office.open("t-1", driver="drv", customer="drv.1")
    await office.end("t-1")
    for party in ("drv", "drv.1"):
        await a_case(office.store, party, "somebody", state="closed")
    await office.privacy.erase(host, "drv")
    fields = {name for name in await office.record("t-1") if name.startswith(b"report.")}
    assert fields == {b"report.drv.1.r1"}


async def test_an_erasure_is_no_way_out_of_a_sanction(office: Office, host: Actor) -> None:
    impose = office.sanctions.impose
    await impose(host, "drv-1", SanctionKind.WARN, SanctionReason.HARASSMENT)
    stop = await impose(host, "drv-1", SanctionKind.SUSPEND, SanctionReason.THREAT)
    found = await office.privacy.erase(host, "drv-1")
    assert (found["sanctions_erased"], found["stays"]["sanctions"]["count"]) == (1, 1)
    assert await office.sanctions.of("drv-1") == [stop]
    assert await office.sanctions.listed() == [stop]
    assert (await office.sanctions.standing(["drv-1", "cus-1"])).refusal == "suspended"


# --- restrict -------------------------------------------------------------------------------------


async def test_a_restricted_party_gets_no_channel_until_that_ends(
    office: Office, host: Actor
) -> None:
    await office.privacy.restrict(host, "cus-1", on=True)
    since = await office.parties.restricted("cus-1")
    assert since == office.clock.now_ms
    assert (await office.sanctions.standing(["drv-1", "cus-1"])).refusal == "restricted"
    office.clock.advance(1000)
    await office.privacy.restrict(host, "cus-1", on=True)
    assert await office.parties.restricted("cus-1") == since
    assert (await office.privacy.export(host, "cus-1"))["restricted_since"] == since
    await office.privacy.restrict(host, "cus-1", on=False)
    assert (await office.sanctions.standing(["drv-1", "cus-1"])).refusal == ""
    page = await Events(office.store).waiting(10)
    assert [event["kind"] for event in page.events] == [
        "privacy.restricted", "privacy.restricted", "privacy.unrestricted",
    ]  # fmt: skip


async def test_an_open_under_way_does_not_slip_past_a_restriction(
    office: Office, host: Actor
) -> None:
    """As with a sanction: the node stands still between what it reads and the opening."""
    standing = await office.sanctions.standing(["drv-1", "cus-1"], trip="t-1")
    assert standing.refusal == ""
    await office.privacy.restrict(host, "drv-1", on=True)
    assert await open_channel(office.store, office.ring, office.clock.now_ms, "t-1") == "raced"


# --- requests -------------------------------------------------------------------------------------


async def test_a_request_has_3_times_24_hours_from_when_it_was_received(
    office: Office, host: Actor
) -> None:
    clock = office.clock
    begun = clock.now_ms - HOUR_MS
    asked = await office.privacy.request(host, "drv-1", Wish.EXPORT, received_at=begun)
    assert (asked.due_at, LIMIT_MS) == (begun + 72 * HOUR_MS, 72 * HOUR_MS)
    clock.advance(HOUR_MS)
    assert await office.privacy.request(host, "drv-1", Wish.EXPORT) == asked
    other = await office.privacy.request(host, "drv-1", Wish.ERASE)
    assert await office.privacy.requests(open_only=True) == [asked, other]
    clock.advance(71 * HOUR_MS)
    await office.privacy.export(host, "drv-1")
    await office.privacy.erase(host, "drv-1")
    late, timely = await office.privacy.requests()
    assert (late.id, timely.id) == (asked.id, other.id)
    assert late.done_at == timely.done_at == clock.now_ms
    assert late.outcome.endswith("; late")
    assert "late" not in timely.outcome
    assert await office.privacy.requests(open_only=True) == []


async def test_every_request_and_outcome_is_in_the_audit_log(office: Office, host: Actor) -> None:
    await office.privacy.export(host, "drv-1")
    await office.privacy.erase(host, "drv-1")
    await office.privacy.restrict(host, "drv-1", on=True)
    entries = await office.audit.page(party="drv-1")
    assert [(one.act, bool(one.outcome)) for one in reversed(entries)] == [
        ("privacy.request", False), ("privacy.export", False), ("privacy.export", True),
        ("privacy.request", False), ("privacy.erase", False), ("privacy.erase", True),
        ("privacy.request", False), ("privacy.restrict", False), ("privacy.restrict", True),
    ]  # fmt: skip
    assert {(one.actor, one.via) for one in entries} == {("host:root", "host")}


async def test_nothing_is_done_that_cannot_be_written_down(
    office: Office, host: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.open("t-1")
    await office.end("t-1")

    async def away(*_: object, **__: object) -> int:
        raise StoreError("away")

    monkeypatch.setattr(office.audit, "record", away)
    for act in (
        office.privacy.export(host, "drv-1"),
        office.privacy.erase(host, "drv-1"),
        office.privacy.restrict(host, "drv-1", on=True),
    ):
        with pytest.raises(StoreError):
            await act
    assert (await office.record("t-1"))[b"d.party"] == b"drv-1"
    assert await office.parties.restricted("drv-1") is None
    assert await office.privacy.requests() == []


async def test_who_may_and_what_cannot_be(office: Office, host: Actor, actor: Make) -> None:
    privacy, agent = office.privacy, actor("budi")
    for act in (
        privacy.export(agent, "drv-1"), privacy.erase(agent, "drv-1"),
        privacy.restrict(agent, "drv-1", on=True), privacy.request(agent, "drv-1", Wish.EXPORT),
    ):  # fmt: skip
        await refused(act, OpsCode.NOT_ALLOWED)
    await refused(privacy.export(host, "no name"), OpsCode.INVALID, "party")
    now_ms = office.clock.now_ms
    for received in (now_ms + 1, now_ms - 366 * 24 * HOUR_MS):
        await refused(
            privacy.request(host, "drv-1", Wish.EXPORT, received_at=received),
            OpsCode.INVALID,
            "received",
        )


@pytest.mark.parametrize("typed", ["081234567890", "6281234567890"])
async def test_a_number_that_is_typed_for_the_party_is_not_written_down(
    office: Office, host: Actor, typed: str
) -> None:
    """Whoever asks for its data tends to give its number, and the audit log forgets nothing."""
    await refused(office.privacy.request(host, typed, Wish.EXPORT), OpsCode.INVALID, "party")
    assert await office.audit.page() == []
    assert await office.privacy.requests() == []


async def test_an_id_that_reads_as_a_number_is_one_if_the_relay_knows_the_party(
    office: Office, host: Actor
) -> None:
    """Some platforms' ids are bare digits."""
    for known, party in enumerate(("81200000001", "81200000002", "81200000003")):
        await refused(office.privacy.request(host, party, Wish.EXPORT), OpsCode.INVALID, "party")
        if known == 0:
            await office.open("t-1", driver=party)
        elif known == 1:
            await a_case(office.store, "cus-1", party, "t-2", state="closed")
        else:
            await office.parties.restrict(party, office.clock.now_ms)
        assert (await office.privacy.request(host, party, Wish.EXPORT)).party == party
