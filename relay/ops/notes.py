"""What operators write in their own words.

A note stays in the audit log, where nothing is ever taken out again. So it may not hold what the
relay keeps from everybody: a number, an address, an account.
"""

from __future__ import annotations

import re
from typing import Final

from ..guard.names import holds_contact
from .refusals import OpsCode, Refused

MAX_NOTE_CHARS: Final = 500

# Control characters, line separators and what turns the direction of text: a note is one line that
# reads as it is stored.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def checked_note(text: str, *, required: bool = True) -> str:
    """The note as it is written down. Raises `Refused`, which does not repeat it."""
    note = text.strip()
    if not note:
        if not required:
            return ""
        raise _invalid("The note is empty, so nothing was done. Say in a few words why you do it.")
    if len(note) > MAX_NOTE_CHARS:
        raise _invalid(
            f"The note has more than {MAX_NOTE_CHARS} characters, so nothing was done. Shorten it."
        )
    if _CONTROL.search(note):
        raise _invalid(
            "The note has line breaks or control characters, so nothing was done. Write it in one "
            "line."
        )
    if holds_contact(note):
        raise _invalid(
            "The note seems to hold a phone number, an address or an account, so nothing was done: "
            "what is written here can't be taken out again. Leave it out, and keep long numbers "
            "out as well."
        )
    return note


def _invalid(detail: str) -> Refused:
    return Refused(OpsCode.INVALID, detail, field="note")
