"""What a node keeps for an app, or for what it may not deliver now, has an end or a bound."""

from __future__ import annotations

from pathlib import Path

from relay.gateway.finality import Finality
from relay.rig.process import frozen
from relay.rig.texts import numbered
from relay.store import keys
from tests.conftest import ROOMY
from tests.support.party import Party
from tests.support.past import slow_to_look
from tests.support.relay import RelayProcess

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
    post_id = await driver.post(numbered(1))
    await driver.hear("accepted", id=post_id)
    await customer.hear("message", id=post_id)
    assert await unlucky.closed() == 4003


def test_of_a_final_news_only_what_is_said_again_is_kept() -> None:
    finality = Finality()
    kept = {"op": "closed", "trip": "t", "reason": "ended", "detail": "done"}
    finality.hear({**kept, "pairing": 1, "d": "[" + "x" * 100_000 + "]", "c": "[]"}, 1.0)
    assert list(finality.said(2.0)) == [kept]
