"""Texts that are easy to tell apart and that the guard has nothing to say about."""

from __future__ import annotations

from typing import Final

_SYLLABLES: Final = ("ba", "de", "fi", "gu", "ko", "la", "me", "ri", "so", "vu")


def numbered(number: int) -> str:
    """A word for a number, other than for any other number; no digit and no word for one."""
    return "".join(_SYLLABLES[int(digit)] for digit in str(number))


def chat(number: int) -> str:
    """The same, but every fourth is one that the guard must judge by what was said before."""
    word = numbered(number)
    return word if number % 4 else f"{word} lantai 3"
