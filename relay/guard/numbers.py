"""Phone numbers: which rows of units have the form of one.

A row is judged by its digits from any unit's start to any unit's end: the mobile grammar of the
trip's country, area codes, and foreign numbers with their prefix. How loosely units may be strewn
over the text depends on how exact the form is.
"""

from __future__ import annotations

import itertools
import re
from functools import lru_cache
from typing import Final, NamedTuple

import phonenumbers

from .context import HARD
from .lexicon import FILLERS, squeeze
from .tokens import DIGITS, WEAK_WORD, WORD, Unit

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
_TRUNK: Final = re.compile(r"0[1-9]\d{7,11}")
_LONG_PREFIX: Final = re.compile(r"0(?:0|01\d?|07|08)\d{0,3}628[1-9]\d{7,10}")
_PLUS: Final = re.compile(r"\+\s*[(\[]?\s*$|(?:plus|tambah)\s*$")
_PHONE_CUE: Final = re.compile(
    r"(?<![a-z])(?:wa|w\.?a|hp|hape|telp|telpon|telepon|tlp|tlpn|nelpon"
    r"|call|nomor|nomer|nmr|nomerku"
    r"|nomorku|nomornya|whatsapp|whatsap|wasap|watsap|phone|hub|hubungi"
    r"|sms|text|number|contact"
    r"|kontak|sdt|goi|tawag|tawagan|txt|kontek|fon|ring|chat|japri|handphone"
    r"|no\s?(?:hp|wa|telp)"
    r"|my no|no saya|no ku|noku|cell|mobile)(?![a-z])|เบอร|โทร|ไลน"
)
_ZERO_CUE: Final = re.compile(
    r"(?:nol|kosong|zero|sero|sifar|(?<!\d)0(?!\d)|o|enol|khong|ศูนย|62)(?:nya)?\s*(?:[a-z]+\s+){0,4}?"
    r"(?:depan|awal|dulu|unahan|dang truoc|truoc|front|first|before|ngarep"
    r"|hareup|pinggir|sendiri|muka"
    r"|mula)|(?:depan|awal|unahan|front|ngarep|hareup|tambah|tambahin"
    r"|tambahkan|kasih|pake|pakai|add"
    r"|lagyan|them|start)[a-z]*\s*(?:[a-z]+\s+){0,3}?"
    r"(?:nol|kosong|zero|sero|sifar|(?<!\d)0(?!\d)|enol|khong|62)|nolnya"
)
_BACKWARDS_CUE: Final = re.compile(
    r"dibalik|kebalik|terbalik|balik|belakang|revers|backward|mundur|walik"
    r"|tibalik|baligtad|nguoc"
    r"|sungsang|กลับ|ย้อน|cermin|mirror"
)
_WORDS: Final = re.compile(r"[^\W\d_]+")


#: No number has fewer digits, or more.
LEAST_DIGITS, _MOST_DIGITS = 7, 18
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
        re.compile(
            rf"(?:0|0*{code}0?){national.split(chr(92))[0]}|0*628[1-9]|08[1-9]"
            r"|(?:65[89]|601|639|66[689]|84[35789])"
        ),
        re.compile(national.split(chr(92))[0] if country in _NATIONAL else r"8[1-9]"),
    )


def phone_prefix(digits: str, plan: Plan) -> bool:
    """Whether seven or more digits begin as a mobile number of the country does."""
    return len(digits) >= LEAST_DIGITS and plan.prefix.match(digits) is not None


def gap_level(gap: str) -> int:
    """How far apart two units are.

    0 only signs, 1 words that go between parts, 2 letters without a space, 3 a few words, 4 far.
    """
    if gap in ("", " "):
        return 0
    if len(gap) > 60:
        return 4
    words = _WORDS.findall(gap)
    if not words:
        return 0
    if all(len(word) == 1 or word in FILLERS or squeeze(word) in FILLERS for word in words):
        return 1
    if gap.isalpha() and len(gap) <= 12:
        return 2
    return 3 if len(words) <= 3 and sum(map(len, words)) <= 26 else 4


