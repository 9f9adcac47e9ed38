"""What a message, a trip and an open connection cost, and what a city and a country need by that.

    python -m tests.load.capacity [SECONDS]

Prints the tables of deploy/CAPACITY.md, which says how they come about. Costs are processor time and
memory of one worker and of one embedded store, so that a busy machine makes them only a little worse.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop
from picows import ws_connect

from relay.api.auth import KeyScope
from relay.bench.measure import Course, Unwatched
from relay.bench.measure import measure as measured
from relay.bench.target import RAISED, Started
from tests.support.relay import RelayProcess

from . import soak

_IDLE_TRIPS = 250
_TRIPS = 300
_WARM_UP_S = 2
#: Messages after which a load is in full swing.
_LIVELY = 500
_FIRST = 20
_PROTOCOL = {"Sec-WebSocket-Protocol": "relay.v1.msgpack"}


@dataclass
class Spent:
    """Processor seconds of the worker and of the store, and what each holds."""

    worker_s: float
    store_s: float
    worker_bytes: int
    store_bytes: int

    def __sub__(self, before: Spent) -> Spent:
        return Spent(*(getattr(self, name) - getattr(before, name) for name in vars(self)))


async def spent(relay: RelayProcess) -> Spent:
    (worker,) = relay.workers()
    async with relay.redis() as redis:
        store_bytes = (await redis.info("memory"))["used_memory"]
    fields = Path(f"/proc/{relay.store_pid()}/stat").read_text().rpartition(")")[2].split()
    store_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    worker_bytes = int(Path(f"/proc/{worker}/statm").read_text().split()[1]) * 4096
    return Spent(relay.worker_cpu_s(), store_s, worker_bytes, store_bytes)


async def kept(relay: RelayProcess, key: str) -> tuple[float, int]:
    """Messages that were accepted so far, and the store's memory."""
    headers = {"Authorization": f"Bearer {key}"}
    metrics = (await relay.http.get(relay.api_url + "/metrics", headers=headers)).text
    (accepted,) = re.findall(r"^relay_accepted_total (\S+)$", metrics, re.MULTILINE)
    async with relay.redis() as redis:
        return float(accepted), (await redis.info("memory"))["used_memory"]


@dataclass
class Costs:
    """Of one worker and of one store, each at its full core."""

    message_worker_us: float
    message_store_us: float
    message_bytes: float
    trip_worker_us: float
    trip_store_us: float
    closed_trip_bytes: float
    open_trip_bytes: float
    connection_bytes: float
    #: Of an open trip with both parties attached and silent, each second.
    idle_worker_us: float
    idle_store_us: float
    base_worker: float
    base_store: float
    p50_ms: float
    p99_ms: float
    messages_per_s: float


async def measure(folder: Path, seconds: float) -> Costs:
    async with RelayProcess(folder, **RAISED) as relay:
        before = await spent(relay)
        await asyncio.sleep(seconds)
        base = await spent(relay) - before

        # Open trips whose parties say nothing; the first few bring what all share into memory.
        parties: list[soak.Party] = []
        for number in range(_FIRST + _IDLE_TRIPS):
            if number == _FIRST:
                before = await spent(relay)
            tokens = await relay.open_trip(f"idle-{number}")
            for role in ("driver", "customer"):
                parties.append(soak.Party(tokens[role]))
                await ws_connect(
                    lambda *_, p=parties[-1]: p, relay.gateway_url, extra_headers=_PROTOCOL
                )
                await parties[-1].attached
        opened = await spent(relay) - before
        before, began_s = await spent(relay), time.monotonic()
        await asyncio.sleep(max(4.0, seconds))
        idle, idle_s = await spent(relay) - before, time.monotonic() - began_s
    (folder / "cycles").mkdir()
    async with RelayProcess(folder / "cycles", **RAISED) as relay:
        # Trips from open to close, and what is left of them for a week.
        cycles = soak.Soak(relay)
        await cycles.run(_TRIPS, 16)
        before = await spent(relay)
        await cycles.run(_TRIPS, 16)
        await asyncio.sleep(1)
        trip = await spent(relay) - before
        cycles.close()
    (folder / "messages").mkdir()
    async with RelayProcess(folder / "messages", **RAISED) as relay:
        # One post of each party at a time: the relay's own figures are those of `relay bench closed`.
        talking = asyncio.create_task(
            measured(
                Started([relay], [relay.store_pid()]), "closed", {"trips": 20, "in_flight": 1},
                Course(max(3, round(seconds)), _WARM_UP_S, 1), Unwatched(),
            )
        )  # fmt: skip
        # What a message takes in the store has to be seen while its trip is open.
        key = await relay.new_key(KeyScope.METRICS)
        async with asyncio.timeout(60):
            while (before := await kept(relay, key))[0] < _LIVELY:
                await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        after = await kept(relay, key)
        talk = await talking
        assert not talk.violations, "a run with anything wrong is no figure"
        found = talk.figures
    return Costs(
        message_worker_us=found["relay_cpu_us_per_message"],
        message_store_us=found["store_cpu_us_per_message"],
        message_bytes=(after[1] - before[1]) / (after[0] - before[0]),
        trip_worker_us=trip.worker_s / _TRIPS * 1e6,
        trip_store_us=trip.store_s / _TRIPS * 1e6,
        closed_trip_bytes=trip.store_bytes / _TRIPS,
        open_trip_bytes=opened.store_bytes / _IDLE_TRIPS,
        connection_bytes=opened.worker_bytes / _IDLE_TRIPS / 2,
        idle_worker_us=max(0.0, idle.worker_s / idle_s - base.worker_s / seconds)
        / _IDLE_TRIPS * 1e6,
        idle_store_us=max(0.0, idle.store_s / idle_s - base.store_s / seconds) / _IDLE_TRIPS * 1e6,
        base_worker=base.worker_s / seconds,
        base_store=base.store_s / seconds,
        p50_ms=found["delivery_p50_ms"],
        p99_ms=found["delivery_p99_ms"],
        messages_per_s=found["accepted_per_s"],
    )  # fmt: skip


