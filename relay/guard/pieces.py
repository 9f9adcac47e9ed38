"""Numbers in pieces: this message's digits together with those that were delivered before."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import Final

from .budget import WINDOW, left
from .context import HARD
from .numbers import LEAST_DIGITS, Plan, home_prefix, is_foreign, is_foreign_mobile, phone_prefix
from .oracle import Oracle
from .reading import Reading
from .tokens import Unit, digits_of
from .window import GONE, WINDOW_MS, Memory, Piece, Trace
from .word import DIGITS, WORD

#: Digits before a piece with which it can make a row that tells.
_TAIL: Final = WINDOW - 1
#: Pieces that can belong to one number, and digits that it can have with what was said before it.
_PARTS, _MOST_DIGITS = 12, 16
#: Fewer digits are hardly a piece; so many are more than is said in one go without being a number.
_PIECE, _LONG = 3, 9
#: What is paid: "81500".
_AMOUNT: Final = re.compile(r"[1-9]\d{2,4}00|[1-9]000")
_COUNTING: Final = "01234567890123456789"


def own_spans(
    oracle: Oracle, reading: Reading, trace: Trace, memory: Memory, sender: str
) -> list[tuple[int, int]]:
    """Spans of the folded text whose digits are a party's own, alone or with what came before."""
    if not trace.guessed or (not memory.pieces and len(trace.guessed) < WINDOW):
        return []
    spans: set[tuple[int, int]] = set()
    seen: set[tuple[str, str]] = set()
    for units, digits, tails in _ways(reading, trace, memory.pieces, sender):
        for tail in tails:
            if len(tail) + len(digits) < WINDOW or (tail, digits) in seen:
                continue
            seen.add((tail, digits))
            for begin, end in oracle.hits(tail + digits):
                spans.update(_covering(units, begin - len(tail), end - len(tail)))
    if (
        trace.payload
        and not spans
        and oracle.is_completed(lambda: _paid_rows(memory.pieces), trace.rows)
    ):
        spans.update((unit.start, unit.end) for unit in reading.units)
    return sorted(spans)


def _ways(
    reading: Reading, trace: Trace, past: Sequence[Piece], sender: str
) -> Iterator[tuple[list[Unit], str, set[str]]]:
    """The ways to read a message, with its digits, each with those that it may go on after.

    Whatever is read goes on after what was read in the same way, so that each guess at a next digit
    needs all digits before it once more.
    """
    sure = reading.units
    yield sure, trace.digits, _tails(past, sender, _SURE)
    if WORD in [unit[3] for unit in sure]:
        exact = [unit for unit in sure if unit[3] == DIGITS]
        yield exact, digits_of(exact), {""}
    # Letters that look like digits are asked about only where they count as guessed, because what
    # is asked has to be paid for (`Trace.cost`), and in normal talk nobody should pay for letters.
    guessed = reading.guessed if len(trace.guessed) > len(trace.digits) else sure
    if guessed is not sure:
        yield guessed, trace.guessed, {""}
    if past:
        yield guessed, trace.guessed, _tails(past, sender, _GUESSED)
    if past and trace.payload:
        free = [u for u, c in zip(sure, reading.contexts, strict=True) if c != HARD]
        yield free, digits_of(free), _tails(past, sender, _free_of)


_SURE: Final[Callable[[Trace], str]] = attrgetter("digits")
_GUESSED: Final[Callable[[Trace], str]] = attrgetter("guessed")


def _free_of(trace: Trace) -> str:
    return trace.free if trace.payload else ""


def _tails(past: Sequence[Piece], sender: str, read: Callable[[Trace], str]) -> set[str]:
    """The last digits that were delivered, and the last of one party, as `read` reads them."""
    everyone = mine = ""
    for piece in reversed(past):
        if digits := read(piece.trace):
            if len(everyone) < _TAIL:
                everyone = digits + everyone
            if piece.sender == sender:
                mine = digits + mine
                if len(mine) >= _TAIL:
                    break
    return {everyone[-_TAIL:], mine[-_TAIL:]}


def _paid_rows(past: Sequence[Piece]) -> list[str]:
    """The rows of the last messages that say little but digits."""
    paid = list(islice((p.trace for p in reversed(past) if p.trace.payload), _PARTS))
    return [row for trace in reversed(paid) for row in trace.rows]


def _covering(units: list[Unit], begin: int, end: int) -> list[tuple[int, int]]:
    """The spans of the units that hold the digits from `begin` to `end`."""
    out: list[tuple[int, int]] = []
    place = 0
    for unit in units:
        if place < end and place + len(unit.digits) > begin:
            out.append((unit.start, unit.end))
        place += len(unit.digits)
    return out


