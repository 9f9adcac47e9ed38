"""What a name that one party sees of the other may not hold.

It is looked at without the parties' numbers: an answer that depended on them could be used to find
one out. Too few digits for a part of a number are enough for any name.
"""

from __future__ import annotations

from typing import Final

from .guard import Guard
from .normalise import fold
from .policy import Policy
from .reading import read
from .window import Memory

MAX_NAME_DIGITS: Final = 5

_CONTACTS: Final = Guard(
    policy=Policy({"account": "off", "otp_request": "off", "otp_code": "off", "call_forward": "off",
                   "solicit": "off"})
)  # fmt: skip


def holds_contact(name: str) -> bool:
    """Whether a name is, or holds, a way to reach somebody."""
    digits = sum(len(unit.digits) for unit in read(fold(name)).units)
    return digits > MAX_NAME_DIGITS or bool(_CONTACTS.screen(Memory(), "", name, 0).findings)
