"""The short version of the soak: hundreds of cycles leave nothing behind."""

from __future__ import annotations

from pathlib import Path

from .soak import soak

CYCLES = 300


async def test_cycles_of_trips_leave_nothing_behind(tmp_path: Path) -> None:
    assert await soak(tmp_path, CYCLES, at_once=16, rounds=2, say=print) == []
