"""Cases as the store keeps them: one hash for each, beside its trip.

A case's name says in which partition it lies (`c<partition>-<8 hex>`), so it is found by its name
alone and shares its slot with the trip, the lists of cases and the events. Its fields come from
scripts/report.lua and are changed by scripts/case.lua and the others of that name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec

from ..core.caselife import CASE_ID, MAX_NOTES, MAX_STEP_NOTES
from ..core.casework import CaseState, Category
from ..core.ids import Role
from . import keys, scripts
from .endpoint import StoreError, pack
from .pipe import checked
from .store import Store

#: Partitions that are asked in one go: between two of these the store does others' work.
_AT_ONCE: Final = 32

_ROW: Final = (
    "trip", "epoch", "category", "priority", "state", "created", "due", "assignee",
    "reporter_role", "reporter_party", "reported_role", "reported_party", "items", "proven",
    "forged", "outcome", "answer", "version", "evidence_until", "closed", "block",
)  # fmt: skip
_MORE: Final = (
    "notes", "history", "wide.by", "wide.at", "wide.why", "wide.ok_by", "wide.until",
    "wide.request",
)  # fmt: skip

_decode_steps: Final = msgspec.json.Decoder(list[tuple[float, str, str]]).decode


@dataclass(frozen=True, slots=True)
class CaseRecord:
    """A case without its evidence; times in milliseconds, `assignee` '' if it is nobody's."""

    id: str
    trip: str
    epoch: int
    category: Category
    priority: int
    state: CaseState
    created_at: int
    due_at: int
    assignee: str
    reporter_role: Role
    reporter_party: str
    reported_role: Role
    reported_party: str
    items: int
    proven: int
    forged: int
    outcome: str
    answer: str
    version: int
    evidence_until: int
    closed_at: int | None
    blocked: bool
    has_evidence: bool


class Step(NamedTuple):
    """What somebody did with a case or, as a note, wrote of it."""

    at: int
    by: str
    what: str


@dataclass(frozen=True, slots=True)
class Wide:
    """A reading beyond the evidence: who asked for it and who allowed it, '' if nobody yet.
    `request` is its number among the case's."""

    by: str
    at: int
    why: str
    allowed_by: str
    until: int
    request: int


@dataclass(frozen=True, slots=True)
class CaseFile:
    """All that is kept of a case but its evidence."""

    record: CaseRecord
    notes: list[Step]
    history: list[Step]
    wide: Wide | None


@dataclass(frozen=True, slots=True)
class Search:
    """Which cases to list. `state`: open, closed or any; `assignee` '-' is nobody, '' anybody."""

    state: str = "open"
    assignee: str = ""
    category: str = ""
    party: str = ""


class CaseCounts(NamedTuple):
    """How many cases there are in all. `urgent` ones are new and of the first priority."""

    new: int
    assigned: int
    overdue: int
    urgent: int
    closed: int


@dataclass(frozen=True, slots=True, repr=False)
class TripLog:
    """What it takes to read a trip's messages: its wrapped data key, and what was refused of them,
    which lies there too: all from the deadline (ms) on, and what the bars stop."""

    messages_key: bytes
    deadline: int
    bars: bytes


