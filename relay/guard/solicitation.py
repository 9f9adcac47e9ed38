"""Proposals to talk or to pay elsewhere, with no contact in them yet.

A proposal is a few ideas said near each other: an app and a word of moving to it; a number, whose,
and a word of asking; cancelling and paying. Telling of such things ("driver minta bayar cash lalu
cancel") or refusing them proposes nothing.
"""

from __future__ import annotations

import re
from typing import Final

from .sieve import Sifted, sift, signs_of
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


#: Ideas of which every proposal has one: a number is not among them, but what asks for one is.
_OPENINGS: Final = signs_of(
    *_ROUND_THE_APP, CHEAPER, THAI, PAY_ME, CANCEL, ORDER, APP, ASK, OUTRIGHT
)  # fmt: skip

_CLAUSE_END: Final = re.compile(r"[,;\n]|[.!?]\s")
#: How near each other, in characters, ideas of one proposal stand.
_CLOSE, _NEAR, _FAR = 4, 18, 50


def _moves(text: Sifted) -> bool:
    """Whether it is proposed to talk in another app."""
    if not text.has(APP):
        return False
    if text.has(SHARE) or text.near(APP, MOVE, _NEAR):
        return True
    if len(text.text.split()) <= 3 and text.near(APP, BY_WAY, _CLOSE):
        return True
    return text.may_have(PROPOSE) and any(
        text.part(clause).near(APP, PROPOSE, _NEAR - 6) for clause in _CLAUSE_END.split(text.text)
    )


def _asks_for_a_number(text: Sifted) -> bool:
    """Whether a person's number is asked for."""
    if "+" in text.text:
        text = sift(text.text.replace("+", ""))
    if not (text.may_have(ASK) or text.may_have(OUTRIGHT)):
        return False
    if not text.has(NUMBER) or text.near(NUMBER, THING, 12):
        return False
    if text.has(OUTRIGHT):
        return True
    whose = text.has(OWN_NUMBER) or text.near(NUMBER, WHOSE, 16)
    return whose and text.near(NUMBER, ASK, 24)


def _goes_round_the_app(text: Sifted) -> bool:
    """Whether enough ideas of riding or paying without the platform come together."""
    if not any(map(text.may_have, _ROUND_THE_APP)) and not (
        text.may_have(TO_ME) and text.may_have(CHEAPER)
    ):
        return False
    weight = sum(weight for idea, weight in _WEIGHTS if text.has(idea)) + _called_off(text)
    if weight < _ENOUGH:
        return False
    if text.has(TO_ME) and text.has(CHEAPER):
        return True
    return any(map(text.has, _ROUND_THE_APP))


def _called_off(text: Sifted) -> bool:
    """Whether the order is to be ended."""
    return text.near(ORDER, END, _NEAR - 6)


def _proposes(text: Sifted, *, outside: bool) -> bool:
    """Whether ideas of going elsewhere come together, whoever has them."""
    if (outside or text.has(BYPASS)) and text.has(DEAL):
        return True
    if text.has(THAI) or text.has(PAY_ME) or text.near(CANCEL, ALL_THE_SAME, _FAR):
        return True
    if text.has(ALL_THE_SAME) and _called_off(text):
        return True
    if _goes_round_the_app(text):
        return True
    if not outside and text.has(BY_THE_APP) and not text.has(BOTHER):
        return False
    return _moves(text) or _asks_for_a_number(text)


def solicits(text: Sifted) -> bool:
    """Whether a folded message proposes to talk or to pay elsewhere."""
    if not text.may_have_any(_OPENINGS) and "+" not in text.text:
        return False
    outside = text.has(OUTSIDE) or text.has(WITHOUT)
    if not _proposes(text, outside=outside):
        return False
    if text.has(TOLD) or text.has(DECLINED):
        return False
    return outside or text.has(NOT_HERE) or not text.has(REFUSAL)
