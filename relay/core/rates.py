"""Token buckets for many: those that are full again are forgotten."""

from __future__ import annotations

from collections.abc import Hashable


class Rates:
    """A bucket for each key, as `Bucket` is one: `per_s` tokens a second, up to `burst`.

    A bucket is kept as the time at which all that was taken from it will have been earned. One that
    nobody took from for as long as it takes to fill is as good as new, so whoever was not seen for
    that long is dropped, with the whole half of the table that he stands in: nothing is ever looked
    through. Times are seconds of one clock.
    """

    __slots__ = ("_fill_s", "_new", "_old", "_per_s", "_turn_s")

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._fill_s = burst / per_s
        self._turn_s = 0.0
        self._new: dict[Hashable, float] = {}
        self._old: dict[Hashable, float] = {}

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def take(self, key: Hashable, now_s: float) -> float:
        """Take one token: 0.0 if there was one, else the seconds until there will be."""
        paid_s = self._paid_s(key, now_s) + 1 / self._per_s
        wait_s = paid_s - now_s - self._fill_s
        if wait_s > 1e-9:
            return wait_s
        self._new[key] = paid_s
        return 0.0

    def charge(self, key: Hashable, tokens: float, now_s: float) -> float:
        """Take so many tokens, or as many as there are; give the seconds until all that was taken
        will have been earned."""
        paid_s = self._paid_s(key, now_s) + tokens / self._per_s
        paid_s = self._new[key] = min(paid_s, now_s + self._fill_s)
        return paid_s - now_s

    def _paid_s(self, key: Hashable, now_s: float) -> float:
        if now_s >= self._turn_s:
            self._old = self._new if now_s < self._turn_s + self._fill_s else {}
            self._new = {}
            self._turn_s = now_s + self._fill_s
        return max(now_s, self._new.get(key) or self._old.get(key, 0.0))
