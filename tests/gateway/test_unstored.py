"""Ends that the store has not taken are said again, while news of them comes from other nodes."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from relay.gateway.limits import Limits
from relay.gateway.node import Node
from relay.live_ring import LiveRing
from relay.store import keys
from relay.store.embedded import EmbeddedServer
from relay.store.endpoint import Endpoint
from relay.store.pipe import ServerPipe
from relay.store.store import Store
from relay.vault.ring import KeyRing


async def test_an_end_that_another_node_gets_stored_meanwhile_does_not_hold_up_the_rest(
    tmp_path: Path,
) -> None:
    async with EmbeddedServer(tmp_path / "store", durable=False) as server:
        pipe = ServerPipe(Endpoint.parse(server.url), name="test", reply_timeout_s=5.0)
        await pipe.start()
        ring = LiveRing(KeyRing().extended(0, 3_600_000, os.urandom), "a test")
        node = Node("test", Store(pipe), ring, Limits())
        trips = [f"trip-{number}" for number in range(250)]
        for trip in trips:
            node.unstored.take(node, trip, "ended", "")
        saying = asyncio.create_task(node.unstored.say_again(node))
        await asyncio.sleep(0)  # it has begun with the first of them
        for trip in trips[::3]:
            node.unstored.settle(trip)
        await saying
        assert not any(trip in node.unstored for trip in trips)
        states = [await pipe.call("HGET", keys.trip(trip), "state") for trip in trips]
        assert states == [None if index % 3 == 0 else b"closed" for index in range(len(trips))]
        await pipe.stop()
