"""Phone numbers: which rows of units have the form of one.

A row is judged by its digits from any unit's start to any unit's end: the mobile grammar of the
trip's country, area codes, and foreign numbers with their prefix. How loosely units may be strewn
over the text depends on how exact the form is.
"""

from __future__ import annotations

import itertools
import re
from functools import cached_property, lru_cache
from typing import Final, NamedTuple

import phonenumbers

from .context import HARD
from .lexicon import FILLERS, squeeze
from .phrases import alternation
from .tokens import Unit
from .vocabulary import words
from .word import DIGITS, LOOKALIKE, WEAK_WORD, WORD


def _any_of(phrases: list[str]) -> str:
    """Any of some phrases, in which `_` stands for a space."""
    return alternation(
        tuple(r"\s" if char == "_" else re.escape(char) for char in phrase) for phrase in phrases
    )


#: Mobile numbers without any prefix, and the country code.
_NATIONAL: Final = {
    "ID": (r"8[1-9]\d{7,10}", "62"), "MY": (r"1\d{8,9}", "60"), "SG": (r"[89]\d{7}", "65"),
    "PH": (r"9\d{9}", "63"), "TH": (r"[689]\d{8}", "66"), "VN": (r"[35789]\d{8}", "84"),
    "KH": (r"[1-9]\d{7,8}", "855"), "MM": (r"9\d{7,9}", "95"),
}  # fmt: skip
COUNTRIES: Final = frozenset(_NATIONAL)
# The plans of other countries would else be read from disk when a message first names one.
phonenumbers.PhoneMetadata.load_all()
_ANY_MOBILE: Final = re.compile(
    r"0{0,2}(?:62|60|63|65|66|84|855|95)0?(?:8[1-9]\d{7,10}|1\d{8,9}|9\d{9}"
    r"|[689]\d{8}|[35789]\d{8}|[89]\d{7})"
)
_FOREIGN_PREFIX: Final = re.compile(r"65[89]|601|639|66[689]|84[35789]")
_TRUNK: Final = re.compile(r"0[1-9]\d{7,11}")
_LONG_PREFIX: Final = re.compile(r"0(?:0|01\d?|07|08)\d{0,3}628[1-9]\d{7,10}")
_PLUS: Final = re.compile(r"\+\s*[(\[]?\s*$|(?:plus|tambah)\s*$")
#: Words beside which digits are a phone number: devices and apps, "number", "call me".
_PHONE_WORDS: Final = words(
    "wa w.a whatsapp whatsap wasap watsap hp hape handphone telp telpon telepon tlp tlpn nelpon "
    "phone mobile cell fon sms text txt nomor nomer nmr nomerku nomorku nomornya number contact "
    "kontak kontek no_hp nohp no_wa nowa no_telp notelp my_no no_saya no_ku noku call hub hubungi "
    "ring chat japri sdt goi tawag tawagan"
)
_THAI_PHONE_WORDS: Final = words("เบอร โทร ไลน")
_PHONE_CUE: Final = re.compile(
    rf"(?<![a-z])(?:{_any_of(_PHONE_WORDS)})(?![a-z])|{_any_of(_THAI_PHONE_WORDS)}"
)
#: Zero, or the country code, as it is said to stand before what was written without it.
_ZEROS: Final = words("nol kosong zero sero sifar enol khong 62")
_ZERO: Final = rf"(?:{_any_of(_ZEROS)}|(?<!\d)0(?!\d))"
_IN_FRONT: Final = words(
    "depan awal dulu unahan dang_truoc truoc front first before ngarep hareup pinggir sendiri muka "
    "mula"
)
_PUT_IN_FRONT: Final = words(
    "depan awal unahan front ngarep hareup tambah tambahin tambahkan kasih pake pakai add lagyan "
    "them start"
)
_ZERO_CUE: Final = re.compile(
    rf"""
      (?: {_ZERO} | o | ศูนย ) (?:nya)? \s* (?: [a-z]+\s+ ){{0,4}}? (?:{_any_of(_IN_FRONT)})
    | (?:{_any_of(_PUT_IN_FRONT)}) [a-z]* \s* (?: [a-z]+\s+ ){{0,3}}? {_ZERO}
    | nolnya
    """,
    re.VERBOSE,
)
#: What says that digits are written the other way round.
_BACKWARDS: Final = words(
    "dibalik kebalik terbalik balik tibalik walik belakang mundur sungsang cermin revers backward "
    "mirror baligtad nguoc กลับ ย้อน"
)
_BACKWARDS_CUE: Final = re.compile(_any_of(_BACKWARDS))
_WORDS: Final = re.compile(r"[^\W\d_]+")


