"""Every fault once, for a moment, under traffic whose account is kept: `relay chaos` in short.

Most of the time is spent in waiting for what hangs, so several arenas are played at a time.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.chaos.arenas import Arena, InMemory, OnReplica
from relay.chaos.faults import FAULTS
from relay.chaos.run import Phase, Played, Run, Step

LASTS_S = 1.2
#: How many faults have one arena of their kind after each other.
AT_MOST = 8


def phases(seed: int) -> list[Phase]:
    """Each fault in one arena, and the store's death in each; long phases in pieces."""
    rng = random.Random(seed)
    steps: dict[type[Arena], list[Step]] = {}
    for one in FAULTS.values():
        for arena in one.arenas if one.name in ("store-kill", "disk-full") else one.arenas[-1:]:
            steps.setdefault(arena, []).append(Step(one, LASTS_S, 0.1, rng.randrange(2**32)))
    found = []
    for arena, here in steps.items():
        rng.shuffle(here)
        pieces = -(-len(here) // AT_MOST)
        found += [Phase(arena, rng.randrange(2**32), here[n::pieces]) for n in range(pieces)]
    return found


SEED = int(os.environ.get("SEED", random.SystemRandom().randrange(2**32)))


def half(number: int) -> list[Phase]:
    """One of two halves that take about as long."""
    every = sorted(phases(SEED), key=lambda phase: -len(phase.steps))
    return every[number::2]


@pytest.mark.parametrize("number", [0, 1])
async def test_every_fault_is_survived(
    tmp_path: Path, show: Callable[[str], None], number: int
) -> None:
    print(f"SEED={SEED}")
    run = Run(tmp_path, trips=2, pass_by=2, tell=print)
    played = await asyncio.gather(*(run.play(phase) for phase in half(number)))
    for one in played:
        show(_line(one))
        for violation in one.violations:
            print(f"{one.arena}: {violation.wrong}: {violation.text}")
    assert not any(one.violations for one in played), f"SEED={SEED}"


def _line(played: Played) -> str:
    names = [
        f"{one.fault} {one.posted}/{one.accepted}/{one.delivered} {one.recovered_s:.1f} s"
        for one in played.outcomes
        if one.recovered_s is not None
    ]
    return f"{played.arena}: posted/accepted/delivered, recovery: {', '.join(names)}"


def test_no_fault_is_left_out() -> None:
    found = [step.fault.name for phase in phases(1) for step in phase.steps]
    assert set(found) == set(FAULTS)
    assert len(FAULTS) > 30
    assert {InMemory, OnReplica} <= {phase.arena for phase in phases(1)}


def test_a_seed_repeats_the_order() -> None:
    def order(seed: int) -> list[tuple[str, int]]:
        return [(step.fault.name, step.seed) for phase in phases(seed) for step in phase.steps]

    assert order(7) == order(7) != order(8)
