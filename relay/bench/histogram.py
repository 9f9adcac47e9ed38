"""How long things took, in buckets that are 1.6 % wide: small to send, quick to add up."""

from __future__ import annotations

from collections.abc import Mapping
from math import frexp
from typing import Final, Self

#: Buckets in each doubling of a time, from 2^_LEAST to 2^_MOST seconds (a microsecond to 256 s).
_HALVES: Final = 64
_LEAST, _MOST = -20, 8
_NO_TIME_S: Final = 2.0**_LEAST
_OFFSET: Final = -(_LEAST * _HALVES) - _HALVES
_BUCKETS: Final = (_MOST - _LEAST + 1) * _HALVES


def bucket_of(took_s: float) -> int:
    """The bucket of a time."""
    part, power = frexp(took_s or _NO_TIME_S)
    bucket = power * _HALVES + int(part * 2 * _HALVES) + _OFFSET
    return 0 if bucket < 0 else bucket if bucket < _BUCKETS else _BUCKETS - 1


def upper_s(bucket: int) -> float:
    """The longest time that a bucket stands for."""
    power, step = divmod(bucket - _OFFSET, _HALVES)
    return (step + _HALVES + 1) / (2 * _HALVES) * 2.0 ** (power - 1)


class Histogram:
    """Counts of times. `add` is what a load generator does for each message, so it is bare."""

    __slots__ = ("_counts",)

    def __init__(self, counts: Mapping[int, int] | None = None) -> None:
        self._counts = [0] * _BUCKETS
        for bucket, count in (counts or {}).items():
            self._counts[bucket] = count

    def add(self, took_s: float) -> None:
        part, power = frexp(took_s or _NO_TIME_S)
        bucket = power * 64 + int(part * 128) + _OFFSET
        if 0 <= bucket < _BUCKETS:
            self._counts[bucket] += 1
        else:
            self._counts[bucket_of(took_s)] += 1

    def merge(self, counts: Mapping[int, int]) -> None:
        for bucket, count in counts.items():
            self._counts[bucket] += count

    def counts(self) -> dict[int, int]:
        """Buckets that hold anything."""
        return {bucket: count for bucket, count in enumerate(self._counts) if count}

    def __len__(self) -> int:
        return sum(self._counts)

    def quantile_s(self, share: float) -> float | None:
        """The time that `share` (0 to 1) of all took at most; None where nothing was counted."""
        counts = self.counts()
        wanted, seen = share * sum(counts.values()), 0
        for bucket, count in counts.items():
            seen += count
            if seen >= wanted:
                return upper_s(bucket)
        return None

    @classmethod
    def of(cls, parts: list[dict[int, int]]) -> Self:
        joined = cls()
        for part in parts:
            joined.merge(part)
        return joined
