"""The families of rules that look at words, each asked only if the message has a word of its set.

Long texts are looked at in parts that overlap, so that the work grows with the length only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .contacts import Contact, find_contacts
from .dialogue import in_plain_spelling, names_code, requests_code
from .forwarding import forwards_calls
from .masks import CONTACT_MASK, MASK, without_masks
from .reading import Reading
from .sieve import sift
from .solicitation import solicits
from .word import JUMBLED, OF_CODES, OF_CONTACTS, OF_LEAVING, SINGLE

#: Words joined by the signs of links, addresses and labels.
_JOINED: Final = re.compile(
    r"""
    [a-z]\s?[.•]\s?[a-z(\[{]                # a.b, a . b, a (dot) b
  | @ | ://
  | [a-z]\s?[/\\][a-z0-9+] | \d/[a-z]        # a/b
  | [\[({]\s?(?:dot|titik|at|et|\.)         # [dot]
  | [a-z]\s?[:=]\s?[@a-z]                   # ig: name
  | [a-z0-9]_[a-z0-9]                       # a_b
  | [📷📸]
    """,
    re.VERBOSE,
)
#: One of them is in each of those, and found at once. In a mask none of its signs joins words.
_JOINING: Final = re.compile(r"[.•@/\\\[({:=_📷📸]")
#: "0tp", "k0de"; "o t p", "o.t.p"
_WITH_A_ZERO: Final = re.compile(r"[a-z]0|0[a-z]")
_SPELT: Final = re.compile(r"(?<![a-z0-9])[a-z0][ ._*-][a-z0][ ._*-][a-z](?![a-z])")
#: Signs of dialling codes, and their names where they may be glued to digits.
_DIALLED: Final = ("#", "bintang", "asteri")
_MASK: Final = re.compile(f"{MASK}|{CONTACT_MASK}")
_PART: Final = 320
_OVERLAP: Final = 80


def contacts_in(reading: Reading, *, beside_masks: bool = False) -> list[Contact]:
    """Links, addresses and handles, all or those beside a mask; spans may overlap."""
    folded = reading.folded
    if (
        not reading.lists & OF_CONTACTS
        and not reading.is_thai
        and not (_JOINING.search(without_masks(folded)) and _JOINED.search(folded))
    ):
        return []
    return [
        contact._replace(start=contact.start + at, end=contact.end + at)
        for at, part in (_beside_masks(folded) if beside_masks else _parts(folded))
        for contact in find_contacts(part)
    ]


def code_request_in(reading: Reading) -> str:
    """The rule by which a message asks for a one-time code, or nothing."""
    if not _speaks_of_codes(reading):
        return ""
    if len(reading.folded) <= _PART:
        return requests_code(reading.plain)
    for _, part in _parts(reading.folded):
        if rule := requests_code(sift(in_plain_spelling(part, reading.lists))):
            return rule
    return ""


def call_forward_in(reading: Reading) -> bool:
    """Whether a message holds a call-forwarding code or asks to set one."""
    folded = reading.folded
    hash_sign, star, asterisk = _DIALLED
    if not (_names_a_code(reading) or hash_sign in folded or star in folded or asterisk in folded):
        return False
    return any(forwards_calls(part) for _, part in _parts(folded))


def solicitation_in(reading: Reading) -> bool:
    """Whether a message proposes to talk or to pay elsewhere."""
    if not reading.lists & OF_LEAVING and not reading.is_thai:
        return False
    if len(reading.folded) <= _PART:
        return solicits(reading.sifted)
    return any(solicits(sift(part)) for _, part in _parts(reading.folded))


def code_named_in(reading: Reading) -> bool:
    """Whether a message speaks of a one-time code, a wallet's PIN or a password."""
    return _speaks_of_codes(reading) and names_code(reading.plain)


def _speaks_of_codes(reading: Reading) -> bool:
    folded = reading.folded
    return (
        _names_a_code(reading)
        or (reading.lists & JUMBLED != 0 and _WITH_A_ZERO.search(folded) is not None)
        or (reading.lists & SINGLE != 0 and _SPELT.search(folded) is not None)
    )


def _names_a_code(reading: Reading) -> bool:
    return reading.lists & OF_CODES != 0 or "*" in reading.folded or reading.is_thai


def _parts(folded: str) -> list[tuple[int, str]]:
    """Parts of a text and where they start."""
    if len(folded) <= _PART:
        return [(0, folded)]
    step = _PART - _OVERLAP
    return [(at, folded[at : at + _PART]) for at in range(0, len(folded) - _OVERLAP, step)]


def _beside_masks(folded: str) -> Iterator[tuple[int, str]]:
    """Parts of a text with a mask in them, as far as a rule reaches, and where they start."""
    windows: list[tuple[int, int]] = []
    for mask in _MASK.finditer(folded):
        start, end = max(0, mask.start() - _OVERLAP), mask.end() + _OVERLAP
        if windows and start <= windows[-1][1]:
            start = windows.pop()[0]
        windows.append((start, end))
    for start, end in windows:
        for at, part in _parts(folded[start:end]):
            yield start + at, part


# All ideas are known now, so that no message has to wait until the sieve is made.
sift("")