#: Units that are farther apart belong to nothing together.
_WIDE: Final = 60
#: No number has fewer digits, or more digits, or more parts.
LEAST_DIGITS, _MOST_DIGITS, _MOST_UNITS = 7, 18, 40
#: Rules that are sure of the form of a whole number.
_EXACT_RULES: Final = frozenset({"mobile", "international", "backwards"})
#: Pairs of digits with a word after each ("08 great 13 fine 77 ..."), to be a number.
_STREWN: Final = 5
#: Number words in a row that make a number of any country, and those of someone who counts.
_DICTATED: Final = 10
_COUNTING: Final = "12345678901234567890"
#: Nobody writes more separate digits than this to be picked up.
_FLOOD: Final = 80


class Found(NamedTuple):
    """A number: its units (places in the list judged) and the rule that found it."""

    first: int
    last: int
    rule: str


class Plan(NamedTuple):
    """The grammar of one country, compiled."""

    country: str
    mobile: re.Pattern[str]
    national: re.Pattern[str]
    prefix: re.Pattern[str]
    national_prefix: re.Pattern[str]


@lru_cache(maxsize=16)
def plan_of(country: str) -> Plan:
    """The grammar of a country; one not in `COUNTRIES` gets the common forms only."""
    national, code = _NATIONAL.get(country, (r"[2-9]\d{7,9}", "0"))
    home = rf"(?:0+|0*{code}0?)"
    return Plan(
        country,
        re.compile(rf"{home}(?:{national})|(?:0|0*62)8[1-9]\d{{7,10}}"),
        re.compile(national),
        re.compile(rf"(?:0|0*{code}0?){national.split(chr(92))[0]}|0*628[1-9]|08[1-9]"),
        re.compile(national.split(chr(92))[0] if country in _NATIONAL else r"8[1-9]"),
    )


def home_prefix(digits: str, plan: Plan) -> bool:
    """Whether seven or more digits begin as a mobile number of the country does."""
    return len(digits) >= LEAST_DIGITS and plan.prefix.match(digits) is not None


def phone_prefix(digits: str, plan: Plan) -> bool:
    """Whether they begin as one of the country or its neighbours does; "601" can be a room too."""
    return home_prefix(digits, plan) or (
        len(digits) >= LEAST_DIGITS and _FOREIGN_PREFIX.match(digits) is not None
    )


def is_foreign_mobile(digits: str) -> bool:
    """Whether digits are a whole mobile number of the region, with its country code."""
    return _ANY_MOBILE.fullmatch(digits) is not None and is_foreign(digits)


def only_signs(gap: str) -> bool:
    """Whether what stands between two units is signs, and few of them."""
    return gap in ("", " ") or (len(gap) <= _WIDE and _WORDS.search(gap) is None)


def gap_level(gap: str) -> int:
    """How far apart two units are.

    0 only signs, 1 words that go between parts, 2 letters without a space, 3 a few words, 4 far.
    """
    if only_signs(gap):
        return 0
    if len(gap) > _WIDE:
        return 4
    words = _WORDS.findall(gap)
    for word in words:
        if not (len(word) == 1 or word in FILLERS or squeeze(word) in FILLERS):
            break
    else:
        return 1
    if gap.isalpha() and len(gap) <= 12:
        return 2
    return 3 if len(words) <= 3 and sum(map(len, words)) <= 26 else 4


def is_foreign(digits: str) -> bool:
    """Whether digits are a valid number of any country, with its country code."""
    try:
        number = phonenumbers.parse("+" + digits, None)
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(number)