def _valid(digits: str) -> bool:
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


class _Text(NamedTuple):
    plan: Plan
    cue: bool
    zero_cue: bool
    backwards: bool


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
    elif _ANY_MOBILE.fullmatch(digits) and _valid(digits):
        return "international"
    if text.plan.national.fullmatch(digits) and (text.cue or text.zero_cue or count >= 9):
        if text.zero_cue:
            return "no_prefix"
        return "no_prefix_cue" if text.cue else "no_prefix_bare"
    if text.cue and text.plan.country != "SG" and re.fullmatch(r"8[1-9]\d{7,10}|9\d{9}", digits):
        return "no_prefix_cue"
    return ""


def find_numbers(
    folded: str, units: list[Unit], contexts: list[int], plan: Plan, *, mirrored: bool = False
) -> list[Found]:
    """The numbers in a text, none overlapping, from left to right."""
    if sum([len(unit.digits) for unit in units]) < LEAST_DIGITS:
        return []
    if len(units) > _FLOOD:
        if sum(unit.kind == DIGITS for unit in units) <= _FLOOD:
            return []
        return [Found(0, len(units) - 1, "flood")]
    text = _Text(
        plan,
        _PHONE_CUE.search(folded) is not None,
        _ZERO_CUE.search(folded) is not None,
        mirrored or _BACKWARDS_CUE.search(folded) is not None,
    )
    gaps = [folded[a.end : b.start] for a, b in itertools.pairwise(units)]
    levels = [gap_level(gap) for gap in gaps]
    # The same words again and again are a separator, whatever they mean.
    bare = ["".join(_WORDS.findall(gap)) for gap in gaps]
    for place in range(1, len(gaps)):
        if 2 <= levels[place] <= 3 and bare[place] == bare[place - 1]:
            levels[place] = levels[place - 1] = 1
    out: list[Found] = []
    first = 0
    while first < len(units):
        found = _longest(folded, units, contexts, levels, first, text)
        if found is None:
            first += 1
        else:
            out.append(found)
            first = found.last + 1
    return out


def _longest(
    folded: str, units: list[Unit], contexts: list[int], levels: list[int], first: int, text: _Text
) -> Found | None:
    """The longest number that starts at a unit."""
    plus = _PLUS.search(folded, max(0, units[first].start - 9), units[first].start) is not None
    digits = ""
    worst = 0
    hard = soft = sure = weak = 0
    best: Found | None = None
    shortest = 9
    for last in range(first, min(len(units), first + 40)):
        if last > first:
            worst = max(worst, levels[last - 1])
            if worst > 3:
                break
        unit = units[last]
        if unit.kind == DIGITS:
            shortest = min(shortest, len(unit.digits))
        digits += unit.digits
        if len(digits) > 18:
            break
        if unit.kind in (DIGITS, WORD):
            sure += len(unit.digits)
        elif unit.kind == WEAK_WORD:
            weak += len(unit.digits)
        if contexts[last] == HARD:
            hard += len(unit.digits)
        elif contexts[last]:
            soft += len(unit.digits)
        count = len(digits)
        if count < 8 or hard * 2 >= count:
            continue
        doubtful = sure < count
        if doubtful and (
            worst > 1 or hard or (not sure and weak < 9) or (sure + weak < count and worst)
        ):
            continue
        rule = _judge(digits, plus, text, exact=worst >= 2 or doubtful)
        if not rule and text.backwards and worst < 2:
            rule = _judge(digits[::-1], plus, text, exact=True) and "backwards"
        if not rule:
            continue
        if worst == 3 and (len(units[first].digits) < 3 or shortest < 2):
            continue
        if rule not in {"mobile", "international", "backwards"} and (soft or hard):
            continue
        if rule == "no_prefix_bare" and (count < 9 or (first > 0 and levels[first - 1] == 0)):
            continue
        best = Found(first, last, rule)
    return best
