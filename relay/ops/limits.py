"""What the operators' work is bound by."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class WatchLimits:
    """How much one operator opens before it is unusual."""

    watch_cases_per_hour: int = 30
    watch_cases_per_day: int = 120
    watch_readings_per_hour: int = 20
    watch_same_party_per_week: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class DeskLimits:
    """`evidence_s`: how long evidence is kept; `record_s`: how long a trip may run and its record
    be kept after it, tombstone not counted; `notice_delay_s`: how long a party isn't told at least
    that evidence on it was read."""

    evidence_s: int
    record_s: int
    notice_delay_s: int
    watch: WatchLimits = field(default_factory=WatchLimits)
