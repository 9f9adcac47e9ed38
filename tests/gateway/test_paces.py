"""How fast each party may post, whatever connections it makes."""

from __future__ import annotations

import random

import pytest

from relay.core.bucket import Bucket
from relay.core.ids import Role
from relay.gateway.paces import Paces

PER_S, BURST = 5.0, 20.0
DRIVER = ("trip", Role.DRIVER)


def burst(pace: Bucket, now_s: float) -> int:
    """How much a party may post at once."""
    count = 0
    while not pace.take(now_s):
        count += 1
    return count


@pytest.mark.parametrize("posts_s", [3.9, 4.5])
def test_who_comes_back_again_and_again_gets_no_whole_burst_anew(posts_s: float) -> None:
    """Neither if it leaves again before it would have been forgotten, nor after that."""
    paces = Paces(PER_S, BURST)
    paces.comes(*DRIVER, 0.0, None)
    paces.leaves(*DRIVER, 0.0)
    pace = paces.comes(*DRIVER, 0.1, 0.1)
    paces.forget_the_rested(posts_s)
    assert burst(pace, posts_s) == BURST
    paces.leaves(*DRIVER, posts_s)
    paces.forget_the_rested(4.6)
    assert burst(paces.comes(*DRIVER, posts_s + 1, posts_s + 0.9), posts_s + 1) == PER_S


@pytest.mark.parametrize("seed", range(5))
def test_coming_and_going_changes_nothing(seed: int) -> None:
    rng, paces, ever = random.Random(seed), Paces(PER_S, BURST), Bucket(PER_S, BURST, 0.0)
    now_s, came_s = 0.0, None

    def pass_time() -> None:
        nonlocal now_s
        now_s += rng.choice((0.0, 0.125, 1.0, 3.75, 4.25))
        paces.forget_the_rested(now_s)

    for _ in range(300):
        pass_time()
        pace = paces.comes(*DRIVER, now_s, None if came_s is None else now_s - came_s)
        came_s = now_s
        pass_time()
        assert burst(pace, now_s) == burst(ever, now_s)
        pass_time()
        paces.leaves(*DRIVER, now_s)


def test_nothing_is_kept_of_who_does_not_come_back() -> None:
    paces = Paces(PER_S, BURST)
    for number in range(100):
        paces.comes(f"trip-{number}", Role.DRIVER, 0.0, None)
    stays, *others = range(100)
    for number in others:
        paces.leaves(f"trip-{number}", Role.DRIVER, number / 100)
    paces.forget_the_rested(4.5)
    assert len(paces) == 1 + 49
    paces.forget_the_rested(5.0)
    assert len(paces) == 1
    paces.forget(f"trip-{stays}", Role.DRIVER)
    assert len(paces) == 0


def test_who_is_new_to_this_node_brings_what_it_has_earned_since_it_came_to_another() -> None:
    for since_last_s, earned in ((None, BURST), (2.0, 10), (3600.0, BURST)):
        assert burst(Paces(PER_S, BURST).comes(*DRIVER, 100.0, since_last_s), 100.0) == earned
