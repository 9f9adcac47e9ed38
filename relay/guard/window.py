"""What was said before: the memory by which a number cut in pieces is still seen.

A memory is a function of what was delivered and of nothing else, so a node that replays a log comes
to the same one. It holds digits and times, never text, and only of messages that had some.
"""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Collection, Mapping
from itertools import count
from operator import attrgetter
from typing import Final, NamedTuple, TypeAlias

from .budget import PLACE_COST, Spent, row_cost
from .context import is_explained
from .gate import may_matter
from .masks import MASK
from .normalise import fold
from .numbers import only_signs
from .reading import Reading, read
from .rules import code_request_in
from .tokens import digits_of
from .word import OF_A_PLACE, PLAIN_WORDS, TELLS_PART

#: The sender that stands for all parties that were replaced.
GONE: Final = "gone"
#: How long pieces of a foreign number, and a request for a code, are remembered.
WINDOW_MS: Final = 10 * 60 * 1000
#: Messages with digits that are remembered; budgets run out before.
_MAX_PIECES: Final = 192
#: Messages that are remembered for something else.
_MAX_OTHERS: Final = 32
#: A place as it is shared (`gateway.screening.said`).
_COORDINATES: Final = re.compile(r"(?<!\w)lokasi -?\d{1,3}(?:\.\d{1,5})?, -?\d{1,3}(?:\.\d{1,5})?$")
#: More words than these beside the digits, and a message is about something else.
_OTHERS: Final = 5

#: Where an entry stands: those with a place in the log first, then those that are under way.
Place: TypeAlias = tuple[int, int, int]


class Trace(NamedTuple):
    """What a message leaves in the memory.

    `digits` are those that are surely meant; `guessed` also what looks like digits, where there is
    little else. `free` and `loose` are the same without what has a context of its own. `rows` are
    the digits as they stand, parted by words. `payload`: it says little but digits; `pure`: nothing
    else. `place`: it tells which part of something it is. `masked`: digits were taken out of it.
    `coordinates`: it shares a place, whose digits are not among the rows.
    """

    digits: str = ""
    guessed: str = ""
    free: str = ""
    loose: str = ""
    rows: tuple[str, ...] = ()
    place: bool = False
    payload: bool = False
    pure: bool = False
    masked: bool = False
    asks_code: bool = False
    coordinates: bool = False

    def __repr__(self) -> str:
        return "Trace(****)"

    def cost(self, allowed: frozenset[str] = frozenset()) -> int:
        """What its digits cost of the budget, without rows that are allowed."""
        cost = len(self.guessed) - len(self.digits) + PLACE_COST * self.coordinates
        for row in self.rows:
            if row not in allowed:
                cost += row_cost(row)
        return cost


#: The trace of a message that has nothing to do with digits.
NOTHING: Final = Trace()


class Entry(NamedTuple):
    """A delivered message: its id, who sent it, the text as delivered, and when (Unix ms).

    `id` is the message's own, known before it is stored, and unique among both parties' messages.
    `position` is its place in the log as the store tells it ("1690000000000-3"), and empty while it
    is under way.
    """

    id: str
    sender: str
    text: str
    at_ms: int
    position: str = ""

    def __repr__(self) -> str:
        return f"Entry({self.sender}, {len(self.text)} characters, {self.at_ms})"


class Piece(NamedTuple):
    """A message of the memory; pieces sort by their place."""

    place: Place
    id: str
    sender: str
    at_ms: int
    trace: Trace

    def __repr__(self) -> str:
        return f"Piece({self.sender}, {self.at_ms})"


def trace_of(reading: Reading, *, asks_code: bool) -> Trace:
    """The trace of a message that has been read."""
    folded, units, loose = reading.folded, reading.units, reading.loose
    masked = MASK in folded
    if not loose and not masked and not asks_code:
        return NOTHING
    others, lists = reading.others, reading.lists
    place = lists & TELLS_PART != 0
    coordinates = lists & OF_A_PLACE != 0 and _COORDINATES.search(folded) is not None
    if not loose:
        few, no = masked and len(others) <= _OTHERS, masked and not others
        return Trace("", "", "", "", (), place, few, no, masked, asks_code, coordinates)
    contexts = reading.contexts
    explained: Collection[int] = ()
    digits = free = reading.digits
    if any(contexts):
        explained = {
            unit[1]
            for unit, context in zip(units, contexts, strict=True)
            if context and is_explained(unit, context)
        }
        free = digits_of([unit for unit in units if unit[1] not in explained])
    little_else = len(others) <= 1
    free_loose = free
    if little_else and len(loose) > len(units):
        free_loose = digits_of(
            [
                unit
                for unit in loose
                if unit[1] not in explained and folded[unit[1] : unit[2]] not in PLAIN_WORDS
            ]
        )
    # What has the form of a plate or a price may be written so to hide what it is.
    alone = little_else and max([len(unit[0]) for unit in loose], default=0) > 2
    some = bool(free) or masked or alone
    return Trace(
        digits,
        digits if len(loose) == len(units) else digits_of(reading.guessed),
        free,
        free_loose,
        tuple(rows_of(reading)) if units else (),
        place,
        some and len(others) <= _OTHERS,
        some and not others,
        masked,
        asks_code,
        coordinates,
    )