def _possible(digits: str) -> bool:
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse("+" + digits, None))
    except phonenumbers.NumberParseException:
        return False


class _Text:
    """A text in which digits stand, and what it says of them, which is looked for if it matters."""

    def __init__(self, folded: str, plan: Plan, *, mirrored: bool) -> None:
        self._folded = folded
        self._mirrored = mirrored
        self.plan = plan

    @cached_property
    def cue(self) -> bool:
        """Whether it speaks of a phone or a number."""
        return _PHONE_CUE.search(self._folded) is not None

    @cached_property
    def zero_cue(self) -> bool:
        """Whether it tells to put a zero in front."""
        return _ZERO_CUE.search(self._folded) is not None

    @cached_property
    def backwards(self) -> bool:
        """Whether digits are to be read the other way round."""
        return self._mirrored or _BACKWARDS_CUE.search(self._folded) is not None

    def has_plus_before(self, unit: Unit) -> bool:
        """Whether a plus stands before a unit, as a sign or a word."""
        return _PLUS.search(self._folded, max(0, unit.start - 9), unit.start) is not None


def _judge(digits: str, plus: bool, text: _Text, exact: bool) -> str:
    """The rule by which digits are a number, or nothing. `exact`: only what is unmistakable."""
    count = len(digits)
    if not LEAST_DIGITS <= count <= _MOST_DIGITS:
        return ""
    if text.plan.mobile.fullmatch(digits):
        return "mobile"
    if exact:
        return ""
    if plus and 8 <= count <= 15:
        return "international"
    if _LONG_PREFIX.fullmatch(digits):
        return "international"
    if digits[0] == "0":
        if digits.startswith("00") and count >= 11 and _possible(digits.lstrip("0")):
            return "exit_code"
        if _TRUNK.fullmatch(digits):
            return "trunk"
    elif is_foreign_mobile(digits):
        return "international"
    if text.plan.national.fullmatch(digits) and (text.cue or text.zero_cue or count >= 9):
        if text.zero_cue:
            return "no_prefix"
        return "no_prefix_cue" if text.cue else "no_prefix_bare"
    if text.cue and text.plan.country != "SG" and re.fullmatch(r"8[1-9]\d{7,10}|9\d{9}", digits):
        return "no_prefix_cue"
    return ""


def too_few(units: list[Unit]) -> bool:
    """Whether units have fewer digits than any number that is written at once."""
    return sum([len(unit[0]) for unit in units]) <= LEAST_DIGITS


def _may_be_numbers(units: list[Unit], contexts: list[int], levels: list[int]) -> bool:
    """Whether enough digits stand close together for a number, most of them no price or date, and
    those beside look-alikes with nothing but signs between them (`_Row.may_be_number`)."""
    digits = plain = glued = 0
    for (row, _, _, kind), context, level in zip(units, contexts, [0, *levels], strict=True):
        count = len(row)
        glued = count if level else glued + count
        if level > 3 or kind == LOOKALIKE:
            digits = plain = 0
        if kind != LOOKALIKE:
            digits += count
            plain += count if context != HARD else 0
        if glued > LEAST_DIGITS or (digits > LEAST_DIGITS and plain * 2 > LEAST_DIGITS):
            return True
    return False


def find_numbers(
    folded: str, units: list[Unit], contexts: list[int], plan: Plan, *, mirrored: bool = False
) -> list[Found]:
    """The numbers in a text, none overlapping, from left to right."""
    if too_few(units):
        return []
    if len(units) > _FLOOD:
        if sum(unit.kind == DIGITS for unit in units) <= _FLOOD:
            return []
        return [Found(0, len(units) - 1, "flood")]
    gaps = [folded[a.end : b.start] for a, b in itertools.pairwise(units)]
    levels = [gap_level(gap) for gap in gaps]
    if not _may_be_numbers(units, contexts, levels):
        return []
    # The same words again and again are a separator, whatever they mean.
    bare = ["".join(_WORDS.findall(gap)) for gap in gaps]
    for place in range(1, len(gaps)):
        if 2 <= levels[place] <= 3 and bare[place] == bare[place - 1]:
            levels[place] = levels[place - 1] = 1
    text = _Text(folded, plan, mirrored=mirrored)
    out: list[Found] = []
    first = 0
    while first < len(units):
        found = _longest(units, contexts, levels, first, text)
        if found is None:
            first += 1
        else:
            out.append(found)
            first = found.last + 1
    return out


