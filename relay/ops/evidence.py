"""Reading evidence: what a party reported, and what stood around it.

Only in a console session, by the one person who has the case, for a purpose; and only once the
audit log holds that it is read. Then the reading is counted (`ops.watch`) and the people of the
trip will be told of it (`ops.notices`), before anything is shown.

To read beyond that, the whole log of that pairing, a second person has to allow it: a supervisor,
for ten minutes, by the store's clock. It is read live, from a log that may be gone, and nothing of
it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from ..core.acts import Act
from ..core.bars import Bars
from ..core.caselife import CaseAct
from ..core.casework import ReadingPurpose
from ..store.cases import CaseRecord, CaseRecords
from ..store.oversight import Oversight
from ..store.parties import Parties
from ..vault.binding import Sender
from ..vault.envelope import MessageCipher, Unreadable, unwrap
from ..vault.evidence import open_evidence
from ..vault.ring import KeyRing, KeyUnavailable
from .actor import Actor
from .audit import Audit
from .cases import WIDENING_S, WIDENING_WAIT_S, check, no_case
from .evidence_document import EvidenceDocument, EvidenceItem, EvidenceMessage, Side
from .log_reading import opened
from .notes import checked_note
from .notices import Notices
from .refusals import OpsCode, Refused
from .watch import Watch

__all__ = ["Evidence", "EvidenceItem", "EvidenceMessage", "Opened"]

_PAGE: Final = 500


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """A case's evidence, opened: what was reported, what stood around it, the reporter's note."""

    items: list[EvidenceItem]
    window: list[EvidenceMessage]
    note: str


_decode: Final = msgspec.msgpack.Decoder(EvidenceDocument).decode


class Evidence:
    """Opens evidence. Every method raises `Refused` and `StoreError`."""

    def __init__(
        self,
        records: CaseRecords,
        audit: Audit,
        watch: Watch,
        notices: Notices,
        parties: Parties,
        *,
        ring: Callable[[], KeyRing],
        now_ms: Callable[[], int],
    ) -> None:
        self._records = records
        self._audit = audit
        self._watch = watch
        self._notices = notices
        self._parties = parties
        self._ring = ring
        self._now_ms = now_ms
        self._oversight = Oversight(records.store)

    # --- the evidence itself ----------------------------------------------------------------------

    async def read(self, by: Actor, case: str, purpose: ReadingPurpose) -> Opened:
        """Open the evidence of one's case."""
        record = await self._for(by, case, purpose)
        await self._record(by, record, Act.EVIDENCE_READ, reason=purpose.value)
        try:
            # As it is now that the reading is written down: the case may have gone to another.
            record, document = await self._opened(by, case)
            await self._tell(by, record, purpose)
        except Refused as refused:
            await self._record(by, record, Act.EVIDENCE_READ, outcome=refused.code.value)
            raise
        return Opened(document.items, document.window, document.note)

    async def _opened(self, by: Actor, case: str) -> tuple[CaseRecord, EvidenceDocument]:
        found = await self._records.evidence(case)
        if found is None:
            raise no_case()
        record, sealed = found
        check(by, record, CaseAct.READ)
        if not sealed or await self._is_over(record):
            raise _gone()
        try:
            return record, _decode(open_evidence(self._ring(), sealed, case=case))
        except KeyUnavailable:
            raise _gone() from None
        except (Unreadable, msgspec.DecodeError):
            raise Refused(
                OpsCode.GONE,
                "This case's evidence is damaged or belongs to another case, so it can't be read. "
                "Tell those who run the relay: nobody should be able to alter it.",
            ) from None

    async def _is_over(self, record: CaseRecord) -> bool:
        """Whether its time is over, though it may not have been destroyed yet."""
        if self._now_ms() < record.evidence_until:
            return False
        (trip,) = await self._oversight.sights([record.trip])
        return trip is None or trip.held_until <= self._now_ms()

    # --- beyond it --------------------------------------------------------------------------------

    async def ask_widening(self, by: Actor, case: str, why: str) -> None:
        """Ask to read the whole log of one's case. Another person has ten minutes to allow it."""
        why = checked_note(why)
        # For what, is said when it is read: a supervisor may need it for a legal request.
        record = await self._for(by, case, ReadingPurpose.LEGAL)
        await self._record(by, record, Act.EVIDENCE_WIDEN_ASK, note=why)
        await self._wide(by, record, "ask", Act.EVIDENCE_WIDEN_ASK, why)

    async def approve_widening(self, by: Actor, case: str, request: int) -> int:
        """Allow a colleague to read the whole log of his case; give until when (ms).

        `request` is the number of what he asked for, as it was shown: the case may have gone to
        another since, or he may have asked anew, for another reason.
        """
        _check_session(by)
        if not by.is_supervisor:
            raise Refused(
                OpsCode.NOT_ALLOWED,
                "Only a supervisor allows a reading beyond the evidence, so nothing was done.",
            )
        record = await self._records.record(case)
        if record is None:
            raise no_case()
        if record.assignee == by.id:
            raise _own()
        await self._record(by, record, Act.EVIDENCE_WIDEN_APPROVE, details={"for": record.assignee})
        return await self._wide(by, record, "approve", Act.EVIDENCE_WIDEN_APPROVE, request)

    async def read_wide(
        self, by: Actor, case: str, purpose: ReadingPurpose
    ) -> list[EvidenceMessage]:
        """Read the whole log of one's case, while that is allowed."""
        record = await self._for(by, case, purpose)
        await self._wide(by, record, "read", Act.EVIDENCE_WIDEN_READ)
        await self._record(by, record, Act.EVIDENCE_WIDEN_READ, reason=purpose.value)
        # Again, because time has passed, and the case may have gone to another.
        await self._wide(by, record, "read", Act.EVIDENCE_WIDEN_READ)
        try:
            reported = await self._reported(case)
            messages = await self._log(record, reported)
            await self._tell(by, record, purpose)
        except Refused as refused:
            await self._record(by, record, Act.EVIDENCE_WIDEN_READ, outcome=refused.code.value)
            raise
        return messages

    async def _wide(
        self, by: Actor, record: CaseRecord, step: str, act: Act, what: str | int = ""
    ) -> int:
        outcome, until = await self._records.wide(
            record.id, step, by.id, what, wait_s=WIDENING_WAIT_S, last_s=WIDENING_S
        )
        if outcome == "ok":
            return until
        await self._record(by, record, act, outcome=outcome)
        raise _refusal(outcome)

    async def _reported(self, case: str) -> set[tuple[int, str]]:
        """Which messages were reported, if the evidence that says so is still there."""
        found = await self._records.evidence(case)
        if found is None or not found[1]:
            return set()
        try:
            document = _decode(open_evidence(self._ring(), found[1], case=case))
        except (KeyUnavailable, Unreadable, msgspec.DecodeError):
            return set()
        return {(item.epoch, item.pos) for item in document.items}

    async def _log(
        self, record: CaseRecord, reported: set[tuple[int, str]]
    ) -> list[EvidenceMessage]:
        """Every message of the case's pairing, opened. Raises `Refused` if they are destroyed."""
        trip, epoch = record.trip, record.epoch
        log = await self._records.log_of(trip, epoch)
        if log is None:
            raise _gone()
        try:
            key = unwrap(self._ring(), log.messages_key, trip=trip)
        except KeyUnavailable:
            raise _gone() from None
        cipher, bars = MessageCipher(key, trip=trip, epoch=epoch), Bars(log.bars)
        messages: list[EvidenceMessage] = []
        start, is_there = "-", False
        while page := await self._oversight.read_kept(trip, epoch, _PAGE, start=start):
            is_there = True
            start = f"({page[-1][0].decode()}"
            messages += [
                EvidenceMessage(
                    epoch, said.pos, said.id, _side(said.sender, record), said.at, said.body.kind,
                    said.body.text, (epoch, said.pos) in reported,
                )
                for said in opened(page, cipher, deadline=log.deadline, bars=bars)
            ]  # fmt: skip
        if not is_there:
            raise _gone()
        return messages

    # --- what every reading has in common ---------------------------------------------------------

    async def _for(self, by: Actor, case: str, purpose: ReadingPurpose) -> CaseRecord:
        """The case as it is now, if this person may read its evidence for this purpose."""
        _check_session(by)
        record = await self._records.record(case)
        if record is None:
            raise no_case()
        check(by, record, CaseAct.READ)
        if purpose is not ReadingPurpose.LEGAL or not by.is_supervisor:
            for party in _parties(record):
                # What a legal claim needs may be read all the same (GDPR, article 18).
                if await self._parties.restricted(party) is not None:
                    raise Refused(
                        OpsCode.NOT_ALLOWED,
                        "One of the parties has had the use of their data restricted, so nothing "
                        "was opened. It can be read for a legal request only, by a supervisor.",
                    )
        return record

    async def _tell(self, by: Actor, record: CaseRecord, purpose: ReadingPurpose) -> None:
        """Count the reading, and see to it that the people of the trip are told of it."""
        parties = _parties(record)
        await self._watch.evidence_read(by, record.id, parties)
        await self._notices.schedule(
            trip=record.trip, case=record.id, purpose=purpose, parties=parties
        )

    async def _record(
        self, by: Actor, record: CaseRecord, act: Act, *, reason: str = "", note: str = "",
        outcome: str = "", details: dict[str, str | int] | None = None,
    ) -> None:  # fmt: skip
        await self._audit.record(
            by, act, trip=record.trip, case=record.id, party=record.reported_party, reason=reason,
            note=note, outcome=outcome,
            details={"reporter": record.reporter_party} | (details or {}),
        )  # fmt: skip


