"""Reading a channel's events in tests."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from relay.client import Channel, ChannelState, ConnectionChanged, Event, Message

E = TypeVar("E")


async def until(
    channel: Channel,
    kind: type[E],
    condition: Callable[[E], object] = lambda _: True,
    limit_s: float = 5,
) -> E:
    """Take events up to the first one of `kind` that fits."""
    async with asyncio.timeout(limit_s):
        async for event in channel:
            if isinstance(event, kind) and condition(event):
                return event
    raise AssertionError(f"the channel ended without {kind.__name__}")


async def attached(channel: Channel) -> None:
    await until(channel, ConnectionChanged, lambda e: e.state is ChannelState.ATTACHED)


async def texts(channel: Channel, count: int, limit_s: float = 5) -> list[str]:
    """The texts of the next `count` messages."""
    found: list[str] = []
    while len(found) < count:
        found.append((await until(channel, Message, limit_s=limit_s)).text)
    return found


class _Crash(Exception):
    """The application dies."""


async def crash_after(channel: Channel, work: Callable[[Channel], Awaitable[object]]) -> None:
    """Use a channel for `work`, then leave it by an exception."""
    try:
        async with channel:
            await work(channel)
            raise _Crash
    except _Crash:
        pass


async def nothing_more(channel: Channel, wait_s: float = 0.15) -> list[Event]:
    """What else comes within a short time. Use it only to show that something does not come."""
    events: list[Event] = []
    try:
        async with asyncio.timeout(wait_s):
            async for event in channel:
                events.append(event)  # noqa: PERF401 - what came before the time is up counts
    except TimeoutError:
        pass
    return events


def kinds(events: list[Any]) -> list[str]:
    return [type(event).__name__ for event in events]
