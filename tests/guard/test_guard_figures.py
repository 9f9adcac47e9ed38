"""The guard's figures on its lists, printed and held against their bars.

The frozen list is reported and never tuned on: of it nothing is printed but counts.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from relay.cli.guard_eval import lines_of
from relay.guard.evaluation.cases import Case, parse_cases
from relay.guard.evaluation.figures import Figures, Outcome, Share, figures_of, run, wilson

DATA = Path(__file__).parents[1] / "data/guard"
TUNED_ON = ("public", "dev", "second")


def cases_of(name: str) -> list[Case]:
    return parse_cases((DATA / f"{name}.tsv").read_text("utf-8").split("\n"))


@lru_cache
def outcomes_of(*names: str) -> list[Outcome]:
    return [run(case) for name in names for case in cases_of(name)]


@lru_cache
def figures_on(*names: str) -> Figures:
    return figures_of(outcomes_of(*names))


def recall(class_: str) -> Share:
    return next(share for share in figures_on(*TUNED_ON).recall if share.name == class_)


def table(title: str, figures: Figures) -> str:
    return "\n".join(["", title, "", *lines_of(figures)])


def test_the_figures_are_shown(show: Callable[[str], None]) -> None:
    for name in TUNED_ON:
        show(table(f"the guard on {name}.tsv, which its rules may be tuned on", figures_on(name)))
    show(table("the guard on frozen.tsv, written without sight of its rules", figures_on("frozen")))
    missed = Counter(
        one.case.kind for one in outcomes_of("frozen") if one.case.bad and not one.stopped
    )
    show("missed by kind: " + ", ".join(f"{kind} {n}" for kind, n in missed.most_common()))


def test_numbers_in_any_form_are_stopped() -> None:
    assert figures_on(*TUNED_ON).number_forms.share >= 0.97


def test_links_and_e_mail_are_stopped() -> None:
    assert recall("links and e-mail").share >= 0.97


def test_handles_are_stopped() -> None:
    assert recall("handles").share >= 0.85


def test_split_numbers_are_stopped() -> None:
    assert recall("split").share >= 0.95


def test_requests_for_codes_are_stopped() -> None:
    assert figures_on(*TUNED_ON).otp_requests.share >= 0.92


def test_normal_talk_is_left_alone() -> None:
    assert figures_on(*TUNED_ON).touched.share <= 0.01


def test_the_parties_own_numbers_are_always_stopped() -> None:
    assert figures_on(*TUNED_ON).oracle_misses.hits == 0


def test_the_lists_measure_all_that_has_a_bar() -> None:
    figures = figures_on(*TUNED_ON)
    assert figures.number_forms.cases > 600
    assert figures.otp_requests.cases > 80
    assert figures.oracle_misses.cases > 80
    assert figures.touched.cases > 900
    assert all(recall(name).cases > 140 for name in ("links and e-mail", "handles", "split"))


def test_the_frozen_list_is_as_it_was_frozen() -> None:
    kept, name = (DATA / "SHA256SUMS").read_text().split()
    assert name == "frozen.tsv"
    assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == kept


def test_the_frozen_list_is_large_enough() -> None:
    cases = cases_of("frozen")
    by_class = Counter(case.class_ for case in cases)
    by_language = Counter(case.language for case in cases if case.bad)
    assert by_class.pop("hard negatives") >= 1000
    assert len(by_class) == 9
    assert min(by_class.values()) >= 100
    assert by_language.keys() == {"id", "jv", "su", "en", "ms", "tl", "th", "vi"}
    assert min(by_language.values()) >= 30


def test_no_case_is_counted_twice() -> None:
    every = [case.turns for name in (*TUNED_ON, "frozen") for case in cases_of(name)]
    again = sum(n - 1 for n in Counter(every).values())
    assert again == 0


def test_the_wilson_interval_of_nothing_found_in_many() -> None:
    low, high = wilson(0, 6000)
    assert low < 1e-9
    assert 0.0006 < high < 0.00065
