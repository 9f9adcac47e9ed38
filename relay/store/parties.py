"""What the relay keeps of a party besides its trips: an index of them, and its sanctions.

A party's keys lie in a partition of their own, so none of this is one step with a trip. What is
written first makes up for it: an `open` writes the trip into the index before it reads the
sanctions, and who imposes one writes it before it reads the index.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from ..core.casework import SanctionKind, SanctionReason
from ..core.ids import Role
from . import keys, scripts
from .endpoint import StoreError, pack
from .pipe import checked, resolving
from .records import ROLE_OF, batched
from .scripts import TOMBSTONE_S
from .store import Store

#: Sanctions that a party can have at a time, those of the last year included.
MAX_SANCTIONS: Final = 100

_YEAR_MS: Final = 365 * 86_400_000
_MARK_MS: Final = 86_400_000
_DAY_MS: Final = 86_400_000
_AT_ONCE: Final = 100
_TRIES: Final = 4

_MULTI: Final = pack("MULTI")
_EXEC: Final = pack("EXEC")


class Sanction(Struct, frozen=True, omit_defaults=True):
    """A sanction as it is stored. `until` is None where only lifting ends it; times in ms.

    `appeal` is empty, open, upheld (the sanction stays) or lifted.
    """

    id: str
    party: str
    kind: SanctionKind
    reason: SanctionReason
    by: str
    at: int
    until: int | None = None
    case: str = ""
    other: str = ""
    note: str = ""
    appeal: str = ""
    appeal_note: str = ""
    lifted_at: int | None = None
    lifted_by: str = ""

    def holds(self, now_ms: int) -> bool:
        """Whether it is in force; a warning never is, it has been given."""
        return (
            self.kind is not SanctionKind.WARN
            and self.lifted_at is None
            and (self.until is None or now_ms < self.until)
        )

    def ended_at(self) -> int | None:
        """When it ended or will end, None if only lifting ends it."""
        if self.lifted_at is not None:
            return self.lifted_at
        return self.at if self.kind is SanctionKind.WARN else self.until


@dataclass(frozen=True, slots=True)
class PartyStanding:
    """What is stored of a party that an `open` must know."""

    restricted: bool
    sanctions: list[Sanction]


@dataclass(frozen=True, slots=True)
class Sitting:
    """Who sits in a trip's channel now; `state` is None where there is no such trip."""

    trip: str
    state: str | None
    epoch: int
    parties: dict[Role, str]

    @property
    def is_open(self) -> bool:
        return self.state in ("open", "grace")

    def role_of(self, party: str) -> Role | None:
        """Where a party sits."""
        return next((role for role, name in self.parties.items() if name == party), None)

    def awaits(self, party: str) -> bool:
        """Whether an `open` or `reassign` may be under way that seats a party here."""
        return self.state is None or (self.is_open and self.role_of(party) is None)


class PartyTrip(Struct, frozen=True):
    """What a trip's record holds of one party, as far as it may be told: no number, no text,
    nothing of the other party, and of a report, a block or a hold as little as its app shows.

    Times in ms. What belongs to the seat (alias, findings, number) is None or empty once another
    party has taken it.
    """

    trip: str
    role: Role
    state: str
    first_epoch: int
    last_epoch: int
    messages_kept: int
    opened_at: int | None
    deadline: int | None
    closed_at: int | None
    reason: str
    retention_s: int | None
    report_window_s: int | None
    alias: str | None
    locale: str | None
    attached_at: int | None
    number_held: bool
    findings: dict[str, int]


class Erasure(NamedTuple):
    """What became of an erasure, and what the party may be told of it, both in the words of
    scripts/partyerase.lua."""

    outcome: str
    told: str


_sanction: Final = msgspec.json.Decoder(Sanction).decode


