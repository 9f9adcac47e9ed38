"""TLS to the store, wherever it ends: a store that is not believed is not used, and it is said why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.rig.single import Single
from relay.store.access import pipe_to
from relay.store.endpoint import StoreError
from tests.support.certificate import certified
from tests.support.encrypting import encrypting


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Single]:
    async with Single(tmp_path) as running:
        yield running


@pytest.fixture
async def encrypted(server: Single, tmp_path: Path) -> AsyncIterator[str]:
    """Its address with TLS: `rediss://…`."""
    certified(tmp_path / "certificate.pem")
    async with encrypting(server.url, tmp_path / "certificate.pem") as address:
        yield address


async def test_a_certificate_that_is_named_is_believed(encrypted: str, tmp_path: Path) -> None:
    named = f"{encrypted}?ssl_ca_certs={tmp_path / 'certificate.pem'}"
    async with pipe_to(named, name="test") as pipe:
        assert await pipe.call("PING") == b"PONG"


@pytest.mark.parametrize(
    "store", ["rediss://{}", "rediss+sentinel://{}/relay", "rediss+cluster://{}"]
)
async def test_it_is_said_why_a_certificate_is_not_believed(encrypted: str, store: str) -> None:
    with pytest.raises(StoreError, match=r"not believed here \(self.signed.*\).*ssl_ca_certs"):
        async with pipe_to(store.format(encrypted.partition("://")[2]), name="test"):
            pass
