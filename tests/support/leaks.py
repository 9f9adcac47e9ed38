"""A search for phone numbers in bytes, in every form that a number hides in.

What counts is the end of a number: whoever has its last nine digits has the person. So a number is
found with its plus sign, without, with the zero that is dialled at home, bare, or cut to nine, and
each of these as

- digits, with up to two other bytes between any two of them, also full-width, Arabic and Indic ones
  in UTF-8, and UTF-16 and UTF-32 of either byte order;
- hexadecimal of the text (`363238`, `\\x36\\x32`, `%36%32`, `36 32`), or of the integer;
- base64 and base64url of the text, at each of the three alignments;
- a list of the bytes (`[54, 50, 56]`);
- an integer or a float of eight bytes, big or little endian, which is how MessagePack has it, and
  how a store keeps a text of digits or a score.

Not found: digits in words, in reverse, in pieces far apart, in compressed or encrypted data.
"""

from __future__ import annotations

import base64
import re
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

#: So many digits at the end of a number are the number.
TELLING: Final = 9

_BETWEEN: Final = re.compile(rb"(?<=[0-9])[^0-9A-Za-z]{1,2}(?=[0-9])")
_RUN: Final = re.compile(rb"[0-9]{%d,}" % TELLING)

_FOREIGN_DIGIT: Final = re.compile(
    rb"\xef\xbc[\x90-\x99]|\xd9[\xa0-\xa9]|\xdb[\xb0-\xb9]|\xe0\xa5[\xa6-\xaf]"
)
_FOREIGN: Final = re.compile(
    rb"(?:%b)(?:[^0-9A-Za-z]{0,3}?(?:%b)){%d,}"
    % (_FOREIGN_DIGIT.pattern, _FOREIGN_DIGIT.pattern, TELLING - 1)
)
_UTF_16: Final = re.compile(
    rb"[0-9](?:\x00{1,3}(?:[^0-9A-Za-z\x00]\x00{1,3}){0,2}[0-9]){%d,}" % (TELLING - 1)
)
#: Spaces, dashes and invisible characters of three bytes, of which one is a separator like another.
_PUNCTUATION: Final = re.compile(rb"\xe2\x80[\x80-\xbf]|\xe2\x81[\x9f-\xaf]|\xef\xbb\xbf")
_WIDE: Final = re.compile(
    b"|".join(
        rb"(?:%b){%d,}" % (pair, TELLING)
        for pair in (
            rb"[\x10-\x19]\xff", rb"\xff[\x10-\x19]", rb"[\x60-\x69]\x06", rb"\x06[\x60-\x69]",
        )
    )
)  # fmt: skip

_HEX: Final = re.compile(
    rb"3[0-9](?:(?:\\+x|%%|\\+u00|&#x|, ?0x|0x|[ :;,-]{1,2})?3[0-9]){%d,}" % (TELLING - 1)
)
_HEX_DIGIT: Final = re.compile(rb"3([0-9])")
_BYTE_LIST: Final = re.compile(
    rb"(?:(?:4[89]|5[0-7])[,; ]{1,2}){%d,}(?:4[89]|5[0-7])" % (TELLING - 1)
)

#: Base64 of three digits is four characters, each out of a few; and four more on either side.
_BASE64: Final = re.compile(rb"(?:[MNO][DTjz][AEIMQUYcgk][wxyz0-5]){2,}")
_PLAIN: Final = bytes.maketrans(b"-_", b"+/")
_NOT_BASE64: Final = re.compile(rb"[^A-Za-z0-9+/]")


class Leak(NamedTuple):
    """A number, in which form it can be read, and what stands there."""

    number: str
    form: str
    near: bytes


class _Packed:
    """Numbers as one kind of fixed bytes. `at` is where such bytes are alike for numbers that are
    near each other: one regular expression for that part finds the few places worth a look."""

    def __init__(
        self, form: str, at: slice, pack: Callable[[int], bytes], numbers: Mapping[int, str]
    ) -> None:
        self._form = form
        self._offset: int = at.start
        self._numbers = {pack(integer): number for integer, number in numbers.items()}
        self._lengths = {len(packed) for packed in self._numbers}
        alike = sorted({re.escape(packed[at]) for packed in self._numbers})
        self._alike = re.compile(b"|".join(alike) or rb"(?!)", re.DOTALL)

    def find(self, data: bytes) -> Iterator[Leak]:
        match = self._alike.search(data)
        while match:
            start = match.start() - self._offset
            for length in self._lengths if start >= 0 else ():
                number = self._numbers.get(data[start : start + length])
                if number is not None:
                    yield Leak(number, self._form, data[max(0, start - 60) : start + 60])
            match = self._alike.search(data, match.start() + 1)


