"""Proposals to talk or to pay elsewhere, with no contact in them yet.

A proposal is a few ideas said near each other: an app and a word of moving to it; a number, whose,
and a word of asking; cancelling and paying. Telling of such things ("driver minta bayar cash lalu
cancel") or refusing them proposes nothing.
"""

from __future__ import annotations

import re
from typing import Final

from .phrases import near
from .solicitation_words import (
    AGAIN,
    ALL_THE_SAME,
    APP,
    ASK,
    BOTHER,
    BY_THE_APP,
    BY_WAY,
    BYPASS,
    CALLED_OFF,
    CANCEL,
    CHEAPER,
    COMPARED,
    CUT,
    DEAL,
    DECLINED,
    DIRECT,
    END,
    MOVE,
    MY_POCKET,
    NOT_HERE,
    NUMBER,
    ORDER,
    OUTRIGHT,
    OUTSIDE,
    OWN_NUMBER,
    PAY,
    PAY_ME,
    PROPOSE,
    REFUSAL,
    SHARE,
    THAI,
    THING,
    TO_ME,
    TOLD,
    WHOSE,
    WITHOUT,
)

#: Ideas that together propose to go round the platform, with what each says of it.
_WEIGHTS: Final = (
    (OUTSIDE, 2),
    (WITHOUT, 2),
    (BYPASS, 2),
    (MY_POCKET, 2),
    (COMPARED, 2),
    (NOT_HERE, 1),
    (CUT, 1),
    (CHEAPER, 1),
    (DIRECT, 1),
    (TO_ME, 1),
    (PAY, 1),
    (AGAIN, 1),
    (CALLED_OFF, 1),
)
_ENOUGH: Final = 3
#: Without one of these the others are ordinary talk of paying.
_ROUND_THE_APP: Final = (
    OUTSIDE, WITHOUT, BYPASS, MY_POCKET, COMPARED, NOT_HERE, CUT, CALLED_OFF,
)  # fmt: skip


_CLAUSE_END: Final = re.compile(r"[,;\n]|[.!?]\s")
#: How near each other, in characters, ideas of one proposal stand.
_CLOSE, _NEAR, _FAR = 4, 18, 50


def _moves(text: str) -> bool:
    """Whether it is proposed to talk in another app."""
    if APP.search(text) is None:
        return False
    if SHARE.search(text) or near(APP, MOVE, text, _NEAR):
        return True
    if len(text.split()) <= 3 and near(APP, BY_WAY, text, _CLOSE):
        return True
    return any(near(APP, PROPOSE, clause, _NEAR - 6) for clause in _CLAUSE_END.split(text))


def _asks_for_a_number(text: str) -> bool:
    """Whether a person's number is asked for."""
    text = text.replace("+", "")
    if NUMBER.search(text) is None or near(NUMBER, THING, text, 12):
        return False
    if OUTRIGHT.search(text):
        return True
    whose = OWN_NUMBER.search(text) is not None or near(NUMBER, WHOSE, text, 16)
    return whose and near(NUMBER, ASK, text, 24)


def _goes_round_the_app(text: str) -> bool:
    """Whether enough ideas of riding or paying without the platform come together."""
    weight = sum(weight for idea, weight in _WEIGHTS if idea.search(text)) + _called_off(text)
    if weight < _ENOUGH:
        return False
    if TO_ME.search(text) and CHEAPER.search(text):
        return True
    return any(idea.search(text) for idea in _ROUND_THE_APP)


def _called_off(text: str) -> bool:
    """Whether the order is to be ended."""
    return near(ORDER, END, text, _NEAR - 6)


def _proposes(text: str, *, outside: bool) -> bool:
    """Whether ideas of going elsewhere come together, whoever has them."""
    if (outside or BYPASS.search(text)) and DEAL.search(text):
        return True
    if THAI.search(text) or PAY_ME.search(text) or near(CANCEL, ALL_THE_SAME, text, _FAR):
        return True
    if _called_off(text) and ALL_THE_SAME.search(text):
        return True
    if _goes_round_the_app(text):
        return True
    if not outside and BY_THE_APP.search(text) and not BOTHER.search(text):
        return False
    return _moves(text) or _asks_for_a_number(text)


def solicits(folded: str) -> bool:
    """Whether a message proposes to talk or to pay elsewhere."""
    outside = OUTSIDE.search(folded) is not None or WITHOUT.search(folded) is not None
    if not _proposes(folded, outside=outside):
        return False
    if TOLD.search(folded) or DECLINED.search(folded):
        return False
    return outside or NOT_HERE.search(folded) is not None or REFUSAL.search(folded) is None
