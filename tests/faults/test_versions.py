"""Two versions of the relay on one store, as during a deploy."""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import relay as package
from relay.chaos.traffic import Traffic
from tests.conftest import ROOMY
from tests.support.errands import operators, trips
from tests.support.relay import RelayProcess


@pytest.fixture
async def versions(tmp_path: Path) -> AsyncIterator[tuple[RelayProcess, RelayProcess]]:
    """This version, and another one whose scripts have other hashes."""
    code = tmp_path / "code" / "relay"
    shutil.copytree(
        Path(package.__file__).parent, code, ignore=shutil.ignore_patterns("__pycache__")
    )
    for script in (code / "store" / "scripts").glob("*.lua"):
        script.write_text(f"-- Another version.\n{script.read_text()}")
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    this = RelayProcess(tmp_path / "one", **ROOMY)
    another = RelayProcess(
        tmp_path / "other",
        environment={"PYTHONPATH": str(code.parent), "PYTHONSAFEPATH": "1"},
        **ROOMY,
    )
    another.data = this.data
    async with this, another:
        yield this, another


async def test_two_versions_serve_one_trip_and_one_gives_way_to_the_other(
    versions: tuple[RelayProcess, RelayProcess],
) -> None:
    """The parties of each trip are at both; then each is stopped once and comes back. Other trips are
    opened, reassigned and ended at either meanwhile."""
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    async with Traffic(versions, 3, random.Random(seed), pass_by=2) as traffic:
        for version in versions:
            await version.end(signal.SIGTERM)
            await version.start()
            await traffic.served()
        await traffic.staying[0].reassign()
        await traffic.served()
        account = await traffic.end()
    print(account.figures())
    assert not account.violations()


async def test_either_version_does_everything(
    versions: tuple[RelayProcess, RelayProcess],
) -> None:
    this, another = versions
    await trips(this)
    await operators(another)
