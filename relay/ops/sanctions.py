"""Sanctions: warn a party, mute it, suspend it, never pair it with another again.

They are enforced where a channel opens (`standing`), and at once in those that are open: a muted
party's bar lets quick replies pass, a suspended one's nothing. A bar has its end in it, so a mute
that ends by time needs nobody to end it.

Nothing here is one step with `open`, because a party's records and a trip's do not share a slot. An
`open` writes the trip into the party's index before it reads the sanctions, and `impose` writes the
sanction before it reads the index: one of the two sees the other. For the `open` that has read and
not yet opened, `impose` leaves a mark that the script of the `open` finds. What a node that dies
has not finished is in a list that every node works off (`finish`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from ..core.acts import Act
from ..core.bars import NO_BARS, Bar, Kind, pack_bars
from ..core.body import pack_body, system_body
from ..core.casework import CaseState, SanctionKind, SanctionReason
from ..core.ids import Role
from ..store.cases import CaseRecords
from ..store.events import Events
from ..store.oversight import Oversight
from ..store.parties import Parties, PartyStanding, Sanction, Sitting
from ..store.store import Store
from ..vault.envelope import NONCE_BYTES, MessageCipher, Unreadable, unwrap
from ..vault.ring import KeyRing, KeyUnavailable
from .actor import Actor
from .audit import Audit
from .notes import checked_note
from .refusals import OpsCode, Refused
from .typed_ids import TypedIds

__all__ = ["Sanction", "Sanctions", "Standing"]

log = structlog.get_logger(__name__)

MAX_MUTE_H: Final = 720
MAX_HOURS: Final = 24 * 366
#: Longer needs a supervisor.
AGENT_SUSPENSION_H: Final = 72

#: The end of a bar that only lifting ends.
_NO_END_MS: Final = 2**52
_HOUR_MS: Final = 3_600_000
#: What is unfinished for this long has been left by whoever began it.
_LEFT_MS: Final = 10_000
_AT_ONCE: Final = 50
_TRIES: Final = 4

_KIND_OF_BAR: Final[dict[SanctionKind, Kind]] = {
    SanctionKind.MUTE: "text",
    SanctionKind.SUSPEND: "all",
    SanctionKind.NEVER_PAIR: "all",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What two parties' sanctions mean for the channel they are about to have.

    `refusal` is empty, or why they get none: suspended, never_pair or restricted.
    """

    refusal: str
    _mutes: tuple[Sanction, ...]

    def bars(self, seats: Mapping[Role, str]) -> bytes:
        """The bars of their channel, as the store keeps them."""
        if not self._mutes:
            return NO_BARS.raw
        return pack_bars(
            Bar(role.letter, "text", mute.at, _end_of(mute), mute.id)
            for mute in self._mutes
            for role, party in seats.items()
            if party == mute.party
        )


