"""What a party tells staff about a trip, without the numbers in it.

What it posts to the other party is read by the trip's guard. A report's note, and a text that the
relay never delivered, come past that guard, and staff are to see nobody's number either: not the
reporter's own, with which a helpful note may end.
"""

from __future__ import annotations

from typing import Final

from .guard import Guard
from .normalise import MAX_CHARS
from .policy import FindingClass, Policy
from .window import Memory

_TAKEN_OUT: Final = frozenset({FindingClass.NUMBER, FindingClass.ACCOUNT, FindingClass.OTP_CODE})
_NUMBERS: Final = Guard(
    policy=Policy({kind: "redact" if kind in _TAKEN_OUT else "off" for kind in FindingClass})
)


def without_numbers(text: str) -> str:
    """The text with masks for what could be somebody's number, account or code.

    Of a text that is longer than any message can be, the beginning.
    """
    return _NUMBERS.screen(Memory(), "", text[:MAX_CHARS], 0).text
