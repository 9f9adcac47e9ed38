"""The token bucket never gives more than its rate allows, whatever the times of asking."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relay.core.bucket import Bucket


@given(st.floats(0.1, 100), st.floats(1, 50), st.lists(st.floats(0, 5), min_size=1, max_size=200))
def test_never_more_than_burst_and_rate(per_s: float, burst: float, gaps: list[float]) -> None:
    bucket, now_s, taken = Bucket(per_s, burst, 0.0), 0.0, 0
    for gap_s in gaps:
        now_s += gap_s
        wait_s = bucket.take(now_s)
        if wait_s == 0.0:
            taken += 1
        else:
            assert Bucket(per_s, burst, now_s, 0.0).take(now_s + wait_s + 1 / per_s) == 0.0
        assert taken <= burst + per_s * now_s + 1e-6


def test_the_advised_wait_is_long_enough() -> None:
    bucket = Bucket(2.0, 1.0, 0.0)
    assert bucket.take(0.0) == 0.0
    wait_s = bucket.take(0.1)
    assert 0 < wait_s <= 0.5
    assert bucket.take(0.1 + wait_s + 1e-9) == 0.0


def test_a_clock_that_stands_still_earns_nothing() -> None:
    bucket = Bucket(1000.0, 2.0, 5.0)
    assert [bucket.take(5.0) == 0.0 for _ in range(4)] == [True, True, False, False]
