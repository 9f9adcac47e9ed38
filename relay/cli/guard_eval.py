"""`relay guard eval`: the guard's figures on a list of cases, as tables or as JSON."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from rich.progress import track

from ..guard.evaluation.cases import Case, parse_cases
from ..guard.evaluation.figures import (
    MESSAGES_PER_TRIP,
    Figures,
    Outcome,
    Share,
    Speed,
    figures_of,
    run,
    speed_of,
)
from .output import MISUSED, err, fail, out, print_json
from .words import visible

_NAME_WIDTH: Final = 22


def evaluate(file: Path, *, as_json: bool) -> None:
    """Measure the guard on a list, and print."""
    cases = _cases_of(file)
    figures = figures_of(_run(cases))
    try:
        speed = speed_of(cases, time.perf_counter_ns)
    except ValueError:
        speed = None
    if as_json:
        print_json(_document(figures, speed))
    else:
        for line in (*lines_of(figures), *_speed_lines(speed)):
            out.print(line)


def _cases_of(file: Path) -> list[Case]:
    try:
        cases = parse_cases(file.read_text("utf-8").split("\n"))
    except OSError as error:
        fail(f"{file} cannot be read ({error.strerror})", MISUSED)
    except UnicodeDecodeError:
        fail(f"{file} is not UTF-8", MISUSED)
    except ValueError as error:
        fail(f"{file} is not a list of cases: {error}; see `relay guard eval --help`", MISUSED)
    if not cases:
        fail(f"{file} holds no case", MISUSED)
    return cases


def _run(cases: list[Case]) -> list[Outcome]:
    watched = track(cases, "screening", console=err, transient=True, disable=not err.is_terminal)
    return [run(case) for case in watched]


def lines_of(figures: Figures) -> Iterator[str]:
    """The figures as tables of an even width."""
    if figures.micro_recall.cases:
        yield _row("to be stopped", "cases", "stopped", "recall", "95 % interval")
        for share in [*figures.recall, figures.micro_recall]:
            yield _share(share)
        yield _row("mean of the classes", "", "", f"{figures.macro_recall:.3f}")
        yield ""
        for share in (figures.number_forms, figures.otp_requests, figures.oracle_misses):
            if share.cases:
                yield _share(share)
        if any(share.name == "split" for share in figures.recall):
            yield f"of a split number {figures.split_digits_leaked:.1f} digits arrive on average"
        if spans := figures.digits_removed.cases:
            removed, spared = figures.digits_removed.share, figures.rest_spared.share
            yield (
                f"of {spans} redacted numbers {removed:.1%} keep two digits at most; "
                f"around {spared:.1%} of them 90 % of the rest is kept"
            )
        yield ""
    if figures.touched.cases:
        yield _row("to be left alone", "cases", "held back", "warned", "touched", "95 % interval")
        for held, warned in zip(figures.held_back, figures.warned, strict=True):
            yield _touched(held, warned)
        yield _touched(figures.all_held_back, figures.all_warned)
        yield f"at {MESSAGES_PER_TRIP} messages each, {figures.trip_fpr:.2%} of trips are disturbed"
        yield ""


def _speed_lines(speed: Speed | None) -> Iterator[str]:
    if speed is None:
        yield "speed: not measured, for the list has no message without digits that may pass"
        return
    yield f"{speed.stream_per_s:,.0f} messages/s, 70 % of them without a digit, on one core"
    yield (
        f"one without digits or number words takes {speed.clean_median_us:.1f} µs in the median, "
        f"{speed.clean_p99_us:.1f} µs at the 99th percentile, "
        f"and is {speed.clean_median_chars:.0f} characters long in the median"
    )


def _row(name: str, *cells: str) -> str:
    first, *others = cells
    return f"{visible(name):<{_NAME_WIDTH}}{first:>7}" + "".join(f"{one:>15}" for one in others)


def _share(share: Share) -> str:
    return _row(
        share.name, str(share.cases), str(share.hits), f"{share.share:.3f}", _interval(share)
    )


def _touched(held: Share, warned: Share) -> str:
    both = Share(held.name, held.hits + warned.hits, held.cases)
    counts = [str(share.hits) for share in (held, warned)]
    return _row(held.name, str(held.cases), *counts, f"{both.share:.3f}", _interval(both))


def _interval(share: Share) -> str:
    low, high = share.interval
    return f"{low:.3f} to {high:.3f}"


def _document(figures: Figures, speed: Speed | None) -> dict[str, Any]:
    found = {
        name: [_share_document(one) for one in value]
        if isinstance(value, list)
        else _share_document(value)
        if isinstance(value, Share)
        else value
        for name, value in figures._asdict().items()
    }
    return found | {"speed": speed._asdict() if speed is not None else None}


def _share_document(share: Share) -> dict[str, Any]:
    return share._asdict() | {"share": share.share, "interval": share.interval}
