"""The judge's own reader: which digits a person could take from a text.

It shares no code and no table with the guard, so that what the guard fails to see is not overlooked
here for the same reason. It may see too much, not too little: a text is read in several ways, from
its bare digits to clipped words and look-alikes, and each of them counts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final, NamedTuple

_WORDS: Final = (
    "nol kosong nul enol zero oh sero wala sifar ศูนย์",
    "satu siji setunggal hiji one isa uno หนึ่ง นึง",
    "dua loro kalih two dalawa dos สอง โท",
    "tiga telu tigo tilu three tatlo tres สาม",
    "empat papat sekawan opat four apat kuwatro สี่",
    "lima limo gangsal five singko ห้า",
    "enam nenem enem genep six anim sais หก",
    "tujuh pitu seven pito siyete เจ็ด",
    "delapan lapan wolu dalapan eight walo otso แปด",
    "sembilan songo sanga salapan nine siyam nuwebe เก้า",
)
_CLIPPED: Final = (
    "o ksg nl", "atu stu st", "du dw", "ga tga tg", "pat mpat mpt", "lma lim", "nam nm",
    "ju juh tjh", "pan lpn dlpn dlapan", "lan bilan smbln",
)  # fmt: skip
_VIETNAMESE: Final = (
    "khong linh", "mot", "hai", "ba", "bon tu", "nam lam", "sau", "bay", "tam", "chin",
)  # fmt: skip
#: What makes the digit before it a ten or a teen, and what doubles the one after it.
_TENS: Final = frozenset(("puluh", "puloh", "pulu", "muoi"))
_TEENS: Final = frozenset(("belas", "blas", "welas"))
_TIMES: Final = {"dobel": 2, "double": 2, "doble": 2, "kembar": 2, "triple": 3, "tripel": 3}

#: What is said for the signs of an address.
_SIGN_WORDS: Final = frozenset(
    ("titik", "dot", "ttk", "at", "et", "garis", "miring", "bawah", "slash", "underscore", "strip")
)

_SIGNS: Final = "|!$"
_ALIKE: Final = f"oqdlizeasbgt{_SIGNS}"
_DRAWN: Final = frozenset(_ALIKE + "0123456789")
_DRAWN_8_9: Final = str.maketrans(_ALIKE, "000112345897115")
_DRAWN_6_6: Final = str.maketrans(_ALIKE, "000112345667115")
#: Letters by which a digit inside a number word is read: "l1ma", "n0l".
_AS_LETTERS: Final = (
    str.maketrans("0123456789", "oizeasbtbg"),
    str.maketrans("0123456789", "olrasbgtbg"),
)
_OTHER_ALPHABETS: Final = str.maketrans(
    "аеорсхуіјѕкмнтвԁզοαερικντυβ∅đ", "aeopcxyijskmhtbdqoaepikvtub0d"
)

_THAI: Final = "\u0e00-\u0e7f"
_TOKEN: Final = re.compile(rf"[0-9a-z|!$]+|[{_THAI}]+")
_PIECE: Final = re.compile(rf"[0-9]+|[a-z]+|[{_THAI}]+")
_LEAST_SPELT: Final = 4
#: A word of look-alikes only is a word, unless it is short.
_LONGEST_DRAWN: Final = 4


class Digit(NamedTuple):
    """A digit, and the span of the text from which it was read."""

    value: str
    start: int
    end: int


class _Token(NamedTuple):
    text: str
    start: int
    end: int


class _Lexicon:
    """Number words as they may be written: alone, stretched, without spaces between them."""

    def __init__(self, *tables: Iterable[str]) -> None:
        self._digits = {
            _plain(word)[0]: str(digit)
            for rows in tables
            for digit, row in enumerate(rows)
            for word in row.split()
        }
        self._squeezed = {_squeezed(word): digit for word, digit in self._digits.items()}
        long = sorted((word for word in self._digits if len(word) > 1), key=len, reverse=True)
        self._any = re.compile("|".join(long))

    def digits_of(self, word: str) -> str:
        """The digits that letters stand for, or nothing."""
        if (digit := self._digits.get(word) or self._squeezed.get(_squeezed(word))) is not None:
            return digit
        found = self._any.findall(word)
        # Thai has no spaces; elsewhere letters around a number word make it another word.
        if "".join(found) == word or word[0] >= "\u0e00":
            return "".join(self._digits[one] for one in found)
        return ""


class _Way(NamedTuple):
    """A way to read: by which words, and by which look-alikes."""

    words: _Lexicon
    alike: dict[int, int] | None


def _squeezed(word: str) -> str:
    return re.sub(r"(.)\1+", r"\1", word)


def _plain(text: str) -> tuple[str, list[int]]:
    """The text without case, marks and style, and the place each of its characters came from."""
    chars: list[str] = []
    places: list[int] = []
    for place, char in enumerate(text):
        value = unicodedata.numeric(char, -1)
        if value in range(21):
            shown = str(int(value))
        elif char in "\t\r\n":
            shown = " "
        else:
            shown = "".join(
                part
                for part in unicodedata.normalize("NFKD", char.casefold())
                if unicodedata.category(part)[0] not in "MC" or "\u0e00" <= part <= "\u0e7f"
            ).translate(_OTHER_ALPHABETS)
        chars.append(shown)
        places.extend([place] * len(shown))
    return "".join(chars), places


_REGIONAL: Final = _Lexicon(_WORDS)
_SLANG: Final = _Lexicon(_WORDS, _CLIPPED)
_WAYS: Final = (
    _Way(_REGIONAL, None),
    _Way(_REGIONAL, _DRAWN_6_6),
    _Way(_SLANG, _DRAWN_8_9),
    _Way(_Lexicon(_WORDS, _VIETNAMESE), None),
)


def readings(text: str) -> list[list[Digit]]:
    """The digits of a text, read in each of the ways; the first are its bare digits.

    The second are those that anybody would read: digits and number words.
    """
    plain, places = _plain(text)
    bare = [
        Digit(char, places[at], places[at] + 1)
        for at, char in enumerate(plain)
        if "0" <= char <= "9"
    ]
    tokens = _tokens(plain)
    return [
        bare,
        *(
            [
                Digit(digit, places[token.start], places[token.end - 1] + 1)
                for token, digits in _values(tokens, way)
                for digit in digits
            ]
            for way in _WAYS
        ),
    ]


def digits_of(reading: Iterable[Digit]) -> str:
    """A reading's digits alone."""
    return "".join(digit.value for digit in reading)


