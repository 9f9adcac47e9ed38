"""Watching the watchers: who opens unusually many cases, or the same party's again and again.

Each operator's openings are counted in sliding windows by the store's clock. Beyond a limit an
alarm is raised, once in that window: an event for the platform, a counter, an entry in the audit
log and in the supervisors' list. It stops nobody's work, and whom it is about isn't told: neither
the list nor the audit log shows it to that person, and its number is to them one that there is not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog

from ..core.acts import Act
from ..core.casework import StaffScope
from ..store import keys, scripts
from ..store.endpoint import StoreError
from ..store.store import Store
from .actor import Actor
from .audit import Audit
from .limits import WatchLimits
from .notes import checked_note
from .refusals import OpsCode, Refused

log = structlog.get_logger(__name__)

_RELAY: Final = Actor("relay", StaffScope.SUPERVISOR, "relay")


class _Stored(msgspec.Struct):
    at: float
    operator: str
    kind: str
    count: float
    party: str
    acknowledged_by: str
    acknowledged_at: float


@dataclass(frozen=True, slots=True)
class Alarm:
    """An operator beyond a limit. `kind` is cases_per_hour, cases_per_day, readings_per_hour or
    same_party, the last with the `party`; `count` how many there were when it was raised."""

    id: str
    at: int
    operator: str
    kind: str
    count: int
    party: str
    acknowledged_by: str
    acknowledged_at: int | None


_decode: Final = msgspec.json.Decoder(_Stored).decode


class Watch:
    """Counts what operators open. Every method raises `StoreError`.

    `alarms_total` counts the alarms that this node raised, by kind.
    """

    def __init__(self, store: Store, audit: Audit, limits: WatchLimits) -> None:
        self._store = store
        self._audit = audit
        self._limits = limits
        self.alarms_total: Counter[str] = Counter()

    async def case_opened(self, by: Actor, case: str) -> None:
        """Count that somebody looked at a case. The same case again is no other one."""
        await self._count(by, case, "case", ())

    async def evidence_read(self, by: Actor, case: str, parties: Sequence[str]) -> None:
        """Count that somebody read what these parties wrote."""
        await self._count(by, case, "reading", parties)

    async def _count(self, by: Actor, case: str, what: str, parties: Sequence[str]) -> None:
        limits = self._limits
        flat = await self._store.run(
            scripts.CASE_WATCH, keys.alarms(), by.id, case, what,
            limits.watch_cases_per_hour, limits.watch_cases_per_day,
            limits.watch_readings_per_hour, limits.watch_same_party_per_week, *parties,
        )  # fmt: skip
        for start in range(0, len(flat), 4):
            alarm, kind, count, party = (part.decode() for part in flat[start : start + 4])
            self.alarms_total[kind] += 1
            log.warning("watch_alarm", operator=by.id, kind=kind, count=int(count))
            await self._audit.record(
                _RELAY, Act.WATCH_ALARM, case=case, party=party, reason=kind,
                details={"operator": by.id, "count": int(count), "alarm": alarm},
            )  # fmt: skip

    async def alarms(self, to: Actor | None = None) -> list[Alarm]:
        """The alarms, those that nobody has looked into first, then the newest first.

        Without those about the person who asks, if `to` says who that is.
        """
        flat = await self._store.pipe.call("HGETALL", keys.alarms())
        found = [
            _alarm(name.decode(), raw) for name, raw in zip(flat[::2], flat[1::2], strict=True)
        ]
        if to is not None:
            found = [alarm for alarm in found if alarm.operator != to.id]
        return sorted(found, key=lambda alarm: (alarm.acknowledged_by != "", -alarm.at, alarm.id))

    async def acknowledge(self, by: Actor, alarm: str, note: str = "") -> None:
        """Note that a supervisor has looked into an alarm. Raises `Refused`."""
        note = checked_note(note, required=False)
        if not by.is_supervisor:
            raise Refused(
                OpsCode.NOT_ALLOWED,
                "Only a supervisor looks into alarms, so nothing was done. Ask one of them.",
            )
        about = {one.id: one.operator for one in await self.alarms(by)}.get(alarm)
        if about is None:
            raise _no_alarm()
        details: dict[str, str | int] = {"alarm": alarm, "operator": about}
        await self._audit.record(by, Act.WATCH_ACKNOWLEDGE, note=note, details=details)
        outcome = (await self._store.run(scripts.CASE_ALARM, keys.alarms(), alarm, by.id)).decode()
        if outcome == "ok":
            return
        await self._audit.record(by, Act.WATCH_ACKNOWLEDGE, outcome=outcome, details=details)
        if outcome == "done":
            raise Refused(
                OpsCode.CONFLICT,
                "Another supervisor has looked into this alarm already, so nothing was changed.",
            )
        raise _no_alarm()


def _no_alarm() -> Refused:
    return Refused(
        OpsCode.NOT_FOUND, "There is no such alarm for you to look into. Load the list anew."
    )


def _alarm(name: str, raw: bytes) -> Alarm:
    try:
        stored = _decode(raw)
    except msgspec.DecodeError:
        raise StoreError("an alarm's record is damaged") from None
    return Alarm(
        id=name,
        at=int(stored.at),
        operator=stored.operator,
        kind=stored.kind,
        count=int(stored.count),
        party=stored.party,
        acknowledged_by=stored.acknowledged_by,
        acknowledged_at=int(stored.acknowledged_at) or None,
    )
