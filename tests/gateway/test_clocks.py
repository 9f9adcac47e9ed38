"""A store of several servers whose clocks differ: what counts for a trip is that of the server which
has it, and no other's."""

from __future__ import annotations

import time
from pathlib import Path

from relay.core.ids import Role
from relay.rig.waiting import until
from relay.store import keys
from relay.store.oversight import Oversight
from tests.conftest import ROOMY
from tests.support.party import Party
from tests.support.past import slow_to_look

#: As in a Cluster where most servers' clocks are so much ahead of that of the trip's: a node that
#: has one idea of the time goes by them.
OTHERS_AHEAD = """
from relay.gateway.node import Node

set_clock = Node.set_clock
Node.set_clock = lambda self, began_s, store_ms: set_clock(self, began_s, store_ms + {ahead_ms})
"""


async def test_nobody_is_cut_off_before_the_deadline_by_another_servers_clock(
    tmp_path: Path,
) -> None:
    async with slow_to_look(tmp_path, OTHERS_AHEAD.format(ahead_ms=60_000), **ROOMY) as relay:
        # Long enough that each channel is looked at.
        tokens = await relay.open_trip("early", max_duration_s=3)
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        customer = await Party.attach(relay.gateway_url, tokens["customer"])
        assert [await party.closed() for party in (driver, customer)] == [4500, 4500]
        assert time.time() * 1000 >= driver.attached["deadline"]


async def test_nobody_is_shut_out_for_longer_than_by_the_trips_own_clock(tmp_path: Path) -> None:
    async with slow_to_look(tmp_path, OTHERS_AHEAD.format(ahead_ms=-60_000), **ROOMY) as relay:
        tokens = await relay.open_trip("lapsed")
        async with relay.store() as store:
            oversight, until_ms = Oversight(store), int(time.time() * 1000) + 300
            outcome = await oversight.bar(
                "lapsed", Role.DRIVER, "drv-1", "all", until_ms, source="s1"
            )
            assert outcome == "ok"
        await until(lambda: time.time() * 1000 > until_ms, "the bar has lapsed")
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        # That it is told of another deadline shows that its channel was looked at.
        async with relay.redis() as redis:
            later = driver.attached["deadline"] + 1000
            await redis.hset(keys.trip("lapsed"), "deadline", str(later))
        await driver.hear("state", deadline=later)
        await driver.say("ping")
        await driver.hear("pong")
