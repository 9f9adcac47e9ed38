"""The audit log: who did what, why, when and from where.

An act is written down before it is done, and not done if that fails (`StoreError`). An act that
then did not take effect gets a second entry whose `outcome` says so. Entries are chained by hashes
(`vault.chain`); how far the chain had come is signed from time to time, and those checkpoints leave
the machine with the relay's log and its events (`vault.checkpoints`).

No entry holds a message's text or a phone number.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from ..core.acts import Act
from ..store.audit import BEGINNING, AuditLog, Head, LineTaken
from ..store.endpoint import StoreError
from ..vault.chain import Link, Verdict, Verifier, canonical, next_hash
from ..vault.checkpoints import Checkpoint, public_key, sign_checkpoint
from ..vault.ring import KeyRing, KeyUnavailable, Purpose
from .actor import Actor

log = structlog.get_logger(__name__)

Details = Mapping[str, str | int]

#: How often an entry is tried when others were faster; each time, one of them was.
_TRIES: Final = 200


class AuditEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One act as it is written down, number `n` of the log; `at` in Unix milliseconds."""

    n: int
    at: int
    actor: str
    scope: str
    via: str
    act: str
    address: str = ""
    trip: str = ""
    case: str = ""
    party: str = ""
    reason: str = ""
    note: str = ""
    outcome: str = ""
    details: dict[str, str | int] = {}


class Doing(NamedTuple):
    """One of several acts that are written down together."""

    act: str
    trip: str = ""
    case: str = ""
    party: str = ""
    reason: str = ""
    note: str = ""
    outcome: str = ""
    details: Details | None = None


_WATCHING: Final = frozenset({Act.WATCH_ALARM, Act.WATCH_ACKNOWLEDGE})
_decode: Final = msgspec.json.Decoder(AuditEntry).decode


