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
from .sieve import Idea, Sifted, sift, signs_of
from .tokens import Unit
from .word import JUMBLED, SINGLE

#: A secret named in so few words is asked for.
_FEW_WORDS: Final = 4
#: What speaks for a one-time code, each idea once; and that it came, if said in one sentence.
_EVIDENCE: Final = (HERE, CHANNEL, LENGTH, PRETEXT, HURRY_UP, READ_OUT, UNLESS)
_OF_A_SECRET: Final = (CHANNEL, CAME, HURRY_UP, PRETEXT, DIGITS)
#: How near a code stands what it is for, and any number what it is of.
_BESIDE, _ABOUT, _PART = 16, 30, 60
#: Nouns with the evidence that makes them a one-time code, and how near the code of a ride is told.
_NOUNS: Final = ((CODE, 1, _BESIDE), (DIGITS, 1, _ABOUT), (NUMBERS, 3, _ABOUT))
#: Ideas of which every request has one, or may have when what the sender gives is taken out of it.
_OPENINGS: Final = signs_of(
    SECRET, PIN, CODE, VERIFYING, SMS, SMS_CAME, SAYS_DIGITS, COMES_TO_YOU, GIVE, I_GIVE, WISH,
    WHAT, NUDGE,
)  # fmt: skip
_SENTENCE_END: Final = re.compile(r"\n|[.!?](?:\s|$)")
_CLAUSE_END: Final = re.compile(
    r"[,;\n]|[.!?](?:\s|$)|\s(?:biar|supaya|agar|so|kalo|kalau|trus|terus)\s"
)


def in_plain_spelling(folded: str, lists: int) -> str:
    """The text with digits in words read as letters, and words spelt out put together.

    `lists` are those that words of the text are on (`word`).
    """
    text = OTP.sub("otp", folded)
    if lists & JUMBLED or "-" in folded:
        text = DIGIT_IN_WORD.sub(lambda match: match.group().translate(AS_LETTERS), text)
    if lists & SINGLE:
        text = SPELT_OUT.sub(lambda match: SIGNS.sub("", match.group()), text)
    return text


def _without(text: Sifted, idea: Idea, put: str) -> Sifted:
    """The text with something else wherever an idea is."""
    return sift(idea.sub(put, text.text)) if text.may_have(idea) else text


def _secret(text: Sifted) -> bool:
    """Whether a secret is named."""
    if text.has(SECRET):
        return "otp" in text.text or not text.has(HARMLESS_SECRET)
    return (
        text.near(PIN, WALLET, 12) or text.near(CODE, SENDER, 2) or text.near(VERIFYING, LENGTH, 16)
    )


def names_code(text: Sifted) -> bool:
    """Whether a one-time code, a wallet's PIN or a password is spoken of in plain spelling."""
    return _secret(text) and not text.has(TOLD) and not text.has(NOT_COME)


def _warns(text: Sifted) -> bool:
    """Whether the message warns of giving codes, rather than asks for one."""
    if text.has(BELITTLES):
        return False
    plain = _without(_without(text, URGING, " "), UNLESS, " , ")
    warning = NEGATION.search(plain.text)
    if warning is None:
        return False
    rest = plain.text[warning.end() :]
    return HOWEVER.search(rest) is None and TO_ME.search(rest) is None


def requests_code(text: Sifted) -> str:
    """The rule by which a text in plain spelling asks the other for a secret code, or nothing."""
    rule = _request_in(text)
    if not rule and STRETCHED.search(text.text):
        rule = _request_in(sift(STRETCHED.sub(r"\1", text.text)))
    told = rule and _without(text, UNLESS, " , ").has(TOLD)
    return "" if rule and (told or _warns(text)) else rule


def _request_in(text: Sifted) -> str:
    if not text.may_have_any(_OPENINGS):
        return ""
    wanted = _without(text, I_GIVE, " ")
    gives = wanted.has(GIVE)
    if not gives and (text.has(NOT_COME) or text.has(FORGOTTEN)):
        return ""
    asks = gives or any(map(wanted.has, (WISH, WHAT, NUDGE)))
    polite = asks or "?" in text.text or text.has(POLITE)
    if _secret(text):
        return _secret_rule(text, polite=polite)
    if polite and (text.has(SMS_CAME) or (text.has(SMS) and wanted.has(CONTENT))):
        return "sms_asked"
    if _announces(text):
        return "code_announced"
    if not asks and not (text.has(LENGTH) and text.has(SMS)):
        return ""
    evidence = sum(map(text.has, _EVIDENCE))
    for noun, least, reach in _NOUNS:
        if text.has(noun):
            if noun is CODE and _is_bare(text.text):
                return "code_asked"
            came = text.may_have(CAME) and any(
                noun.search(sentence) and CAME.search(sentence)
                for sentence in _SENTENCE_END.split(text.text)
            )
            enough = evidence + came >= least
            return "code_asked" if enough and _is_unexplained(noun, text, reach) else ""
    return ""


def _secret_rule(text: Sifted, *, polite: bool) -> str:
    if polite or any(map(text.has, _OF_A_SECRET)):
        return "secret_asked"
    if len(text.text.split()) <= _FEW_WORDS and not FOUR_DIGITS.search(text.text):
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


def _is_unexplained(noun: Idea, text: Sifted, reach: int) -> bool:
    """Whether the noun stands anywhere without a word close by of what it is for or where it is."""
    return text.may_have(noun) and any(
        _unexplained_in(clause, noun, reach) for clause in _CLAUSE_END.split(text.text)
    )


def _unexplained_in(clause: str, noun: Idea, reach: int) -> bool:
    known = [
        (match.start() - distance, match.end() + distance)
        for idea, distance in ((OF_THE_RIDE, reach), (IN_THE_APP, _BESIDE))
        for match in idea.finditer(clause)
    ]
    return any(
        all(match.end() < start or match.start() > end for start, end in known)
        for match in noun.finditer(clause)
    )


def _announces(text: Sifted) -> bool:
    """Whether the other is told, or asked, that a code or a message has come to them."""
    if text.has(SAYS_DIGITS) and _is_unexplained(DIGITS, text, _BESIDE):
        return True
    if not text.has(COMES_TO_YOU):
        return False
    if "?" in text.text and text.has(ON_YOUR_PHONE):
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
