"""Cases: the queue, who may do what, two at once, and what the platform is told."""

from __future__ import annotations

import asyncio
import itertools
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from relay.core.caselife import (
    ANSWERS,
    MAX_NOTES,
    MAX_STEP_NOTES,
    RIGHTS,
    TABLE,
    Answer,
    CaseAct,
    step,
)
from relay.core.casework import URGENCY, CaseState, Category, Outcome
from relay.ops.actor import Actor
from relay.ops.cases import CasePage
from relay.ops.refusals import OpsCode, Refused
from relay.store import keys
from relay.store.endpoint import StoreError, pack
from relay.store.pipe import checked
from relay.store.store import Store
from relay.vault.chain import canonical
from relay.vault.ring import KeyRing
from tests.support.cost import least_ms

from .casework import Bureau, bureau_of


@pytest.fixture
def bureau(store: Store, ring: KeyRing, clock: Callable[[], int]) -> Bureau:
    return bureau_of(store, ring, clock)


async def _refused(act: object, code: OpsCode) -> Refused:
    with pytest.raises(Refused) as caught:
        await act  # type: ignore[misc]
    assert caught.value.code is code
    assert caught.value.detail
    return caught.value


# --- the table ------------------------------------------------------------------------------------


def test_the_table_of_a_case_is_whole() -> None:
    assert set(TABLE) == set(CaseState)
    assert set(RIGHTS) == set(CaseAct)
    assert set(ANSWERS) == set(Outcome)
    assert {answer for answers in ANSWERS.values() for answer in answers} == set(Answer)
    # Evidence is read, and a case closed, only while it is somebody's.
    for act in (CaseAct.READ, CaseAct.CLOSE, CaseAct.HAND_OVER):
        assert [state for state in CaseState if step(state, act)] == [CaseState.ASSIGNED]
    assert step(CaseState.CLOSED, CaseAct.REOPEN) is CaseState.NEW


# --- from a report to its answer ------------------------------------------------------------------


