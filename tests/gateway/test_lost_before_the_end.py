"""A message that only a lost store had, in a trip that is over before its sender's app is back.

Nobody can list it: the sender is told all the same that it has not arrived.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from relay.rig.waiting import until
from relay.store import keys
from tests.support.party import Party
from tests.support.past import HARDLY_LOOKS, Past, slow_to_look
from tests.support.relay import DRIVER_PHONE, RelayProcess

HOW = ("ended", "replaced", "peer replaced", "blocked")


async def settled(reader: Party, writer: Party, pos: str) -> None:
    await reader.say("got", pos=pos)
    await writer.hear("got", pos=pos)


async def seat(relay: RelayProcess, trip: str, role: str, epoch: int) -> str:
    """Put somebody else into a seat; give the token."""
    answer = await relay.call(
        "PUT", f"/v1/trips/{trip}/parties/{role}",
        {"epoch": epoch, "party_id": f"{role}-2", "phone": DRIVER_PHONE, "alias": "Joko"},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["token"]
    return token


async def over_for_driver(relay: RelayProcess, trip: str, how: str, customer: Party) -> None:
    if how == "ended":
        await relay.end_trip(trip)
    elif how == "replaced":
        await seat(relay, trip, "driver", 1)
    elif how == "peer replaced":
        # And it ends before the driver's app has heard of the other one.
        await seat(relay, trip, "customer", 1)
        await relay.end_trip(trip)
    else:
        await customer.say("report", id="r1", category="threat", block=True)
        await customer.hear("reported")


async def told(relay: RelayProcess, token: str, *pending: str, epoch: int = 1) -> list[str]:
    """What an app is told that attaches when it is over."""
    late = await Party.connect(relay.gateway_url)
    await late.say("attach", token=token, epoch=epoch, pending=[*pending])
    closed = await late.hear("closed")
    assert await late.closed() in (4500, 4502)
    return list(closed["undelivered"])


@pytest.mark.parametrize("how", HOW)
async def test_what_is_lost_is_told_to_who_comes_when_it_is_over(
    relay: RelayProcess, how: str
) -> None:
    """Though the peer has confirmed what came later, at the places of what was lost and behind."""
    trip = f"late-{how.replace(' ', '-')}"
    tokens = await relay.open_trip(trip)
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    customer = await Party.attach(relay.gateway_url, tokens["customer"])
    kept = await driver.accepted("kept", id="kept")
    await settled(customer, driver, kept["pos"])
    past = await Past(relay, trip).keep()
    lost = await driver.accepted("lost", id="lost")
    await driver.drop()
    await past.come_back()
    assert await customer.closed() == 4003

    customer = await Party.attach(relay.gateway_url, tokens["customer"], epoch=1, after=lost["pos"])
    answer = await relay.call(
        "POST", f"/v1/trips/{trip}/system-messages", {"id": "s1", "text": "later", "to": "customer"}
    )
    assert answer.status_code == 201, answer.text
    later = await customer.hear("message", id="s1")
    assert later["pos"] > lost["pos"]
    await customer.say("got", pos=later["pos"])

    async def confirmed() -> None:
        await customer.say("ping")
        await customer.hear("pong")

    await confirmed()
    await over_for_driver(relay, trip, how, customer)
    asked = "kept", "lost"
    assert await told(relay, tokens["driver"], *asked) == ["lost"]
    assert await told(relay, tokens["driver"]) == []
    # Of a pairing that the store has never heard of nothing has arrived.
    assert await told(relay, tokens["driver"], *asked, epoch=9) == [*asked]


async def test_what_another_version_has_ended_is_told_as_that_does(relay: RelayProcess) -> None:
    """It notes what has not arrived, and not what has."""
    tokens = await relay.open_trip("older")
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    await driver.accepted("halo", id="listed")
    await relay.end_trip("older")
    assert await told(relay, tokens["driver"], "listed", "lost") == ["listed", "lost"]
    async with relay.redis() as redis:
        assert await redis.hdel(keys.trip("older"), "arrived.1.d", "arrived.1.c") == 2
    assert await told(relay, tokens["driver"], "listed", "lost") == ["listed"]


async def test_who_stayed_is_not_told_before_the_relay_has_looked(tmp_path: Path) -> None:
    """Its connection is from before: it is sent away, and names what it has when it comes back."""
    async with slow_to_look(tmp_path) as relay:
        trips = {how: await relay.open_trip(how.replace(" ", "-")) for how in HOW}
        drivers = {how: await Party.attach(relay.gateway_url, trips[how]["driver"]) for how in HOW}
        past = [await Past(relay, how.replace(" ", "-")).keep() for how in HOW]
        reporter = await Party.connect(relay.gateway_url)
        await reporter.say("attach", token=trips["blocked"]["customer"], report_only=True)
        await reporter.hear("attached")
        for driver in drivers.values():
            await driver.accepted("lost", id="lost")
        await past[0].come_back(*past[1:])
        await until(lambda: serves(relay), "the store is there")
        await asyncio.gather(
            *(over_for_driver(relay, how.replace(" ", "-"), how, reporter) for how in HOW)
        )
        for how, driver in drivers.items():
            assert await driver.closed() == 4003, how
            assert not driver.all("closed") and not driver.all("reassigned"), how
            assert await told(relay, trips[how]["driver"], "lost") == ["lost"], how


async def test_who_stayed_is_cut_off_in_time_though_the_relay_cannot_look(tmp_path: Path) -> None:
    async with slow_to_look(tmp_path, HARDLY_LOOKS) as relay:
        tokens = await relay.open_trip("ended")
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        await (await Past(relay, "ended").keep()).come_back()
        await until(lambda: serves(relay), "the store is there")
        await until(lambda: "deliveries_suspended" in relay.log.read_text(), "it has noticed")
        await until(lambda: is_heard(relay), "the relay listens")
        await relay.end_trip("ended")
        assert await driver.closed(within_s=2) == 4003
        assert await told(relay, tokens["driver"]) == []


async def is_heard(relay: RelayProcess) -> bool:
    async with relay.redis() as redis:
        found = await redis.execute_command(
            "PUBSUB", "SHARDNUMSUB", keys.control(keys.partition("ended"))
        )
    return bool(found[1])


async def serves(relay: RelayProcess) -> bool:
    return (await relay.call("GET", "/v1/trips/ended")).status_code == 200


async def test_who_is_shut_out_hears_the_same_whatever_comes(relay: RelayProcess) -> None:
    """As of a channel that was closed then: what the other party confirms later, a new pairing, and
    the end change nothing of it, whatever is asked."""
    heard = []
    for trip in ("closed", "blocked"):
        tokens = await relay.open_trip(f"same-{trip}")
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        customer = await Party.attach(relay.gateway_url, tokens["customer"])
        first = await driver.accepted("halo", id="first")
        await settled(customer, driver, first["pos"])
        second = await driver.accepted("di mana", id="second")
        await customer.hear("message", id="second")
        name = f"same-{trip}"

        async def hears(token: str = tokens["driver"]) -> list[Any]:
            asked = "first", "second", "third"
            return [await told(relay, token, *asked, epoch=epoch) for epoch in (1, 2, 3, 9)]

        if trip == "closed":
            await relay.end_trip(name)
        else:
            await over_for_driver(relay, name, "blocked", customer)
        heard.append((await driver.hear("closed"))["undelivered"])
        heard.append(await hears())
        if trip == "closed":
            continue
        await customer.say("got", pos=second["pos"])
        await customer.accepted("hm")
        assert await hears() == heard[-1], "the other party has confirmed it"
        await customer.say("report", id="r2", category="other", block=True)
        await customer.hear("reported", id="r2")
        assert await hears() == heard[-1], "it is blocked twice"
        await seat(relay, name, "customer", 1)
        assert await hears() == heard[-1], "it talks to another one"
        await relay.end_trip(name)
        assert await hears() == heard[-1], "it is over"
    closed, then, blocked, since = heard
    assert (closed, then) == (blocked, since) == (["second"], then)
    assert then[0] == ["second", "third"]
