"""Primaries that die and are replaced, and slots that move."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from typing import Final

from ...rig.waiting import until
from ...store import keys
from ...store.slots import slot_of
from ..arenas import OnCluster, UnderSentinel
from ..fault import Scene, fault

#: Sentinel waits ten seconds and more, several times over if it has just failed over, before it
#: makes a primary that came back follow.
_FOLLOWS_S: Final = 60


@fault("primary-kill", "the primary is killed, and its replica takes over", UnderSentinel)
async def primary_kill(scene: Scene) -> AsyncIterator[None]:
    store = scene.arena.store
    await store.kill(store.primary)
    yield
    await until(store.has_failed_over, "the replica is the primary", 30)
    store.revive()
    await until(store.has_all, "the other server follows", _FOLLOWS_S)


@fault("primary-freeze", "the primary hangs until its replica has taken over", UnderSentinel)
async def primary_freeze(scene: Scene) -> AsyncIterator[None]:
    store = scene.arena.store
    store.signal(store.primary, signal.SIGSTOP)
    try:
        yield
        await until(store.has_failed_over, "the replica is the primary", 30)
    finally:
        store.signal(store.primary, signal.SIGCONT)
    store.swap()
    await until(store.has_all, "the other server follows", _FOLLOWS_S)


@fault("shard-kill", "one of three primaries is killed, and its replica takes over", OnCluster)
async def shard_kill(scene: Scene) -> AsyncIterator[None]:
    store = scene.arena.store
    shard = scene.rng.randrange(len(store.primaries))
    await store.kill(store.primaries[shard])
    yield
    await until(lambda: store.has_failed_over(shard), "the replica is the primary", 30)
    store.start(store.primaries[shard])
    store.swap(shard)
    await until(store.is_replicated, "the other server follows", _FOLLOWS_S)


@fault("shard-freeze", "one of three primaries hangs until its replica has taken over", OnCluster)
async def shard_freeze(scene: Scene) -> AsyncIterator[None]:
    store = scene.arena.store
    shard = scene.rng.randrange(len(store.primaries))
    store.signal(store.primaries[shard], signal.SIGSTOP)
    try:
        yield
        await until(lambda: store.has_failed_over(shard), "the replica is the primary", 30)
    finally:
        store.signal(store.primaries[shard], signal.SIGCONT)
    store.swap(shard)
    await until(store.is_replicated, "the other server follows", _FOLLOWS_S)


@fault("slots-move", "slots of trips move key by key, as `reshard` does it", OnCluster)
async def slots_move(scene: Scene) -> AsyncIterator[None]:
    await _move(scene, scene.arena.store.move)
    yield


@fault("slots-jump", "slots of trips move at one moment, as Valkey 9 does it", OnCluster)
async def slots_jump(scene: Scene) -> AsyncIterator[None]:
    await _move(scene, scene.arena.store.jump)
    yield


async def _move(scene: Scene, move: object) -> None:
    store = scene.arena.store
    for trip in scene.traffic.staying:
        slot = slot_of(keys.trip(trip.name).encode())
        source = await store.owner(slot)
        target = scene.rng.choice([port for port in store.primaries if port != source])
        moving = asyncio.create_task(move(slot, source, target))  # type: ignore[operator]
        await scene.traffic.served([trip])
        await moving
