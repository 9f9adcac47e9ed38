"""Reports as the store takes them: what one is about, and the step that makes a case of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from ..core.bars import Bars
from ..core.casework import Category, Urgency
from ..core.ids import Role
from . import keys, scripts
from .store import Store

#: How much of the log goes with a report: so many messages before and after each that is reported,
#: so many in all, and so many of the last where none is named.
AROUND: Final = 10
MOST: Final = 60
LAST: Final = 20


@dataclass(frozen=True, slots=True)
class Found:
    """What a report is about. `entries` are of the log as the store gives them, in no order;
    `has_log`: whether that log is there at all."""

    epoch: int
    reporter: str
    reported: str
    messages_key: bytes
    deadline: int
    bars: Bars
    entries: list[Any]
    has_log: bool


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a report without a look, or by being filed.

    `outcome`: taken, reported (it was before), too_many, is_closed, no_trip or clash. `wait_ms`
    goes with too_many: 0 means that no later one is taken either.
    """

    outcome: str
    wait_ms: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class NewCase:
    """What a report becomes."""

    name: str
    category: Category
    urgency: Urgency
    block: bool
    evidence_s: int
    items: int
    proven: int
    forged: int
    sealed: bytes


def case_name(trip: str, random_bytes: bytes) -> str:
    """A case's name: the partition of its trip and four random bytes."""
    return f"c{keys.partition(trip)}-{random_bytes.hex()}"


class ReportRecords:
    """Calls on the store for reports. Every method raises `StoreError`.

    A reporter is named by trip, role and the epoch in which it sits or sat there.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    async def look(
        self, trip: str, role: Role, sits: int, report_id: str, epoch: int, positions: Sequence[str]
    ) -> Found | Settled:
        """Find what a report is about: messages of the log of `epoch`, at these positions."""
        reply = await self._store.run(
            scripts.REPORT, keys.trip(trip), trip, role.letter, sits, report_id, epoch, "look",
            AROUND, MOST, LAST, *positions,
        )  # fmt: skip
        if reply[0] != b"found":
            return _settled(reply)
        return Found(
            epoch=reply[1],
            reporter=reply[2].decode(),
            reported=reply[3].decode(),
            messages_key=reply[4],
            deadline=reply[5],
            bars=Bars(reply[6]),
            entries=reply[7],
            has_log=bool(reply[8]),
        )

    async def file(
        self, trip: str, role: Role, sits: int, report_id: str, epoch: int, case: NewCase
    ) -> Settled:
        """Make a case of a report, in one step with the event, and with the block if asked for."""
        reply = await self._store.run(
            scripts.REPORT, keys.trip(trip), trip, role.letter, sits, report_id, epoch, "file",
            case.name, case.category, case.urgency.priority, case.urgency.limit_s * 1000,
            int(case.urgency.alarms), int(case.block), case.evidence_s * 1000, case.items,
            case.proven, case.forged, case.sealed,
        )  # fmt: skip
        return _settled(reply)


def _settled(reply: list[Any]) -> Settled:
    return Settled(reply[0].decode(), *reply[1:])
