"""What parties have asked of their data, until long after it was done."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct

from . import keys
from .endpoint import StoreError
from .store import Store

_KEPT_MS: Final = 2 * 365 * 86_400_000


class Wish(StrEnum):
    """What a party can ask."""

    EXPORT = "export"
    ERASE = "erase"
    RESTRICT = "restrict"
    UNRESTRICT = "unrestrict"


class Request(Struct, frozen=True, omit_defaults=True):
    """A party's request; times in ms. `done_at` is None while something is left to do.

    Of an erasure the party is told `told`, and that it was done at `told_at`: what is left to do
    because of a report or a legal hold is none of its business.
    """

    id: str
    party: str
    wish: Wish
    received_at: int
    due_at: int
    by: str
    done_at: int | None = None
    outcome: str = ""
    told: str = ""
    told_at: int | None = None


_decode: Final = msgspec.json.Decoder(Request).decode


class Requests:
    """Calls on the list of requests. Every method raises `StoreError`."""

    def __init__(self, store: Store) -> None:
        self._pipe = store.pipe

    async def put(self, request: Request) -> None:
        """Keep a request, in the place of what was known of it."""
        await self._pipe.call("HSET", keys.PRIVACY, request.id, msgspec.json.encode(request))

    async def all(self, now_ms: int) -> list[Request]:
        """Every request, the one that is due first first; those done two years ago are dropped."""
        raw = await self._pipe.call("HVALS", keys.PRIVACY)
        found = sorted(map(_decoded, raw), key=lambda one: (one.due_at, one.id))
        over = [one.id for one in found if one.done_at and one.done_at < now_ms - _KEPT_MS]
        if over:
            await self._pipe.call("HDEL", keys.PRIVACY, *over)
        return [one for one in found if one.id not in over]


def _decoded(raw: bytes) -> Request:
    try:
        return _decode(raw)
    except msgspec.DecodeError:
        raise StoreError("a request's record is damaged") from None
