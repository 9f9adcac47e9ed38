"""What a Cluster looks like now: who has which slots.

Whoever finds that it has changed says so (`ask_soon`); then the servers are asked, one after the
other, and one that is itself cut off from the others is not believed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

import structlog

from .endpoint import Endpoint, StoreError, ask, unreached
from .slots import Address, Layout, layout_of

log = structlog.get_logger(__name__)

_ANSWER_TIMEOUT_S: Final = 1.0
_PAUSE_S: Final = 0.1
_PERIOD_S: Final = 10.0


class Topology:
    """The layout of a cluster, kept up to date. `followers` are called with each new one."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.layout: Layout | None = None
        self.followers: list[Callable[[Layout], None]] = []
        self._asked_for = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Find the cluster. Raises `StoreError` if none of its servers can tell."""
        try:
            self.layout = await self._ask()
        except OSError as error:
            said = unreached(error, "does not answer, or some of its slots have no server")
            raise StoreError(f"{self.endpoint} {said}") from error
        self._task = asyncio.create_task(self._keep_asking(), name="store-topology")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def ask_soon(self) -> None:
        """Have the servers asked: something does not look as it did."""
        self._asked_for.set()

    async def _keep_asking(self) -> None:
        while True:
            try:
                async with asyncio.timeout(_PERIOD_S):
                    await self._asked_for.wait()
            except TimeoutError:
                pass
            self._asked_for.clear()
            try:
                await self._look_again()
            except Exception:
                # Were this to stop, the next change would leave slots without a server for good.
                log.exception("topology_failed")
            await asyncio.sleep(_PAUSE_S)

    async def _look_again(self) -> None:
        try:
            found = await self._ask()
        except OSError:
            return
        if found != self.layout:
            log.info("cluster_changed", primaries=len(found.primaries))
            self.layout = found
            for follow in tuple(self.followers):
                follow(found)

    async def _ask(self) -> Layout:
        """What the first server that can tell says. Raises `OSError` if none can."""
        failed: Exception | None = None
        known = list(self.layout.primaries if self.layout else ())
        random.shuffle(known)
        for address in dict.fromkeys([*known, *self.endpoint.seeds]):
            try:
                async with asyncio.timeout(_ANSWER_TIMEOUT_S):
                    found = await self._ask_one(address)
            except (OSError, TimeoutError) as error:
                failed = error
                continue
            if found is not None:
                return found
        raise ConnectionError("no server knows the cluster") from failed

    async def _ask_one(self, address: Address) -> Layout | None:
        about, slots = await ask(
            self.endpoint.at(*address), ("CLUSTER", "INFO"), ("CLUSTER", "SLOTS")
        )
        if not isinstance(slots, list) or not isinstance(about, bytes):
            return None
        if b"cluster_state:ok" not in about:
            return None
        return layout_of(slots, address)