class Scanner:
    """A search for these numbers, given as E.164. `find` takes about a second for 5 MB."""

    def __init__(self, numbers: Iterable[str]) -> None:
        numbers = list(numbers)
        self._ends = {number[-TELLING:].encode(): number for number in numbers}
        whole = {int(digits): number for number in numbers for digits in _whole_forms(number)}
        self._packed = [
            _Packed(form, at, pack, whole)
            for form, at, pack in (
                ("big-endian integer", slice(0, 4), lambda n: n.to_bytes(8, "big")),
                ("little-endian integer", slice(4, 8), lambda n: n.to_bytes(8, "little")),
                ("big-endian float", slice(0, 2), lambda n: struct.pack(">d", n)),
                ("little-endian float", slice(6, 8), lambda n: struct.pack("<d", n)),
            )
        ]
        self._hexadecimal = _Packed("hexadecimal integer", slice(0, 3), lambda n: b"%x" % n, whole)

    def find(self, data: bytes) -> list[Leak]:
        """Every number that can be read in the data, once for each form."""
        found: dict[tuple[str, str], Leak] = {}
        for leak in self._all(data):
            found.setdefault((leak.number, leak.form), leak)
        return list(found.values())

    def _all(self, data: bytes) -> Iterator[Leak]:
        for form, text in _readings(data):
            joined = _BETWEEN.sub(b"", text)
            for run in _RUN.finditer(joined):
                digits = run[0]
                for start in range(len(digits) - TELLING + 1):
                    number = self._ends.get(digits[start : start + TELLING])
                    if number is not None:
                        yield Leak(number, form, joined[max(0, run.start() - 80) : run.end() + 40])
        for packed in self._packed:
            yield from packed.find(data)
        yield from self._hexadecimal.find(data.lower())


def _whole_forms(number: str) -> set[str]:
    """The number as one would write it without a plus: from abroad, and bare, for every length that
    a country's code can have."""
    digits = number.removeprefix("+")
    return {digits, *(digits[code:] for code in (1, 2, 3) if len(digits) - code >= TELLING)}


def _readings(data: bytes) -> Iterator[tuple[str, bytes]]:
    """The data in such ways of reading it that digits are ASCII digits."""
    yield "digits", _PUNCTUATION.sub(b" ", data)
    for form, pattern, digits_of in (
        ("digits of another script", _FOREIGN, _ascii_digits),
        ("UTF-16 or UTF-32", _UTF_16, lambda text: b"".join(re.findall(rb"[0-9]", text))),
        ("UTF-16 of another script", _WIDE, _wide_digits),
        ("hexadecimal", _HEX, lambda text: b"".join(_HEX_DIGIT.findall(text))),
        ("list of bytes", _BYTE_LIST, lambda text: bytes(map(int, re.findall(rb"[0-9]+", text)))),
    ):
        runs = [digits_of(run[0]) for run in pattern.finditer(data)]
        if runs:
            yield form, b"|||".join(runs)
    regions = [_decoded(data, run) for run in _BASE64.finditer(data)]
    if regions:
        yield "base64", b"|||".join(regions)


def _ascii_digits(text: bytes) -> bytes:
    # Devanagari digits begin at 6 within their 16, the others at 0.
    return b"".join(
        b"%d" % (digit[-1] - 0xA6 if digit[0] == 0xE0 else digit[-1] & 0x0F)
        for digit in _FOREIGN_DIGIT.findall(text)
    )


def _wide_digits(text: bytes) -> bytes:
    return b"".join(b"%d" % (byte & 0x0F) for byte in text if byte not in (0xFF, 0x06))


def _decoded(data: bytes, run: re.Match[bytes]) -> bytes:
    """What is behind a run of base64 and the four characters on either side of it, where a number
    may begin and end."""
    before = data[max(0, run.start() - 4) : run.start()].translate(_PLAIN)
    before = b"" if len(before) < 4 or _NOT_BASE64.search(before) else before
    after = _NOT_BASE64.split(data[run.end() : run.end() + 4].translate(_PLAIN))[0]
    after = b"" if len(after) < 2 else after
    text = before + run[0] + after
    return base64.b64decode(text + b"=" * (-len(text) % 4))
