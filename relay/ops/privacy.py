"""What a party may ask of its data: to see it, to have it erased, to have its use restricted.

Indonesia's law on personal data (UU 27/2022) gives 3 x 24 hours for that, counted from the request.
Each request is kept with that limit until it is done, and what became of it is in the audit log.

An export holds nothing of anybody else: no other party's id, name or number, no operator's, and not
whether, when or by whom the party was reported. Nor does it hold what the party wrote: that lies
on its own device, and here only as ciphertext that is opened for the evidence of a case and nothing
else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from ..core.acts import Act
from ..store.cases import CaseRecord, CaseRecords, Search
from ..store.events import Events
from ..store.parties import Parties, PartyTrip, Sanction
from ..store.privacy import Request, Requests, Wish
from ..store.store import Store
from .actor import Actor
from .audit import Audit, AuditEntry
from .refusals import OpsCode, Refused
from .typed_ids import TypedIds

__all__ = ["LIMIT_MS", "Privacy", "Request", "Wish"]

#: 3 x 24 hours.
LIMIT_MS: Final = 3 * 24 * 3_600_000

_PAGE: Final = 200

#: Acts that say of a party only what it knows itself. Of all others none is shown, because it could
#: tell that somebody reported the party, and when.
_KNOWN_ACTS: Final = frozenset({
    Act.SANCTION_IMPOSE, Act.SANCTION_LIFT, Act.SANCTION_APPEAL, Act.SANCTION_DECIDE,
    Act.PRIVACY_REQUEST, Act.PRIVACY_EXPORT, Act.PRIVACY_ERASE, Act.PRIVACY_RESTRICT,
})  # fmt: skip

#: What stays after an erasure, by the outcome of scripts/partyerase.lua, and what can be done.
_STAYS: Final = {
    "open": "open trips: end them, then erase again",
    "held": "trips under legal hold: release them, then erase again",
    "case": "trips with an open case: close the cases, then erase again",
    "window": "ids of trips in which the other party may still report; they can be erased when "
    "the report window is over, and go with the trip's record",
}
_EXPORT_NOTES: Final = """
The relay never shows a phone number. It is sealed while the trip runs and erased at its end.
Messages are on the party's own device. The relay keeps them as ciphertext for the retention that
 the platform set for the trip and opens them only as evidence of a case.
What concerns another person is left out: who the other party of a trip was, who reported whom,
 which operator acted.
"""
_ERASE_NOTES: Final = """
The audit log stays: it names the party by its id and holds no message and no number.
Cases and their evidence stay until their own retention is over.
The request and its outcome stay for two years; events that the platform has not fetched, for thirty
 days; a restriction until it is lifted.
Copies of the store (append-only file, replicas, backups) hold the messages as ciphertext until the
 key of their day is destroyed.