def continues_number(trace: Trace, memory: Memory, sender: str, plan: Plan, now_ms: int) -> bool:
    """Whether a message goes on with a number of which the first part was delivered."""
    if not trace.loose:
        return False
    if _is_most_of_one(trace, plan):
        return True
    if trace.place and _makes_mobile(trace, _lately(memory.pieces, now_ms, sender), plan):
        return True
    if not trace.payload:
        return False
    if _is_part(trace) and trace.free:
        mine, last = memory.last(sender), memory.last()
        # What the other had taken out is no reason to take out an answer that is a number.
        together = last if trace.place or _is_part(mine) else mine
        if any(one.masked and _is_part(one) for one in (mine, together)):
            return True
    if _says_little(trace) and memory.masks_of(sender):
        return False
    return any(
        _begins_number(trace, _paid(memory.pieces, now_ms, who), plan) for who in (sender, "")
    )


def _lately(past: Sequence[Piece], now_ms: int, sender: str) -> Iterator[Trace]:
    """What was said with digits in it, the last first; by one party, or by all."""
    found = (
        piece.trace
        for piece in reversed(past)
        if (not sender or piece.sender == sender) and abs(now_ms - piece.at_ms) <= WINDOW_MS
    )
    return islice(found, _PARTS)


def _paid(past: Sequence[Piece], now_ms: int, sender: str) -> Iterator[Trace]:
    """Of that, what says little but digits and has them all."""
    return (trace for trace in _lately(past, now_ms, sender) if trace.payload and not trace.masked)


def _is_part(trace: Trace) -> bool:
    """Whether a message is nothing but digits, or says which part of something they are."""
    return trace.pure or trace.place


def _says_little(trace: Trace) -> bool:
    """Whether a message has so few digits among its words that they are rather no part."""
    return not _is_part(trace) and len(trace.free) < _PIECE


def _is_most_of_one(trace: Trace, plan: Plan) -> bool:
    """Whether a message by itself is so much of a number that the rest could be guessed."""
    if trace.pure and phone_prefix(trace.free, plan):
        return True
    return (
        trace.payload
        and trace.place
        and (home_prefix(trace.free, plan) or any(map(_is_long, trace.rows)))
    )


def _is_long(row: str) -> bool:
    """Whether digits in a row are too many to be an amount, and more than counting."""
    return len(row) >= _LONG and row not in _COUNTING and not row.endswith("000")


def _makes_mobile(trace: Trace, earlier: Iterator[Trace], plan: Plan) -> bool:
    """Whether all digits of the last messages are a mobile number, whatever they are called."""
    joined = trace.digits
    for piece in earlier:
        joined = piece.digits + joined
        if plan.mobile.fullmatch(joined) or plan.mobile.fullmatch(joined[::-1]):
            return True
    return False


def _begins_number(trace: Trace, earlier: Iterator[Trace], plan: Plan) -> bool:
    """Whether a message and some of those before it, the last first, begin as a number does."""
    parts = [trace]
    joined, loose = trace.free, trace.loose
    if _AMOUNT.fullmatch(joined):
        return False
    for piece in earlier:
        if _AMOUNT.fullmatch(piece.free):
            continue
        parts.insert(0, piece)
        joined, loose = piece.free + joined, piece.loose + loose
        if len(loose) > _MOST_DIGITS:
            return False
        if home_prefix(joined, plan) or (loose != joined and home_prefix(loose, plan)):
            return True
        if len(joined) >= LEAST_DIGITS and _are_parts(parts, joined, plan):
            return True
    return False


def _are_parts(parts: list[Trace], joined: str, plan: Plan) -> bool:
    """Whether messages of which the form alone tells little are parts of a number."""
    first, *others = parts
    pure = all(part.pure for part in others)
    if pure and joined[0] == "0" and (first.pure or len(joined) >= _LONG):
        return True
    if pure and (phone_prefix(joined, plan) if first.pure else is_foreign_mobile(joined)):
        return True
    if pure and first.pure and len(parts) > 2 and len(first.free) < _PIECE and len(joined) >= _LONG:
        return is_foreign(joined)
    if not all(map(_is_part, parts)):
        return False
    if all(part.place and len(part.free) > 2 for part in parts[:-1]) and parts[-1].place:
        return True
    if any(plan.national_prefix.match(row) for row in _without_zero(parts)):
        return True
    # The parts may come in another order, if they say which is which.
    return len(joined) >= _LONG and any(
        part.place and len(part.free) >= _PIECE and plan.prefix.match(part.free) for part in parts
    )


def _without_zero(parts: list[Trace]) -> Iterator[str]:
    """The digits of all parts, also without a zero that is said to come first, or to be left out.

    "811, with a zero in front" is 8110 and then goes on; "don't forget the zero" is a part alone.
    """
    for rows in ([part.free for part in parts], [part.loose for part in parts]):
        yield "".join(rows)
        yield "".join(
            row.removesuffix("0") if part.place else row
            for row, part in zip(rows, parts, strict=True)
        )


def left_to(sender: str, memory: Memory, allowed: frozenset[str]) -> int:
    """What a party's next message may cost (`Trace.cost`); less than 1 if it may have no digits.

    What the platform has declared as known doesn't count.
    """
    others = (
        memory.spent_by(who, allowed) for who in memory.senders() if who not in (sender, GONE)
    )
    return left(memory.spent_by(sender, allowed), others, memory.masks_of(GONE))