def may_go_on(reading: Reading) -> bool:
    """Whether a message can go on with what was said before: it says little but digits, or which
    part of something they are."""
    return len(reading.others) <= _OTHERS or reading.lists & TELLS_PART != 0


def rows_of(reading: Reading) -> list[str]:
    """The rows of digits of a message, with no words in between, but for a place's."""
    folded = reading.folded
    rows: list[str] = []
    last = -1
    place = _COORDINATES.search(folded) if reading.lists & OF_A_PLACE else None
    stop = place.start() if place else len(folded)
    for digits, start, end, _ in reading.units:
        if start >= stop:
            break
        if rows and only_signs(folded[last:start]):
            rows[-1] += digits
        else:
            rows.append(digits)
        last = end
    return rows


def trace_of_text(text: str) -> Trace:
    """The trace of a text that has not been read."""
    if not may_matter(text):
        return NOTHING
    reading = read(fold(text))
    return trace_of(reading, asks_code=bool(code_request_in(reading)))


_PLACE_OF: Final = attrgetter("place")


class Memory:
    """What one channel has delivered, and has under way, as far as the guard needs it."""

    __slots__ = ("_asking", "_by_id", "_masked", "_spent", "_under_way", "pieces")

    def __init__(self, masks_before: Mapping[str, int] | None = None) -> None:
        """`masks_before`: how many messages of each party had digits taken out earlier in the trip,
        while it talked to another."""
        self._by_id: dict[str, Piece] = {}
        self._under_way = count()
        #: Those that hold digits, in the order of the log.
        self.pieces: list[Piece] = []
        #: Those of which no digit is left, and those that ask for a code, in that order too. They
        #: have lists of their own, because nobody may push digits out of the memory with them.
        self._masked: list[Piece] = []
        self._asking: list[Piece] = []
        self._spent: dict[str, _Tally] = {}
        for sender, masks in (masks_before or {}).items():
            self._spent[sender] = _Tally(masks)

    def __repr__(self) -> str:
        return f"Memory({len(self.pieces)} pieces)"

    def feed(self, entry: Entry, trace: Trace | None = None) -> None:
        """Take in a message that is delivered, or is about to be.

        `trace` is that of the verdict that made the text; without it the text is read. One whose id
        is known counts once, and only moves to its place when that becomes known, so the order of
        feeding does not matter for what has a position.

        Raises `ValueError` for a position that is not of the store's form.
        """
        if (known := self._by_id.get(entry.id)) is not None:
            if entry.position:
                self._move(known, known._replace(place=self._place(entry), at_ms=entry.at_ms))
            return
        if trace is None:
            trace = trace_of_text(entry.text)
        if trace is NOTHING or trace == NOTHING:
            return
        piece = Piece(self._place(entry), entry.id, entry.sender, entry.at_ms, trace)
        self._insert(piece)
        self._count(piece, 1)

    def forget(self, entry_id: str) -> None:
        """Take back a message that was not stored; an id that is not known changes nothing."""
        if (piece := self._by_id.get(entry_id)) is not None:
            self._remove(piece)
            self._count(piece, -1)

    def settle(self, entry_id: str, entry: Entry, trace: Trace) -> None:
        """A message that was fed as `entry_id` is stored, and is known as `entry` from now on."""
        known = self._by_id.get(entry_id)
        if known is None or entry.id in self._by_id:
            self.forget(entry_id)
            self.feed(entry, trace)
            return
        settled = Piece(self._place(entry), entry.id, known.sender, entry.at_ms, known.trace)
        self._move(known, settled)

    def spent_by(self, sender: str, allowed: frozenset[str]) -> Spent:
        """What a party's digits cost, without rows that are allowed, and its masked messages."""
        tally = self._spent.get(sender)
        return Spent(tally.digits(allowed), tally.masks) if tally else Spent(0, 0)

    def masks_of(self, sender: str) -> int:
        """How many messages of a party had digits taken out."""
        return tally.masks if (tally := self._spent.get(sender)) else 0

    def senders(self) -> list[str]:
        """Who has sent digits, or had some taken out."""
        return list(self._spent)

    def code_asked(self, sender: str, now_ms: int) -> bool:
        """Whether another than `sender` has lately asked for a code."""
        return bool(self._asking) and any(
            piece.sender != sender and abs(now_ms - piece.at_ms) <= WINDOW_MS
            for piece in self._asking
        )

    def last(self, sender: str = "") -> Trace:
        """What the last message with digits, left or taken out, was; of all, or of one party."""
        found = [
            next(piece for piece in reversed(row) if not sender or piece.sender == sender)
            for row in (self.pieces, self._masked)
            if any(not sender or piece.sender == sender for piece in reversed(row))
        ]
        return max(found).trace if found else NOTHING

    def _place(self, entry: Entry) -> Place:
        if not entry.position:
            return 1, next(self._under_way), 0
        at_ms, _, number = entry.position.partition("-")
        return 0, int(at_ms), int(number or 0)

    def _rows_of(self, trace: Trace) -> list[list[Piece]]:
        """Where a message is remembered."""
        rows = []
        if trace.guessed or trace.loose:
            rows.append(self.pieces)
        elif trace.masked:
            rows.append(self._masked)
        if trace.asks_code:
            rows.append(self._asking)
        return rows

    def _insert(self, piece: Piece) -> None:
        self._by_id[piece.id] = piece
        for row in self._rows_of(piece.trace):
            if row and piece.place < row[-1].place:
                insort(row, piece)
            else:
                row.append(piece)
            if len(row) > (_MAX_PIECES if row is self.pieces else _MAX_OTHERS):
                oldest = row.pop(0)
                if all(_index(other, oldest) < 0 for other in self._rows_of(oldest.trace)):
                    del self._by_id[oldest.id]

    def _remove(self, piece: Piece) -> None:
        del self._by_id[piece.id]
        for row in self._rows_of(piece.trace):
            if (at := _index(row, piece)) >= 0:
                del row[at]

    def _move(self, piece: Piece, moved: Piece) -> None:
        """Put in place of a piece the same with another place or name."""
        rows = self._rows_of(piece.trace)
        at = _index(rows[0], piece) if len(rows) == 1 else -1
        if at < 0 or not _fits(rows[0], at, moved.place):
            self._remove(piece)
            self._insert(moved)
            return
        del self._by_id[piece.id]
        self._by_id[moved.id] = rows[0][at] = moved

    def _count(self, piece: Piece, by: int) -> None:
        if (tally := self._spent.get(piece.sender)) is None:
            tally = self._spent[piece.sender] = _Tally()
        tally.count(piece.trace, by)


