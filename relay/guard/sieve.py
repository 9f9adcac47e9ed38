"""Which ideas can be in a text at all, told by one look at it for all of them.

Most ideas that the rules know are not in most texts, and to search for each takes time. But each
needs some row of letters to be there: one of the words of its list, say. All those rows are looked
for in one run of an Aho-Corasick automaton, and what has none of its own there is not searched for.

The rows follow from the expressions themselves, so none can be forgotten. A part of an expression
that is not understood asks for nothing, and an idea that asks for nothing is always searched for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from importlib import import_module
from string import ascii_lowercase
from typing import Any, Final, NamedTuple, TypeAlias

from ahocorasick_rs import BytesAhoCorasick

from .masks import without_masks
from .phrases import ENDINGS, pattern_of
from .vocabulary import words

#: Texts are looked at as rows of letters with a space for all that is between them.
_LETTERS: Final = frozenset(ascii_lowercase)
_TO_ROW: Final = b"".join(
    bytes((code,)) if chr(code) in _LETTERS else b" " for code in range(256)
)  # fmt: skip
#: Stands for a character that is not ASCII: what has one is in no text that has none.
_FOREIGN: Final = "?"
#: More ways to go on are not told apart.
_MOST_WAYS, _MOST_LETTERS, _MOST_ENDINGS = 1000, 6, 20
#: Shorter rows are everywhere.
_LEAST_ROW: Final = 3
#: Of so many things that an expression asks for, those that fewest texts have are looked for.
_MOST_NEEDS: Final = 2


#: Rows of which one must be there.
Need: TypeAlias = frozenset[str]


class Idea:
    """An expression that the sieve knows; it is searched for like any other."""

    __slots__ = ("finditer", "needs", "pattern", "search", "sub")

    def __init__(
        self, pattern: str, flags: re.RegexFlag = re.NOFLAG, needs: Iterable[Need] | None = None
    ) -> None:
        """`needs` is what follows from the expression, if it is known already."""
        expression = re.compile(pattern, flags)
        self.pattern = pattern
        self.search, self.finditer, self.sub = (
            expression.search,
            expression.finditer,
            expression.sub,
        )
        rows = _rows_of(expression) if needs is None else _best(needs)
        first = sum(map(len, _NEEDS))
        _NEEDS.append(rows)
        #: A bit for each thing that it needs, among those of all ideas.
        self.needs = ((1 << len(rows)) - 1) << first

    def __repr__(self) -> str:
        return f"Idea({len(self.pattern)} characters)"


def idea(**languages: str) -> Idea:
    """Any of some phrases (`phrases.pattern_of`) as an idea."""
    rows = {
        row
        for text in languages.values()
        for phrase in words(text)
        for row in (_rows_of_phrase(phrase) if phrase.isascii() else (_FOREIGN * _LEAST_ROW,))
    }
    return Idea(pattern_of(**languages), needs=[_shortest(frozenset(rows))])


def _rows_of_phrase(phrase: str) -> Iterator[str]:
    """The rows of which one is there where a phrase is."""
    start, _, _ = phrase.partition("*")
    start, ending, _ = start.partition("~")
    row = " " + " ".join("".join(_letter(ord(char)) for char in start).split())
    if "*" in phrase or row == " ":
        yield row
        return
    yield f"{row} "
    yield from (f"{row}{end} " for end in (ENDINGS if ending else ()) if end.isalpha())


#: For each idea the things that it needs, each as the rows of which one must be there.
_NEEDS: Final[list[list[Need]]] = []


def signs_of(*ideas: Idea) -> int:
    """Of each of some ideas one thing that it needs: a text that has none of them has none."""
    signs = 0
    for each in ideas:
        if not each.needs:
            return -1
        signs |= each.needs & -each.needs
    return signs


class Sifted:
    """A text, and what may be in it."""

    __slots__ = ("_has", "text")

    def __init__(self, text: str, has: int) -> None:
        self.text = text
        self._has = has

    def __repr__(self) -> str:
        return f"Sifted({len(self.text)} characters)"

    def may_have_any(self, signs: int) -> bool:
        """Whether one of some ideas can be in the text, by `signs_of` them."""
        return signs < 0 or self._has & signs != 0

    def may_have(self, idea: Idea) -> bool:
        """Whether an idea can be in the text; if not, it is not."""
        return self._has & idea.needs == idea.needs

    def has(self, idea: Idea) -> bool:
        """Whether an idea is in the text."""
        return self._has & idea.needs == idea.needs and idea.search(self.text) is not None

    def near(self, first: Idea, second: Idea, reach: int) -> bool:
        """Whether both occur, apart, with at most `reach` characters between them."""
        both = first.needs | second.needs
        if self._has & both != both:
            return False
        others = [match.span() for match in second.finditer(self.text)]
        for match in first.finditer(self.text) if others else ():
            start, end = match.span()
            if any(0 <= a - end <= reach or 0 <= start - b <= reach for a, b in others):
                return True
        return False

    def part(self, text: str) -> Sifted:
        """A part of the text, which may have what the whole may."""
        return Sifted(text, self._has)


class _Sieve(NamedTuple):
    find: Callable[..., list[tuple[int, int, int]]]
    #: For each row the needs that it meets.
    meets: list[int]
    #: The needs that any text meets which has characters that are not ASCII.
    foreign: int


@lru_cache(maxsize=1)
def _sieve() -> _Sieve:
    """The sieve of all ideas that there are, made when the last of them is known."""
    meets: dict[str, int] = {}
    foreign = 0
    for place, rows in enumerate(rows for needs in _NEEDS for rows in needs):
        for row in rows:
            if _FOREIGN in row:
                foreign |= 1 << place
            else:
                meets[row] = meets.get(row, 0) | 1 << place
    automaton = BytesAhoCorasick([row.encode() for row in meets])
    return _Sieve(automaton.find_matches_as_indexes, [*meets.values()], foreign)


def sift(text: str) -> Sifted:
    """A folded text with what may be in it."""
    find, meets, foreign = _sieve()
    row = b" ".join(text.encode("ascii", "replace").translate(_TO_ROW).split())
    has = 0 if text.isascii() or without_masks(text).isascii() else foreign
    for index, _, _ in find(b" %b " % row, overlapping=True):
        has |= meets[index]
    return Sifted(text, has)


# --- what an expression needs -------------------------------------------------------------------


class _Part(NamedTuple):
    """What a part of an expression matches: how it begins, and what it needs further on.

    `begins` has rows of letters, and whether anything may follow them within the part.
    """

    begins: frozenset[tuple[str, bool]]
    needs: list[Need]


_NOTHING: Final = _Part(frozenset({("", False)}), [])
_ANYTHING: Final = _Part(frozenset({("", True)}), [])
_BETWEEN: Final = _Part(frozenset({(" ", False)}), [])


def _rows_of(expression: re.Pattern[str]) -> list[Need]:
    """The things that an expression needs, each as the rows of which one must be there."""
    try:
        parser: Any = import_module("re._parser")
    except ImportError:
        return []
    if expression.flags & re.IGNORECASE:
        return []
    whole = _sequence(parser.parse(expression.pattern, expression.flags))
    return [_shortest(need) for need in _best([_rows(whole.begins), *whole.needs])]


def _rows(begins: frozenset[tuple[str, bool]]) -> Need:
    return frozenset([row for row, _ in begins])


def _best(needs: Iterable[Need]) -> list[Need]:
    """The needs that ask for most, none of them much like another."""
    rated = [(_strength(need), need) for need in needs]
    rated.sort(key=lambda rating: (-rating[0], len(rating[1])))
    best: list[Need] = []
    starts: list[set[str]] = []
    for strength, need in rated:
        if strength < _LEAST_ROW or len(best) == _MOST_NEEDS:
            break
        start = {row.strip()[:_LEAST_ROW] for row in need}
        if start not in starts:
            best.append(need)
            starts.append(start)
    return best


def _strength(need: Need) -> int:
    """How much it asks for: the letters of the shortest of its rows."""
    least = min(map(len, need))
    if least >= _LEAST_ROW:
        return least
    return min([len(row) + (_FOREIGN in row) * _LEAST_ROW for row in need])


def _shortest(need: Need) -> Need:
    """Without rows that begin with another."""
    return frozenset(
        [row for row in need if not any(row[:end] in need for end in range(1, len(row)))]
    )


def _after(row: str, then: str) -> str:
    return row + then[1:] if row[-1:] == " " == then[:1] else row + then


def _sequence(items: Iterable[tuple[Any, Any]]) -> _Part:
    """Parts that follow one another."""
    begins: frozenset[tuple[str, bool]] | None = None
    rows = _NOTHING.begins
    needs: list[Need] = []
    for item in items:
        part = _item(*item)
        needs += part.needs
        if len(part.begins) > 1:
            needs.append(_rows(part.begins))
        ends = [row for row, is_open in rows if not is_open]
        if len(ends) * len(part.begins) <= _MOST_WAYS:
            rows = frozenset(
                [(row, True) for row, is_open in rows if is_open]
                + [(_after(row, then), is_open) for row in ends for then, is_open in part.begins]
            )
        else:
            needs.append(_rows(rows))
            begins = begins or frozenset((row, True) for row, _ in rows)
            rows = part.begins
        if all(is_open for _, is_open in rows):
            needs.append(_rows(rows))
            begins = begins or rows
            rows = _NOTHING.begins
    if begins is None:
        return _Part(rows, _best(needs) if needs else needs)
    return _Part(begins, _best([*needs, _rows(rows)]))


def _branches(ways: Iterable[_Part]) -> _Part:
    """Parts of which one is there."""
    begins: set[tuple[str, bool]] = set()
    need: set[str] = set()
    for way in ways:
        begins |= way.begins
        needs = _best([_rows(way.begins), *way.needs])
        need |= needs[0] if needs else {""}
    return _Part(frozenset(begins), [frozenset(need)])


def _repeated(least: int, most: int, part: _Part) -> _Part:
    """A part several times."""
    if part.begins == _BETWEEN.begins:
        return _BETWEEN if least else _Part(_NOTHING.begins | part.begins, [])
    if not least:
        if most == 1 and len(part.begins) <= _MOST_ENDINGS:
            return _Part(_NOTHING.begins | part.begins, [])
        return _ANYTHING
    if most == 1:
        return part
    return _Part(frozenset((row, True) for row, _ in part.begins), part.needs)


def _letter(code: int) -> str:
    char = chr(code)
    return char if char in _LETTERS else " " if code < 128 else _FOREIGN


def _one_of(items: list[tuple[Any, Any]]) -> _Part:
    """A set of characters."""
    ways: set[str] = set()
    for kind, value in items:
        name = str(kind)
        if name == "NEGATE":
            return _BETWEEN if _has_all_letters(items[1:]) else _ANYTHING
        if name == "LITERAL":
            ways.add(_letter(value))
        elif name == "RANGE" and value[1] < 128:
            ways.update(map(_letter, range(value[0], value[1] + 1)))
        elif name == "RANGE" and value[0] > 127:
            ways.add(_FOREIGN)
        elif name == "CATEGORY" and str(value) in _NO_LETTERS:
            ways.add(" ")
        else:
            return _ANYTHING
    if len(ways) > _MOST_LETTERS:
        return _ANYTHING
    return _Part(frozenset((way, False) for way in ways), [])


#: Sets of characters that hold no ASCII letter. What else they hold counts as a space.
_NO_LETTERS: Final = {"CATEGORY_SPACE", "CATEGORY_DIGIT", "CATEGORY_NOT_WORD"}


def _has_all_letters(items: Iterable[tuple[Any, Any]]) -> bool:
    ranges = [value for kind, value in items if str(kind) == "RANGE"]
    return any(first <= ord("a") and last >= ord("z") for first, last in ranges)


def _item(kind: Any, value: Any) -> _Part:
    """What a part of an expression matches, by its name in the parser."""
    match str(kind):
        case "LITERAL":
            return _Part(frozenset({(_letter(value), False)}), [])
        case "IN":
            return _one_of(value)
        case "BRANCH":
            return _branches(map(_sequence, value[1]))
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return _repeated(value[0], value[1], _sequence(value[2]))
        case "SUBPATTERN" if not value[1] and not value[2]:
            return _sequence(value[3])
        case "ATOMIC_GROUP":
            return _sequence(value)
        case "ASSERT":
            ahead = _sequence(value[1])
            return _Part(_NOTHING.begins, [*ahead.needs, _rows(ahead.begins)])
        case "ASSERT_NOT":
            # No letter comes before, or after: a space, as texts are looked at.
            parts = [*value[1]]
            alone = len(parts) == 1 and str(parts[0][0]) == "IN"
            return _BETWEEN if alone and _has_all_letters(parts[0][1]) else _NOTHING
        case "AT":
            return _NOTHING
        case _:
            return _ANYTHING