class Sanctions:
    """What operators impose on parties. Acts raise `Refused` and `StoreError`."""

    def __init__(
        self,
        store: Store,
        parties: Parties,
        cases: CaseRecords,
        audit: Audit,
        events: Events,
        *,
        ring: Callable[[], KeyRing],
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._oversight = Oversight(store)
        self._typed_ids = TypedIds(parties, cases)
        self._parties = parties
        self._cases = cases
        self._audit = audit
        self._events = events
        self._ring = ring
        self._now_ms = now_ms
        self._random_bytes = random_bytes

    # --- acts -------------------------------------------------------------------------------------

    async def impose(
        self,
        by: Actor,
        party: str,
        kind: SanctionKind,
        reason: SanctionReason,
        *,
        hours: int | None = None,
        other: str = "",
        case: str = "",
        note: str = "",
    ) -> Sanction:
        """Impose a sanction and enforce it. `hours` is how long, None without end.

        A mute needs `hours`, a pair that is never to meet again the `other` party. An agent names
        the case that it follows from, which must be his own, and a pair is the case's two parties.
        """
        note = checked_note(note, required=False)
        _check_terms(by, party, kind, hours, other)
        await self._typed_ids.check_party(party)
        if other:
            await self._typed_ids.check_party(other, field="other")
        await self._check_case(by, party, case, other)
        now_ms = self._now_ms()
        sanction = Sanction(
            id=f"s{self._random_bytes(8).hex()}",
            party=party,
            kind=kind,
            reason=reason,
            by=by.id,
            at=now_ms,
            until=now_ms + hours * _HOUR_MS if hours is not None else None,
            case=case,
            other=other,
            note=note,
        )
        await self._audit.record(
            by, Act.SANCTION_IMPOSE, party=party, case=case, reason=reason, note=note,
            details=_details(sanction) | ({"hours": hours} if hours is not None else {}),
        )  # fmt: skip
        await self._parties.pend(party, sanction.id, now_ms)
        if await self._parties.put_sanction(None, sanction, now_ms) != "stored":
            await self._parties.unpend(party, sanction.id)
            await self._audit.record(
                by, Act.SANCTION_IMPOSE, party=party, outcome="not_done",
                details={"sanction": sanction.id},
            )  # fmt: skip
            raise _too_many(kind)
        await self._carry_out(sanction)
        return sanction

    async def lift(self, by: Actor, party: str, sanction_id: str, note: str) -> Sanction:
        """End a sanction before its time. An agent lifts only what he imposed himself."""
        note = checked_note(note)
        found = await self._in_force(party, sanction_id)
        if found.appeal == "open":
            raise Refused(
                OpsCode.CONFLICT,
                "There is an open appeal against this sanction, so nothing was done. A supervisor "
                "who did not impose it decides the appeal, and lifts it so.",
            )
        if not by.is_supervisor and found.by != by.id:
            raise Refused(
                OpsCode.NOT_ALLOWED,
                "Somebody else imposed this sanction, so a supervisor has to lift it. It stays as "
                "it is.",
            )
        return await self._lift(by, found, Act.SANCTION_LIFT, note, appeal=found.appeal)

    async def appeal(self, by: Actor, party: str, sanction_id: str, note: str) -> Sanction:
        """Write down that the party objects. The sanction holds until somebody decides."""
        note = checked_note(note)
        found = await self._of_party(party, sanction_id)
        if found.appeal:
            raise Refused(
                OpsCode.CONFLICT,
                "There is an appeal against this sanction already, so none was added. See what "
                "became of it.",
            )
        return await self._changed(
            by, found, Act.SANCTION_APPEAL, note, {"appeal": "open", "appeal_note": note}
        )

    async def decide(
        self, by: Actor, party: str, sanction_id: str, *, lifts: bool, note: str
    ) -> Sanction:
        """Decide an appeal: a supervisor, and never who imposed the sanction."""
        note = checked_note(note)
        found = await self._of_party(party, sanction_id)
        if found.appeal != "open":
            raise Refused(
                OpsCode.CONFLICT,
                "There is no open appeal against this sanction, so nothing was decided.",
            )
        if not by.is_supervisor or by.id == found.by:
            raise Refused(
                OpsCode.NOT_ALLOWED,
                "An appeal is decided by a supervisor who did not impose the sanction himself. It "
                "stays open; ask another supervisor.",
            )
        if lifts and found.holds(self._now_ms()):
            return await self._lift(by, found, Act.SANCTION_DECIDE, note, appeal="lifted")
        return await self._changed(
            by, found, Act.SANCTION_DECIDE, note, {"appeal": "lifted" if lifts else "upheld"}
        )

    # --- what others need to know -----------------------------------------------------------------

    async def standing(self, parties: Sequence[str], *, trip: str = "") -> Standing:
        """What the sanctions of both parties mean for a channel between them, in one round trip.

        With `trip` that is written into their indexes first: an `open` or `reassign` has to give
        it, and both parties, or a sanction imposed meanwhile could miss the channel.
        """
        now_ms = self._now_ms()
        found = await self._parties.standing(parties, now_ms, trip=trip)
        return _standing(parties, found, now_ms)

    async def of(self, party: str) -> list[Sanction]:
        """A party's sanctions, the newest first; those that ended a year ago may be gone."""
        return await self._parties.sanctions(party)

    async def listed(self, *, before_ms: int | None = None, count: int = 50) -> list[Sanction]:
        """Sanctions of all parties, the newest first."""
        return await self._parties.listed_sanctions(before_ms, count)

    async def finish(self) -> int:
        """Carry out what nodes that died or lost the store have begun; give how many that were.

        To be called every few seconds, by any node.
        """
        left = await self._parties.pending(self._now_ms() - _LEFT_MS, _AT_ONCE)
        done = 0
        for party, sanction_id, at_ms in left:
            if not await self._parties.take_pending(party, sanction_id, at_ms + _LEFT_MS):
                continue  # another node is at it
            sanction = await self._parties.sanction(party, sanction_id)
            if sanction is None:
                await self._parties.unpend(party, sanction_id)
            else:
                await self._carry_out(sanction)
            done += 1
        return done

    # --- carrying out -----------------------------------------------------------------------------

    async def _carry_out(self, sanction: Sanction) -> None:
        """Make everything agree with a stored sanction. Can be repeated."""
        await self._parties.list_sanction(sanction)
        await self._enforce(sanction)
        now = await self._parties.sanction(sanction.party, sanction.id)
        if now is not None and now.holds(self._now_ms()) != sanction.holds(self._now_ms()):
            # Lifted while it was being imposed: whoever lifted it may have come too early.
            await self._enforce(now)
        kind = "sanction.lifted" if sanction.lifted_at is not None else "sanction.imposed"
        await self._events.emit(kind, subject=sanction.party, **_event(sanction))
        await self._parties.unpend(sanction.party, sanction.id)

    async def _enforce(self, sanction: Sanction) -> None:
        trips = await self._parties.trips(sanction.party)
        sittings = await self._parties.sittings(trips)
        unseen = [one.trip for one in sittings if _may_break(one, sanction)]
        if unseen and sanction.kind is not SanctionKind.WARN:
            mark = self._random_bytes(8).hex()
            await asyncio.gather(*(self._parties.mark(trip, mark) for trip in unseen))
            # The mark stops an `open` that comes from now on; this sees the one that came before.
            again = {one.trip: one for one in await self._parties.sittings(unseen)}
            sittings = [again.get(one.trip, one) for one in sittings]
        concerned = [one for one in sittings if one.is_open and _concerns(one, sanction)]
        for start in range(0, len(concerned), _AT_ONCE):
            await asyncio.gather(
                *(self._enforce_in(one, sanction) for one in concerned[start : start + _AT_ONCE])
            )

    async def _enforce_in(self, sitting: Sitting, sanction: Sanction) -> None:
        role = sitting.role_of(sanction.party)
        assert role is not None
        if sanction.kind is SanctionKind.WARN:
            await self._warn(sitting.trip, role, sanction)
            return
        kind = _KIND_OF_BAR[sanction.kind]
        until_ms = _end_of(sanction) if sanction.holds(self._now_ms()) else 0
        await self._oversight.bar(
            sitting.trip, role, sanction.party, kind, until_ms, source=sanction.id
        )

    async def _warn(self, trip: str, role: Role, sanction: Sanction) -> None:
        """Post the warning into a party's open channel, for it alone; once, by its id."""
        body = pack_body(system_body("warning"))
        for _ in range(_TRIES):
            state, epoch, wrapped = await self._store.messages_key(trip)
            if state not in ("open", "grace"):
                return
            try:
                key = unwrap(self._ring(), wrapped, trip=trip)
            except (KeyUnavailable, Unreadable):
                log.error("warning_not_sealed", trip=trip)
                return
            sealed = MessageCipher(key, trip=trip, epoch=epoch).seal(
                "system", sanction.id, body, self._random_bytes(NONCE_BYTES)
            )
            outcome, _, _ = await self._store.post(
                trip, epoch=epoch, sender=f"s{role.letter}", post_id=sanction.id, sealed=sealed,
                masked=False, after=None,
            )  # fmt: skip
            if outcome not in ("epoch", "moved"):
                return
            (sitting,) = await self._parties.sittings([trip])
            if sitting.role_of(sanction.party) is not role:
                return

    # --- changing ---------------------------------------------------------------------------------

    async def _lift(
        self, by: Actor, found: Sanction, act: Act, note: str, *, appeal: str
    ) -> Sanction:
        now_ms = self._now_ms()
        lifted = await self._changed(
            by, found, act, note, {"lifted_at": now_ms, "lifted_by": by.id, "appeal": appeal}
        )
        await self._carry_out(lifted)
        return lifted

    async def _changed(
        self, by: Actor, found: Sanction, act: Act, note: str, changes: dict[str, object]
    ) -> Sanction:
        changed = Sanction(**(_fields(found) | changes))  # type: ignore[arg-type]
        outcome = changed.appeal if act is Act.SANCTION_DECIDE else ""
        await self._audit.record(
            by, act, party=found.party, case=found.case, reason=found.reason, note=note,
            outcome=outcome, details=_details(found),
        )  # fmt: skip
        if changed.lifted_at != found.lifted_at:
            await self._parties.pend(found.party, found.id, self._now_ms())
        if await self._parties.put_sanction(found, changed, self._now_ms()) != "stored":
            await self._audit.record(
                by, act, party=found.party, outcome="not_done", details=_details(found)
            )
            raise Refused(
                OpsCode.CONFLICT,
                "Somebody else changed this sanction just now, so you did not. Look at it again.",
            )
        return changed

    async def _of_party(self, party: str, sanction_id: str) -> Sanction:
        found = await self._parties.sanction(party, sanction_id)
        if found is None:
            raise Refused(OpsCode.NOT_FOUND, "The party has no such sanction; nothing was done.")
        return found

    async def _in_force(self, party: str, sanction_id: str) -> Sanction:
        found = await self._of_party(party, sanction_id)
        if not found.holds(self._now_ms()):
            raise Refused(
                OpsCode.CONFLICT,
                "This sanction is not in force: it was lifted, has ended, or was a warning. "
                "Nothing was changed.",
            )
        return found

    async def _check_case(self, by: Actor, party: str, case: str, other: str) -> None:
        found = await self._cases.record(case) if case else None
        if case and (found is None or party not in (found.reporter_party, found.reported_party)):
            raise Refused(
                OpsCode.NOT_FOUND,
                "There is no such case by or about this party, so nothing was imposed. Open the "
                "case and impose the sanction from there.",
                field="case",
            )
        is_his = found is not None and found.assignee == by.id
        if not by.is_supervisor and not (
            found is not None and is_his and found.state is CaseState.ASSIGNED
        ):
            raise Refused(
                OpsCode.NOT_ALLOWED,
                "An agent imposes a sanction from an open case about this party that is assigned "
                "to him, so nothing was done. Take the case first, or ask a supervisor.",
                field="case",
            )
        if (
            not by.is_supervisor
            and other
            and found is not None
            and {party, other} != {found.reporter_party, found.reported_party}
        ):
            raise Refused(
                OpsCode.NOT_ALLOWED,
                "An agent parts only the two parties of his case, so nothing was imposed. Name the "
                "other party of the case, or ask a supervisor.",
                field="other",
            )


def _check_terms(by: Actor, party: str, kind: SanctionKind, hours: int | None, other: str) -> None:
    """Whether such a sanction can be. Raises `Refused`."""
    if kind is SanctionKind.WARN and hours is not None:
        raise _invalid("hours", "A warning has no duration. Nothing was imposed.")
    if kind is SanctionKind.MUTE and hours is None:
        raise _invalid("hours", f"A mute needs its hours, 1 to {MAX_MUTE_H}. Nothing was imposed.")
    most = MAX_MUTE_H if kind is SanctionKind.MUTE else MAX_HOURS
    if hours is not None and not 1 <= hours <= most:
        raise _invalid("hours", f"The hours must be 1 to {most}. Nothing was imposed.")
    if kind is SanctionKind.NEVER_PAIR and other in ("", party):
        raise _invalid("other", "Name the other party of the pair. Nothing was imposed.")
    if kind is not SanctionKind.NEVER_PAIR and other:
        raise _invalid("other", "Only a pair has another party. Nothing was imposed.")
    is_long = hours is None or hours > AGENT_SUSPENSION_H
    if kind is SanctionKind.SUSPEND and is_long and not by.is_supervisor:
        raise Refused(
            OpsCode.NOT_ALLOWED,
            f"An agent suspends for {AGENT_SUSPENSION_H} hours at most, so nothing was imposed. "
            "Suspend for that long and ask a supervisor.",
            field="hours",
        )


def _standing(parties: Collection[str], found: Sequence[PartyStanding], now_ms: int) -> Standing:
    if not any(one.restricted or one.sanctions for one in found):
        return _CLEAR
    holding = [one for stored in found for one in stored.sanctions if one.holds(now_ms)]
    kinds = {one.kind for one in holding}
    refusal = ""
    if SanctionKind.SUSPEND in kinds:
        refusal = "suspended"
    elif any(one.kind is SanctionKind.NEVER_PAIR and one.other in parties for one in holding):
        refusal = "never_pair"
    elif any(one.restricted for one in found):
        refusal = "restricted"
    return Standing(refusal, tuple(one for one in holding if one.kind is SanctionKind.MUTE))


_CLEAR: Final = Standing("", ())


def _may_break(sitting: Sitting, sanction: Sanction) -> bool:
    """Whether somebody may be about to come in here on what was read before the sanction. Of a pair
    either of the two can sit here already."""
    return sitting.awaits(sanction.party) or (
        sanction.kind is SanctionKind.NEVER_PAIR and sitting.awaits(sanction.other)
    )


def _concerns(sitting: Sitting, sanction: Sanction) -> bool:
    if sitting.role_of(sanction.party) is None:
        return False
    return (
        sanction.kind is not SanctionKind.NEVER_PAIR or sitting.role_of(sanction.other) is not None
    )


def _end_of(sanction: Sanction) -> int:
    return sanction.until if sanction.until is not None else _NO_END_MS


def _details(sanction: Sanction) -> dict[str, str | int]:
    found: dict[str, str | int] = {"sanction": sanction.id, "kind": sanction.kind.value}
    return found | ({"other": sanction.other} if sanction.other else {})


def _event(sanction: Sanction) -> dict[str, str | int | bool]:
    """What the platform is told of a sanction."""
    found: dict[str, str | int | bool] = {
        "party": sanction.party,
        "sanction": sanction.id,
        "sanction_kind": sanction.kind.value,
        "reason": sanction.reason.value,
        "imposed_at": sanction.at,
    }
    if sanction.until is not None:
        found["until"] = sanction.until
    for name in ("case", "other"):
        if value := getattr(sanction, name):
            found[name] = value
    return found


def _fields(sanction: Sanction) -> dict[str, object]:
    return {name: getattr(sanction, name) for name in sanction.__struct_fields__}


def _too_many(kind: SanctionKind) -> Refused:
    if kind is SanctionKind.WARN:
        advice = (
            "Another warning would change nothing: mute or suspend the party, for which room is "
            "made."
        )
    else:
        advice = "Lift one that no longer matters, or decide its appeal; that makes room at once."
    return Refused(
        OpsCode.TOO_MANY,
        "This party has as many sanctions as can be kept of one, so this one was not imposed. "
        + advice,
    )


def _invalid(field: str, detail: str) -> Refused:
    return Refused(OpsCode.INVALID, detail, field=field)