async def test_a_report_becomes_a_case_that_is_worked_through(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu, budi = actor("ayu"), actor("budi")
    case = await bureau.case("trip-1", category=Category.OTP_FRAUD)

    (row,) = (await bureau.cases.queue()).rows
    assert (row.id, row.trip, row.epoch, row.category) == (case, "trip-1", 1, Category.OTP_FRAUD)
    assert (row.reporter_party, row.reported_party) == ("cus-1", "drv-1")
    assert (row.items, row.proven, row.forged) == (1, 1, 0)
    assert (row.state, row.assignee, row.priority) == ("new", "", 2)
    assert row.due_at - row.created_at == URGENCY[Category.OTP_FRAUD].limit_s * 1000
    assert row.has_evidence
    assert not row.overdue

    await bureau.cases.assign(ayu, case, "ayu")
    await bureau.cases.note(ayu, case, "Asked twice for the code")
    await bureau.cases.hand_over(ayu, case, "budi", "My shift is over")
    await bureau.cases.close(budi, case, Outcome.UPHELD, "Clear", Answer.PASSED_ON)

    detail = await bureau.cases.detail(case)
    assert detail is not None
    assert (detail.row.state, detail.row.assignee) == ("closed", "budi")
    assert (detail.row.outcome, detail.answer) == ("upheld", "passed_on")
    assert [(note.by, note.what) for note in detail.notes] == [
        ("ayu", "Asked twice for the code"), ("ayu", "My shift is over"), ("budi", "Clear"),
    ]  # fmt: skip
    assert [(one.by, one.what) for one in detail.history] == [
        ("ayu", "assign ayu"), ("ayu", "hand_over budi"), ("budi", "close upheld"),
    ]  # fmt: skip
    assert all(one.at >= detail.row.created_at for one in detail.history)
    assert [entry.act for entry in await bureau.entries(case)] == [
        "case.assign", "case.note", "case.handover", "case.close",
    ]  # fmt: skip
    (event,) = await bureau.told("case.answered")
    assert {key: event[key] for key in event if key not in ("id", "at")} == {
        "kind": "case.answered", "case": case, "trip": "trip-1", "party": "cus-1",
        "outcome": "upheld", "answer": "passed_on",
    }  # fmt: skip


async def test_a_closed_case_is_opened_again_by_a_supervisor_alone(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu, sri = actor("ayu"), actor("sri", "supervisor")
    case = await bureau.taken("trip-1", ayu)
    await _refused(bureau.cases.reopen(sri, case, "Appeal"), OpsCode.CONFLICT)
    await bureau.cases.close(ayu, case, Outcome.UNFOUNDED, "")
    assert (await bureau.cases.queue()).rows == []
    assert [row.id for row in (await bureau.cases.queue(state="closed")).rows] == [case]
    await _refused(bureau.cases.reopen(ayu, case, "Appeal"), OpsCode.NOT_ALLOWED)
    await _refused(bureau.cases.assign(sri, case, "sri"), OpsCode.CONFLICT)
    await bureau.cases.reopen(sri, case, "The reporter has appealed")
    (row,) = (await bureau.cases.queue()).rows
    assert (row.state, row.assignee, row.outcome, row.closed_at) == ("new", "", "", None)
    assert (await bureau.cases.queue(state="closed")).rows == []
    await bureau.cases.assign(ayu, case, "ayu")
    await bureau.cases.close(ayu, case, Outcome.UPHELD, "")
    assert [event["answer"] for event in await bureau.told("case.answered")] == [
        "no_breach", "action_taken",
    ]  # fmt: skip


# --- who may --------------------------------------------------------------------------------------


async def test_an_agent_does_nothing_with_a_case_that_is_not_his(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu, budi = actor("ayu"), actor("budi")
    case = await bureau.taken("trip-1", ayu)
    cases = bureau.cases
    before = await cases.detail(case)
    written = len(await bureau.entries())
    await _refused(cases.assign(budi, case, "budi"), OpsCode.CONFLICT)
    await _refused(cases.assign(budi, case, "dewi"), OpsCode.NOT_ALLOWED)
    await _refused(cases.hand_over(budi, case, "budi", "I take it"), OpsCode.NOT_ALLOWED)
    await _refused(cases.note(budi, case, "I was here"), OpsCode.NOT_ALLOWED)
    await _refused(cases.close(budi, case, Outcome.UPHELD, ""), OpsCode.NOT_ALLOWED)
    assert await cases.detail(case) == before
    assert len(await bureau.entries()) == written
    assert await bureau.told("case.answered") == []


async def test_a_supervisor_gives_cases_but_closes_only_his_own(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu, sri = actor("ayu"), actor("sri", "supervisor")
    case = await bureau.taken("trip-1", ayu)
    await _refused(bureau.cases.close(sri, case, Outcome.UPHELD, ""), OpsCode.NOT_ALLOWED)
    await bureau.cases.assign(sri, case, "budi")
    await bureau.cases.hand_over(sri, case, "sri", "I finish it")
    await bureau.cases.close(sri, case, Outcome.UPHELD, "")
    assert [entry.details for entry in await bureau.entries(act="case.assign")] == [
        {"to": "ayu"}, {"to": "budi"},
    ]  # fmt: skip


@pytest.mark.parametrize("to", ["nobody", "gone", "", "x" * 100])
async def test_a_case_goes_to_an_operator_that_works_here(
    bureau: Bureau, actor: Callable[..., Actor], to: str
) -> None:
    sri = actor("sri", "supervisor")
    case = await bureau.case("trip-1")
    await _refused(bureau.cases.assign(sri, case, to), OpsCode.NOT_FOUND)
    (row,) = (await bureau.cases.queue()).rows
    assert row.assignee == ""


@pytest.mark.parametrize(
    "case", ["", "c1", "c1-0a1b2c3", "c999-0a1b2c3d", "c1-0a1b2c3d", "c1-0A1B2C3D", "../trip", "c1-0a1b2c3d\n"]
)  # fmt: skip
async def test_a_case_that_is_none_is_not_found(
    bureau: Bureau, actor: Callable[..., Actor], case: str
) -> None:
    sri = actor("sri", "supervisor")
    assert await bureau.cases.detail(case) is None
    await _refused(bureau.cases.assign(sri, case, "sri"), OpsCode.NOT_FOUND)
    await _refused(bureau.cases.note(sri, case, "x"), OpsCode.NOT_FOUND)
    assert await bureau.entries() == []


async def test_an_answer_fits_its_outcome(bureau: Bureau, actor: Callable[..., Actor]) -> None:
    ayu = actor("ayu")
    case = await bureau.taken("trip-1", ayu)
    for outcome, answer in itertools.product(Outcome, Answer):
        if answer not in ANSWERS[outcome]:
            caught = await _refused(
                bureau.cases.close(ayu, case, outcome, "", answer), OpsCode.INVALID
            )
            assert caught.field == "answer"
    assert await bureau.told("case.answered") == []


@pytest.mark.parametrize("note", ["Call her on 0812 3456 7890", "x" * 501, "two\nlines", "  "])
async def test_a_note_that_may_not_be_written_stops_the_act(
    bureau: Bureau, actor: Callable[..., Actor], note: str
) -> None:
    ayu = actor("ayu")
    case = await bureau.taken("trip-1", ayu)
    before = await bureau.cases.detail(case)
    await _refused(bureau.cases.note(ayu, case, note), OpsCode.INVALID)
    await _refused(bureau.cases.hand_over(ayu, case, "budi", note), OpsCode.INVALID)
    if note.strip():
        await _refused(bureau.cases.close(ayu, case, Outcome.UPHELD, note), OpsCode.INVALID)
    assert await bureau.cases.detail(case) == before


async def test_notes_are_bounded(bureau: Bureau, actor: Callable[..., Actor]) -> None:
    ayu = actor("ayu")
    case = await bureau.taken("trip-1", ayu)
    for number in range(MAX_NOTES):
        await bureau.cases.note(ayu, case, f"note {number % 10}")
    await _refused(bureau.cases.note(ayu, case, "one more"), OpsCode.TOO_MANY)
    detail = await bureau.cases.detail(case)
    assert detail is not None
    assert len(detail.notes) == MAX_NOTES
    assert (await bureau.entries(case))[-1].outcome == "full"
    # What has to go on still does.
    await bureau.cases.hand_over(ayu, case, "budi", "Full of notes")


# --- two at once, and a store that is away --------------------------------------------------------


async def test_the_next_shift_reads_the_note_of_the_one_before(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    """Also of a case with as many notes as it can have, or it is not handed over."""
    ayu = actor("ayu")
    case = await bureau.taken("trip-1", ayu)
    for _ in range(MAX_NOTES):
        await bureau.cases.note(ayu, case, "Called again")
    with suppress(Refused):
        await bureau.cases.hand_over(ayu, case, "budi", "She is at home by nine")
    found = await bureau.cases.detail(case)
    assert found is not None
    has_note = found.notes[-1].what == "She is at home by nine"
    assert has_note == (found.row.assignee == "budi")


async def test_a_step_whose_note_has_no_room_is_not_done(
    bureau: Bureau, store: Store, actor: Callable[..., Actor]
) -> None:
    ayu = actor("ayu")
    case = await bureau.taken("trip-1", ayu)
    notes = canonical([[1, "ayu", "Called again"]] * (MAX_NOTES + MAX_STEP_NOTES))
    key = keys.case(int(case[1:].partition("-")[0]), case)
    await store.pipe.call("HSET", key, "notes", notes)
    await _refused(bureau.cases.hand_over(ayu, case, "budi", "At home by nine"), OpsCode.TOO_MANY)
    assert [(entry.act, entry.outcome) for entry in await bureau.entries(case)][-2:] == [
        ("case.handover", ""), ("case.handover", "full"),
    ]  # fmt: skip
    record = await bureau.records.record(case)
    assert record is not None and record.assignee == "ayu"
    await bureau.cases.close(ayu, case, Outcome.UPHELD, "")


async def test_of_two_who_take_a_case_at_once_one_has_it(
    bureau: Bureau, other_store: Store, actor: Callable[..., Actor]
) -> None:
    other = bureau_of(other_store, bureau.ring, bureau.clock)
    ayu, budi = actor("ayu"), actor("budi")
    for number in range(20):
        case = await bureau.case(f"trip-{number}")
        results = await asyncio.gather(
            bureau.cases.assign(ayu, case, "ayu"),
            other.cases.assign(budi, case, "budi"),
            return_exceptions=True,
        )
        losers = [result for result in results if result is not None]
        assert [type(one) for one in losers] == [Refused], results
        assert losers[0].code is OpsCode.CONFLICT
        detail = await bureau.cases.detail(case)
        assert detail is not None
        assert detail.row.assignee == ("ayu" if results[0] is None else "budi")
        assert len(detail.history) == 1
        written = await bureau.entries(case)
        # Whoever wrote it down and was too late has written that down as well.
        assert len([one for one in written if not one.outcome]) - 1 == len(
            [one for one in written if one.outcome == "conflict"]
        )


async def test_nothing_is_done_that_cannot_be_written_down(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu = actor("ayu")
    case = await bureau.taken("trip-1", ayu)
    before = await bureau.cases.detail(case)
    await bureau.full(True)
    try:
        for act in (
            bureau.cases.close(ayu, case, Outcome.UPHELD, ""),
            bureau.cases.hand_over(ayu, case, "budi", "I go home"),
            bureau.cases.note(ayu, case, "I saw it"),
        ):
            with pytest.raises(StoreError):
                await act
    finally:
        await bureau.full(False)
    assert await bureau.cases.detail(case) == before
    assert await bureau.told("case.answered") == []


# --- the queue ------------------------------------------------------------------------------------


async def _plant(store: Store, now_ms: int, number: int, **changes: str | int) -> str:
    """A case as a report makes it, without a trip."""
    partition = number % keys.PARTITIONS
    case = f"c{partition}-{number:08x}"
    category = list(Category)[number % len(Category)]
    fields = {
        "trip": f"trip-{number}", "epoch": 1, "category": category.value,
        "priority": URGENCY[category].priority, "state": "new", "created": now_ms,
        "due": now_ms + URGENCY[category].limit_s * 1000 + number % 997, "reporter_role": "customer",
        "reporter_party": f"cus-{number % 50}", "reported_role": "driver",
        "reported_party": f"drv-{number % 70}", "block": 0, "items": 1, "proven": 1, "forged": 0,
        "evidence": os.urandom(300), "evidence_until": now_ms + 86400000, "assignee": "",
        "version": 1,
    } | changes  # fmt: skip
    flat = [part for pair in fields.items() for part in pair]
    store.pipe.send(pack("HSET", keys.case(partition, case), *flat))
    if fields["state"] == "closed":
        done = f"{keys.tag(partition)}:cases_done"
        await store.pipe.call("ZADD", done, str(fields["closed"]), case)
    else:
        checked(await store.pipe.call_raw(pack("ZADD", keys.cases(partition), fields["due"], case)))
    return case


async def _all(bureau: Bureau, count: int, **search: str) -> list[CasePage]:
    pages, cursor = [], ""
    while True:
        page = await bureau.cases.queue(cursor=cursor, count=count, **search)
        pages.append(page)
        if page.older is None:
            return pages
        assert len(pages) < 100, "the pages go round in a circle"
        cursor = page.older


async def test_the_queue_is_by_priority_and_then_by_time_limit(
    bureau: Bureau, store: Store, clock: Callable[[], int]
) -> None:
    for number in range(500):
        late = {"due": clock() - 1000} if number % 50 == 1 else {}
        if number % 3 == 0:
            late |= {"state": "assigned", "assignee": "ayu" if number % 2 else "budi"}
        await _plant(store, clock(), number, **late)
    for number in range(500, 560):
        await _plant(
            store, clock(), number, state="closed", outcome="upheld", closed=clock() - number,
            assignee="ayu",
        )  # fmt: skip
    pages = await _all(bureau, 37)
    rows = [row for page in pages for row in page.rows]
    assert [len(page.rows) for page in pages] == [37] * 13 + [19]
    assert len({row.id for row in rows}) == 500
    assert rows == sorted(rows, key=lambda row: (row.priority, row.due_at, row.id))
    assert {row.id for row in rows if row.overdue} == {
        row.id for row in rows if row.due_at <= clock()
    }
    counts = pages[0].counts
    assert counts == {
        "new": sum(row.state == "new" for row in rows),
        "assigned": sum(row.state == "assigned" for row in rows),
        "overdue": sum(row.overdue for row in rows),
        "urgent": sum(row.state == "new" and row.priority == 1 for row in rows),
        "closed": 60,
    }
    assert all(page.counts == counts for page in pages)

    closed = [row for page in await _all(bureau, 17, state="closed") for row in page.rows]
    assert len(closed) == 60
    assert [row.closed_at for row in closed] == sorted(
        (row.closed_at for row in closed), reverse=True
    )
    assert not any(row.overdue for row in closed)
    everything = [row for page in await _all(bureau, 200, state="any") for row in page.rows]
    assert everything == rows + closed

    for search, fits in (
        ({"assignee": "ayu"}, lambda row: row.assignee == "ayu"),
        ({"assignee": "-"}, lambda row: row.assignee == ""),
        ({"category": "threat"}, lambda row: row.category == "threat"),
        ({"party": "drv-7"}, lambda row: row.reported_party == "drv-7"),
        ({"party": "cus-7"}, lambda row: row.reporter_party == "cus-7"),
        ({"party": "cus-8", "assignee": "budi"},
         lambda row: row.reporter_party == "cus-8" and row.assignee == "budi"),
    ):  # fmt: skip
        found = [row for page in await _all(bureau, 9, state="any", **search) for row in page.rows]
        assert found == [row for row in everything if fits(row)], search
        assert found


async def test_a_party_s_closed_case_is_found_behind_a_thousand_others(
    bureau: Bureau, store: Store, clock: Callable[[], int]
) -> None:
    """All of one partition; a year's cases are as many on a platform of some size."""
    places = range(0, 1001 * keys.PARTITIONS, keys.PARTITIONS)
    for age, number in enumerate(places):
        await _plant(
            store, clock(), number, state="closed", closed=clock() - age * 1000,
            reporter_party="cus-1" if number == places[-1] else "cus-2", reported_party="drv-2",
        )  # fmt: skip
    page = await bureau.cases.queue(state="closed", party="cus-1")
    assert len(page.rows) == 1 or page.older
    last = await bureau.cases.queue(state="closed", party="cus-1", cursor=page.older or "")
    assert ([row.id for row in (*page.rows, *last.rows)], last.older) == (
        [f"c0-{places[-1]:08x}"],
        None,
    )
    # And each of them once, whatever was passed over before.
    found, cursor = list[str](), ""
    while True:
        page = await bureau.cases.queue(state="any", party="cus-2", cursor=cursor, count=170)
        found += [row.id for row in page.rows]
        if not page.older:
            break
        cursor = page.older
    assert found == [f"c0-{number:08x}" for number in places[:-1]]


@pytest.mark.parametrize("cursor", ["x", "1.2.3", "1 1700000000000 c1-0a1b2c3d", "9.99999999999999.c1-0a1b2c3d"])  # fmt: skip
async def test_a_cursor_that_is_none_is_refused(bureau: Bureau, cursor: str) -> None:
    caught = await _refused(bureau.cases.queue(cursor=cursor), OpsCode.INVALID)
    assert cursor not in caught.detail


async def test_a_page_of_ten_thousand_open_cases_is_there_soon(
    bureau: Bureau, store: Store, clock: Callable[[], int], show: Callable[[str], None]
) -> None:
    for start in range(0, 10_000, 500):
        await asyncio.gather(
            *(_plant(store, clock(), number) for number in range(start, start + 500))
        )

    for name, search in (
        ("all", {}), ("of a category", {"category": "threat"}), ("of a party", {"party": "drv-3"}),
    ):  # fmt: skip
        page = await bureau.cases.queue(**search)
        assert len(page.rows) == 50
        assert page.counts["new"] == 10_000
        took_ms = await least_ms(store, partial(bureau.cases.queue, **search))
        show(f"10,000 open cases, a page of 50 {name}: {took_ms:.0f} ms of processor time")
        assert took_ms < 100, name


# --- the end --------------------------------------------------------------------------------------


async def test_a_case_is_destroyed_on_schedule(bureau: Bureau, actor: Callable[..., Actor]) -> None:
    ayu = actor("ayu")
    case = await bureau.taken("trip-1", ayu)
    await bureau.cases.note(ayu, case, "Seen")
    await bureau.cases.close(ayu, case, Outcome.UPHELD, "")
    number = keys.partition("trip-1")

    async def pass_time() -> None:
        """Make what is due some day due now."""
        await bureau.store.pipe.call("ZADD", keys.due(number), "XX", 1, f"case:{case}")
        await bureau.store.sweep(number, 100)

    # Looked at before its time, it stays.
    await pass_time()
    detail = await bureau.cases.detail(case)
    assert detail is not None and detail.row.has_evidence
    await bureau.set_fields(case, evidence_until=1)
    await pass_time()
    detail = await bureau.cases.detail(case)
    assert detail is not None
    assert not detail.row.has_evidence
    assert detail.evidence_until is None
    assert detail.notes
    await bureau.set_fields(case, record_until=1)
    await pass_time()
    assert await bureau.cases.detail(case) is None
    assert (await bureau.cases.queue(state="any")).rows == []
    left = [key for key in await bureau.store.pipe.call("KEYS", "*") if case.encode() in key]
    assert left == []