def _index(row: list[Piece], piece: Piece) -> int:
    """Where a piece stands in a row, or -1."""
    at = bisect_left(row, piece.place, key=_PLACE_OF)
    while at < len(row) and row[at].place == piece.place:
        if row[at] is piece:
            return at
        at += 1
    return -1


def _fits(row: list[Piece], at: int, place: Place) -> bool:
    """Whether what stands at `at` in a row would stand there with another place, too."""
    after = at + 1 == len(row) or place < row[at + 1].place
    return after and (at == 0 or row[at - 1].place < place)


class _Tally:
    """What one party's delivered messages cost, by `budget`."""

    __slots__ = ("_cost", "_rows", "masks")

    def __init__(self, masks: int = 0) -> None:
        self._cost = 0
        self._rows: dict[str, int] = {}
        #: Messages that had digits taken out.
        self.masks = masks

    def count(self, trace: Trace, by: int) -> None:
        """Count a message `by` times; -1 takes it back."""
        self._cost += by * trace.cost()
        self.masks += by * trace.masked
        for row in trace.rows:
            self._rows[row] = self._rows.get(row, 0) + by

    def digits(self, allowed: frozenset[str]) -> int:
        """What the digits cost; each row that is allowed but once, however often it was sent.

        Not for nothing: whoever may change what is allowed could else ask without end.
        """
        return self._cost - sum(
            [(self._rows[row] - 1) * row_cost(row) for row in allowed if self._rows.get(row)]
        )


#: What a message leaves in the memory of which nothing is left but a mask.
ALL_MASKED: Final = trace_of_text(MASK)
