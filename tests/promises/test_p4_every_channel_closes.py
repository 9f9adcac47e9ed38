"""P4: at its deadline, by the store's clock, even if everything was down meanwhile."""

from __future__ import annotations

import signal
import time

from relay.rig.waiting import until
from tests.support.party import Party
from tests.support.relay import RelayProcess


async def test_a_deadline_closes_a_channel_that_nobody_ends(relay: RelayProcess) -> None:
    tokens = await relay.open_trip("short", max_duration_s=1)
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    closed = await driver.hear("closed")
    late_ms = time.time() * 1000 - driver.attached["deadline"]
    assert closed["reason"] == "expired"
    assert await driver.closed() == 4500
    assert -50 < late_ms < 1000
    view = (await relay.call("GET", "/v1/trips/short")).json()
    assert (view["state"], view["reason"]) == ("closed", "expired")


async def test_a_deadline_that_passed_while_all_was_down(own_relay: RelayProcess) -> None:
    """Relay and store are killed; the channel is closed as soon as they are back."""
    tokens = await own_relay.open_trip("asleep", max_duration_s=2, retention_s=0)
    lasting = await own_relay.open_trip("lasting", max_duration_s=600)
    driver = await Party.attach(own_relay.gateway_url, tokens["driver"])
    deadline = driver.attached["deadline"]
    await own_relay.end(signal.SIGKILL)
    await driver.closed()
    await until(lambda: time.time() * 1000 > deadline, "the deadline passes", 5)
    await own_relay.start()

    async def closed() -> bool:
        view = (await own_relay.call("GET", "/v1/trips/asleep")).json()
        return view["state"] == "closed"

    await until(closed, "the channel is closed", 2)
    again = await Party.connect(own_relay.gateway_url)
    await again.say("attach", token=tokens["driver"])
    assert (await again.hear("closed"))["reason"] == "expired"
    assert await again.closed() == 4500
    async with own_relay.redis() as redis:
        left = [key async for key in redis.scan_iter("*asleep*")]
        # The record stays as a tombstone; log and numbers are gone.
        names = sorted(key.decode().split(":", 1)[1] for key in left)
        assert names == ["line:asleep", "trip:asleep"]
        fields = await redis.hkeys(next(key for key in left if b":trip:" in key))
        assert not {b"d.phone", b"c.phone", b"messages_key"} & set(fields)
    # Only what was due was closed.
    await (await Party.attach(own_relay.gateway_url, lasting["driver"])).leave()


async def test_an_attach_after_the_deadline_finds_it_closed_before_any_sweep(
    relay: RelayProcess,
) -> None:
    tokens = await relay.open_trip("edge", max_duration_s=1)
    view = (await relay.call("GET", "/v1/trips/edge")).json()
    await until(lambda: time.time() * 1000 >= view["deadline"], "the deadline passes")
    party = await Party.connect(relay.gateway_url)
    await party.say("attach", token=tokens["customer"])
    assert (await party.hear("closed"))["reason"] == "expired"


async def test_a_moved_deadline_is_the_one_that_counts(relay: RelayProcess) -> None:
    tokens = await relay.open_trip("moved", max_duration_s=600)
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    sooner = int(time.time() * 1000) + 700
    answer = await relay.call("PATCH", "/v1/trips/moved", {"deadline": sooner})
    assert answer.status_code == 200, answer.text
    assert (await driver.hear("state"))["deadline"] == sooner
    assert (await driver.hear("closed"))["reason"] == "expired"
    tokens = await relay.open_trip("later", max_duration_s=1)
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    first = driver.attached["deadline"]
    answer = await relay.call("PATCH", "/v1/trips/later", {"deadline": first + 60_000})
    assert answer.status_code == 200, answer.text
    await until(lambda: time.time() * 1000 > first + 600, "the first deadline passes")
    await driver.accepted("still here")
