"""A store that goes back to an earlier moment, as one does that takes the place of another."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import relay as relay_package
from relay.store import keys
from tests.support.relay import RelayProcess


class Past:
    """What the store held of a trip at one moment."""

    def __init__(self, relay: RelayProcess, trip: str) -> None:
        self._relay = relay
        self._log, self._record = keys.log(trip, 1), keys.trip(trip)

    async def keep(self) -> Past:
        async with self._relay.redis() as redis:
            self._dumps = {key: await redis.dump(key) for key in (self._log, self._record)}
        return self

    async def leap(self, minutes: int) -> None:
        """Set the store's clock ahead, as far as this log can tell."""
        async with self._relay.redis() as redis:
            ms = int(time.time() * 1000) + minutes * 60_000
            await redis.execute_command("XSETID", self._log, f"{ms}-0")

    async def entries(self) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """The trip's log as it is now."""
        async with self._relay.redis() as redis:
            return await redis.xrange(self._log)

    async def come_back(
        self, *others: Past, then: tuple[bytes, dict[bytes, bytes]] | None = None
    ) -> None:
        """Go back to it, in other trips too, and cut the connections to the store as the end of a
        server would. `then`: an entry that was made here since, and its place."""
        async with self._relay.redis() as redis, redis.pipeline() as step:
            for one in (self, *others):
                for key, dump in one._dumps.items():
                    step.restore(key, 0, dump, replace=True)
            if then is not None:
                step.xadd(self._log, then[1], id=then[0])  # type: ignore[arg-type]
            for kind in ("normal", "pubsub"):
                step.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
            await step.execute()


#: As for a node with many channels, whose look at all of them takes its time.
LOOKS_SLOWLY = """
import asyncio
import relay.gateway.events as events

look = events.look_at_all

async def look_slowly(node, channels):
    await asyncio.sleep(0.5)
    await look(node, channels)

events.look_at_all = look_slowly
"""


#: As for a node whose connection to the store hangs, when it is to look.
HARDLY_LOOKS = LOOKS_SLOWLY.replace("0.5", "5")

#: As for a node with many channels, of which the first have been looked at.
RESUMES_SLOWLY = """
import asyncio
from relay.gateway.gateway import Gateway

look = Gateway._look_at

async def look_and_wait(self, channels):
    await look(self, channels)
    await asyncio.sleep(0.5)

Gateway._look_at = look_and_wait
"""

#: As for a node whose store is another one, where something else came before, at the same place.
TELLS_OF_ANOTHER_LOG = """
from relay.gateway.node import Node

mail = Node.mail

def tell(self, node, item):
    if item[0] == "posted":
        item = [*item[:-1], (item[-1][0], "another")]
    mail(self, node, item)

Node.mail = tell
"""


def slow_to_look(folder: Path, how: str = LOOKS_SLOWLY, **settings: Any) -> RelayProcess:
    (folder / "sitecustomize.py").write_text(how)
    path = os.pathsep.join([str(folder), str(Path(relay_package.__file__).parents[1])])
    return RelayProcess(folder, environment={"PYTHONPATH": path}, **settings)
