"""From folded text to units: the digits that its tokens stand for, and where.

A token is a row of letters and digits. It is read as digits, as a number word (also stretched,
misspelt, spelt with digits, glued to others, or letter by letter), or as digits with look-alikes.
What is only possibly a digit is marked, so that those who judge can read the text with or without.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final, NamedTuple

from .lexicon import (
    FILLERS,
    HUNDREDS,
    MULTIPLIERS,
    PLACES,
    STRONG,
    TEENS,
    TENS,
    THAI,
    THAI_PATTERN,
    TWICE,
    VIETNAMESE,
    WEAK,
    nearly,
    squeeze,
)  # fmt: skip
from .phrases import alternation
from .vocabulary import words

#: How sure it is that a unit stands for its digits.
DIGITS, WORD, LOOKALIKE, WEAK_WORD = range(4)

_TOKEN: Final = re.compile(rf"[0-9a-z]++(?:[$!|]*+[0-9a-z@]++)*+|(?:{THAI_PATTERN})")
_PARTS: Final = re.compile(r"[0-9]+|[^0-9]+")
_LOOKS_LIKE: Final = str.maketrans("oqdliz$seabtg!|", "090112553487911")
_LEET_LETTERS: Final = frozenset("oqdlizseabtg$!|")
_AS_LETTERS: Final = str.maketrans("0134578962$!|@", "oieastbgbzsila")
_AS_LETTERS_2: Final = str.maketrans("0134578962$!|@", "olrastbqgasila")
#: Words of such letters that people write: digits at most for who knows which ones to look for.
PLAIN_WORDS: Final = frozenset(
    words(
        "ada dia bisa sisa bila tali tas tes tol toll sate soto gate side site seat gas lagi tadi "
        "tiba isi gede abis bis saat besi alat obat geli lalo ati asli saos sisi das data date "
        "late get got let lot old bed bad dad does dog goes good seal seas see sea tea toes bag "
        "big ed id ig sd it is at as so do go to be la di ba ga gi si se te ti bos boss bali abi"
    )
)
#: Letters in a row that are read as spelt words.
_SPELT: Final = 80
_ROMAN: Final = {
    "i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8",
    "ix": "9",
}  # fmt: skip
#: So many of them are no enumeration.
_ROMAN_ROW: Final = 4
_GLUE: Final = sorted(
    [word for word in STRONG if len(word) >= 3] + ["dlpn", "smbln", "tjh", "mpat"],
    key=len,
    reverse=True,
)
_GLUED: Final = re.compile("|".join(_GLUE))
#: Letters that part glued words.
_MOST_BETWEEN: Final = 3
_VIETNAMESE_WORD: Final = re.compile(
    "|".join(sorted((word for word in VIETNAMESE if len(word) > 1), key=len, reverse=True))
)
#: Of three and more words, one at least is no syllable of other languages.
_VIETNAMESE_ROW: Final = re.compile(
    rf"(?=.*(?:khong|mot|bon|bay|chin|sau|nam))(?:{_VIETNAMESE_WORD.pattern}){{3,}}"
)
_GLUE_HEADS: Final = frozenset(word[:3] for word in _GLUE)
#: How each word begins that is longer than a number word and still read as one: as they do, maybe
#: stretched, or as three Vietnamese ones.
_MAY_BE_DIGITS: Final = re.compile(
    alternation(
        tuple(f"{re.escape(letter)}+" for letter in squeeze(head)) for head in sorted(_GLUE_HEADS)
    )
    + "|"
    + alternation(tuple(word) for word in VIETNAMESE if len(word) > 1)
    + "{3}"
)
#: What follows a number word and says no more than "the" or "sir".
_ENDINGS: Final = ("nya", "kak", "pak", "ya")
_DOUBLED: Final = re.compile(r"(.)\1")
_SQUEEZED: Final = {squeeze(word): digits for word, digits in STRONG.items() if len(word) > 2}
_DIGIT_OF: Final = {
    **{word: (digits, WEAK_WORD) for word, digits in WEAK.items()},
    **{word: (digits, WORD) for word, digits in STRONG.items()},
}
_TEN_AND_MORE: Final = {**TEENS, **{word: digit + "0" for word, digit in TENS.items()}}
#: No stretched or glued number word is longer.
_LONGEST_WORD: Final = 300


class Token(NamedTuple):
    """A row of letters and digits, and its place in the folded text."""

    text: str
    start: int
    end: int


#: As `Token(...)`, in half the time.
_new_token: Final = tuple.__new__


class Unit(NamedTuple):
    """Digits, their place in the folded text, and how sure it is that they are meant."""

    digits: str
    start: int
    end: int
    kind: int

    def __repr__(self) -> str:
        return f"Unit({self.start}:{self.end})"


def digits_of(units: list[Unit]) -> str:
    """The digits of units, joined."""
    return "".join([unit[0] for unit in units])


def tokens_of(folded: str) -> list[Token]:
    """All tokens of a folded text, in order."""
    return [
        _new_token(Token, (match[0], match.start(), match.end()))
        for match in _TOKEN.finditer(folded)
    ]


def _glued(word: str, *, sharing: bool = False) -> str:
    """The digits of number words written without a space between them, or nothing.

    `sharing`: also if two of them share a letter ("nolapan", "empatiga").
    """
    if word[:3] not in _GLUE_HEADS:
        return ""
    digits: list[str] = []
    place = 0
    while place < len(word):
        found = _GLUED.match(word, place)
        if found is None and sharing and place:
            found = _GLUED.match(word, place - 1)
        if found is None:
            return ""
        digits.append(_DIGIT_OF[found.group()][0])
        place = found.end()
    return "".join(digits) if len(digits) > 1 else ""


def _parted(word: str) -> str:
    """The digits of number words with the same letters between them ("satuxduaxtiga"), if any."""
    first = _GLUED.match(word)
    if first is None or (second := _GLUED.search(word, first.end())) is None:
        return ""
    between = word[first.end() : second.start()]
    if not 0 < len(between) <= _MOST_BETWEEN:
        return ""
    parts = [_DIGIT_OF[first.group()][0]]
    place = first.end()
    while place < len(word):
        found = (
            _GLUED.match(word, place + len(between)) if word.startswith(between, place) else None
        )
        if found is None:
            return ""
        parts.append(_DIGIT_OF[found.group()][0])
        place = found.end()
    return "".join(parts)


def _glued_vietnamese(word: str) -> str:
    """The digits of three and more Vietnamese number words without spaces, or nothing."""
    if _VIETNAMESE_ROW.fullmatch(word) is None:
        return ""
    return "".join(VIETNAMESE[part] for part in _VIETNAMESE_WORD.findall(word))


def _word(word: str) -> tuple[str, int] | None:
    """A word of letters alone: its digits and kind."""
    if (known := _DIGIT_OF.get(word)) is not None:
        return known
    if not 3 < len(word) <= _LONGEST_WORD or _MAY_BE_DIGITS.match(word) is None:
        return None
    plain = word
    if _DOUBLED.search(word):
        plain = squeeze(word)
        if plain in _SQUEEZED:
            return _SQUEEZED[plain], WORD
    if len(word) >= 6 and (digits := _glued(word, sharing=True) or _glued(plain)):
        return digits, WORD
    if len(word) >= 8 and (
        digits := (word[:3] in _GLUE_HEADS and _parted(word)) or _glued_vietnamese(word)
    ):
        return digits, WORD
    if word.endswith(_ENDINGS):
        for ending in _ENDINGS:
            stem = word.removesuffix(ending)
            if len(stem) >= 3 and stem != word and stem in STRONG:
                return STRONG[stem], WORD
    return None


def _mixed(token: Token, first: Mapping[str, str]) -> list[Unit]:
    """A token of letters and digits: number words beside digits, leet, or digits among letters."""
    text, start, end = token
    if len(text) <= 24:
        for table in (_AS_LETTERS, _AS_LETTERS_2):
            spelt = text.translate(table)
            if len(spelt) > 2 and spelt.isalpha():
                if spelt in STRONG:
                    return [Unit(STRONG[spelt], start, end, WORD)]
                if digits := _glued(spelt):
                    return [Unit(digits, start, end, WORD)]
    parts = [(m.group(), start + m.start(), start + m.end()) for m in _PARTS.finditer(text)]
    units: list[Unit] = []
    for part, a, b in parts:
        if part[0].isdigit():
            units.append(Unit(part, a, b, DIGITS))
        elif part in first:
            units.append(Unit(first[part], a, b, WORD))
        elif (read := _word(part)) is not None and (read[1] == WORD or len(part) > 1):
            units.append(Unit(read[0], a, b, read[1]))
        elif _LEET_LETTERS.issuperset(part):
            units.append(Unit(part.translate(_LOOKS_LIKE), a, b, LOOKALIKE))
    return units


def _spelt(tokens: list[Token], at: int) -> tuple[list[Unit], int]:
    """Words spelt letter by letter from token `at` on: their digits, and the next token."""
    if "".join([token.text for token in tokens[at : at + 3]]) not in _GLUE_HEADS:
        return [], at
    stop = at
    while (
        stop < min(len(tokens), at + _SPELT)
        and tokens[stop].text.isalpha()
        and (len(tokens[stop].text) == 1)
    ):
        stop += 1
    if stop - at < 5:
        return [], at
    letters = "".join(token.text for token in tokens[at:stop])
    digits = _glued(letters) or STRONG.get(letters, "")
    if digits:
        return [Unit(digits, tokens[at].start, tokens[stop - 1].end, WORD)], stop
    return [], at


def _plain_units(
    tokens: list[Token], first: Mapping[str, str], no_digits: Collection[str]
) -> list[Unit]:
    """The units of each token by itself.

    The words in `first` are digits before all others, and those in `no_digits` are known for none.
    """
    units: list[Unit] = []
    at = retry = 0
    for place, token in enumerate(tokens):
        text, start, end = token
        if text in no_digits or place < at:
            continue
        if text.isdecimal():
            units.append(Unit(text, start, end, DIGITS))
        elif text in first:
            units.append(Unit(first[text], start, end, WORD))
        elif text in THAI:
            units.append(Unit(THAI[text], start, end, WORD))
        elif not text.isalpha():
            units.extend(_mixed(token, first))
        elif (known := _word(text)) is not None:
            units.append(Unit(known[0], start, end, known[1]))
        elif text in _TEN_AND_MORE:
            units.append(Unit(_TEN_AND_MORE[text], start, end, WORD))
        elif len(text) <= 4:
            if len(text) == 1 and place + 1 >= retry:
                spelt, at = _spelt(tokens, place)
                if spelt:
                    units.extend(spelt)
                    continue
                retry = place + 9
            if _LEET_LETTERS.issuperset(text):
                units.append(Unit(text.translate(_LOOKS_LIKE), start, end, LOOKALIKE))
    return units


def _is_no_digits(word: str) -> bool:
    """Whether a word is never read as digits, unless it comes first of all."""
    return (
        len(word) > 1
        and word.isascii()
        and word.isalpha()
        and not _plain_units([Token(word, 0, len(word))], {}, ())
    )


#: Of the words that people write here most.
_NO_DIGITS: Final = frozenset(filter(_is_no_digits, {*FILLERS, *PLACES}))


def _compounds(folded: str, tokens: list[Token], units: list[Unit]) -> list[Unit]:
    """Join "tujuh puluh delapan", "dua belas", "seventy eight", "dobel satu", "empat dua kali"."""
    by_start = {unit.start: unit for unit in units}
    texts = {token.start: token for token in tokens}
    order = [(token, by_start.get(token.start)) for token in texts.values()]
    # A token may hold several units; those that do not begin it are kept as they are.
    inside: dict[int, list[Unit]] = {}
    place = 0
    for inner in units:
        while tokens[place].end <= inner.start:
            place += 1
        if inner.start != tokens[place].start:
            inside.setdefault(tokens[place].start, []).append(inner)
    out: list[Unit] = []
    skip_to = -1
    for at, (token, unit) in enumerate(order):
        if token.start < skip_to:
            continue
        after = order[at + 1 : at + 5]
        if token.text in MULTIPLIERS and after and (nxt := after[0][1]) and len(nxt.digits) == 1:
            times = MULTIPLIERS[token.text]
            out.append(Unit(nxt.digits * times, token.start, nxt.end, WORD))
            skip_to = nxt.end
            continue
        if unit is None:
            out.extend(inside.get(token.start, ()))
            continue
        if after and unit.kind != LOOKALIKE and len(unit.digits) <= 2:
            joined = _compound_at(folded, unit, after)
            if joined is not None:
                out.append(joined)
                skip_to = joined.end
                continue
        out.append(unit)
        out.extend(inside.get(token.start, ()))
    return out


def _compound_at(folded: str, unit: Unit, after: list[tuple[Token, Unit | None]]) -> Unit | None:
    """The compound number that starts with a unit, if one does."""
    word, follower = after[0]
    if unit.kind != DIGITS and unit.digits[-1] == "0" and len(unit.digits) == 2:
        tens_word = folded[unit.start : unit.end] in TENS
        if tens_word and follower and follower.kind == WORD and len(follower.digits) == 1:
            return Unit(unit.digits[0] + follower.digits, unit.start, follower.end, WORD)
    if len(unit.digits) == 1 and (scale := HUNDREDS.get(word.text)):
        if scale == "teens":
            return Unit("1" + unit.digits, unit.start, word.end, WORD)
        nxt = after[1][1] if len(after) > 1 else None
        if scale == "tens":
            if nxt and len(nxt.digits) == 1 and nxt.kind == WORD and not _scaled(after, 2):
                return Unit(unit.digits + nxt.digits, unit.start, nxt.end, WORD)
            return Unit(unit.digits + "0", unit.start, word.end, WORD)
        rest = _compounds(folded, [t for t, _ in after[1:4]], [u for _, u in after[1:4] if u])
        if rest and rest[0].kind == WORD and rest[0].start == after[1][0].start:
            return Unit(unit.digits + rest[0].digits.zfill(2), unit.start, rest[0].end, WORD)
        return Unit(unit.digits + "00", unit.start, word.end, WORD)
    if len(unit.digits) == 1 and len(after) > 1 and after[1][0].text in TWICE:
        times = after[0][1].digits if after[0][1] else ""
        if after[1][0].text in {"kali", "times", "x", "kaping", "beses"} and times in {
            "2",
            "3",
            "4",
        }:
            return Unit(unit.digits * int(times), unit.start, after[1][0].end, WORD)
    return None


#: Words by which digits beside them become others.
_SCALES: Final = frozenset({*MULTIPLIERS, *HUNDREDS, *TWICE})


def _may_be_compounds(tokens: list[Token], units: list[Unit]) -> bool:
    """Whether any unit may be joined with what stands beside it."""
    if not _SCALES.isdisjoint([text for text, _, _ in tokens]):
        return True
    return any(
        kind != DIGITS and len(digits) == 2 and digits[1] == "0" for digits, _, _, kind in units
    )


def _scaled(after: list[tuple[Token, Unit | None]], at: int) -> bool:
    """Whether what stands at `at` makes the digit before it a ten, a teen or a hundred."""
    return len(after) > at and after[at][0].text in HUNDREDS


def read_units(folded: str, tokens: list[Token], *, vietnamese: bool = False) -> list[Unit]:
    """The units of a text in order; `vietnamese` reads its words for digits first."""
    first: Mapping[str, str] = VIETNAMESE if vietnamese else {}
    if (
        not vietnamese
        and len(tokens) >= _ROMAN_ROW
        and sum([text in _ROMAN for text, _, _ in tokens]) >= _ROMAN_ROW
    ):
        first = _ROMAN
    units = _plain_units(tokens, first, () if first else _NO_DIGITS)
    kinds = [kind for _, _, _, kind in units]
    if kinds.count(WORD) > 2:
        known = {unit.start for unit in units}
        for token in tokens:
            if token.start not in known and token.text.isalpha() and (digit := nearly(token.text)):
                units.append(Unit(digit, token.start, token.end, WEAK_WORD))
        units.sort(key=lambda unit: unit.start)
    if (WORD in kinds or WEAK_WORD in kinds) and _may_be_compounds(tokens, units):
        units = _compounds(folded, tokens, units)
    return units
