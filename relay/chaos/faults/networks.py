"""The network between a node and the store: gone, silent, one-way, slow."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ..arenas import InMemory
from ..fault import Scene, fault


@fault("store-cut", "a node's connections to the store are cut, and it gets no new ones", InMemory)
async def store_cut(scene: Scene) -> AsyncIterator[None]:
    network = scene.rng.choice(scene.arena.networks)
    network.is_shut = True
    network.cut()
    yield
    network.is_shut = False


@fault("store-silent", "nothing goes through between a node and the store", InMemory)
async def store_silent(scene: Scene) -> AsyncIterator[None]:
    network = scene.rng.choice(scene.arena.networks)
    network.hold()
    yield
    network.release()


@fault("store-one-way", "a node's commands arrive, the store's answers do not", InMemory)
async def store_one_way(scene: Scene) -> AsyncIterator[None]:
    network = scene.rng.choice(scene.arena.networks)
    network.hold(there=False)
    yield
    network.release()


@fault("store-unheard", "a node's commands do not arrive, the store's messages do", InMemory)
async def store_unheard(scene: Scene) -> AsyncIterator[None]:
    network = scene.rng.choice(scene.arena.networks)
    network.hold(back=False)
    yield
    network.release()


@fault("store-slow", "everything between the nodes and the store takes 0.2 s more", InMemory)
async def store_slow(scene: Scene) -> AsyncIterator[None]:
    for network in scene.arena.networks:
        network.delay_s = 0.1
    yield
    for network in scene.arena.networks:
        network.delay_s = 0.0