class Audit:
    """Writes, reads and checks the log. Every method raises `StoreError`."""

    def __init__(
        self, log: AuditLog, *, ring: Callable[[], KeyRing], now_ms: Callable[[], int]
    ) -> None:
        self._log = log
        self._ring = ring
        self._now_ms = now_ms
        self._head = BEGINNING  # as last seen: if it is another by now, the store says so
        self._signed: Checkpoint | None = None  # the last one that this worker has seen
        self._turn = asyncio.Lock()

    # --- to write ---------------------------------------------------------------------------------

    async def record(
        self,
        actor: Actor,
        act: str,
        *,
        trip: str = "",
        case: str = "",
        party: str = "",
        reason: str = "",
        note: str = "",
        outcome: str = "",
        details: Details | None = None,
    ) -> int:
        """Write down an act; give its number. It is stored when this returns."""
        doing = Doing(act, trip, case, party, reason, note, outcome, details)
        return await self._append(actor, [doing], self._now_ms())

    async def record_all(self, actor: Actor, acts: Sequence[Doing]) -> None:
        """Write down several acts of one person, all or none."""
        if acts:
            await self._append(actor, acts, self._now_ms())

    async def record_line(self, actor: Actor, doing: Doing, *, at_ms: int, line: str) -> bool:
        """Write down an act that a journal's line tells of; whether it wasn't there yet."""
        try:
            await self._append(actor, [doing], at_ms, line)
        except LineTaken:
            return False
        return True

    async def _append(self, actor: Actor, acts: Sequence[Doing], at_ms: int, line: str = "") -> int:
        async with self._turn:
            for _ in range(_TRIES):
                head, links = self._head, []
                for doing in acts:
                    body = canonical(_entry(head.n + 1, at_ms, actor, doing))
                    head = Head(head.n + 1, next_hash(head.hash, body))
                    links.append(Link(head.hash, body))
                moved = await self._log.append(self._head, links, line=line)
                if moved is None:
                    self._head = head
                    return head.n
                self._head = moved
        raise StoreError("the audit log is written to by so many that there is no getting in")

    # --- to read ----------------------------------------------------------------------------------

    async def page(
        self,
        *,
        before: int | None = None,
        count: int = 50,
        actor: str = "",
        act: str = "",
        party: str = "",
        trip: str = "",
        case: str = "",
        reader: str = "",
    ) -> list[AuditEntry]:
        """Up to `count` entries before the number `before`, the newest first; of those alone that
        have what is named. What is damaged or in another's place is left out: `verify` finds it. So
        is what tells of an alarm about the operator who is the `reader`."""
        wanted = {
            name: value
            for name, value in (
                ("actor", actor), ("act", act), ("party", party), ("trip", trip), ("case", case),
            )
            if value
        }  # fmt: skip
        # Most entries are passed over without being taken apart.
        marks = [canonical(value) for value in wanted.values()]
        found: list[AuditEntry] = []
        async for place, link in self._log.newest_first(before):
            if not all(mark in link.body for mark in marks):
                continue
            entry = entry_of(link.body)
            # Whoever goes on before the number of an entry goes on before its place.
            if entry is None or entry.n != place:
                continue
            if any(getattr(entry, name) != wanted[name] for name in wanted):
                continue
            if reader and _is_watched(entry, reader):
                continue
            found.append(entry)
            if len(found) == count:
                break
        return found

    async def verify(self, checkpoints: Iterable[Checkpoint] = ()) -> Verdict:
        """Check the whole log against its chain, the stored checkpoints and those given."""
        all_of_them = {*checkpoints, *await self._log.checkpoints()}
        verifier = Verifier(sorted(all_of_them), public_keys(self._ring()))
        written = (await self._log.head()).n
        async for _, link in self._log.oldest_first():
            verifier.add(link)
        return verifier.verdict(written)

    async def export(self, by: Actor, *, first: int = 1) -> AsyncIterator[bytes]:
        """The log from the entry `first` on, as lines of JSON that can be checked elsewhere.

        That it is exported is written down first. The lines are a head, the entries with their
        hashes, and the checkpoints that are stored; see `verify_export`. Of what tells of an alarm
        about the person who exports there is the hash alone, and a checkpoint of the entry before,
        from which the hash follows: else that person could write anew what led there.
        """
        last = await self.record(by, Act.AUDIT_EXPORT, details={"from": first})
        checkpoints = await self._log.checkpoints()
        after, previous = await self._start(first)

        async def lines() -> AsyncIterator[bytes]:
            yield canonical({"audit": 1, "after": after, "previous": previous})
            before = Head(after, bytes.fromhex(previous))
            async for place, link in self._log.oldest_first(after):
                if place > last:
                    break
                entry = entry_of(link.body)
                if entry is not None and _is_watched(entry, by.id):
                    if (bound := self._bound(before, entry, link)) is not None:
                        yield canonical({"checkpoint": bound._asdict()})
                    yield canonical({"hash": link.hash.hex(), "withheld": True})
                else:
                    yield canonical({"hash": link.hash.hex(), "entry": _told(link.body)})
                before = Head(place, link.hash)
            for checkpoint in checkpoints:
                yield canonical({"checkpoint": checkpoint._asdict()})

        return lines()

    def _bound(self, before: Head, entry: AuditEntry, link: Link) -> Checkpoint | None:
        """A checkpoint of the entry before one that is withheld, if that one follows from it and
        there is a key to sign with."""
        if not before.n or entry.n != before.n + 1:
            return None
        if next_hash(before.hash, link.body) != link.hash:
            return None
        now_ms = self._now_ms()
        try:
            key = self._ring().current(Purpose.AUDIT, now_ms)
        except KeyUnavailable:
            return None
        return sign_checkpoint(key, n=before.n, hash_=before.hash, at_ms=now_ms)

    async def _start(self, first: int) -> tuple[int, str]:
        """The number and hash of the entry before the one numbered `first`."""
        if first > 1:
            async for place, link in self._log.newest_first(first):
                return place, link.hash.hex()
        return 0, BEGINNING.hash.hex()

    # --- checkpoints ------------------------------------------------------------------------------

    async def checkpoint_if_due(
        self, every_s: float, emit: Callable[..., Awaitable[object]]
    ) -> Checkpoint | None:
        """Sign how far the log has come, if it has grown and no worker has lately done so.

        Call it more often than every `every_s` seconds, in every worker. The checkpoint is stored,
        logged, and told the platform by `emit(kind, subject=..., **fields)`. What was written since
        the last one is checked first: a break is logged as an error and told as `audit.broken`, and
        signed over all the same, because the next break is to be noticed too.

        Raises `KeyUnavailable`.
        """
        if not await self._log.claim_signing(int(every_s * 1000)):
            return None
        last, head = await self._log.last_checkpoint(), await self._log.head()
        # One that this worker remembers is compared too: those stored may have been deleted.
        known = [one for one in (last, self._signed) if one is not None]
        if head == BEGINNING and not known:
            return None
        if any((one.n, one.hash) == (head.n, head.hash.hex()) for one in known):
            return None
        await self._look_back(known, head, emit)
        key, now_ms = self._ring().current(Purpose.AUDIT, self._now_ms()), self._now_ms()
        made = sign_checkpoint(key, n=head.n, hash_=head.hash, at_ms=now_ms)
        await self._log.add_checkpoint(made)
        self._signed = made
        log.info("audit_checkpoint", **made._asdict())
        await emit("audit.checkpoint", subject="audit", **made._asdict())
        return made

    async def _look_back(
        self, known: Sequence[Checkpoint], head: Head, emit: Callable[..., Awaitable[object]]
    ) -> None:
        """Check what was written since the last checkpoints, their own entries included."""
        after, previous = await self._start(min([one.n for one in known], default=1))
        verifier = Verifier(
            known, public_keys(self._ring()), after=after, previous=bytes.fromhex(previous)
        )
        async for place, link in self._log.oldest_first(after):
            if place > head.n:
                break
            verifier.add(link)
        for fault in verifier.verdict(head.n).faults[:1]:
            found: dict[str, str | int] = {"n": fault.n, "flaw": fault.flaw.value}
            log.error("audit_broken", **found)
            await emit("audit.broken", subject="audit", **found)


def entry_of(body: bytes) -> AuditEntry | None:
    """The entry that these bytes are; None if they are damaged."""
    try:
        return _decode(body)
    except msgspec.DecodeError:
        return None


def _is_watched(entry: AuditEntry, person: str) -> bool:
    """Whether it tells of an alarm about this person, who isn't to learn of it."""
    return entry.act in _WATCHING and entry.details.get("operator") == person


def public_keys(ring: KeyRing) -> dict[str, str]:
    """What checks the checkpoints of each audit key in the ring, by key id."""
    return {key.id: public_key(key) for key in ring if key.purpose is Purpose.AUDIT}


def _entry(n: int, at_ms: int, actor: Actor, doing: Doing) -> AuditEntry:
    act, trip, case, party, reason, note, outcome, details = doing
    return AuditEntry(
        n=n, at=at_ms, actor=actor.id, scope=actor.scope.value, via=actor.via,
        address=actor.address, act=act, trip=trip, case=case, party=party, reason=reason, note=note,
        outcome=outcome, details=dict(details or {}),
    )  # fmt: skip


def _named(head: Head) -> tuple[int, str]:
    return head.n, head.hash.hex()


def _told(body: bytes) -> Any:
    """An entry's JSON, or its bytes as text where somebody has damaged it."""
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return body.decode(errors="replace")
