"""What sanctions are to the parties themselves, on a running relay and over both protocols.

They are imposed here from outside the relay, as another node or the console would.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest

from relay.core.casework import SanctionKind, SanctionReason, StaffScope
from relay.core.phrases import SYSTEM_MESSAGES
from relay.ops.actor import Actor
from relay.ops.sanctions import Sanction, Sanctions
from tests.support.desk import desk_on
from tests.support.party import JSON, MSGPACK, Party
from tests.support.relay import CUSTOMER_PHONE, DRIVER_PHONE, RelayProcess

BOSS = Actor("ayu", StaffScope.SUPERVISOR, "console")
NUMBERS = itertools.count(1)

both_protocols = pytest.mark.parametrize("protocol", [MSGPACK, JSON])


@pytest.fixture
async def sanctions(relay: RelayProcess) -> AsyncIterator[Sanctions]:
    async with desk_on(relay) as desk:
        yield desk.sanctions


async def impose(sanctions: Sanctions, party: str, kind: SanctionKind, **terms: Any) -> Sanction:
    return await sanctions.impose(BOSS, party, kind, SanctionReason.HARASSMENT, **terms)


class Ride:
    """An open trip of two parties of its own."""

    def __init__(self, relay: RelayProcess) -> None:
        number = next(NUMBERS)
        self.relay = relay
        self.trip, self.driver, self.customer = f"t{number}", f"drv{number}", f"cus{number}"
        self.tokens: dict[str, str] = {}

    def body(self) -> dict[str, Any]:
        return {
            "driver": {"party_id": self.driver, "phone": DRIVER_PHONE, "alias": "Budi"},
            "customer": {
                "party_id": self.customer, "phone": CUSTOMER_PHONE, "alias": "Sari", "locale": "en",
            },
        }  # fmt: skip

    async def begin(self) -> Ride:
        self.tokens = await self.relay.open_trip(self.trip, **self.body())
        return self

    async def attach(self, role: str, protocol: str = MSGPACK) -> Party:
        return await Party.attach(self.relay.gateway_url, self.tokens[role], protocol)

    async def refusal(self, trip: str) -> str:
        """The code with which another trip of these two is refused."""
        answer = await self.relay.open(trip, **self.body())
        assert answer.status_code == 409
        code: str = answer.json()["code"]
        return code


@both_protocols
async def test_a_muted_party_keeps_its_quick_replies_and_hears_the_other(
    relay: RelayProcess, sanctions: Sanctions, protocol: str
) -> None:
    ride = await Ride(relay).begin()
    driver, customer = await ride.attach("driver", protocol), await ride.attach("customer")
    await driver.accepted("halo")
    await impose(sanctions, ride.driver, SanctionKind.MUTE, hours=1)
    refused = await driver.hear("refused", id=await driver.post("halo lagi"))
    assert refused["code"] == "muted"
    quick = await driver.post("", kind="quick", key="arrived")
    await driver.hear("accepted", id=quick)
    await customer.hear("message", id=quick)
    await customer.accepted("saya di lobi")
    await driver.hear("message", text="saya di lobi")
    # Whoever comes back is as muted as before, in this trip and the next.
    again = await ride.attach("driver", protocol)
    refused = await again.hear("refused", id=await again.post("masih?"))
    assert refused["code"] == "muted"
    await relay.end_trip(ride.trip)
    ride.trip += "-next"
    await ride.begin()
    later = await ride.attach("driver", protocol)
    assert (await later.hear("refused", id=await later.post("halo")))["code"] == "muted"
    assert "halo lagi" not in customer.texts()


@both_protocols
async def test_a_suspended_party_is_out_at_once_and_its_old_token_opens_nothing(
    relay: RelayProcess, sanctions: Sanctions, protocol: str
) -> None:
    ride = await Ride(relay).begin()
    driver, customer = await ride.attach("driver", protocol), await ride.attach("customer")
    began = len(customer.heard)
    await impose(sanctions, ride.driver, SanctionKind.SUSPEND)
    closed = await driver.hear("closed", within_s=1)
    assert closed["reason"] == "closed"
    assert await driver.closed() == 4500
    again = await Party.connect(relay.gateway_url, protocol)
    await again.say("attach", token=ride.tokens["driver"])
    assert (await again.hear("closed"))["reason"] == "closed"
    assert await again.closed() == 4500
    assert await ride.refusal(f"{ride.trip}-next") == "suspended"
    assert await ride.refusal(ride.trip) == "suspended"
    # The other one's channel is open still, and says no more than that nobody is there.
    await customer.accepted("halo?")
    assert {frame["op"] for frame in customer.heard[began:]} <= {"presence", "accepted"}


async def test_a_suspension_that_is_lifted_opens_the_channel_again(
    relay: RelayProcess, sanctions: Sanctions
) -> None:
    ride = await Ride(relay).begin()
    stop = await impose(sanctions, ride.customer, SanctionKind.SUSPEND)
    assert await ride.refusal(f"{ride.trip}-next") == "suspended"
    await sanctions.lift(BOSS, ride.customer, stop.id, "a mistake")
    customer = await ride.attach("customer")
    await customer.accepted("halo")
    assert (await relay.open(f"{ride.trip}-next", **ride.body())).status_code == 201


async def test_a_pair_that_is_never_to_meet_again_is_not_reassigned_to_each_other_either(
    relay: RelayProcess, sanctions: Sanctions
) -> None:
    first, second = await Ride(relay).begin(), await Ride(relay).begin()
    await impose(sanctions, first.driver, SanctionKind.NEVER_PAIR, other=second.customer)
    answer = await relay.call(
        "PUT", f"/v1/trips/{second.trip}/parties/driver",
        {"party_id": first.driver, "phone": DRIVER_PHONE, "alias": "Budi", "epoch": 1},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (409, "never_pair")
    first.customer = second.customer
    assert await first.refusal(f"{first.trip}-next") == "never_pair"
    driver = await first.attach("driver")  # with others nothing has changed
    await driver.accepted("halo")


@both_protocols
async def test_a_warning_is_read_by_who_is_warned_and_nobody_else(
    relay: RelayProcess, sanctions: Sanctions, protocol: str
) -> None:
    ride = await Ride(relay).begin()
    driver, customer = await ride.attach("driver"), await ride.attach("customer", protocol)
    warning = await impose(sanctions, ride.customer, SanctionKind.WARN)
    heard = await customer.hear("message", id=warning.id)
    assert (heard["from"], heard["text"]) == ("system", SYSTEM_MESSAGES["warning"]["en"])
    await customer.accepted("baik")
    await driver.hear("message", text="baik")
    assert driver.texts() == ["baik"]


async def test_the_platform_is_told_without_a_text_or_a_number(
    relay: RelayProcess, sanctions: Sanctions
) -> None:
    ride = await Ride(relay).begin()
    stop = await impose(sanctions, ride.driver, SanctionKind.SUSPEND, hours=2, note="after threats")
    await sanctions.lift(BOSS, ride.driver, stop.id, "a mistake")
    answer = await relay.call("GET", "/v1/events?limit=500")
    assert answer.status_code == 200
    told = [one for one in answer.json()["events"] if one.get("party") == ride.driver]
    assert [(one["kind"], one["sanction_kind"], one["until"]) for one in told] == [
        ("sanction.imposed", "suspend", stop.until), ("sanction.lifted", "suspend", stop.until),
    ]  # fmt: skip
    assert "after threats" not in answer.text
    assert DRIVER_PHONE[3:] not in answer.text
