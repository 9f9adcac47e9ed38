"""What became of one post, for those who want to wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from .errors import ChannelClosed, HandedBack, PostRefused
from .events import Accepted, Closed, Event, Post, Reassigned, Refused


class Delivery:
    """A post in the outbox. It goes out by itself; waiting for it is optional."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self._outcome: Accepted | Exception | None = None
        self._settled = asyncio.Event()

    def __repr__(self) -> str:
        return f"Delivery({self.post!r})"

    @property
    def id(self) -> str:
        """The identity of the post, as in the events about it."""
        return self.post.id

    async def accepted(self) -> Accepted:
        """Wait until the relay has stored the post, however long that takes.

        Raises `PostRefused`, `HandedBack` (another party sits opposite) or `ChannelClosed`. A
        wait that is cancelled leaves the post in the outbox.
        """
        await self._settled.wait()
        if isinstance(self._outcome, Accepted):
            return self._outcome
        assert self._outcome is not None
        raise self._outcome

    def settle(self, outcome: Accepted | Exception) -> None:
        self._outcome = outcome
        self._settled.set()


class Deliveries:
    """The posts of this run that have no outcome yet."""

    def __init__(self) -> None:
        self._open: dict[str, Delivery] = {}

    def add(self, post: Post) -> Delivery:
        delivery = self._open[post.id] = Delivery(post)
        return delivery

    def discard(self, post_id: str) -> None:
        self._open.pop(post_id, None)

    def settle(self, event: Event) -> None:
        """Give each post that `event` decides its outcome."""
        match event:
            case Accepted():
                self._settle([event.id], event)
            case Refused():
                refused = PostRefused(event.id, event.code, event.message, event.findings)
                self._settle([event.id], refused)
            case Reassigned():
                for post in event.undelivered:
                    self._settle([post.id], HandedBack(post.id))
            case Closed():
                self._settle(list(self._open), ChannelClosed(event))

    def fail(self, error: Exception) -> None:
        """End every wait with `error`."""
        self._settle(list(self._open), error)

    def _settle(self, ids: Iterable[str], outcome: Accepted | Exception) -> None:
        for post_id in ids:
            delivery = self._open.pop(post_id, None)
            if delivery is not None:
                delivery.settle(outcome)
