"""A token bucket: a steady rate with room for a burst."""

from __future__ import annotations


class Bucket:
    """Holds up to `burst` tokens, refilled at `per_s` a second. Times are seconds of one clock."""

    __slots__ = ("_at_s", "_burst", "_level", "_per_s")

    def __init__(
        self, per_s: float, burst: float, now_s: float, level: float | None = None
    ) -> None:
        self._per_s = per_s
        self._burst = burst
        self._at_s = now_s
        self._level = burst if level is None else min(level, burst)

    def take(self, now_s: float) -> float:
        """Take one token: 0.0 if there was one, else the seconds until there will be."""
        level = self._level
        if now_s > self._at_s:
            level += (now_s - self._at_s) * self._per_s
            if level > self._burst:
                level = self._burst
        self._at_s = now_s
        if level >= 1.0:
            self._level = level - 1.0
            return 0.0
        self._level = level
        return (1.0 - level) / self._per_s