class CaseRecords:
    """Calls on the cases in the store. Every method raises `StoreError`."""

    def __init__(self, store: Store) -> None:
        self.store = store

    # --- reads ------------------------------------------------------------------------------------

    async def record(self, case: str) -> CaseRecord | None:
        """A case, or None."""
        number = _partition(case)
        if number is None:
            return None
        return _record(case, *await self._row(case, number))

    async def records(self, cases: Sequence[str]) -> list[CaseRecord]:
        """Those of the cases that are there, in the same order."""
        asked = [
            (case, self._row(case, number))
            for case in cases
            if (number := _partition(case)) is not None
        ]
        found = [_record(case, *await reply) for case, reply in asked]
        return [record for record in found if record is not None]

    def _row(self, case: str, number: int) -> Awaitable[tuple[list[bytes | None], int]]:
        """Ask for a case's fields, and how long its evidence is: there is no need to fetch that."""
        key = keys.case(number, case)
        fields = self.store.pipe.call_raw(pack("HMGET", key, *_ROW))
        length = self.store.pipe.call_raw(pack("HSTRLEN", key, "evidence"))
        return _both(fields, length)

    async def file(self, case: str) -> CaseFile | None:
        """All of a case but its evidence, or None."""
        number = _partition(case)
        if number is None:
            return None
        key = keys.case(number, case)
        row = self._row(case, number)
        more = self.store.pipe.call_raw(pack("HMGET", key, *_MORE))
        record, r = _record(case, *await row), checked(await more)
        if record is None:
            return None
        return CaseFile(record, _steps(r[0]), _steps(r[1]), _wide(r[2:]))

    async def evidence(self, case: str) -> tuple[CaseRecord, bytes] | None:
        """A case and its sealed evidence, '' if that is destroyed; or None."""
        number = _partition(case)
        if number is None:
            return None
        key = keys.case(number, case)
        row = self._row(case, number)
        sealed = self.store.pipe.call_raw(pack("HGET", key, "evidence"))
        record = _record(case, *await row)
        return None if record is None else (record, checked(await sealed) or b"")

    async def log_of(self, trip: str, epoch: int) -> TripLog | None:
        """What it takes to read the messages of an epoch; None once they are destroyed."""
        key, deadline, bars, bars_then = await self.store.pipe.call(
            "HMGET", keys.trip(trip), "messages_key", "deadline", "bars", f"bars.{epoch}"
        )
        return TripLog(key, int(deadline or 0), bars_then or bars or b"[]") if key else None

    async def page(
        self, search: Search, after: str, count: int
    ) -> tuple[list[str], CaseCounts, str | None]:
        """Give (case ids in order, counts, the place to go on from if there may be more).

        Open cases come by priority and then by when they are due, then closed ones, the last closed
        first. `after` is a place that an earlier page gave. A page with fewer than `count`, even
        with none, need not be the last: of each partition's closed cases so many are looked at.
        """
        places: list[str] = []
        reached: list[str] = []
        totals = [0] * len(CaseCounts._fields)
        asks = (search.state, after, count + 1, search.assignee, search.category, search.party)
        listed = scripts.CASE_LIST
        # The first partition is asked alone, so that the script is known when the others are.
        first = await self.store.run(listed, keys.cases(0), *asks)
        replies = [first]
        for begin in range(1, keys.PARTITIONS, _AT_ONCE):
            some = range(begin, min(begin + _AT_ONCE, keys.PARTITIONS))
            answers = [
                self.store.pipe.call_raw(pack("EVALSHA", listed.sha, 1, keys.cases(number), *asks))
                for number in some
            ]
            replies += [checked(await answer) for answer in answers]
        for counts, found, stopped_at in replies:
            totals = [a + b for a, b in zip(totals, counts, strict=True)]
            places += [place.decode() for place in found]
            reached += [stopped_at.decode()] if stopped_at else []
        # What lies behind the first that was not looked at comes after that, so not yet.
        horizon = min(reached, default=None)
        known = sorted(place for place in places if horizon is None or place <= horizon)
        shown = known[:count]
        more = shown[-1] if len(known) > count else horizon
        return [place.rpartition(" ")[2] for place in shown], CaseCounts(*totals), more

    # --- steps ------------------------------------------------------------------------------------

    async def step(
        self,
        record: CaseRecord,
        by: str,
        what: str,
        fields: Mapping[str, str | int],
        event: Mapping[str, str] | None = None,
        note: str = "",
    ) -> str:
        """Write fields of a case, and a note, if nobody has changed it since `record` was read.

        Gives the outcome: done, conflict, full (there is no room for the note) or no_case.
        """
        flat = [part for pair in fields.items() for part in pair]
        told = msgspec.json.encode(event) if event is not None else b""
        reply = await self.store.run(
            scripts.CASE, _key(record.id), record.id, record.version, by, what, told, note,
            MAX_NOTES + MAX_STEP_NOTES, *flat,
        )  # fmt: skip
        outcome: bytes = reply[0]
        return outcome.decode()

    async def note(self, case: str, by: str, text: str) -> str:
        """Add a note; give the outcome: ok, full or no_case."""
        reply: bytes = await self.store.run(scripts.CASE_NOTE, _key(case), by, text, MAX_NOTES)
        return reply.decode()

    async def seal_anew(self, case: str, sealed: bytes, fresh: bytes) -> bool:
        """Put sealed evidence in the place of the same under another key; whether it was there."""
        done: int = await self.store.run(scripts.CASE_SEAL, _key(case), sealed, fresh)
        return bool(done)

    async def wide(
        self, case: str, act: str, who: str, what: str | int = "", *, wait_s: int, last_s: int
    ) -> tuple[str, int]:
        """Ask for, approve or use a reading beyond the evidence; give (outcome, until_ms).

        `what` is why one asks, or which request one approves. Acts and outcomes are those of
        scripts/case_wide.lua.
        """
        reply = await self.store.run(
            scripts.CASE_WIDE, _key(case), act, who, what, wait_s * 1000, last_s * 1000
        )
        return reply[0].decode(), reply[1]


async def _both(
    fields: asyncio.Future[Any], length: asyncio.Future[Any]
) -> tuple[list[bytes | None], int]:
    return checked(await fields), checked(await length)


def _partition(case: str) -> int | None:
    """The partition that a case's name says, or None if it is no case's name."""
    found = CASE_ID.fullmatch(case)
    if found is None or int(found[1]) >= keys.PARTITIONS:
        return None
    return int(found[1])


def _key(case: str) -> str:
    number = _partition(case)
    assert number is not None, "the case was read before"
    return keys.case(number, case)


def _record(case: str, r: list[bytes | None], evidence_bytes: int) -> CaseRecord | None:
    if r[0] is None:
        return None

    def text(value: bytes | None) -> str:
        return (value or b"").decode()

    try:
        return CaseRecord(
            id=case,
            trip=text(r[0]),
            epoch=int(text(r[1])),
            category=Category(text(r[2])),
            priority=int(text(r[3])),
            state=CaseState(text(r[4])),
            created_at=int(text(r[5])),
            due_at=int(text(r[6])),
            assignee=text(r[7]),
            reporter_role=Role(text(r[8])),
            reporter_party=text(r[9]),
            reported_role=Role(text(r[10])),
            reported_party=text(r[11]),
            items=int(r[12] or 0),
            proven=int(r[13] or 0),
            forged=int(r[14] or 0),
            outcome=text(r[15]),
            answer=text(r[16]),
            version=int(text(r[17])),
            evidence_until=int(r[18] or 0),
            closed_at=int(r[19]) if r[19] else None,
            blocked=text(r[20]) == "1",
            has_evidence=evidence_bytes > 0,
        )
    except ValueError:
        raise StoreError("a case's record is damaged") from None


def _steps(raw: bytes | None) -> list[Step]:
    try:
        return [Step(int(at), by, what) for at, by, what in _decode_steps(raw or b"[]")]
    except msgspec.DecodeError:
        raise StoreError("a case's record is damaged") from None


def _wide(r: Sequence[bytes | None]) -> Wide | None:
    by, at, why, ok_by, until, request = ((value or b"").decode() for value in r)
    return Wide(by, int(at), why, ok_by, int(until or 0), int(request)) if by else None