class Parties:
    """Calls on the store about parties. Every method raises `StoreError`.

    `longest_record_s`: for how long after its opening a trip's record is there at most.
    """

    def __init__(self, store: Store, *, longest_record_s: int) -> None:
        self._store = store
        self._record_ms = longest_record_s * 1000

    # --- trips ------------------------------------------------------------------------------------

    async def joined(self, party: str, trip: str) -> None:
        """Note that a party has or may get a part in a trip."""
        seconds, _ = await self._store.pipe.call("TIME")
        await self.standing([party], int(seconds) * 1000, trip=trip)

    async def standing(
        self, parties: Sequence[str], now_ms: int, *, trip: str = ""
    ) -> list[PartyStanding]:
        """What an `open` must know of each party, in one round trip; with `trip`, that is written
        into their indexes first."""
        asked = [self._ask_standing(party, now_ms, trip) for party in parties]
        found = []
        for answer in asked:
            *_, restricted, sanctions = checked(await answer)
            found.append(PartyStanding(restricted > 0, [_decoded(raw) for raw in sanctions]))
        return found

    def _ask_standing(self, party: str, now_ms: int, trip: str) -> asyncio.Future[Any]:
        # Native commands in one transaction: a script would cost the store three times as much.
        commands = [
            pack("EXISTS", keys.restricted(party)),
            pack("HVALS", keys.sanctions(party)),
        ]
        if trip:
            index, gone = keys.trips_of(party), now_ms + self._record_ms
            commands = [
                pack("ZADD", index, "GT", gone, trip),
                pack("ZREMRANGEBYSCORE", index, "-inf", now_ms),
                pack("PEXPIREAT", index, gone, "NX"),
                pack("PEXPIREAT", index, gone, "GT"),
                *commands,
            ]
        answer = self._store.pipe.new_answer()
        self._store.pipe.send(
            b"".join((_MULTI, *commands, _EXEC)), resolving(answer), skip=len(commands) + 1
        )
        return answer

    async def trips(self, party: str) -> list[str]:
        """Trips whose record may still be there and that the party had, or might have had, a part
        in; the newest first."""
        names = await self._store.pipe.call("ZRANGE", keys.trips_of(party), 0, -1, "REV")
        return [name.decode() for name in names]

    async def is_known(self, party: str) -> bool:
        """Whether anything is kept under a party's id."""
        # They lie in one slot.
        names = keys.trips_of(party), keys.sanctions(party), keys.restricted(party)
        return int(await self._store.pipe.call("EXISTS", *names)) > 0

    async def keep_trip(self, party: str, trip: str, until_ms: int) -> None:
        """Keep a trip in a party's index for as long as its record is kept."""
        index, gone = keys.trips_of(party), until_ms + TOMBSTONE_S * 1000 + _DAY_MS
        await self._store.pipe.call("ZADD", index, "GT", gone, trip)
        if int(await self._store.pipe.call("PEXPIRETIME", index)) < gone:
            await self._store.pipe.call("PEXPIREAT", index, gone)

    async def forget_trip(self, party: str, trip: str) -> None:
        """Take a trip out of a party's index."""
        await self._store.pipe.call("ZREM", keys.trips_of(party), trip)

    async def sittings(self, trips: Sequence[str]) -> list[Sitting]:
        """Who sits where."""
        found = []
        for start in range(0, len(trips), _AT_ONCE):
            asked = [
                (trip, self._store.pipe.call_raw(
                    pack("HMGET", keys.trip(trip), "state", "epoch", "d.party", "c.party")
                ))
                for trip in trips[start : start + _AT_ONCE]
            ]  # fmt: skip
            for trip, answer in asked:
                state, epoch, *names = checked(await answer)
                seated = zip((Role.DRIVER, Role.CUSTOMER), names, strict=True)
                found.append(
                    Sitting(
                        trip,
                        state.decode() if state else None,
                        int(epoch or 0),
                        {role: name.decode() for role, name in seated if name},
                    )
                )
        return found

    async def mark(self, trip: str, mark: str) -> None:
        """Make an `open` or `reassign` of this trip that is under way read the standing anew."""
        await self._store.pipe.call("SET", keys.sanctioned(trip), mark, "PX", _MARK_MS)

    async def trip_of(self, party: str, trip: str) -> PartyTrip | None:
        """What a trip's record holds of a party, None if it has no part in it."""
        reply = await self._store.run(scripts.PARTY_TRIP, keys.trip(trip), trip, party)
        fields = {name.decode(): value.decode() for name, value in batched(reply)}
        if not fields:
            return None

        def number(name: str) -> int | None:
            return int(fields[name]) if name in fields else None

        return PartyTrip(
            trip=trip,
            role=ROLE_OF[fields["role"]],
            state=fields["state"],
            first_epoch=int(fields["first_epoch"]),
            last_epoch=int(fields["last_epoch"]),
            messages_kept=int(fields["messages_kept"]),
            opened_at=number("opened"),
            deadline=number("deadline"),
            closed_at=number("closed"),
            reason=fields.get("reason", ""),
            retention_s=number("retention_s"),
            report_window_s=number("report_window_s"),
            alias=fields.get("alias"),
            locale=fields.get("locale"),
            attached_at=number("attached"),
            number_held="number_held" in fields,
            findings={
                name.removeprefix("f."): int(count)
                for name, count in fields.items()
                if name.startswith("f.")
            },
        )

    async def erase(self, party: str, trip: str) -> Erasure:
        """Erase a party from a closed trip."""
        outcome, told = await self._store.run(scripts.PARTY_ERASE, keys.trip(trip), trip, party)
        return Erasure(outcome.decode(), told.decode())

    # --- sanctions --------------------------------------------------------------------------------

    async def sanctions(self, party: str) -> list[Sanction]:
        """A party's sanctions, the newest first."""
        raw = await self._store.pipe.call("HVALS", keys.sanctions(party))
        return sorted(map(_decoded, raw), key=lambda one: one.at, reverse=True)

    async def sanction(self, party: str, sanction_id: str) -> Sanction | None:
        """One of them, or None."""
        raw = await self._store.pipe.call("HGET", keys.sanctions(party), sanction_id)
        return _decoded(raw) if raw else None

    async def put_sanction(self, before: Sanction | None, after: Sanction, now_ms: int) -> str:
        """Store a sanction in the place of what was read; give stored, changed or full.

        Where a party has as many as can be kept, one that is over makes room for one that stops the
        party, but not for a warning.
        """
        for _ in range(_TRIES):
            raw = await self._store.pipe.call("HVALS", keys.sanctions(after.party))
            kept = {one.id: (one, text) for text in raw if (one := _decoded(text)).id != after.id}
            others = [one for one, _ in kept.values()]
            goes = _long_over(others, now_ms)
            is_full = before is None and len(others) - len(goes) >= MAX_SANCTIONS
            if is_full and after.kind is not SanctionKind.WARN:
                goes += await self._first_over(others, now_ms)
            reply: bytes = await self._store.run(
                scripts.PARTY_SANCTION, keys.sanctions(after.party), after.id,
                msgspec.json.encode(before) if before else "", msgspec.json.encode(after),
                MAX_SANCTIONS, *(part for one in goes for part in (one.id, kept[one.id][1])),
            )  # fmt: skip
            if reply == b"stored" and goes:
                names = [_member(after.party, one.id) for one in goes]
                await self._store.pipe.call("ZREM", keys.SANCTIONS, *names)
            if reply in (b"stored", b"changed") or (reply == b"full" and is_full):
                return reply.decode()
        return "full" if before is None else "changed"

    async def _first_over(self, kept: Sequence[Sanction], now_ms: int) -> list[Sanction]:
        """The one that has been over for longest, if nothing is left to do about it."""
        over = [one for one in kept if not one.holds(now_ms) and one.appeal != "open"]
        for one in sorted(over, key=lambda one: one.ended_at() or 0):
            member = _member(one.party, one.id)
            if await self._store.pipe.call("ZSCORE", keys.SANCTIONS_PENDING, member) is None:
                return [one]
        return []

    async def drop_sanctions(self, party: str, sanction_ids: Sequence[str]) -> None:
        """Erase sanctions."""
        if sanction_ids:
            await self._store.pipe.call("HDEL", keys.sanctions(party), *sanction_ids)
            names = [_member(party, one) for one in sanction_ids]
            await self._store.pipe.call("ZREM", keys.SANCTIONS, *names)

    async def list_sanction(self, sanction: Sanction) -> None:
        """Put a sanction into the list of all."""
        member = _member(sanction.party, sanction.id)
        await self._store.pipe.call("ZADD", keys.SANCTIONS, sanction.at, member)

    async def listed_sanctions(self, before_ms: int | None, count: int) -> list[Sanction]:
        """Up to `count` sanctions, the newest first, imposed before that."""
        top = f"({before_ms}" if before_ms is not None else "+inf"
        names = await self._store.pipe.call(
            "ZRANGE", keys.SANCTIONS, top, "-inf", "BYSCORE", "REV", "LIMIT", 0, count
        )
        found = await asyncio.gather(*(self.sanction(*_parted(name)) for name in names))
        return [one for one in found if one is not None]

    async def pend(self, party: str, sanction_id: str, at_ms: int) -> None:
        """Note that a sanction is to be carried out, so that it is even if this node dies."""
        member = _member(party, sanction_id)
        await self._store.pipe.call("ZADD", keys.SANCTIONS_PENDING, at_ms, member)

    async def unpend(self, party: str, sanction_id: str) -> None:
        """Note that it is carried out."""
        await self._store.pipe.call("ZREM", keys.SANCTIONS_PENDING, _member(party, sanction_id))

    async def pending(self, before_ms: int, count: int) -> list[tuple[str, str, int]]:
        """(party, sanction id, when) of what was begun before that and is not carried out."""
        flat = await self._store.pipe.call(
            "ZRANGE", keys.SANCTIONS_PENDING, "-inf", before_ms, "BYSCORE", "LIMIT", 0, count,
            "WITHSCORES",
        )  # fmt: skip
        return [(*_parted(name), int(at)) for name, at in batched(flat)]

    async def take_pending(self, party: str, sanction_id: str, at_ms: int) -> bool:
        """Move one on to a later time; whether nobody else has done so for the same time."""
        member = _member(party, sanction_id)
        return bool(
            await self._store.pipe.call(
                "ZADD", keys.SANCTIONS_PENDING, "XX", "GT", "CH", at_ms, member
            )
        )

    # --- restriction ------------------------------------------------------------------------------

    async def restrict(self, party: str, since_ms: int | None) -> None:
        """Mark that a party's data may not be processed, None takes the mark away."""
        if since_ms is None:
            await self._store.pipe.call("DEL", keys.restricted(party))
        else:
            await self._store.pipe.call("SET", keys.restricted(party), since_ms, "NX")

    async def restricted(self, party: str) -> int | None:
        """Since when a party's data may not be processed, None if it may."""
        since = await self._store.pipe.call("GET", keys.restricted(party))
        return int(since) if since else None


def _long_over(kept: Sequence[Sanction], now_ms: int) -> list[Sanction]:
    """Those that ended a year ago."""
    return [
        one for one in kept if (ended := one.ended_at()) is not None and ended < now_ms - _YEAR_MS
    ]


def _decoded(raw: bytes) -> Sanction:
    try:
        return _sanction(raw)
    except msgspec.DecodeError:
        raise StoreError("a sanction's record is damaged") from None


def _member(party: str, sanction_id: str) -> str:
    # No name holds a space.
    return f"{party} {sanction_id}"


def _parted(member: Any) -> tuple[str, str]:
    party, _, sanction_id = member.decode().partition(" ")
    return party, sanction_id
