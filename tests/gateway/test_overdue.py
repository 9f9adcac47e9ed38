"""A channel whose time was over while nobody could close it: what was accepted in time and is still
to be shown comes too late, and what was confirmed is not told as lost."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from relay.rig.waiting import until
from tests.conftest import ROOMY
from tests.support.party import Party
from tests.support.past import slow_to_look

#: As for a node whose store was away, and all that nodes tell each other with it. While there is a
#: file of that name it neither looks nor closes what is due.
CUT_OFF = """
import asyncio
from pathlib import Path
import relay.gateway.events as events
from relay.gateway.gateway import Gateway
from relay.gateway.node import Node

look, sweep, folder = events.look_at_all, Gateway._sweep, Path({folder!r})

async def while_there_is(name):
    while (folder / name).exists():
        await asyncio.sleep(0.02)

async def look_then(*given):
    await while_there_is("no-looks")
    await look(*given)

async def sweep_then(self):
    await while_there_is("no-sweeps")
    await sweep(self)

events.look_at_all, Gateway._sweep = look_then, sweep_then
Node.mail = lambda self, node, item: None
"""


async def test_what_was_accepted_in_time_is_not_shown_long_after_the_end(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    gates = [tmp_path / name for name in ("no-looks", "no-sweeps")]
    for gate in gates:
        gate.touch()
    plant = CUT_OFF.format(folder=str(tmp_path))
    async with slow_to_look(tmp_path / "one", plant, **ROOMY) as one:
        other = slow_to_look(tmp_path / "other", plant, **ROOMY)
        other.data = one.data
        async with other:
            tokens = await one.open_trip("overdue", max_duration_s=3)
            driver = await Party.attach(one.gateway_url, tokens["driver"])
            customer = await Party.attach(other.gateway_url, tokens["customer"])
            accepted = await driver.accepted("in time")
            assert accepted["at"] < customer.attached["deadline"]
            over_ms = customer.attached["deadline"] + 1500
            await until(lambda: time.time() * 1000 > over_ms, "its time is over")
            gates[0].unlink()
            assert await customer.closed() == 4003
            gates[1].unlink()

            async def told() -> Party | None:
                party = await Party.connect(other.gateway_url)
                await party.say("attach", token=tokens["customer"])
                return party if await party.closed() == 4500 else None

            again = await until(told, "it is closed")
            (closed,) = again.all("closed")
            assert closed["reason"] == "expired"
            assert customer.texts() == again.texts() == []

            async def hears() -> list[str]:
                party = await Party.connect(one.gateway_url)
                await party.say("attach", token=tokens["driver"], pending=[accepted["id"]])
                await party.closed()
                return [lost for frame in party.all("closed") for lost in frame["undelivered"]]

            assert await until(hears, "its author is told") == [accepted["id"]]


#: As for a receipt that came a moment before: what was said waits for as long as the test takes.
RECEIPTS_WAIT = """
import relay.gateway.receipts as receipts

receipts._DELAY_S = 60.0
"""


@pytest.mark.parametrize("store_dies", [False, True])
async def test_what_arrived_in_the_last_moment_is_not_told_as_lost(
    tmp_path: Path, store_dies: bool
) -> None:
    """Also where the store is away when it is confirmed."""
    gates = [tmp_path / name for name in ("no-looks", "no-sweeps")]
    for gate in gates:
        gate.touch()
    plant = CUT_OFF.format(folder=str(tmp_path)) + RECEIPTS_WAIT
    async with slow_to_look(tmp_path, plant, **ROOMY) as relay:
        tokens = await relay.open_trip("confirmed", max_duration_s=2)
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        customer = await Party.attach(relay.gateway_url, tokens["customer"])
        over_ms = customer.attached["deadline"] + 1500
        accepted = await driver.accepted("in time")
        message = await customer.hear("message", id=accepted["id"])
        if store_dies:
            os.kill(relay.store_pid(), signal.SIGKILL)
        await customer.say("got", pos=message["pos"], epoch=1)
        await customer.say("ping")
        await customer.hear("pong")
        await until(lambda: time.time() * 1000 > over_ms, "its time is over")
        gates[0].unlink()
        assert await customer.closed() == 4003

        async def told() -> Party | None:
            party = await Party.connect(relay.gateway_url)
            await party.say("attach", token=tokens["driver"], pending=[accepted["id"]])
            return party if await party.closed() == 4500 else None

        again = await until(told, "it is closed")
        (closed,) = again.all("closed")
        assert (closed["reason"], closed["undelivered"]) == ("expired", [])
