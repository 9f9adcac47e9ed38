"""Channels for staff: find them, see how they go, close them by hand.

State and counts, never what was said. Whose trips somebody looks up is written down all the same:
one trip after the other is how a person is followed. A close by hand is the trip's end in all but
the words: the store takes the log away in one step, every node cuts both sockets, and nothing opens
it again.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

import structlog

from ..core.acts import Act
from ..core.casework import HandReason
from ..core.ids import PARTY_ID, TRIP_ID, Role
from ..store.endpoint import StoreError
from ..store.oversight import ChannelSight, Mark, Oversight, PartySight, Place, Step
from ..store.parties import Parties
from .actor import Actor
from .audit import Audit, Doing
from .notes import checked_note
from .refusals import OpsCode, Refused

log = structlog.get_logger(__name__)

#: How many channels one person may close at once.
MOST_BY_AGENT: Final = 50
MOST_BY_SUPERVISOR: Final = 500
#: Rows that are looked through for one page; the rest is a page further.
_MOST_LOOKED_AT: Final = 3000
_AT_ONCE: Final = 250
_MOST_ROWS: Final = 200
#: Within this time the same person looking for the same party is one look: pages ask by themselves.
_LOOK_MS: Final = 3_600_000
_MOST_LOOKS: Final = 10_000

State = Literal["any", "open", "grace"]
Online = Literal["any", "both", "one", "none"]


@dataclass(frozen=True, slots=True)
class ChannelPage:
    """Open channels, the newest first. `older` goes on where this page ends; "" at the end."""

    rows: list[ChannelSight]
    total_open: int
    older: str


@dataclass(frozen=True, slots=True)
class ChannelDetail:
    """One channel with all that staff may see of it. `findings` by role and class."""

    row: ChannelSight
    timeline: list[Step]
    findings: dict[Role, dict[str, int]]
    cases: list[str]


class Closed(NamedTuple):
    """A channel that this call closed; `closed_at` in ms of the store's clock."""

    trip: str
    closed_at: int


Result = Literal["closed", "already", "not_found", "failed"]


