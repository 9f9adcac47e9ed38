"""The audit log's chain: each entry's hash is over its bytes and the hash before it.

``hash n = SHA-256(0 || hash n-1 || entry n)``, beginning with 32 zero bytes; an entry is JSON with
its number in ``n``. So whoever changes one entry has to make all later hashes anew, and then no
signed checkpoint (``checkpoints.py``) agrees any more.

The chain tells where it breaks. It can't always tell who broke it: an entry that does not follow
from the one before it was edited, or that one was and was given a hash that fits.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from relay.vault.checkpoints import Checkpoint, is_genuine

__all__ = [
    "GENESIS",
    "MAX_FAULTS",
    "Fault",
    "Flaw",
    "Link",
    "Verdict",
    "Verifier",
    "canonical",
    "next_hash",
    "verify",
]

GENESIS: Final = bytes(32)
MAX_FAULTS: Final = 100

_ENCODER: Final = msgspec.json.Encoder(order="sorted")


class _Numbered(msgspec.Struct):
    n: int


_DECODER: Final = msgspec.json.Decoder(_Numbered)


class Flaw(StrEnum):
    """What is wrong with a log."""

    EDITED = "edited"  # does not follow from the entry before
    REMOVED = "removed"
    INSERTED = "inserted"  # has no place in the chain
    REORDERED = "reordered"
    CUT = "cut"  # the newest entries are gone
    REWRITTEN = "rewritten"  # a chain, but not the one that a checkpoint saw
    FORGED = "forged"  # a checkpoint that the relay did not sign


class Fault(NamedTuple):
    """The entries ``n`` to ``until`` have that flaw."""

    n: int
    until: int
    flaw: Flaw


class Link(NamedTuple):
    """An entry as it is stored."""

    hash: bytes
    body: bytes


class Verdict(NamedTuple):
    """What a log turned out to be; sound if it has no faults (the first ``MAX_FAULTS`` are told).

    ``first`` is the number with which it had to begin; nothing is said of what came before.

    ``proven_until`` is the last entry that a checkpoint vouches for: who can write to the store
    could have rewritten what comes after. ``unproven`` counts checkpoints whose key isn't known,
    ``withheld`` entries of which an export holds the hash alone: that they are there is checked,
    what they say is not.

    What comes before such an entry does not lead to its hash without it, so whoever hands on the
    log could have written that anew, but for a checkpoint of the very entry before. ``unbound`` is
    the first entry that lacks one (0 if there is none), and no checkpoint vouches for it.
    """

    first: int
    entries: int
    last: int
    proven_until: int
    unproven: int
    faults: tuple[Fault, ...]
    withheld: int = 0
    unbound: int = 0


def canonical(entry: object) -> bytes:
    """An entry's bytes: JSON with sorted keys, without spaces."""
    return _ENCODER.encode(entry)


def next_hash(previous: bytes, body: bytes) -> bytes:
    """The hash of the entry that follows the one with the hash ``previous``."""
    return hashlib.sha256(b"\0" + previous + body).digest()


def verify(
    links: Iterable[Link],
    checkpoints: Iterable[Checkpoint] = (),
    public_keys: Mapping[str, str] | None = None,
    written: int = 0,
) -> Verdict:
    """Check a whole log; the arguments are those of ``Verifier``."""
    verifier = Verifier(checkpoints, public_keys)
    for link in links:
        verifier.add(link)
    return verifier.verdict(written)


