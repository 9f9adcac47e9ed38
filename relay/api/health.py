"""Is the process alive, is the node ready, and how is it doing.

Liveness never asks the store: a supervisor that restarts a node because the store is away makes an
outage worse. Readiness tells a load balancer whether this node can serve, and people why not.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST

from ..vault.ring import KeyRing, KeyUnavailable, Purpose
from .auth import KeyScope
from .calls import Answer, Asked, Call
from .problems import Code, Problem
from .types import Alive, Ready

#: What opening a trip needs a key for.
_NEEDED: Final = (Purpose.NUMBERS, Purpose.MESSAGES)


class Health:
    """The calls `/livez`, `/readyz` and `/metrics`.

    `readiness` gives what the workers wait for, nothing if all is well; `metrics` gives the text
    for Prometheus, all workers together. Neither waits for the store.
    """

    def __init__(
        self,
        *,
        ring: Callable[[], KeyRing],
        now_ms: Callable[[], int],
        readiness: Callable[[], Awaitable[Sequence[str]]],
        metrics: Callable[[], Awaitable[bytes]],
    ) -> None:
        self._ring = ring
        self._now_ms = now_ms
        self._readiness = readiness
        self._metrics = metrics

    def calls(self) -> list[Call]:
        """Every call of this module."""
        return [
            Call(
                "GET", "/livez", "live", "Whether the process runs", self.live, {200: Alive},
                "Never depends on the store.",
            ),
            Call(
                "GET", "/readyz", "ready", "Whether this node can serve", self.ready, {200: Ready},
                "The problem's `problems` say what is missing.", codes=(Code.NOT_READY,),
            ),
            Call(
                "GET", "/metrics", "metrics", "Metrics of all workers, for Prometheus",
                self.metrics, {200: None},
                scopes=frozenset({KeyScope.METRICS, KeyScope.PLATFORM}),
                media_type=CONTENT_TYPE_LATEST, survives_outage=True,
            ),
        ]  # fmt: skip

    async def live(self, asked: Asked[None]) -> Answer:
        return Answer(200, Alive())

    async def ready(self, asked: Asked[None]) -> Answer:
        problems = list(await self._readiness())
        now_ms = self._now_ms()
        for purpose in _NEEDED:
            try:
                self._ring().current(purpose, now_ms)
            except KeyUnavailable:
                problems.append(f"no key for {purpose} covers the present time")
        if problems:
            raise Problem(
                Code.NOT_READY,
                f"This node should get no calls and no connections for now: {'; '.join(problems)}.",
                problems=problems,
            )
        return Answer(200, Ready())

    async def metrics(self, asked: Asked[None]) -> Answer:
        return Answer(200, await self._metrics(), CONTENT_TYPE_LATEST)
