"""One-time codes: who asks for one, and what answers.

A request is a few ideas said together, in any order: a secret, or a code and how it came; and a
word of handing it over. Whoever warns ("jangan kasih OTP") or only tells ("OTP belum masuk") asks
for nothing, and the codes of a ride (gate, pickup, parcel, order) are no secrets.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from .context import HARD
from .dialogue_words import (
    ADDRESS,
    AS_LETTERS,
    BELITTLES,
    CAME,
    CHANNEL,
    CODE,
    COMES_TO_YOU,
    CONTENT,
    DIGIT_IN_WORD,
    DIGITS,
    FORGOTTEN,
    FOUR_DIGITS,
    GIVE,
    HARMLESS_SECRET,
    HERE,
    HOWEVER,
    HURRY_UP,
    I_GIVE,
    IN_THE_APP,
    LENGTH,
    NEGATION,
    NOT_COME,
    NUDGE,
    NUMBERS,
    OF_THE_RIDE,
    ON_YOUR_PHONE,
    OTP,
    PIN,
    POLITE,
    PRETEXT,
    READ_OUT,
    SAYS_DIGITS,
    SECRET,
    SENDER,
    SIGNS,
    SMS,
    SMS_CAME,
    SPELT_OUT,
    STRETCHED,
    TO_ME,
    TOLD,
    UNLESS,
    URGING,
    VERIFYING,
    WALLET,
    WHAT,
    WISH,
)
from .numbers import gap_level
from .phrases import near
from .tokens import Unit

#: A secret named in so few words is asked for.
_FEW_WORDS: Final = 4
#: What speaks for a one-time code, each idea once; and that it came, if said in one sentence.
_EVIDENCE: Final = (HERE, CHANNEL, LENGTH, PRETEXT, HURRY_UP, READ_OUT, UNLESS)
_OF_A_SECRET: Final = (CHANNEL, CAME, HURRY_UP, PRETEXT, DIGITS)
#: How near a code stands what it is for, and any number what it is of.
_BESIDE, _ABOUT, _PART = 16, 30, 60
#: Nouns with the evidence that makes them a one-time code, and how near the code of a ride is told.
_NOUNS: Final = ((CODE, 1, _BESIDE), (DIGITS, 1, _ABOUT), (NUMBERS, 3, _ABOUT))
_SENTENCE_END: Final = re.compile(r"\n|[.!?](?:\s|$)")
_CLAUSE_END: Final = re.compile(
    r"[,;\n]|[.!?](?:\s|$)|\s(?:biar|supaya|agar|so|kalo|kalau|trus|terus)\s"
)


def _plain(folded: str) -> str:
    """The text with digits in words read as letters, and words spelt out put together."""
    text = OTP.sub("otp", folded)
    text = DIGIT_IN_WORD.sub(lambda match: match.group().translate(AS_LETTERS), text)
    return SPELT_OUT.sub(lambda match: SIGNS.sub("", match.group()), text)


def _secret(text: str) -> bool:
    """Whether a secret is named."""
    if SECRET.search(text):
        return "otp" in text or HARMLESS_SECRET.search(text) is None
    return (
        near(PIN, WALLET, text, 12)
        or near(CODE, SENDER, text, 2)
        or (near(VERIFYING, LENGTH, text, 16))
    )


def names_code(folded: str) -> bool:
    """Whether a one-time code, a wallet's PIN or a password is spoken of."""
    text = _plain(folded)
    return _secret(text) and TOLD.search(text) is None and NOT_COME.search(text) is None


def _warns(text: str) -> bool:
    """Whether the message warns of giving codes, rather than asks for one."""
    if BELITTLES.search(text):
        return False
    plain = UNLESS.sub(" , ", URGING.sub(" ", text))
    warning = NEGATION.search(plain)
    if warning is None:
        return False
    rest = plain[warning.end() :]
    return HOWEVER.search(rest) is None and TO_ME.search(rest) is None


def requests_code(folded: str) -> str:
    """The rule by which a message asks the other to say a secret code, or nothing."""
    text = _plain(folded)
    rule = _request_in(text)
    if not rule and STRETCHED.search(text):
        rule = _request_in(STRETCHED.sub(r"\1", text))
    told = rule and TOLD.search(UNLESS.sub(" , ", text))
    return "" if rule and (told or _warns(text)) else rule


