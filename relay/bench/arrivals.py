"""When things begin: schedules that are fixed before the load, whatever the relay does meanwhile.

A load that waits for an answer before it sends the next message sends nothing while the relay
stands still, and so never sees how long that was. These schedules do not wait; latencies are
counted from the moment on the schedule.
"""

from __future__ import annotations

import bisect
import itertools
import math
import random
from collections.abc import Iterable, Iterator
from typing import Final

#: How busy each hour of a day is: people go to work, and home.
_HOURS: Final = (
    2, 1, 1, 1, 2, 5, 12, 20, 18, 11, 8, 9, 10, 9, 8, 9, 12, 18, 22, 17, 11, 8, 6, 4,
)  # fmt: skip


def poisson(per_s: float, source: random.Random) -> Iterator[float]:
    """Moments in seconds from the beginning, as many independent people make them."""
    at_s = 0.0
    while True:
        at_s += source.expovariate(per_s)
        yield at_s


def together(moments: Iterable[float], step_s: float) -> Iterator[float]:
    """The same, but those of one step of time together at its end."""
    for at_s in moments:
        yield math.ceil(at_s / step_s) * step_s


def ride_day(count: int, day_s: float, source: random.Random) -> list[float]:
    """So many moments over a day that lasts `day_s`, with a peak in the morning and one in the
    evening, in order."""
    up_to = list(itertools.accumulate(_HOURS))
    moments = []
    for _ in range(count):
        hour = bisect.bisect_right(up_to, source.random() * up_to[-1])
        moments.append((hour + source.random()) / len(_HOURS) * day_s)
    return sorted(moments)
