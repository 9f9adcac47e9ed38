"""How fast this party may post. Pure: times are seconds of one monotonic clock, given in."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .wire import BadFrame, Frame, field


@dataclass(frozen=True, slots=True)
class Limits:
    """What the relay allows this party."""

    text_bytes: int
    posts_per_s: float
    in_flight: int

    @classmethod
    def read(cls, frame: Frame) -> Limits:
        """From `attached.limits`. Raises `BadFrame`."""
        limits = cls(
            text_bytes=field(frame, "text_bytes", int),
            posts_per_s=field(frame, "posts_per_s", float),
            in_flight=field(frame, "in_flight", int),
        )
        if limits.in_flight < 1 or not 0 < limits.posts_per_s < math.inf:
            raise BadFrame("limits that allow no post")
        return limits


class Pace:
    """At most `per_s` posts a second, a second's worth at once (but always one).

    The rate belongs to the party, so a new connection does not start it afresh.
    """

    def __init__(self) -> None:
        self._free_at_s = 0.0  # when the posts taken so far are paid for

    def ready_at_s(self, per_s: float) -> float:
        """From when on the next post may go."""
        return self._free_at_s - max(0.0, 1.0 - 1.0 / per_s)

    def take(self, per_s: float, now_s: float) -> None:
        self._free_at_s = max(self._free_at_s, now_s) + 1.0 / per_s
