"""Trips that the load opens, and the two parties of each."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple, TypeVar

import httptools
import msgspec

from ..rig.platform import Platform
from .checking import Stream, Violations
from .party import Party
from .tally import Tally
from .texts import new_number
from .wire import Plan

_AT_ONCE: Final = 32
_ENDED_AT_ONCE: Final = 500
#: How long it is tried again when a call gets no answer, and after which pause.
_INSISTS_S: Final = 5.0
#: A call that has waited so long gets no answer.
_ANSWER_S: Final = 20.0
_PAUSE_S: Final = 0.2
_CALLS: Final = {
    "open": "to open a trip", "end": "to end a trip", "reassign": "to reassign a driver",
    "end at last": "to end the trips that were left",
}  # fmt: skip
#: What to do about an answer.
_ADVICE: Final = {
    401: "it does not know this API key: give one of this relay's (`relay apikey new --scope "
    "platform`) with --api-key-file or RELAY_API_KEY",
    403: "this API key may not do that: give one of scope platform (`relay apikey new --scope "
    "platform`)",
    404: "give the API's address alone with --api, without a path",
    429: "raise `calls_per_s`, or the load measures that",
    503: "it is about to stop, or its store does not answer; its log says why",
}
_T = TypeVar("_T")


class CallFailed(Exception):
    """The API refused what the load needs. Tells the code, never what was sent."""


class Trip(NamedTuple):
    """An open trip. `phones` are its parties' numbers as they are dialled at home, by role."""

    name: str
    driver: Party
    customer: Party
    phones: dict[str, str]

    @property
    def parties(self) -> tuple[Party, Party]:
        return self.driver, self.customer


class Trips:
    """Opens, changes and ends trips as the platform's backend does."""

    def __init__(self, plan: Plan, tally: Tally, violations: Violations) -> None:
        self.platform = Platform(plan.api_url, plan.key)
        self._prefix = f"b{plan.run}-{plan.part}"
        self._random = random.Random(f"{plan.run} {plan.part}")
        self._tally = tally
        self._violations = violations
        self._gateways = plan.gateway_urls
        self._apart = bool(plan.options.get("apart"))
        self._opened = 0
        #: The API has answered as one.
        self.answered = False
        self._open: set[str] = set()

    async def call(self, method: str, path: str, body: Any, what: str) -> dict[str, Any]:
        """One call, timed as `what`. Raises `CallFailed`, OSError.

        One that an API which answers otherwise leaves without an answer is made again, as a
        platform does: each of these calls may be.
        """
        began = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(_ANSWER_S):
                    answer = await self.platform.call(method, path, body)
                break
            except OSError:
                if not self.answered or time.monotonic() > began + _INSISTS_S:
                    raise
                self._tally.counts["failed to get an answer by HTTP"] += 1
            except (msgspec.DecodeError, httptools.HttpParserError):
                raise CallFailed(
                    "what answers at --api is not a relay's API: its gateway has another port"
                ) from None
            await asyncio.sleep(_PAUSE_S)
        if not 200 <= answer.status < 300:
            code = answer.body.get("code", "") if isinstance(answer.body, dict) else ""
            raise CallFailed(
                f"{_CALLS.get(what, what)} was refused: the API answered {answer.status} {code}; "
                + _ADVICE.get(answer.status, "its log says why")
            )
        self.answered = True
        self._tally.counts[what] += 1
        self._tally.times[what].add(time.monotonic() - began)
        found: dict[str, Any] = answer.body
        return found

    async def open(self) -> Trip:
        self._opened += 1
        name = f"{self._prefix}-{self._opened}"
        phones = {role: new_number(self._random) for role in ("driver", "customer")}
        body = {
            "trip_id": name,
            "driver": self._person(name, "driver", phones["driver"]),
            "customer": self._person(name, "customer", phones["customer"]),
            "max_duration_s": 3600,
            "report_window_s": 60,
            "requested_at": int(time.time() * 1000),
        }
        # Also of one whose answer nobody waits for any more.
        self._open.add(name)
        found = await self.call("POST", "/v1/trips", body, "open")
        to_customer = Stream(f"{name} driver to customer", self._violations)
        to_driver = Stream(f"{name} customer to driver", self._violations)
        forbidden = _forbidden(phones)
        drivers, customers = places(self._gateways, self._opened, apart=self._apart)
        return Trip(
            name,
            self.party(name, "driver", drivers, found["driver"], to_customer, to_driver, forbidden),
            self.party(
                name, "customer", customers, found["customer"], to_driver, to_customer, forbidden
            ),
            phones,
        )

    def party(
        self, trip: str, role: str, gateway_url: str, admitted: dict[str, Any], says: Stream,
        hears: Stream, forbidden: tuple[bytes, ...],
    ) -> Party:  # fmt: skip
        return Party(
            f"{trip} {role}", gateway_url, admitted["token"], says, hears,
            tally=self._tally, violations=self._violations, forbidden=forbidden,
        )  # fmt: skip

    async def reassign_driver(self, trip: Trip) -> Trip:
        """Give the driver's role to somebody else; the customer goes over by what it is told."""
        phones = trip.phones | {"driver": new_number(self._random)}
        forbidden = (*trip.customer.forbidden, *_forbidden({"driver": phones["driver"]}))
        says, hears = trip.driver.says.followed_by(), trip.customer.says.followed_by()
        trip.customer.then, trip.customer.forbidden = (hears, says), forbidden
        person = self._person(trip.name, "driver", phones["driver"])
        person["party_id"] += f"-{trip.customer.epoch + 1}"
        admitted = await self.call(
            "PUT", f"/v1/trips/{trip.name}/parties/driver",
            {"epoch": trip.customer.epoch, **person}, "reassign",
        )  # fmt: skip
        at = trip.driver.gateway_url
        driver = self.party(trip.name, "driver", at, admitted, says, hears, forbidden)
        driver.epoch = admitted["epoch"]
        return Trip(trip.name, driver, trip.customer, phones)

    async def end(self, trip: Trip) -> None:
        """End a trip; from the answer on, nothing that is posted may be accepted."""
        await self.call("POST", f"/v1/trips/{trip.name}/end", {}, "end")
        self._open.discard(trip.name)
        for party in trip.parties:
            party.says.has_ended = True

    async def end_all(self) -> None:
        """Leave nothing open behind. Raises OSError if there is no API any more."""
        names = list(self._open)
        self._open.clear()
        try:
            for first in range(0, len(names), _ENDED_AT_ONCE):
                some = {"trip_ids": names[first : first + _ENDED_AT_ONCE]}
                await self.call("POST", "/v1/ended-trips", some, "end at last")
        finally:
            self.platform.close()

    def _person(self, trip: str, role: str, phone: str) -> dict[str, str]:
        return {"party_id": f"{trip}-{role[0]}", "phone": f"+62{phone[1:]}", "alias": role.title()}


def places(gateways: list[str], number: int, *, apart: bool) -> tuple[str, str]:
    """The gateways that the driver and the customer of a trip connect to."""
    count = len(gateways)
    return gateways[number % count], gateways[(number + apart) % count]


def _forbidden(phones: dict[str, str]) -> tuple[bytes, ...]:
    return tuple(phone[1:].encode() for phone in phones.values())


async def each(
    things: Iterable[_T],
    do: Callable[[_T], Awaitable[object]],
    at_once: int = _AT_ONCE,
    told: Callable[[], None] = lambda: None,
) -> None:
    """Do something with each, so many at a time."""
    left = iter(things)

    async def some() -> None:
        for thing in left:
            await do(thing)
            told()

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(some())