"""


class Privacy:
    """The requests of data subjects. Acts raise `Refused` and `StoreError`."""

    def __init__(
        self,
        store: Store,
        parties: Parties,
        cases: CaseRecords,
        audit: Audit,
        events: Events,
        *,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._requests = Requests(store)
        self._typed_ids = TypedIds(parties, cases)
        self._parties = parties
        self._cases = cases
        self._audit = audit
        self._events = events
        self._now_ms = now_ms
        self._random_bytes = random_bytes

    # --- requests ---------------------------------------------------------------------------------

    async def request(
        self, by: Actor, party: str, wish: Wish, *, received_at: int | None = None
    ) -> Request:
        """Write down a request, from when on its limit counts (ms); now without `received_at`.

        One of that kind that is still open is given back instead.
        """
        _check(by)
        await self._typed_ids.check_party(party)
        now_ms = self._now_ms()
        if received_at is not None and not now_ms - 365 * 86_400_000 < received_at <= now_ms:
            raise Refused(
                OpsCode.INVALID,
                "A request was received in the last year and not in the future; nothing was "
                "written down.",
                field="received",
            )
        for one in await self._requests.all(now_ms):
            if (one.party, one.wish, one.done_at) == (party, wish, None):
                return one
        begun = received_at if received_at is not None else now_ms
        request = Request(
            id=f"r{self._random_bytes(6).hex()}",
            party=party,
            wish=wish,
            received_at=begun,
            due_at=begun + LIMIT_MS,
            by=by.id,
        )
        await self._audit.record(
            by, Act.PRIVACY_REQUEST, party=party,
            details={"request": request.id, "wish": wish.value, "due": request.due_at},
        )  # fmt: skip
        await self._requests.put(request)
        return request

    async def requests(self, *, open_only: bool = False) -> list[Request]:
        """Every request of the last two years, the one that is due first first."""
        found = await self._requests.all(self._now_ms())
        return [one for one in found if one.done_at is None or not open_only]

    # --- acts -------------------------------------------------------------------------------------

    async def export(self, by: Actor, party: str) -> dict[str, Any]:
        """All that the relay holds of a party and may tell, ready for JSON."""
        request = await self.request(by, party, Wish.EXPORT)
        await self._audit.record(
            by, Act.PRIVACY_EXPORT, party=party, details={"request": request.id}
        )
        trips = [
            found
            for trip in await self._parties.trips(party)
            if (found := await self._parties.trip_of(party, trip)) is not None
        ]
        document = {
            "party": party,
            "exported_at": self._now_ms(),
            "restricted_since": await self._parties.restricted(party),
            "number_held": any(trip.number_held for trip in trips),
            "trips": [_trip(trip) for trip in trips],
            "sanctions": [_sanction(one) for one in await self._parties.sanctions(party)],
            "reports": [_report(one) for one in await self._reports(party)],
            "audit": [_entry(entry) for entry in await self._entries(party)],
            "requests": [
                {"wish": one.wish.value, "received_at": one.received_at, "due_at": one.due_at,
                 "done_at": one.done_at, "outcome": one.outcome}
                for one in await self._requests.all(self._now_ms())
                if one.party == party
            ],
            "notes": _notes(_EXPORT_NOTES),
        }  # fmt: skip
        await self._done(by, Act.PRIVACY_EXPORT, request, f"{len(trips)} trips")
        return document

    async def erase(self, by: Actor, party: str) -> dict[str, Any]:
        """Erase what can be erased of a party; give how much that was and what has to stay.

        Where something stays that can go later the request remains open.
        """
        request = await self.request(by, party, Wish.ERASE)
        await self._audit.record(
            by, Act.PRIVACY_ERASE, party=party, details={"request": request.id}
        )
        counts: dict[str, int] = {}
        for trip in await self._parties.trips(party):
            outcome = await self._parties.erase(party, trip)
            counts[outcome] = counts.get(outcome, 0) + 1
            if outcome in ("erased", "none"):
                await self._parties.forget_trip(party, trip)
        now_ms = self._now_ms()
        sanctions = await self._parties.sanctions(party)
        ended = [one.id for one in sanctions if not one.holds(now_ms) and one.appeal != "open"]
        await self._parties.drop_sanctions(party, ended)
        stays = {
            what: {"count": counts[what], "why": why}
            for what, why in _STAYS.items()
            if counts.get(what)
        }
        if len(ended) < len(sanctions):
            stays["sanctions"] = {
                "count": len(sanctions) - len(ended),
                "why": "sanctions in force or under appeal: they protect others and are dropped a "
                "year after they ended",
            }
        done = not any(counts.get(what) for what in _STAYS)
        outcome = (
            f"{counts.get('erased', 0)} trips erased, {counts.get('window', 0)} but for the id, "
            f"{sum(counts.get(what, 0) for what in ('open', 'held', 'case'))} not yet"
        )
        await self._done(by, Act.PRIVACY_ERASE, request, outcome, is_done=done)
        await self._events.emit("privacy.erased", subject=party, party=party, complete=done)
        return {
            "party": party,
            "complete": done,
            "trips_erased": counts.get("erased", 0),
            "sanctions_erased": len(ended),
            "stays": stays,
            "notes": _notes(_ERASE_NOTES),
        }

    async def restrict(self, by: Actor, party: str, *, on: bool) -> None:
        """Restrict the use of a party's data, or end that: no channel opens with it meanwhile, and
        nobody reads its messages."""
        wish = Wish.RESTRICT if on else Wish.UNRESTRICT
        request = await self.request(by, party, wish)
        await self._audit.record(
            by, Act.PRIVACY_RESTRICT, party=party,
            details={"request": request.id, "on": "yes" if on else "no"},
        )  # fmt: skip
        await self._parties.restrict(party, self._now_ms() if on else None)
        if on:
            # As with a sanction: an `open` that has read that it may must not go through.
            mark = self._random_bytes(8).hex()
            for one in await self._parties.sittings(await self._parties.trips(party)):
                if one.awaits(party):
                    await self._parties.mark(one.trip, mark)
        await self._done(by, Act.PRIVACY_RESTRICT, request, "restricted" if on else "unrestricted")
        kind = "privacy.restricted" if on else "privacy.unrestricted"
        await self._events.emit(kind, subject=party, party=party)

    async def _done(
        self, by: Actor, act: Act, request: Request, outcome: str, *, is_done: bool = True
    ) -> None:
        now_ms = self._now_ms()
        late = "; late" if now_ms > request.due_at else ""
        await self._audit.record(
            by, act, party=request.party, outcome=outcome + late, details={"request": request.id}
        )
        changes = {"outcome": outcome + late, "done_at": now_ms if is_done else None}
        await self._requests.put(msgspec.structs.replace(request, **changes))

    async def _reports(self, party: str) -> list[CaseRecord]:
        """Cases that the party reported; none that is about it."""
        found: list[CaseRecord] = []
        after: str | None = ""
        while after is not None:
            search = Search(state="any", party=party)
            names, _, after = await self._cases.page(search, after, _PAGE)
            found += [
                one for one in await self._cases.records(names) if one.reporter_party == party
            ]
        return found

    async def _entries(self, party: str) -> list[AuditEntry]:
        """What the audit log says of a party that it may be told."""
        found: list[AuditEntry] = []
        before: int | None = None
        while page := await self._audit.page(before=before, count=_PAGE, party=party):
            found += [entry for entry in page if entry.act in _KNOWN_ACTS]
            before = page[-1].n
        return found


def _check(by: Actor) -> None:
    if not by.is_supervisor:
        raise Refused(
            OpsCode.NOT_ALLOWED,
            "Requests of data subjects are handled by supervisors, so nothing was done. Ask one.",
        )


def _notes(text: str) -> list[str]:
    """One sentence or two a line; a line that begins with a blank goes on with the one before."""
    return text.strip().replace("\n ", " ").splitlines()


def _trip(trip: PartyTrip) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.structs.asdict(trip)
    return found | {"role": trip.role.value}


def _report(case: CaseRecord) -> dict[str, Any]:
    return {
        "case": case.id,
        "trip": case.trip,
        "category": case.category.value,
        "reported_at": case.created_at,
        "state": case.state.value,
        "outcome": case.outcome,
        "answer": case.answer,
    }


def _sanction(sanction: Sanction) -> dict[str, Any]:
    # Not the case and not the other of a pair: both would say who reported.
    return {
        "kind": sanction.kind.value,
        "reason": sanction.reason.value,
        "imposed_at": sanction.at,
        "until": sanction.until,
        "lifted_at": sanction.lifted_at,
        "appeal": sanction.appeal,
    }


def _entry(entry: AuditEntry) -> dict[str, Any]:
    # Neither who it was nor what they wrote, which is another person's.
    by = "the relay's host" if entry.via == "host" else "an operator"
    return {"at": entry.at, "act": entry.act, "by": by, "outcome": entry.outcome}
