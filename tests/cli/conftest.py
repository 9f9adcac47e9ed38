"""What the tests of the command line share: where the relay of the test is, and its key."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.relay import RelayProcess

from .commands import Quickly


class Platform:
    """How the commands reach a relay: the address and the key by the environment."""

    def __init__(self, relay: RelayProcess, folder: Path) -> None:
        self.relay = relay
        self.folder = folder
        self.environment = {"RELAY_URL": relay.api_url, "RELAY_API_KEY": relay.key}

    def token_file(self, name: str, token: str) -> Path:
        file = self.folder / f"{name}.token"
        file.touch(0o600)
        file.write_text(token + "\n")
        return file


@pytest.fixture
def platform(relay: RelayProcess, tmp_path: Path) -> Platform:
    return Platform(relay, tmp_path)


@pytest.fixture(scope="module")
async def quickly() -> AsyncIterator[Quickly]:
    """Runs a module's commands in one process."""
    one = await Quickly.start()
    yield one
    await one.stop()
