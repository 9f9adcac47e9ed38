"""A party on the bare wire: frames as PROTOCOL.md tells them, on an independent WebSocket library."""

from __future__ import annotations

import asyncio
import itertools
import json
import socket
from typing import Any

import msgpack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, WebSocketException

from relay.rig.waiting import until

#: Every connection of the running test.
PARTIES: list[Party] = []

MSGPACK, JSON = "relay.v1.msgpack", "relay.v1.json"


#: How long to wait where it is not the time that is tested: a busy machine stands still for seconds.
PATIENCE_S = 15.0


class WasCutOff(AssertionError):
    """The connection ended before the frame came that was waited for."""


class Party:
    """One connection. Everything that came is in `heard`, in order."""

    def __init__(self, connection: ClientConnection, protocol: str) -> None:
        self.socket = connection
        self._binary = protocol == MSGPACK
        self.heard: list[dict[str, Any]] = []
        self.attached: dict[str, Any] = {}
        self.epoch = 1
        self._news = asyncio.Event()
        self._taken = 0
        self._ids = itertools.count(1)
        self._reading = asyncio.create_task(self._read())
        self.close_code: int | None = None
        self.close_reason = ""
        PARTIES.append(self)

    @classmethod
    async def connect(
        cls, url: str, protocol: str = MSGPACK, *, receive_bytes: int | None = None
    ) -> Party:
        """Connect; `receive_bytes` is how much the system may take in for an app that does not read."""
        options: dict[str, Any] = {}
        if receive_bytes is not None:
            host, _, port = url[5:].partition("/")[0].rpartition(":")
            options["sock"] = raw = socket.socket()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
            raw.connect((host, int(port)))
        found = await connect(
            url,
            subprotocols=[protocol],
            proxy=None,
            compression=None,
            max_size=2**22,
            **options,  # type: ignore[list-item]
        )
        return cls(found, protocol)

    @classmethod
    async def attach(
        cls,
        url: str,
        token: str,
        protocol: str = MSGPACK,
        *,
        receive_bytes: int | None = None,
        **fields: Any,
    ) -> Party:
        """Connect and attach; give the party when everything missed has been replayed."""
        party = await cls.connect(url, protocol, receive_bytes=receive_bytes)
        await party.say("attach", token=token, **fields)
        party.attached = await party.hear("attached")
        await party.hear("replayed")
        return party

    @classmethod
    async def come_back(cls, url: str, token: str, within_s: float = 20.0) -> Party:
        """Attach where a worker or the store was killed a moment ago: try until it is there again."""

        async def tried() -> Party | None:
            try:
                return await cls.attach(url, token)
            except (OSError, WebSocketException, WasCutOff):
                return None

        found: Party = await until(tried, "attached again", within_s)
        return found

    async def _read(self) -> None:
        try:
            async for data in self.socket:
                frame = msgpack.unpackb(data) if self._binary else json.loads(data)
                self.epoch = frame.get("epoch", self.epoch)
                self.heard.append(frame)
                self._news.set()
        except ConnectionClosed:
            pass
        self.close_code = self.socket.close_code
        self.close_reason = self.socket.close_reason or ""
        self._news.set()

    async def say(self, op: str, **fields: Any) -> None:
        frame = {"op": op, **fields}
        await self.socket.send(msgpack.packb(frame) if self._binary else json.dumps(frame))

    async def hear(self, op: str, within_s: float = PATIENCE_S, **fields: Any) -> dict[str, Any]:
        """The next frame with this op and these fields; what comes before it stays in `heard`."""
        async with asyncio.timeout(within_s):
            while True:
                while self._taken < len(self.heard):
                    frame = self.heard[self._taken]
                    self._taken += 1
                    if frame["op"] == op and all(frame.get(k) == v for k, v in fields.items()):
                        return frame
                if self._reading.done():
                    raise WasCutOff(f"closed with {self.close_code} before {op}: {self.heard[-3:]}")
                self._news.clear()
                await self._news.wait()

    async def post(self, text: str, **fields: Any) -> str:
        """Post without waiting; give the id."""
        name = fields.pop("id", None) or f"m{next(self._ids)}"
        fields.setdefault("epoch", self.epoch)
        await self.say("post", id=name, text=text, **fields)
        return name

    async def accepted(self, text: str, **fields: Any) -> dict[str, Any]:
        """Post and wait for the acceptance."""
        try:
            post_id = await self.post(text, **fields)
        except ConnectionClosed:
            code = await self.closed()
            raise WasCutOff(f"closed with {code} before a post: {self.heard[-3:]}") from None
        return await self.hear("accepted", id=post_id)

    def all(self, op: str) -> list[dict[str, Any]]:
        return [frame for frame in self.heard if frame["op"] == op]

    def texts(self) -> list[str]:
        """Texts of the messages that came, in order."""
        return [frame["text"] for frame in self.all("message")]

    async def closed(self, within_s: float = PATIENCE_S) -> int:
        """Wait for the end of the connection; give its code."""
        async with asyncio.timeout(within_s):
            await asyncio.shield(self._reading)
        assert self.close_code is not None
        return self.close_code

    async def drop(self) -> None:
        """Vanish without a word, as a phone in a tunnel does, but so that the relay is told."""
        self.socket.transport.abort()
        await asyncio.wait([self._reading])

    async def leave(self) -> None:
        await self.socket.close()
        await asyncio.wait([self._reading])
