"""A timer that keeps the time to a fraction of a millisecond; an event loop's own are a millisecond
late and more."""

from __future__ import annotations

import asyncio
import signal
import time
from typing import Final, Self

TICK_S: Final = 0.001
_LEAST_S: Final = 1e-6


class Metronome:
    """The process's one interval timer (`setitimer`), while entered."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._tick = asyncio.Event()

    def __enter__(self) -> Self:
        self._loop.add_signal_handler(signal.SIGALRM, self._tick.set)
        return self

    def __exit__(self, *_: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        self._loop.remove_signal_handler(signal.SIGALRM)

    async def until(self, due_s: float) -> None:
        """Wait until that moment of the monotonic clock."""
        self._tick.clear()
        signal.setitimer(signal.ITIMER_REAL, max(_LEAST_S, due_s - time.monotonic()))
        await self._tick.wait()
