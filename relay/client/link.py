"""Keeps a conversation connected: sockets, waiting, and when to give up."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import Callable
from typing import Protocol

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, WebSocketException

from ..core.codes import CloseCode
from ..core.session import RemoteProtocolError
from .backoff import STEADY_S, reconnect_delay_s
from .connection import NO_CLOSE_FRAME, Ending, Token
from .conversation import Conversation
from .events import ChannelState, ConnectionChanged, Event
from .frames import BadFrame, decode, pack
from .ledger import WrongTrip
from .wire import CLOSE_TIMEOUT_S, open_socket


class Owner(Protocol):
    """Whom the link works for."""

    def tell(self, event: Event) -> None:
        """Queue an event for the application."""

    async def has_room(self) -> None:
        """Wait while too many events are queued."""

    async def save(self) -> None:
        """Bring the state into the storage, if that can be done."""


class Link:
    """Opens one connection after the other until the conversation is over."""

    def __init__(
        self,
        url: str,
        token: Token,
        conversation: Conversation,
        owner: Owner,
        *,
        app: str,
        tls: ssl.SSLContext | None,
        rng: Callable[[], float],
    ) -> None:
        self._url = url
        self._token = token
        self._conversation = conversation
        self._owner = owner
        self._app = app
        self._tls = tls
        self._rng = rng
        self._socket: ClientConnection | None = None
        self._attached_s: float | None = None
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look again for something to save or to send."""
        self._wake.set()

    async def run(self) -> None:
        """Work until the channel is over for this app."""
        async with asyncio.TaskGroup() as group:
            pump = group.create_task(self._pump())
            await self._reconnect()
            pump.cancel()

    async def send_signals(self) -> None:
        """Send the last receipts before leaving, if there is a connection to take them."""
        if self._socket is not None:
            with contextlib.suppress(ConnectionClosed, TimeoutError):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    for frame in self._conversation.signals(_now_s()):
                        await self._socket.send(pack(frame))

    # --- one connection after the other ---------------------------------------------------------

    async def _reconnect(self) -> None:
        tries = 0
        while True:
            self._owner.tell(ConnectionChanged(ChannelState.CONNECTING))
            self._attached_s = None
            ending = await self._one_connection()
            self._conversation.dropped()
            if self._conversation.is_over:
                return
            if ending.code == CloseCode.TOKEN_EXPIRED and self._token.can_renew:
                self._token.expire()
            elif ending.is_final or ending.code == CloseCode.TOKEN_EXPIRED:
                code = None if ending.code == NO_CLOSE_FRAME else ending.code
                self._owner.tell(self._conversation.stop(ending.reason, code))
                return
            if self._attached_s is not None and _now_s() - self._attached_s >= STEADY_S:
                tries = 0
            delay_s = ending.at_least_s + reconnect_delay_s(tries, ending.advised_ms, self._rng)
            tries += 1
            self._owner.tell(ConnectionChanged(ChannelState.SUSPENDED, delay_s, ending.cause))
            await asyncio.sleep(delay_s)

    async def _one_connection(self) -> Ending:
        try:
            token = await self._token.value()
        except Exception as error:  # noqa: BLE001 - the application's code; its words may be secret
            return Ending.broken(f"no token ({type(error).__name__})")
        try:
            socket = await open_socket(self._url, self._tls)
        except (OSError, WebSocketException) as error:
            return Ending.of(error)
        try:
            frame = self._conversation.connect(time.time_ns() // 1_000_000, _now_s(), self._app)
            await self._owner.save()
            await socket.send(pack({**frame, "token": token}))
            self._socket = socket
            self._wake.set()
            return await self._read(socket)
        except WrongTrip:
            self._owner.tell(self._conversation.stop("wrong_trip", None))
            return Ending.broken("the storage belongs to another trip")
        except ConnectionClosed as error:
            return Ending.of(error)
        except (BadFrame, RemoteProtocolError) as error:
            await socket.close(CloseCode.PROTOCOL_ERROR)
            return Ending.broken(f"the relay broke the protocol: {error}")
        finally:
            self._socket = None
            await socket.close()

    async def _read(self, socket: ClientConnection) -> Ending:
        was_attached = was_live = False
        while not self._conversation.is_over:
            await self._owner.has_room()
            data = await socket.recv()
            for event in self._conversation.receive(decode(data), _now_s()):
                self._owner.tell(event)
            if self._conversation.is_attached and not was_attached:
                was_attached = True
                self._attached_s = _now_s()
                self._owner.tell(ConnectionChanged(ChannelState.RESUMING))
            if self._conversation.is_live and not was_live:
                was_live = True
                self._owner.tell(ConnectionChanged(ChannelState.ATTACHED))
            self._wake.set()
        return Ending.broken("the channel closed")

    # --- what goes out --------------------------------------------------------------------------

    async def _pump(self) -> None:
        """Save, then send, whatever there is; whenever something happened or its time has come."""
        while True:
            self._wake.clear()
            await self._owner.save()
            await self._send_due()
            at_s = self._conversation.due_at_s() if self._socket is not None else None
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if at_s is None else max(0.0, at_s - _now_s())):
                    await self._wake.wait()

    async def _send_due(self) -> None:
        socket = self._socket
        if socket is None:
            return
        try:
            for frame in self._conversation.due(_now_s()):
                await socket.send(pack(frame))
            if not self._conversation.is_stalled(_now_s()):
                return
            await socket.close()
        except ConnectionClosed:
            pass
        # What is left is the reader's affair: there may be more to read, the reason among it.
        if self._socket is socket:
            self._socket = None


def _now_s() -> float:
    return asyncio.get_running_loop().time()
