"""The platform's events: read, then acknowledged, and so each is seen at least once."""

from __future__ import annotations

from typing import Final

from ..store.events import Events
from .auth import KeyScope
from .calls import Answer, Asked, Call
from .types import AcknowledgeEvents, EventList, EventsAcknowledged, EventsQuery

_PLATFORM: Final = frozenset({KeyScope.PLATFORM})


class PlatformEvents:
    """The calls under `/v1/events`."""

    def __init__(self, events: Events) -> None:
        self._events = events

    def calls(self) -> list[Call]:
        """Every call of this module."""
        return [
            Call(
                "GET", "/v1/events", "listEvents", "Read what has happened", self.list_waiting,
                {200: EventList},
                "The oldest first. An event comes again in every answer until it is acknowledged, "
                "so note it before you acknowledge it. One that nobody acknowledges is lost after "
                "thirty days, or when some ten thousand wait for one 256th of the trips.",
                _PLATFORM, query=EventsQuery,
            ),
            Call(
                "POST", "/v1/events/ack", "acknowledgeEvents", "Say which events have arrived",
                self.acknowledge, {200: EventsAcknowledged},
                "They are deleted. Ids that are not known, or not any more, are passed over.",
                _PLATFORM, AcknowledgeEvents,
            ),
        ]  # fmt: skip

    async def list_waiting(self, asked: Asked[None]) -> Answer:
        page = await self._events.waiting(asked.query.limit)
        return Answer(200, EventList(page.events, page.more))

    async def acknowledge(self, asked: Asked[AcknowledgeEvents]) -> Answer:
        return Answer(200, EventsAcknowledged(await self._events.acknowledge(asked.body.ids)))
