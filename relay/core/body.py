"""What a message holds: which posts are well formed, and the bytes that are sealed.

A body is one letter for its kind and then its fields; it is what lies, encrypted, in the log.
"""

from __future__ import annotations

import re
import struct
from typing import Final, NamedTuple

from .codes import RefusedCode

_LETTERS: Final = {"text": b"t", "location": b"l", "system": b"s"}
_KINDS: Final = {letter[0]: kind for kind, letter in _LETTERS.items()}
_PLACE: Final = struct.Struct(">dd")

#: Control characters but tab and line feed: they have no place in a message and confuse terminals.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

#: The kinds that an app may post.
POSTABLE: Final = frozenset({"text", "location"})


class Body(NamedTuple):
    """A message's content, the same for every reader. `text` is never empty."""

    kind: str
    text: str
    lat: float | None = None
    lon: float | None = None


def problem_with(
    kind: str, text: str | None, lat: float | None, lon: float | None, max_text_bytes: int
) -> RefusedCode | None:
    """Why a post cannot be taken as it is, or None."""
    if kind not in POSTABLE:
        return RefusedCode.UNSUPPORTED_KIND
    if kind == "location":
        if lat is None or lon is None:
            return RefusedCode.MALFORMED
        if not text:
            return None
    if not text or text.isspace() or _CONTROL.search(text):
        return RefusedCode.MALFORMED
    # A character is at most 4 bytes, so short texts need no second look.
    if len(text) * 4 > max_text_bytes and len(text.encode()) > max_text_bytes:
        return RefusedCode.TOO_LONG
    return None


def pack_body(kind: str, text: str, lat: float | None = None, lon: float | None = None) -> bytes:
    """The bytes of a well-formed message."""
    if kind == "location" and lat is not None and lon is not None:
        return _LETTERS[kind] + _PLACE.pack(lat, lon) + text.encode()
    return _LETTERS[kind] + text.encode()


def unpack_body(packed: bytes) -> Body:
    """The message in bytes that `pack_body` made. A kind from a later version is shown as text."""
    kind = _KINDS.get(packed[0], "text")
    if kind != "location":
        return Body(kind, packed[1:].decode())
    lat, lon = _PLACE.unpack_from(packed, 1)
    return Body(kind, packed[1 + _PLACE.size :].decode() or f"{lat:.6f}, {lon:.6f}", lat, lon)
