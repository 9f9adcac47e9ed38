"""Which slot of a Cluster a command belongs to, and what a server says that has not got it.

After the Redis Cluster specification: 16384 slots, a key's is the CRC-16/XMODEM of its hash tag.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from typing import Any, Final, NamedTuple

import hiredis

SLOTS: Final = 16384

#: Where a server is: host and port.
Address = tuple[str, int]

#: As `endpoint.pack` writes it: perhaps MULTI, then a command whose first argument is its key, or a
#: script with its first key. Commands to servers have no argument, but for those named.
_KEY: Final = re.compile(
    rb"(?:\*1\r\n\$5\r\nMULTI\r\n)?\*\d+\r\n\$\d+\r\n(?!SCRIPT|INFO|CLUSTER)"
    rb"(?:EVALSHA\r\n\$40\r\n[0-9a-f]{40}\r\n\$1\r\n[12]|[A-Z]+)\r\n\$(\d+)\r\n"
)


def slot_of(key: bytes) -> int:
    """The slot of a key: that of what is between its first braces, if there is anything."""
    start = key.find(b"{")
    if start >= 0:
        end = key.find(b"}", start + 1)
        if end > start + 1:
            key = key[start + 1 : end]
    return crc_hqx(key, 0) % SLOTS


def slot_of_command(packed: bytes) -> int | None:
    """The slot of packed commands, all of which are of one; None if they are for every server."""
    found = _KEY.match(packed)
    if found is None:
        return None
    start = found.end()
    return slot_of(packed[start : start + int(found[1])])


class Elsewhere(NamedTuple):
    """A command was not run, for a reason of the cluster's. `kind` is the error's first word;
    `address` says who has the slot, or its key, if that is known."""

    kind: str
    address: Address | None = None


_ELSEWHERE: Final = frozenset({"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN"})


def elsewhere(reply: hiredis.ReplyError, asked: Address) -> Elsewhere | None:
    """What a server's error says of where to go; None if it is about the command itself."""
    kind, _, rest = str(reply).partition(" ")
    if "non local key" in rest:
        return Elsewhere("TRYAGAIN")  # see scripts/prelude.lua
    if kind not in _ELSEWHERE:
        return None
    if kind == "ASK":
        # Some of the slot's keys are there already and the others are not: a command that were sent
        # there could find nothing of what is still to come, or make it anew.
        return Elsewhere("TRYAGAIN")
    if kind != "MOVED":
        return Elsewhere(kind)
    host, _, port = rest.partition(" ")[2].rpartition(":")
    # A server that does not know its own name means that it is the one that was asked.
    return Elsewhere(kind, (host.strip("[]") or asked[0], int(port)))


class Layout(NamedTuple):
    """Which primary has each slot; None where nobody has."""

    owners: tuple[Address | None, ...]

    @property
    def primaries(self) -> frozenset[Address]:
        return frozenset(owner for owner in self.owners if owner is not None)


def layout_of(reply: list[Any], asked: Address) -> Layout:
    """Take `CLUSTER SLOTS` apart, as the server at `asked` has answered."""
    owners: list[Address | None] = [None] * SLOTS
    for first, last, (host, port, *_), *_ in reply:
        name = host.decode() if host and host != b"?" else asked[0]
        owners[first : last + 1] = [(name, port)] * (last - first + 1)
    return Layout(tuple(owners))
