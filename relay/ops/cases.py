"""Cases: what parties have reported, and how staff work through it.

A queue by priority and then by time limit; each case is one person's at a time. What may be done in
which state is in `core.caselife`; here it is checked against the case as it was read, written down,
and then done if nobody has changed the case since. Evidence is read elsewhere (`ops.evidence`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Final, Protocol

from ..core.acts import Act
from ..core.caselife import ANSWERS, RIGHTS, Answer, CaseAct, Right, step
from ..core.casework import URGENCY, CaseState, Outcome
from ..store.cases import CaseCounts, CaseRecord, CaseRecords, Search, Step
from .actor import Actor
from .audit import Audit
from .notes import checked_note
from .refusals import OpsCode, Refused
from .watch import Watch

#: How long a reading beyond the evidence may wait for the other person, and how long it lasts then.
WIDENING_WAIT_S: Final = 600
WIDENING_S: Final = 600

MOST_ROWS: Final = 200
_PLACE: Final = re.compile(r"([0-9])\.([0-9]{13})\.(c[0-9]{1,3}-[0-9a-f]{8})")


@dataclass(frozen=True, slots=True)
class CaseRow(CaseRecord):
    """A case as the queue shows it."""

    overdue: bool


@dataclass(frozen=True, slots=True)
class CasePage:
    """Cases in the order in which they are to be worked through. `older` goes on where this page
    ends, also where it has no rows; None at the end."""

    rows: list[CaseRow]
    counts: dict[str, int]
    older: str | None


@dataclass(frozen=True, slots=True)
class Widening:
    """A reading beyond the evidence that was asked for; it can be allowed until `ask_until`, and
    used until `until`, which is 0 before another person has allowed it. `request` is its number."""

    asked_by: str
    asked_at: int
    ask_until: int
    why: str
    allowed_by: str
    until: int
    request: int


@dataclass(frozen=True, slots=True)
class CaseDetail:
    """A case with all that was done with it, but its evidence.

    `evidence_until` is None once there is none; `answer` what the reporter was told.
    """

    row: CaseRow
    notes: list[Step]
    history: list[Step]
    widening: Widening | None
    evidence_until: int | None
    answer: str


class _Operator(Protocol):
    @property
    def disabled(self) -> bool: ...


class _Operators(Protocol):
    async def get(self, id: str) -> _Operator | None: ...  # noqa: A002 - as Operators has it


class Cases:
    """What staff do with cases. Acts raise `Refused` and `StoreError`."""

    def __init__(
        self,
        records: CaseRecords,
        audit: Audit,
        operators: _Operators,
        watch: Watch,
        *,
        now_ms: Callable[[], int],
    ) -> None:
        self._records = records
        self._audit = audit
        self._operators = operators
        self._watch = watch
        self._now_ms = now_ms

    # --- to see -----------------------------------------------------------------------------------

    async def queue(
        self,
        *,
        state: str = "open",
        assignee: str = "",
        category: str = "",
        party: str = "",
        cursor: str = "",
        count: int = 50,
    ) -> CasePage:
        """A page of cases, open, closed or any: of an assignee ('-' is nobody), a category, a
        party.

        Counts are of all cases: new, assigned, overdue, urgent (new and of the first priority),
        closed.
        """
        search = Search(state, assignee, category, party)
        count = max(1, min(count, MOST_ROWS))
        ids, counts, last = await self._records.page(search, _place(cursor), count)
        now_ms = self._now_ms()
        rows = [_row(record, now_ms) for record in await self._records.records(ids)]
        return CasePage(rows, _named(counts), last.replace(" ", ".") if last else None)

    async def detail(self, case: str, by: Actor | None = None) -> CaseDetail | None:
        """A case, or None. It counts as opened by whoever looks, if `by` says who that is."""
        found = await self._records.file(case)
        if found is None:
            return None
        if by is not None:
            await self._watch.case_opened(by, case)
        record, wide = found.record, found.wide
        widening = None
        if wide is not None:
            ask_until = wide.at + WIDENING_WAIT_S * 1000
            widening = Widening(
                wide.by, wide.at, ask_until, wide.why, wide.allowed_by, wide.until, wide.request
            )
        return CaseDetail(
            row=_row(record, self._now_ms()),
            notes=found.notes,
            history=found.history,
            widening=widening,
            evidence_until=record.evidence_until if record.has_evidence else None,
            answer=record.answer,
        )

    # --- acts -------------------------------------------------------------------------------------

    async def assign(self, by: Actor, case: str, to: str) -> None:
        """Take a case that is nobody's, or, as a supervisor, give any open one to anybody."""
        record = await self._for(by, case, CaseAct.ASSIGN)
        if not by.is_supervisor and to != by.id:
            raise Refused(
                OpsCode.NOT_ALLOWED,
                "Only a supervisor gives a case to somebody else, so nothing was done. Take it "
                "yourself, or hand yours over.",
            )
        if record.assignee and record.assignee != to and not by.is_supervisor:
            raise Refused(
                OpsCode.CONFLICT,
                "Somebody else has taken this case, so nothing was changed. He can hand it over, "
                "or a supervisor gives it to you.",
            )
        await self._check_operator(to)
        if record.assignee == to:
            return
        await self._do(
            by, record, CaseAct.ASSIGN, Act.CASE_ASSIGN, f"assign {to}", {"assignee": to},
            details={"to": to},
        )  # fmt: skip

    async def hand_over(self, by: Actor, case: str, to: str, note: str) -> None:
        """Give one's case to a colleague, with a note of how it stands."""
        note = checked_note(note)
        record = await self._for(by, case, CaseAct.HAND_OVER)
        if record.assignee == to:
            raise Refused(
                OpsCode.INVALID,
                "The case is that person's already, so nothing was done. Name another.",
                field="to",
            )
        await self._check_operator(to)
        await self._do(
            by, record, CaseAct.HAND_OVER, Act.CASE_HANDOVER, f"hand_over {to}", {"assignee": to},
            note=note, details={"to": to},
        )  # fmt: skip

    async def note(self, by: Actor, case: str, text: str) -> None:
        """Add a note to a case. Notes stay as they are."""
        text = checked_note(text)
        record = await self._for(by, case, CaseAct.NOTE)
        await self._record(by, record, Act.CASE_NOTE, note=text)
        outcome = await self._records.note(case, by.id, text)
        if outcome != "ok":
            await self._record(by, record, Act.CASE_NOTE, outcome=outcome)
            if outcome == "no_case":
                raise no_case()
            raise _full()

    async def close(
        self, by: Actor, case: str, outcome: Outcome, note: str, answer: Answer | None = None
    ) -> None:
        """Close one's case. The platform is told what to answer the reporter: without `answer` what
        is usual for the outcome."""
        note = checked_note(note, required=False)
        answer = answer or ANSWERS[outcome][0]
        if answer not in ANSWERS[outcome]:
            raise Refused(
                OpsCode.INVALID,
                "That answer does not fit the outcome, so nothing was done. The reporter is told "
                "what came of it: choose another answer or another outcome.",
                field="answer",
            )
        record = await self._for(by, case, CaseAct.CLOSE)
        event = {
            "kind": "case.answered", "case": case, "trip": record.trip,
            "party": record.reporter_party, "outcome": outcome.value, "answer": answer.value,
        }  # fmt: skip
        await self._do(
            by, record, CaseAct.CLOSE, Act.CASE_CLOSE, f"close {outcome}",
            {"outcome": outcome.value, "answer": answer.value}, reason=outcome.value, note=note,
            details={"answer": answer.value}, event=event,
        )  # fmt: skip

    async def reopen(self, by: Actor, case: str, note: str) -> None:
        """Open a closed case again after an appeal: it is new, and nobody's."""
        note = checked_note(note)
        record = await self._for(by, case, CaseAct.REOPEN)
        due_at = self._now_ms() + URGENCY[record.category].limit_s * 1000
        await self._do(
            by, record, CaseAct.REOPEN, Act.CASE_REOPEN, "reopen",
            {"assignee": "", "outcome": "", "answer": "", "due": due_at}, note=note,
        )  # fmt: skip

    # --- the steps of an act ----------------------------------------------------------------------

    async def _for(self, by: Actor, case: str, act: CaseAct) -> CaseRecord:
        """The case as it is now, if this person may do this with it."""
        record = await self._records.record(case)
        if record is None:
            raise no_case()
        check(by, record, act)
        return record

    async def _check_operator(self, to: str) -> None:
        operator = await self._operators.get(to)
        if operator is None or operator.disabled:
            raise Refused(
                OpsCode.NOT_FOUND,
                "There is no operator of that name who could take the case, so nothing was done.",
                field="to",
            )

    async def _record(
        self, by: Actor, record: CaseRecord, act: Act, *, reason: str = "", note: str = "",
        outcome: str = "", details: Mapping[str, str | int] | None = None,
    ) -> None:  # fmt: skip
        await self._audit.record(
            by, act, trip=record.trip, case=record.id, party=record.reported_party, reason=reason,
            note=note, outcome=outcome, details=details,
        )  # fmt: skip

    async def _do(
        self,
        by: Actor,
        record: CaseRecord,
        act: CaseAct,
        word: Act,
        what: str,
        changes: Mapping[str, str | int],
        *,
        reason: str = "",
        note: str = "",
        details: Mapping[str, str | int] | None = None,
        event: Mapping[str, str] | None = None,
    ) -> None:
        """Write the act down and do it, unless somebody was faster."""
        following = step(record.state, act)
        assert following is not None, "checked before"
        await self._record(by, record, word, reason=reason, note=note, details=details)
        outcome = await self._records.step(
            record, by.id, what, {"state": following.value, **changes}, event, note
        )
        if outcome == "done":
            return
        await self._record(by, record, word, outcome=outcome)
        if outcome == "no_case":
            raise no_case()
        if outcome == "full":
            raise _full()
        raise Refused(
            OpsCode.CONFLICT,
            "Somebody else has changed this case since you saw it, so nothing was done. Look at it "
            "anew.",
        )


