"""The pub/sub of a Cluster: a subscription at each primary, to the channels of its slots."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from .slots import Address, Layout, slot_of
from .subscriber import ServerSubscriber, Subscriber
from .topology import Topology


class ClusterSubscriber(Subscriber):
    """Follows `channels` to the primaries that have their slots.

    `probes` are channels of which each primary should have one: only this node publishes there.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        name: str,
        channels: Sequence[str],
        probes: Sequence[str],
        deaf_after_s: float,
        on_message: Callable[[bytes, bytes], None],
        on_gap: Callable[[], None],
    ) -> None:
        self._topology = topology
        self._name = name
        self._channels = channels
        self._probes = probes
        self._deaf_after_s = deaf_after_s
        self._on_message = on_message
        self._on_gap = on_gap
        self._parts: dict[Address, ServerSubscriber] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    @property
    def listening(self) -> bool:
        return all(part.listening for part in self._parts.values())

    @property
    def probes(self) -> list[str]:
        return [probe for part in self._parts.values() for probe in part.probes]

    async def start(self) -> None:
        assert self._topology.layout is not None, "the topology is started first"
        self._topology.followers.append(self._follow)
        for part in self._divide(self._topology.layout):
            await part.start()

    async def stop(self) -> None:
        if self._follow in self._topology.followers:
            self._topology.followers.remove(self._follow)
        await asyncio.gather(*self._stopping, *(part.stop() for part in self._parts.values()))

    def _follow(self, layout: Layout) -> None:
        for part in self._divide(layout):
            part.start_soon()

    def _divide(self, layout: Layout) -> list[ServerSubscriber]:
        """Make what is missing for this layout and stop what is no longer right; give the new."""
        shares: defaultdict[Address, list[str]] = defaultdict(list)
        for channel in self._channels:
            owner = layout.owners[slot_of(channel.encode())]
            if owner is not None:
                shares[owner].append(channel)
        probes = {
            owner: probe
            for probe in reversed(self._probes)
            if (owner := layout.owners[slot_of(probe.encode())]) is not None
        }
        for address, part in tuple(self._parts.items()):
            if part.channels != [*shares.get(address, ()), probes.get(address)]:
                self._spawn(self._parts.pop(address).stop())
        found = []
        for address in shares.keys() & probes.keys() - self._parts.keys():
            self._parts[address] = ServerSubscriber(
                self._topology.endpoint.at(*address), name=self._name, channels=shares[address],
                probe=probes[address], deaf_after_s=self._deaf_after_s,
                on_message=self._on_message, on_gap=self._on_gap,
                on_lost=self._topology.ask_soon,
            )  # fmt: skip
            found.append(self._parts[address])
        return found

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._stopping.add(task)
        task.add_done_callback(self._stopping.discard)
