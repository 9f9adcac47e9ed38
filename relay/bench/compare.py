"""Two results side by side: what changed, and whether by more than rounds differ anyway."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from rich.table import Table
from rich.text import Text

from .figures import number, shown
from .result import Result, Spread

#: What a run may differ in and still be compared without a word.
_FREE: Final = frozenset({"seconds", "warm_up_s", "load_processes"})


class Change(NamedTuple):
    """A figure of two runs; `ratio` is that of the second to the first, at least and at most as the
    ranges allow. `is_better` is None where the ranges overlap, neither way is better, or a run has
    no range because it is of one round."""

    target: str
    figure: str
    before: Spread
    after: Spread
    ratio: Spread
    is_better: bool | None


def changes(before: Result, after: Result) -> list[Change]:
    """Each figure that both have."""
    return [
        _change(
            target,
            figure,
            first,
            after.targets[target].summary[figure],
            has_ranges=all(len(one.targets[target].rounds) > 1 for one in (before, after)),
        )
        for target, found in before.targets.items()
        if target in after.targets
        for figure, first in found.summary.items()
        if figure in after.targets[target].summary and first.least > 0
    ]


def _change(
    target: str, figure: str, before: Spread, after: Spread, *, has_ranges: bool
) -> Change:  # fmt: skip
    ratio = Spread(
        after.median / before.median, after.least / before.most, after.most / before.least
    )
    up_is_better = shown(figure).more_is_better
    is_better = None
    if has_ranges and up_is_better is not None and (ratio.least > 1 or ratio.most < 1):
        is_better = (ratio.least > 1) is up_is_better
    return Change(target, figure, before, after, ratio, is_better)


def differences(before: Result, after: Result) -> Iterator[str]:
    """What makes the two runs hard to compare, a line each."""
    if before.targets.keys().isdisjoint(after.targets):
        yield "no target is in both"
    if any(len(one.rounds) == 1 for found in (before, after) for one in found.targets.values()):
        yield (
            "a run of one round has no range, so nothing here tells a change from chance: measure "
            "each with --rounds 5"
        )
    for name in sorted((before.options.keys() | after.options.keys()) - _FREE):
        first, second = before.options.get(name), after.options.get(name)
        if first != second:
            yield f"{name} differs: {_said(first)} and {_said(second)}"
    for name in sorted(before.machine.keys() | after.machine.keys()):
        if before.machine.get(name) != after.machine.get(name):
            yield f"the machines differ in `{name}`"
    for name, result in (("first", before), ("second", after)):
        if not result.ok:
            yield f"the {name} run failed its checks: its figures count for nothing"


def _said(value: Any) -> str:
    return "none" if value is None else str(value)


def table_of(found: list[Change]) -> Table:
    """Aligned: figure, both medians with their ranges, ratio with its range."""
    several = len({change.target for change in found}) > 1
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for heading in ("A", "B", "B / A"):
        table.add_column(heading, justify="right")
        table.add_column("range", justify="right", style="dim")
    table.add_column("", style="dim")
    for change in found:
        known = shown(change.figure)
        style = {True: "green", False: "red", None: ""}[change.is_better]
        label = f"{change.target}: {known.label}" if several else known.label
        table.add_row(
            label, number(change.before.median), _range(change.before),
            number(change.after.median), _range(change.after),
            Text(f"{change.ratio.median:.2f}", style),
            f"{change.ratio.least:.2f} … {change.ratio.most:.2f}", known.unit,
        )  # fmt: skip
    return table


def _range(found: Spread) -> str:
    return f"{number(found.least)} … {number(found.most)}"
