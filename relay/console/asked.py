"""What a form's fields mean: a word of a closed set, a number, a note."""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeVar

from ..ops.refusals import OpsCode, Refused
from .forms import Form

W = TypeVar("W", bound=StrEnum)

_DAY_MS: Final = 86_400_000
_MOST_DIGITS: Final = 6


def chosen(words: type[W], form: Form, name: str) -> W:
    """The word that was chosen. Raises `Refused`."""
    try:
        return words(form.one(name))
    except ValueError:
        raise Refused(
            OpsCode.INVALID,
            "Something has to be chosen from the list and was not, so nothing was done. Choose it "
            "and send the form again.",
            field=name,
        ) from None


def whole(form: Form, name: str) -> int | None:
    """A whole number, None if the field is empty. Raises `Refused`."""
    text = form.one(name)
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise Refused(
            OpsCode.INVALID,
            "That is no whole number, so nothing was done. Write it in digits.",
            field=name,
        )
    return int(text)


def in_days(form: Form, name: str) -> int:
    """A number of days, in milliseconds. Raises `Refused`."""
    days = whole(form, name)
    if not days:
        raise Refused(
            OpsCode.INVALID,
            "A number of days, at least 1, is needed and missing, so nothing was done.",
            field=name,
        )
    return days * _DAY_MS


def note(form: Form, name: str = "note") -> str:
    """A note, in one line however it was typed; what it may hold is for the services to say."""
    return " ".join(form.one(name).split())
