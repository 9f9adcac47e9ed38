"""What a message holds: which posts are well formed, and the bytes that are sealed.

A body is one letter for its kind and then its fields; it is what lies, encrypted, in the log.
Before it may stand `n`, the ids of the safety notices that go with the message, and a line feed.
"""

from __future__ import annotations

import re
import struct
from typing import Final, NamedTuple

from .codes import RefusedCode
from .phrases import QUICK_REPLIES, SYSTEM_MESSAGES, Catalogue, phrase

_PLACE: Final = struct.Struct(">dd")

#: However few bytes they take: what the guard has to read must not keep others waiting.
MAX_TEXT_CHARS: Final = 1000

#: Control characters but tab and line feed: they have no place in a message and confuse terminals.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

#: The kinds that an app may post.
POSTABLE: Final = frozenset({"text", "location", "quick"})


class Body(NamedTuple):
    """A message's content, the same for every reader.

    `key` names a sentence of the kind's catalogue, or is empty; `text` is never empty. `notices`
    are ids of the guard's catalogue, for the reader who did not write the message.
    """

    kind: str
    text: str
    lat: float | None = None
    lon: float | None = None
    key: str = ""
    notices: tuple[str, ...] = ()

    def text_in(self, locale: str) -> str:
        """The text for a reader with this locale (BCP 47)."""
        return _sentence(self.kind, self.key, locale) if self.key else self.text


def quick_body(key: str) -> Body:
    """A quick reply."""
    return Body("quick", _sentence("quick", key, "en"), key=key)


def system_body(key: str) -> Body:
    """A message of the platform's that is in the catalogue."""
    return Body("system", _sentence("system", key, "en"), key=key)


def problem_with(
    kind: str,
    text: str | None,
    lat: float | None,
    lon: float | None,
    max_text_bytes: int,
    key: str | None = None,
) -> RefusedCode | None:
    """Why a post cannot be taken as it is, or None."""
    if kind not in POSTABLE:
        return RefusedCode.UNSUPPORTED_KIND
    if kind == "quick":
        return None if key in QUICK_REPLIES else RefusedCode.MALFORMED
    if kind == "location":
        if lat is None or lon is None:
            return RefusedCode.MALFORMED
        if not text:
            return None
    if not text or text.isspace() or (not text.isprintable() and _CONTROL.search(text)):
        return RefusedCode.MALFORMED
    if len(text) > MAX_TEXT_CHARS:
        return RefusedCode.TOO_LONG
    # A character is at most 4 bytes, so short texts need no second look.
    if len(text) * 4 > max_text_bytes and len(text.encode()) > max_text_bytes:
        return RefusedCode.TOO_LONG
    return None


def pack_body(body: Body) -> bytes:
    """The bytes of a well-formed message."""
    kind, text, lat, lon, key, notices = body
    if key:
        packed = (b"q" if kind == "quick" else b"k") + key.encode()
    elif kind == "location" and lat is not None and lon is not None:
        packed = b"l" + _PLACE.pack(lat, lon) + text.encode()
    else:
        packed = (b"s" if kind == "system" else b"t") + text.encode()
    return b"n%b\n%b" % (",".join(notices).encode(), packed) if notices else packed


def unpack_body(packed: bytes) -> Body:
    """The message in bytes that `pack_body` made. A kind from a later version is shown as text."""
    notices: tuple[str, ...] = ()
    if packed[0] == 0x6E:  # n
        names, _, packed = packed[1:].partition(b"\n")
        notices = tuple(names.decode().split(","))
    letter, rest = packed[:1], packed[1:]
    match letter:
        case b"l":
            lat, lon = _PLACE.unpack_from(rest)
            text = rest[_PLACE.size :].decode() or place_text(lat, lon)
            return Body("location", text, lat, lon, notices=notices)
        case b"q":
            return quick_body(rest.decode())._replace(notices=notices)
        case b"k":
            return system_body(rest.decode())
        case _:
            return Body("system" if letter == b"s" else "text", rest.decode(), notices=notices)


def place_text(lat: float, lon: float) -> str:
    """What stands for a place without a name, to about a metre: the digits of the numbers and no
    other."""
    return f"{_degrees(lat)}, {_degrees(lon)}"


def _degrees(angle: float) -> str:
    return f"{angle:.5f}".rstrip("0").rstrip(".")


_CATALOGUES: Final[dict[str, Catalogue]] = {"quick": QUICK_REPLIES, "system": SYSTEM_MESSAGES}


def _sentence(kind: str, key: str, locale: str) -> str:
    try:
        return phrase(_CATALOGUES[kind], key, locale)
    except KeyError:
        # Another version of the relay, running beside this one, has more of them.
        return key.replace("_", " ")
