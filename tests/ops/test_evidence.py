"""Reading evidence: by whom, when, what is written down first, and what is told afterwards."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from relay.core.casework import Category, Outcome, ReadingPurpose
from relay.core.frames import Report, ReportedItem
from relay.core.ids import Role
from relay.ops.actor import Actor
from relay.ops.holds import Holds
from relay.ops.notices import batch_at_ms
from relay.ops.refusals import OpsCode, Refused
from relay.ops.reports import Reporter
from relay.store import keys
from relay.store.endpoint import StoreError
from relay.store.oversight import Oversight
from relay.store.records import PartyRecord
from relay.store.reporting import Found, ReportRecords
from relay.store.store import Store
from relay.vault.ring import KeyRing, Purpose

from .casework import DAY_MS, SAID, Bureau, bureau_of
from .conftest import Clock

ASSESS = ReadingPurpose.ASSESS


class Ring:
    """A key ring of which a test can destroy keys."""

    def __init__(self, ring: KeyRing) -> None:
        self.ring = ring

    def __call__(self) -> KeyRing:
        return self.ring

    def destroy(self, purpose: Purpose) -> None:
        self.ring = self.ring.without({key.id for key in self.ring if key.purpose is purpose})


@pytest.fixture
def live(ring: KeyRing) -> Ring:
    return Ring(ring)


@pytest.fixture
def bureau(store: Store, live: Ring, clock: Callable[[], int]) -> Bureau:
    return bureau_of(store, live, clock)


async def _refused(act: object, code: OpsCode) -> Refused:
    with pytest.raises(Refused) as caught:
        await act  # type: ignore[misc]
    assert caught.value.code is code
    return caught.value


async def _notices(bureau: Bureau) -> list[tuple[str, int]]:
    """(trip and party, when) of every notice that waits."""
    found = []
    for number in range(keys.PARTITIONS):
        reply = await bureau.store.pipe.call("ZRANGE", keys.notices(number), 0, -1, "WITHSCORES")
        found += [
            (name.decode(), int(at)) for name, at in zip(reply[::2], reply[1::2], strict=True)
        ]
    return sorted(found)


async def _nothing_shows(bureau: Bureau) -> None:
    """No reading was counted, no notice waits."""
    assert await _notices(bureau) == []
    assert not [
        key for key in await bureau.store.pipe.call("KEYS", "*:watch:*") if b"readings" in key
    ]


# --- the evidence ---------------------------------------------------------------------------------


async def test_the_assignee_reads_what_was_reported_and_what_stood_around_it(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu = actor("ayu")
    case = await bureau.taken("trip-1", ayu)
    opened = await bureau.evidence.read(ayu, case, ASSESS)
    assert opened.note == "I am afraid of him"
    (item,) = opened.items
    assert (item.id, item.sender, item.text, item.proof) == (
        "m4", "reported", "I will find out where you live", "proven",
    )  # fmt: skip
    assert [(one.id, one.sender, one.text, one.reported) for one in opened.window] == [
        (name, "reported" if role is Role.DRIVER else "reporter", text, name == "m4")
        for name, role, text in SAID
    ]
    (entry,) = await bureau.entries(case, "evidence.read")
    assert (entry.actor, entry.reason, entry.outcome) == ("ayu", "assess_report", "")
    assert (entry.trip, entry.party) == ("trip-1", "drv-1")
    # Nobody who prints it by mistake has it in a log.
    for _, _, text in SAID:
        assert text not in repr(opened)
        assert text not in repr(opened.items) + repr(opened.window)
    assert "afraid" not in repr(opened)


async def test_evidence_is_for_the_assignee_in_a_console_session(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu, budi, sri = actor("ayu"), actor("budi"), actor("sri", "supervisor")
    case = await bureau.case("trip-1")
    read = bureau.evidence.read
    await _refused(read(ayu, case, ASSESS), OpsCode.CONFLICT)  # nobody has it yet
    await bureau.cases.assign(ayu, case, "ayu")
    await _refused(read(budi, case, ASSESS), OpsCode.NOT_ALLOWED)
    await _refused(read(sri, case, ASSESS), OpsCode.NOT_ALLOWED)
    for via in ("key", "host", "relay"):
        await _refused(read(actor("ayu", "agent", via), case, ASSESS), OpsCode.NOT_ALLOWED)
        await _refused(read(actor("ayu", "supervisor", via), case, ASSESS), OpsCode.NOT_ALLOWED)
    await _refused(read(ayu, "c1-0a1b2c3d", ASSESS), OpsCode.NOT_FOUND)
    await bureau.cases.close(ayu, case, Outcome.UPHELD, "")
    await _refused(read(ayu, case, ReadingPurpose.APPEAL), OpsCode.CONFLICT)
    assert await bureau.entries(act="evidence.read") == []
    await _nothing_shows(bureau)


async def test_numbers_that_a_reporter_writes_are_not_shown_to_staff(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu = actor("ayu")
    await bureau.trip("trip-1")
    claimed = ReportedItem(1, "1790000000000-0000", "x1", "peer", "wa saya 0812 3456 7890", "bad")
    report = Report("r9", Category.ASKED_CONTACT, "nomor saya 081298765432", items=[claimed])
    assert await bureau.reports.take(Reporter("trip-1", Role.CUSTOMER, 1, "id"), report) is None
    (case,) = await Oversight(bureau.store).cases_of("trip-1")
    await bureau.cases.assign(ayu, case, "ayu")
    opened = await bureau.evidence.read(ayu, case, ASSESS)
    assert opened.note == "nomor saya •••"
    (item,) = opened.items
    assert (item.text, item.proof) == ("wa saya •••", "forged")


async def test_a_number_that_a_reporter_writes_in_pieces_is_not_shown_either(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu = actor("ayu")
    await bureau.trip("trip-1")
    claimed = [
        ReportedItem(1, f"179000000000{place}-0000", f"x{place}", "peer", text)
        for place, text in enumerate(("nomor saya 0812", "9876", "5432"))
    ]
    report = Report("r9", Category.ASKED_CONTACT, items=claimed)
    assert await bureau.reports.take(Reporter("trip-1", Role.CUSTOMER, 1, "id"), report) is None
    (case,) = await Oversight(bureau.store).cases_of("trip-1")
    await bureau.cases.assign(ayu, case, "ayu")
    opened = await bureau.evidence.read(ayu, case, ASSESS)
    shown = "".join(char for item in opened.items for char in item.text if char.isdigit())
    assert len(shown) < 8


async def test_a_case_that_goes_away_while_it_is_opened_is_not_read(
    bureau: Bureau, actor: Callable[..., Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    ayu = actor("ayu")
    case = await bureau.taken("trip-1", ayu)
    record = bureau.audit.record

    async def hand_over_meanwhile(*args: object, **options: object) -> int:
        number = await record(*args, **options)  # type: ignore[arg-type]
        monkeypatch.undo()
        await bureau.cases.hand_over(ayu, case, "budi", "Meanwhile")
        return number

    monkeypatch.setattr(bureau.audit, "record", hand_over_meanwhile)
    await _refused(bureau.evidence.read(ayu, case, ASSESS), OpsCode.NOT_ALLOWED)
    assert [entry.outcome for entry in await bureau.entries(case, "evidence.read")] == [
        "", "not_allowed",
    ]  # fmt: skip
    await _nothing_shows(bureau)


async def test_evidence_is_not_opened_while_the_audit_log_cannot_be_written(
    bureau: Bureau, actor: Callable[..., Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    ayu, sri = actor("ayu"), actor("sri", "supervisor")
    case = await bureau.taken("trip-1", ayu)
    await bureau.evidence.ask_widening(ayu, case, "To see how it began")
    await bureau.approved(sri, case)
    opened = []
    monkeypatch.setattr(
        "relay.ops.evidence.open_evidence", lambda *args, **options: opened.append(args)
    )
    monkeypatch.setattr("relay.ops.evidence.unwrap", lambda *args, **options: opened.append(args))
    await bureau.full(True)
    try:
        for act in (
            bureau.evidence.read(ayu, case, ASSESS),
            bureau.evidence.read_wide(ayu, case, ASSESS),
            bureau.evidence.ask_widening(ayu, case, "Again"),
        ):
            with pytest.raises(StoreError):
                await act
    finally:
        await bureau.full(False)
    assert opened == []
    await _nothing_shows(bureau)


async def test_evidence_whose_time_is_over_is_gone(
    bureau: Bureau, actor: Callable[..., Actor], clock: Callable[[], int], live: Ring
) -> None:
    ayu = actor("ayu")
    read = bureau.evidence.read
    by_time = await bureau.taken("trip-1", ayu)
    detail = await bureau.cases.detail(by_time)
    assert detail is not None
    assert detail.evidence_until is not None
    clock.now_ms = detail.evidence_until  # type: ignore[attr-defined]
    await _refused(read(ayu, by_time, ASSESS), OpsCode.GONE)
    clock.now_ms -= 1  # type: ignore[attr-defined]
    await read(ayu, by_time, ASSESS)

    swept = await bureau.taken("trip-2", ayu)
    await bureau.store.pipe.call("HDEL", keys.case(keys.partition("trip-2"), swept), "evidence")
    await _refused(read(ayu, swept, ASSESS), OpsCode.GONE)

    live.destroy(Purpose.EVIDENCE)
    await _refused(read(ayu, by_time, ASSESS), OpsCode.GONE)
    # That it was tried is written down, with what came of it.
    assert [entry.outcome for entry in await bureau.entries(by_time, "evidence.read")] == [
        "", "gone", "", "", "gone",
    ]  # fmt: skip


async def test_a_hold_that_is_placed_again_keeps_the_sealed_evidence_as_well(
    bureau: Bureau, live: Ring, actor: Callable[..., Actor], clock: Clock
) -> None:
    """The key that sealed it goes when its week and the longest retention are over."""
    ayu, sri = actor("ayu"), actor("sri", "supervisor")
    case, began_ms = await bureau.taken("trip-1", ayu), clock.now_ms
    holds = Holds(
        bureau.store, bureau.parties, bureau.audit, ring=live, now_ms=clock,
        random_bytes=os.urandom, longest_hold_s=10 * 86400,
    )  # fmt: skip
    await holds.place(sri, "trip-1", began_ms + 9 * DAY_MS, "A court asks")
    clock.advance(8 * DAY_MS)
    await holds.place(sri, "trip-1", began_ms + 18 * DAY_MS, "It still does")
    clock.advance(9 * DAY_MS + DAY_MS // 2)
    due = live.ring.due(clock.now_ms, 3_600_000, DAY_MS, 10 * DAY_MS)
    live.ring = live.ring.without({key.id for key in due})
    await bureau.evidence.ask_widening(ayu, case, "To see that the messages are there")
    await bureau.approved(sri, case)
    assert len(await bureau.evidence.read_wide(ayu, case, ASSESS)) == len(SAID)
    assert (await bureau.evidence.read(ayu, case, ASSESS)).items


async def test_evidence_of_another_case_does_not_open(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu = actor("ayu")
    one, other = await bureau.taken("trip-1", ayu), await bureau.taken("trip-2", ayu)
    moved = await bureau.store.pipe.call(
        "HGET", keys.case(keys.partition("trip-1"), one), "evidence"
    )
    await bureau.store.pipe.call(
        "HSET", keys.case(keys.partition("trip-2"), other), "evidence", moved
    )
    caught = await _refused(bureau.evidence.read(ayu, other, ASSESS), OpsCode.GONE)
    assert "damaged" in caught.detail


async def test_what_a_party_has_restricted_is_read_for_a_legal_request_only(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    sri, ayu = actor("sri", "supervisor"), actor("ayu")
    case = await bureau.taken("trip-1", sri)
    for party in ("drv-1", "cus-1"):
        await bureau.parties.restrict(party, 1)
        for purpose in (ASSESS, ReadingPurpose.APPEAL, ReadingPurpose.SUPERVISION):
            await _refused(bureau.evidence.read(sri, case, purpose), OpsCode.NOT_ALLOWED)
        await bureau.evidence.read(sri, case, ReadingPurpose.LEGAL)
        await bureau.parties.restrict(party, None)
    # An agent does not choose that purpose to get around it.
    await bureau.cases.hand_over(sri, case, "ayu", "For the night")
    await bureau.parties.restrict("drv-1", 1)
    await _refused(bureau.evidence.read(ayu, case, ReadingPurpose.LEGAL), OpsCode.NOT_ALLOWED)


# --- beyond it ------------------------------------------------------------------------------------


async def test_a_second_person_lets_the_assignee_read_everything_for_minutes(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu, sri = actor("ayu"), actor("sri", "supervisor")
    case = await bureau.taken("trip-1", ayu, posts=("m4",))
    await _refused(bureau.evidence.read_wide(ayu, case, ASSESS), OpsCode.NOT_ALLOWED)
    await bureau.evidence.ask_widening(ayu, case, "To see how it began")
    await _refused(bureau.evidence.read_wide(ayu, case, ASSESS), OpsCode.NOT_ALLOWED)
    until = await bureau.approved(sri, case)
    for _ in range(2):
        messages = await bureau.evidence.read_wide(ayu, case, ASSESS)
        assert [(one.id, one.text, one.reported) for one in messages] == [
            (name, text, name == "m4") for name, _, text in SAID
        ]
    detail = await bureau.cases.detail(case)
    assert detail is not None
    assert detail.widening is not None
    assert (detail.widening.asked_by, detail.widening.allowed_by) == ("ayu", "sri")
    assert detail.widening.until == until
    # What is said after that is seen as well: it is read live, and nothing of it was kept.
    await _refused(bureau.evidence.read_wide(sri, case, ASSESS), OpsCode.NOT_ALLOWED)
    await _refused(
        bureau.evidence.read_wide(actor("ayu", via="key"), case, ASSESS), OpsCode.NOT_ALLOWED
    )
    await bureau.set_fields(case, wide__until=1)
    await _refused(bureau.evidence.read_wide(ayu, case, ASSESS), OpsCode.GONE)
    assert [
        (entry.act, entry.actor, entry.outcome)
        for entry in await bureau.entries(case)
        if entry.act.startswith("evidence")
    ] == [
        ("evidence.widen_read", "ayu", "none"),
        ("evidence.widen_ask", "ayu", ""),
        ("evidence.widen_read", "ayu", "none"),
        ("evidence.widen_approve", "sri", ""),
        ("evidence.widen_read", "ayu", ""),
        ("evidence.widen_read", "ayu", ""),
        ("evidence.widen_read", "ayu", "stale"),
    ]


async def test_a_legal_request_goes_beyond_the_evidence_in_spite_of_a_restriction(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    """As the refusal says: by a supervisor, for a legal request."""
    sri, dewi = actor("sri", "supervisor"), actor("dewi", "supervisor")
    case = await bureau.taken("trip-1", sri)
    await bureau.parties.restrict("drv-1", 1)
    await bureau.evidence.ask_widening(sri, case, "A court asks for all of it")
    await bureau.approved(dewi, case)
    assert await bureau.evidence.read_wide(sri, case, ReadingPurpose.LEGAL)
    await _refused(bureau.evidence.read_wide(sri, case, ASSESS), OpsCode.NOT_ALLOWED)


async def test_the_log_is_read_while_it_is_kept_and_no_longer(
    bureau: Bureau, actor: Callable[..., Actor], live: Ring
) -> None:
    ayu, sri = actor("ayu"), actor("sri", "supervisor")
    case = await bureau.taken("trip-1", ayu)
    await bureau.store.end("trip-1", grace_s=0, detail="completed")
    await bureau.evidence.ask_widening(ayu, case, "To see how it began")
    await bureau.approved(sri, case)
    assert len(await bureau.evidence.read_wide(ayu, case, ASSESS)) == len(SAID)
    await bureau.trip("trip-2", retention_s=0)
    other = await bureau.report("trip-2")
    await bureau.cases.assign(ayu, other, "ayu")
    await bureau.store.end("trip-2", grace_s=0, detail="completed")
    await bureau.evidence.ask_widening(ayu, other, "To see how it began")
    await bureau.approved(sri, other)
    await _refused(bureau.evidence.read_wide(ayu, other, ASSESS), OpsCode.GONE)
    # What was kept as evidence is still there.
    assert len((await bureau.evidence.read(ayu, other, ASSESS)).window) == len(SAID)
    live.destroy(Purpose.MESSAGES)
    await _refused(bureau.evidence.read_wide(ayu, case, ASSESS), OpsCode.GONE)


async def test_what_was_refused_is_no_evidence_after_a_reassignment_either(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    """Who is stopped is replaced next; what a node had written for it blindly lies there still."""
    ayu, sri, store = actor("ayu"), actor("sri", "supervisor"), bureau.store
    case = await bureau.taken("trip-1", ayu)
    oversight, never_ms = Oversight(store), 2**52
    outcome = await oversight.bar("trip-1", Role.DRIVER, "drv-1", "all", never_ms, source="s1")
    assert outcome == "ok"
    # An entry is bound to its place in the trip, and not to its time.
    *_, (_, said) = await oversight.read_kept("trip-1", 1, 100)
    await store.pipe.call("XADD", keys.log("trip-1", 1), "*", *said)
    party = PartyRecord("drv-2", "Alias", "id", b"", "digest")
    outcome, _ = await store.reassign(
        "trip-1", Role.DRIVER, epoch=1, party=party, token_ttl_s=600, bars=b"[]", mark=b""
    )
    assert outcome == "reassigned"
    await bureau.evidence.ask_widening(ayu, case, "To see how it ended")
    await bureau.approved(sri, case)
    shown = await bureau.evidence.read_wide(ayu, case, ASSESS)
    assert [one.text for one in shown] == [text for _, _, text in SAID]
    # Nor is it sealed with a report that comes later.
    found = await ReportRecords(store).look("trip-1", Role.CUSTOMER, 2, "r-late", 1, [])
    assert isinstance(found, Found)
    assert found.bars.shuts_out("d", 0)


async def test_nobody_allows_it_to_himself(bureau: Bureau, actor: Callable[..., Actor]) -> None:
    ayu, budi, sri = actor("ayu"), actor("budi"), actor("sri", "supervisor")
    dewi = actor("dewi", "supervisor")
    case = await bureau.taken("trip-1", sri)
    approve = bureau.approved
    await bureau.evidence.ask_widening(sri, case, "To see how it began")
    await _refused(approve(sri, case), OpsCode.NOT_ALLOWED)
    await _refused(approve(budi, case), OpsCode.NOT_ALLOWED)
    await _refused(approve(actor("dewi", "supervisor", "key"), case), OpsCode.NOT_ALLOWED)
    await _refused(approve(actor("dewi", "supervisor", "host"), case), OpsCode.NOT_ALLOWED)
    await _refused(bureau.evidence.read_wide(sri, case, ASSESS), OpsCode.NOT_ALLOWED)
    # Not by giving the case away and allowing it then, either.
    await bureau.cases.hand_over(sri, case, "ayu", "Take it")
    await _refused(approve(sri, case), OpsCode.NOT_ALLOWED)
    await bureau.evidence.ask_widening(ayu, case, "To see how it began")
    await approve(dewi, case)
    await _refused(approve(sri, case), OpsCode.CONFLICT)
    await bureau.evidence.read_wide(ayu, case, ASSESS)
    entries = await bureau.entries(case, "evidence.widen_approve")
    assert [(entry.actor, entry.outcome) for entry in entries] == [
        ("sri", ""), ("sri", "none"), ("dewi", ""), ("sri", ""), ("sri", "done"),
    ]  # fmt: skip


async def test_a_request_that_has_been_made_anew_is_not_allowed_by_the_old_page(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu, sri = actor("ayu"), actor("sri", "supervisor")
    case = await bureau.taken("trip-1", ayu)
    await bureau.evidence.ask_widening(ayu, case, "To see how it began")
    shown = await bureau.cases.detail(case)
    assert shown is not None and shown.widening is not None
    await bureau.evidence.ask_widening(ayu, case, "For myself")
    request = shown.widening.request
    await _refused(bureau.evidence.approve_widening(sri, case, request), OpsCode.CONFLICT)
    assert await bureau.approved(sri, case)


async def test_who_asked_may_not_allow_it_though_the_check_before_was_passed(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    # The script itself refuses, whatever the code before it says.
    sri = actor("sri", "supervisor")
    case = await bureau.taken("trip-1", sri)
    await bureau.evidence.ask_widening(sri, case, "To see how it began")
    for who, request, outcome in (("sri", 1, "own"), ("dewi", 2, "moved")):
        assert await bureau.records.wide(case, "approve", who, request, wait_s=600, last_s=600) == (
            outcome,
            0,
        )


async def test_asking_and_allowing_have_ten_minutes_each(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu, sri = actor("ayu"), actor("sri", "supervisor")
    case = await bureau.taken("trip-1", ayu)
    await _refused(bureau.approved(sri, case), OpsCode.NOT_ALLOWED)
    await bureau.evidence.ask_widening(ayu, case, "To see how it began")
    detail = await bureau.cases.detail(case)
    assert detail is not None
    assert detail.widening is not None
    asked_at = detail.widening.asked_at
    assert detail.widening.ask_until - asked_at == 600_000
    await bureau.set_fields(case, wide__at=asked_at - 600_000)
    await _refused(bureau.approved(sri, case), OpsCode.GONE)
    await bureau.evidence.ask_widening(ayu, case, "To see how it began")
    until = await bureau.approved(sri, case)
    detail = await bureau.cases.detail(case)
    assert detail is not None
    assert detail.widening is not None
    assert 600_000 <= until - detail.widening.asked_at < 630_000
    await bureau.set_fields(case, wide__until=until - 600_000)
    await _refused(bureau.evidence.read_wide(ayu, case, ASSESS), OpsCode.GONE)
    # Asking again needs allowing again.
    await bureau.evidence.ask_widening(ayu, case, "Once more")
    await _refused(bureau.evidence.read_wide(ayu, case, ASSESS), OpsCode.NOT_ALLOWED)


async def test_the_permission_ends_when_the_case_goes_to_another(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu, budi, sri = actor("ayu"), actor("budi"), actor("sri", "supervisor")
    case = await bureau.taken("trip-1", ayu)
    await bureau.evidence.ask_widening(ayu, case, "To see how it began")
    await bureau.approved(sri, case)
    await bureau.cases.hand_over(ayu, case, "budi", "Over to you")
    await _refused(bureau.evidence.read_wide(budi, case, ASSESS), OpsCode.NOT_ALLOWED)
    await bureau.cases.hand_over(budi, case, "ayu", "And back")
    await _refused(bureau.evidence.read_wide(ayu, case, ASSESS), OpsCode.NOT_ALLOWED)


# --- the people concerned are told ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("read_at", "told_at"),
    [
        ("2026-03-01T00:00", "2026-03-02T03:00"),
        ("2026-03-01T02:59", "2026-03-02T03:00"),
        ("2026-03-01T03:00", "2026-03-02T03:00"),
        ("2026-03-01T03:01", "2026-03-03T03:00"),
        ("2026-02-27T23:59", "2026-03-01T03:00"),
    ],
)
def test_notices_go_out_at_night_a_day_later(read_at: str, told_at: str) -> None:
    def ms(text: str) -> int:
        return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)

    assert batch_at_ms(ms(read_at), 86_400) == ms(told_at)


async def _let_be_due(bureau: Bureau, trip: str, *, latest: bool = False) -> None:
    """Make a trip's notices due now: their times are compared with the store's own clock."""
    number = keys.partition(trip)
    for name, _ in await _notices(bureau):
        if name.startswith(f"{trip} "):
            await bureau.store.pipe.call("ZADD", keys.notices(number), "XX", 1, name)
            if latest:
                held = f"{keys.tag(number)}:notices_held"
                raw = await bureau.store.pipe.call("HGET", held, name)
                found, _, rest = raw.decode().partition('"latest":')
                _, comma, rest = rest.partition(",") if "," in rest else ("", "}", "")
                await bureau.store.pipe.call("HSET", held, name, f'{found}"latest":1{comma}{rest}')


async def test_both_parties_are_told_alike_once_and_later(
    bureau: Bureau, actor: Callable[..., Actor], clock: Callable[[], int]
) -> None:
    ayu = actor("ayu")
    case = await bureau.taken("trip-1", ayu)
    for _ in range(3):
        await bureau.evidence.read(ayu, case, ASSESS)
    await bureau.evidence.read(ayu, case, ReadingPurpose.LEGAL)
    due_ms = batch_at_ms(clock(), 86_400)
    assert await _notices(bureau) == [("trip-1 cus-1", due_ms), ("trip-1 drv-1", due_ms)]
    assert await bureau.notices.send_due() == 0
    # While the case is open, a notice would show that there is one.
    await _let_be_due(bureau, "trip-1")
    assert await bureau.notices.send_due() == 0
    assert await bureau.told("evidence.read") == []
    assert all(at > clock() for _, at in await _notices(bureau))
    await bureau.cases.close(ayu, case, Outcome.UPHELD, "")
    assert await bureau.notices.send_due() == 0  # in the next batch, not at the close
    await _let_be_due(bureau, "trip-1")
    assert await bureau.notices.send_due() == 2
    told = await bureau.told("evidence.read")
    today = datetime.fromtimestamp(clock() / 1000, UTC).date().isoformat()
    assert sorted(event["party"] for event in told) == ["cus-1", "drv-1"]
    # Nothing but the name tells the one from the other.
    assert [{key: event[key] for key in event if key not in ("id", "at", "party")} for event in told] == [
        {"kind": "evidence.read", "trip": "trip-1", "read_on": today,
         "purposes": ["assess_report", "legal_request"]},
    ] * 2  # fmt: skip
    assert await bureau.notices.send_due() == 0
    assert await _notices(bureau) == []


async def test_an_open_case_delays_a_notice_for_a_week_at_most(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu = actor("ayu")
    case = await bureau.taken("trip-1", ayu)
    await bureau.evidence.read(ayu, case, ASSESS)
    await _let_be_due(bureau, "trip-1", latest=True)
    assert await bureau.notices.send_due() == 2
    assert len(await bureau.told("evidence.read")) == 2


async def test_a_reading_beyond_the_evidence_is_told_as_well(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu, sri = actor("ayu"), actor("sri", "supervisor")
    case = await bureau.taken("trip-1", ayu)
    await bureau.evidence.ask_widening(ayu, case, "To see how it began")
    await bureau.approved(sri, case)
    assert await _notices(bureau) == []
    await bureau.evidence.read_wide(ayu, case, ASSESS)
    assert len(await _notices(bureau)) == 2


async def test_notices_go_out_once_though_several_nodes_send_them(
    bureau: Bureau, other_store: Store, actor: Callable[..., Actor]
) -> None:
    other = bureau_of(other_store, bureau.ring, bureau.clock)
    ayu = actor("ayu")
    for number in range(20):
        case = await bureau.taken(f"trip-{number}", ayu)
        await bureau.evidence.read(ayu, case, ASSESS)
        await bureau.cases.close(ayu, case, Outcome.UPHELD, "")
        await _let_be_due(bureau, f"trip-{number}")
    sent = await asyncio.gather(*(one.notices.send_due() for one in (bureau, other, bureau, other)))
    assert sum(sent) == 40
    told = [(event["trip"], event["party"]) for event in await bureau.told("evidence.read")]
    assert len(told) == len(set(told)) == 40


# --- nothing lies about ---------------------------------------------------------------------------


async def test_no_text_is_in_the_store_but_sealed(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu, sri = actor("ayu"), actor("sri", "supervisor")
    case = await bureau.taken("trip-1", ayu)
    await bureau.evidence.read(ayu, case, ASSESS)
    await bureau.evidence.ask_widening(ayu, case, "To see how it began")
    await bureau.approved(sri, case)
    await bureau.evidence.read_wide(ayu, case, ASSESS)
    dumped = b""
    for key in await bureau.store.pipe.call("KEYS", "*"):
        kind = (await bureau.store.pipe.call("TYPE", key)).decode()
        read = {
            "hash": ("HGETALL", key), "stream": ("XRANGE", key, "-", "+"), "string": ("GET", key),
            "zset": ("ZRANGE", key, "0", "-1"), "list": ("LRANGE", key, "0", "-1"),
            "set": ("SMEMBERS", key),
        }[kind]  # fmt: skip
        dumped += repr(await bureau.store.pipe.call(*read)).encode()
    assert b"To see how it began" in dumped
    for text in [*(text for _, _, text in SAID), "I am afraid of him"]:
        assert text.encode() not in dumped
