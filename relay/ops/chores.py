"""What has to be done again and again beside the traffic, by whichever node comes to it.

A step on the store may be taken by several nodes at once: the store sees to it that it is done
once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from ..store.endpoint import StoreError

log = structlog.get_logger(__name__)

#: Each chore by its name: how often, in seconds, and what.
Chores = dict[str, tuple[float, Callable[[], Awaitable[Any]]]]


async def keep_doing(chores: Chores) -> None:
    """Do each chore every so often until cancelled; one that fails is tried again in its turn."""
    await asyncio.gather(*(_repeat(name, *chore) for name, chore in chores.items()))


async def _repeat(name: str, period_s: float, chore: Callable[[], Awaitable[Any]]) -> None:
    while True:
        await asyncio.sleep(period_s)
        try:
            await chore()
        except StoreError:
            continue  # the pipe says so in the log, once, and comes back by itself
        except Exception as error:  # noqa: BLE001 - one that stopped would be missed by nobody
            log.error("chore_failed", chore=name, error=type(error).__name__)
