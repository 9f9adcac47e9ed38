"""Reports from the parties: what can be proven of one, and the case that it becomes.

A report brings the messages that the reporter's app has kept, each with the tag that it came with.
The tag proves the text, the sender and the place, also when the log is long destroyed. While the
log is there, it tells of what has no tag that could be checked, and what it holds around the
reported messages goes with them. All of it is sealed as the
evidence of a case, in the one step that makes the case, so there is never half a report.

Staff are to see nobody's number, so what the guard has not read yet is read for numbers first.
Nobody is told but the platform. What the reported party can see is the same as without a report,
unless the reporter has asked for the two to be parted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import msgspec
import structlog

from ..core.body import MAX_TEXT_CHARS, problem_with
from ..core.casework import URGENCY, Proof
from ..core.codes import NotReportedCode
from ..core.frames import Report, ReportedItem
from ..core.ids import Role
from ..guard.testimony import Statement
from ..store.endpoint import StoreError
from ..store.records import position
from ..store.reporting import Found, NewCase, ReportRecords, Settled, case_name
from ..vault.binding import Sender
from ..vault.envelope import NONCE_BYTES, MessageCipher, Unreadable, unwrap
from ..vault.evidence import seal_evidence
from ..vault.ring import KeyRing, KeyUnavailable, Purpose
from ..vault.tags import channel_place, verify_tag
from .evidence_document import EvidenceDocument, EvidenceItem, EvidenceMessage, Side
from .log_reading import opened

log = structlog.get_logger(__name__)

_MAX_NOTE_BYTES: Final = 4 * MAX_TEXT_CHARS
_NAMES_TRIED: Final = 5

_CODES: Final = {
    "too_many": NotReportedCode.TOO_MANY,
    "is_closed": NotReportedCode.CLOSED,
    "no_trip": NotReportedCode.CLOSED,
}


@dataclass(frozen=True, slots=True)
class Reporter:
    """Who reports: the party that sits or sat in this role in this epoch, and its language."""

    trip: str
    role: Role
    epoch: int
    locale: str


class NotTaken(NamedTuple):
    """A report of which nothing is stored; with `wait_ms` the same one may be sent again."""

    code: NotReportedCode
    wait_ms: int = 0


class _Logged(NamedTuple):
    """A message that the log still holds, in the reporter's language."""

    pos: str
    id: str
    sender: Sender
    kind: str
    text: str


class Reports:
    """Takes reports. `ring` gives the key ring of the moment, `now_ms` the store's time,
    `random_bytes(n)` n random bytes."""

    def __init__(
        self,
        records: ReportRecords,
        *,
        ring: Callable[[], KeyRing],
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        evidence_retention_s: int,
    ) -> None:
        self._records = records
        self._ring = ring
        self._now_ms = now_ms
        self._random_bytes = random_bytes
        self._evidence_s = evidence_retention_s

    async def take(self, by: Reporter, report: Report) -> NotTaken | None:
        """Make a case of a report, or say why not; once, however often it is sent.

        Raises `StoreError`, after which it may have been taken, and `KeyUnavailable`.
        """
        items = report.items or []
        note = (report.note or "").strip()
        if len({item.epoch for item in items}) > 1:
            return NotTaken(NotReportedCode.MALFORMED)
        if note and problem_with("text", note, None, None, _MAX_NOTE_BYTES) is not None:
            return NotTaken(NotReportedCode.MALFORMED)
        ring = self._ring()
        key = ring.current(Purpose.EVIDENCE, self._now_ms())

        epoch = items[0].epoch if items else by.epoch
        found = await self._records.look(
            by.trip, by.role, by.epoch, report.id, epoch, [item.pos for item in items]
        )
        if isinstance(found, Settled):
            return _refusal(found)
        logged = _opened(ring, by, found)
        proofs = [_proof(ring, by, found, item, logged.get(item.pos)) for item in items]
        note, texts = await _without_numbers(note, items, proofs)
        document = _document(by, found, note, items, texts, proofs, logged)
        plaintext = msgspec.msgpack.encode(document)

        for _ in range(_NAMES_TRIED):
            name = case_name(by.trip, self._random_bytes(4))
            case = NewCase(
                name=name,
                category=report.category,
                urgency=URGENCY[report.category],
                block=bool(report.block),
                evidence_s=self._evidence_s,
                items=len(items),
                proven=proofs.count(Proof.PROVEN),
                forged=proofs.count(Proof.FORGED),
                sealed=seal_evidence(
                    key, plaintext, case=name, nonce=self._random_bytes(NONCE_BYTES)
                ),
            )
            filed = await self._records.file(
                by.trip, by.role, by.epoch, report.id, found.epoch, case
            )
            if filed.outcome != "clash":
                return _refusal(filed)
        raise StoreError("no name for a case was free")


