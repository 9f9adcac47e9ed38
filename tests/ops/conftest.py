"""What the tests of the operators' work share: a real Valkey, a key ring, a clock to set, a person."""

from __future__ import annotations

import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Literal

import pytest

from relay.core.casework import StaffScope
from relay.ops.actor import Actor
from relay.store.embedded import EmbeddedServer
from relay.store.endpoint import Endpoint
from relay.store.pipe import ServerPipe
from relay.store.store import Store
from relay.vault.ring import KeyRing

DAY_MS = 24 * 3600 * 1000


class Clock:
    """The relay's clock in a test: begins at the present and stands still until it is set.

    The store has a clock of its own that goes on, so what its scripts write is not before this.
    """

    def __init__(self) -> None:
        self.now_ms = time.time_ns() // 1_000_000

    def __call__(self) -> int:
        return self.now_ms

    def advance(self, ms: int) -> None:
        self.now_ms += ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def random_bytes() -> Callable[[int], bytes]:
    return os.urandom


@pytest.fixture
def ring(clock: Clock) -> KeyRing:
    """Keys of every purpose, for a day before the clock's beginning and twenty after it."""
    return KeyRing().extended(clock.now_ms - DAY_MS, 21 * DAY_MS, os.urandom)


@pytest.fixture
def actor() -> Callable[..., Actor]:
    """Make a person: `actor("ayu", "supervisor")`, in a console session unless said otherwise."""

    def made(
        operator: str,
        scope: StaffScope | str = StaffScope.AGENT,
        via: Literal["console", "key", "host", "relay"] = "console",
    ) -> Actor:
        return Actor(operator, StaffScope(scope), via, "192.0.2.7")

    return made


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[EmbeddedServer]:
    """A module's Valkey."""
    async with EmbeddedServer(tmp_path_factory.mktemp("ops") / "s", durable=False) as running:
        yield running


@pytest.fixture
async def store(server: EmbeddedServer) -> AsyncIterator[Store]:
    """The module's store, empty."""
    store = await _connected(server)
    try:
        await store.pipe.call("FLUSHALL")
        yield store
    finally:
        await store.pipe.stop()


@pytest.fixture
async def other_store(server: EmbeddedServer, store: Store) -> AsyncIterator[Store]:
    """The same store as another relay sees it, over a connection of its own."""
    other = await _connected(server)
    try:
        yield other
    finally:
        await other.pipe.stop()


@pytest.fixture
async def mortal(tmp_path: Path) -> AsyncIterator[tuple[Store, Callable[[], Awaitable[None]]]]:
    """A store of the test's own, and a coroutine function that ends it for good."""
    server = EmbeddedServer(tmp_path / "mortal", durable=False)
    await server.start()
    try:
        store = await _connected(server)
        try:
            yield store, server.stop
        finally:
            await store.pipe.stop()
    finally:
        await server.stop()


async def _connected(server: EmbeddedServer) -> Store:
    pipe = ServerPipe(Endpoint.parse(server.url), name="ops-test", reply_timeout_s=5)
    await pipe.start()
    store = Store(pipe)
    await store.load_scripts()
    return store
