"""Many buckets are as many single ones, and those nobody takes from are forgotten."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relay.core.bucket import Bucket
from relay.core.rates import Rates

_ASKED = st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 3)), min_size=1, max_size=200)


@given(st.floats(0.2, 50), st.integers(1, 20), _ASKED)
def test_each_key_has_a_bucket_of_its_own(
    per_s: float, burst: int, asked: list[tuple[str, float]]
) -> None:
    """The same takes as from single buckets, whichever half of the table a key stands in."""
    rates, now_s = Rates(per_s, burst), 1000.0
    single = {key: Bucket(per_s, burst, now_s) for key in "abc"}
    for key, gap_s in asked:
        now_s += gap_s
        waits_s = rates.take(key, now_s), single[key].take(now_s)
        if max(waits_s) > 1e-6:  # else a matter of rounding
            assert abs(waits_s[0] - waits_s[1]) < 1e-6
        elif (waits_s[0] == 0) != (waits_s[1] == 0):
            return


def test_a_charge_takes_what_there_is_and_no_more() -> None:
    rates = Rates(1.0, 10)
    rates.charge("a", 4, 100.0)
    assert [rates.take("a", 100.0) == 0 for _ in range(7)] == [True] * 6 + [False]
    rates.charge("a", 1000, 100.0)
    assert 0.9 < rates.take("a", 100.0) <= 1.0
    assert rates.take("a", 101.0) == 0


def test_who_is_not_seen_is_forgotten() -> None:
    rates = Rates(10.0, 20)  # full after two seconds
    for number in range(10_000):
        rates.take(number, 100 + number / 1000)
    assert len(rates) <= 2 * 2 * 1000
    rates.take("late", 200.0)
    assert len(rates) == 1
