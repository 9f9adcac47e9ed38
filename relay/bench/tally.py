"""What a load process has seen in the current second."""

from __future__ import annotations

from collections import Counter, defaultdict

from .histogram import Histogram


class Tally:
    """Counts and times, by name. `take` gives them and starts anew.

    Deliveries and acceptances, of which there are tens of thousands a second, have fields of their
    own instead of names.
    """

    def __init__(self) -> None:
        self.accepted = 0
        self.delivered = 0
        #: From the moment a message was meant to be sent until it was accepted, or delivered.
        self.accept = Histogram()
        self.delivery = Histogram()
        self.counts: Counter[str] = Counter()
        self.times: defaultdict[str, Histogram] = defaultdict(Histogram)

    def take(self) -> tuple[dict[str, int], dict[str, dict[int, int]]]:
        counts = {"accepted": self.accepted, "delivered": self.delivered, **self.counts}
        histograms = {"accept": self.accept, "delivery": self.delivery, **self.times}
        times = {name: found.counts() for name, found in histograms.items()}
        self.__init__()  # type: ignore[misc]
        return counts, {name: found for name, found in times.items() if found}
