"""The list of legal holds. That a trip is held is in its own record; this only finds it again."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct

from . import keys
from .endpoint import StoreError
from .store import Store


class Hold(Struct, frozen=True):
    """A trip whose messages are kept for the law; times in ms."""

    trip: str
    until: int
    by: str
    at: int
    note: str


_decode: Final = msgspec.json.Decoder(Hold).decode


class HoldList:
    """Calls on the list. Every method raises `StoreError`."""

    def __init__(self, store: Store) -> None:
        self._pipe = store.pipe

    async def put(self, hold: Hold) -> None:
        """List a hold, in the place of an older one of that trip."""
        await self._pipe.call("HSET", keys.HOLDS, hold.trip, msgspec.json.encode(hold))

    async def get(self, trip: str) -> Hold | None:
        """The hold of a trip as it is listed, or None."""
        raw = await self._pipe.call("HGET", keys.HOLDS, trip)
        return _decoded(raw) if raw else None

    async def remove(self, trip: str) -> None:
        """Take a trip off the list."""
        await self._pipe.call("HDEL", keys.HOLDS, trip)

    async def all(self) -> list[Hold]:
        """Every hold that is listed, the one that ends first first."""
        raw = await self._pipe.call("HVALS", keys.HOLDS)
        return sorted(map(_decoded, raw), key=lambda hold: (hold.until, hold.trip))


def _decoded(raw: bytes) -> Hold:
    try:
        return _decode(raw)
    except msgspec.DecodeError:
        raise StoreError("a hold's record is damaged") from None
