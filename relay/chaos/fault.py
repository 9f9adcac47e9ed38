"""What a fault is: a name, what happens in a line, where it can happen, how it begins and ends."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from .arenas import Arena
from .traffic import Traffic


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a fault happens: the arena, and the traffic in it. `rng` draws whom it hits."""

    arena: Any
    traffic: Traffic
    rng: random.Random


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that fails. It begins when `strike` is entered and is mended when it is left; what
    mends itself, like a process that is started again, is mended sooner."""

    name: str
    text: str
    arenas: tuple[type[Arena], ...]
    strike: Callable[[Scene], AbstractAsyncContextManager[None]]


#: All there are, by name.
FAULTS: Final[dict[str, Fault]] = {}


def fault(
    name: str, text: str, *arenas: type[Arena]
) -> Callable[[Callable[[Scene], AsyncIterator[None]]], Callable[[Scene], AsyncIterator[None]]]:
    """Declare a fault: a generator that begins it, yields while it lasts, and mends it."""

    def declare(
        steps: Callable[[Scene], AsyncIterator[None]],
    ) -> Callable[[Scene], AsyncIterator[None]]:
        FAULTS[name] = Fault(name, text, arenas, asynccontextmanager(steps))
        return steps

    return declare
