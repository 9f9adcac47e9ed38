"""How much was posted, accepted and delivered in each tenth of a second. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .account import Account

BIN_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Timeline:
    """Counts per `BIN_S` from `began_s` on."""

    began_s: float
    posted: list[int]
    accepted: list[int]
    delivered: list[int]

    @classmethod
    def of(cls, account: Account, began_s: float, ended_s: float) -> Timeline:
        bins = max(1, round((ended_s - began_s) / BIN_S))
        found = cls(began_s, [0] * bins, [0] * bins, [0] * bins)
        for post in account.posts.values():
            found._count(found.posted, post.posted_s)
            if post.accepted_s is not None:
                found._count(found.accepted, post.accepted_s)
            for _, at_s in post.shown[:1]:
                found._count(found.delivered, at_s)
        return found

    def _count(self, counts: list[int], at_s: float) -> None:
        counts[min(len(counts) - 1, max(0, int((at_s - self.began_s) / BIN_S)))] += 1
