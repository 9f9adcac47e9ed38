"""Legal hold: a trip's messages are kept for the law beyond their time.

What makes messages unreadable is the destruction of the day's key that wraps their trip's key. A
held trip's key is wrapped anew under the evidence ring, whose keys live longer, and the sweep
leaves the messages alone until the hold ends. The same goes for the evidence of the trip's cases,
each time a hold is placed: the key that sealed it may be destroyed before that one ends. Numbers
have a ring of their own, so a hold neither keeps one nor brings one back.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from ..core.acts import Act
from ..core.ids import TRIP_ID
from ..store.cases import CaseRecords
from ..store.endpoint import StoreError
from ..store.holds import Hold, HoldList
from ..store.oversight import Oversight
from ..store.parties import Parties
from ..store.store import Store
from ..vault.envelope import NONCE_BYTES, Unreadable, unwrap, wrap
from ..vault.evidence import evidence_key_id, open_evidence, seal_evidence
from ..vault.ring import KeyRing, KeyUnavailable, Purpose
from .actor import Actor
from .audit import Audit
from .notes import checked_note
from .refusals import OpsCode, Refused

__all__ = ["Hold", "Holds"]

log = structlog.get_logger(__name__)

_TRIES: Final = 4


class Holds:
    """Legal holds, which only supervisors place and release.

    `longest_hold_s` is for how long evidence can be kept at all. Acts raise `Refused`,
    `KeyUnavailable` and `StoreError`.
    """

    def __init__(
        self,
        store: Store,
        parties: Parties,
        audit: Audit,
        *,
        ring: Callable[[], KeyRing],
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        longest_hold_s: int,
    ) -> None:
        self._store = store
        self._oversight = Oversight(store)
        self._list = HoldList(store)
        self._cases = CaseRecords(store)
        self._parties = parties
        self._audit = audit
        self._ring = ring
        self._now_ms = now_ms
        self._random_bytes = random_bytes
        self._longest_ms = longest_hold_s * 1000

    async def place(self, by: Actor, trip: str, until_ms: int, note: str) -> Hold:
        """Keep a trip's messages, and the evidence of its cases, until then; again for another
        time. After a `StoreError` place it again: it may not be all that is kept."""
        _must_be_supervisor(by)
        note = checked_note(note)
        now_ms = self._now_ms()
        if not now_ms < until_ms <= now_ms + self._longest_ms:
            days = self._longest_ms // 86_400_000
            raise Refused(
                OpsCode.INVALID,
                f"A hold ends in the future and within {days} days, so nothing was held. It can "
                "be placed again before it ends.",
                field="until",
            )
        state, epoch, wrapped = await self._wrapped_key(trip)
        if state is None:
            raise _unknown()
        if not wrapped:
            raise _gone()
        self._ring().current(Purpose.EVIDENCE, now_ms)  # without one nothing is begun
        before = await self._list.get(trip)
        hold = Hold(trip, until_ms, by.id, now_ms, note)
        await self._audit.record(
            by, Act.HOLD_PLACE, trip=trip, note=note, details={"until": until_ms}
        )
        # Listed first: a hold that nobody finds would be worse than an entry without one, which
        # `listed` leaves out.
        await self._list.put(hold)
        outcome = await self._hold(trip, until_ms, wrapped)
        if outcome != "ok":
            await (self._list.put(before) if before is not None else self._list.remove(trip))
            await self._audit.record(by, Act.HOLD_PLACE, trip=trip, outcome="not_done")
            raise _gone() if outcome == "gone" else _unknown() if outcome == "no_trip" else _busy()
        await self._keep_evidence(trip)
        for number in range(1, epoch + 1):
            for party in (await self._oversight.parties_of(trip, number)).values():
                await self._parties.keep_trip(party, trip, until_ms)
        return hold

    async def release(self, by: Actor, trip: str, note: str) -> None:
        """Let a trip's messages go: at once if their own time is over."""
        _must_be_supervisor(by)
        note = checked_note(note)
        state, _, wrapped = await self._wrapped_key(trip)
        if state is None:
            raise _unknown()
        (sight,) = await self._oversight.sights([trip])
        if sight is None or sight.held_until <= self._now_ms() or not wrapped:
            raise Refused(
                OpsCode.CONFLICT, "This trip is not held, or no longer, so there is no hold to end."
            )
        await self._audit.record(by, Act.HOLD_RELEASE, trip=trip, note=note)
        for _ in range(_TRIES):
            outcome = await self._oversight.hold(trip, 0, wrapped, b"")
            if outcome != "changed":
                break
            _, _, wrapped = await self._wrapped_key(trip)
        if outcome != "ok":
            await self._audit.record(by, Act.HOLD_RELEASE, trip=trip, outcome="not_done")
            raise _busy() if outcome == "changed" else _unknown()
        await self._list.remove(trip)

    async def listed(self) -> list[Hold]:
        """Every hold, the one that ends first first."""
        now_ms = self._now_ms()
        entries = await self._list.all()
        sights = await self._oversight.sights([one.trip for one in entries])
        found = []
        for hold, sight in zip(entries, sights, strict=True):
            if sight is not None and sight.held_until > now_ms:
                found.append(hold)
            elif hold.until <= now_ms:
                await self._list.remove(hold.trip)
        return found

    async def _wrapped_key(self, trip: str) -> tuple[str | None, int, bytes]:
        if not TRIP_ID.fullmatch(trip):
            raise _unknown()
        return await self._store.messages_key(trip)

    async def _hold(self, trip: str, until_ms: int, wrapped: bytes) -> str:
        """Wrap a trip's key anew and hold its messages; give the outcome of the store's."""
        for _ in range(_TRIES):
            ring = self._ring()
            evidence = ring.current(Purpose.EVIDENCE, self._now_ms())
            try:
                key = unwrap(ring, wrapped, trip=trip)
            except KeyUnavailable:
                return "gone"  # the day's key is destroyed, and the messages with it
            except Unreadable:
                raise StoreError("a trip's key is damaged") from None
            fresh = wrap(evidence, key, trip=trip, nonce=self._random_bytes(NONCE_BYTES))
            outcome = await self._oversight.hold(trip, until_ms, wrapped, fresh)
            if outcome != "changed":
                return outcome
            _, _, wrapped = await self._store.messages_key(trip)
        return "changed"

    async def _keep_evidence(self, trip: str) -> None:
        """Seal the evidence of a trip's cases under the youngest key."""
        for case in await self._oversight.cases_of(trip):
            for _ in range(_TRIES):
                found = await self._cases.evidence(case)
                if found is None or not found[1]:
                    break  # its time was over before
                sealed, ring = found[1], self._ring()
                key = ring.current(Purpose.EVIDENCE, self._now_ms())
                if evidence_key_id(sealed) == key.id:
                    break
                try:
                    plaintext = open_evidence(ring, sealed, case=case)
                except (KeyUnavailable, Unreadable) as error:
                    log.error("evidence_not_held", case=case, error=type(error).__name__)
                    break
                nonce = self._random_bytes(NONCE_BYTES)
                fresh = seal_evidence(key, plaintext, case=case, nonce=nonce)
                if await self._cases.seal_anew(case, sealed, fresh):
                    break


def _must_be_supervisor(by: Actor) -> None:
    if not by.is_supervisor:
        raise Refused(
            OpsCode.NOT_ALLOWED,
            "A legal hold is placed and released by supervisors, so nothing was changed. Ask one.",
        )


def _unknown() -> Refused:
    return Refused(
        OpsCode.NOT_FOUND,
        "The relay knows no trip of this id, so nothing was changed. Check the id.",
    )


def _gone() -> Refused:
    return Refused(
        OpsCode.GONE,
        "The messages of this trip are destroyed already, as it was set when it was opened. There "
        "is nothing to hold.",
    )


def _busy() -> Refused:
    return Refused(
        OpsCode.CONFLICT,
        "Somebody else changed the hold of this trip just now, so you did not. Look at it again.",
    )
