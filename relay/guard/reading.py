"""A message as the rules see it: folded, in tokens, with its digits and their contexts."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from .context import contexts_of
from .lexicon import VIETNAMESE
from .normalise import Folded
from .tokens import (
    WORD,
    Token,
    Unit,
    read_units,
    tokens_of,
)  # fmt: skip

_LETTERS: Final = re.compile(r"[a-z]+")


class Reading(NamedTuple):
    """`units` are surely digits, `loose` also those that may be; `words` are the text's words."""

    folded: str
    tokens: list[Token]
    units: list[Unit]
    contexts: list[int]
    loose: list[Unit]
    words: frozenset[str]

    def __repr__(self) -> str:
        return f"Reading({len(self.tokens)} tokens)"


def _vietnamese(tokens: list[Token], units: list[Unit]) -> bool:
    """Whether the words for digits are rather Vietnamese: two or more that nothing else reads."""
    known = VIETNAMESE
    rows = [
        token
        for token in tokens
        if (text := token[0]) in known
        or not (
            text.isalpha() or text.isdecimal() or known.keys().isdisjoint(_LETTERS.findall(text))
        )
    ]
    if len(rows) < 2:
        return False
    surely = {unit.start for unit in units if unit.kind == WORD}
    count = sum(token.text not in known or token.start not in surely for token in rows)
    return count >= 2 and count * 2 >= len(surely)


def read(folded: Folded) -> Reading:
    """Read a folded text."""
    text = folded.text
    tokens = tokens_of(text)
    loose = read_units(text, tokens)
    if len(tokens) > 1 and _vietnamese(tokens, loose):
        loose = read_units(text, tokens, vietnamese=True)
    units = [unit for unit in loose if unit[3] <= WORD]
    words = frozenset([word for word, _, _ in tokens])
    return Reading(text, tokens, units, contexts_of(text, units), loose, words)