def contact_letters(text: str) -> str:
    """Letters and digits of a text alone, without the words for the signs of an address."""
    words = re.findall(r"[^\W_]+", _plain(text)[0])
    return "".join(word for word in words if word not in _SIGN_WORDS)


def _tokens(plain: str) -> list[_Token]:
    """The tokens of a plain text; letters that stand alone in a row are one."""
    out: list[_Token] = []
    alone: list[_Token] = []
    for match in _TOKEN.finditer(plain):
        token = _Token(match[0], match.start(), match.end())
        if len(token.text) == 1 and token.text.isalpha():
            alone.append(token)
            continue
        out += _spelt(alone)
        alone = []
        out.append(token)
    return out + _spelt(alone)


def _spelt(alone: list[_Token]) -> list[_Token]:
    if len(alone) < _LEAST_SPELT:
        return alone
    return [_Token("".join(one.text for one in alone), alone[0].start, alone[-1].end)]


def _values(tokens: list[_Token], way: _Way) -> list[tuple[_Token, str]]:
    """The tokens that stand for digits, with compounds and doublings worked out."""
    out: list[tuple[_Token, str]] = []
    times, tens_at = 1, -1
    for at, token in enumerate(tokens):
        text = token.text
        if text in _TIMES:
            times = _TIMES[text]
            continue
        if out and text in _TEENS and len(out[-1][1]) == 1:
            out[-1] = (out[-1][0], "1" + out[-1][1])
        elif out and text in _TENS and len(out[-1][1]) == 1:
            tens_at = at
            out.append((token, "0"))
        elif digits := _token_digits(text, way):
            if tens_at == at - 1 >= 0 and len(digits) == 1:
                out.pop()  # "tujuh puluh delapan" is 78
            out.append((token, digits * times))
        times = 1
    return out


def _token_digits(token: str, way: _Way) -> str:
    if token.isdecimal():
        return token
    touches_digits = any(char.isdecimal() for char in token)
    drawn = touches_digits or len(token) <= _LONGEST_DRAWN
    if way.alike is not None and drawn and set(token) <= _DRAWN:
        return token.translate(way.alike)
    if touches_digits:
        for table in _AS_LETTERS:
            if digits := way.words.digits_of(token.translate(table)):
                return digits
    return "".join(
        piece if piece[0].isdigit() else way.words.digits_of(piece)
        for piece in _PIECE.findall(token)
    )
