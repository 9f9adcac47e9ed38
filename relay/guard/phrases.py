"""A notation for word lists, so that rules can be read and edited as running text, by language.

`_` stands for a space inside a phrase, a final `*` for any ending, a final `~` for none or one of
the endings that mean "the", "my", "your" in Indonesian, Javanese, Sundanese and Malay. A word is
only found whole; Thai, which is written without spaces, is found anywhere.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

from .vocabulary import words

#: What `~` stands for.
ENDINGS: Final = words("nya nyo ny ne na nipun mu ku lu kah lah e u 2")
_ATOMS: Final = {
    "_": r"\s{1,3}",
    "*": r"[a-z0-9]*",
    "~": rf"-?(?:{'|'.join(ENDINGS)})?",
}


def forms(text: str) -> frozenset[str]:
    """All forms of the words of a text, in which `~` is the only sign, to be looked up whole."""
    plain = {word.removesuffix("~") for word in words(text)}
    stems = [word[:-1] for word in words(text) if word[-1] == "~"]
    return frozenset(plain | {stem + ending for stem in stems for ending in ENDINGS})


def pattern_of(**languages: str) -> str:
    """An expression that matches any of the phrases; it has no groups that capture."""
    phrases = {
        unicodedata.normalize("NFKD", phrase)
        for text in languages.values()
        for phrase in words(text)
    }
    whole = [_atoms(phrase) for phrase in phrases if phrase.isascii()]
    others = [_atoms(phrase) for phrase in phrases if not phrase.isascii()]
    found: list[str] = []
    if whole:
        found.append(rf"(?<![a-z0-9]){alternation(whole)}(?![a-z0-9])")
    if others:
        found.append(alternation(others))
    return rf"(?:{'|'.join(found)})"


def phrases(**languages: str) -> re.Pattern[str]:
    """A compiled `pattern_of`."""
    return re.compile(pattern_of(**languages))


def _atoms(phrase: str) -> tuple[str, ...]:
    return tuple(_ATOMS.get(char) or re.escape(char) for char in phrase)


def alternation(rows: Iterable[tuple[str, ...]]) -> str:
    """Rows of atoms as one expression in which those that begin alike share their beginning.

    A plain alternation is tried word by word at every place of a text; this one is read once.
    """
    after: dict[str, list[tuple[str, ...]]] = {}
    ends = False
    for row in sorted(rows):
        if row:
            after.setdefault(row[0], []).append(row[1:])
        else:
            ends = True
    branches = [first + alternation(rest) for first, rest in after.items()]
    if not branches:
        return ""
    joined = branches[0] if len(branches) == 1 and not ends else f"(?:{'|'.join(branches)})"
    return f"{joined}?" if ends else joined


def near(first: re.Pattern[str], second: re.Pattern[str], text: str, reach: int) -> bool:
    """Whether both occur, apart, with at most `reach` characters between them."""
    others = [match.span() for match in second.finditer(text)]
    for match in first.finditer(text) if others else ():
        start, end = match.span()
        if any(0 <= a - end <= reach or 0 <= start - b <= reach for a, b in others):
            return True
    return False
