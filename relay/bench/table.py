"""A result as a table in a terminal, and what a person has to know before believing it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from rich.table import Table
from rich.text import Text

from .figures import number, shown
from .result import Result, Round, Spread

#: A load process this busy, or whose event loop was this late, may have measured itself.
BUSY_SHARE: Final = 0.85
LATE_MS: Final = 5.0
#: Errors by which a relay says that it was asked for more than it is set to take.
_LIMITS: Final = frozenset({
    "refused too_many", "refused in_flight", "refused channel_full", "closed 4004",
})  # fmt: skip


def table_of(result: Result) -> Table:
    """Every figure, a line each; with several targets, side by side with the ratio."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column(result.scenario, no_wrap=True)
    has_rounds = any(len(target.rounds) > 1 for target in result.targets.values())
    for name in result.targets:
        table.add_column(name, justify="right")
        if has_rounds:
            table.add_column("range", justify="right", style="dim")
    table.add_column("", style="dim")
    peers = [name for name in result.targets if name != "relay"]
    for peer in peers:
        table.add_column(f"relay / {peer}", justify="right")
        if has_rounds:
            table.add_column("range", justify="right", style="dim")
    ratios = {(ratio.peer, ratio.figure): ratio.spread for ratio in result.ratios}
    figures = list(dict.fromkeys(n for one in result.targets.values() for n in one.summary))
    for figure in filter(is_told, figures):
        cells = [shown(figure).label]
        for target in result.targets.values():
            cells += _cells(target.summary.get(figure), has_rounds)
        cells.append(shown(figure).unit)
        for peer in peers:
            cells += _cells(ratios.get((peer, figure)), has_rounds)
        table.add_row(*cells)
    return table


def is_told(figure: str) -> bool:
    """One in a thousand is told of deliveries alone; the rest is in the document."""
    return not figure.endswith("_p999_ms") or figure == "delivery_p999_ms"


def steps_of(result: Result) -> Table:
    """The rates of a ramp."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("messages/s", "delivered/s", "p50 ms", "p99 ms", "server CPU"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for step in result.steps:
        names = ("delivered_per_s", "delivery_p50_ms", "delivery_p99_ms", "relay_cpu_share")
        cells = [number(step.figures[name]) if name in step.figures else "-" for name in names]
        table.add_row(f"{step.rate:,}", *cells, Text(step.broke, "yellow"))
    return table


def _cells(found: Spread | None, has_range: bool) -> list[str]:
    if found is None:
        return ["-", ""] if has_range else ["-"]
    cells = [number(found.median)]
    if has_range:
        cells.append(f"{number(found.least)} … {number(found.most)}")
    return cells


def verdict_of(result: Result) -> Iterator[Text]:
    """Whether the run counts, line by line."""
    for name, target in result.targets.items():
        wrong = [one for one in target.rounds if one.violations]
        if wrong:
            for one in wrong:
                kinds = ", ".join(f"{count} {kind}" for kind, count in one.violations.items())
                yield Text(f"FAILED: {name}: {kinds}. Its figures count for nothing.", "bold red")
            for example in wrong[0].examples[:5]:
                yield Text(f"  {example}", "red")
        elif name == "relay":
            yield _checked(result, sum(one.checked for one in target.rounds))
        errors = sum((Counter(one.errors) for one in target.rounds), Counter[str]())
        if errors:
            listed = ", ".join(f"{count:,} {code}" for code, count in sorted(errors.items()))
            yield Text(f"{name}: errors that an app would have met: {listed}", "yellow")
        if not _LIMITS.isdisjoint(errors):
            yield Text(
                f"{name}: its limits turned some of the load away, so the figures are of these: "
                "raise those that deploy/LOADTEST.md names, or load it less",
                "yellow",
            )
        yield _load_line(name, target.rounds)
    for note in result.notes:
        yield Text(note, "yellow")


def _checked(result: Result, messages: int) -> Text:
    """What "correct" is said of."""
    if not result.ok:
        return Text(
            "FAILED: no message came through in one round at least, so nothing was checked",
            "bold red",
        )
    if not messages:
        return Text("no message was part of this, so none was checked", "dim")
    return Text(
        f"correct: nothing lost, doubled, reordered, late, altered or leaked of {messages:,} "
        "messages, and nobody left attached",
        "green",
    )


def _load_line(name: str, rounds: list[Round]) -> Text:
    share = max(max(one.load.cpu_shares) for one in rounds)
    lag_ms = max(one.load.lag_p99_ms for one in rounds)
    processes = len(rounds[0].load.cpu_shares)
    text = (
        f"load on {name}: {processes} process{'' if processes == 1 else 'es'}, the busiest used "
        f"{share:.0%} of a core, its event loop was late by {lag_ms:.1f} ms (p99)"
    )
    if share > BUSY_SHARE:
        return Text(f"{text}: near its own limit, the relay may do more", "yellow")
    if lag_ms > LATE_MS:
        return Text(f"{text}: it had to wait for a core, so latencies are too high", "yellow")
    return Text(text, "dim")
