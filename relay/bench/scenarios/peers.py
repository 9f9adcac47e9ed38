"""The closed loop on peers: others' servers that do the same work, in their own protocols.

The texts, the number of trips and the posts in flight are those of the relay's closed loop. What
peers do not have, such as a receipt for each delivery, is not asked of them.
"""

from __future__ import annotations

import asyncio
import time
from abc import abstractmethod
from functools import partial
from typing import Any, Final

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from ..load import OPENING, SETTLE_S, Load, until
from ..trips import each

_BINARY: Final = WSMsgType.BINARY
_TEXT: Final = WSMsgType.TEXT
_now = time.monotonic

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode
_to_json = msgspec.json.Encoder().encode
_from_json = msgspec.json.Decoder().decode


class PeerParty(WSListener):
    """A client of a peer."""

    def __init__(self, load: PeerLoad) -> None:
        self._load = load
        self.transport: WSTransport | None = None
        self.number = 0
        self.is_ready = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def post(self) -> None:
        """Post the next message, with the moment in it."""
        self.number += 1
        assert self.transport is not None
        self.say(self.transport, self.number, self._load.text().text)

    def accepted(self) -> None:
        self._load.tally.accepted += 1
        if not self._load.stop.is_set():
            self.post()

    def delivered(self, posted_s: float) -> None:
        tally = self._load.tally
        tally.delivered += 1
        tally.delivery.add(_now() - posted_s)

    def wrong(self) -> None:
        self._load.tally.counts["failed to be understood"] += 1

    @abstractmethod
    def say(self, transport: WSTransport, number: int, text: str) -> None:
        """Send a post."""


class SocketIoParty(PeerParty):
    """Socket.IO 4 (Engine.IO 4) on a WebSocket, with an acknowledgement for each post."""

    def say(self, transport: WSTransport, number: int, text: str) -> None:
        body = _to_json(["post", {"c": number, "t": text, "ts": _now()}])
        transport.send(_TEXT, b"42%d%b" % (number, body))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not _TEXT:
            return
        data = frame.get_payload_as_bytes()
        kind = data[:2]
        if kind == b"42":
            self.delivered(_from_json(data[2:])[1]["m"]["ts"])
        elif kind == b"43":
            self.accepted()
        elif kind == b"40":
            self.is_ready = True
        elif kind[:1] == b"0":
            transport.send(_TEXT, b"40")
        elif kind[:1] == b"2":
            transport.send(_TEXT, b"3")
        else:
            self.wrong()


class StarletteParty(PeerParty):
    """Frames of the plain Starlette relay: MessagePack arrays."""

    def on_ws_connected(self, transport: WSTransport) -> None:
        super().on_ws_connected(transport)
        self.is_ready = True

    def say(self, transport: WSTransport, number: int, text: str) -> None:
        transport.send(_BINARY, _pack((1, number, text, _now())))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type is not _BINARY:
            return
        said: Any = _unpack(frame.get_payload_as_memoryview())
        if said[0] == 2:
            self.accepted()
        elif said[0] == 3:
            self.delivered(said[3])
        else:
            self.wrong()


class PeerLoad(Load):
    """`trips` trips, `in_flight` unanswered posts of each party, on a peer."""

    #: Where a party of a trip connects to, after the server's address.
    path: str
    party: type[PeerParty]

    async def prepare(self) -> None:
        self._parties: list[PeerParty] = []
        count = self.plan.share(self.option("trips"))

        async def one(number: int) -> None:
            for role in ("d", "c"):
                trip = number * self.plan.parts + self.plan.part
                url = f"{self.plan.gateway_urls[0]}{self.path.format(trip=trip, role=role)}"
                _, party = await ws_connect(partial(self.party, self), url)
                assert isinstance(party, PeerParty)
                self._parties.append(party)
            self.told(OPENING, len(self._parties) / (2 * count))

        await each(range(count), one)
        if not await until(lambda: all(party.is_ready for party in self._parties), SETTLE_S):
            raise TimeoutError("the peer did not let all parties in")
        # Its subscriptions come into force in their own time.
        await asyncio.sleep(0.5)

    async def run(self) -> None:
        for party in self._parties:
            for _ in range(self.option("in_flight")):
                party.post()
        await self.stop.wait()

    async def settle(self) -> None:
        for party in self._parties:
            if party.transport is not None:
                party.transport.disconnect()


class SocketIo(PeerLoad):
    """Socket.IO on Node."""

    path = "/socket.io/?EIO=4&transport=websocket&trip={trip}&role={role}"
    party = SocketIoParty


class Starlette(PeerLoad):
    """A plain relay on Starlette and redis-py."""

    path = "/{trip}/{role}"
    party = StarletteParty
