"""How fast each party may post. Its pace outlives its connections: whoever left in the middle of a
burst and comes back finds what is left of it, and what was earned since.

Of who stays away it is forgotten, once there would be a whole burst again.
"""

from __future__ import annotations

from ..core.bucket import Bucket
from ..core.ids import Role


class Paces:
    """Those of the parties of one node. Times are seconds of one clock."""

    __slots__ = ("_away", "_buckets", "_burst", "_per_s")

    def __init__(self, per_s: float, burst: float) -> None:
        self._per_s = per_s
        self._burst = burst
        self._buckets: dict[tuple[str, Role], Bucket] = {}
        #: Of parties that left, by when each has a whole burst again, the earliest first.
        self._away: dict[tuple[str, Role], float] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def comes(self, trip: str, role: Role, now_s: float, since_last_s: float | None) -> Bucket:
        """A party is here; give what its posts are to be taken from. If this node knows nothing of
        its pace, it brings what it has earned since it came to any node for the last time, if it
        did."""
        pace = self._buckets.get((trip, role))
        if pace is None:
            earned = None if since_last_s is None else since_last_s * self._per_s
            pace = self._buckets[trip, role] = Bucket(self._per_s, self._burst, now_s, earned)
        self._away.pop((trip, role), None)
        return pace

    def leaves(self, trip: str, role: Role, now_s: float) -> None:
        """A party is gone, and may come back."""
        self._away[trip, role] = now_s + self._burst / self._per_s

    def forget(self, trip: str, role: Role) -> None:
        """A party's time here is over."""
        self._buckets.pop((trip, role), None)
        self._away.pop((trip, role), None)

    def forget_the_rested(self, now_s: float) -> None:
        """Forget who has been away for so long that anew is as good. To be called now and then."""
        rested = []
        for party, rested_s in self._away.items():
            if rested_s > now_s:
                break
            rested.append(party)
        for party in rested:
            self.forget(*party)