class Verifier:
    """Checks a log, entry by entry, in the order in which it is stored.

    ``public_keys`` are those of the checkpoints, by key id. The log begins after the entry
    ``after``, which had the hash ``previous``.
    """

    def __init__(
        self,
        checkpoints: Iterable[Checkpoint] = (),
        public_keys: Mapping[str, str] | None = None,
        *,
        after: int = 0,
        previous: bytes = GENESIS,
    ) -> None:
        self._first = after + 1
        self._n, self._hash = after, previous
        self._entries = 0
        self._withheld = 0
        self._bound = after  # the last entry that is as it was, whoever hands on the log
        self._unbound = 0
        self._faults: list[Fault] = []
        self._missing: list[range] = []
        self._odd: list[tuple[int, int]] = []  # number, and which number was expected in its place
        self._waiting: Link | None = None
        self._unproven = 0
        self._seen: dict[int, set[str]] = {}  # hashes that checkpoints saw, by entry
        self._agreed: list[int] = []  # entries that the checkpoints agree with
        self._latest = 0
        for checkpoint in checkpoints:
            self._take(checkpoint, public_keys or {})

    def _take(self, checkpoint: Checkpoint, public_keys: Mapping[str, str]) -> None:
        if checkpoint.key_id not in public_keys:
            self._unproven += 1
        elif not is_genuine(checkpoint, public_keys[checkpoint.key_id]):
            self._fault(checkpoint.n, checkpoint.n, Flaw.FORGED)
        elif checkpoint.n == self._n and self._n and checkpoint.hash != self._hash.hex():
            self._fault(checkpoint.n, checkpoint.n, Flaw.REWRITTEN)
        elif checkpoint.n > self._n:
            self._seen.setdefault(checkpoint.n, set()).add(checkpoint.hash)
            self._latest = max(self._latest, checkpoint.n)

    def add(self, link: Link) -> None:
        """The next entry."""
        if self._waiting is not None:
            self._look_at(self._waiting, link)
        self._waiting = link
        self._entries += 1

    def add_withheld(self, hash_: bytes) -> None:
        """The next entry, of which the hash alone is told: the one after it has to follow from it,
        as it has to follow from the one before on the relay itself."""
        if self._waiting is not None:
            self._look_at(self._waiting, None)
            self._waiting = None
        if self._bound != self._n and not self._unbound:
            self._unbound = self._n
        self._advance(self._n + 1, Link(hash_, b""))
        self._bound = self._n
        self._entries += 1
        self._withheld += 1

    def verdict(self, written: int = 0) -> Verdict:
        """What was found, after the last entry; the store says that ``written`` was the last."""
        if self._waiting is not None:
            self._look_at(self._waiting, None)
            self._waiting = None
        last = max(written, self._latest)
        if last > self._n:
            self._fault(self._n + 1, last, Flaw.CUT)
        for number, place in self._odd:
            if self._was_missing(number):
                self._fault(number, number, Flaw.REORDERED)
            else:
                self._fault(place, place, Flaw.INSERTED)
        for gap in self._missing:
            self._fault(gap.start, gap.stop - 1, Flaw.REMOVED)
        faults = sorted(self._faults)
        ends = [fault.n for fault in faults[:1]] + [self._unbound or self._n + 1]
        proven = max([n for n in self._agreed if n < min(ends)], default=0)
        told = tuple(faults[:MAX_FAULTS])
        return Verdict(
            self._first, self._entries, self._n, proven, self._unproven, told, self._withheld,
            self._unbound,
        )  # fmt: skip

    def _look_at(self, link: Link, following: Link | None) -> None:
        number = _number(link)
        if self._follows(link):
            self._advance(self._n + 1, link)
        elif following is not None and self._follows(following):
            self._odd.append((number, self._n + 1))  # the chain goes on without it
        elif number > self._n + 1:
            self._missing.append(range(self._n + 1, number))
            self._advance(number, link)
        elif 0 < number < self._n:
            known = self._was_missing(number)
            self._fault(number, number, Flaw.REORDERED if known else Flaw.INSERTED)
        elif number == self._n:
            # Two of one number: a chain that goes on goes on from one of them.
            self._fault(number, number, Flaw.INSERTED)
            self._hash = link.hash
        else:
            self._fault(self._n + 1, self._n + 1, Flaw.EDITED)
            self._advance(self._n + 1, link)

    def _follows(self, link: Link) -> bool:
        return _number(link) == self._n + 1 and next_hash(self._hash, link.body) == link.hash

    def _advance(self, number: int, link: Link) -> None:
        self._n, self._hash = number, link.hash
        if (hashes := self._seen.get(number)) is None:
            return
        if hashes == {link.hash.hex()}:
            self._agreed.append(number)
            self._bound = number
        else:
            since = self._agreed[-1] if self._agreed else 0
            self._fault(since + 1, number, Flaw.REWRITTEN)

    def _was_missing(self, number: int) -> bool:
        for index, gap in enumerate(self._missing):
            if number in gap:
                parts = range(gap.start, number), range(number + 1, gap.stop)
                self._missing[index : index + 1] = [part for part in parts if part]
                return True
        return False

    def _fault(self, n: int, until: int, flaw: Flaw) -> None:
        self._faults.append(Fault(n, until, flaw))


def _number(link: Link) -> int:
    """The number in an entry; 0 if it holds none."""
    try:
        return max(0, _DECODER.decode(link.body).n)
    except msgspec.DecodeError:  # ValidationError is one
        return 0
