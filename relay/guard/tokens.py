"""From folded text to units: the digits that its tokens stand for, and where.

A token is a row of letters and digits. It is read as digits, as a number word (also stretched,
misspelt, spelt with digits, glued to others, or letter by letter), or as digits with look-alikes.
What is only possibly a digit is marked, so that those who judge can read the text with or without.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import accumulate
from typing import Final, NamedTuple, TypeAlias

from .lexicon import (
    HUNDREDS,
    MULTIPLIERS,
    ROMAN,
    STRONG,
    TENS,
    THAI_PATTERN,
    TWICE,
    VIETNAMESE,
    nearly,
)  # fmt: skip
from .word import (
    DIGITS,
    LETTER,
    LOOKALIKE,
    MIXED,
    NO_DIGITS,
    WEAK_WORD,
    WORD,
    Word,
    glued,
    lookalikes,
    number_word,
)  # fmt: skip

#: A row of letters and digits, and its place in the folded text.
Token: TypeAlias = tuple[str, int, int]

_ROW: Final = "[0-9a-z]++(?:[$!|]*+[0-9a-z@]++)*+"
_TOKEN: Final = re.compile(f"({_ROW}|(?:{THAI_PATTERN}))")
_ASCII_TOKEN: Final = re.compile(f"({_ROW})")
_PARTS: Final = re.compile(r"[0-9]+|[^0-9]+")
_AS_LETTERS: Final = str.maketrans("0134578962$!|@", "oieastbgbzsila")
_AS_LETTERS_2: Final = str.maketrans("0134578962$!|@", "olrastbqgasila")
#: Letters in a row that are read as spelt words.
_SPELT: Final = 80
#: So many of them are no enumeration.
_ROMAN_ROW: Final = 4


class Unit(NamedTuple):
    """Digits, their place in the folded text, and how sure it is that they are meant."""

    digits: str
    start: int
    end: int
    kind: int

    def __repr__(self) -> str:
        return f"Unit({self.start}:{self.end})"


#: As `Unit(...)`, in half the time.
_new_unit: Final = tuple.__new__


def digits_of(units: list[Unit]) -> str:
    """The digits of units, joined."""
    return "".join([unit[0] for unit in units])


def tokens_of(folded: str) -> list[Token]:
    """All tokens of a folded text, in order."""
    # What stands between them, and each of them, by turns.
    pieces = (_ASCII_TOKEN if folded.isascii() else _TOKEN).split(folded)
    bounds = [*accumulate(map(len, pieces))]
    return [*zip(pieces[1::2], bounds[::2], bounds[1::2], strict=False)]


def _mixed(token: Token, first: Mapping[str, str]) -> list[Unit]:
    """A token of letters and digits: number words beside digits, leet, or digits among letters."""
    text, start, end = token
    if len(text) <= 24:
        for table in (_AS_LETTERS, _AS_LETTERS_2):
            spelt = text.translate(table)
            if len(spelt) > 2 and spelt.isalpha():
                if spelt in STRONG:
                    return [Unit(STRONG[spelt], start, end, WORD)]
                if digits := glued(spelt):
                    return [Unit(digits, start, end, WORD)]
    parts = [(m.group(), start + m.start(), start + m.end()) for m in _PARTS.finditer(text)]
    units: list[Unit] = []
    for part, a, b in parts:
        if part[0].isdigit():
            units.append(Unit(part, a, b, DIGITS))
        elif part in first:
            units.append(Unit(first[part], a, b, WORD))
        elif (read := number_word(part)) is not None and (read.kind == WORD or len(part) > 1):
            units.append(Unit(read.digits, a, b, read.kind))
        elif digits := lookalikes(part):
            units.append(Unit(digits, a, b, LOOKALIKE))
    return units


def _spelt(tokens: list[Token], at: int) -> tuple[list[Unit], int]:
    """Words spelt letter by letter from token `at` on: their digits, and the next token."""
    letters = ""
    for text, _, _ in tokens[at : at + _SPELT]:
        if len(text) > 1 or not text.isalpha():
            break
        letters += text
    if len(letters) >= 5 and (digits := glued(letters) or STRONG.get(letters, "")):
        stop = at + len(letters)
        return [Unit(digits, tokens[at][1], tokens[stop - 1][2], WORD)], stop
    return [], at


def _plain_units(tokens: list[Token], known: list[Word], first: Mapping[str, str]) -> list[Unit]:
    """The units of each token by itself; `known` is what it stands for, whatever the text.

    The words in `first` are digits before all others.
    """
    units: list[Unit] = []
    at = retry = 0
    for place, (digits, kind, _) in enumerate(known):
        if kind == NO_DIGITS or place < at:
            continue
        text, start, end = tokens[place]
        if kind == DIGITS:
            units.append(_new_unit(Unit, (text, start, end, DIGITS)))
        elif kind == MIXED:
            units.extend(_mixed(tokens[place], first))
        elif kind != LETTER:
            units.append(_new_unit(Unit, (digits, start, end, kind)))
        else:
            if place + 1 >= retry:
                spelt, at = _spelt(tokens, place)
                if spelt:
                    units.extend(spelt)
                    continue
                retry = place + 9
            if digits := lookalikes(text):
                units.append(Unit(digits, start, end, LOOKALIKE))
    return units


def _compounds(folded: str, tokens: list[Token], units: list[Unit]) -> list[Unit]:
    """Join "tujuh puluh delapan", "dua belas", "seventy eight", "dobel satu", "empat dua kali"."""
    by_start = {unit.start: unit for unit in units}
    order = [(token, by_start.get(token[1])) for token in tokens]
    # A token may hold several units; those that do not begin it are kept as they are.
    inside: dict[int, list[Unit]] = {}
    place = 0
    for inner in units:
        while tokens[place][2] <= inner.start:
            place += 1
        if inner.start != tokens[place][1]:
            inside.setdefault(tokens[place][1], []).append(inner)
    out: list[Unit] = []
    skip_to = -1
    for at, ((text, start, _), unit) in enumerate(order):
        if start < skip_to:
            continue
        after = order[at + 1 : at + 5]
        if text in MULTIPLIERS and after and (nxt := after[0][1]) and len(nxt.digits) == 1:
            out.append(Unit(nxt.digits * MULTIPLIERS[text], start, nxt.end, WORD))
            skip_to = nxt.end
            continue
        if unit is None:
            out.extend(inside.get(start, ()))
            continue
        if after and unit.kind != LOOKALIKE and len(unit.digits) <= 2:
            joined = _compound_at(folded, unit, after)
            if joined is not None:
                out.append(joined)
                skip_to = joined.end
                continue
        out.append(unit)
        out.extend(inside.get(start, ()))
    return out


def _compound_at(folded: str, unit: Unit, after: list[tuple[Token, Unit | None]]) -> Unit | None:
    """The compound number that starts with a unit, if one does."""
    (word, _, word_end), follower = after[0]
    if unit.kind != DIGITS and unit.digits[-1] == "0" and len(unit.digits) == 2:
        tens_word = folded[unit.start : unit.end] in TENS
        if tens_word and follower and follower.kind == WORD and len(follower.digits) == 1:
            return Unit(unit.digits[0] + follower.digits, unit.start, follower.end, WORD)
    if len(unit.digits) == 1 and (scale := HUNDREDS.get(word)):
        if scale == "teens":
            return Unit("1" + unit.digits, unit.start, word_end, WORD)
        nxt = after[1][1] if len(after) > 1 else None
        if scale == "tens":
            if nxt and len(nxt.digits) == 1 and nxt.kind == WORD and not _scaled(after, 2):
                return Unit(unit.digits + nxt.digits, unit.start, nxt.end, WORD)
            return Unit(unit.digits + "0", unit.start, word_end, WORD)
        rest = _compounds(folded, [t for t, _ in after[1:4]], [u for _, u in after[1:4] if u])
        if rest and rest[0].kind == WORD and rest[0].start == after[1][0][1]:
            return Unit(unit.digits + rest[0].digits.zfill(2), unit.start, rest[0].end, WORD)
        return Unit(unit.digits + "00", unit.start, word_end, WORD)
    if len(unit.digits) == 1 and len(after) > 1 and after[1][0][0] in TWICE:
        times = follower.digits if follower else ""
        if times in {"2", "3", "4"}:
            return Unit(unit.digits * int(times), unit.start, after[1][0][2], WORD)
    return None


#: Words by which digits beside them become others.
SCALES: Final = frozenset({*MULTIPLIERS, *HUNDREDS, *TWICE})


def _may_be_compounds(tokens: list[Token], units: list[Unit]) -> bool:
    """Whether any unit may be joined with what stands beside it."""
    if not SCALES.isdisjoint([text for text, _, _ in tokens]):
        return True
    return any(
        kind != DIGITS and len(digits) == 2 and digits[1] == "0" for digits, _, _, kind in units
    )


def _scaled(after: list[tuple[Token, Unit | None]], at: int) -> bool:
    """Whether what stands at `at` makes the digit before it a ten, a teen or a hundred."""
    return len(after) > at and after[at][0][0] in HUNDREDS


def read_units(
    folded: str, tokens: list[Token], known: list[Word], *, vietnamese: bool = False
) -> list[Unit]:
    """The units of a text in order; `known` is what each of its tokens is by itself.

    `vietnamese` reads its words for digits first.
    """
    first: Mapping[str, str] = VIETNAMESE if vietnamese else {}
    if (
        not vietnamese
        and len(tokens) >= _ROMAN_ROW
        and sum([text in ROMAN for text, _, _ in tokens]) >= _ROMAN_ROW
    ):
        first = ROMAN
    if first:
        known = [
            Word(first[text], WORD) if text in first else word
            for (text, _, _), word in zip(tokens, known, strict=True)
        ]
    units = _plain_units(tokens, known, first)
    kinds = [kind for _, _, _, kind in units]
    if kinds.count(WORD) > 2:
        read = {unit.start for unit in units}
        for text, start, end in tokens:
            if start not in read and text.isalpha() and (digit := nearly(text)):
                units.append(Unit(digit, start, end, WEAK_WORD))
        units.sort(key=lambda unit: unit.start)
    if (WORD in kinds or WEAK_WORD in kinds) and _may_be_compounds(tokens, units):
        units = _compounds(folded, tokens, units)
    return units
