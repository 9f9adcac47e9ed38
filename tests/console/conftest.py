"""A relay with a console, a browser, and the people who work there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, expect

from relay.core.casework import StaffScope
from tests.conftest import ROOMY
from tests.console.staff import Person, chromium, hire
from tests.support.party import PATIENCE_S
from tests.support.relay import RelayProcess

# A page of a browser on a busy machine may need seconds to draw what has come long ago.
expect.set_options(timeout=PATIENCE_S * 1000)


@pytest.fixture(scope="module")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RelayProcess]:
    """One relay for a module's tests; an operator's third reading alarms."""
    folder = tmp_path_factory.mktemp("relay")
    async with RelayProcess(folder, **ROOMY, watch_readings_per_hour=2) as running:
        yield running


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as running:
        yield running


@pytest.fixture(scope="module")
async def dewi(relay: RelayProcess, browser: Browser) -> AsyncIterator[Person]:
    """An agent, signed in."""
    person = await hire(relay, browser, "dewi", StaffScope.AGENT)
    yield person
    await person.leave()


@pytest.fixture(scope="module")
async def rani(relay: RelayProcess, browser: Browser) -> AsyncIterator[Person]:
    """A supervisor, signed in."""
    person = await hire(relay, browser, "rani", StaffScope.SUPERVISOR)
    yield person
    await person.leave()
