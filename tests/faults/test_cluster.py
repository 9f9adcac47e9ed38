"""A Cluster as the store of two nodes: all that a relay does works on it, and goes on while slots move
and primaries die."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.chaos.traffic import Traffic
from relay.keyfile import KeyFile
from relay.rig.cluster import Cluster
from relay.rig.waiting import until
from relay.store import keys
from relay.store.slots import slot_of
from tests.support.errands import operators, trips
from tests.support.relay import RelayProcess

ROOMY = {"posts_per_s": 1000, "frames_per_s": 1000, "in_flight": 64, "store_timeout_s": 1}


@pytest.fixture
def rng() -> random.Random:
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    return random.Random(seed)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    folder = tmp_path / "store"
    folder.mkdir()
    async with Cluster(folder) as running:
        yield running


@pytest.fixture
async def nodes(tmp_path: Path, cluster: Cluster) -> AsyncIterator[list[RelayProcess]]:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    ring = data / "keyring.json"
    KeyFile(ring).create(time.time_ns() // 1_000_000, 86_400_000)
    found = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        found.append(
            RelayProcess(tmp_path / name, redis=cluster.url, keyring_file=str(ring), **ROOMY)
        )
        found[-1].data = data
    async with found[0], found[1]:
        yield found


async def test_all_that_a_relay_does_works_on_a_cluster(nodes: list[RelayProcess]) -> None:
    await trips(nodes[0])
    await operators(nodes[1])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_primary_that_dies_loses_nothing_and_stops_no_other_trips(
    cluster: Cluster, nodes: list[RelayProcess], rng: random.Random, how: signal.Signals
) -> None:
    """Or hangs, which no connection tells."""
    async with Traffic(nodes, 8, rng) as traffic:
        victim = rng.choice(cluster.primaries)
        spared = [
            trip
            for trip in traffic.staying
            if await cluster.owner(slot_of(keys.trip(trip.name).encode())) != victim
        ]
        cluster.signal(victim, how)
        spared_s = await traffic.served(spared)
        all_s = await traffic.served()
        account = await traffic.end()
    figures = account.figures()
    print(f"{figures}, spared trips within {spared_s:.1f} s, all within {spared_s + all_s:.1f} s")
    assert not account.violations()
    assert len(spared) in range(1, 8) and spared_s < 3


async def test_slots_that_move_under_load_stop_no_trip(
    cluster: Cluster, nodes: list[RelayProcess], rng: random.Random
) -> None:
    async with Traffic(nodes, 6, rng) as traffic:
        for number, trip in enumerate(traffic.staying):
            slot = slot_of(keys.trip(trip.name).encode())
            source = await cluster.owner(slot)
            target = rng.choice([port for port in cluster.primaries if port != source])
            # Key by key, and as Valkey 9 does it.
            move = cluster.move if number % 2 else cluster.jump
            moving = asyncio.create_task(move(slot, source, target))
            await traffic.served([trip])
            await moving
        account = await traffic.end()
    print(account.figures())
    assert not account.violations()
    await until(lambda: _is_ready(nodes[0]), "it is ready")


async def _is_ready(node: RelayProcess) -> bool:
    return (await node.call("GET", "/readyz")).status_code == 200
