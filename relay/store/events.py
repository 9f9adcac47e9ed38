"""What the platform is told: one stream for each partition, read and acknowledged by HTTP.

An event is written by the script that makes it come about (`emit` in scripts/prelude.lua), so it is
there exactly if that is so. It stays until the platform acknowledges it; what is not fetched for a
month, or is among too many, is lost. Events name trips, parties and cases; none holds a text or a
number.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec

from . import keys, scripts
from .endpoint import StoreError, pack
from .pipe import checked
from .store import Store

Event: TypeAlias = dict[str, Any]

# The store refuses a whole XDEL for one id beyond 64 bits, so there are not that many digits.
_ID: Final = re.compile(r"([0-9]{1,3})-([0-9]{1,16}-[0-9]{1,16})")
#: Partitions that are asked in one go: between two of these the store does others' work.
_AT_ONCE: Final = 32
#: How much of each partition is looked at before it is known where most of it lies.
_FIRST_LOOK: Final = 16

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode


class EventPage(NamedTuple):
    """Events, the oldest first; `more` is whether others wait."""

    events: list[Event]
    more: bool


class _Place(NamedTuple):
    """Where an event stands among those of all partitions."""

    ms: int
    seq: int
    partition: int


class Events:
    """The events that wait for the platform. Every method raises `StoreError`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def emit(self, kind: str, *, subject: str, **fields: str | int | bool) -> None:
        """Tell the platform something that no script of the store's brings about. `subject` is what
        it is about: events of one subject stay in order."""
        event = msgspec.json.encode({"kind": kind, **fields})
        await self._store.run(scripts.EMIT, keys.events(keys.partition(subject)), event)

    async def waiting(self, limit: int) -> EventPage:
        """The oldest events, at most `limit`, each with its `id`, `kind` and `at` (ms).

        There may be fewer although `more` is true.
        """
        found = await self._look(dict.fromkeys(range(keys.PARTITIONS), _FIRST_LOOK))
        full = [number for number, entries in found.items() if len(entries) == _FIRST_LOOK]
        entries = _in_order(found, full)
        if full and len(entries) < limit:
            deeper = _FIRST_LOOK + limit // len(full)
            found |= await self._look(dict.fromkeys(full, deeper))
            full = [number for number in full if len(found[number]) == deeper]
            entries = _in_order(found, full)
        return EventPage(
            [_event(place, raw) for place, raw in entries[:limit]],
            bool(full) or len(entries) > limit,
        )

    async def acknowledge(self, ids: Iterable[str]) -> int:
        """Delete these events; give how many of them there were. What is no event's id is none."""
        by_partition: dict[int, list[str]] = {}
        for name in ids:
            found = _ID.fullmatch(name)
            if found:
                by_partition.setdefault(int(found[1]), []).append(found[2])
        deleted = await asyncio.gather(
            *(
                self._store.pipe.call_raw(pack("XDEL", keys.events(number), *entries))
                for number, entries in by_partition.items()
            )
        )
        return sum(checked(reply) for reply in deleted)

    async def _look(self, counts: Mapping[int, int]) -> dict[int, list[tuple[_Place, bytes]]]:
        """The oldest entries of each partition, up to its count."""
        found: dict[int, list[tuple[_Place, bytes]]] = {}
        numbers = list(counts)
        for begin in range(0, len(numbers), _AT_ONCE):
            some = numbers[begin : begin + _AT_ONCE]
            replies: Sequence[Any] = await asyncio.gather(
                *(
                    self._store.pipe.call_raw(
                        pack("XRANGE", keys.events(number), "-", "+", "COUNT", counts[number])
                    )
                    for number in some
                )
            )
            for number, reply in zip(some, replies, strict=True):
                found[number] = [
                    (_place(entry, number), fields[1]) for entry, fields in checked(reply)
                ]
        return found


def _in_order(
    found: Mapping[int, list[tuple[_Place, bytes]]], full: Sequence[int]
) -> list[tuple[_Place, bytes]]:
    """The entries of all partitions by time, as far as that is known: a partition that is `full`
    may hold more that is older than what the others showed."""
    known = min((found[number][-1][0] for number in full), default=None)
    return sorted(
        entry
        for entries in found.values()
        for entry in entries
        if known is None or entry[0] <= known
    )


def _place(entry: bytes, partition: int) -> _Place:
    ms, _, seq = entry.partition(b"-")
    return _Place(int(ms), int(seq), partition)


def _event(place: _Place, raw: bytes) -> Event:
    try:
        said = _decode(raw)
    except msgspec.DecodeError:
        raise StoreError("an event is damaged") from None
    name = f"{place.partition}-{place.ms}-{place.seq}"
    return {"kind": "", "at": place.ms} | said | {"id": name}
