"""What a party tells staff about a trip, without the numbers in it.

What it posts to the other party is read by the trip's guard. A report's note, and a text that the
relay never delivered, come past that guard, and staff are to see nobody's number either: not the
reporter's own, with which a helpful note may end, nor one that is spread over several texts.
"""

from __future__ import annotations

from typing import Final

from .guard import Guard
from .normalise import MAX_CHARS, fold
from .policy import FindingClass, Policy
from .reading import read
from .redaction import Span, merged, redacted
from .window import Entry, Memory, trace_of_text

_TAKEN_OUT: Final = frozenset({FindingClass.NUMBER, FindingClass.ACCOUNT, FindingClass.OTP_CODE})
_NUMBERS: Final = Guard(
    policy=Policy({kind: "redact" if kind in _TAKEN_OUT else "off" for kind in FindingClass})
)
_TELLER: Final = "teller"
#: So many digits in several texts can be a number, in whatever order and between whatever words.
_NUMBER_DIGITS: Final = 8


class Statement:
    """What one party tells at one time, text by text, as it will be read."""

    __slots__ = ("_digits", "_goes_on", "_memory", "_number", "_texts")

    def __init__(self) -> None:
        self._memory = Memory()
        self._number = 0
        self._texts: list[str] = []
        self._digits: list[int] = []
        self._goes_on = False

    def __repr__(self) -> str:
        return f"Statement({len(self._texts)} texts)"

    def said(self, text: str) -> None:
        """The party has posted this to the other one: it stays as it was delivered, and what is
        told beside it may go on with a number in it."""
        self._feed(text)

    def tells(self, text: str) -> None:
        """A text of which there is the party's word alone. Of one that is longer than any message
        can be, the beginning counts."""
        text = text[:MAX_CHARS]
        alone = _NUMBERS.screen(Memory(), _TELLER, text, 0)
        beside = _NUMBERS.screen(self._memory, _TELLER, alone.text, 0)
        self._goes_on |= beside.text != alone.text
        self._texts.append(alone.text)
        self._digits.append(len(trace_of_text(alone.text).guessed))
        self._feed(alone.text)

    def without_numbers(self) -> list[str]:
        """What was told, with masks for what could be somebody's number, account or code. Where one
        is spread over several texts no digit is left in any: nobody knows which are its pieces."""
        several = sum(count > 0 for count in self._digits) > 1
        if self._goes_on or (several and sum(self._digits) >= _NUMBER_DIGITS):
            return [*map(_without_digits, self._texts)]
        return [*self._texts]

    def _feed(self, text: str) -> None:
        self._number += 1
        self._memory.feed(Entry(str(self._number), _TELLER, text[:MAX_CHARS], 0))


def without_numbers(text: str) -> str:
    """A single text with masks for what could be somebody's number, account or code."""
    statement = Statement()
    statement.tells(text)
    (told,) = statement.without_numbers()
    return told


def _without_digits(text: str) -> str:
    folded = fold(text)
    places = [folded.span(unit.start, unit.end) for unit in read(folded).guessed]
    return redacted(text, merged(text, [Span(*place, digits=True) for place in places]))
