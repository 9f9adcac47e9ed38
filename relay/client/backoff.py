"""How long to wait before the next connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

BASE_S: Final = 0.5
CAP_S: Final = 30.0

#: A connection that stayed attached this long starts the count of tries anew.
STEADY_S: Final = 60.0

#: No advice is followed for longer: a mistaken figure must not silence an app for good.
ADVICE_CAP_S: Final = 3600.0


def full_jitter_s(tries: int, rng: Callable[[], float]) -> float:
    """A random time between 0 and `min(30 s, 0.5 s * 2**tries)`.

    `tries` counts the failures in a row before this one, so it is 0 for the first. `rng` draws
    from [0, 1). All apps of a node drop at the same moment: what spreads them is that the whole
    span is drawn, the first time too.
    """
    return rng() * min(CAP_S, BASE_S * 2.0 ** min(tries, 16))


def reconnect_delay_s(tries: int, advised_ms: int | None, rng: Callable[[], float]) -> float:
    """The delay before try number `tries`: what the relay advised, which it spreads itself."""
    if not advised_ms:
        return full_jitter_s(tries, rng)
    return min(ADVICE_CAP_S, advised_ms / 1000)
