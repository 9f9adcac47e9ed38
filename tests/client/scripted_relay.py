"""A small relay on real sockets: `RelayModel` behind `websockets`, told where to go wrong."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import msgpack
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.client.relay_model import PEER_OF, End, Frame, RelayModel

SUBPROTOCOL = Subprotocol("relay.v1.msgpack")
TOKENS = {
    "token-of-the-driver-5c8d": "driver",
    "token-of-the-customer-91ab": "customer",
    "second-token-of-the-driver-77": "driver",
}


class Caller:
    """One connection. A fault gets it, and the frame that set it off."""

    def __init__(self, relay: "ScriptedRelay", socket: ServerConnection) -> None:
        self.relay = relay
        self.socket = socket
        self.end = End(on_out=self._has_out)
        self._out = asyncio.Event()

    def _has_out(self) -> None:
        self._out.set()

    async def flush(self) -> None:
        while self.end.out:
            await self.socket.send(msgpack.packb(self.end.out.popleft()))

    async def write(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self._out.wait()
                self._out.clear()
                await self.flush()

    async def say(self, frame: Frame) -> None:
        await self.flush()
        await self.socket.send(msgpack.packb(frame))

    async def close(self, code: int, reason: str = "") -> None:
        self.relay.model.leave(self.end)
        await self.socket.close(code, reason)

    def drop(self) -> None:
        """Cut the connection without a close frame."""
        self.relay.model.leave(self.end)
        self.socket.transport.abort()


Fault = Callable[[Caller, Frame], Awaitable[object]]


@dataclass
class ScriptedRelay:
    """`heard` are the frames of all apps, in order; tokens are taken out of them."""

    model: RelayModel = field(default_factory=RelayModel)
    heard: list[Frame] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    codes: list[int | None] = field(default_factory=list)
    callers: dict[str, Caller] = field(default_factory=dict)
    url: str = ""
    _faults: list[tuple[str, Fault]] = field(default_factory=list)
    _server: Server | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def on(self, op: str, *faults: Fault) -> None:
        """Let the next frames of `op` meet these faults, one each, instead of being served."""
        self._faults += [(op, fault) for fault in faults]

    async def start(self, port: int = 0) -> None:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            port,
            subprotocols=[SUBPROTOCOL],
            compression=None,
            ping_interval=None,
            close_timeout=1,
            max_size=16_384,
        )
        port = self._server.sockets[0].getsockname()[1]
        self.url = f"ws://127.0.0.1:{port}/v1/channel"

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def until(self, condition: Callable[[], object], limit_s: float = 5) -> None:
        """Wait until `condition`, which is looked at again whenever something was heard."""
        async with asyncio.timeout(limit_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def said(self, op: str) -> list[Frame]:
        return [frame for frame in self.heard if frame["op"] == op]

    async def close_channel(self, reason: str) -> None:
        self.model.close(reason)
        for caller in tuple(self.callers.values()):
            await caller.flush()
            await caller.close(4500, "channel_closed")

    async def _serve(self, socket: ServerConnection) -> None:
        caller = Caller(self, socket)
        writer = asyncio.create_task(caller.write())
        try:
            async for data in socket:
                await self._take(caller, msgpack.unpackb(data))
        except ConnectionClosed:
            pass
        finally:
            writer.cancel()
            self.model.leave(caller.end)
            self.codes.append(
                socket.protocol.close_rcvd.code if socket.protocol.close_rcvd else None
            )
            for role, other in tuple(self.callers.items()):
                if other is caller:
                    del self.callers[role]
            self._changed.set()

    async def _take(self, caller: Caller, frame: Frame) -> None:
        token = frame.pop("token", None)
        self.heard.append(frame)
        if token is not None:
            self.tokens.append(token)
        self._changed.set()
        for index, (op, fault) in enumerate(self._faults):
            if op == frame["op"]:
                del self._faults[index]
                if frame["op"] == "attach":
                    caller.end.role = TOKENS[token]
                await fault(caller, frame)
                return
        await self.serve(caller, frame, token)

    @staticmethod
    async def serve_next(caller: Caller, frame: Frame) -> None:
        """No fault."""
        await caller.relay.serve(caller, frame)

    async def serve(self, caller: Caller, frame: Frame, token: str | None = None) -> None:
        """Do what a relay in good health does."""
        if frame["op"] != "attach":
            self.model.take(caller.end, frame)
            return
        role = caller.end.role or TOKENS.get(token or "")
        if role is None:
            await caller.close(4503, "bad_token")
            return
        older = self.callers.get(role)
        if older is not None:
            await older.close(4501, "taken_over")
        self.callers[role] = caller
        self.model.attach(caller.end, role, frame)
        self._changed.set()
        if self.model.closed is not None:
            await caller.flush()
            await caller.close(4500, "channel_closed")


@contextlib.asynccontextmanager
async def running() -> AsyncIterator[ScriptedRelay]:
    relay = ScriptedRelay()
    await relay.start()
    try:
        yield relay
    finally:
        await relay.stop()


# --- faults -----------------------------------------------------------------------------------


async def drop(caller: Caller, _frame: Frame) -> None:
    """The frame does not arrive."""
    caller.drop()


async def store_and_drop(caller: Caller, frame: Frame) -> None:
    """The frame is acted on, and the answer does not arrive."""
    role = caller.end.role
    assert role is not None
    caller.end.alive = False
    caller.relay.model.store(role, frame)
    caller.drop()


async def store_and_be_unsure(caller: Caller, frame: Frame) -> None:
    caller.relay.model.store(caller.end.role or "", frame)
    await caller.say({"op": "unsure", "id": frame["id"], "retry_after_ms": 60})


async def be_unsure(caller: Caller, frame: Frame) -> None:
    await caller.say({"op": "unsure", "id": frame["id"], "retry_after_ms": 60})


async def ignore(_caller: Caller, _frame: Frame) -> None:
    """Say nothing."""


def refuse(code: str, retry_after_ms: int = 0) -> Fault:
    async def fault(caller: Caller, frame: Frame) -> None:
        await caller.say(caller.relay.model.refused(frame, code, retry_after_ms))

    return fault


def close(code: int, reason: str = "") -> Fault:
    async def fault(caller: Caller, _frame: Frame) -> None:
        await caller.close(code, reason)

    return fault


def say(frame: Frame) -> Fault:
    async def fault(caller: Caller, _frame: Frame) -> None:
        await caller.say(frame)

    return fault


def slowly(delay_s: float) -> Fault:
    async def fault(caller: Caller, frame: Frame) -> None:
        await asyncio.sleep(delay_s)
        await caller.relay.serve(caller, frame)

    return fault


__all__ = ["PEER_OF", "TOKENS", "Caller", "ScriptedRelay", "running"]
