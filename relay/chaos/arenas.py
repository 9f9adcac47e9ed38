"""Where faults happen: a store of some topology and the relays on it, all as processes here."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from ..keyfile import KeyFile
from ..rig.clock import Clock
from ..rig.cluster import Cluster
from ..rig.process import RelayProcess
from ..rig.proxy import Proxy
from ..rig.sentinel import Watched
from ..rig.single import Single

#: Limits that no party meets by chance.
_ROOMY: Final = {
    "posts_per_s": 1000, "frames_per_s": 1000, "in_flight": 64, "channel_messages": 1_000_000,
    "drain_s": 0.5,
}  # fmt: skip
_KEYS_AHEAD_MS: Final = 48 * 3_600_000


@dataclass(frozen=True, slots=True)
class Place:
    """A node as apps and the platform reach it."""

    gateway_url: str
    api_url: str
    key: str


class Arena(ABC):
    """Relays and a store. Use as an asynchronous context manager."""

    #: What it is called where people read it.
    name: str
    #: Whether another server may take the store's place.
    is_replicated = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.relays: list[RelayProcess] = []
        #: Where apps connect, a tunnel for each relay.
        self.tunnels: list[Proxy] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        try:
            await self._build()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @abstractmethod
    async def _build(self) -> None: ...

    async def _relay(
        self, *flags: str, environment: dict[str, str] | None = None, **settings: object
    ) -> RelayProcess:
        number = len(self.relays) + 1
        folder = self.folder / f"relay-{number}"
        folder.mkdir()
        relay = RelayProcess(folder, *flags, environment=environment, **(_ROOMY | settings))
        self.relays.append(relay)
        await self._stack.enter_async_context(relay)
        host = relay.gateway_url.removeprefix("ws://").partition("/")[0]
        self.tunnels.append(await self._stack.enter_async_context(Proxy(host)))
        return relay

    @property
    def places(self) -> list[Place]:
        return [
            Place(f"ws://{tunnel.address}/v1/channel", relay.api_url, relay.key)
            for relay, tunnel in zip(self.relays, self.tunnels, strict=True)
        ]

    def _new_ring(self) -> str:
        ring = self.folder / "keyring.json"
        KeyFile(ring).create(time.time_ns() // 1_000_000, _KEYS_AHEAD_MS)
        return str(ring)


class OnEmbedded(Arena):
    """One relay of two workers with the store that it brings, which syncs every write."""

    name = "embedded store"

    @property
    def relay(self) -> RelayProcess:
        return self.relays[0]

    async def _build(self) -> None:
        await self._relay("--workers", "2")


class OnSingle(Arena):
    """Two relays on one store. Each has a network to it and a clock of its own."""

    durability: str
    fsync = "everysec"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.store: Single
        #: Between each relay and the store.
        self.networks: list[Proxy] = []
        self.clocks: list[Clock] = []

    async def _build(self) -> None:
        folder = self.folder / "store"
        folder.mkdir()
        replicated = self.durability.startswith("replica")
        self.store = await self._stack.enter_async_context(
            Single(
                folder, "--appendonly", "yes", "--appendfsync", self.fsync, replicated=replicated
            )
        )
        ring = self._new_ring()
        for number in range(2):
            network = await self._stack.enter_async_context(Proxy(self.store.address))
            clock = Clock(self.folder / f"clock-{number + 1}")
            self.networks.append(network)
            self.clocks.append(clock)
            await self._relay(
                environment=clock.environment, redis=f"redis://{network.address}",
                keyring_file=ring, durability=self.durability,
            )  # fmt: skip


class InMemory(OnSingle):
    name, durability = "single store, memory", "memory"


class OnDisk(OnSingle):
    """Every write is synced: with `everysec` a server answers a wait for that after up to a second,
    which is longer than posts may take, or (Valkey 9.1) before it is true."""

    name, durability, fsync = "single store, disk", "disk", "always"


class OnDiskAlways(OnSingle):
    name, durability, fsync = "single store, memory, synced always", "memory", "always"


class OnReplica(OnSingle):
    name, durability = "single store, replica:1", "replica:1"


class UnderSentinel(Arena):
    """Two relays on a primary with a replica and three sentinels."""

    name = "Sentinel"
    is_replicated = True
    store: Watched

    async def _build(self) -> None:
        folder = self.folder / "store"
        folder.mkdir()
        self.store = await self._stack.enter_async_context(Watched(folder))
        ring = self._new_ring()
        for _ in range(2):
            await self._relay(redis=self.store.url, keyring_file=ring)


class OnCluster(Arena):
    """Two relays on three primaries with a replica each."""

    name = "Cluster of 3 + 3"
    is_replicated = True
    store: Cluster

    async def _build(self) -> None:
        folder = self.folder / "store"
        folder.mkdir()
        self.store = await self._stack.enter_async_context(Cluster(folder))
        ring = self._new_ring()
        for _ in range(2):
            await self._relay(redis=self.store.url, keyring_file=ring)
