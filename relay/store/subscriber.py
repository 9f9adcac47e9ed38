"""The store's pub/sub as a stream of hints.

What it brings may be lost, so nothing depends on it but speed. That it is alive is proven by what
the node itself publishes to `probes`, again and again: a subscription that does not bring it back
within `deaf_after_s` is deaf and is made anew (a hung server raises nothing by itself).
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Final, cast

import hiredis
import structlog

from .endpoint import Endpoint, connect, pack

log = structlog.get_logger(__name__)

_CONNECT_TIMEOUT_S: Final = 2.0
_RETRY_S: Final = 0.2


class _Ear(asyncio.Protocol):
    def __init__(self, on_message: Callable[[bytes, bytes], None]) -> None:
        self._on_message = on_message
        self._reader = hiredis.Reader()
        self._loop = asyncio.get_running_loop()
        self.transport: asyncio.Transport | None = None
        self.lost = asyncio.Event()
        self.subscribed = 0
        self.heard_at_s = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self.heard_at_s = self._loop.time()
        try:
            self._reader.feed(data)
            while (push := self._reader.gets()) is not False:
                self._take(push)
        except hiredis.ProtocolError:
            self.abort()

    def _take(self, push: Any) -> None:
        if isinstance(push, hiredis.ReplyError):
            log.error("subscription_refused", kind=str(push).partition(" ")[0])
            self.abort()
        elif isinstance(push, list) and push[0] == b"smessage":
            try:
                self._on_message(push[1], push[2])
            except Exception:
                log.exception("a hint could not be taken")
        elif isinstance(push, list) and push[0] == b"ssubscribe":
            self.subscribed += 1
        elif isinstance(push, list) and push[0] == b"sunsubscribe":
            self.abort()  # the channel's slot went to another server of the cluster

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()

    def abort(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class Subscriber(ABC):
    """Listens to channels for ever. `on_gap` is called after each new subscription: whatever was
    published before it may have been missed."""

    @property
    @abstractmethod
    def listening(self) -> bool:
        """Whether all subscriptions are in place."""

    @property
    @abstractmethod
    def probes(self) -> list[str]:
        """The channels on which the node has to publish something again and again."""

    @abstractmethod
    async def start(self) -> None:
        """Begin to listen; the first subscription is in place when this returns.

        Raises `OSError` or `TimeoutError`."""

    @abstractmethod
    async def stop(self) -> None:
        """Listen no more."""


class ServerSubscriber(Subscriber):
    """A subscription at one server, to `channels` and the `probe`. `on_lost` is called whenever
    there is none."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        name: str,
        channels: Sequence[str],
        probe: str,
        deaf_after_s: float,
        on_message: Callable[[bytes, bytes], None],
        on_gap: Callable[[], None],
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._endpoint = endpoint
        self._name = name
        self.channels = [*channels, probe]
        self._deaf_after_s = deaf_after_s
        self._on_message = on_message
        self._on_gap = on_gap
        self._on_lost = on_lost
        self._ear: _Ear | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def listening(self) -> bool:
        ear = self._ear
        return ear is not None and not ear.lost.is_set()

    @property
    def probes(self) -> list[str]:
        return self.channels[-1:]

    async def start(self) -> None:
        self._ear = await self._subscribe()
        self._on_gap()
        self.start_soon()

    def start_soon(self) -> None:
        """Begin to listen when it is possible."""
        self._task = asyncio.create_task(self._stay_subscribed(), name="store-subscriber")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._ear is not None:
            self._ear.abort()

    async def _subscribe(self) -> _Ear:
        ear = await connect(self._endpoint, lambda: _Ear(self._on_message), _CONNECT_TIMEOUT_S)
        assert ear.transport is not None
        try:
            for command in self._endpoint.greeting(self._name):
                ear.transport.write(pack(*command))
            for channel in self.channels:  # one each: in a cluster they are of different slots
                ear.transport.write(pack("SSUBSCRIBE", channel))
            async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                while ear.subscribed < len(self.channels):
                    if ear.lost.is_set():
                        raise ConnectionResetError
                    await asyncio.sleep(0.005)
        except BaseException:
            ear.abort()
            raise
        return ear

    async def _stay_subscribed(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            ear = self._ear
            if ear is None:
                self._on_lost()
                try:
                    self._ear = await self._subscribe()
                except (OSError, TimeoutError):
                    await asyncio.sleep(_RETRY_S)
                    continue
                log.info("subscription_back")
                self._on_gap()
                continue
            try:
                async with asyncio.timeout(self._deaf_after_s / 4):
                    await ear.lost.wait()
                self._ear = None
            except TimeoutError:
                if loop.time() - ear.heard_at_s > self._deaf_after_s:
                    log.warning("subscription_deaf")
                    ear.abort()
                    self._ear = None
