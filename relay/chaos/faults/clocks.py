"""A node whose clock is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator

from ..arenas import InMemory
from ..fault import Scene, fault


@fault("clock-jump", "a node's clock jumps, by seconds or by days, and back", InMemory)
async def clock_jump(scene: Scene) -> AsyncIterator[None]:
    clock = scene.rng.choice(scene.arena.clocks)
    clock.jump(scene.rng.choice((-86_400.0, -7200.0, -5.0, 5.0, 7200.0, 10 * 86_400.0)))
    try:
        yield
    finally:
        clock.jump(0.0)
