"""Taking spans out of a text, and no more than those."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from .masks import CONTACT_MASK, MASK

#: Between two spans: signs, and at most one letter on its own ("0x8x1x2").
_NO_WORDS: Final = re.compile(r"[\W_]*(?:[^\W\d_](?=[\W\d_]|$))?[\W_]*\Z")
_CLOSE: Final = 12


class Span(NamedTuple):
    """A part of a text that is to go, and whether it is digits (or else a contact)."""

    start: int
    end: int
    digits: bool


def redacted(text: str, spans: Iterable[Span]) -> str:
    """The text with a mask for each of the spans, which are in order and apart."""
    out: list[str] = []
    place = 0
    for start, end, digits in spans:
        out += (text[place:start], MASK if digits else CONTACT_MASK)
        place = end
    out.append(text[place:])
    return "".join(out)


def merged(text: str, spans: Iterable[Span]) -> list[Span]:
    """Spans in order; those with only signs between them are one."""
    out: list[Span] = []
    for span in sorted(spans):
        if out and _touches(text, out[-1], span):
            last = out[-1]
            out[-1] = Span(last.start, max(last.end, span.end), last.digits or span.digits)
        else:
            out.append(span)
    return out


def _touches(text: str, last: Span, span: Span) -> bool:
    if span.start <= last.end:
        return True
    gap = text[last.end : span.start]
    return len(gap) < _CLOSE and _NO_WORDS.match(gap) is not None
