"""What a party is stopped from, and since when: a muted one writes only quick replies, one that is
barred altogether has no channel.

A bar counts by the store's clock, as the end of a channel does. An entry of the log that came while
its sender was barred was refused, whatever node wrote it there, and is shown to nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

Kind = Literal["text", "all"]


class Bar(NamedTuple):
    """`role` is its letter; from `from_ms` until before `until_ms`, by the store's clock; `source`
    is on whose account: a sanction's id, or `block`."""

    role: str
    kind: Kind
    from_ms: int
    until_ms: int
    source: str


class Bars:
    """The bars of one pairing, as the store has them."""

    __slots__ = ("_bars", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._bars = tuple(Bar(*bar) for bar in json.loads(raw))

    def stops(self, role: str, at_ms: int, message_kind: str) -> Kind | None:
        """What kept this message of that role from being taken at that time."""
        found: Kind | None = None
        for bar in self._bars:
            if bar.role == role and bar.from_ms <= at_ms < bar.until_ms:
                if bar.kind == "all":
                    return "all"
                if message_kind != "quick":
                    found = "text"
        return found

    def shuts_out(self, role: str, now_ms: int) -> bool:
        """Whether a role has no channel any more. By any clock: a bar begins when it is told of."""
        return any(
            bar.role == role and bar.kind == "all" and now_ms < bar.until_ms for bar in self._bars
        )

    def muted_until(self, role: str, now_ms: int) -> int:
        """Until when a role may write only quick replies; 0 if it may write."""
        return max(
            (bar.until_ms for bar in self._bars
             if bar.role == role and bar.kind == "text" and bar.from_ms <= now_ms < bar.until_ms),
            default=0,
        )  # fmt: skip


NO_BARS: Final = Bars(b"[]")


def pack_bars(bars: Iterable[Bar]) -> bytes:
    """Bars as the store keeps them."""
    return json.dumps(list(bars), separators=(",", ":")).encode()
