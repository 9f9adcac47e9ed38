"""A primary that dies under Sentinel: the relay finds its successor by itself, and what the
successor has forgotten of the last moments opens nothing that was closed."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.client import Channel, Closed, MemoryStorage, connect
from relay.keyfile import KeyFile
from relay.rig.sentinel import Watched
from relay.rig.texts import numbered
from relay.rig.waiting import until
from tests.support.party import Party
from tests.support.relay import RelayProcess

ROOMY = {"posts_per_s": 1000, "frames_per_s": 1000, "in_flight": 64, "store_timeout_s": 1}


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    folder = tmp_path / "store"
    folder.mkdir()
    async with Watched(folder) as running:
        yield running


@pytest.fixture
async def relay(tmp_path: Path, watched: Watched) -> AsyncIterator[RelayProcess]:
    ring = tmp_path / "ring.json"
    KeyFile(ring).create(time.time_ns() // 1_000_000, 3_600_000)
    folder = tmp_path / "relay"
    folder.mkdir()
    process = RelayProcess(folder, redis=watched.url, keyring_file=str(ring), **ROOMY)
    async with process as running:
        yield running


async def fail_over(watched: Watched) -> None:
    watched.signal(watched.primary, signal.SIGKILL)
    await until(watched.has_failed_over, "the replica is the primary", 30)


async def is_ready(relay: RelayProcess) -> bool:
    return (await relay.call("GET", "/readyz")).status_code == 200


async def test_a_dead_primary_is_replaced_and_what_was_said_is_still_there(
    relay: RelayProcess, watched: Watched
) -> None:
    tokens = await relay.open_trip("t1", retention_s=60)
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    customer = await Party.attach(relay.gateway_url, tokens["customer"])
    await driver.accepted(numbered(1))
    await customer.hear("message", text=numbered(1))
    await until(watched.has_all, "the replica has what was said")
    began_s = asyncio.get_running_loop().time()
    await fail_over(watched)
    await until(lambda: is_ready(relay), "the relay serves again", 20)
    print(f"served again after {asyncio.get_running_loop().time() - began_s:.1f} s")
    back = await Party.attach(relay.gateway_url, tokens["customer"])
    assert numbered(1) in back.texts()
    again = await Party.attach(relay.gateway_url, tokens["driver"])
    await again.accepted(numbered(2))
    await back.hear("message", text=numbered(2))


async def test_a_primary_that_was_replaced_while_it_hung_is_written_to_no_more(
    tmp_path: Path, watched: Watched
) -> None:
    """It hung for too short a time for the relay to give it up, and takes what it is told until the
    sentinels have spoken to it, which is some ten seconds later."""
    ring = tmp_path / "ring.json"
    KeyFile(ring).create(time.time_ns() // 1_000_000, 3_600_000)
    folder = tmp_path / "relay"
    folder.mkdir()
    patient = ROOMY | {"store_timeout_s": 30}
    async with RelayProcess(folder, redis=watched.url, keyring_file=str(ring), **patient) as relay:
        await relay.open_trip("t1")
        await until(watched.has_all, "the replica has the trip")
        watched.signal(watched.primary, signal.SIGSTOP)
        await until(watched.has_failed_over, "the replica is the primary", 30)
        watched.signal(watched.primary, signal.SIGCONT)

        async def has_moved() -> bool:
            old = str(await watched.ask(watched.primary, "CLIENT", "LIST"))
            new = str(await watched.ask(watched.replica, "CLIENT", "LIST"))
            return new.count("relay-") >= 3 and "-api" not in old

        # It answers until then, or there were nothing to be seen here.
        role = await watched.ask(watched.primary, "INFO", "replication")
        assert role["role"] == "master"
        await until(has_moved, "the relay writes to the new primary", 5)


async def test_what_was_final_stays_so_though_the_new_primary_has_not_heard_of_it(
    relay: RelayProcess, watched: Watched
) -> None:
    """The replica hangs while a trip ends, another with a grace, another is ended before it opens, a
    driver is replaced and a token revoked; then the primary dies, and the replica takes over without any of it."""
    tokens = {
        name: await relay.open_trip(name)
        for name in ("ended", "unheard", "graced", "swapped", "revoked")
    }
    await until(watched.has_all, "the replica has the trips")
    watched.signal(watched.replica, signal.SIGSTOP)
    # Else it would find in its socket what was sent to it meanwhile.
    assert await watched.ask(watched.primary, "CLIENT", "KILL", "TYPE", "replica") == 1
    assert (await relay.end_trip("ended"))["state"] == "closed"
    assert (await relay.end_trip("never-opened"))["state"] == "closed"
    assert (await relay.end_trip("graced", grace_s=1))["state"] == "grace"
    # Of this no news comes back: the node has just lost its subscription.
    assert await watched.ask(watched.primary, "CLIENT", "KILL", "TYPE", "pubsub")
    assert (await relay.end_trip("unheard"))["state"] == "closed"
    new_driver = {"epoch": 1, "party_id": "drv-2", "phone": "+6281298765432", "alias": "Wati"}
    swapped = await relay.call("PUT", "/v1/trips/swapped/parties/driver", new_driver)
    assert swapped.status_code == 200
    revoked = await relay.call(
        "POST", "/v1/trips/revoked/parties/driver/token", {"party_id": "drv-1", "revoke": True}
    )
    assert revoked.status_code == 200
    watched.signal(watched.primary, signal.SIGKILL)
    watched.signal(watched.replica, signal.SIGCONT)
    await until(watched.has_failed_over, "the replica is the primary", 30)
    await until(lambda: is_ready(relay), "the relay serves again", 20)

    for name in ("ended", "unheard", "graced"):
        for role in ("driver", "customer"):
            late = await Party.connect(relay.gateway_url)
            await late.say("attach", token=tokens[name][role])
            assert (await late.hear("closed"))["reason"] == "ended"
    for name in ("ended", "unheard", "graced", "never-opened"):
        again = await relay.open(name)
        assert (again.status_code, again.json()["code"]) == (409, "closed"), name
    old = await Party.connect(relay.gateway_url)
    await old.say("attach", token=tokens["revoked"]["driver"])
    assert await old.closed() == 4503

    old = await Party.connect(relay.gateway_url)
    await old.say("attach", token=tokens["swapped"]["driver"])
    assert (await old.hear("closed"))["reason"] == "reassigned"
    customer = await Party.attach(relay.gateway_url, tokens["swapped"]["customer"])
    assert customer.attached["epoch"] == 2, "what is written now is not for who left"
    driver = "/v1/trips/swapped/parties/driver"
    unknown = await relay.call("POST", f"{driver}/token", {"party_id": "drv-2"})
    assert (unknown.status_code, unknown.json()["code"]) == (409, "party")
    back = await relay.call("PUT", driver, {**new_driver, "epoch": 2})
    assert (back.status_code, back.json()["epoch"]) == (200, 3)
    driver_again = await Party.attach(relay.gateway_url, back.json()["token"])
    await customer.hear("reassigned", epoch=3)
    await driver_again.accepted(numbered(1), epoch=3)
    await customer.hear("message", text=numbered(1))


async def test_what_only_the_dead_primary_had_goes_back_to_its_sender(
    relay: RelayProcess, watched: Watched
) -> None:
    """Its trip is over before its app is back, or before that has been cut off."""
    trips = {name: await relay.open_trip(name) for name in ("left", "replaced", "stayed")}
    storage = {name: MemoryStorage() for name in trips}

    def app(name: str) -> Channel:
        return connect(relay.gateway_url, trips[name]["driver"], storage=storage[name])

    await until(watched.has_all, "the replica has the trips")
    watched.signal(watched.replica, signal.SIGSTOP)
    assert await watched.ask(watched.primary, "CLIENT", "KILL", "TYPE", "replica") == 1
    async with app("stayed") as stayed:
        await (await stayed.post("lost")).accepted()
        for name in ("left", "replaced"):
            async with app(name) as channel:
                await (await channel.post("lost")).accepted()
        watched.signal(watched.primary, signal.SIGKILL)
        watched.signal(watched.replica, signal.SIGCONT)
        await until(watched.has_failed_over, "the replica is the primary", 30)
        new = {"epoch": 1, "party_id": "drv-2", "phone": "+6281298765432", "alias": "Wati"}
        for method, path, body in (
            ("POST", "stayed/end", {}),
            ("POST", "left/end", {}),
            ("PUT", "replaced/parties/driver", new),
        ):

            async def is_done(method: str = method, path: str = path, body: object = body) -> bool:
                return (await relay.call(method, f"/v1/trips/{path}", body)).status_code == 200

            await until(is_done, "the relay serves again", 20)
        told = {"stayed": await over(stayed)}
    for name in ("left", "replaced"):
        async with app(name) as channel:
            told[name] = await over(channel)
    for name, closed in told.items():
        assert closed.reason == ("reassigned" if name == "replaced" else "ended")
        assert [post.text for post in closed.undelivered] == ["lost"], name


async def over(channel: Channel) -> Closed:
    async with asyncio.timeout(20):
        (closed,) = [event async for event in channel if isinstance(event, Closed)]
        return closed


async def test_an_end_tells_whether_a_replica_has_it(relay: RelayProcess, watched: Watched) -> None:
    """Honestly also when it is called again, and quickly though the replica hangs."""
    for name in ("here", "there", "many"):
        await relay.open_trip(name)
    assert (await relay.end_trip("there"))["kept"] == "replicated"
    watched.signal(watched.replica, signal.SIGSTOP)
    began_s = asyncio.get_running_loop().time()
    ended = await asyncio.gather(*(relay.end_trip(name) for name in ("here", "many", "none")))
    assert asyncio.get_running_loop().time() - began_s < 2
    assert [one["kept"] for one in ended] == ["local"] * 3
    assert (await relay.end_trip("there"))["kept"] == "local", "nobody has said it again"
    watched.signal(watched.replica, signal.SIGCONT)
    await until(watched.has_all, "the replica has caught up")
    again = await relay.end_trip("here")
    assert (again["state"], again["kept"]) == ("closed", "replicated")
    await relay.open_trip("swapped")
    swapped = await relay.call(
        "PUT", "/v1/trips/swapped/parties/driver",
        {"epoch": 1, "party_id": "drv-2", "phone": "+6281298765432", "alias": "Wati"},
    )  # fmt: skip
    assert swapped.json()["kept"] == "replicated"
    renewed = await relay.call(
        "POST", "/v1/trips/swapped/parties/driver/token", {"party_id": "drv-2", "revoke": True}
    )
    assert renewed.json()["kept"] == "replicated"


async def test_without_a_replica_an_end_is_local(own_relay: RelayProcess) -> None:
    await own_relay.open_trip("t1")
    assert (await own_relay.end_trip("t1"))["kept"] == "local"


async def test_what_a_replica_must_have_is_not_accepted_without_it(
    tmp_path: Path, watched: Watched
) -> None:
    """`durability = "replica"`: a post that no replica took is `unsure`, and said again it is not
    accepted until one has it, though the log holds it already."""
    ring = tmp_path / "ring.json"
    KeyFile(ring).create(time.time_ns() // 1_000_000, 3_600_000)
    folder = tmp_path / "relay"
    folder.mkdir()
    async with RelayProcess(
        folder, redis=watched.url, keyring_file=str(ring), durability="replica",
        **(ROOMY | {"store_timeout_s": 5}),
    ) as relay:  # fmt: skip
        tokens = await relay.open_trip("firm")
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        customer = await Party.attach(relay.gateway_url, tokens["customer"])
        await driver.accepted(numbered(1))
        watched.signal(watched.replica, signal.SIGSTOP)
        name = await driver.post(numbered(2))
        await driver.hear("unsure", id=name, within_s=10)
        for _ in range(2):
            await driver.say("post", id=name, text=numbered(2), again=True, epoch=1)
            await driver.hear("unsure", id=name, within_s=10)
        watched.signal(watched.replica, signal.SIGCONT)
        await until(watched.has_all, "the replica has caught up", 20)
        await driver.say("post", id=name, text=numbered(2), again=True, epoch=1)
        await driver.hear("accepted", id=name, within_s=10)
        await driver.accepted(numbered(3))
        await customer.hear("message", text=numbered(3), within_s=10)
        assert customer.texts().count(numbered(2)) == 1
