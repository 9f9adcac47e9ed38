"""What a party is stopped from, and since when: a muted one writes only quick replies, one that is
barred altogether has no channel.

A bar counts by the store's clock, as the end of a channel does. An entry of the log that came while
its sender was barred was refused, whatever node wrote it there, and is shown to nobody.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Final, Literal, NamedTuple

Kind = Literal["text", "all"]


class Bar(NamedTuple):
    """`role` is its letter; from `from_ms` until before `until_ms`, by the log's times; `source` is
    on whose account: a sanction's id, or `block`. One that was lifted still says what it stopped.
    """

    role: str
    kind: Kind
    from_ms: int
    until_ms: int
    source: str
    lifted: bool = False


class Bars:
    """The bars of one pairing, as the store has them."""

    __slots__ = ("_bars", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._bars = tuple(Bar(*bar) for bar in json.loads(raw))

    def stops(self, role: str, at_ms: int, message_kind: str) -> Kind | None:
        """What kept this message of that role from being taken at that time of the log."""
        if not self._bars:
            return None
        return _strongest(
            (bar.kind for bar in self._bars
             if bar.role == role and bar.from_ms <= at_ms < bar.until_ms),
            message_kind,
        )  # fmt: skip

    def stops_now(self, role: str, now_ms: int, message_kind: str) -> Kind | None:
        """What keeps such a message of that role from being taken. A bar begins, and is lifted,
        when that is told; only that it lapses is a matter of the clock."""
        if not self._bars:
            return None
        return _strongest((bar.kind for bar in self._holding(role, now_ms)), message_kind)

    def shuts_out(self, role: str, now_ms: int) -> bool:
        """Whether a role has no channel any more."""
        return any(bar.kind == "all" for bar in self._holding(role, now_ms))

    def muted_until(self, role: str, now_ms: int) -> int:
        """Until when a role may write only quick replies; 0 if it may write."""
        mutes = (bar.until_ms for bar in self._holding(role, now_ms) if bar.kind == "text")
        return max(mutes, default=0)

    def _holding(self, role: str, now_ms: int) -> Iterator[Bar]:
        return (
            bar for bar in self._bars
            if bar.role == role and not bar.lifted and now_ms < bar.until_ms
        )  # fmt: skip


def _strongest(kinds: Iterable[Kind], message_kind: str) -> Kind | None:
    found: Kind | None = None
    for kind in kinds:
        if kind == "all":
            return "all"
        if message_kind != "quick":
            found = "text"
    return found


NO_BARS: Final = Bars(b"[]")


def pack_bars(bars: Iterable[Bar]) -> bytes:
    """Bars as the store keeps them."""
    return json.dumps(list(bars), separators=(",", ":")).encode()
