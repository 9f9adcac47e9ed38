"""The budget that keeps the oracle from being asked for digits.

A message that is delivered says: none of this is in a party's number. One that is redacted, where
any other number would have passed, says: this is. So each is the answer to a question, and what a
party may ask has a bound.

Someone who knows part of a number and looks for the digit beside it must, for every guess, deliver
the known digits again: six digits in all, in one row or cut in pieces, since what came in between
parts the pieces. So the budget is counted in digits. A row of four or more counts as six at least,
because the sixth digit may be one that was sent before. A row that is sent again counts again: it
is how the next guess is put. An answer that says yes is worth more than many that say no, so a
message with digits taken out costs more than a third of the budget: the third one closes it.

Beyond the budget, all digits of a party are taken out alike, those the platform has declared
excepted. The budget of both together is a little larger than one's, for those who work together,
and what one has spent never takes all of it from the other; but a third yes closes it for both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

#: Digits in a row by which a number is recognised.
WINDOW: Final = 6
#: Rows of so many digits and more are dear.
_ROW: Final = 4
#: Digits for a party, and for both; normal talk about a pickup stays below.
PARTY_BUDGET: Final = 100
CHANNEL_BUDGET: Final = 130
#: What a message with digits taken out costs.
MASK_COST: Final = 44
#: What such a message costs both, after its sender was replaced.
GONE_COST: Final = 66
#: What a place costs that is shared as coordinates: people on the move share many.
PLACE_COST: Final = 6


def row_cost(row: str) -> int:
    """What a delivered row of digits costs."""
    return max(WINDOW, len(row)) if len(row) >= _ROW else len(row)


def used(digits: int, masks: int) -> int:
    """What a party has used, at most its budget: once that is closed, nothing is answered."""
    return min(PARTY_BUDGET, digits + masks * MASK_COST)


def is_spent(mine: int, others: Iterable[int], gone: int, cost: int) -> bool:
    """Whether a message of `cost` goes beyond what a party may have delivered.

    `mine` and `others` are what the parties have used; `gone` how many messages of parties that
    were replaced had digits taken out. Theirs have no bound, or who may replace parties could ask
    without end.
    """
    shared = sum(others) + gone * GONE_COST
    return mine + cost > PARTY_BUDGET or mine + shared + cost > CHANNEL_BUDGET
