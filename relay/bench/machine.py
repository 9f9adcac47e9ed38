"""The machine a run was on, and how much else went on there."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path
from typing import Any, Final

_TICKS: Final = os.sysconf("SC_CLK_TCK")


def described() -> dict[str, Any]:
    """What a reader of the figures has to know of this machine."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


class Others:
    """How many cores were used by processes that are no part of the run."""

    def __init__(self) -> None:
        self._before_s = _busy_s()
        self._began_s = time.monotonic()

    def cores(self, ours_s: float) -> float:
        """Since it was made; `ours_s` is the processor time of the run itself."""
        took_s = time.monotonic() - self._began_s
        return max(0.0, (_busy_s() - self._before_s - ours_s) / took_s)


def _busy_s() -> float:
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    except OSError:
        return 0.0
    user, nice, system, _, _, irq, soft, steal = map(int, fields[:8])
    return (user + nice + system + irq + soft + steal) / _TICKS
