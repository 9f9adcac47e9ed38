"""A Cluster of primaries and replicas, as processes of their own on loopback."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from typing import Any

from redis.exceptions import ResponseError

from relay.store.keys import PARTITIONS, tag
from relay.store.slots import SLOTS, slot_of

from .servers import Servers, free_ports
from .waiting import until

_TIMEOUT_MS = 1500


class Cluster(Servers):
    """Use as an asynchronous context manager. Each of `primaries` has a replica in `replicas`, and
    an equal share of the slots."""

    def __init__(
        self,
        folder: Path,
        *settings: str,
        shards: int = 3,
        replicated: bool = True,
        **options: Any,
    ) -> None:
        super().__init__(folder, *settings, **options)
        count = shards * (2 if replicated else 1)
        ports = free_ports(2 * count)
        self.primaries, self.replicas = ports[:shards], ports[shards:count]
        #: On which port each talks with the others.
        self._bus = dict(zip(ports[:count], ports[count:], strict=True))

    @property
    def url(self) -> str:
        hosts = f"127.0.0.1:{self.primaries[0]},127.0.0.1:{self.primaries[-1]}"
        return self.url_of("redis+cluster", hosts)

    async def _begin(self) -> None:
        for port in (*self.primaries, *self.replicas):
            self.start(port)
        await until(self._all_answer, "the servers answer", 20)
        share = -(-SLOTS // len(self.primaries))
        for index, port in enumerate(self.primaries):
            first, last = index * share, min(SLOTS, (index + 1) * share) - 1
            await self.ask(port, "CLUSTER", "ADDSLOTSRANGE", str(first), str(last))
            await self.ask(port, "CLUSTER", "SET-CONFIG-EPOCH", str(index + 1))
        for port in (*self.primaries, *self.replicas):
            first_one = self.primaries[0]
            await self.ask(
                port, "CLUSTER", "MEET", "127.0.0.1", str(first_one), str(self._bus[first_one])
            )
        await until(self.is_whole, "the cluster is whole", 30)
        for primary, replica in zip(self.primaries, self.replicas, strict=False):
            name = await self.ask(primary, "CLUSTER", "MYID")
            becomes = partial(self._becomes, replica, name)
            await until(becomes, "a replica knows its primary", 20)
        await until(self.is_replicated, "the replicas follow", 30)

    def start(self, port: int) -> None:
        """Start a server, empty."""
        self._start(
            port, "--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf",
            "--cluster-port", str(self._bus[port]), "--cluster-node-timeout", str(_TIMEOUT_MS),
            "--cluster-require-full-coverage", "no", "--cluster-replica-validity-factor", "0",
            *(("--tls-cluster", "yes") if self._certificate else ()),
        )  # fmt: skip

    async def _all_answer(self) -> bool:
        every = (*self.primaries, *self.replicas)
        return None not in await asyncio.gather(*(self.ask(port, "PING") for port in every))

    async def _becomes(self, replica: int, primary: bytes) -> bool:
        return await self.ask(replica, "CLUSTER", "REPLICATE", primary.decode()) is not None

    async def is_whole(self) -> bool:
        """Whether every server sees every other one and all slots."""
        every = (*self.primaries, *self.replicas)
        for port in every:
            about = str(await self.ask(port, "CLUSTER", "INFO"))
            if "'cluster_state': 'ok'" not in about and "cluster_state:ok" not in about:
                return False
            if f"cluster_known_nodes': '{len(every)}'" not in about and (
                f"cluster_known_nodes:{len(every)}" not in about
            ):
                return False
        return True

    async def is_replicated(self) -> bool:
        """Whether the replicas have all that their primaries have."""
        for primary, replica in zip(self.primaries, self.replicas, strict=False):
            ours = await self.ask(primary, "INFO", "replication")
            theirs = await self.ask(replica, "INFO", "replication")
            if not isinstance(ours, dict) or not isinstance(theirs, dict):
                return False
            if theirs.get("master_link_status") != "up" or (
                theirs.get("slave_repl_offset", -1) < ours["master_repl_offset"]
            ):
                return False
        return True

    async def has_failed_over(self, shard: int) -> bool:
        """Whether a shard's replica takes writes now."""
        found = await self.ask(self.replicas[shard], "INFO", "replication")
        return isinstance(found, dict) and found.get("role") == "master"

    def swap(self, shard: int) -> None:
        """Call what took over the primary, and the other server its replica."""
        self.primaries[shard], self.replicas[shard] = self.replicas[shard], self.primaries[shard]

    async def owner(self, slot: int) -> int:
        """The port of the primary that has a slot, as most of them see it."""
        for port in self.primaries:
            for line in str(await self.nodes(port)).splitlines():
                fields = line.split(" ")
                for part in fields[8:]:
                    first, _, last = part.partition("-")
                    if first.isdecimal() and int(first) <= slot <= int(last or first):
                        return int(fields[1].partition("@")[0].rpartition(":")[2])
        raise LookupError(f"slot {slot} has no server")

    async def tag_at(self, port: int) -> str:
        """The hash tag of a partition whose keys are there."""
        for number in range(PARTITIONS):
            if await self.owner(slot_of(tag(number).encode())) == port:
                return tag(number)
        raise LookupError("that server has no partition")

    async def nodes(self, port: int) -> str:
        """What CLUSTER NODES says there."""
        async with self.redis(port, socket_timeout=2) as redis:
            redis.response_callbacks.clear()
            found: bytes = await redis.execute_command("CLUSTER NODES")
            return found.decode()

    async def _name(self, port: int) -> str:
        found: bytes = await self.ask(port, "CLUSTER", "MYID")
        return found.decode()

    async def move(self, slot: int, source: int, target: int) -> None:
        """Move a slot key by key, as `valkey-cli --cluster reshard` does."""
        await self.begin(slot, source, target)
        async with self.redis(source) as there:
            while found := await there.execute_command("CLUSTER GETKEYSINSLOT", slot, 1):
                await self.carry(source, target, *found)
                await asyncio.sleep(0.002)
        await self.finish(slot, source, target)

    async def begin(self, slot: int, source: int, target: int) -> None:
        """Let two servers know that a slot is on its way."""
        async with self.redis(source) as there, self.redis(target) as here:
            name, other = await self._name(source), await self._name(target)
            await here.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", name)
            await there.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", other)

    async def carry(self, source: int, target: int, *names: str) -> None:
        """Move some keys of such a slot."""
        async with self.redis(source) as there:
            await there.execute_command("MIGRATE", "127.0.0.1", target, "", 0, 5000, "KEYS", *names)

    async def finish(self, slot: int, source: int, target: int) -> None:
        """Move what is left of such a slot, and give it to the new server."""
        async with self.redis(source) as there, self.redis(target) as here:
            while found := await there.execute_command("CLUSTER GETKEYSINSLOT", slot, 100):
                await self.carry(source, target, *found)
            name = await self._name(target)
            for server in (here, there):
                await server.execute_command("CLUSTER SETSLOT", slot, "NODE", name)
        await until(lambda: self._all_see(slot, target), "every server knows where the slot is", 20)

    async def jump(self, slot: int, source: int, target: int) -> None:
        """Move a slot at one moment, as Valkey 9 can; with other servers key by key."""
        async with self.redis(source) as there:
            try:
                await there.execute_command(
                    "CLUSTER MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE",
                    await self._name(target),
                )  # fmt: skip
            except ResponseError as error:
                if "unknown subcommand" not in str(error).lower():
                    raise
                await self.move(slot, source, target)
        await until(lambda: self._all_see(slot, target), "every server knows where the slot is", 20)

    async def _all_see(self, slot: int, owner: int) -> bool:
        for port in self.primaries:
            async with self.redis(port) as redis:
                redis.response_callbacks.clear()
                for first, last, primary, *_ in await redis.execute_command("CLUSTER SLOTS"):
                    if first <= slot <= last and primary[1] != owner:
                        return False
        return True
