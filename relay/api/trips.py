"""The platform's calls on trips.

What may happen to a channel is decided in the store's scripts; here a request becomes the arguments
of one script, and its outcome an answer. Every call can be repeated as it is when its answer was
lost.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Final, Literal

import msgspec
from msgspec import UNSET

from ..core.ids import TRIP_ID, Role
from ..core.lifecycle import State
from ..ops.sanctions import Sanctions, Standing
from ..store import keys
from ..store.copies import Copies
from ..store.parties import Parties
from ..store.pipe import checked
from ..store.records import PartyRecord, PartyView, TripView
from ..store.store import Store
from ..vault.envelope import NONCE_BYTES, DataKey, wrap
from ..vault.numbers import PhoneNumber, seal_number
from ..vault.ring import KEY_BYTES, KeyRing, Purpose
from ..vault.tokens import PARTY_TOKEN_BYTES, new_party_token, parse_party_token
from .auth import KeyScope
from .calls import Answer, Asked, Call
from .limits import Limits
from .opening import (
    allowed_with,
    check_absent,
    check_opening,
    checked_alias,
    checked_phone,
    no_channel,
    number_in,
)
from .problems import Code, Problem, invalid, no_trip, refused
from .types import (
    Admission,
    ChangeTrip,
    EndTrip,
    EndTrips,
    ListQuery,
    OpenTrip,
    PartyAdmitted,
    PartyInput,
    PartyState,
    ReassignParty,
    RenewToken,
    TokenRenewed,
    Trip,
    TripEnded,
    TripList,
    TripOpened,
    TripsEnded,
)

PLATFORM: Final = frozenset({KeyScope.PLATFORM})

_FIRST_EPOCH: Final = 1
_FROM_THE_START: Final = (0, "")
_PARTITIONS_AT_ONCE: Final = 32
_SWEPT_AT_ONCE: Final = 100

_STATES: Final[dict[str, Literal["open", "grace", "closed"]]] = {
    "open": "open",
    "grace": "grace",
    "closed": "closed",
}

#: What an `open` needs of random bytes: drawing them one by one is a system call each.
_DRAWN_BYTES: Final = 2 * (NONCE_BYTES + PARTY_TOKEN_BYTES) + KEY_BYTES + NONCE_BYTES

#: How often a change is tried that another one overtakes.
_TRIES: Final = 4

_encode: Final = msgspec.json.Encoder().encode


class Trips:
    """The calls under `/v1/trips`.

    `ring` gives the key ring of the moment, `now_ms` the store's time, `random_bytes(n)` n secret
    random bytes.
    """

    def __init__(
        self,
        store: Store,
        copies: Copies,
        sanctions: Sanctions,
        parties: Parties,
        *,
        ring: Callable[[], KeyRing],
        limits: Limits,
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
        gateway_url: str,
    ) -> None:
        self._store = store
        self._copies = copies
        self._sanctions = sanctions
        self._parties = parties
        self._ring = ring
        self._limits = limits
        self._now_ms = now_ms
        self._random_bytes = random_bytes
        self._gateway_url = gateway_url

    def calls(self) -> list[Call]:
        """Every call of this module."""
        one, role = "/v1/trips/{trip}", "/v1/trips/{trip}/parties/{role}"
        return [
            Call(
                "POST", "/v1/trips", "openTrip", "Open a trip's channel", self.open,
                {201: TripOpened, 200: TripOpened},
                "201 if it was opened now. Again: 200 with fresh tokens while the parties are the "
                "same, whatever the phone numbers; they are never compared.",
                PLATFORM, OpenTrip,
                codes=(
                    Code.CHANGED, Code.CLOSED, Code.PHONE, Code.NUMBER_IN_FIELD,
                    Code.CONTACT_IN_FIELD, Code.KEYS_UNAVAILABLE, Code.GUARD_UNAVAILABLE,
                    Code.SUSPENDED, Code.NEVER_PAIR, Code.RESTRICTED, Code.BUSY,
                ),
            ),
            Call(
                "GET", "/v1/trips", "listTrips", "List the open channels", self.list_open,
                {200: TripList}, "For reconciliation, page by page.", PLATFORM, query=ListQuery,
            ),
            Call(
                "GET", one, "getTrip", "See how a channel stands", self.get, {200: Trip},
                scopes=PLATFORM, codes=(Code.NO_TRIP,),
            ),
            Call(
                "PATCH", one, "changeTrip", "Change an open channel", self.change, {200: Trip},
                scopes=PLATFORM, body=ChangeTrip,
                codes=(Code.NO_TRIP, Code.ENDING, Code.CLOSED, Code.PAST, Code.CEILING, Code.BUSY),
            ),
            Call(
                "POST", one + "/end", "endTrip", "End a trip", self.end, {200: TripEnded},
                "Idempotent. For a trip that was never opened it makes sure that a late open does "
                "not open it. If the store takes nothing just now (503), the parties are cut off "
                "all the same and the relay goes on trying to store the end for five minutes; "
                "repeat the call until it is answered.",
                PLATFORM, EndTrip, body_is_optional=True, codes=(Code.NO_TRIP,),
            ),
            Call(
                "POST", "/v1/ended-trips", "endTrips", "End trips that are over", self.end_all,
                {200: TripsEnded},
                "For reconciliation: like ending each of them without a grace. A failover of the "
                "store may have forgotten the end of a trip that ended in its last moments, or an "
                "open; name all that ended since shortly before it, as often as you like.",
                PLATFORM, EndTrips,
            ),
            Call(
                "PUT", role, "reassignParty", "Give a role to another party", self.reassign,
                {200: PartyAdmitted},
                "The old party is cut off at once and reads nothing later, the new one reads "
                "nothing earlier. The party that has the role already: no change, a fresh token.",
                PLATFORM, ReassignParty,
                codes=(
                    Code.NO_TRIP, Code.EPOCH, Code.PAIRED, Code.ENDING, Code.CLOSED, Code.PHONE,
                    Code.NUMBER_IN_FIELD, Code.CONTACT_IN_FIELD, Code.KEYS_UNAVAILABLE,
                    Code.GUARD_UNAVAILABLE, Code.SUSPENDED, Code.NEVER_PAIR, Code.RESTRICTED,
                    Code.BUSY,
                ),
            ),
            Call(
                "POST", role + "/token", "renewToken", "Get a fresh token for a party",
                self.renew_token, {200: TokenRenewed}, scopes=PLATFORM, body=RenewToken,
                codes=(Code.NO_TRIP, Code.PARTY, Code.CLOSED),
            ),
        ]  # fmt: skip

    async def open(self, asked: Asked[OpenTrip]) -> Answer:
        body, limits = asked.body, self._limits
        duration_s = check_opening(body, limits, self._now_ms())
        driver_phone = checked_phone(body.driver.phone, "driver.phone")
        customer_phone = checked_phone(body.customer.phone, "customer.phone")
        check_absent(body, driver_phone, customer_phone)
        allowed_with(b"", body.allow)
        trip = body.trip_id
        drawn = BytesIO(self._random_bytes(_DRAWN_BYTES)).read
        driver = self._record(
            trip, _FIRST_EPOCH, Role.DRIVER, body.driver, driver_phone, "driver.", drawn
        )
        customer = self._record(
            trip, _FIRST_EPOCH, Role.CUSTOMER, body.customer, customer_phone, "customer.", drawn
        )
        seats = {Role.DRIVER: body.driver.party_id, Role.CUSTOMER: body.customer.party_id}
        messages_key = self._fresh_messages_key(trip, drawn)
        for _ in range(_TRIES):
            standing, mark = await self._standing(trip, seats)
            opened = await self._store.open(
                trip,
                requested_at=body.requested_at,
                max_duration_s=duration_s,
                longest_trip_s=limits.longest_trip_s,
                token_ttl_s=limits.token_ttl_s,
                retention_s=body.retention_s,
                report_window_s=body.report_window_s,
                policy=_encode(body.policy),
                allow=_encode(body.allow),
                messages_key=messages_key,
                bars=standing.bars(seats),
                mark=mark,
                driver=driver.record,
                customer=customer.record,
            )
            if opened.outcome != "raced":
                break
        state: str | None = State.OPEN
        match opened.outcome:
            case "opened":
                status = 201
            case "repeated":
                # Rare, so that it may cost a question: the channel may be in its grace.
                status, (state, _, _) = 200, await self._store.messages_key(trip)
            case "raced":
                raise _busy()
            case "changed":
                raise Problem(
                    Code.CHANGED,
                    "This trip is open with other parties than these, so nothing was changed: a "
                    "party was reassigned since, or the id is used twice. GET it to see which.",
                )
            case outcome:
                raise refused(outcome)
        if state not in (State.OPEN, State.GRACE):
            raise refused("is_closed")
        return Answer(
            status,
            TripOpened(
                trip_id=trip,
                state="open" if state == State.OPEN else "grace",
                epoch=opened.epoch,
                deadline=opened.deadline,
                gateway_url=self._gateway_url,
                driver=Admission(body.driver.party_id, driver.token),
                customer=Admission(body.customer.party_id, customer.token),
            ),
        )

    async def list_open(self, asked: Asked[None]) -> Answer:
        query: ListQuery = asked.query
        first, after = _parse_cursor(query.cursor)
        places: list[tuple[int, str]] = []
        for start in range(first, keys.PARTITIONS, _PARTITIONS_AT_ONCE):
            group = range(start, min(start + _PARTITIONS_AT_ONCE, keys.PARTITIONS))
            pages = await asyncio.gather(*(
                self._store.open_trips(
                    number, after if number == first else _FROM_THE_START, query.limit + 1
                )
                for number in group
            ))  # fmt: skip
            places += [place for page in pages for place in page]
            if len(places) > query.limit:
                break
        page = places[: query.limit]
        views = await asyncio.gather(*(self._view(name) for _, name in page))
        return Answer(
            200,
            TripList(
                # What has closed since it was listed is no longer open.
                [_trip(view) for view in views if view is not None and view.state != State.CLOSED],
                _cursor(*page[-1]) if len(places) > len(page) else None,
            ),
        )

    async def get(self, asked: Asked[None]) -> Answer:
        view = await self._view(asked.trip())
        if view is None:
            raise no_trip()
        return Answer(200, _trip(view))

    async def change(self, asked: Asked[ChangeTrip]) -> Answer:
        trip, body = asked.trip(), asked.body
        if body.deadline is UNSET and body.allow is UNSET and body.policy is UNSET:
            raise Problem(
                Code.INVALID,
                "None of `deadline`, `allow` and `policy` is given. Nothing was changed.",
            )
        outcome = "raced"
        for _ in range(_TRIES):
            before = await self._store.allowed_ever(trip) if body.allow is not UNSET else b""
            ever = allowed_with(before, body.allow or [])
            outcome = await self._store.change(
                trip,
                deadline=None if body.deadline is UNSET else body.deadline,
                policy=None if body.policy is UNSET else _encode(body.policy),
                allow=None if body.allow is UNSET else _encode(body.allow),
                allow_ever=_encode(ever),
                allowed_before=before,
            )
            if outcome != "raced":
                break
        match outcome:
            case "ok":
                return await self.get(Asked(asked.path, None, None))
            case "raced":
                raise _busy()
            case "past":
                raise Problem(
                    Code.PAST,
                    "`deadline` is not in the future by the relay's clock. Nothing was changed; "
                    "to close the channel now, end the trip.",
                    field="deadline",
                )
            case "ceiling":
                raise Problem(
                    Code.CEILING,
                    f"`deadline` is more than {self._limits.longest_trip_s} s after the trip was "
                    "opened, longer than this relay keeps any trip open. Nothing was changed.",
                    field="deadline",
                )
            case _:
                raise refused(outcome)

    async def end(self, asked: Asked[EndTrip]) -> Answer:
        return Answer(200, await self._end(asked.trip(), asked.body.grace_s, asked.body.reason))

    async def end_all(self, asked: Asked[EndTrips]) -> Answer:
        trips, reason = asked.body.trip_ids, asked.body.reason
        ended = await asyncio.gather(*(self._end(trip, 0, reason) for trip in trips))
        return Answer(200, TripsEnded(ended))

    async def _end(self, trip: str, grace_s: int, reason: str) -> TripEnded:
        ended = await self._store.end(trip, grace_s=grace_s, detail=reason)
        return TripEnded(
            trip_id=trip,
            state="grace" if ended.state == State.GRACE else "closed",
            closed_at=ended.closed_at,
            deadline=ended.deadline,
            kept=await self._copies.of(trip),
        )

    async def reassign(self, asked: Asked[ReassignParty]) -> Answer:
        trip, role, body = asked.trip(), asked.role(), asked.body
        phone = checked_phone(body.phone, "phone")
        if phone.stands_in(trip):
            raise number_in("trip")
        check_absent(body, phone)
        party = self._record(trip, body.epoch + 1, role, body, phone, "", self._random_bytes)
        (sitting,) = await self._parties.sittings([trip])
        seats = sitting.parties | {role: body.party_id}
        for _ in range(_TRIES):
            standing, mark = await self._standing(trip, seats)
            outcome, epoch = await self._store.reassign(
                trip, role, epoch=body.epoch, party=party.record,
                token_ttl_s=self._limits.token_ttl_s, bars=standing.bars({role: body.party_id}),
                mark=mark,
            )  # fmt: skip
            if outcome != "raced":
                break
        match outcome:
            case "reassigned" | "same":
                kept = await self._copies.of(trip)
                return Answer(
                    200,
                    PartyAdmitted(trip, epoch, body.party_id, party.token, self._gateway_url, kept),
                )
            case "raced":
                raise _busy()
            case "epoch":
                raise Problem(
                    Code.EPOCH,
                    "The parties of this trip have changed since the epoch that you named, so "
                    "nothing was changed. GET the trip, and decide again whether to reassign.",
                    field="epoch",
                )
            case "paired":
                raise Problem(
                    Code.PAIRED,
                    "That party is the other party of this trip already, and nobody can talk to "
                    "himself. Nothing was changed.",
                    field="party_id",
                )
            case _:
                raise refused(outcome)

    async def renew_token(self, asked: Asked[RenewToken]) -> Answer:
        trip, role, body = asked.trip(), asked.role(), asked.body
        token, digest = _fresh_token(trip, role, self._random_bytes)
        outcome = await self._store.token(
            trip,
            role,
            party=body.party_id,
            digest=digest,
            token_ttl_s=self._limits.token_ttl_s,
            revoke=body.revoke,
        )
        match outcome:
            case "ok":
                kept = await self._copies.of(trip)
                return Answer(
                    200, TokenRenewed(trip, body.party_id, token, self._gateway_url, kept)
                )
            case "party":
                raise Problem(
                    Code.PARTY,
                    "Another party has this role in the trip, so no token was made and none was "
                    "revoked. GET the trip to see which.",
                    field="party_id",
                )
            case _:
                raise refused(outcome)

    async def _standing(self, trip: str, seats: Mapping[Role, str]) -> tuple[Standing, bytes]:
        """What these parties' sanctions mean for their channel, and the mark that says if it has
        changed since. Raises `Problem` if they get none."""
        mark = self._store.ask_mark(trip)  # first, and in the same round trip
        standing = await self._sanctions.standing(list(seats.values()), trip=trip)
        if standing.refusal:
            raise no_channel(standing.refusal)
        return standing, checked(await mark) or b""

    def _record(
        self,
        trip: str,
        epoch: int,
        role: Role,
        party: PartyInput | ReassignParty,
        phone: PhoneNumber,
        path: str,
        random_bytes: Callable[[int], bytes],
    ) -> _Admitted:
        """A party as the store keeps it, its number sealed, with a fresh token."""
        alias = checked_alias(party.alias, path + "alias")
        sealed = seal_number(
            self._ring().current(Purpose.NUMBERS, self._now_ms()),
            phone,
            trip=trip,
            epoch=epoch,
            role=role,
            nonce=random_bytes(NONCE_BYTES),
        )
        token, digest = _fresh_token(trip, role, random_bytes)
        return _Admitted(PartyRecord(party.party_id, alias, party.locale, sealed, digest), token)

    def _fresh_messages_key(self, trip: str, random_bytes: Callable[[int], bytes]) -> bytes:
        return wrap(
            self._ring().current(Purpose.MESSAGES, self._now_ms()),
            DataKey(random_bytes(KEY_BYTES)),
            trip=trip,
            nonce=random_bytes(NONCE_BYTES),
        )

    async def _view(self, trip: str) -> TripView | None:
        """How a trip stands; past its deadline it is closed first, by the store's clock."""
        view = await self._store.view(trip)
        if (
            view is not None
            and view.state != State.CLOSED
            and view.deadline is not None
            and view.deadline <= self._now_ms()
        ):
            await self._store.sweep(keys.partition(trip), _SWEPT_AT_ONCE)
            view = await self._store.view(trip)
        return view


