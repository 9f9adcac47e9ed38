"""What is sent again and again about one log, packed: most of each command is made once.

Other calls on the store are packed where they are made (`Store`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from . import keys, scripts
from .endpoint import pack
from .records import After

#: A condition that any log meets.
_ANY: Final = ("", "", "")
#: Arguments that all scripts about a log have: EVALSHA, the hash, 2, both keys, trip and epoch.
_COMMON: Final = 7
#: How a command begins that has so many arguments.
_COUNTS: Final = tuple(b"*%d\r\n" % count for count in range(64))


class LogWriter:
    """Packs the posts to one log, and how far its parties are."""

    __slots__ = ("_head", "_post", "_receipt", "_tail")

    #: Replies to `post` that say nothing.
    SKIP: Final = 4

    def __init__(self, trip: str, epoch: int) -> None:
        record, log = keys.trip(trip), keys.log(trip, epoch)
        self._head = (
            b"*1\r\n$5\r\nMULTI\r\n*8\r\n$4\r\nXADD\r\n$%d\r\n%b\r\n"
            b"$10\r\nNOMKSTREAM\r\n$1\r\n*\r\n$1\r\ni\r\n" % (len(log), log.encode())
        )
        self._tail = (
            pack("XLEN", log) + pack("HMGET", record, "deadline", "bars") + b"*1\r\n$4\r\nEXEC\r\n"
        )
        of_log = record, log, trip, epoch
        self._post = _arguments("EVALSHA", scripts.POST.sha, 2, *of_log)
        self._receipt = _arguments("EVALSHA", scripts.RECEIPT.sha, 2, *of_log)

    def post(self, post_id: str, sender: bytes, sealed: bytes) -> bytes:
        """The common post as three native commands, without a script: MULTI, XADD, XLEN, HMGET
        deadline bars, EXEC.

        NOMKSTREAM makes the log's existence the permission. The deadline comes back in the same
        transaction, so that an entry at or after it counts as refused by the store's own clock,
        even before any node has swept; so do the bars, and what a party that is barred has written
        counts as refused too. The reply to look at comes after `SKIP` others and is
        `[entry id or None, n, [deadline, bars]]`. `sender` is the one-letter field that holds the
        ciphertext.
        """
        post = post_id.encode()
        return b"%b$%d\r\n%b\r\n$1\r\n%b\r\n$%d\r\n%b\r\n%b" % (
            self._head, len(post), post, sender, len(sealed), sealed, self._tail,
        )  # fmt: skip

    def post_if(
        self,
        post_id: str,
        sender: bytes,
        sealed: bytes,
        after: After | None,
        *,
        again: bool = False,
        masked: bool = False,
        quick: bool = False,
        tell: bool = False,
        found: Sequence[str] = (),
    ) -> bytes:
        """A post under conditions, one script: scripts/post.lua says what they mean, and what it
        answers."""
        words = b"masked " if masked else b""
        if again:
            words += b"again "
        if quick:
            words += b"quick "
        if tell:
            words += b"tell "
        n, last_sender, last_id = after or _ANY
        rest = pack(sender, post_id, sealed, words, n, last_sender, last_id, *found)
        return _COUNTS[_COMMON + 7 + len(found)] + self._post + _after_count(rest)

    def receipt(self, role: str, got: str, seen: str) -> bytes:
        """Notes how far a party is: scripts/receipt.lua. The reply is `[got, seen]` as the record
        is then, or nothing if this epoch is over."""
        return _COUNTS[_COMMON + 3] + self._receipt + _after_count(pack(role, got, seen))


def _arguments(*command: str | int) -> bytes:
    return _after_count(pack(*command))


def _after_count(packed: bytes) -> bytes:
    return packed[packed.index(b"\n") + 1 :]
