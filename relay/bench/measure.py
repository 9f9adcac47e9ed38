"""One round: a load on a target, sampled every second, and the figures of what was measured."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any, Final, Protocol

from .crew import Crew, SecondOfAll
from .histogram import Histogram
from .machine import Others
from .result import LoadItself, Point, Round
from .target import Target
from .watch import Usage, usage_of

_QUANTILES: Final = (
    *(step / 100 for step in range(1, 99)), 0.99, 0.995, 0.998, 0.999, 0.9995, 0.9999, 1.0
)  # fmt: skip
_LONGEST_S: Final = 3600
#: In this order times are told.
_TIMES: Final = (
    "delivery", "accept", "attach", "open", "reassign", "end", "cut", "rough_delivery",
    "rough_accept", "rough_attach",
)  # fmt: skip
_WRONG: Final = ("refused ", "closed ", "unsure", "unanswered", "failed to ")
#: What belongs to the end of a trip, or to a change of its driver.
_AS_EXPECTED: Final = frozenset({
    "closed 4500", "closed 4502", "refused closed", "refused reassigned",
})  # fmt: skip


class Watching(Protocol):
    """Whoever shows how it goes."""

    def doing(self, what: str, share: float) -> None: ...
    def second(self, point: Point, share: float) -> None: ...


class Unwatched:
    """Nobody looks."""

    def doing(self, what: str, share: float) -> None: ...
    def second(self, point: Point, share: float) -> None: ...
    def round(self, number: int, of: int, target: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Course:
    """How long a load goes on. What happens before `warm_up_s` is over is not counted. One that
    `ends_itself` takes about so many seconds, and is not stopped then. For `silence_s` before it
    begins, all that it needs is there and nothing is done."""

    seconds: int
    warm_up_s: int
    processes: int
    ends_itself: bool = False
    silence_s: int = 0


async def measure(
    target: Target, scenario: str, options: dict[str, Any], course: Course, shown: Watching
) -> Round:
    """Put the load on and give what was found. Raises `LoadFailed`."""
    crew = Crew(
        scenario, target.where, options, parts=course.processes, run=secrets.token_hex(3)
    )  # fmt: skip
    samples: list[dict[str, Usage]] = []
    async with crew:
        await crew.ready(shown.doing)
        silence = await _silence(target, course.silence_s) if course.silence_s else {}
        began_s = await crew.go()
        others = Others()
        most = course.warm_up_s + course.seconds
        while True:
            samples.append(await target.usage() | {"load": usage_of(crew.pids)})
            reached = len(samples) - 1
            what, share = crew.doing
            if what:
                shown.doing(what, share)
            elif reached > 1:
                shown.second(_point(crew.seconds, samples, reached - 2), min(1.0, reached / most))
            if reached >= (_LONGEST_S if course.ends_itself else most) or await crew.finished(
                began_s + reached + 1 - time.monotonic()
            ):
                break
        samples.append(await target.usage() | {"load": usage_of(crew.pids)})
        ours_s = sum(
            after.cpu_s - samples[0][name].cpu_s
            for name, after in samples[-1].items()
            if name in samples[0]
        )
        others_cores = round(others.cores(ours_s), 2)
        await crew.stop(shown.doing)
    first = max(0, min(course.warm_up_s, reached - 1))
    found = _round(scenario, crew, samples, first, max(reached, 1))
    for name, cores in silence.items():
        found.figures[f"silent_{name}_cpu_share"] = round(cores, 3)
        used = found.figures.get(f"{name}_cpu_share")
        if used and (each := found.figures.get(f"{name}_cpu_us_per_message")):
            found.figures[f"{name}_cpu_us_per_message_itself"] = round(each * (1 - cores / used), 2)
    found.others_cores = others_cores
    return found


async def _silence(target: Target, seconds: int) -> dict[str, float]:
    """The cores that its processes use while nothing happens."""
    before, began_s = await target.usage(), time.monotonic()
    await asyncio.sleep(seconds)
    after, took_s = await target.usage(), time.monotonic() - began_s
    return {
        name: (used.cpu_s - before[name].cpu_s) / took_s
        for name, used in after.items()
        if name in before
    }


def _cost_of(scenario: str, counts: Counter[str]) -> tuple[str, int]:
    """What the processor time is told for: a message stored, acknowledged and delivered, or what
    else the scenario is about."""
    if scenario == "storm":
        return "attach", counts["attached"]
    if scenario in ("churn", "day"):
        return "trip", counts["end"]
    return "message", min(counts["accepted"], counts["delivered"])


def _held(crew: Crew, samples: list[dict[str, Usage]]) -> dict[str, float]:
    connections = sum(second.counts["attached"] for second in crew.seconds.values())
    found = {"connections": float(connections)}
    if connections and "relay" in samples[0] and "relay" in samples[-1]:
        grown = samples[-1]["relay"].rss_bytes - samples[0]["relay"].rss_bytes
        found["kib_per_connection"] = round(grown / 1024 / connections, 2)
    return found


def _point(seconds: dict[int, SecondOfAll], samples: list[dict[str, Usage]], index: int) -> Point:
    second = seconds.get(index, SecondOfAll())
    took_s = second.took_s or 1.0
    delivery = second.times.get("delivery", Histogram())
    before, after = samples[index], samples[index + 1]
    shared = [name for name in after if name in before]
    return Point(
        at_s=float(index + 1),
        accepted_per_s=second.counts["accepted"] / took_s,
        delivered_per_s=second.counts["delivered"] / took_s,
        p50_ms=_ms(delivery.quantile_s(0.5)),
        p99_ms=_ms(delivery.quantile_s(0.99)),
        cpu={name: round(after[name].cpu_s - before[name].cpu_s, 3) for name in shared},
        rss_mib={name: round(after[name].rss_bytes / 2**20, 2) for name in shared},
        rates={
            name: count / took_s
            for name, count in second.counts.items()
            if name not in ("accepted", "delivered")
        },
    )


def _ms(took_s: float | None) -> float | None:
    return None if took_s is None else round(took_s * 1000, 3)


def _round(
    scenario: str, crew: Crew, samples: list[dict[str, Usage]], first: int, last: int
) -> Round:
    """The round's figures are of its seconds from `first` to before `last`."""
    measured = [crew.seconds[i] for i in range(first, last) if i in crew.seconds]
    counts = Counter[str]()
    times: dict[str, Histogram] = {}
    for second in measured:
        counts.update(second.counts)
        for name, histogram in second.times.items():
            times.setdefault(name, Histogram()).merge(histogram.counts())
    took_s = sum(second.took_s for second in measured) or 1.0
    everything = sum((second.counts for second in crew.seconds.values()), Counter[str]())
    figures: dict[str, float] = {}
    for name, count in counts.items():
        if count and not name.startswith(_WRONG):
            figures[f"{name}_per_s"] = round(count / took_s, 2)
    for name, histogram in sorted(times.items(), key=lambda found: _TIMES.index(found[0])):
        for label, share in (("p50", 0.5), ("p99", 0.99), ("p999", 0.999)):
            took = histogram.quantile_s(share)
            if took is not None:
                figures[f"{name}_{label}_ms"] = round(took * 1000, 3)
    if scenario == "idle":
        # The last look before what was held was let go, against the first before it was there.
        figures |= _held(crew, samples)
    for name in ("relay", "store"):
        if name not in samples[first] or name not in samples[last]:
            continue
        before, after = samples[first][name], samples[last][name]
        used_s = after.cpu_s - before.cpu_s
        figures[f"{name}_cpu_share"] = round(used_s / (last - first), 3)
        what, count = _cost_of(scenario, counts)
        if count:
            figures[f"{name}_cpu_us_per_{what}"] = round(used_s / count * 1e6, 2)
        figures[f"{name}_rss_mib"] = round(after.rss_bytes / 2**20, 1)
    delivery = times.get("delivery", Histogram())
    violations = sum((Counter(done.violations) for done in crew.done), Counter[str]())
    return Round(
        figures=figures,
        points=[_point(crew.seconds, samples, index) for index in range(last)],
        quantiles=[
            (share, round(took * 1000, 3))
            for share in _QUANTILES
            if (took := delivery.quantile_s(share)) is not None
        ],
        load=LoadItself(
            cpu_shares=[round(done.cpu_share, 3) for done in crew.done],
            lag_p99_ms=round(
                max(Histogram(done.lag_times).quantile_s(0.99) or 0.0 for done in crew.done) * 1e3,
                2,
            ),
        ),
        violations=dict(violations),
        examples=[example for done in crew.done for example in done.examples],
        errors={
            name: count
            for name, count in sorted(everything.items())
            if name.startswith(_WRONG) and name not in _AS_EXPECTED and count
        },
        checked=everything["delivered"],
        silent=[name for name in samples[0] if name not in samples[-1]],
    )
