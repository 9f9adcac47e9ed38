"""Processes that are made to hang."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """Let processes hang for a time."""
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):  # its relay may have given it up meanwhile
                os.kill(pid, signal.SIGCONT)
