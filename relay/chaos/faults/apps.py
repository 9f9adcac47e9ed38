"""Phones: their network is gone, silent, one-way or slow, they read slowly, or all come at once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from ...rig.waiting import until
from ..arenas import InMemory
from ..fault import Scene, fault
from ..trips import Manner
from .tunnels import cut, silent, slow

_CROWD: Final = 200
#: So many long texts are more than the relay keeps for an app, and the sockets on the way.
_MUCH: Final = 300


@fault("apps-cut", "the apps of a node lose their connections, and get no new ones", InMemory)
async def apps_cut(scene: Scene) -> AsyncIterator[None]:
    with cut(scene.rng.choice(scene.arena.tunnels)):
        yield


@fault("apps-silent", "nothing goes through between a node and its apps", InMemory)
async def apps_silent(scene: Scene) -> AsyncIterator[None]:
    with scene.traffic.network_held(), silent(scene.rng.choice(scene.arena.tunnels)):
        yield


@fault("apps-one-way", "what a node's apps say arrives, what they are told does not", InMemory)
async def apps_one_way(scene: Scene) -> AsyncIterator[None]:
    tunnel = scene.rng.choice(scene.arena.tunnels)
    with scene.traffic.network_held(), silent(tunnel, there=False):
        yield


@fault("apps-slow", "everything between the apps and the nodes takes 0.6 s more", InMemory)
async def apps_slow(scene: Scene) -> AsyncIterator[None]:
    with scene.traffic.network_held(), slow(scene.arena.tunnels, 0.3):
        yield


@fault("apps-half-open", "apps come back while a node still takes them for connected", InMemory)
async def apps_half_open(scene: Scene) -> AsyncIterator[None]:
    for tunnel in scene.arena.tunnels:
        tunnel.abandon()
    yield


@fault("apps-slow-reader", "an app does not read the much that it is told", InMemory)
async def slow_reader(scene: Scene) -> AsyncIterator[None]:
    async with scene.traffic.also(1, Manner.CHATTERBOX) as (trip,):
        driver = trip.apps["driver"]
        with scene.traffic.network_held(), silent(scene.arena.tunnels[0], there=False):
            most = driver.accepted + _MUCH
            await until(lambda: driver.accepted >= most, "more was said than is kept for it", 60)
            yield


@fault("reconnect-storm", "hundreds of apps lose their connections at the same moment", InMemory)
async def storm(scene: Scene) -> AsyncIterator[None]:
    async with scene.traffic.also(_CROWD // 2, Manner.QUIET) as crowd:
        apps = [app for trip in crowd for app in trip.apps.values()]
        before = [app.attached for app in apps]
        for tunnel in scene.arena.tunnels:
            tunnel.cut()
        yield
        await until(
            lambda: all(app.attached > was for app, was in zip(apps, before, strict=True)),
            "all are back", 60,
        )  # fmt: skip