def _longest(
    units: list[Unit], contexts: list[int], levels: list[int], first: int, text: _Text
) -> Found | None:
    """The longest number that starts at a unit."""
    glued = first > 0 and levels[first - 1] == 0
    row = _Row()
    best: Found | None = None
    plus: bool | None = None
    for last in range(first, min(len(units), first + _MOST_UNITS)):
        row.take(units[last], contexts[last], levels[last - 1] if last > first else 0)
        if row.gap > 3 or len(row.digits) > _MOST_DIGITS:
            break
        if not row.may_be_number():
            continue
        if plus is None:
            plus = text.has_plus_before(units[first])
        rule = _judge(row.digits, plus, text, exact=row.gap >= 2 or row.is_doubtful)
        if not rule and text.backwards and row.gap < 2:
            rule = _judge(row.digits[::-1], plus, text, exact=True) and "backwards"
        if not rule and row.gap < 2 and row.is_dictated:
            rule = "dictated"
        if rule and row.allows(rule, glued=glued):
            best = Found(first, last, rule)
    return best


class _Row:
    """Units one after another, and what speaks for and against their being a number."""

    __slots__ = (
        "digits",
        "first",
        "gap",
        "hard",
        "shortest",
        "soft",
        "spoken",
        "sure",
        "units",
        "weak",
    )

    def __init__(self) -> None:
        self.digits = ""
        #: The widest gap between two units (`gap_level`).
        self.gap = 0
        #: Digits by how sure it is that they are meant, and by context.
        self.sure = self.weak = self.hard = self.soft = 0
        #: Digits of which each is a word; units.
        self.spoken = self.units = 0
        #: Digits of the first unit, and of the shortest that is written in digits.
        self.first, self.shortest = 0, _MOST_DIGITS

    def take(self, unit: Unit, context: int, gap: int) -> None:
        """Go on with a unit, which stands `gap` from the one before."""
        count = len(unit.digits)
        self.units += 1
        self.first = self.first or count
        self.digits += unit.digits
        self.gap = max(self.gap, gap)
        if unit.kind == DIGITS:
            self.shortest = min(self.shortest, count)
        if unit.kind in (DIGITS, WORD):
            self.sure += count
        elif unit.kind == WEAK_WORD:
            self.weak += count
        self.spoken += unit.kind in (WORD, WEAK_WORD) and count == 1
        if context == HARD:
            self.hard += count
        elif context:
            self.soft += count

    @property
    def is_doubtful(self) -> bool:
        """Whether some of the digits may be none."""
        return self.sure < len(self.digits)

    @property
    def is_dictated(self) -> bool:
        """Whether so many digits are said one by one as nobody says who isn't counting."""
        count = len(self.digits)
        return (
            self.spoken == count >= _DICTATED
            and self.weak * 4 <= count
            and self.digits not in _COUNTING
        )

    def may_be_number(self) -> bool:
        """Whether there is enough of it, outside prices and dates, and close enough together."""
        count = len(self.digits)
        if count <= LEAST_DIGITS or self.hard * 2 >= count:
            return False
        if not self.is_doubtful:
            return True
        lookalikes = self.sure + self.weak < count
        return not (
            self.gap > 1
            or self.hard
            or (not self.sure and self.weak <= 8)
            or (lookalikes and self.gap)
        )

    def allows(self, rule: str, *, glued: bool) -> bool:
        """Whether a rule is strong enough here; `glued`: right after other digits."""
        if self.gap == 3 and (self.first < 2 or self.shortest < 2):
            return False
        if self.gap == 3 and self.first < 3 and (self.soft or self.hard or self.units < _STREWN):
            return False
        if rule not in _EXACT_RULES and (self.soft or self.hard):
            return False
        return rule != "no_prefix_bare" or (len(self.digits) >= 9 and not glued)
