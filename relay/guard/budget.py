"""The budget that keeps the oracle from being asked for digits.

A message that is delivered says: none of this is in a party's number. One that is redacted, where
any other number would have passed, says: this is. So each is the answer to a question, and what a
party may ask has a bound.

Someone who knows part of a number and looks for the digit beside it must, for every guess, deliver
the known digits again: six digits in all, in one row or cut in pieces, since what came in between
parts the pieces. So the budget is counted in digits. A row of four or more counts as six at least,
because the sixth digit may be one that was sent before. A row that is sent again counts again: it
is how the next guess is put. An answer that says yes is worth more than many that say no, so a
message with digits taken out costs more than half of a party's budget: the second one closes it.

Beyond the budget, all digits of a party are taken out alike, those the platform has declared
excepted. The budget of both together is a little larger than one's, for those who work together,
and what one has spent never takes all of it from the other; but a third yes closes it for both.

So who knows five of the nine digits and asks for one after the other finds three more at most, with
any luck: each by a yes, or because nine others were denied. This holds by a hair, since what one
party spends beyond what it must leave to the other costs neither of them anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

#: Digits in a row by which a number is recognised.
WINDOW: Final = 6
#: Rows of so many digits and more are dear.
_ROW: Final = 4
#: Digits for a party, and for both; normal talk about a pickup stays below.
PARTY_BUDGET: Final = 100
CHANNEL_BUDGET: Final = 130
#: What a message with digits taken out costs its sender, and what it costs both.
MASK_COST: Final = 54
CHANNEL_MASK_COST: Final = 44
#: So many of them count for both: they close their sender's budget, and more answer nothing.
_ANSWERS: Final = 2
#: What the budget of both leaves to a party that has spent nothing, whatever the other has.
LEFT_TO_OTHER: Final = 18
#: What such a message costs both, after its sender was replaced.
GONE_COST: Final = 66
#: What a place costs that is shared as coordinates: people on the move share many.
PLACE_COST: Final = 6


def row_cost(row: str) -> int:
    """What a delivered row of digits costs."""
    return max(WINDOW, len(row)) if len(row) >= _ROW else len(row)


class Spent(NamedTuple):
    """What a party's delivered digits cost, and how many of its messages had digits taken out."""

    digits: int
    masks: int

    @property
    def by_both(self) -> int:
        """What of it counts for both."""
        cost = self.digits + min(self.masks, _ANSWERS) * CHANNEL_MASK_COST
        return min(CHANNEL_BUDGET - LEFT_TO_OTHER, cost)


def left(mine: Spent, others: Iterable[Spent], gone: int) -> int:
    """What a party's next message may cost; less than 1 if nothing.

    `gone`: how many messages of parties that were replaced had digits taken out. Theirs have no
    bound, or who may replace parties could ask without end.
    """
    own = PARTY_BUDGET - mine.digits - mine.masks * MASK_COST
    if own < 1:
        return own
    shared = sum([one.by_both for one in (mine, *others)]) + gone * GONE_COST
    return min(own, CHANNEL_BUDGET - shared)