def check(by: Actor, record: CaseRecord, act: CaseAct) -> None:
    """Raise `Refused` unless this person may do this with the case as it is."""
    right, is_assignee = RIGHTS[act], record.assignee == by.id
    if right is Right.SUPERVISOR and not by.is_supervisor:
        raise Refused(
            OpsCode.NOT_ALLOWED, "Only a supervisor can do this, so nothing was done. Ask one."
        )
    if step(record.state, act) is None:
        raise Refused(OpsCode.CONFLICT, _WRONG_STATE[record.state])
    if (right is Right.ASSIGNEE and not is_assignee) or (
        right is Right.ASSIGNEE_OR_SUPERVISOR and not is_assignee and not by.is_supervisor
    ):
        raise Refused(
            OpsCode.NOT_ALLOWED,
            "This case isn't yours, so nothing was done. Take it if it is nobody's; a supervisor "
            "can give it to you.",
        )


def no_case() -> Refused:
    return Refused(
        OpsCode.NOT_FOUND,
        "There is no such case: it never was, or its record was destroyed when its time was over.",
    )


def _full() -> Refused:
    return Refused(
        OpsCode.TOO_MANY,
        "The case has as many notes as it can have, so nothing was done. Close it without a note, "
        "or let a supervisor give it to somebody else.",
    )


_WRONG_STATE: Final = {
    CaseState.NEW: "Nobody has taken this case yet, so nothing was done. Take it first.",
    CaseState.ASSIGNED: "The case is still being worked on, so nothing was changed.",
    CaseState.CLOSED: "The case is closed, so nothing was changed. After an appeal a supervisor "
    "opens it again.",
}


def _place(cursor: str) -> str:
    """Where a page of the queue begins. Raises `Refused`."""
    if not cursor:
        return ""
    found = _PLACE.fullmatch(cursor)
    if found is None:
        raise Refused(
            OpsCode.INVALID,
            "That is no place in the queue, so nothing was listed. Begin with the first page.",
            field="cursor",
        )
    return " ".join(found.groups())


def _row(record: CaseRecord, now_ms: int) -> CaseRow:
    values = {one.name: getattr(record, one.name) for one in fields(CaseRecord)}
    overdue = record.state is not CaseState.CLOSED and record.due_at <= now_ms
    return CaseRow(**values, overdue=overdue)


def _named(counts: CaseCounts) -> dict[str, int]:
    return counts._asdict()
