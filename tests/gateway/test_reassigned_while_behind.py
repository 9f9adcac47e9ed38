"""A party that is still being served the log when its peer is reassigned goes on in the next one."""

from __future__ import annotations

from pathlib import Path

from relay.rig.waiting import until
from tests.conftest import ROOMY
from tests.support.party import Party
from tests.support.past import TELLS_OF_ANOTHER_LOG, slow_to_look
from tests.support.relay import RelayProcess

#: As on a busy machine: the log is read when it was put away, and that it is shorter than it was is
#: looked into when this node has heard why.
HEARS_LATE = """
import asyncio, sys
import relay.gateway.delivery as delivery
import relay.gateway.events as events

read, look = delivery._read, delivery._resume_if_open
hear, reassign = events.take_control, events.reassign_channel
put_away, was_short = asyncio.Event(), asyncio.Event()

async def after(event, step, *given):
    await event.wait()
    step(*given)

def read_late(node, *given):
    node.spawn(after(put_away, read, node, *given))

def hear_late(node, payload):
    if b'"reassigned"' in payload:
        put_away.set()
        node.spawn(after(was_short, hear, node, payload))
    else:
        hear(node, payload)

def reassign_late(*given):
    if was_short.is_set():
        reassign(*given)

async def look_late(*given):
    was_short.set()
    while given[-1].channel.epoch == 1:
        await asyncio.sleep(0.01)
    await look(*given)
    print("looked into it", file=sys.stderr, flush=True)

delivery._read, delivery._resume_if_open = read_late, look_late
events.take_control, events.reassign_channel = hear_late, reassign_late
"""


async def reassign(relay: RelayProcess, trip: str) -> str:
    """Give the driver's side to another; give that one's token."""
    answer = await relay.call(
        "PUT", f"/v1/trips/{trip}/parties/driver",
        {"epoch": 1, "party_id": "drv-2", "phone": "+6281298765432", "alias": "Wati"},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    return answer.json()["token"]


async def test_who_stays_is_not_cut_off_because_the_log_it_was_read_is_put_away(
    tmp_path: Path,
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    async with slow_to_look(tmp_path / "one", TELLS_OF_ANOTHER_LOG, **ROOMY) as one:
        other = slow_to_look(tmp_path / "other", HEARS_LATE, **ROOMY)
        other.data = one.data
        async with other:
            tokens = await one.open_trip("put-away")
            customer = await Party.attach(other.gateway_url, tokens["customer"])
            driver = await Party.attach(one.gateway_url, tokens["driver"])
            if not driver.attached["peer"]["online"]:
                await driver.hear("presence", online=True)
            await driver.accepted("just before it")
            token = await reassign(one, "put-away")
            await customer.hear("reassigned", epoch=2)
            driver = await Party.attach(one.gateway_url, token)
            await driver.accepted("halo")
            await customer.hear("message", text="halo")
            await customer.accepted("halo, Wati")
            await until(lambda: "looked into it" in other.log.read_text(), "the node has looked")
            await customer.accepted("how far is it?")
            assert customer.close_code is None