# --- what follows from it ---------------------------------------------------------------------------

#: The share of a core that is planned with: the rest is for a node that fails, and for the minute in
#: which everybody comes back.
_PLANNED = 0.5
_PEAK = 2.5
_OPEN_S = 30 * 60
_MESSAGES = 12
_TOMBSTONE_DAYS = 7


def needs(costs: Costs, trips_a_day: int) -> dict[str, str]:
    """What so many trips a day need at their peak."""
    trips_s = trips_a_day / 86400 * _PEAK
    open_trips, messages_s = trips_s * _OPEN_S, trips_s * _MESSAGES
    worker = (
        messages_s * costs.message_worker_us
        + trips_s * costs.trip_worker_us
        + open_trips * costs.idle_worker_us
    ) / 1e6
    workers = max(2, math.ceil(worker / (_PLANNED - costs.base_worker)))
    # The parties of a trip may be at two nodes, each of which looks at it; and each worker asks every
    # partition for what is due.
    looks = 2 * open_trips * costs.idle_store_us / 1e6
    store = looks + workers * costs.base_store
    store += (messages_s * costs.message_store_us + trips_s * costs.trip_store_us) / 1e6
    shards = max(1, math.ceil(store / _PLANNED))
    store_bytes = trips_a_day * _TOMBSTONE_DAYS * costs.closed_trip_bytes + open_trips * (
        costs.open_trip_bytes + _MESSAGES * costs.message_bytes
    )
    return {
        "trips a second": f"{trips_s:,.0f}",
        "open trips": f"{open_trips:,.0f}",
        "connections": f"{2 * open_trips:,.0f}",
        "messages a second": f"{messages_s:,.0f}",
        "cores of relay": f"{worker:,.1f}",
        "workers": f"{workers}",
        "memory of the relay": f"{(2 * open_trips * costs.connection_bytes) / 2**30:,.1f} GiB",
        "cores of store": f"{store:,.2f}",
        "of these to look at silent trips": f"{looks:,.2f}",
        "memory of the store": f"{store_bytes / 2**30:,.1f} GiB",
        "shards": f"{shards}",
    }


async def main(seconds: float) -> None:
    with TemporaryDirectory() as name:
        costs = await measure(Path(name), seconds)
    print("| what | worker | store |\n|---|---|---|")
    for what, worker, store in (
        ("a message, processor time", f"{costs.message_worker_us:.0f} µs", f"{costs.message_store_us:.0f} µs"),
        ("a trip from open to close", f"{costs.trip_worker_us / 1000:.1f} ms", f"{costs.trip_store_us / 1000:.2f} ms"),
        ("an open trip, each second", f"{costs.idle_worker_us:.0f} µs", f"{costs.idle_store_us:.0f} µs"),
        ("nothing at all", f"{costs.base_worker:.1%} of a core", f"{costs.base_store:.1%} of a core"),
        ("a connection, memory", f"{costs.connection_bytes / 1024:.1f} KiB", ""),
        ("an open trip", "", f"{costs.open_trip_bytes / 1024:.1f} KiB"),
        ("a message while it is kept", "", f"{costs.message_bytes:.0f} bytes"),
        ("a closed trip, for a week", "", f"{costs.closed_trip_bytes / 1024:.1f} KiB"),
    ):  # fmt: skip
        print(f"| {what} | {worker} | {store} |")
    print(
        f"\n20 trips, one post of each party at a time: {costs.messages_per_s:,.0f} messages a second,"
        f" delivered after {costs.p50_ms} ms (p50), {costs.p99_ms} ms (p99).\n"
    )
    sizes: dict[str, Any] = {
        "a city, 200,000 trips a day": needs(costs, 200_000),
        "a country, 5 million": needs(costs, 5_000_000),
    }
    print(f"| at the peak | {' | '.join(sizes)} |\n|---|---|---|")
    for what in next(iter(sizes.values())):
        print(f"| {what} | {' | '.join(size[what] for size in sizes.values())} |")


if __name__ == "__main__":
    uvloop.run(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
