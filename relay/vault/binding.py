"""One encoding for everything that authenticated encryption and report tags bind to.

A ciphertext is only safe in its place if the place is part of what is authenticated, and if no two
places encode to the same bytes. ``bind`` puts each field's length before it, so that ``("ab",
"c")`` and ``("a", "bc")`` differ whatever the fields hold, and no encoding is the beginning of
another with as many fields. The first field is always a label with a version, different for each
use of a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from relay.core.ids import Role

__all__ = ["SENDERS", "Sender", "bind"]

Sender: TypeAlias = Role | Literal["system"]
"""Who a message in the log is from: a party, or the platform."""

SENDERS: Final[Mapping[str, str]] = {"driver": "d", "customer": "c", "system": "s"}
"""Each sender's letter; plain strings as keys, which a ``Role`` equals and hashes like."""


def bind(label: str, *fields: str | int) -> bytes:
    """Encode the label and the fields so that different arguments give different bytes."""
    texts = [label, *map(str, fields)]
    return "".join([f"{len(text)}:{text}" for text in texts]).encode("utf-8", "surrogatepass")
