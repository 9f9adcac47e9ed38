"""What a node keeps for an app, or for what it may not deliver now, has an end or a bound."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from websockets.exceptions import ConnectionClosed

from relay.gateway.finality import Finality
from relay.rig.process import frozen
from relay.rig.texts import numbered
from relay.rig.waiting import until
from relay.store import keys
from tests.conftest import ROOMY
from tests.support.party import Party
from tests.support.past import slow_to_look
from tests.support.relay import RelayProcess


async def has_its_store(relay: RelayProcess) -> None:
    """Wait for a relay whose store was away."""

    async def is_ready() -> bool:
        return (await relay.call("GET", "/readyz")).status_code == 200

    await until(is_ready, "the relay has its store again")


REPORTING_IS_SHORT = """
import relay.gateway.gateway as gateway

gateway.REPORTING_TIMEOUT_S = 1.0
"""


async def test_a_connection_for_reports_only_does_not_stay_for_ever(tmp_path: Path) -> None:
    """It has no seat that the party's next one would take over."""
    async with slow_to_look(tmp_path, REPORTING_IS_SHORT, **ROOMY) as relay:
        tokens = await relay.open_trip("aside")
        seated = await Party.attach(relay.gateway_url, tokens["customer"])
        aside = await Party.attach(relay.gateway_url, tokens["customer"], report_only=True)
        assert await aside.closed() == 4002
        await seated.accepted(numbered(1))


async def test_who_floods_a_node_that_waits_for_the_store_is_cut_off(tmp_path: Path) -> None:
    """Also with posts that say that they are sent again, which are answered by `unsure`."""
    async with RelayProcess(tmp_path, posts_per_s=1, store_timeout_s=10) as relay:
        tokens = await relay.open_trip("flood")
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        async with frozen(relay.store_pid()):
            with suppress(ConnectionClosed):
                for number in range(1100):
                    await driver.post(numbered(number), id=f"p{number}", again=True)
            assert await driver.closed() == 4004


async def test_a_trip_whose_record_is_damaged_holds_up_no_other(own_relay: RelayProcess) -> None:
    """After a pause of the store nothing is delivered until each channel has been looked at; this
    one cannot be."""
    tokens = {trip: await own_relay.open_trip(trip) for trip in ("damaged", "whole")}
    unlucky = await Party.attach(own_relay.gateway_url, tokens["damaged"]["driver"])
    driver = await Party.attach(own_relay.gateway_url, tokens["whole"]["driver"])
    customer = await Party.attach(own_relay.gateway_url, tokens["whole"]["customer"])
    async with own_relay.redis() as redis:
        await redis.hset(keys.trip("damaged"), "epoch", "none")
    async with frozen(own_relay.store_pid(), at_least_s=1.5):
        pass
    await has_its_store(own_relay)
    post_id = await driver.post(numbered(1))
    await driver.hear("accepted", id=post_id)
    await customer.hear("message", id=post_id)
    assert await unlucky.closed() == 4003


def test_of_a_final_news_only_what_is_said_again_is_kept() -> None:
    finality = Finality()
    kept = {"op": "closed", "trip": "t", "reason": "ended", "detail": "done"}
    finality.hear({**kept, "pairing": 1, "d": "[" + "x" * 100_000 + "]", "c": "[]"}, 1.0)
    assert list(finality.said(2.0)) == [kept]


#: As for a node that has no way to the store, while it still hears from the other nodes: as long as
#: there is a file of that name it delivers nothing. It keeps but a few hints until then, and says how
#: much it has kept.
SUSPENDED = """
import asyncio
from pathlib import Path
import relay.gateway.lease as lease
from relay.gateway.gateway import Gateway

lease._MOST_HINTS = 20
look, resume, folder = Gateway._look_at, lease.Lease.resume, Path({folder!r})

async def look_and_wait(self, channels):
    await look(self, channels)
    while (folder / "suspended").exists():
        await asyncio.sleep(0.02)

def say_and_resume(self, line):
    with (folder / "kept").open("a") as kept:
        print(len(self._held), file=kept)
    resume(self, line)

Gateway._look_at, lease.Lease.resume = look_and_wait, say_and_resume
"""


async def test_what_other_nodes_tell_a_suspended_one_is_kept_up_to_a_bound(tmp_path: Path) -> None:
    """Of the rest nothing is lost: it reads the log."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    gate = tmp_path / "suspended"
    other = slow_to_look(tmp_path / "other", SUSPENDED.format(folder=str(tmp_path)), **ROOMY)
    async with RelayProcess(tmp_path / "one", **ROOMY) as one:
        other.data = one.data
        async with other:
            tokens = await one.open_trip("hints")
            customer = await Party.attach(other.gateway_url, tokens["customer"])
            driver = await Party.attach(one.gateway_url, tokens["driver"])
            await customer.hear("presence", online=True)
            if not driver.attached["peer"]["online"]:
                await driver.hear("presence", online=True)
            gate.touch()
            async with frozen(one.store_pid(), at_least_s=1.5):
                await customer.hear("state", state="suspended")
            await has_its_store(one)
            posted = [numbered(number) for number in range(60)]
            for text in posted:
                await driver.accepted(text)
            assert customer.texts() == []
            gate.unlink()
            await customer.hear("message", text=posted[-1])
            assert customer.texts() == posted
            kept = max(map(int, (tmp_path / "kept").read_text().split()))
            assert 20 <= kept < 30, "and a few answers of the store"
