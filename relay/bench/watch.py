"""What processes use while a load runs: processor time and memory, second by second."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Usage:
    """What some processes have used so far, together."""

    cpu_s: float
    rss_bytes: int


def are_there(pids: list[int]) -> bool:
    """Whether none of these processes has ended."""
    return all(Path(f"/proc/{pid}").exists() for pid in pids)


def usage_of(pids: list[int]) -> Usage:
    """What these processes have used; one that has ended counts as nothing."""
    cpu_s, rss_bytes = 0.0, 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        cpu_s += (int(fields[11]) + int(fields[12])) / _TICKS
        rss_bytes += int(fields[21]) * _PAGE_BYTES
    return Usage(cpu_s, rss_bytes)


def usage_in_metrics(text: str) -> Usage | None:
    """What a relay tells of its workers in its metrics; None if it does not."""
    found = dict(
        line.split(" ", 1) for line in text.splitlines() if line and not line.startswith("#")
    )
    try:
        return Usage(
            float(found["relay_cpu_seconds_total"]), int(float(found["relay_memory_bytes"]))
        )
    except (KeyError, ValueError):
        return None
