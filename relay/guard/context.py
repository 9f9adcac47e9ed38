"""What digits are when they are no phone number: prices, times, plates, addresses, references.

A *hard* context is a form of its own (a price, a date): digits in it are a number's only if most of
the number stands outside. A *soft* one is a word before the digits ("no", "kode", "order"): anyone
can write it before a phone number too, so it doesn't protect what has the exact form of a mobile.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from .cues import BANKS
from .phrases import alternation, pattern_of
from .tokens import Token, Unit
from .vocabulary import words
from .word import DIGITS

SOFT, HARD = 1, 2
_FEW_DIGITS: Final = 3


def _any(text: str) -> str:
    return alternation(tuple(map(re.escape, word)) for word in words(text))


_CURRENCY: Final = _any("rp rm idr php usd thb vnd")
#: What is counted: money, time, people, lengths, weights, things.
_COUNTED: Final = _any(
    "rb ribu rebu ewu k jt juta perak rupiah baht php peso pesos piso dong vnd ngan nghin ringgit "
    "usd persen "
    "menit mnt min mins minute minutes minit detik jam hour hours hari thn tahun taun bulan minggu "
    "gio phut "
    "orang org wong urang pax people person persons penumpang nguoi "
    "meter mtr km kg gram gr gb cc mph lantai tao "
    "koper tas anak kali buah pcs dus box"
)
_THAI_COUNTED: Final = "บาท|นาท|คน|โมง|ชม|กม|เมตร|ชั้น|ชั"
_AIRLINE: Final = _any("ga qg jt iu qz sj il iw ak tr sq mh od pr tg vj fd xj")
_DAY: Final = r"(?:0?[1-9]|[12]\d|3[01])"
_MONTH: Final = r"(?:0?[1-9]|1[0-2])"
_YEAR: Final = r"(?:19[5-9]|20[0-4])\d"

_HOW_MANY: Final = "satu dua tiga empat lima enam tujuh delapan two three four five six eight"
_WHICH_OF_SEVERAL: Final = "first last next middle"
_PART_OF_SEVERAL: Final = "part bagian bag"

#: Forms by what they begin with, so that at most places of a text none of them is tried.
_FROM_A_DIGIT: Final = {
    "price with cents": r"(?<![.,+])[1-9]\d{0,2}(?:[.,]\d{3}){1,4}(?:,\d\d)?(?![\d.,]*\d)",
    "count": rf"(?<![.,])\d[\d.,]{{0,11}}\s?(?:{_COUNTED}(?![a-z0-9])|%|{_THAI_COUNTED})",
    "size": r"[1-9]\d{0,3}(?:\s?x\s?[1-9]\d{0,3}){1,2}\s?(?:cm|mm|m|inch)(?![a-z])",
    "time": r"(?<![.:])(?:[01]?\d|2[0-4])[.:][0-5]\d(?:[.:][0-5]\d)?(?![.:]?\d)",
    "day first": rf"(?<![./-]){_DAY}([-/.]){_MONTH}\1(?:19|20)?\d\d(?![-/.]?\d)",
    "day first, spaced": rf"{_DAY}\s{_MONTH}\s(?:19|20)\d\d(?!\s?\d)",
    "year first": rf"(?:19|20)\d\d([-/.]){_MONTH}\2{_DAY}(?![-/.]?\d)",
    "day first, glued": rf"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2]){_YEAR}(?!\d)",
    "year first, glued": rf"{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)",
    "coordinate": r"(?<!\.)(?:\d{1,2}|1[0-7]\d)\.\d{4,}(?!\d)",
    "part": r"(?<![^\n])\d\s?/\s?\d(?=\s\d{3})",
    "how many digits": r"(?<![.,])\d\s?(?:digit|angka|lagi|terakhir|nomor|dulu)(?![a-z])",
}
_FROM_A_LETTER: Final = {
    "price": rf"{_CURRENCY}\.?\s?[1-9][\d.,]{{0,13}}",
    "plate": r"[a-z]{1,2}[ -]?[1-9]\d{0,3}[ -][a-z]{1,3}(?![a-z0-9])",
    "plate, glued": r"[a-z]{1,2}[1-9]\d{2,3}[a-z]{2,3}(?![a-z0-9])",
    "flight": rf"{_AIRLINE}[ -]?[1-9]\d{{2,3}}(?!\d)",
    "neighbourhood": (
        r"rt[\s.:/]{0,3}(?:rw[\s.:]{0,2})?\d{1,3}"
        r"(?:[\s.,/]{1,3}\d{1,3}|[\s.,/]{0,3}rw[\s.:]{0,2}\d{1,3})(?!\d)"
    ),
    "part": r"(?:bag|bagian|part|ke|sesi|step)[- ]?\d(?![a-z0-9])",
    "how many digits": (
        rf"{_any(_HOW_MANY)}\s(?:digit|angka|nomor|digits|numbers)(?:nya)?\s"
        r"(?:awal|depan|pertama|terakhir|belakang|akhir|tengah|lagi)(?:nya)?(?![a-z])"
        rf"|{_any(_WHICH_OF_SEVERAL)}\s(?:two|three|four|five|six)(?![a-z])"
        r"|(?:dua|tiga|empat|lima)\s(?:pertama|terakhir)(?![a-z])"
        rf"|{_any(_PART_OF_SEVERAL)}\s(?:one|two|three|four|satu|dua|tiga|empat)(?![a-z])"
    ),
    "postcode": r"(?:kode\s?pos|pos|postcode|zip)\s\d{5}(?!\d)",
    "order id": r"[a-z]{1,3}-\d{6,8}-\d{3,8}(?!\d)",
}
_FROM_A_SIGN: Final = {
    "price": r"(?<![a-z0-9])[$₱฿₫]\s?\d[\d.,]{0,13}",
    "unit in a tower": r"\#\d{2}-\d{1,5}(?!\d)",
    "part of": r"[\[(]\d(?:\s?/\s?\d)?[\])]",
}
_HARD: Final = re.compile(
    rf"(?<!\d)(?=\d)(?:{'|'.join(_FROM_A_DIGIT.values())})"
    rf"|(?<![a-z0-9])(?=[a-z]{{1,7}}[^a-z\d]{{0,2}}\d|rt|[a-z]{{3,7}}\s[dantfopse])(?:{'|'.join(_FROM_A_LETTER.values())})"
    rf"|(?=[$₱฿₫#\[(])(?:{'|'.join(_FROM_A_SIGN.values())})"
)

#: What goes before the digits of such a form ("postcode "), and after ("digit terakhirnya"), is
#: shorter.
_BEFORE_DIGITS, _AFTER_DIGITS = 16, 64
#: Signs that begin a form, and words that do, if no digit is beside them.
_FORM_SIGN: Final = re.compile(r"[$₱฿₫#\[(]")
_FORM_HEADS: Final = frozenset(
    words(f"{_HOW_MANY} {_WHICH_OF_SEVERAL} {_PART_OF_SEVERAL} rt rtrw kode")
)
#: How far before a digit a form's letters end.
_BESIDE: Final = 2
#: Without one of them, number words have no context.
_COUNTS_DIGITS: Final = re.compile(
    "angka|digit|nomor|number|first|last|next|middle|pertama|terakhir|part|bag"
)

_PLACES: Final = (
    "no nomor nomer nmr num number rt rw blok block blk unit lt lantai km kamar kmr gate gang gg "
    "jl jln jalan rumah tower halte kav kavling room floor lvl level hotel meja antrian antri "
    "peron terminal exit pintu loker locker jam pukul umur usia tahun harga total bayar ongkir "
    "tarif pos kodepos postcode pin seat kursi gerbong line platform bus jalur parkir parkiran "
    "spot slot bay pilar tiang lobby lobi apt apartemen condo soi so nha phong tang duong ngo "
    "quan plat plate nopol biaya plaka kalye bahay purok lot phase batch sektor cluster ซอย ห้อง "
    "ชั้น บ้านเลขที่"
)
_REFERENCES: Final = (
    "order orderan pesanan booking invoice inv resi awb tiket ticket tix ref reff reference kode "
    "code id voucher transaksi trx antrian pelanggan meteran token nik ktp npwp flight parcel "
    "paket struk laporan aduan komplain case pnr sn serial imei va bpjs sim stnk member kartu jne "
    "jnt sicepat anteraja pos spx tracking track nota po faktur pengiriman tempahan pesenan "
    "resine pin pass otp rek rekening norek พัสดุ ออเดอร์"
)
_SOFT_FORMS: Final = {
    # "blok C5", "no 12/14", but not "no 0812 3456"
    "place": (
        rf"(?<![a-z]){_any(_PLACES)}(?![a-z])[.:#\s]*(?:[a-z]{{1,2}}[ -]?)?#?"
        r"\d{1,5}(?!\d|[ .-]{1,2}\d{4})(?:[/-]\d{1,4}(?!\d))?"
    ),
    "reference": (
        rf"(?<![a-z])(?:{_any(_REFERENCES)}|virtual account|don hang|ma don|ma van don)(?![a-z])"
        r"[^\d\n]{0,24}\d[\d-]{2,23}(?:\s\d{4}(?!\d)){0,4}"
    ),
    "account": (
        rf"{pattern_of(any=BANKS)}[^\d\n]{{0,12}}\d[\d-]{{2,23}}(?:\s\d{{1,4}}(?!\d)){{0,5}}"
    ),
    "label": r"(?<![a-z0-9])[a-z]{1,5}-?\d{4,20}(?!\d)",
}
#: All of them begin with a word, so that at most places of a text none of them is tried.
_SOFT: Final = re.compile(rf"(?<![a-z])(?=[a-z\u0e00-\u0e7f])(?:{'|'.join(_SOFT_FORMS.values())})")
_SOFT_HEADS: Final = frozenset(
    word.partition("_")[0] for word in words(f"{_PLACES} {_REFERENCES} {BANKS} virtual don ma")
)
_THAI: Final = re.compile("[\u0e00-\u0e7f]")


def is_explained(unit: Unit, context: int) -> bool:
    """Whether a unit is no piece of a number: of a form of its own, or a few digits after a word.

    Anyone can write "no" before each piece too, but such pieces are short ("no 12", "rt 04").
    """
    return context == HARD or (context == SOFT and len(unit.digits) <= _FEW_DIGITS)


def contexts_of(folded: str, tokens: list[Token], units: list[Unit]) -> list[int]:
    """For each unit 0, `SOFT` or `HARD`."""
    out = [0] * len(units)
    if not units:
        return out
    if DIGITS not in [unit[3] for unit in units] and not _COUNTS_DIGITS.search(folded):
        return out
    # All forms have digits, or words for them, and reach no further.
    begin, end = max(0, units[0][1] - _BEFORE_DIGITS), units[-1][2] + _AFTER_DIGITS
    last = units[-1][1]
    if _FORM_SIGN.search(folded, begin, last):
        hard = [match.span() for match in _HARD.finditer(folded, begin, end)]
    else:
        hard = _spans(_HARD, folded, _hard_places(tokens, begin, last), end)
    _mark(out, HARD, units, hard)
    if 0 not in out:
        return out
    if not folded.isascii() and _THAI.search(folded):
        soft = [match.span() for match in _SOFT.finditer(folded, 0, end)]
    else:
        soft = _spans(_SOFT, folded, _soft_places(folded, tokens, last), end)
    _mark(out, SOFT, units, soft)
    return out


# A search would try the forms at every place of the text. They are tried only where one can begin
# that holds a unit: at words and digits, and of words at those that begin a form.


def _hard_places(tokens: list[Token], begin: int, last: int) -> Iterator[int]:
    """Where a hard form may begin, from `begin` to `last`."""
    waiting, reach = -1, 0  # a word that may begin one, and where it needs a digit by
    for text, start, end in tokens:
        if end <= begin - _BESIDE:
            continue
        if waiting >= 0 and start <= reach and not text.isalpha():
            yield waiting
        waiting = -1
        if start > last:
            return
        if start < begin:
            # The rest of a token that begins before may hold one too.
            yield from range(begin, end) if end > begin and not text.isalpha() else ()
        elif text.isdecimal():
            yield start
        elif not text.isalpha():
            yield from range(start, end)
        elif text in _FORM_HEADS:
            yield start
        else:
            waiting, reach = start, end + _BESIDE


def _soft_places(folded: str, tokens: list[Token], last: int) -> Iterator[int]:
    """Where a soft form may begin, up to `last`."""
    for text, start, end in tokens:
        if start > last:
            return
        if text.isalpha():
            if text in _SOFT_HEADS or folded[end : end + 1] == "-":
                yield start
        elif not text.isdecimal():
            yield from range(start, end)


def _spans(
    forms: re.Pattern[str], folded: str, places: Iterable[int], end: int
) -> list[tuple[int, int]]:
    """The spans of forms that begin at one of some places, none overlapping."""
    out: list[tuple[int, int]] = []
    free = 0
    for place in places:
        if place >= free and (match := forms.match(folded, place, end)):
            out.append(match.span())
            free = match.end()
    return out


def _mark(out: list[int], level: int, units: list[Unit], spans: list[tuple[int, int]]) -> None:
    """Note which units stand in one of the spans."""
    at = 0
    for index, (_, start, end, _) in enumerate(units) if spans else ():
        while at < len(spans) and spans[at][1] <= start:
            at += 1
        if at == len(spans):
            break
        if spans[at][0] <= start and end <= spans[at][1]:
            out[index] = out[index] or level
