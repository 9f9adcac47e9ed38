"""The network between a node and the store: gone, silent, one-way, slow."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ..arenas import InMemory
from ..fault import Scene, fault
from .tunnels import cut, silent, slow


@fault("store-cut", "a node's connections to the store are cut, and it gets no new ones", InMemory)
async def store_cut(scene: Scene) -> AsyncIterator[None]:
    with cut(scene.rng.choice(scene.arena.networks)):
        yield


@fault("store-silent", "nothing goes through between a node and the store", InMemory)
async def store_silent(scene: Scene) -> AsyncIterator[None]:
    with silent(scene.rng.choice(scene.arena.networks)):
        yield


@fault("store-one-way", "a node's commands arrive, the store's answers do not", InMemory)
async def store_one_way(scene: Scene) -> AsyncIterator[None]:
    with silent(scene.rng.choice(scene.arena.networks), there=False):
        yield


@fault("store-unheard", "a node's commands do not arrive, the store's messages do", InMemory)
async def store_unheard(scene: Scene) -> AsyncIterator[None]:
    with silent(scene.rng.choice(scene.arena.networks), back=False):
        yield


@fault("store-slow", "everything between the nodes and the store takes 0.2 s more", InMemory)
async def store_slow(scene: Scene) -> AsyncIterator[None]:
    with slow(scene.arena.networks, 0.1):
        yield