def _request_in(text: str) -> str:
    wanted = I_GIVE.sub(" ", text)
    gives = GIVE.search(wanted) is not None
    if not gives and (NOT_COME.search(text) or FORGOTTEN.search(text)):
        return ""
    asks = gives or any(idea.search(wanted) for idea in (WISH, WHAT, NUDGE))
    polite = asks or "?" in text or POLITE.search(text) is not None
    if _secret(text):
        return _secret_rule(text, polite=polite)
    if polite and (SMS_CAME.search(text) or (SMS.search(text) and CONTENT.search(wanted))):
        return "sms_asked"
    if _announces(text):
        return "code_announced"
    if not asks and not (LENGTH.search(text) and SMS.search(text)):
        return ""
    evidence = sum(idea.search(text) is not None for idea in _EVIDENCE)
    for noun, least, reach in _NOUNS:
        if noun.search(text):
            if noun is CODE and _is_bare(text):
                return "code_asked"
            came = any(
                noun.search(sentence) and CAME.search(sentence)
                for sentence in _SENTENCE_END.split(text)
            )
            enough = evidence + came >= least
            return "code_asked" if enough and _is_unexplained(noun, text, reach) else ""
    return ""


def _secret_rule(text: str, *, polite: bool) -> str:
    if polite or any(idea.search(text) for idea in _OF_A_SECRET):
        return "secret_asked"
    if len(text.split()) <= _FEW_WORDS and not FOUR_DIGITS.search(text):
        return "secret_named"
    return ""


def _is_bare(text: str) -> bool:
    """Whether a message asks what "the code" is, and says nothing else."""
    if WHAT.search(text) is None or PIN.search(text):
        return False
    rest = text
    for idea in (CODE, WHAT, POLITE, ADDRESS):
        rest = idea.sub(" ", rest)
    return not any(map(str.isalnum, rest))


def _is_unexplained(noun: re.Pattern[str], text: str, reach: int) -> bool:
    """Whether the noun stands anywhere without a word close by of what it is for or where it is."""
    return any(_unexplained_in(clause, noun, reach) for clause in _CLAUSE_END.split(text))


def _unexplained_in(clause: str, noun: re.Pattern[str], reach: int) -> bool:
    known = [
        (match.start() - distance, match.end() + distance)
        for idea, distance in ((OF_THE_RIDE, reach), (IN_THE_APP, _BESIDE))
        for match in idea.finditer(clause)
    ]
    return any(
        all(match.end() < start or match.start() > end for start, end in known)
        for match in noun.finditer(clause)
    )


def _announces(text: str) -> bool:
    """Whether the other is told, or asked, that a code or a message has come to them."""
    if SAYS_DIGITS.search(text) and _is_unexplained(DIGITS, text, _BESIDE):
        return True
    if COMES_TO_YOU.search(text) is None:
        return False
    if "?" in text and ON_YOUR_PHONE.search(text):
        return True
    return any(_is_unexplained(noun, text, _BESIDE) for noun in (CODE, DIGITS))


class Row(NamedTuple):
    """Digits with only signs or words of filling between them, and where they stand.

    `free` of them are in no hard context, such as a price or a time.
    """

    digits: str
    start: int
    end: int
    free: int

    def __repr__(self) -> str:
        return f"Row({self.start}:{self.end})"


def rows_of(folded: str, units: list[Unit], contexts: list[int]) -> Iterator[Row]:
    """The rows of a text's digits."""
    first = 0
    while first < len(units):
        after = first + 1
        while after < len(units):
            if gap_level(folded[units[after - 1].end : units[after].start]) > 1:
                break
            after += 1
        row = units[first:after]
        free = sum(
            len(unit.digits)
            for unit, context in zip(row, contexts[first:after], strict=True)
            if context != HARD
        )
        yield Row("".join(unit.digits for unit in row), row[0].start, row[-1].end, free)
        first = after


def code_spans(
    folded: str, units: list[Unit], contexts: list[int], least: int
) -> list[tuple[int, int]]:
    """Rows of `least` to 9 digits that a code could be, as spans of the folded text."""
    return [
        (row.start, row.end)
        for row in rows_of(folded, units, contexts)
        if least <= len(row.digits) <= 9 and row.free
    ]
