"""A store that takes no more: its memory is full, or the disk of its append-only file. An end that was
answered holds, one that could not be stored is answered so, and both parties are cut off in any case."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx2

from relay.keyfile import KeyFile
from relay.rig.single import Single
from relay.rig.texts import numbered
from relay.rig.waiting import until
from tests.support.party import Party
from tests.support.relay import RelayProcess

ROOMY = {"posts_per_s": 1000, "frames_per_s": 1000, "in_flight": 64, "store_timeout_s": 1}
STORE_AWAY, CLOSED = 4003, 4500


async def pair_of(one: RelayProcess, other: RelayProcess, trip: str) -> tuple[Party, Party]:
    tokens = await one.open_trip(trip)
    return (
        await Party.attach(one.gateway_url, tokens["driver"]),
        await Party.attach(other.gateway_url, tokens["customer"]),
    )


async def end(relay: RelayProcess, trip: str) -> httpx2.Response:
    return await relay.call("POST", f"/v1/trips/{trip}/end", {})


async def is_closed(relay: RelayProcess, trip: str) -> bool:
    return bool((await relay.call("GET", f"/v1/trips/{trip}")).json().get("state") == "closed")


async def opens_nothing(relay: RelayProcess, *trips: str) -> None:
    """Whatever it says, while it cannot write."""
    for trip in trips:
        assert (await relay.open(trip)).status_code in (409, 503), trip


async def is_final(relay: RelayProcess, *trips: str) -> None:
    for trip in trips:
        again = await relay.open(trip)
        assert (again.status_code, again.json()["code"]) == (409, "closed"), trip


async def test_with_the_memory_full_an_end_works(
    two_nodes: tuple[RelayProcess, RelayProcess],
) -> None:
    """Also one with a grace, and of a trip that was never opened; a deadline closes too."""
    one, other = two_nodes
    full, graced, due = [await pair_of(one, other, trip) for trip in ("full", "graced", "due")]
    driver, _ = full
    await driver.accepted(numbered(1))
    async with one.redis() as redis:
        assert (await redis.config_get("maxmemory-policy"))["maxmemory-policy"] == "noeviction"
        soon_ms = int(time.time() * 1000) + 1500
        await one.call("PATCH", "/v1/trips/due", {"deadline": soon_ms})
        await redis.config_set("maxmemory", 1)
        try:
            refused = await driver.hear("refused", id=await driver.post(numbered(2)))
            assert refused["code"] == "store_away" and refused["retry_after_ms"]
            assert (await one.end_trip("graced", grace_s=1))["state"] == "grace"
            assert (await one.end_trip("full"))["state"] == "closed"
            for party in full:
                assert await party.closed(within_s=1) == CLOSED
            assert (await one.end_trip("overtaken"))["state"] == "closed"
            for party in (*graced, *due):
                assert await party.closed() == CLOSED
            await opens_nothing(other, "full", "graced", "due", "overtaken")
        finally:
            await redis.config_set("maxmemory", 0)
    await is_final(other, "full", "graced", "due", "overtaken")
    await talks_again(one, other)


async def talks_again(one: RelayProcess, other: RelayProcess) -> None:
    driver, customer = await pair_of(one, other, "after")
    await driver.accepted(numbered(3))
    await customer.hear("message", text=numbered(3))


@contextmanager
def full_disk(store: Path, *pids: int) -> Iterator[None]:
    """Let these processes, and those that they start, write no file further than the append-only file
    goes now: what they are told then is what a disk without room tells."""
    size = max(file.stat().st_size for file in (store / "appendonlydir").iterdir())
    limits = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in pids}
    for pid, (_, most) in limits.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size + 64, most))
    try:
        yield
    finally:
        for pid, limit in limits.items():
            with suppress(ProcessLookupError):
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


async def comes_to_know(relay: RelayProcess, token: str) -> dict[str, Any]:
    """What an app is told that comes back until it is told how the trip ended."""

    async def tried() -> dict[str, Any] | None:
        late = await Party.connect(relay.gateway_url)
        await late.say("attach", token=token)
        return (late.all("closed") or [None])[0] if await late.closed() == CLOSED else None

    found: dict[str, Any] = await until(tried, "it is told")
    return found


async def is_cut_off(relay: RelayProcess, token: str, party: Party) -> None:
    """At once, and whoever comes back while the end is not stored."""
    assert await party.closed(within_s=1) == STORE_AWAY
    back = await Party.connect(relay.gateway_url)
    await back.say("attach", token=token)
    assert await back.closed() == STORE_AWAY


async def test_with_the_disk_full_an_end_is_stored_as_soon_as_there_is_room(tmp_path: Path) -> None:
    """A store of its own, which answers and takes no write: both are cut off, each at another node."""
    for name in ("store", "one", "other"):
        (tmp_path / name).mkdir()
    ring = tmp_path / "ring.json"
    KeyFile(ring).create(time.time_ns() // 1_000_000, 3_600_000)
    async with Single(tmp_path / "store", "--appendonly", "yes") as store:
        nodes = [
            RelayProcess(tmp_path / name, redis=store.url, keyring_file=str(ring), **ROOMY)
            for name in ("one", "other")
        ]
        async with nodes[0] as one, nodes[1] as other:
            await one.open_trip("before")
            assert (await end(one, "before")).status_code == 200
            tokens = await one.open_trip("full")
            driver = await Party.attach(one.gateway_url, tokens["driver"])
            customer = await Party.attach(other.gateway_url, tokens["customer"])
            await driver.accepted(numbered(1))
            with full_disk(store.folder / str(store.port), store.pid(store.port)):

                async def is_refused() -> bool:
                    await driver.post(numbered(2))
                    return bool(driver.all("refused"))

                await until(is_refused, "the store notices")
                assert driver.all("refused")[0]["code"] == "store_away"
                assert driver.close_code is None and customer.close_code is None
                answer = await end(one, "full")
                assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
                await is_cut_off(one, tokens["driver"], driver)
                await is_cut_off(other, tokens["customer"], customer)
                await opens_nothing(one, "before", "full")
            await until(lambda: is_closed(other, "full"), "the end is stored")
            for token in tokens.values():
                assert (await comes_to_know(other, token))["reason"] == "ended"
            await is_final(other, "before", "full")
            await talks_again(one, other)


async def test_an_embedded_store_whose_disk_is_full_loses_no_end(own_relay: RelayProcess) -> None:
    """It exits rather than take what it cannot keep, and is started again and again until it can."""
    await own_relay.open_trip("before")
    assert (await end(own_relay, "before")).status_code == 200
    tokens = await own_relay.open_trip("full")
    driver = await Party.attach(own_relay.gateway_url, tokens["driver"])
    customer = await Party.attach(own_relay.gateway_url, tokens["customer"])
    first = await driver.accepted(numbered(1))
    async with own_relay.redis() as redis:
        # So that no other file of the relay's comes near the limit.
        await redis.set("ballast", b"x" * 300_000)
        await redis.delete("ballast")

    def deaths() -> int:
        return own_relay.log.read_text().count("embedded store died")

    assert own_relay.process is not None
    with full_disk(own_relay.data, own_relay.process.pid, own_relay.store_pid()):
        await until(lambda: deaths() > 0, "the store ends")
        answer = await end(own_relay, "full")
        assert (answer.status_code, answer.json()["code"]) == (503, "store_unavailable")
        await is_cut_off(own_relay, tokens["driver"], driver)
        await is_cut_off(own_relay, tokens["customer"], customer)
        await until(lambda: deaths() > 2, "the store is started again")
    await until(lambda: is_closed(own_relay, "full"), "the end is stored", 20)
    told = await comes_to_know(own_relay, tokens["driver"])
    assert (told["reason"], told["undelivered"]) == ("ended", [first["id"]])
    await is_final(own_relay, "before", "full")
    await talks_again(own_relay, own_relay)