def _refusal(settled: Settled) -> NotTaken | None:
    if settled.outcome in ("taken", "reported"):
        return None
    return NotTaken(_CODES[settled.outcome], settled.wait_ms)


def _opened(ring: KeyRing, by: Reporter, found: Found) -> dict[str, _Logged]:
    """What the log still holds of it, by position. Nothing, if its key is destroyed."""
    if not found.entries:
        return {}
    try:
        data_key = unwrap(ring, found.messages_key, trip=by.trip)
    except (KeyUnavailable, Unreadable) as error:
        log.warning("reported_log_unreadable", error=type(error).__name__)
        return {}
    cipher = MessageCipher(data_key, trip=by.trip, epoch=found.epoch)
    entries = sorted(found.entries, key=lambda entry: position(entry[0]))
    return {
        said.pos: _Logged(
            said.pos, said.id, said.sender, said.body.kind, said.body.text_in(by.locale)
        )
        for said in opened(entries, cipher, deadline=found.deadline, bars=found.bars)
    }


def _proof(
    ring: KeyRing, by: Reporter, found: Found, item: ReportedItem, logged: _Logged | None
) -> Proof:
    """What can be told of a message as the reporter's app sent it.

    A tag that is wrong is not made good by the log: whoever sends one has altered something. A
    message that the log does not hold is made up, unless its tag proves it, as it does of one that
    a failover has lost: without that, whoever leaves the tag out would be believed by half.
    """
    if item.epoch != found.epoch:
        return Proof.FORGED  # the reporter had no part in that pairing
    sender = _sender(by, item)
    if item.tag is not None:
        place = channel_place(by.trip, item.epoch)
        try:
            genuine = verify_tag(ring, item.tag, place, item.pos, item.id, sender, item.text)
        except KeyUnavailable:
            pass
        else:
            return Proof.PROVEN if genuine else Proof.FORGED
    if logged is None:
        lies_there = any(position(entry) == item.pos for entry, _ in found.entries)
        # What lies there and was not opened is damaged, was refused, or has lost its key.
        return Proof.FORGED if found.has_log and not lies_there else Proof.UNKNOWN
    same = (logged.id, logged.sender, logged.text) == (item.id, sender, item.text)
    return Proof.PROVEN if same else Proof.FORGED


async def _without_numbers(
    note: str, items: Sequence[ReportedItem], proofs: Sequence[Proof]
) -> tuple[str, list[str]]:
    """The note and the items' texts as staff may see them. They are read together, because a number
    may be spread over them; what the relay delivered itself is as it was."""
    statement = Statement()
    statement.tells(note)
    for item, proof in zip(items, proofs, strict=True):
        # What the relay did not deliver may hold anything, and be slow to read: others go first.
        await asyncio.sleep(0)
        if proof is not Proof.PROVEN:
            statement.tells(item.text)
        elif item.sender == "you":
            statement.said(item.text)
    note, *told = statement.without_numbers()
    left = iter(told)
    return note, [
        item.text if proof is Proof.PROVEN else next(left)
        for item, proof in zip(items, proofs, strict=True)
    ]


def _document(
    by: Reporter,
    found: Found,
    note: str,
    items: Sequence[ReportedItem],
    texts: Sequence[str],
    proofs: Sequence[Proof],
    logged: dict[str, _Logged],
) -> EvidenceDocument:
    reported = {item.pos for item in items}
    return EvidenceDocument(
        note=note,
        items=[
            EvidenceItem(
                epoch=item.epoch,
                pos=item.pos,
                id=item.id,
                sender=_side(by, _sender(by, item)),
                at=int(item.pos.partition("-")[0]),
                text=text,
                proof=proof,
                kind=logged[item.pos].kind if item.pos in logged else "",
            )
            for item, text, proof in zip(items, texts, proofs, strict=True)
        ],
        window=[
            EvidenceMessage(
                epoch=found.epoch,
                pos=one.pos,
                id=one.id,
                sender=_side(by, one.sender),
                at=int(one.pos.partition("-")[0]),
                kind=one.kind,
                text=one.text,
                reported=one.pos in reported,
            )
            for one in logged.values()
        ],
    )


def _sender(by: Reporter, item: ReportedItem) -> Sender:
    if item.sender == "system":
        return "system"
    return by.role if item.sender == "you" else by.role.peer


def _side(by: Reporter, sender: Sender) -> Side:
    if sender == "system":
        return "system"
    return "reporter" if sender is by.role else "reported"
