"""A whole run: so many rounds, on the relay and on the peers in turn, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from . import result
from .machine import described
from .measure import Course, Watching, measure
from .result import Result, Round
from .target import Target

#: What is told of the relay against a peer.
_COMPARED: Final = (
    "accepted_per_s", "delivered_per_s", "accept_p50_ms", "accept_p99_ms", "delivery_p50_ms",
    "delivery_p99_ms", "delivery_p999_ms", "relay_cpu_us_per_message", "store_cpu_us_per_message",
    "relay_rss_mib",
)  # fmt: skip
_BUSY_CORES: Final = 0.3

Opened = Callable[[], AbstractAsyncContextManager[Target]]


class Showing(Watching, Protocol):
    """Whoever shows how the run goes."""

    def round(self, number: int, of: int, target: str) -> None: ...


async def run(
    targets: dict[str, Opened], scenario: str, options: dict[str, Any], course: Course,
    rounds: int, shown: Showing,
) -> Result:  # fmt: skip
    """Measure each target in each round, one after the other; each round has a fresh one."""
    found: dict[str, list[Round]] = {name: [] for name in targets}
    for number in range(rounds):
        for name, opened in targets.items():
            shown.round(number + 1, rounds, name)
            async with opened() as target:
                what = scenario if name == "relay" else f"{scenario} on {name}"
                found[name].append(await measure(target, what, options, course, shown))
    return concluded(found, scenario, options, course)


def _says_nothing(scenario: str, options: dict[str, Any]) -> bool:
    """Whether no message is meant to be delivered: there is nothing to check then."""
    said = {"churn": "messages", "storm": "missed"}.get(scenario)
    return said is not None and not options[said]


def concluded(
    found: dict[str, list[Round]], scenario: str, options: dict[str, Any], course: Course
) -> Result:
    """The result of what was found."""
    targets = {
        name: result.Target(rounds, result.summarise(rounds)) for name, rounds in found.items()
    }
    busy = max(one.others_cores for rounds in found.values() for one in rounds)
    notes = []
    if busy > _BUSY_CORES:
        notes.append(
            f"other processes of this machine used up to {busy:.1f} cores meanwhile: compare only "
            "within this run"
        )
    notes += [
        f"{name}: what the {what} used is not told: a process of it ended meanwhile, or its "
        "metrics did not come"
        for name, rounds in found.items()
        for what in sorted({what for one in rounds for what in one.silent})
    ]
    took = {"seconds": course.seconds, "warm_up_s": course.warm_up_s}
    if course.ends_itself:
        took = {}
    if course.silence_s:
        took["silence_s"] = course.silence_s
    return Result(
        scenario=scenario,
        options=options | took | {"load_processes": course.processes},
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=described(),
        targets=targets,
        ratios=result.ratios(targets, _COMPARED) if len(targets) > 1 else [],
        notes=notes,
        ok=all(
            not one.violations and (one.checked or _says_nothing(scenario, options))
            for one in targets["relay"].rounds
        ),
    )  # fmt: skip
