"""The trip's own numbers: six digits in a row from the last nine of one are certain evidence.

By chance a text holds such a row about once in 100,000 texts with a dozen digits. Nothing switches
this off: not a context, not an allowed value, not a policy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final, NoReturn

from .budget import WINDOW

LAST_DIGITS: Final = 9
#: Pieces in any order are judged by more digits than a row, of which each brings some. There are
#: many orders, and each would be one more question to the oracle.
_SHUFFLED: Final = 8
_LEAST_PIECE: Final = 3


class Oracle:
    """Finds digits of the numbers given (E.164, or digits with their country code)."""

    __slots__ = ("_numbers", "_rows")

    def __init__(self, numbers: Iterable[str]) -> None:
        #: The forms of each number.
        self._numbers: list[tuple[str, ...]] = []
        #: Each row of a number's last digits, also backwards, and the numbers that it may be of.
        self._rows: dict[str, set[int]] = {}
        for number in numbers:
            self._add("".join(char for char in number if "0" <= char <= "9"))

    def _add(self, digits: str) -> None:
        for row in _rows(digits[-LAST_DIGITS:]):
            for either_way in (row, row[::-1]):
                self._rows.setdefault(either_way, set()).add(len(self._numbers))
        # As dialled inside the country, a zero replaces the country code (1-3 digits).
        self._numbers.append((digits, *("0" + digits[code:] for code in (1, 2, 3))))

    def __repr__(self) -> str:
        return "Oracle(****)"

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError("an Oracle holds phone numbers and cannot be pickled or copied")

    def hits(self, digits: str) -> list[tuple[int, int]]:
        """Spans of `digits` that are rows of a number, each as long as it agrees; may overlap."""
        out: list[tuple[int, int]] = []
        end = 0
        rows = _rows(digits)
        if self._rows.keys().isdisjoint(rows):
            return out
        for at, row in enumerate(rows):
            if at + WINDOW <= end:
                continue  # inside the span before
            for target, place in self._places(row):
                out.append(_agreeing(digits, at, target, place))
                end = max(end, out[-1][1])
        return out

    def _places(self, row: str) -> Iterator[tuple[str, int]]:
        """Where a row of digits stands, and in which form of a number, forwards or backwards."""
        for index in self._rows.get(row, ()):
            for form in self._numbers[index]:
                for target in (form, form[::-1]):
                    place = target.find(row)
                    while place >= 0:
                        yield target, place
                        place = target.find(row, place + 1)

    def is_completed(self, before: Callable[[], Collection[str]], rows: Collection[str]) -> bool:
        """Whether rows of digits complete a number of which rows before them held a part.

        In any order, and whatever else came in between. The rows before are asked for if needed.
        """
        long_enough = [row for row in rows if len(row) >= _LEAST_PIECE]
        for forms in self._numbers if long_enough else ():
            if not any(_seen_of(row, forms, set()) for row in long_enough):
                continue
            seen: set[int] = set()
            for row in before():
                seen |= _seen_of(row, forms, seen)
            more: set[int] = set()
            for row in long_enough:
                more |= _seen_of(row, forms, seen | more)
            if more and len(seen | more) >= _SHUFFLED:
                return True
        return False


def _rows(digits: str) -> list[str]:
    return [digits[at : at + WINDOW] for at in range(len(digits) - WINDOW + 1)]


def _agreeing(digits: str, at: int, target: str, place: int) -> tuple[int, int]:
    """How far digits and target agree around the window that stands in both."""
    begin, end = at, at + WINDOW
    after = place + WINDOW
    while begin and place and digits[begin - 1] == target[place - 1]:
        begin, place = begin - 1, place - 1
    while end < len(digits) and after < len(target) and digits[end] == target[after]:
        end, after = end + 1, after + 1
    return begin, end


def _seen_of(row: str, forms: tuple[str, ...], seen: set[int]) -> set[int]:
    """Which of the last digits, counted from the end, a row shows that were not seen before."""
    if len(row) < _LEAST_PIECE:
        return set()
    for form in forms:
        at = form.find(row)
        while at >= 0:
            ends = len(form) - at
            shown = {place for place in range(ends - len(row), ends) if place < LAST_DIGITS}
            if shown - seen:
                return shown - seen
            at = form.find(row, at + 1)
    return set()