def _check_session(by: Actor) -> None:
    if by.via != "console":
        raise Refused(
            OpsCode.NOT_ALLOWED,
            "Evidence is opened in the console only, by a person who has signed in with a second "
            "factor; an API key or a command never opens it. Nothing was opened.",
        )


def _parties(record: CaseRecord) -> Sequence[str]:
    return tuple(dict.fromkeys((record.reporter_party, record.reported_party)))


def _side(sender: Sender, record: CaseRecord) -> Side:
    if sender == "system":
        return "system"
    return "reporter" if sender == record.reporter_role else "reported"


def _gone() -> Refused:
    return Refused(
        OpsCode.GONE,
        "It was destroyed when its time was over and can't be read again by anybody. What is known "
        "of the case is on its page.",
    )


def _own() -> Refused:
    return Refused(
        OpsCode.NOT_ALLOWED,
        "Nobody allows himself to read more, so nothing was done. It takes another supervisor.",
    )


def _refusal(outcome: str) -> Refused:
    match outcome:
        case "own":
            return _own()
        case "no_case":
            return no_case()
        case "none":
            return Refused(
                OpsCode.NOT_ALLOWED,
                "A reading beyond the evidence was not asked for or not allowed yet, so nothing "
                "was done. The person who has the case asks, and a supervisor allows it.",
            )
        case "stale":
            return Refused(
                OpsCode.GONE,
                "Its ten minutes are over, so nothing was done. Ask again while the other person "
                "is there.",
            )
        case "done":
            return Refused(OpsCode.CONFLICT, "It has been allowed already, so nothing was changed.")
        case _:
            return Refused(
                OpsCode.CONFLICT,
                "The case has gone to somebody else since, or something else was asked for, so "
                "nothing was done. Look at it anew.",
            )
