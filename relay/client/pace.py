"""How fast this party may post. Pure: times are seconds of one monotonic clock, given in."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .frames import BadFrame, Frame, field, optional


@dataclass(frozen=True, slots=True)
class Limits:
    """What the relay allows this party."""

    text_bytes: int
    posts_per_s: float
    posts_burst: float
    in_flight: int

    @classmethod
    def read(cls, frame: Frame) -> Limits:
        """From `attached.limits`. Raises `BadFrame`."""
        limits = cls(
            text_bytes=field(frame, "text_bytes", int),
            posts_per_s=field(frame, "posts_per_s", float),
            posts_burst=max(1.0, optional(frame, "posts_burst", float) or 1.0),
            in_flight=field(frame, "in_flight", int),
        )
        if limits.in_flight < 1 or not 0 < limits.posts_per_s < math.inf:
            raise BadFrame("limits that allow no post")
        return limits


class Pace:
    """Keeps posts to the rate and its burst.

    Both belong to the party, so a new connection does not start them afresh.
    """

    def __init__(self) -> None:
        self._paid_s = 0.0  # when the rate has paid for all posts taken so far

    def ready_at_s(self, limits: Limits) -> float:
        """From when on the next post may go."""
        return self._paid_s - (limits.posts_burst - 1.0) / limits.posts_per_s

    def take(self, limits: Limits, now_s: float) -> None:
        """Note a post."""
        self._paid_s = max(self._paid_s, now_s) + 1.0 / limits.posts_per_s
