"""What an answer costs, whatever else the machine is busy with."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

from relay.store.store import Store

_ROUNDS = 7
_AT_MOST = 40


async def least_ms(
    store: Store, ask: Callable[[], Awaitable[object]], promised_ms: float = 100
) -> float:
    """Processor time of the store and of this process, the least of several: as long as it takes on
    a quiet machine, where each waits for nothing but the other. On a busy one, whose processors'
    caches others use too, it is asked more often until one is within what is promised."""
    least = float("inf")
    for number in range(_AT_MOST):
        if number >= _ROUNDS and least < promised_ms:
            break
        before_ms = await _used_ms(store)
        await ask()
        least = min(least, await _used_ms(store) - before_ms)
    return least


async def _used_ms(store: Store) -> float:
    cpu = (await store.pipe.call("INFO", "cpu")).decode()
    used = dict(line.split(":") for line in cpu.split() if ":" in line)
    store_s = float(used["used_cpu_user"]) + float(used["used_cpu_sys"])
    return (store_s + time.process_time()) * 1000
