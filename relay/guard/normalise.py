# ruff: noqa: RUF001 - what looks alike is what this is about
"""Folding: the many ways to draw a letter or a digit become one, and each keeps its place.

Latin letters lose case and marks, digits of every script (and circled, raised, full-width, keycap,
CJK ones) become 0-9, letters of other alphabets that look Latin become Latin, invisible characters
and strike-through marks vanish. Scripts that are not drawn like Latin, Thai among them, are kept.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final, NamedTuple

from .masks import without_masks
from .vocabulary import words

#: What lies beyond is not looked at; the caller must refuse longer texts.
MAX_CHARS: Final = 1000

_LOOKS_LATIN: Final = {
    ord(pair[0]): pair[1]
    for pair in words(
        "аa бb вb гr дd еe ёe з3 йu иu кk мm нh оo рp сc тt уy хx фo ьb іi јj ѕs ӏl ԁd ԛq ԝw "
        "һh цu сc оo ҽe αa βb γy εe ηn ιi κk λa μu νv οo πn ρp σo ςc τt υu χx ωw օo հh ոn սu "
        "ցg"
    )
}
_EXTRA: Final = {
    "đ": "d", "ð": "d", "ø": "o", "ł": "l", "ı": "i", "ß": "b", "æ": "ae", "œ": "oe", "þ": "p",
    "ɑ": "a", "ɡ": "g", "ɩ": "i", "ʟ": "l", "ᴏ": "o", "ɴ": "n", "ʀ": "r", "ᴛ": "t", "ᴜ": "u",
    "ᴀ": "a", "ᴇ": "e", "ᴅ": "d", "ᴘ": "p", "ꜱ": "s", "ʙ": "b", "ɢ": "g", "ɪ": "i", "ᴍ": "m",
    "⊘": "0", "∅": "0", "☉": "0", "◯": "0", "⭕": "0", "🅾": "0", "🅰": "a", "🅱": "b", "🅿": "p",
    "©": "c", "®": "r", "℗": "p", "€": "e", "£": "l", "¡": "i", "│": "l", "∣": "l", "ǀ": "l",
    "。": ".", "·": ".", "•": "•", "․": ".", "∙": ".", "⁄": "/", "∕": "/", "／": "/", "＠": "@",
    "﹫": "@", "ⓐ": "a", "➕": "+", "➖": "-", "–": "-", "—": "-", "‑": "-", "−": "-",
    "“": '"', "”": '"', "‘": "'", "’": "'", "…": "...", "\u00a0": " ", "\u3164": " ",
}  # fmt: skip

#: Marks that carry meaning in their script, as letters do; all other marks are dropped.
_KEPT_MARKS: Final = (
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
    "DEVANAGARI",
    "BENGALI",
    "TAMIL",
    "SINHALA",
)


class Folded(NamedTuple):
    """A folded text. `starts[i]` is where its character `i` came from; None: the same place."""

    text: str
    starts: list[int] | None
    length: int

    def __repr__(self) -> str:
        return f"Folded({len(self.text)} characters)"

    def span(self, start: int, end: int) -> tuple[int, int]:
        """The span of the original text that the folded span `start:end` came from."""
        if self.starts is None:
            return start, end
        begin = self.starts[start]
        stop = self.starts[end - 1]
        place = end
        while place < len(self.starts) and self.starts[place] == stop:
            place += 1
        return begin, self.starts[place] if place < len(self.starts) else self.length


#: Characters of which folding makes more than a small letter; digits and ASCII signs stay.
_UNUSUAL: Final = re.compile(r"[^ -~]+")


@lru_cache(maxsize=8192)
def fold_char(char: str) -> str:
    """What one character becomes: usually one, none for what is invisible, two for a ligature."""
    if char in _EXTRA:
        return _EXTRA[char]
    category = unicodedata.category(char)
    if category in {"Cf", "Cc", "Co", "Cs"}:
        if 0xE0030 <= ord(char) <= 0xE0039:  # tag digits
            return str(ord(char) - 0xE0030)
        return "" if char not in "\t\n\r" else " "
    if category[0] == "M":
        return char if unicodedata.name(char, "").startswith(_KEPT_MARKS) else ""
    if 0x1F1E6 <= ord(char) <= 0x1F1FF:  # regional indicators are drawn as letters
        return chr(ord(char) - 0x1F1E6 + 97)
    if char == "🔟":
        return "10"
    value = unicodedata.numeric(char, -1.0)
    if value >= 0 and value == int(value) and value <= 20:
        digits = str(int(value))
        return f" {digits} " if value > 9 and not char.isascii() else digits
    out: list[str] = []
    for part in unicodedata.normalize("NFKD", char.casefold()):
        kind = unicodedata.category(part)
        if kind[0] == "M" and not unicodedata.name(part, "").startswith(_KEPT_MARKS):
            continue
        digit = unicodedata.digit(part, None)
        out.append(str(digit) if digit is not None else _EXTRA.get(part, part))
    return "".join(out).casefold().translate(_LOOKS_LATIN)


def fold(text: str) -> Folded:
    """Fold a text of at most `MAX_CHARS` characters (the rest is cut off)."""
    if len(text) > MAX_CHARS:
        text = text[:MAX_CHARS]
    if text.isascii():
        return Folded(text.lower().replace("\x7f", " "), None, len(text))
    if (rest := without_masks(text)).isascii() and rest.isprintable():
        return Folded(text.lower(), None, len(text))
    parts: list[str] = []
    starts: list[int] = []
    place = 0
    for run in _UNUSUAL.finditer(text):
        start, end = run.span()
        parts.append(text[place:start].lower())
        starts.extend(range(place, start))
        for place, char in enumerate(run.group(), start):
            folded = fold_char(char)
            parts.append(folded)
            starts.extend([place] * len(folded))
        place = end
    parts.append(text[place:].lower())
    starts.extend(range(place, len(text)))
    return Folded("".join(parts), starts, len(text))
