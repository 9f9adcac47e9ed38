"""Numbers in pieces: this message's digits together with those that were delivered before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import Final

from .budget import WINDOW, is_spent, used
from .context import HARD
from .numbers import Plan, phone_prefix
from .oracle import Oracle
from .reading import Reading
from .tokens import DIGITS, Unit, digits_of
from .window import GONE, WINDOW_MS, Memory, Piece, Trace

#: Digits before a piece with which it can make a row that tells.
_TAIL: Final = WINDOW - 1
#: Pieces that can belong to one number.
_PARTS: Final = 12


def own_spans(
    oracle: Oracle, reading: Reading, trace: Trace, memory: Memory, sender: str
) -> list[tuple[int, int]]:
    """Spans of the folded text whose digits are a party's own, alone or with what came before."""
    spans: set[tuple[int, int]] = set()
    seen: set[tuple[str, str]] = set()
    for units, tails in _ways(reading, trace, memory.pieces, sender):
        digits = digits_of(units)
        for tail in tails:
            if (tail, digits) in seen:
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
) -> Iterator[tuple[list[Unit], set[str]]]:
    """The ways to read a message, each with the digits that it may go on after.

    Whatever is read goes on after what was read in the same way, so that each guess at a next digit
    needs all digits before it once more.
    """
    sure, loose = reading.units, reading.loose
    yield sure, _tails(past, sender, _SURE)
    exact = [unit for unit in sure if unit.kind == DIGITS]
    if len(exact) < len(sure):
        yield exact, {""}
    # Letters that look like digits are asked about only where they count as guessed, because what
    # is asked has to be paid for (`Trace.cost`), and in normal talk nobody should pay for letters.
    guesses = len(trace.guessed) > len(trace.digits)
    if guesses:
        yield loose, {""}
    if past:
        yield loose if guesses else sure, _tails(past, sender, _GUESSED)
    if past and trace.payload:
        free = [u for u, c in zip(sure, reading.contexts, strict=True) if c != HARD]
        yield free, _tails([p for p in past if p.trace.payload], sender, _FREE)


_SURE: Final = attrgetter("trace.digits")
_GUESSED: Final = attrgetter("trace.guessed")
_FREE: Final = attrgetter("trace.free")


def _tails(past: Sequence[Piece], sender: str, read: Callable[[Piece], str]) -> set[str]:
    """The last digits that were delivered, and the last of one party, as `read` reads them."""
    everyone = _tail(map(read, reversed(past)))
    return {everyone, _tail(read(piece) for piece in reversed(past) if piece.sender == sender)}


def _tail(backwards: Iterable[str]) -> str:
    """The last digits of rows that come last first."""
    tail = ""
    for digits in backwards:
        if digits:
            tail = digits + tail
            if len(tail) >= _TAIL:
                return tail[-_TAIL:]
    return tail


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
    if not trace.payload or not trace.loose:
        return False
    if trace.pure and phone_prefix(trace.free, plan):
        return True
    if trace.pure or trace.place:
        for last in (memory.last(), memory.last(sender)):
            if last.masked and (last.pure or last.place):
                return True
    return any(
        _begins_number(trace, _paid(memory.pieces, now_ms, who), plan) for who in (sender, "")
    )


def _paid(past: Sequence[Piece], now_ms: int, sender: str) -> Iterator[Trace]:
    """What lately said little but digits, the last first; of one party, or of all."""
    found = (
        piece.trace
        for piece in reversed(past)
        if piece.trace.payload
        and not piece.trace.masked
        and (not sender or piece.sender == sender)
        and abs(now_ms - piece.at_ms) <= WINDOW_MS
    )
    return islice(found, _PARTS)


def _begins_number(trace: Trace, earlier: Iterator[Trace], plan: Plan) -> bool:
    """Whether a message and some of those before it, the last first, begin as a number does."""
    joined, loose = trace.free, trace.loose
    pure, place = trace.pure, trace.place
    for piece in earlier:
        joined, loose = piece.free + joined, piece.loose + loose
        pure, place = pure and piece.pure, place and piece.place
        if len(loose) > 16:
            return False
        if phone_prefix(joined, plan) or (loose != joined and phone_prefix(loose, plan)):
            return True
        if len(joined) >= 7 and (
            (pure and (joined[0] == "0" or plan.national_prefix.match(joined)))
            or (place and len(piece.free) > 2)
        ):
            return True
    return False


def overspends(trace: Trace, memory: Memory, sender: str, allowed: frozenset[str]) -> bool:
    """Whether a party may not have the digits of a message delivered because it has had too many.

    What the platform has declared as known doesn't count.
    """
    cost = trace.cost(allowed)
    if not cost:
        return False
    mine = used(*memory.spent_by(sender, allowed))
    others = [
        used(*memory.spent_by(who, allowed))
        for who in memory.senders()
        if who not in (sender, GONE)
    ]
    _, gone = memory.spent_by(GONE, allowed)
    return is_spent(mine, others, gone, cost)
