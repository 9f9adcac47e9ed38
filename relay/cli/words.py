"""Text for people: what others wrote made harmless, and times as a person says them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

# Control characters of both sets (a terminal obeys them), line separators, surrogates, and what
# turns the direction of text (it makes a line read otherwise than it is).
_HARMFUL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def visible(text: str) -> str:
    r"""The text in one line, each character that a terminal would obey written out (`\x1b`)."""
    return _HARMFUL.sub(lambda match: ascii(match[0])[1:-1], text)


def lines_of(text: str) -> list[str]:
    """As `visible`, but line feeds end a line and a tab is four spaces."""
    return [visible(line.replace("\t", "    ")) for line in text.split("\n")]


def clipped(text: str, most: int = 48) -> str:
    """As `visible`, cut to `most` characters."""
    shown = visible(text)
    return shown if len(shown) <= most else shown[: most - 1] + "…"


def moment(at_ms: int) -> str:
    """A time to the second, in this machine's time zone."""
    return _local(at_ms).strftime("%Y-%m-%d %H:%M:%S %Z")


def clock(at_ms: int) -> str:
    """Hours and minutes, in this machine's time zone."""
    return _local(at_ms).strftime("%H:%M")


def duration(span_s: float) -> str:
    """A span of time in its two largest units: `3 h 59 min`."""
    left_s = max(0, round(span_s))
    parts = []
    for name, size_s in (("d", 86400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left_s = divmod(left_s, size_s)
        if count:
            parts.append(f"{count} {name}")
    return " ".join(parts[:2]) or "0 s"


def count_of(number: int, thing: str) -> str:
    """`1 message`, `2 messages`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _local(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone()
