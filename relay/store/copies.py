"""Whether what was just changed has reached a replica, where there is one.

WAIT tells of what its own connection has written, so something is written before it; and it holds
up whatever else is on its connection, so it has one of its own. Whoever asks while a wait is under
way shares the next one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, Literal
from weakref import WeakKeyDictionary

from . import keys
from .endpoint import pack
from .pipe import Line, Pipe

Kept = Literal["replicated", "local"]

_WAIT_MS: Final = 200
#: For how long a primary that had no replica is taken to have none.
_ALONE_S: Final = 1.0


class Copies:
    """Asks over a pipe that nothing else uses. `now_s` gives the time of a clock that never goes
    back."""

    def __init__(self, pipe: Pipe, *, now_s: Callable[[], float]) -> None:
        self._pipe = pipe
        self._now_s = now_s
        self._alone_until_s: WeakKeyDictionary[Line, float] = WeakKeyDictionary()
        self._running: WeakKeyDictionary[Line, asyncio.Task[Kept]] = WeakKeyDictionary()
        self._next: WeakKeyDictionary[Line, asyncio.Task[Kept]] = WeakKeyDictionary()

    async def of(self, trip: str) -> Kept:
        """How far all is that was written for a trip before: `replicated` if at least one replica
        has it, `local` if there is none, or none that said so in time. Raises nothing."""
        fence = keys.fence(trip)
        server = self._pipe.line_at(self._pipe.slot_of(fence))
        if server is None or self._now_s() < self._alone_until_s.get(server, 0.0):
            return "local"
        task = self._next.get(server)
        if task is None:
            task = self._next[server] = asyncio.create_task(self._round(server, fence))
        return await asyncio.shield(task)

    async def _round(self, server: Line, fence: str) -> Kept:
        running = self._running.get(server)
        if running is not None:
            await asyncio.wait((running,))
        # What was written until now is told of; who comes later needs another round.
        self._running[server] = self._next.pop(server)
        write = pack("SET", fence, "1", "PX", _WAIT_MS)
        role = await _ask(server, write + pack("ROLE"))
        if not isinstance(role, list) or role[0] != b"master":
            return "local"
        if not role[2]:
            self._alone_until_s[server] = self._now_s() + _ALONE_S
            return "local"
        copies = await _ask(server, write + pack("WAIT", 1, _WAIT_MS))
        return "replicated" if isinstance(copies, int) and copies else "local"


async def _ask(server: Line, packed: bytes) -> Any:
    """Ask this very server, wherever its slots are by now."""
    if server.lost:
        return None
    answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    server.send(packed, answered.set_result, 1)
    return await answered
