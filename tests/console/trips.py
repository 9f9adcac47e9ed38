"""Trips for operators to work on."""

from __future__ import annotations

from typing import Any

from relay.rig.waiting import until
from tests.support.party import Party
from tests.support.relay import RelayProcess

MARKUP = "<b>Budi</b><img src=x onerror=alert(1)>"
THREAT = "awas kamu <i>nanti</i>"


async def pair(relay: RelayProcess, trip: str, **changes: Any) -> tuple[Party, Party]:
    """A trip with both parties attached."""
    tokens = await relay.open_trip(trip, **changes)
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    customer = await Party.attach(relay.gateway_url, tokens["customer"])
    return driver, customer


async def reported(
    relay: RelayProcess, trip: str, category: str = "threat", **changes: Any
) -> tuple[Party, Party]:
    """A trip whose customer has reported what the driver wrote."""
    driver, customer = await pair(relay, trip, **changes)
    await driver.accepted("saya di lobi")
    await driver.accepted(THREAT)
    await customer.accepted("jangan begitu")
    (message,) = [frame for frame in await heard(customer, 2) if frame["text"] == THREAT]
    item = {"epoch": 1, **{name: message[name] for name in ("pos", "id", "from", "text", "tag")}}
    await customer.say("report", id="r1", category=category, note="dia mengancam", items=[item])
    await customer.hear("reported", id="r1")
    return driver, customer


async def heard(party: Party, count: int) -> list[dict[str, Any]]:
    """The messages of the peer's, once so many have come."""

    def come() -> list[dict[str, Any]]:
        found = [frame for frame in party.all("message") if frame["from"] == "peer"]
        return found if len(found) >= count else []

    found: list[dict[str, Any]] = await until(come, "the messages come")
    return found


async def case_of(relay: RelayProcess, trip: str) -> str:
    """The id of the case that a trip's report became."""
    async with relay.redis() as redis:
        async for key in redis.scan_iter("{p*}:case:*", count=1000):
            if (await redis.hget(key, "trip")) == trip.encode():
                return key.decode().rpartition(":")[2]
    raise AssertionError("no case")
