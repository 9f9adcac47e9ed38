"""What a node counts. Plain integers on the hot path; `metrics` makes text of them when asked."""

from __future__ import annotations

from collections import Counter


class Counts:
    """Events since the start of this node. Labels are of closed sets: never an id, never a text."""

    __slots__ = (
        "accepted", "attached", "closed", "deferred", "delivered", "detached", "findings", "gaps",
        "published", "receipts",
        "refused", "reports", "suspensions", "swept", "unsure",
    )  # fmt: skip

    def __init__(self) -> None:
        self.accepted = 0
        self.delivered = 0
        self.unsure = 0
        self.deferred = 0
        self.attached = 0
        self.detached = 0
        self.receipts = 0
        self.gaps = 0
        self.published = 0
        self.suspensions = 0
        self.swept = 0
        self.refused: Counter[str] = Counter()
        self.closed: Counter[str] = Counter()
        #: By the guard's class and what was done about it.
        self.findings: Counter[tuple[str, str]] = Counter()
        #: By category; one that was sent again counts again.
        self.reports: Counter[str] = Counter()
