"""The first look: whether a message can hold anything at all that the guard cares about.

Most messages can't, so this must cost next to nothing: one table that leaves words and marks every
sign that harmless talk does without, and one run of an Aho-Corasick automaton over the words that
the rules are about. What the automaton finds is looked at once more, and word by word; what this
module lets go is delivered.

A set of words finds whole words as fast as the automaton. But two number words without a space
between them, and words with their letters doubled, then take an expression each: 5.1 microseconds
in all for a clean message of 50 characters, against 1.8 with the automaton, on the same machine
(`tests/guard/speed.py` measures both).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise, product
from string import ascii_lowercase
from typing import Final

from ahocorasick_rs import BytesAhoCorasick

from .cues import APP_WORDS, CODE_WORDS, EVERYDAY, HANDLE_WORDS, LINK_WORDS, WAY_OUT_WORDS
from .lexicon import HUNDREDS, MULTIPLIERS, ROMAN, STRONG, TEENS, TENS, THAI, VIETNAMESE, WEAK
from .normalise import fold_char
from .vocabulary import words

#: "pagar" is a fence; where it means the sign #, digits or the word for a star stand beside it.
_CUES: Final = (APP_WORDS | HANDLE_WORDS | LINK_WORDS | CODE_WORDS | WAY_OUT_WORDS) - {"pagar"}
_NUMERIC: Final = frozenset({*STRONG, *TEENS, *TENS, *HUNDREDS, *MULTIPLIERS})
#: Of the words that ordinary talk has, those that a verb makes a proposal or a request of, however
#: long the text is: "tolong kirim no kamu ya biar gampang", "minta pin kamu dong".
_PROPOSED: Final = frozenset(
    words("contact damai dm hp line luar ma manual nego no nope off pin pribadi tanpa")
)
#: Words that are looked into wherever they stand.
_TRIGGERS: Final = frozenset(word.encode() for word in (_CUES - EVERYDAY) | _NUMERIC | _PROPOSED)
#: Words that ordinary talk is full of: looked into when there are several, or little else.
_HINTS: Final = frozenset(
    word.encode()
    for word in {*WEAK, *VIETNAMESE, *ROMAN, *(_CUES & EVERYDAY), *words("num nhan")} - _PROPOSED
    if len(word) > 1
)
_LITTLE_ELSE: Final = 5
_MANY_HINTS: Final = 4

#: Thai has no spaces to find words by: these are looked for anywhere in a text.
_THAI_CUES: Final = words(
    "เบอร โทร ไลน เฟส ไอดี ไอจี เทเลแกรม ทวิต ติ๊กตอก อินสตา ช่องทาง เมล แอท จุด แอพ แอป รหัส โอทีพี"
    " เลข พิน หลัก ข้อความ เอสเอ็มเอส ดอกจัน โอน จ่าย เงินสด เรียก ยกเลิก บัญชี พร้อมเพย"
)
#: Emoji that are written for a word that this is about.
_SPEAKING: Final = frozenset("📷📸📱📲📞☎✆📧📩✉💬")

#: Stands for every sign that harmless talk does without: digits, `@`, `/`, `*` and so on.
_SIGN: Final = b"#"
_HARMLESS: Final = " .,!?'\"()-\n\r\t;~"
_WORDS_AND_SIGNS: Final = b"".join(
    char.lower().encode() if char.isalpha() else b" " if char in _HARMLESS else _SIGN
    for char in map(chr, range(128))
).ljust(256, _SIGN)

_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]+")
_DOTTED: Final = re.compile(rb"[a-z]\.[a-z]", re.IGNORECASE)
_SPELT: Final = re.compile(rb" [a-z] [a-z] [a-z] ")
_STRETCHED: Final = re.compile(rb"([a-z])\1+")
_SMILEYS: Final = re.compile(r"(?<![:=()-])(?:[:=]-?[()]++)++(?=\s|$)")


def _stretched(word: str) -> Iterator[str]:
    """Rows of letters: any spelling of the word with some letters doubled holds one of them.

    A doubled letter stands between two letters of the word on each side, unless the next letter is
    doubled too. What is written three times is found whatever the word.
    """
    for place, letter in enumerate(word):
        if letter != " ":
            yield word[max(0, place - 2) : place] + 2 * letter + word[place + 1 : place + 3]
    for first, second in pairwise(word.strip()):
        yield 2 * first + 2 * second


def _spaced(words: Iterable[bytes]) -> set[bytes]:
    return {b" %b " % word for word in words}


_VIETNAMESE_WORDS: Final = [word for word in VIETNAMESE if len(word) > 2]
_DIGIT_WORDS: Final = [word for word in STRONG if len(word) > 2]
#: Reason enough to look closer.
_SURE: Final = {
    *_spaced(_TRIGGERS),
    *((first + second).encode() for first, second in product(_DIGIT_WORDS, repeat=2)),
    *((first + second).encode() for first, second in product(_VIETNAMESE_WORDS, repeat=2)),
}
#: What a word that is stretched, or spelt letter by letter, has in it.
_DISTORTED: Final = {
    *(row.encode() for word in _DIGIT_WORDS for row in _stretched(word)),
    *(row.encode() for word in _TRIGGERS for row in _stretched(f" {word.decode()} ")),
    *(3 * letter.encode() for letter in ascii_lowercase),
    *(f" {first} {second} ".encode() for first, second in product(ascii_lowercase, repeat=2)),
} - _SURE
_find: Final = BytesAhoCorasick(
    [*sorted(_SURE), *sorted(_DISTORTED), *sorted(_spaced(_HINTS) - _SURE - _DISTORTED)]
).find_matches_as_indexes
_THAI: Final = re.compile("|".join({*THAI, *("".join(map(fold_char, cue)) for cue in _THAI_CUES)}))


def may_matter(text: str) -> bool:
    """Whether a text needs a closer look."""
    if not text.isascii():
        text = _NOT_ASCII.sub(_in_ascii, text)
        if not text.isascii() and _THAI.search(text):
            return True
    data = b" %b " % text.encode("ascii", "replace")
    row = data.translate(_WORDS_AND_SIGNS)
    if _SIGN in row:
        if ":" not in text and "=" not in text:
            return True
        plain = _SMILEYS.sub(" ", text)
        return plain == text or may_matter(plain)
    if (found := _find(row, overlapping=True)) and _look_again(row, min(found)[0]):
        return True
    if row.count(b" ") * 3 > len(row) and _in_letters(row.split()):
        return True
    return b"." in data and _DOTTED.search(data) is not None


def _look_again(row: bytes, first: int) -> bool:
    """Whether a row of words in which the automaton found what may matter does matter.

    `first` is the place, among all that it looks for, of the first of those that it found.
    """
    if first < len(_SURE):
        return True
    all_words = row.split()
    hints = _HINTS.intersection(all_words)
    if len(hints) > 1 or (hints and len(all_words) < _LITTLE_ELSE):
        return True
    if any(all_words.count(hint) >= _MANY_HINTS for hint in hints):
        return True
    if first >= len(_SURE) + len(_DISTORTED):
        return False
    plain = _STRETCHED.sub(rb"\1", row)
    return _SPELT.search(row) is not None or any(
        index < len(_SURE) for index, _, _ in _find(plain, overlapping=True)
    )


def _in_letters(all_words: list[bytes]) -> bool:
    """Whether words are so short that they are letters or syllables of other words."""
    return len(all_words) > 4 and sum(map(len, all_words)) <= 2 * len(all_words)


def _in_ascii(run: re.Match[str]) -> str:
    """Characters folded; emoji and letters of other scripts part words, Thai is kept."""
    out: list[str] = []
    for char in run.group():
        folded = fold_char(char)
        if folded.isascii() or "\u0e00" <= folded[0] <= "\u0e7f":
            out.append(folded)
        else:
            harmless = unicodedata.category(char) in {"So", "Sk", "Lo", "Ll", "Lu", "Lm"}
            out.append(" " if harmless and char not in _SPEAKING else "#")
    return "".join(out)
