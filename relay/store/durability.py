"""What has to have a write before it counts as accepted.

One WAITAOF or WAIT follows each batch of commands that need it: a group commit. Such a wait tells
of what its own connection has written, so whatever repeats a write that may have been lost writes
again.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from .endpoint import pack

#: Well under the time after which a silent store stops deliveries.
_WAIT_MS: Final = 300
_REPLICAS: Final = re.compile(r"replica(?::([1-9]))?")


class Durability(NamedTuple):
    """`command` asks how far the writes before it have got ("" if nobody need be asked), `copies`
    is how many of those asked must have them."""

    name: str
    command: bytes
    copies: int

    @classmethod
    def parse(cls, text: str) -> Durability:
        """Read `memory` (as the store itself keeps it), `disk` (the primary has synced it), or
        `replica` or `replica:N` (so many replicas have it too). Raises `ValueError`."""
        if text == "memory":
            return cls(text, b"", 0)
        if text == "disk":
            return cls(text, pack("WAITAOF", 1, 0, _WAIT_MS), 1)
        found = _REPLICAS.fullmatch(text)
        if found is None:
            raise ValueError("must be memory, disk, replica or replica:2")
        copies = int(found[1] or 1)
        return cls(text, pack("WAIT", copies, _WAIT_MS), copies)

    def is_reached(self, reply: Any) -> bool:
        """Whether the answer to `command` says that enough have it."""
        found = reply[0] if isinstance(reply, list) else reply
        return isinstance(found, int) and found >= self.copies


MEMORY: Final = Durability.parse("memory")
