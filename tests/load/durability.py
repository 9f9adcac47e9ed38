"""What each `durability` costs, on stores kept in each way.

    python -m tests.load.durability [SECONDS]

One line for each: how many messages a second are accepted, and after how long they are delivered.
20 trips, one post of each party outstanding; the stores' files lie in the system's temporary folder.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop
from redis.asyncio import Redis

from relay.bench.measure import Course, Unwatched, measure
from relay.bench.target import RAISED, Started
from relay.keyfile import KeyFile
from relay.rig.process import RelayProcess
from relay.rig.sentinel import Watched
from relay.store.embedded import EmbeddedServer

CASES = (
    ("appendfsync everysec", "memory"),
    ("appendfsync everysec", "disk"),
    ("appendfsync always", "memory"),
    ("primary and replica", "memory"),
    ("primary and replica", "replica"),
)


@asynccontextmanager
async def store(kind: str, folder: Path) -> AsyncIterator[str]:
    if kind.startswith("appendfsync"):
        async with EmbeddedServer(folder, durable=True) as server:
            async with Redis.from_url(server.url) as redis:
                await redis.config_set("appendfsync", kind.rpartition(" ")[2])
            yield server.url
    else:
        folder.mkdir()
        async with Watched(folder) as watched:
            yield watched.url


async def main(seconds: int) -> None:
    print(f"{'store':22}{'durability':12}{'accepted/s':>11}{'p50 ms':>9}{'p99 ms':>9}{'wrong':>7}")
    for kind, durability in CASES:
        with TemporaryDirectory() as name:
            folder = Path(name)
            KeyFile(folder / "ring.json").create(time.time_ns() // 1_000_000, 86_400_000)
            (folder / "relay").mkdir()
            async with (
                store(kind, folder / "store") as url,
                RelayProcess(
                    folder / "relay", redis=url, keyring_file=str(folder / "ring.json"),
                    durability=durability, **RAISED,
                ) as relay,
            ):  # fmt: skip
                found = await measure(
                    Started([relay], []), "closed", {"trips": 20, "in_flight": 1},
                    Course(seconds, 2, 1), Unwatched(),
                )  # fmt: skip
        shown = found.figures
        print(
            f"{kind:22}{durability:12}{shown['accepted_per_s']:>11,.0f}"
            f"{shown['delivery_p50_ms']:>9}{shown['delivery_p99_ms']:>9}"
            f"{sum(found.violations.values()):>7}",
            flush=True,
        )


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
