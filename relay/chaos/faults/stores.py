"""A store that is killed, hangs, or has no room any more."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from ...rig.waiting import until
from ..arenas import InMemory, OnDisk, OnDiskAlways, OnEmbedded, OnReplica, OnSingle
from ..fault import Scene, fault
from .signals import stopped


@fault("embedded-store-kill", "the relay's own store is killed; the relay starts it", OnEmbedded)
async def embedded_kill(scene: Scene) -> AsyncIterator[None]:
    os.kill(scene.arena.relay.store_pid(), signal.SIGKILL)
    yield


@fault("embedded-store-freeze", "the relay's own store hangs and wakes up again", OnEmbedded)
async def embedded_freeze(scene: Scene) -> AsyncIterator[None]:
    with stopped(scene.arena.relay.store_pid()):
        yield


@fault("store-kill", "the store is killed, and started on its file", InMemory, OnDisk, OnReplica)
async def store_kill(scene: Scene) -> AsyncIterator[None]:
    store = scene.arena.store
    await store.kill(store.port)
    try:
        yield
    finally:
        await store.start()


@fault("store-freeze", "the store hangs and wakes up again", InMemory, OnDisk, OnReplica)
async def store_freeze(scene: Scene) -> AsyncIterator[None]:
    store = scene.arena.store
    with stopped(store.pid(store.port)):
        yield


@fault("replica-freeze", "the only replica hangs, without which nothing is accepted", OnReplica)
async def replica_freeze(scene: Scene) -> AsyncIterator[None]:
    store = scene.arena.store
    with stopped(store.pid(store.replica)):
        yield


@fault("memory-full", "the store is over its `maxmemory` and takes no more", InMemory)
async def memory_full(scene: Scene) -> AsyncIterator[None]:
    store = scene.arena.store
    await store.ask(store.port, "CONFIG", "SET", "maxmemory", "1mb")
    try:
        yield
    finally:
        await store.ask(store.port, "CONFIG", "SET", "maxmemory", "0")


@fault("disk-full", "the append-only file cannot grow any more", InMemory, OnDiskAlways)
async def disk_full(scene: Scene) -> AsyncIterator[None]:
    arena: OnSingle = scene.arena
    store = arena.store
    folder = arena.folder / "store" / str(store.port) / "appendonlydir"
    size = max(_size(file) for file in folder.iterdir())
    _, most = resource.prlimit(store.pid(store.port), resource.RLIMIT_FSIZE)
    resource.prlimit(store.pid(store.port), resource.RLIMIT_FSIZE, (size, most))
    yield
    if store.has_ended(store.port):
        await store.start()  # one that has to sync each write does not live on without it
        return
    resource.prlimit(store.pid(store.port), resource.RLIMIT_FSIZE, (most, most))
    await until(store.answers, "the store answers")


def _size(file: Path) -> int:
    return file.stat().st_size
