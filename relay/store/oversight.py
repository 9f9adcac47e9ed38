"""Channels as operators see and stop them: state, never what was said.

Whom a channel belongs to, how it goes, what happened to it; closing it by hand, barring a party,
holding its messages for the law. Ciphertext of the messages is read here for evidence only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from ..core.bars import Bars, Kind
from ..core.ids import Role
from ..guard.policy import FindingClass
from . import keys, scripts
from .endpoint import pack
from .pipe import checked
from .records import Seat, batched, pairs
from .store import Store

_ROW: Final = (
    "state", "reason", "detail", "epoch", "opened", "deadline", "closed", "messages", "findings",
    "hold", "bars", "d.party", "c.party", "d.alias", "c.alias", "d.seat", "c.seat",
    "d.undelivered", "c.undelivered",
)  # fmt: skip
_CLASSES: Final = tuple(FindingClass)


class Place(NamedTuple):
    """Where an open channel stands in the list of them: when it was opened, and its trip."""

    opened_at: int
    trip: str


@dataclass(frozen=True, slots=True)
class PartySight:
    """A party as staff see it."""

    party: str
    alias: str
    online: bool
    undelivered: int
    muted_until: int


@dataclass(frozen=True, slots=True)
class ChannelSight:
    """A channel as staff see it. Times in ms; `held_until` is 0 without a legal hold."""

    trip: str
    state: str
    reason: str
    detail: str
    epoch: int
    opened_at: int
    deadline: int
    closed_at: int
    messages: int
    findings: int
    held_until: int
    parties: dict[Role, PartySight]


class Mark(NamedTuple):
    """What a list of channels is filtered by: the state, how many parties are online, whether the
    guard found anything."""

    state: str
    online: int
    has_findings: bool


class Step(NamedTuple):
    """One thing that happened to a channel."""

    at: int
    kind: str
    role: str
    detail: str


class Closing(NamedTuple):
    """`outcome`: closed, is_closed or no_trip; `closed_at` where it is closed now."""

    outcome: str
    closed_at: int | None


class Oversight:
    """Calls on the store for the operators' work. Every method raises `StoreError`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pipe = store.pipe

    # --- acts -------------------------------------------------------------------------------------

    async def close_by_hand(self, trip: str, detail: str) -> Closing:
        """Close a channel; `detail` is for the platform, the parties are told `closed`."""
        outcome, closed = await self._store.run(scripts.CLOSE, keys.trip(trip), trip, detail)
        if outcome == b"closed":
            self._store.on_final(
                {"op": "closed", "trip": trip, "reason": "closed", "detail": detail}
            )
        return Closing(outcome.decode(), int(closed) if closed else None)

    async def bar(
        self, trip: str, role: Role, party: str, kind: Kind, until_ms: int, *, source: str
    ) -> str:
        """Stop a party in its open channel, on account of `source`; 0 lifts what that one stopped.

        Give ok, party (another one sits there now), no_trip or is_closed.
        """
        (outcome,) = await self._store.run(
            scripts.BAR, keys.trip(trip), trip, role.letter, party, kind, until_ms, source
        )
        found: bytes = outcome
        return found.decode()

    async def hold(self, trip: str, until_ms: int, key: bytes, new_key: bytes) -> str:
        """Keep a trip's messages until then, 0 to let them go; `key` is the wrapped data key as it
        was read, `new_key` what it becomes (b"" leaves it). Give ok, changed, gone or no_trip."""
        (outcome,) = await self._store.run(
            scripts.HOLD, keys.trip(trip), trip, until_ms, key, new_key
        )
        found: bytes = outcome
        return found.decode()

    # --- sights -----------------------------------------------------------------------------------

    async def count_open(self) -> int:
        """How many channels are open."""
        counts = [
            self._pipe.call_raw(pack("ZCARD", keys.open_index(number)))
            for number in range(keys.PARTITIONS)
        ]
        return sum([checked(await count) for count in counts])

    async def newest(self, before: Place | None, count: int) -> list[Place]:
        """The places of up to `count` open channels, the newest first, older than `before`."""
        few = min(count + 1, 4 + 3 * count // keys.PARTITIONS)
        by_partition = await self._newest_of(range(keys.PARTITIONS), before, few)
        last = _first(by_partition.values(), before, count)[-1:]
        # Where more of them lie than is usual, all that may belong to the first is looked at.
        deep = [
            number
            for number, places in by_partition.items()
            if len(places) == few <= count and (not last or places[-1] >= last[0])
        ]
        by_partition |= await self._newest_of(deep, before, count + 1)
        return _first(by_partition.values(), before, count)

    async def _newest_of(
        self, partitions: Iterable[int], before: Place | None, count: int
    ) -> dict[int, list[Place]]:
        start = before.opened_at if before else "+inf"
        replies = {
            number: self._pipe.call_raw(
                pack("ZRANGE", keys.open_index(number), start, "-inf", "BYSCORE", "REV",
                     "LIMIT", 0, count, "WITHSCORES")
            )
            for number in partitions
        }  # fmt: skip
        return {
            number: [Place(int(at), name.decode()) for name, at in batched(checked(await reply))]
            for number, reply in replies.items()
        }

    async def sights(self, trips: Sequence[str]) -> list[ChannelSight | None]:
        """How these channels stand, each None where there is no such trip."""
        living = self._pipe.call_raw(pack("ZRANGE", keys.NODES, 0, -1))
        time = self._pipe.call_raw(pack("TIME"))
        asked: list[tuple[str, asyncio.Future[Any]]] = [
            (trip, self._pipe.call_raw(pack("HMGET", keys.trip(trip), *_ROW))) for trip in trips
        ]
        nodes = {name.decode() for name in checked(await living)}
        seconds, micros = checked(await time)
        now_ms = int(seconds) * 1000 + int(micros) // 1000
        found = [_sight(trip, checked(await reply), nodes, now_ms) for trip, reply in asked]
        lengths = {
            one.trip: self._pipe.call_raw(pack("XLEN", keys.log(one.trip, one.epoch)))
            for one in found
            if one is not None and one.state != "closed"
        }
        return [
            replace(one, messages=one.messages + max(0, checked(await lengths[one.trip]) - 1))
            if one is not None and one.trip in lengths
            else one
            for one in found
        ]

    async def marks(self, trips: Sequence[str]) -> list[Mark]:
        """What a list is filtered by, of each of these channels."""
        living = self._pipe.call_raw(pack("ZRANGE", keys.NODES, 0, -1))
        asked = [
            self._pipe.call_raw(
                pack("HMGET", keys.trip(trip), "state", "d.seat", "c.seat", "findings")
            )
            for trip in trips
        ]
        nodes = set(checked(await living))
        found = []
        for reply in asked:
            state, *seats, findings = checked(await reply)
            online = sum(seat is not None and seat.split(b" ", 1)[0] in nodes for seat in seats)
            found.append(Mark((state or b"").decode(), online, findings is not None))
        return found

    async def timeline(self, trip: str) -> list[Step]:
        """What happened to a channel, the oldest first."""
        steps = []
        for raw in await self._pipe.call("LRANGE", keys.line(trip), 0, -1):
            at, kind, role, detail = raw.decode().split(" ", 3)
            steps.append(Step(int(at), kind, role, detail))
        return steps

    async def findings(self, trip: str) -> dict[Role, dict[str, int]]:
        """What the guard found in each role's posts, by class."""
        names = [f"{role.letter}.f.{kind}" for role in Role for kind in _CLASSES]
        counts = await self._pipe.call("HMGET", keys.trip(trip), *names)
        found: dict[Role, dict[str, int]] = {role: {} for role in Role}
        for index, count in enumerate(counts):
            if count:
                role = list(Role)[index // len(_CLASSES)]
                found[role][_CLASSES[index % len(_CLASSES)].value] = int(count)
        return found

    async def cases_of(self, trip: str) -> list[str]:
        """The cases that reports from this trip became."""
        cursor, found = "0", []
        while True:
            cursor, flat = await self._pipe.call(
                "HSCAN", keys.trip(trip), cursor, "MATCH", "report.*", "COUNT", 200
            )
            found += [case.decode() for _, case in batched(flat)]
            if cursor in (b"0", "0"):
                return sorted(set(found))

    # --- for evidence -----------------------------------------------------------------------------

    async def parties_of(self, trip: str, epoch: int) -> dict[Role, str]:
        """Who sat there in an epoch."""
        names = [f"e{epoch}.{role.letter}" for role in Role]
        found = await self._pipe.call("HMGET", keys.trip(trip), *names)
        return {role: name.decode() for role, name in zip(Role, found, strict=True) if name}

    async def read_kept(
        self, trip: str, epoch: int, count: int, *, start: str = "-", end: str = "+",
        newest_first: bool = False,
    ) -> list[Any]:  # fmt: skip
        """Up to `count` entries of a log, open or kept, as the store gives them; [] if it is gone.

        `start` and `end` are positions or ids of the store's, both included.
        """
        order = ("XREVRANGE", end, start) if newest_first else ("XRANGE", start, end)
        replies = [
            self._pipe.call_raw(pack(order[0], key, *order[1:], "COUNT", count))
            for key in (keys.log(trip, epoch), keys.kept(trip, epoch))
        ]
        found: list[Any] = []
        for reply in replies:
            found += checked(await reply)
        return found


def _first(groups: Iterable[list[Place]], before: Place | None, count: int) -> list[Place]:
    found = [place for places in groups for place in places if before is None or place < before]
    return sorted(found, reverse=True)[:count]


def _sight(trip: str, r: list[bytes | None], nodes: set[str], now_ms: int) -> ChannelSight | None:
    if r[0] is None:
        return None

    def text(index: int) -> str:
        return (r[index] or b"").decode()

    def number(index: int) -> int:
        return int(r[index] or 0)

    bars = Bars(r[10] or b"[]")
    parties = {}
    for offset, role in enumerate((Role.DRIVER, Role.CUSTOMER)):
        if not r[11 + offset]:
            continue
        seat = Seat.parse(r[15 + offset])
        parties[role] = PartySight(
            party=text(11 + offset),
            alias=text(13 + offset),
            online=seat is not None and seat.node in nodes,
            undelivered=len(pairs(r[17 + offset])),
            muted_until=bars.muted_until(role.letter, now_ms),
        )
    return ChannelSight(
        trip=trip, state=text(0), reason=text(1), detail=text(2), epoch=number(3),
        opened_at=number(4), deadline=number(5), closed_at=number(6), messages=number(7),
        findings=number(8), held_until=number(9), parties=parties,
    )  # fmt: skip