class Channels:
    """What staff do with channels."""

    def __init__(
        self, oversight: Oversight, parties: Parties, audit: Audit, *, now_ms: Callable[[], int]
    ) -> None:
        self._oversight = oversight
        self._parties = parties
        self._audit = audit
        self._now_ms = now_ms
        self._looks: dict[tuple[Actor, str], int] = {}  # who for whom, and when that was written

    # --- to see -----------------------------------------------------------------------------------

    async def page(
        self,
        *,
        state: State = "any",
        online: Online = "any",
        findings: bool = False,
        search: str = "",
        older: str = "",
        count: int = 50,
        by: Actor | None = None,
    ) -> ChannelPage:
        """Open channels that fit; `search` is a trip's id or a party's.

        A search for a trip finds it when it is closed too. One that finds a party is written to the
        audit log before it is answered, if `by` says who looks. Raises `Refused`, `StoreError`.
        """
        count = max(1, min(count, _MOST_ROWS))
        total = await self._oversight.count_open()
        if search:
            rows = await self._found(search.strip())
            if by is not None and any(_sits_in(row, search.strip()) for row in rows):
                await self._looked(by, search.strip())
            return ChannelPage(rows, total, "")
        is_filtered = state != "any" or online != "any" or findings
        many = _MOST_LOOKED_AT if is_filtered else count + 1
        places = await self._oversight.newest(_place(older), many)
        chosen: list[str] = []
        last = None
        for start in range(0, len(places), _AT_ONCE):
            group = places[start : start + _AT_ONCE]
            marks = await self._oversight.marks([place.trip for place in group])
            for last, mark in zip(group, marks, strict=True):
                if _fits(mark, state, online, findings):
                    chosen.append(last.trip)
                    if len(chosen) == count:
                        break
            if len(chosen) == count:
                break
        is_last = last is None or (last == places[-1] and len(places) < many)
        rows = [row for row in await self._oversight.sights(chosen) if row is not None]
        return ChannelPage(rows, total, "" if is_last or last is None else _older(last))

    async def _found(self, search: str) -> list[ChannelSight]:
        if not TRIP_ID.fullmatch(search):
            raise Refused(
                OpsCode.INVALID,
                "That can be neither a trip's id nor a party's, so nothing was looked for. An id "
                "has up to 64 letters, digits and . _ : ~ - without blanks.",
                field="search",
            )
        trips = [search]
        if PARTY_ID.fullmatch(search):
            trips += [trip for trip in await self._parties.trips(search) if trip != search]
        sights = await self._oversight.sights(trips[:_MOST_ROWS])
        found = [row for row in sights if row is not None and row.parties]
        return sorted(found, key=lambda row: (row.state == "closed", -row.opened_at))

    async def _looked(self, by: Actor, party: str) -> None:
        now_ms = self._now_ms()
        before_ms = self._looks.get((by, party))
        if before_ms is not None and abs(now_ms - before_ms) < _LOOK_MS:
            return
        await self._audit.record(by, Act.PARTY_TRIPS, party=party)
        if len(self._looks) >= _MOST_LOOKS:
            self._looks.clear()
        self._looks[by, party] = now_ms

    async def detail(self, trip: str) -> ChannelDetail | None:
        """A channel, open or closed; None if the relay knows none of that id."""
        if not TRIP_ID.fullmatch(trip):
            return None
        (row,) = await self._oversight.sights([trip])
        if row is None:
            return None
        return ChannelDetail(
            row,
            await self._oversight.timeline(trip),
            await self._oversight.findings(trip),
            await self._oversight.cases_of(trip),
        )

    # --- to close ---------------------------------------------------------------------------------

    async def close(self, by: Actor, trip: str, reason: HandReason, note: str) -> Closed:
        """Close a channel for good. Raises `Refused`, `StoreError`."""
        note = checked_note(note)
        if not TRIP_ID.fullmatch(trip) or (await self._oversight.marks([trip]))[0].state == "":
            raise _unknown()
        await self._audit.record(by, Act.CHANNEL_CLOSE, trip=trip, reason=reason, note=note)
        result, closed_at = await self._close(by, trip, reason)
        if result == "not_found":
            raise _unknown()
        if result == "already" or closed_at is None:
            raise Refused(
                OpsCode.CONFLICT, "The channel of this trip was closed already; nothing was done."
            )
        return Closed(trip, closed_at)

    async def close_several(
        self, by: Actor, trips: Sequence[str], reason: HandReason, note: str
    ) -> AsyncIterator[tuple[str, Result]]:
        """Close channels one after another and tell of each as it is done.

        All are written to the audit log before the first is closed. Raises `Refused` before
        anything is done, `StoreError`.
        """
        note = checked_note(note)
        chosen = list(dict.fromkeys(trips))
        most = MOST_BY_SUPERVISOR if by.is_supervisor else MOST_BY_AGENT
        if not chosen or any(not TRIP_ID.fullmatch(trip) for trip in chosen):
            raise Refused(
                OpsCode.INVALID,
                "No trip is chosen, or what is chosen is no trip's id, so nothing was closed.",
                field="trips",
            )
        if len(chosen) > most:
            raise Refused(
                OpsCode.TOO_MANY,
                f"You may close {most} channels at once, and chose more, so none was closed. "
                "Choose fewer, or ask a supervisor.",
                field="trips",
            )
        marks = await self._oversight.marks(chosen)
        known = {trip for trip, mark in zip(chosen, marks, strict=True) if mark.state}
        together = {"together": len(chosen)}
        await self._audit.record_all(
            by,
            [
                Doing(Act.CHANNEL_CLOSE, trip=trip, reason=reason, note=note, details=together)
                for trip in chosen
                if trip in known
            ],
        )
        return self._close_each(by, chosen, known, reason)

    async def _close_each(
        self, by: Actor, trips: Sequence[str], known: Collection[str], reason: HandReason
    ) -> AsyncIterator[tuple[str, Result]]:
        for trip in trips:
            result: Result = "not_found"
            try:
                if trip in known:
                    result, _ = await self._close(by, trip, reason)
            except StoreError as error:
                log.warning("close_by_hand_failed", error=type(error).__name__)
                result = "failed"
            yield trip, result

    async def _close(self, by: Actor, trip: str, reason: HandReason) -> tuple[Result, int | None]:
        closing = await self._oversight.close_by_hand(trip, f"operator: {reason}")
        if closing.outcome == "closed":
            return "closed", closing.closed_at
        result: Result = "already" if closing.outcome == "is_closed" else "not_found"
        await self._audit.record(by, Act.CHANNEL_CLOSE, trip=trip, reason=reason, outcome=result)
        return result, closing.closed_at


def _sits_in(row: ChannelSight, party: str) -> bool:
    return any(one.party == party for one in row.parties.values())


def _fits(mark: Mark, state: State, online: Online, findings: bool) -> bool:
    if mark.state not in ("open", "grace") or (state != "any" and mark.state != state):
        return False
    wanted = {"any": mark.online, "both": 2, "one": 1, "none": 0}[online]
    return mark.online == wanted and (mark.has_findings or not findings)


def _unknown() -> Refused:
    return Refused(
        OpsCode.NOT_FOUND,
        "The relay knows no trip of this id: it was never opened, or it was closed so long ago "
        "that its record is gone. Check the id.",
    )


def _older(place: Place) -> str:
    text = f"{place.opened_at} {place.trip}"
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def _place(older: str) -> Place | None:
    if not older:
        return None
    try:
        raw = base64.b64decode(older + "=" * (-len(older) % 4), b"-_", validate=True).decode()
        at, _, trip = raw.partition(" ")
        place = Place(int(at), trip)
    except (binascii.Error, ValueError):
        place = Place(0, "")
    if not TRIP_ID.fullmatch(place.trip) or _older(place) != older:
        raise Refused(
            OpsCode.INVALID,
            "The place in the list where to go on is none that this relay gave. Begin anew.",
            field="older",
        )
    return place


__all__ = [
    "MOST_BY_AGENT", "MOST_BY_SUPERVISOR", "ChannelDetail", "ChannelPage", "ChannelSight",
    "Channels", "Closed", "Online", "PartySight", "Result", "State", "Step",
]  # fmt: skip
