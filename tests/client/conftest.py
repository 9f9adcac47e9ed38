"""A relay to misbehave, and channels to it that do not wait long."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from relay.client import Channel, connect
from tests.client.scripted_relay import ScriptedRelay, running

DRIVER, CUSTOMER = "token-of-the-driver-5c8d", "token-of-the-customer-91ab"

Connect = Callable[..., Channel]


@pytest.fixture
async def relay() -> AsyncIterator[ScriptedRelay]:
    async with running() as relay:
        yield relay


@pytest.fixture
def channel_of(relay: ScriptedRelay) -> Connect:
    """Make a channel with a token; its delays are a fiftieth of their longest."""

    def make(token: Any, **options: Any) -> Channel:
        return connect(relay.url, token, **{"rng": lambda: 0.02, **options})

    return make
