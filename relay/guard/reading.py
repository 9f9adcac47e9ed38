"""A message as the rules see it: folded, in tokens, with its digits and their contexts."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from .context import contexts_of
from .lexicon import VIETNAMESE
from .normalise import Folded
from .tokens import Token, Unit, read_units, tokens_of
from .word import FILLS, JUMBLED, VIETNAMESE_DIGIT, WORD, words_of

_LETTERS: Final = re.compile(r"[a-z]+")


class Reading(NamedTuple):
    """`units` are surely digits, `loose` also those that may be.

    `others` are the words beside `units`, but for those of filling; `lists` are those that any
    token is on (`word`).
    """

    folded: str
    tokens: list[Token]
    units: list[Unit]
    contexts: list[int]
    loose: list[Unit]
    others: list[str]
    lists: int

    def __repr__(self) -> str:
        return f"Reading({len(self.tokens)} tokens)"


def _vietnamese(tokens: list[Token], units: list[Unit]) -> bool:
    """Whether the words for digits are rather Vietnamese: two or more that nothing else reads."""
    known = VIETNAMESE
    rows = [
        (text, start)
        for text, start, _ in tokens
        if text in known
        or not (
            text.isalpha() or text.isdecimal() or known.keys().isdisjoint(_LETTERS.findall(text))
        )
    ]
    if len(rows) < 2:
        return False
    surely = {unit.start for unit in units if unit.kind == WORD}
    count = sum(text not in known or start not in surely for text, start in rows)
    return count >= 2 and count * 2 >= len(surely)


def read(folded: Folded) -> Reading:
    """Read a folded text."""
    text = folded.text
    tokens = tokens_of(text)
    known = words_of([word for word, _, _ in tokens])
    lists = 0
    for _, _, on in known:
        lists |= on
    loose = read_units(text, tokens, known)
    if lists & (VIETNAMESE_DIGIT | JUMBLED) and _vietnamese(tokens, loose):
        loose = read_units(text, tokens, known, vietnamese=True)
    units = [unit for unit in loose if unit[3] <= WORD]
    digits_at = {unit[1] for unit in units}
    others = [
        word
        for (word, start, _), (_, _, on) in zip(tokens, known, strict=True)
        if not on & FILLS and start not in digits_at
    ]
    return Reading(text, tokens, units, contexts_of(text, tokens, units), loose, others, lists)
