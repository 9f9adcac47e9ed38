"""What a party may ask of its data: to see it, to have it erased, to have its use restricted.

Indonesia's law on personal data (UU 27/2022) gives 3 x 24 hours for that, counted from the request.
Each request is kept with that limit until it is done, and what became of it is in the audit log.

An export holds nothing of anybody else: no other party's id, name or number, no operator's, and not
whether, when or by whom the party was reported. Nor does it hold what the party wrote: that lies
on its own device, and here only as ciphertext that is opened for the evidence of a case and nothing
else.

Who is reported and asks for its data must not learn of it by what differs. So an export says what
it would say if there were no case and no legal hold: what such a thing keeps from being erased
counts as erased, as it would be without, and a hold is not shown. To who was shut out of a channel
that channel closed then, as its app was told. Staff see how things really stand in the answer to an
erasure and in the list of requests.
"""

from __future__ import annotations

from collections import Counter
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
#: tell that somebody reported the party, and when. So could the acts of an erasure, because one
#: that a case kept from being done is done again; its request tells what came of it.
_KNOWN_ACTS: Final = frozenset({
    Act.SANCTION_IMPOSE, Act.SANCTION_LIFT, Act.SANCTION_APPEAL, Act.SANCTION_DECIDE,
    Act.PRIVACY_REQUEST, Act.PRIVACY_EXPORT, Act.PRIVACY_RESTRICT,
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
 which operator acted. So is what must be kept for the law.
"""
_ERASE_NOTES: Final = """
This answer is for staff. The party may be told what `told` says: that there is an open case or a
 legal hold is not among it, nor that a channel goes on from which the party was shut out.
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

        One of that kind that is still open, also by what the party was told, is given back instead.
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
            is_same = (one.party, one.wish) == (party, wish)
            if is_same and one.done_at is None and one.told_at is None:
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
            # The index knows by its order how long each is kept, which a hold prolongs.
            "trips": [
                _trip(trip) for trip in sorted(trips, key=lambda one: one.opened_at or 0)[::-1]
            ],
            "sanctions": [_sanction(one) for one in await self._parties.sanctions(party)],
            "reports": [_report(one) for one in await self._reports(party)],
            "audit": [_entry(entry) for entry in await self._entries(party)],
            "requests": [_request(one) for one in await self._of_party(party)],
            "notes": _notes(_EXPORT_NOTES),
        }  # fmt: skip
        await self._done(by, Act.PRIVACY_EXPORT, request, f"{len(trips)} trips")
        return document

    async def erase(self, by: Actor, party: str) -> dict[str, Any]:
        """Erase what can be erased of a party; give how much that was and what has to stay.

        Where something stays that can go later the request remains open, for the party only where
        that would be so without a case or a hold: `told` is what it may be told.
        """
        waiting = await self._erasures(by, party)
        request = waiting[0] if waiting else await self.request(by, party, Wish.ERASE)
        await self._audit.record(
            by, Act.PRIVACY_ERASE, party=party, details={"request": request.id}
        )
        counts, told_counts = Counter[str](), Counter[str]()
        for trip in await self._parties.trips(party):
            outcome, told = await self._parties.erase(party, trip)
            counts[outcome] += 1
            told_counts[told] += 1
            if outcome in ("erased", "none"):
                await self._parties.forget_trip(party, trip)
        now_ms = self._now_ms()
        sanctions = await self._parties.sanctions(party)
        ended = [one.id for one in sanctions if not one.holds(now_ms) and one.appeal != "open"]
        await self._parties.drop_sanctions(party, ended)
        stays = {
            what: {"count": counts[what], "why": why}
            for what, why in _STAYS.items()
            if counts[what]
        }
        if len(ended) < len(sanctions):
            stays["sanctions"] = {
                "count": len(sanctions) - len(ended),
                "why": "sanctions in force or under appeal: they protect others and are dropped a "
                "year after they ended",
            }
        done = not any(counts[what] for what in _STAYS)
        is_told_done = not any(told_counts[what] for what in _STAYS)
        told = _came_of(told_counts)
        if request.told_at is None:
            request = msgspec.structs.replace(
                request,
                told=told + _late(request, now_ms),
                told_at=now_ms if is_told_done else None,
            )
        await self._done(by, Act.PRIVACY_ERASE, request, _came_of(counts), is_done=done)
        if done:
            # Those of which the party was told earlier that they were.
            for one in waiting[1:]:
                await self._requests.put(
                    msgspec.structs.replace(one, outcome=_came_of(counts), done_at=now_ms)
                )
        await self._events.emit("privacy.erased", subject=party, party=party, complete=done)
        return {
            "party": party,
            "complete": done,
            "told": told,
            "trips_erased": counts["erased"],
            "sanctions_erased": len(ended),
            "stays": stays,
            "notes": _notes(_ERASE_NOTES),
        }

    async def _erasures(self, by: Actor, party: str) -> list[Request]:
        """A party's erasures that are not done; first that of which it was not told it was."""
        _check(by)
        await self._typed_ids.check_party(party)
        found = [
            one
            for one in await self._requests.all(self._now_ms())
            if (one.party, one.wish, one.done_at) == (party, Wish.ERASE, None)
        ]
        return sorted(found, key=lambda one: one.told_at is not None)

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
        late = _late(request, now_ms)
        await self._audit.record(
            by, act, party=request.party, outcome=outcome + late, details={"request": request.id}
        )
        changes = {"outcome": outcome + late, "done_at": now_ms if is_done else None}
        await self._requests.put(msgspec.structs.replace(request, **changes))

    async def _of_party(self, party: str) -> list[Request]:
        """A party's requests in the order in which they came."""
        found = await self._requests.all(self._now_ms())
        return sorted(
            (one for one in found if one.party == party),
            key=lambda one: (one.received_at, one.wish),
        )

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


def _request(one: Request) -> dict[str, Any]:
    done_at, outcome = one.done_at, one.outcome
    if one.wish is Wish.ERASE and (one.told or done_at is None):
        done_at, outcome = one.told_at, one.told
    return {
        "wish": one.wish.value,
        "received_at": one.received_at,
        "due_at": one.due_at,
        "done_at": done_at,
        "outcome": outcome,
    }


def _late(request: Request, now_ms: int) -> str:
    return "; late" if now_ms > request.due_at else ""


def _came_of(counts: Counter[str]) -> str:
    """What became of an erasure in so many trips."""
    left = counts["open"] + counts["held"] + counts["case"]
    return f"{counts['erased']} trips erased, {counts['window']} but for the id, {left} not yet"


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
