"""A run: faults one after the other in their arenas, under traffic, in an order drawn by a seed."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from .account import Account, Violation, Wrong
from .arenas import Arena
from .fault import Fault, Scene
from .timeline import Timeline
from .traffic import Traffic

#: How soon the relay has to serve everyone again once a fault is mended.
RECOVERS_WITHIN_S: Final = 45.0
_QUIET_S: Final = 0.3, 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """A fault, how long it lasts, and how long nothing fails afterwards."""

    fault: Fault
    lasts_s: float
    quiet_s: float
    seed: int


@dataclass(frozen=True, slots=True)
class Phase:
    """The steps in one arena."""

    arena: type[Arena]
    seed: int
    steps: list[Step]


@dataclass(slots=True)
class Outcome:
    """What came of a fault. `recovered_s` is None if the relay did not serve again in time."""

    fault: str
    arena: str
    began_s: float
    mended_s: float
    recovered_s: float | None = None
    posted: int = 0
    accepted: int = 0
    delivered: int = 0
    wrong: Counter[Wrong] = field(default_factory=Counter)


@dataclass(slots=True)
class Played:
    """A phase that was played: what came of each fault, and all that was wrong."""

    arena: str
    outcomes: list[Outcome]
    violations: list[Violation]
    timeline: Timeline


def schedule(seed: int, faults: Sequence[Fault], lasts_s: tuple[float, float]) -> Iterator[Phase]:
    """Phases without end: rounds in which each fault comes once in each of its arenas."""
    rng = random.Random(seed)
    while True:
        arenas = list(dict.fromkeys(arena for one in faults for arena in one.arenas))
        rng.shuffle(arenas)
        for arena in arenas:
            here = [one for one in faults if arena in one.arenas]
            rng.shuffle(here)
            steps = [
                Step(one, rng.uniform(*lasts_s), rng.uniform(*_QUIET_S), rng.randrange(2**32))
                for one in here
            ]
            yield Phase(arena, rng.randrange(2**32), steps)


class Run:
    """Plays phases, with all data in `folder`: best one in memory, because a disk that stalls for
    seconds is a fault that no schedule has. `tell` is called with a line for people at each step.
    """

    def __init__(
        self, folder: Path, *, trips: int, pass_by: int, tell: Callable[[str], None]
    ) -> None:
        self._folder = folder
        self._trips, self._pass_by, self._tell = trips, pass_by, tell

    async def play(self, phase: Phase, until_s: float = float("inf")) -> Played:
        """Play a phase; begin none but its first fault after `until_s` of the loop's time."""
        loop = asyncio.get_running_loop()
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            async with phase.arena(Path(folder)) as arena:
                rng = random.Random(phase.seed)
                began_s = loop.time()
                async with Traffic(
                    arena.places,
                    self._trips,
                    rng,
                    pass_by=self._pass_by,
                    replicated=arena.is_replicated,
                ) as traffic:
                    outcomes: list[Outcome] = []
                    for step in phase.steps:
                        if outcomes and loop.time() > until_s:
                            break
                        self._tell(f"{arena.name}: {step.fault.name}, {step.fault.text}")
                        outcomes.append(await self._strike(step, arena, traffic))
                    self._tell(f"{arena.name}: waiting for all that is to come")
                    account = await traffic.end()
                return _played(arena.name, outcomes, account, began_s, loop.time())

    async def _strike(self, step: Step, arena: Arena, traffic: Traffic) -> Outcome:
        loop = asyncio.get_running_loop()
        outcome = Outcome(step.fault.name, arena.name, loop.time(), loop.time())
        scene = Scene(arena, traffic, random.Random(step.seed))
        try:
            async with step.fault.strike(scene):
                await asyncio.sleep(step.lasts_s)
            outcome.mended_s = loop.time()
            await traffic.served(within_s=RECOVERS_WITHIN_S)
            outcome.recovered_s = loop.time() - outcome.mended_s
        except TimeoutError as error:
            traffic.account.saw(Wrong.STUCK, loop.time(), f"{step.fault.name}: {error}")
        await asyncio.sleep(step.quiet_s)
        return outcome


def _played(
    arena: str, outcomes: list[Outcome], account: Account, began_s: float, ended_s: float
) -> Played:
    violations = account.violations()
    # What went before the first fault counts with it, what came after the last with that.
    edges = [began_s, *(one.began_s for one in outcomes[1:]), float("inf")]
    for outcome, from_s, until_s in zip(outcomes, edges, edges[1:], strict=False):
        figures = account.figures(from_s, until_s)
        outcome.posted, outcome.accepted = figures.posted, figures.accepted
        outcome.delivered = figures.delivered
        outcome.wrong.update(one.wrong for one in violations if from_s <= one.at_s < until_s)
    return Played(arena, outcomes, violations, Timeline.of(account, began_s, ended_s))
