"""A word by itself: the digits that it stands for, and the lists that it is on.

People use the same words again and again, so what was found out about one is kept for the next text
that has it. Only for words of letters, and short ones: nobody's number is kept here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from string import ascii_lowercase
from typing import Final, NamedTuple

from .cues import APP_WORDS, CODE_WORDS, HANDLE_WORDS, LINK_WORDS, WAY_OUT_WORDS
from .lexicon import FILLERS, PLACES, ROMAN, STRONG, TEENS, TENS, THAI, VIETNAMESE, WEAK, squeeze
from .phrases import alternation
from .vocabulary import words

#: How sure it is that a word, or a part of one, stands for its digits.
DIGITS, WORD, LOOKALIKE, WEAK_WORD = range(4)
#: What else it can be: no digits at all, a letter of a word that is spelt, or of several parts.
NO_DIGITS, LETTER, MIXED = range(4, 7)

#: The lists that a word can be on, a bit each: words of filling; which part of something comes;
#: Vietnamese digits; cues of families of rules; before a place; letters one by one, a zero among
#: them; what has letters and digits; what may be digits, alone or beside others.
(
    FILLS,
    TELLS_PART,
    VIETNAMESE_DIGIT,
    OF_CONTACTS,
    OF_CODES,
    OF_LEAVING,
    OF_A_PLACE,
    SINGLE,
    JUMBLED,
    MAY_COUNT,
) = (1 << bit for bit in range(10))
_LISTS: Final = {
    FILLS: (*FILLERS, *ascii_lowercase),
    TELLS_PART: PLACES,
    VIETNAMESE_DIGIT: VIETNAMESE,
    OF_CONTACTS: LINK_WORDS | HANDLE_WORDS,
    OF_CODES: CODE_WORDS,
    OF_LEAVING: APP_WORDS | WAY_OUT_WORDS,
    OF_A_PLACE: ("lokasi",),
    SINGLE: ascii_lowercase,
    MAY_COUNT: ROMAN,
}
_LISTS_OF: Final[dict[str, int]] = {}
for _list, _words in _LISTS.items():
    for _word in _words:
        _LISTS_OF[_word] = _LISTS_OF.get(_word, 0) | _list


class Word(NamedTuple):
    """The digits of a word, how sure they are, and the lists that it is on."""

    digits: str
    kind: int
    lists: int = 0


_LOOKS_LIKE: Final = str.maketrans("oqdliz$seabtg!|", "090112553487911")
_LEET_LETTERS: Final = frozenset("oqdlizseabtg$!|")
#: Words of such letters that people write: digits at most for who knows which ones to look for.
PLAIN_WORDS: Final = frozenset(
    words(
        "ada dia bisa sisa bila tali tas tes tol toll sate soto gate side site seat gas lagi tadi "
        "tiba isi gede abis bis saat besi alat obat geli lalo ati asli saos sisi das data date "
        "late get got let lot old bed bad dad does dog goes good seal seas see sea tea toes bag "
        "big ed id ig sd it is at as so do go to be la di ba ga gi si se te ti bos boss bali abi"
    )
)
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
    **{word: Word(digits, WEAK_WORD) for word, digits in WEAK.items()},
    **{word: Word(digits, WORD) for word, digits in STRONG.items()},
}
_TEN_AND_MORE: Final = {**TEENS, **{word: digit + "0" for word, digit in TENS.items()}}
#: No stretched or glued number word is longer.
_LONGEST_WORD: Final = 300
#: Words that are kept, and the letters of the longest of them: no number in words is so short.
_MOST_KEPT, _LONGEST_KEPT = 8192, 12


_ONLY_DIGITS: Final = Word("", DIGITS, MAY_COUNT)
_ZERO: Final = Word("", DIGITS, MAY_COUNT | FILLS | SINGLE)
_ONE_DIGIT: Final = Word("", DIGITS, MAY_COUNT | FILLS)


class _Known(dict[str, Word]):
    """What is known of the words that were looked up."""

    def __missing__(self, text: str) -> Word:
        if text == "0":
            return _ZERO
        if text.isdecimal():
            return _ONLY_DIGITS if len(text) > 1 else _ONE_DIGIT
        digits, kind, _ = _read(text)
        lists = _LISTS_OF.get(text, 0) | JUMBLED * (not text.isalpha())
        word = Word(digits, kind, lists | MAY_COUNT * (kind != NO_DIGITS))
        if text.isalpha() and len(text) <= _LONGEST_KEPT:
            if len(self) >= _MOST_KEPT:
                self.clear()
            self[text] = word
        return word


_known: Final = _Known()


def words_of(texts: Iterable[str]) -> list[Word]:
    """What each of some rows of letters and digits is by itself."""
    return [*map(_known.__getitem__, texts)]


def _read(text: str) -> Word:
    """A row that is not of digits alone, but for its lists."""
    if text in THAI:
        return Word(THAI[text], WORD)
    if not text.isalpha():
        return Word("", MIXED)
    if (known := number_word(text)) is not None:
        return known
    if text in _TEN_AND_MORE:
        return Word(_TEN_AND_MORE[text], WORD)
    if len(text) == 1:
        return Word("", LETTER)
    if len(text) <= 4 and (digits := lookalikes(text)):
        return Word(digits, LOOKALIKE)
    return Word("", NO_DIGITS)


def lookalikes(text: str) -> str:
    """The digits that look like letters, if all of these do look like some."""
    return text.translate(_LOOKS_LIKE) if _LEET_LETTERS.issuperset(text) else ""


def glued(word: str, *, sharing: bool = False) -> str:
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
        digits.append(_DIGIT_OF[found.group()].digits)
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
    parts = [_DIGIT_OF[first.group()].digits]
    place = first.end()
    while place < len(word):
        found = (
            _GLUED.match(word, place + len(between)) if word.startswith(between, place) else None
        )
        if found is None:
            return ""
        parts.append(_DIGIT_OF[found.group()].digits)
        place = found.end()
    return "".join(parts)


def _glued_vietnamese(word: str) -> str:
    """The digits of three and more Vietnamese number words without spaces, or nothing."""
    if _VIETNAMESE_ROW.fullmatch(word) is None:
        return ""
    return "".join(VIETNAMESE[part] for part in _VIETNAMESE_WORD.findall(word))


def number_word(word: str) -> Word | None:
    """A word of letters alone that is one of a number, or several."""
    if (known := _DIGIT_OF.get(word)) is not None:
        return known
    if not 3 < len(word) <= _LONGEST_WORD or _MAY_BE_DIGITS.match(word) is None:
        return None
    plain = word
    if _DOUBLED.search(word):
        plain = squeeze(word)
        if plain in _SQUEEZED:
            return Word(_SQUEEZED[plain], WORD)
    if len(word) >= 6 and (digits := glued(word, sharing=True) or glued(plain)):
        return Word(digits, WORD)
    if len(word) >= 8 and (
        digits := (word[:3] in _GLUE_HEADS and _parted(word)) or _glued_vietnamese(word)
    ):
        return Word(digits, WORD)
    if word.endswith(_ENDINGS):
        for ending in _ENDINGS:
            stem = word.removesuffix(ending)
            if len(stem) >= 3 and stem != word and stem in STRONG:
                return Word(STRONG[stem], WORD)
    return None
