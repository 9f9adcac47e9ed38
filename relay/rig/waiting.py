"""Waiting for the thing itself, with a deadline."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from typing import Any


async def until(condition: Callable[[], Any], what: str, within_s: float = 10.0) -> Any:
    """Wait until `condition` gives something true, and give that. It may be a coroutine function.

    Raises TimeoutError, which says what did not happen.
    """
    end_s = time.monotonic() + within_s
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found
        if time.monotonic() > end_s:
            raise TimeoutError(f"not within {within_s} s: {what}")
        await asyncio.sleep(0.01)
