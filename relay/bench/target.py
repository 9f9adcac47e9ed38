"""What is measured: relays that are started for it, one that runs somewhere, or a peer."""

from __future__ import annotations

import asyncio
import resource
import ssl
import sys
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from redis.asyncio import Redis

from ..gateway.limits import OTHER_FILES, Limits
from ..keyfile import KeyFile
from ..rig.process import RelayProcess
from ..store.embedded import EmbeddedServer
from .watch import Usage, are_there, usage_in_metrics, usage_of

#: Rate limits are raised, so that few parties can stand for many and one machine for a city's
#: phones; they are never removed.
RAISED: Final[dict[str, Any]] = {
    "posts_per_s": 1e5,
    "frames_per_s": 1e5,
    "in_flight": 64,
    "channel_messages": 10**8,
    "connections": 10**6,
    "connections_per_s": 1e5,
    "address_connections": 10**6,
    "address_connections_per_s": 1e5,
    "attaches_per_minute": 10**6,
    "calls_per_s": 1e5,
    "log_level": "warning",
}
_METRICS_S: Final = 5.0
_SPAN_MS: Final = 86_400_000
#: Files that a process of the load needs besides its connections.
_FILES_OF_LOAD: Final = 100


def most_apps_of_relay(workers: int) -> int:
    """How many apps such a relay serves, with as many open files as a process may have here."""
    limits = Limits(
        connections=RAISED["connections"], connections_per_s=RAISED["connections_per_s"]
    )
    return workers * limits.with_sockets(_most_files() - OTHER_FILES).connections


def most_apps_of_load(processes: int) -> int:
    """How many apps so many load processes can play."""
    return processes * (_most_files() - _FILES_OF_LOAD)


def _most_files() -> int:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    return sys.maxsize if most == resource.RLIM_INFINITY else most


class Where(NamedTuple):
    """How a target is reached: the gateway of each of its nodes, one API and a key for it."""

    gateway_urls: list[str]
    api_url: str
    key: str


class Target(ABC):
    """Something that a load can be put on; `where` tells the load processes how to reach it."""

    name: str
    where: Where

    @abstractmethod
    async def usage(self) -> dict[str, Usage]:
        """What its processes have used so far, by what they are: `relay`, `store`."""


class Started(Target):
    """Relays of our own, nodes of one store of their own that syncs every write."""

    name = "relay"

    def __init__(self, relays: Sequence[RelayProcess], store: list[int]) -> None:
        """`store` are the ids of their store's processes."""
        first = relays[0]
        self.where = Where([one.gateway_url for one in relays], first.api_url, first.key)
        self._workers = [pid for one in relays for pid in one.workers()]
        self._store = store

    async def usage(self) -> dict[str, Usage]:
        found = {"relay": self._workers, "store": self._store}
        # Of one that was started anew nothing is told rather than less than nothing.
        return {name: usage_of(pids) for name, pids in found.items() if are_there(pids)}


class Running(Target):
    """A relay that somebody else runs. Of its processes we know what its metrics tell this key."""

    name = "relay"

    def __init__(self, gateway_url: str, api_url: str, key: str) -> None:
        self.where = Where([gateway_url], api_url, key)
        # Of its own: since Python 3.12 urllib keeps for good the authorities of its first call.
        secure = urlsplit(api_url).scheme == "https"
        self._tls = ssl.create_default_context() if secure else None
        self._tells = True

    async def usage(self) -> dict[str, Usage]:
        found = await asyncio.to_thread(self._metrics) if self._tells else None
        self._tells = found is not None
        return {} if found is None else {"relay": found}

    def _metrics(self) -> Usage | None:
        asked = urllib.request.Request(  # noqa: S310 - the address was given by whoever runs it
            f"{self.where.api_url}/metrics",
            headers={"Authorization": f"Bearer {self.where.key}"},
        )
        try:
            with urllib.request.urlopen(  # noqa: S310
                asked, timeout=_METRICS_S, context=self._tls
            ) as answer:
                return usage_in_metrics(answer.read().decode())
        except (OSError, ValueError):
            return None


@asynccontextmanager
async def own_store(folder: Path) -> AsyncIterator[tuple[str, int]]:
    """The address of a store that syncs every write, and its process id."""
    async with EmbeddedServer(folder, durable=True) as store:
        async with Redis.from_url(store.url) as redis:
            pid = (await redis.info("server"))["process_id"]
        yield store.url, pid


@asynccontextmanager
async def started(workers: int = 1, nodes: int = 1) -> AsyncIterator[Target]:
    """A relay, or several on one store, on ports and in a folder of its own choice."""
    with TemporaryDirectory(prefix="relay-bench-") as name:
        folder = Path(name)
        words = ("--workers", str(workers))
        if nodes == 1:
            async with RelayProcess(folder, *words, **RAISED) as relay:
                yield Started([relay], [relay.store_pid()])
            return
        KeyFile(folder / "ring.json").create(time.time_ns() // 1_000_000, _SPAN_MS)
        async with own_store(folder / "store") as (url, store_pid), AsyncExitStack() as running:
            shared = RAISED | {"redis": url, "keyring_file": str(folder / "ring.json")}
            relays = []
            for number in range(1, nodes + 1):
                (own := folder / f"node-{number}").mkdir()
                relay = RelayProcess(own, *words, **shared)
                relays.append(await running.enter_async_context(relay))
            yield Started(relays, [store_pid])