@dataclass(frozen=True, slots=True, repr=False)
class _Admitted:
    record: PartyRecord
    token: str


def _fresh_token(trip: str, role: Role, random_bytes: Callable[[int], bytes]) -> tuple[str, str]:
    token = new_party_token(trip, role, random_bytes(PARTY_TOKEN_BYTES))
    return token, parse_party_token(token).digest


def _trip(view: TripView) -> Trip:
    def party(role: Role) -> PartyState | None:
        seen: PartyView | None = view.parties.get(role)
        return PartyState(seen.party, seen.online, seen.undelivered) if seen else None

    return Trip(
        trip_id=view.trip,
        state=_STATES[view.state],
        reason=view.reason or None,
        detail=view.detail or None,
        epoch=view.epoch,
        opened_at=view.opened_at,
        deadline=view.deadline,
        closed_at=view.closed_at,
        messages=view.messages,
        driver=party(Role.DRIVER),
        customer=party(Role.CUSTOMER),
    )


def _busy() -> Problem:
    return Problem(
        Code.BUSY, "Others change this trip just now, so nothing was changed. Repeat the call."
    )


def _cursor(opened_at: int, last: str) -> str:
    place = f"{opened_at} {last}"
    return base64.urlsafe_b64encode(place.encode()).rstrip(b"=").decode()


def _parse_cursor(cursor: str) -> tuple[int, tuple[int, str]]:
    """The partition where to go on, and after which opening and name. Raises `Problem`."""
    if not cursor:
        return 0, _FROM_THE_START
    try:
        place = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        place = ""
    at, _, name = place.partition(" ")
    is_time = at.isascii() and at.isdigit() and len(at) <= 13
    if not is_time or not TRIP_ID.fullmatch(name) or _cursor(int(at), name) != cursor:
        raise invalid("cursor", "is none that this relay gave. Begin anew without it.")
    return keys.partition(name), (int(at), name)
