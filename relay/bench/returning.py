"""Apps that lose their connection under a load: they come back as PROTOCOL.md, section 6, asks of
them, go on where they were, and post again what nobody knows of."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from ..core.codes import may_reconnect
from .party import NOT_CONNECTED, Party

_FIRST_S: Final = 0.5
_MOST_S: Final = 30.0


@asynccontextmanager
async def returning(parties: Sequence[Party]) -> AsyncIterator[None]:
    """Meanwhile each of these that was attached and is no more comes back by itself."""
    away: dict[Party, asyncio.Task[None]] = {}

    async def bring(party: Party) -> None:
        try:
            await _back(party)
        finally:
            del away[party]

    async with asyncio.TaskGroup() as group:

        def dropped(party: Party) -> None:
            if party not in away:
                away[party] = group.create_task(bring(party))

        for party in parties:
            party.on_dropped = dropped
            if not party.is_attached:
                dropped(party)
        try:
            yield
        finally:
            for party in parties:
                party.on_dropped = None
            for task in away.values():
                task.cancel()


async def _back(party: Party) -> None:
    """Attach again, after the delay that was advised or a random one that grows with each try."""
    tries = 0
    while may_reconnect(party.close_code):
        longest_s = min(_MOST_S, _FIRST_S * 2**tries)
        advised_ms = party.advised_ms
        await asyncio.sleep(
            random.uniform(0, longest_s) if advised_ms is None else advised_ms / 1000
        )
        tries += 1
        try:
            await party.come_back()
        except NOT_CONNECTED:
            continue
        if party.is_attached:
            return
