"""P3: what was accepted reaches the peer's app, once and in order, whatever is killed meanwhile."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from relay.client import Closed, Message, connect
from relay.rig.proxy import Proxy
from relay.rig.texts import chat, numbered
from relay.rig.waiting import until
from tests.support.party import Party
from tests.support.relay import RelayProcess

TRIPS = 6
POSTS = 120


class App:
    """A party on the SDK that posts numbered messages and keeps what it is given."""

    def __init__(self, url: str, token: str, name: str) -> None:
        self._url, self._token, self._name = url, token, name
        self.given: list[str] = []
        self.accepted = 0
        self.undelivered: tuple[Any, ...] = ()
        self._all_posted = asyncio.Event()

    async def run(self, pause_s: Callable[[], float], done: asyncio.Event) -> None:
        async with connect(self._url, self._token) as channel:
            listening = asyncio.create_task(self._listen(channel))
            deliveries = []
            for number in range(POSTS):
                deliveries.append(await channel.post(f"{self._name} {chat(number)}"))
                await asyncio.sleep(pause_s())
            for delivery in deliveries:
                await delivery.accepted()
                self.accepted += 1
            await done.wait()
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _listen(self, channel: Any) -> None:
        async for event in channel:
            if isinstance(event, Message):
                self.given.append(event.text)
            elif isinstance(event, Closed):
                self.undelivered = event.undelivered


async def _under_kills(
    relay: RelayProcess, kills: list[Callable[[], Any]], rng: random.Random
) -> None:
    apps: list[App] = []
    done = asyncio.Event()
    for number in range(TRIPS):
        tokens = await relay.open_trip(f"kept-{number}")
        apps += [
            App(relay.gateway_url, tokens[role], f"{numbered(number)} {role[0]}")
            for role in ("driver", "customer")
        ]
    running = [asyncio.create_task(app.run(lambda: rng.uniform(0.005, 0.06), done)) for app in apps]
    for kill in kills:
        await asyncio.sleep(rng.uniform(0.5, 1.0))
        kill_result = kill()
        if asyncio.iscoroutine(kill_result):
            await kill_result

    def all_there() -> bool:
        for task in running:
            if task.done():
                task.result()
        return all(app.accepted == POSTS for app in apps) and all(
            len(app.given) >= POSTS for app in apps
        )

    await until(all_there, "every message is accepted and given", 60)
    done.set()
    await asyncio.gather(*running)
    for number in range(TRIPS):
        driver, customer = apps[2 * number], apps[2 * number + 1]
        assert driver.given == [f"{numbered(number)} c {chat(n)}" for n in range(POSTS)]
        assert customer.given == [f"{numbered(number)} d {chat(n)}" for n in range(POSTS)]
    print({"posted": TRIPS * 2 * POSTS, "lost": 0, "doubled": 0, "kills": len(kills)})


@pytest.fixture
def rng() -> random.Random:
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    return random.Random(seed)


async def test_killed_workers_stores_and_relays(tmp_path: Path, rng: random.Random) -> None:
    async with RelayProcess(
        tmp_path, "--workers", "2", posts_per_s=1000, frames_per_s=1000, in_flight=64
    ) as relay:

        def kill_worker() -> None:
            os.kill(rng.choice(relay.workers()), signal.SIGKILL)

        def store() -> int | None:
            try:
                return relay.store_pid()
            except ValueError:
                return None  # on its way up after the kill before

        async def kill_store() -> None:
            os.kill(await until(store, "a store runs", 20), signal.SIGKILL)

        async def kill_relay() -> None:
            await relay.end(signal.SIGKILL)
            await relay.start()

        kills: list[Callable[[], Any]] = [kill_worker, kill_store, kill_worker, kill_store]
        rng.shuffle(kills)
        await _under_kills(relay, [*kills, kill_relay], rng)


async def test_sockets_that_drop_all_the_time(
    two_nodes: tuple[RelayProcess, RelayProcess], rng: random.Random
) -> None:
    """The parties sit on different nodes, and their connections are cut again and again."""
    one, other = two_nodes
    done = asyncio.Event()
    tokens = await one.open_trip("cut")
    path = "/v1/channel"
    async with (
        Proxy(one.gateway_url[5:].removesuffix(path)) as first,
        Proxy(other.gateway_url[5:].removesuffix(path)) as second,
    ):
        driver = App(f"ws://{first.address}{path}", tokens["driver"], "d")
        customer = App(f"ws://{second.address}{path}", tokens["customer"], "c")
        running = [
            asyncio.create_task(app.run(lambda: rng.uniform(0.005, 0.03), done))
            for app in (driver, customer)
        ]
        for _ in range(15):
            await asyncio.sleep(rng.uniform(0.05, 0.3))
            rng.choice([first, second]).cut()
        await until(
            lambda: len(driver.given) >= POSTS and len(customer.given) >= POSTS, "all given", 40
        )
        done.set()
        await asyncio.gather(*running)
    assert driver.given == [f"c {chat(n)}" for n in range(POSTS)]
    assert customer.given == [f"d {chat(n)}" for n in range(POSTS)]


async def test_lost_hints_cost_time_and_nothing_else(
    two_nodes: tuple[RelayProcess, RelayProcess],
) -> None:
    """Pub/sub that is cut off: the gap is read from the log, in order."""
    one, other = two_nodes
    tokens = await one.open_trip("deaf")
    driver = await Party.attach(one.gateway_url, tokens["driver"])
    customer = await Party.attach(other.gateway_url, tokens["customer"])
    await driver.hear("presence", online=True)
    async with one.redis() as redis:
        for number in range(30):
            if number % 5 == 0:
                for client in await redis.client_list():
                    if client["name"].endswith("-ear"):
                        await redis.client_kill_filter(_id=client["id"])
            await driver.accepted(chat(number))
    await until(lambda: len(customer.texts()) >= 30, "all arrive", 10)
    assert customer.texts() == [chat(number) for number in range(30)]
