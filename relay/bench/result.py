"""What a run found: the document that `--json` prints, the table, the page and `compare` are of.

Names of figures end in their unit (`_per_s`, `_ms`, `_us`, `_kib`, `_mib`); the rest are counts.
"""

from __future__ import annotations

import statistics
from typing import Any, Final

from msgspec import Struct, field

FORMAT: Final = 1


class Point(Struct, omit_defaults=True):
    """One second of a round. Processor time is a share of one core."""

    at_s: float
    accepted_per_s: float
    delivered_per_s: float
    p50_ms: float | None = None
    p99_ms: float | None = None
    cpu: dict[str, float] = {}
    rss_mib: dict[str, float] = {}
    #: What else happened, a second.
    rates: dict[str, float] = {}


class LoadItself(Struct):
    """How near its own limit the load was: the share of a core that each process used, and how late
    the latest event loop was in 99 % of looks at most."""

    cpu_shares: list[float]
    lag_p99_ms: float


class Round(Struct):
    """One measurement of one target."""

    figures: dict[str, float]
    points: list[Point]
    #: (share, milliseconds) of the time from intent to delivery.
    quantiles: list[tuple[float, float]]
    load: LoadItself
    violations: dict[str, int]
    examples: list[str]
    errors: dict[str, int]
    #: Cores that processes outside of the run used meanwhile.
    others_cores: float = 0.0
    #: Messages that were delivered, and so checked, from the first one to the last.
    checked: int = 0
    #: Whose use of the machine was told at first and not at the end.
    silent: list[str] = []


class Spread(Struct):
    """A figure over the rounds."""

    median: float
    least: float
    most: float


class Target(Struct):
    """All rounds of one target."""

    rounds: list[Round]
    summary: dict[str, Spread] = field(default_factory=dict)


class Step(Struct):
    """One rate of a ramp, and why it was the last one; empty if it was within bounds."""

    rate: int
    figures: dict[str, float]
    broke: str


class Ratio(Struct):
    """The relay's figure divided by a peer's, round by round."""

    peer: str
    figure: str
    spread: Spread


class Written(Struct):
    """What has to be known of a document before the rest of it is read."""

    format: int


class Result(Struct, kw_only=True):
    """A whole run."""

    format: int = FORMAT
    scenario: str
    options: dict[str, Any]
    at: str
    machine: dict[str, Any]
    targets: dict[str, Target]
    ratios: list[Ratio] = []
    steps: list[Step] = []
    notes: list[str] = []
    ok: bool = True


def spread(values: list[float]) -> Spread:
    """Median and range."""
    return Spread(statistics.median(values), min(values), max(values))


def summarise(rounds: list[Round]) -> dict[str, Spread]:
    """Each figure that every round has, over the rounds."""
    names = [name for name in rounds[0].figures if all(name in one.figures for one in rounds)]
    return {name: spread([one.figures[name] for one in rounds]) for name in names}


def ratios(targets: dict[str, Target], figures: tuple[str, ...]) -> list[Ratio]:
    """The relay against each other target, by what was measured in the same round."""
    ours = targets["relay"].rounds
    found = []
    for name, target in targets.items():
        for figure in figures:
            pairs = [
                (mine.figures[figure], theirs.figures[figure])
                for mine, theirs in zip(ours, target.rounds, strict=True)
                if mine.figures.get(figure) and theirs.figures.get(figure)
            ]
            if name != "relay" and pairs:
                found.append(Ratio(name, figure, spread([mine / theirs for mine, theirs in pairs])))
    return found
