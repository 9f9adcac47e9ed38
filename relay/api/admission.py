"""How many calls at a time, and how fast: each key within its rate, and all of them within a bound.

What is over it is answered at once and asks nothing of the store, so that a caller in a loop, or a
store that hangs, costs the other callers little.
"""

from __future__ import annotations

import math
import time
from contextlib import AbstractContextManager

from ..core.rates import Rates
from .limits import Limits
from .problems import Code, Problem

#: Bursts are of four seconds' worth.
_BURST_S = 4


class Admission:
    """The book of one node's calls."""

    def __init__(self, limits: Limits) -> None:
        self._places = _Places(limits.calls_at_a_time)
        self._of_platform = _rates(limits.calls_per_s)
        self._of_staff = _rates(limits.staff_calls_per_s)
        self._of_strangers = _rates(limits.unknown_keys_per_s)

    def answering(self) -> AbstractContextManager[None]:
        """Answer a call, or raise `Problem` if too many are being answered."""
        return self._places

    def calls(self, key_id: str, *, is_platform: bool) -> None:
        """Note a call with a good key. Raises `Problem` beyond its rate."""
        _take(self._of_platform if is_platform else self._of_staff, key_id)

    def shows_unknown_key(self, address: str) -> None:
        """Note a key that this node has not seen to be good. Raises `Problem` beyond the rate of
        the address that it comes from."""
        _take(self._of_strangers, address)


class _Places:
    """So many may be held at a time."""

    __slots__ = ("_free",)

    def __init__(self, count: int) -> None:
        self._free = count

    def __enter__(self) -> None:
        if not self._free:
            raise Problem(
                Code.OVERLOADED,
                "This node is answering as many calls as it may, so nothing was done. Repeat the "
                "call as it is after the time in `Retry-After`.",
            )
        self._free -= 1

    def __exit__(self, *_: object) -> None:
        self._free += 1


def _rates(per_s: float) -> Rates:
    return Rates(per_s, max(1.0, _BURST_S * per_s))


def _take(rates: Rates, key: str) -> None:
    wait_s = rates.take(key, time.monotonic())
    if wait_s:
        raise Problem(
            Code.RATE,
            "Too many calls in a short time, so nothing was done. Repeat the call as it is after "
            "the time in `Retry-After`.",
            headers={"retry-after": str(math.ceil(wait_s))},
        )
