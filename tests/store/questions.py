"""Many callers of one pipe, each of which asks for what is its own and may give up at any moment."""

from __future__ import annotations

import asyncio
import os
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import count
from typing import Any

from relay.store.endpoint import StoreError, pack
from relay.store.pipe import Pipe, checked

_CALLERS = 100
_PATIENCE_S = (0.0, 0.0005, 0.002, 0.01, 5.0)


def seeded() -> random.Random:
    """Chance that can be had again: SEED in the environment."""
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    return random.Random(seed)


class Questions:
    """Each has an answer that no other has. `told` counts how they went; whoever got what was not its
    own raises."""

    def __init__(self, pipe: Pipe, rng: random.Random) -> None:
        self._pipe, self._rng = pipe, rng
        self._numbers = count(1)
        self.told: Counter[str] = Counter()

    async def _ask(self) -> None:
        number = next(self._numbers)
        own, key = str(number).encode(), f"{{p{number % 256}}}:own:{number}"
        ask: Callable[[], Awaitable[Any]] = self._rng.choice(
            [
                lambda: self._pipe.call("SET", key, own, "GET", "PX", 60_000),
                lambda: self._call(pack("MULTI") + pack("SET", key, own) + pack("EXEC"), 2),
                lambda: self._call(pack("SET", key, own) + pack("GET", key), 1),
            ]
        )
        try:
            async with asyncio.timeout(self._rng.choice(_PATIENCE_S)):
                first = await ask()
                found = await self._pipe.call("GET", key)
        except TimeoutError:
            self.told["given up"] += 1
        except StoreError:
            self.told["unanswered"] += 1
        else:
            # SET with GET answers what was there before: nothing, for nobody else has this key.
            assert first in (None, [b"OK"], own), f"the reply {first!r} is another's"
            assert found == own, f"{found!r} is another's"
            self.told["answered"] += 1

    async def _call(self, packed: bytes, skip: int) -> Any:
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def take(reply: Any) -> None:
            if not answered.done():
                answered.set_result(reply)

        self._pipe.send(packed, take, skip)
        return checked(await answered)

    async def ask(self, questions: int, disturb: Callable[[], Awaitable[None]]) -> None:
        """Put so many, many at a time, and disturb them now and then."""
        for _ in range(0, questions, _CALLERS):
            async with asyncio.TaskGroup() as callers:
                for _ in range(_CALLERS):
                    callers.create_task(self._ask())
                if self._rng.random() < 0.3:
                    await asyncio.sleep(self._rng.uniform(0, 0.003))
                    disturbing = callers.create_task(disturb())
                    # However long that takes, there are questions when it comes.
                    while not disturbing.done():
                        for _ in range(_CALLERS // 10):
                            callers.create_task(self._ask())
                        await asyncio.sleep(0.001)
        print(dict(self.told))
        for how, least in (("answered", 100), ("given up", 100), ("unanswered", 10)):
            assert self.told[how] > least, f"too few were {how}: {self.told}"
