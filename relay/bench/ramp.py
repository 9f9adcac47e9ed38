"""A ramp: the rate of an open loop is raised until a bound breaks. Where that is, is the knee."""

from __future__ import annotations

from typing import Any, Final

from .measure import Course, measure
from .result import Result, Round, Step
from .run import Opened, Showing, concluded

#: From one rate to the next.
_FACTOR: Final = 1.25
#: A relay that carries less of a rate than this does not carry it.
_CARRIED: Final = 0.97
_MOST_STEPS: Final = 40


async def ramp(
    opened: Opened, options: dict[str, Any], course: Course, shown: Showing
) -> Result:  # fmt: skip
    """Raise the rate from `from` until the p99 of delivery exceeds `p99_ms`, messages are refused,
    or fewer come through than are sent; one relay, with fresh trips at each rate."""
    rate, steps, rounds = int(options["from"]), list[Step](), list[Round]()
    async with opened() as target:
        for number in range(_MOST_STEPS):
            shown.round(number + 1, 0, f"{rate:,} messages/s")
            found = await measure(
                target, "open", {"rate": rate, "trips": options["trips"]}, course, shown
            )  # fmt: skip
            broke = broken(found, rate, options["p99_ms"])
            steps.append(Step(rate, found.figures, broke))
            rounds.append(found)
            if broke:
                break
            rate = round(rate * _FACTOR)
    return told(steps, rounds, options, course)


def broken(found: Round, rate: int, p99_ms: float) -> str:
    """Which bound a round broke; empty if none."""
    if found.violations:
        return "messages went wrong: " + ", ".join(found.violations)
    if found.errors:
        return "errors: " + ", ".join(f"{n} {name}" for name, n in found.errors.items())
    # So many were meant to be sent: at random moments, so a few more or less than the rate.
    meant = found.figures.get("posted_per_s", float(rate))
    carried = found.figures.get("delivered_per_s", 0.0)
    if carried < _CARRIED * meant:
        return f"only {carried:,.0f} of {meant:,.0f} messages/s came through"
    p99 = found.figures.get("delivery_p99_ms", 0.0)
    return f"delivery p99 was {p99:,.1f} ms" if p99 > p99_ms else ""


def told(steps: list[Step], rounds: list[Round], options: dict[str, Any], course: Course) -> Result:
    """The figures are those of the last rate that was within bounds; of the first one, if none.
    What went wrong is that of the rate at which it did, which is the last."""
    within = [number for number, step in enumerate(steps) if not step.broke]
    last = within[-1] if within else 0
    if within:
        rounds[last].figures = {"knee_per_s": float(steps[last].rate), **rounds[last].figures}
    rounds[last].violations, rounds[last].examples = rounds[-1].violations, rounds[-1].examples
    found = concluded({"relay": [rounds[last]]}, "ramp", options, course)
    found.steps = steps
    end = steps[-1]
    if not within:
        found.notes.insert(0, f"no rate was within bounds: at {end.rate:,}/s {end.broke}")
    elif end.broke:
        found.notes.insert(0, f"knee: {steps[last].rate:,}/s. At {end.rate:,}/s {end.broke}")
    return found
