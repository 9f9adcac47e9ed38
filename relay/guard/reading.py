"""A message as the rules see it: folded, in tokens, with its digits and their contexts.

What of it is not needed for every message is looked for when it is asked for. What is left of a
message from which something was taken out has the same words but for those, so it is not read anew.
"""

from __future__ import annotations

import re
from typing import Final

from .budget import WINDOW
from .context import contexts_of
from .dialogue import in_plain_spelling
from .lexicon import VIETNAMESE
from .masks import MASK
from .normalise import Folded
from .numbers import only_signs
from .redaction import Span
from .sieve import Sifted, sift
from .tokens import Token, Unit, digits_of, read_units, tokens_of
from .word import (
    FILLS,
    JUMBLED,
    MAY_COUNT,
    PLAIN_WORDS,
    VIETNAMESE_DIGIT,
    WEAK_WORD,
    WORD,
    Word,
    words_of,
)

_LETTERS: Final = re.compile(r"[a-z]+")
_THAI: Final = re.compile("[\u0e00-\u0e7f]")
_NO_DIGITS: Final = re.compile(r"\D*\Z")


class Reading:
    """`units` are surely digits, and `digits` all of them; `loose` also those that may be; `lists`
    are those that any token is on (`word`)."""

    __slots__ = (
        "_contexts", "_guessed", "_known", "_others", "_plain", "_sifted", "digits", "folded",
        "is_thai", "lists", "loose", "tokens", "units",
    )  # fmt: skip

    def __init__(self, folded: str, tokens: list[Token], known: list[Word]) -> None:
        """`known` is what each token is by itself."""
        lists = 0
        for _, _, on in known:
            lists |= on
        loose = read_units(folded, tokens, known) if lists & MAY_COUNT else []
        if lists & (VIETNAMESE_DIGIT | JUMBLED) and _vietnamese(tokens, loose):
            loose = read_units(folded, tokens, known, vietnamese=True)
        self.folded = folded
        self.tokens = tokens
        self.lists = lists
        self.loose = loose
        self.units = [unit for unit in loose if unit[3] <= WORD] if loose else loose
        self.digits = digits_of(self.units)
        self._known = known
        self._contexts: list[int] | None = None
        self._others: list[str] | None = None
        self._guessed: list[Unit] | None = None
        self._sifted: Sifted | None = None
        self._plain: Sifted | None = None
        #: Thai is not written in words, so what asks for words asks for nothing there.
        self.is_thai = not folded.isascii() and _THAI.search(folded) is not None

    def __repr__(self) -> str:
        return f"Reading({len(self.tokens)} tokens)"

    @property
    def contexts(self) -> list[int]:
        """For each of `units` what else it is (`context`)."""
        if self._contexts is None:
            self._contexts = contexts_of(self.folded, self.tokens, self.units)
        return self._contexts

    @property
    def others(self) -> list[str]:
        """The words beside `units`, but for those of filling."""
        if self._others is None:
            digits_at = {unit[1] for unit in self.units}
            self._others = [
                word
                for (word, start, _), (_, _, on) in zip(self.tokens, self._known, strict=True)
                if not on & FILLS and start not in digits_at
            ]
        return self._others

    @property
    def sifted(self) -> Sifted:
        """It with what may be in it (`sieve`)."""
        if self._sifted is None:
            self._sifted = sift(self.folded)
        return self._sifted

    @property
    def plain(self) -> Sifted:
        """The same in plain spelling, as those read it who look for words of codes (`dialogue`)."""
        if self._plain is None:
            text = in_plain_spelling(self.folded, self.lists)
            self._plain = self.sifted if text == self.folded else sift(text)
        return self._plain

    @property
    def guessed(self) -> list[Unit]:
        """What has to be taken for digits, though some of it may be meant otherwise.

        All that looks like digits where a message says little else; else letters in one row with
        digits, as in "0 B 6 nol", but for plain words.
        """
        if self._guessed is None:
            alike = len(self.loose) == len(self.units)
            self._guessed = self.units if alike else _guessed(self)
        return self._guessed

    def without(self, spans: list[Span], folded: str) -> Reading:
        """What is left of it, which is `folded` now, with a mask in place of each of some spans."""
        tokens: list[Token] = []
        known: list[Word] = []
        moved = at = 0
        for token, word in zip(self.tokens, self._known, strict=True):
            text, start, end = token
            while at < len(spans) and spans[at][1] <= start:
                moved += len(MASK) + spans[at][0] - spans[at][1]
                at += 1
            if at == len(spans) or end <= spans[at][0]:
                tokens.append((text, start + moved, end + moved))
                known.append(word)
            elif start < spans[at][0] or spans[at][1] < end:
                cut = self._rest_of(token, spans[at:], moved)
                tokens += cut
                known += words_of([text for text, _, _ in cut])
        rest = Reading(folded, tokens, known)
        if self._sifted is not None and not any(
            _LETTERS.search(self.folded, start, end) for start, end, _ in spans
        ):
            rest._sifted = self._sifted.part(folded)  # the same words
        return rest

    def _rest_of(self, token: Token, spans: list[Span], moved: int) -> list[Token]:
        """What is left of a token that the first of some spans cut, after what was moved before."""
        _, place, end = token
        out: list[Token] = []
        for start, stop, _ in (*spans, (end, end, False)):
            rest = tokens_of(self.folded[place : min(start, end)])
            out += [(text, place + a + moved, place + b + moved) for text, a, b in rest]
            if stop >= end:
                break
            moved += len(MASK) + start - stop
            place = stop
        return out


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


def _guessed(reading: Reading) -> list[Unit]:
    folded, units, loose = reading.folded, reading.units, reading.loose
    little_else = sum(map(str.isalpha, reading.others)) <= 1 and (
        sum([_NO_DIGITS.match(word) is not None for word in reading.others]) <= 1
    )
    if little_else and (units or [unit[3] for unit in loose].count(WEAK_WORD) > 1):
        return loose
    if not units or len(digits_of(loose)) < WINDOW:
        return units  # no row has so many
    covered = {unit[1] for unit in units}
    row: list[Unit] = []
    rows = [row]
    for unit in loose:
        if unit.start not in covered and folded[unit.start : unit.end] in PLAIN_WORDS:
            row = []
            rows.append(row)
            continue
        if row and not only_signs(folded[row[-1].end : unit.start]):
            row = []
            rows.append(row)
        row.append(unit)
    out: list[Unit] = []
    for row in rows:
        sure = [unit for unit in row if unit.start in covered]
        out += row if sure and len(digits_of(row)) >= WINDOW else sure
    return out


def read(folded: Folded) -> Reading:
    """Read a folded text."""
    tokens = tokens_of(folded.text)
    return Reading(folded.text, tokens, words_of([word for word, _, _ in tokens]))
