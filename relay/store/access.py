"""The ways to a store: to one server, or to a cluster whose layout they all share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from .cluster import ClusterPipe
from .cluster_subscriber import ClusterSubscriber
from .durability import MEMORY, Durability
from .endpoint import Endpoint
from .pipe import Pipe, ServerPipe
from .subscriber import ServerSubscriber, Subscriber
from .topology import Topology


class Access:
    """Use `start` before what it gives is started, and `stop` after that was stopped."""

    def __init__(self, endpoint: Endpoint, durability: Durability = MEMORY) -> None:
        self._endpoint = endpoint
        self._durability = durability
        self._topology = Topology(endpoint) if endpoint.seeds else None

    async def start(self) -> None:
        """Find a cluster's servers. Raises `StoreError`."""
        if self._topology is not None:
            await self._topology.start()

    async def stop(self) -> None:
        if self._topology is not None:
            await self._topology.stop()

    def pipe(
        self, *, name: str, reply_timeout_s: float, on_connected: Callable[[], None] = lambda: None
    ) -> Pipe:
        """A pipe, not started yet; see `ServerPipe` for what is given."""
        if self._topology is not None:
            return ClusterPipe(
                self._topology, name=name, reply_timeout_s=reply_timeout_s,
                durability=self._durability, on_connected=on_connected,
            )  # fmt: skip
        return ServerPipe(
            self._endpoint, name=name, reply_timeout_s=reply_timeout_s,
            durability=self._durability, on_connected=on_connected,
        )  # fmt: skip

    def subscriber(
        self,
        *,
        name: str,
        channels: Sequence[str],
        probes: Sequence[str],
        deaf_after_s: float,
        on_message: Callable[[bytes, bytes], None],
        on_gap: Callable[[], None],
    ) -> Subscriber:
        """A subscriber, not started yet; see `ServerSubscriber` and `ClusterSubscriber`."""
        if self._topology is not None:
            return ClusterSubscriber(
                self._topology, name=name, channels=channels, probes=probes,
                deaf_after_s=deaf_after_s, on_message=on_message, on_gap=on_gap,
            )  # fmt: skip
        return ServerSubscriber(
            self._endpoint, name=name, channels=channels, probe=probes[0],
            deaf_after_s=deaf_after_s, on_message=on_message, on_gap=on_gap,
        )  # fmt: skip


async def servers_of(endpoint: Endpoint, timeout_s: float) -> list[Endpoint]:
    """The servers that take writes now. Raises `OSError` or `StoreError` if that cannot be found
    out; whether they answer is another question."""
    if endpoint.sentinels:
        return [await endpoint.located(timeout_s)]
    if not endpoint.seeds:
        return [endpoint]
    topology = Topology(endpoint)
    await topology.start()
    await topology.stop()
    assert topology.layout is not None
    return [endpoint.at(*address) for address in sorted(topology.layout.primaries)]


@asynccontextmanager
async def pipe_to(url: str, *, name: str, reply_timeout_s: float = 5.0) -> AsyncIterator[Pipe]:
    """A pipe for a while. Raises `BadStoreUrl` and `StoreError`."""
    access = Access(Endpoint.parse(url))
    pipe = access.pipe(name=name, reply_timeout_s=reply_timeout_s)
    try:
        await access.start()
        await pipe.start()
        yield pipe
    finally:
        await pipe.stop()
        await access.stop()
