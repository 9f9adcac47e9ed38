"""Workers and whole relays that are killed, hang, or are replaced."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator

from ...rig.waiting import until
from ..arenas import InMemory, OnEmbedded, OnSingle
from ..fault import Scene, fault
from .signals import stopped


@fault("worker-kill", "a worker is killed, and its relay starts another", OnEmbedded)
async def worker_kill(scene: Scene) -> AsyncIterator[None]:
    relay = scene.arena.relay
    victim = scene.rng.choice(relay.workers())
    os.kill(victim, signal.SIGKILL)
    yield
    await until(lambda: len(relay.workers()) == 2, "there are two workers again", 20)


@fault("worker-freeze", "a worker hangs (SIGSTOP) and wakes up again", OnEmbedded)
async def worker_freeze(scene: Scene) -> AsyncIterator[None]:
    with stopped(scene.rng.choice(scene.arena.relay.workers())):
        yield


@fault("relay-kill", "a whole `relay serve` is killed with all it runs, and started", OnEmbedded)
async def relay_kill(scene: Scene) -> AsyncIterator[None]:
    await scene.arena.relay.kill()
    yield
    await scene.arena.relay.start()


@fault("node-kill", "one of two nodes is killed, and started", InMemory)
async def node_kill(scene: Scene) -> AsyncIterator[None]:
    node = scene.rng.choice(scene.arena.relays)
    await node.kill()
    yield
    await node.start()


@fault("node-freeze", "one of two nodes hangs (SIGSTOP) and wakes up again", InMemory)
async def node_freeze(scene: Scene) -> AsyncIterator[None]:
    with stopped(*scene.rng.choice(scene.arena.relays).everything()):
        yield


@fault("rolling-deploy", "each node in turn drains (SIGTERM), ends and is started", InMemory)
async def rolling_deploy(scene: Scene) -> AsyncIterator[None]:
    arena: OnSingle = scene.arena
    for relay in arena.relays:
        await relay.stop()
        await relay.start()
        await scene.traffic.served()
    yield
