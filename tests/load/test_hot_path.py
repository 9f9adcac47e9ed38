"""A message's way through the relay's own code has not become much longer.

Machines differ, and a busy one slows everything at once: the time of a message is held against that
of a loop of plain Python, measured right before it in the same process.
"""

from __future__ import annotations

from collections.abc import Callable

import uvloop

from tests.guard.speed import reference_s

from .hot_path import PLAIN, Bench

#: The loop takes as long as 120 messages without digits; half as much again may be chance.
MESSAGE_OF_REFERENCE = 1.5 / 120
_ROUNDS = 40


async def _least_ratio() -> tuple[float, float]:
    bench, least = Bench(PLAIN), (float("inf"), 0.0)
    for _ in range(5):
        await bench.round()
    for _ in range(_ROUNDS):
        reference, took_us = reference_s(), await bench.round()
        least = min(least, (took_us / 1e6 / reference, took_us))
        if least[0] < MESSAGE_OF_REFERENCE * 0.7:
            break
    return least


def test_a_message_costs_no_more_than_it_did(show: Callable[[str], None]) -> None:
    ratio, took_us = uvloop.run(_least_ratio())
    show(f"a message through the relay's own code: {took_us:.1f} us, {ratio:.4f} of the reference")
    assert ratio < MESSAGE_OF_REFERENCE
