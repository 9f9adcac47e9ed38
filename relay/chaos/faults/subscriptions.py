"""News between nodes that do not come, while all else does."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager

from ...rig.proxy import Proxy
from ..arenas import InMemory
from ..fault import Scene, fault


@fault("hints-cut", "the store ends every subscription, again and again", InMemory)
async def hints_cut(scene: Scene) -> AsyncIterator[None]:
    store = scene.arena.store
    await store.ask(store.port, "CLIENT", "KILL", "TYPE", "pubsub")
    yield
    await store.ask(store.port, "CLIENT", "KILL", "TYPE", "pubsub")


@fault("hints-deaf", "a node's subscription brings nothing, and no error", InMemory)
async def hints_deaf(scene: Scene) -> AsyncIterator[None]:
    with _deaf([scene.rng.choice(scene.arena.networks)], lambda _channel: True):
        yield


@fault("hints-lossy", "half of the nodes' news is lost, and no proof of life", InMemory)
async def hints_lossy(scene: Scene) -> AsyncIterator[None]:
    with _deaf(
        scene.arena.networks,
        lambda channel: b"probe" not in channel and scene.rng.random() < 0.5,
    ):
        yield


@contextmanager
def _deaf(networks: list[Proxy], swallows: Callable[[bytes], bool]) -> Iterator[None]:
    for network in networks:
        network.swallows = swallows
    try:
        yield
    finally:
        for network in networks:
            network.swallows = None
