"""The common post as three native commands, without a script."""

from __future__ import annotations

from typing import Final

from . import keys
from .endpoint import pack


class LogWriter:
    """Packs the posts to one log: MULTI, XADD, XLEN, HMGET deadline bars, EXEC.

    NOMKSTREAM makes the log's existence the permission. The deadline comes back in the same
    transaction, so that an entry at or after it counts as refused by the store's own clock, even
    before any node has swept; so do the bars, and what a party that is barred has written counts as
    refused too. The reply to look at comes after `SKIP` others and is
    `[entry id or None, n, [deadline, bars]]`.
    """

    __slots__ = ("_head", "_tail")

    SKIP: Final = 4

    def __init__(self, trip: str, epoch: int) -> None:
        log = keys.log(trip, epoch).encode()
        self._head = (
            b"*1\r\n$5\r\nMULTI\r\n*8\r\n$4\r\nXADD\r\n$%d\r\n%b\r\n"
            b"$10\r\nNOMKSTREAM\r\n$1\r\n*\r\n$1\r\ni\r\n" % (len(log), log)
        )
        self._tail = (
            pack("XLEN", log)
            + pack("HMGET", keys.trip(trip), "deadline", "bars")
            + b"*1\r\n$4\r\nEXEC\r\n"
        )

    def command(self, post_id: str, sender: bytes, sealed: bytes) -> bytes:
        """One post; `sender` is the one-letter field that holds the ciphertext."""
        post = post_id.encode()
        return b"%b$%d\r\n%b\r\n$1\r\n%b\r\n$%d\r\n%b\r\n%b" % (
            self._head, len(post), post, sender, len(sealed), sealed, self._tail,
        )  # fmt: skip
