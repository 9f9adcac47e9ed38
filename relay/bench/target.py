"""What is measured: a relay that is started for it, one that runs somewhere, or a peer."""

from __future__ import annotations

import asyncio
import resource
import sys
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from ..gateway.limits import OTHER_FILES, Limits
from ..rig.process import RelayProcess
from .watch import Usage, usage_in_metrics, usage_of

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


class Target(ABC):
    """Something that a load can be put on; `where` tells the load processes how to reach it."""

    name: str
    where: dict[str, str]

    @abstractmethod
    async def usage(self) -> dict[str, Usage]:
        """What its processes have used so far, by what they are: `relay`, `store`."""


class Started(Target):
    """A relay of our own, with a store of its own that syncs every write."""

    name = "relay"

    def __init__(self, relay: RelayProcess, store: list[int]) -> None:
        """`store` are the ids of its store's processes."""
        self.where = {
            "gateway_url": relay.gateway_url, "api_url": relay.api_url, "key": relay.key,
        }  # fmt: skip
        self._workers, self._store = relay.workers(), store

    async def usage(self) -> dict[str, Usage]:
        return {"relay": usage_of(self._workers), "store": usage_of(self._store)}


class Running(Target):
    """A relay that somebody else runs. Of its processes we know what its metrics tell this key."""

    name = "relay"

    def __init__(self, gateway_url: str, api_url: str, key: str) -> None:
        self.where = {"gateway_url": gateway_url, "api_url": api_url, "key": key}
        self._tells = True

    async def usage(self) -> dict[str, Usage]:
        found = await asyncio.to_thread(self._metrics) if self._tells else None
        self._tells = found is not None
        return {} if found is None else {"relay": found}

    def _metrics(self) -> Usage | None:
        asked = urllib.request.Request(  # noqa: S310 - the address was given by whoever runs it
            f"{self.where['api_url']}/metrics",
            headers={"Authorization": f"Bearer {self.where['key']}"},
        )
        try:
            with urllib.request.urlopen(asked, timeout=_METRICS_S) as answer:  # noqa: S310
                return usage_in_metrics(answer.read().decode())
        except (OSError, ValueError):
            return None


@asynccontextmanager
async def started(workers: int = 1) -> AsyncIterator[Target]:
    """A relay on ports of its own choice, in a folder that goes with it."""
    with TemporaryDirectory(prefix="relay-bench-") as folder:
        async with RelayProcess(Path(folder), "--workers", str(workers), **RAISED) as relay:
            yield Started(relay, [relay.store_pid()])
