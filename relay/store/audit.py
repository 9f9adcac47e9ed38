"""The audit log in the store: a stream that is only ever appended to, and its checkpoints.

What an entry says is not known here; `ops.audit` writes them and `vault.chain` checks them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, NamedTuple

from ..vault.chain import GENESIS, Link
from ..vault.checkpoints import Checkpoint, checkpoint_of
from . import keys, scripts
from .store import Store

_PAGE: Final = 200


class Head(NamedTuple):
    """The log's last entry: how many were ever written, and its hash."""

    n: int
    hash: bytes


#: The head of a log that nothing was written to.
BEGINNING: Final = Head(0, GENESIS)


class LineTaken(Exception):
    """That line of a key ring's journal is in the log already; nothing was appended."""


class AuditLog:
    """Calls on the audit log. Every method raises `StoreError`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def append(self, head: Head, links: Sequence[Link], *, line: str = "") -> Head | None:
        """Append entries that follow `head`; give None, or the head if it is another by now.

        Then nothing was appended. With the id of a journal's `line`, raises `LineTaken` if that has
        been appended before.
        """
        packed = [part for link in links for part in (link.hash.hex(), link.body)]
        reply = await self._store.run(
            scripts.AUDIT_APPEND, keys.AUDIT, head.n, head.hash.hex(), line, *packed
        )
        if reply[0] == b"taken":
            raise LineTaken
        return None if reply[0] == b"appended" else Head(reply[1], _hash(reply[2]))

    async def head(self) -> Head:
        """The last entry's number and hash."""
        # No log has that head, so this only tells the right one.
        return await self.append(Head(-1, GENESIS), ()) or BEGINNING

    async def oldest_first(self, after: int = 0) -> AsyncIterator[tuple[int, Link]]:
        """The entries after the place of the entry `after` as they are stored, each with the number
        of its place. Who has meddled with the log may have left several in one place."""
        start = f"({after}-0".encode()
        while page := await self._store.pipe.call("XRANGE", keys.AUDIT, start, "+", "COUNT", _PAGE):
            for raw in page:
                yield _entry(raw)
            start = b"(" + page[-1][0]

    async def newest_first(self, before: int | None = None) -> AsyncIterator[tuple[int, Link]]:
        """The entries before the place of the entry `before`, the newest first, with places."""
        end = b"+" if before is None else f"({before}-0".encode()
        while page := await self._store.pipe.call(
            "XREVRANGE", keys.AUDIT, end, "-", "COUNT", _PAGE
        ):
            for raw in page:
                yield _entry(raw)
            end = b"(" + page[-1][0]

    # --- checkpoints ------------------------------------------------------------------------------

    async def claim_signing(self, span_ms: int) -> bool:
        """Whether it is this caller who may make a checkpoint; nobody else may for `span_ms`."""
        reply = await self._store.pipe.call("SET", keys.AUDIT_SIGNING, "1", "NX", "PX", span_ms)
        return reply is not None

    async def add_checkpoint(self, checkpoint: Checkpoint) -> None:
        fields = [part for name, value in checkpoint._asdict().items() for part in (name, value)]
        await self._store.pipe.call("XADD", keys.AUDIT_CHECKPOINTS, "*", *fields)

    async def last_checkpoint(self) -> Checkpoint | None:
        """The newest checkpoint, whoever wrote it."""
        found = await self._store.pipe.call(
            "XREVRANGE", keys.AUDIT_CHECKPOINTS, "+", "-", "COUNT", 1
        )
        return _checkpoint(found[0]) if found else None

    async def checkpoints(self) -> list[Checkpoint]:
        """All that are stored; what has not the form of one is none."""
        found: list[Checkpoint] = []
        start = b"-"
        while page := await self._store.pipe.call(
            "XRANGE", keys.AUDIT_CHECKPOINTS, start, "+", "COUNT", _PAGE
        ):
            found += [one for raw in page if (one := _checkpoint(raw)) is not None]
            start = b"(" + page[-1][0]
        return found


def _entry(raw: Any) -> tuple[int, Link]:
    entry_id, flat = raw
    fields = dict(zip(flat[::2], flat[1::2], strict=False))
    link = Link(_hash(fields.get(b"h", b"")), fields.get(b"e", b""))
    return int(entry_id.partition(b"-")[0]), link


def _checkpoint(raw: Any) -> Checkpoint | None:
    flat = raw[1]
    fields: dict[str, object] = {
        name.decode(errors="replace"): value.decode(errors="replace")
        for name, value in zip(flat[::2], flat[1::2], strict=False)
    }
    for name in ("n", "at"):
        text = fields.get(name)
        if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 17:
            fields[name] = int(text)
    return checkpoint_of(fields)


def _hash(text: bytes) -> bytes:
    """A stored hash; one that is none is kept as it is, and so follows from nothing."""
    try:
        return bytes.fromhex(text.decode("ascii"))
    except ValueError:
        return text
