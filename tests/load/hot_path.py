"""What a message costs the relay's own code: no socket, no store, no other process in the figure.

    python -m tests.load.hot_path [plain|mixed] [ROUNDS]

Posts go into the gateway as frames, the store's answers into its pipe as bytes, and what it writes
is counted and thrown away. Prints the least and the median microseconds of processor time for a
message that is posted, stored, acknowledged, delivered and confirmed. The least of many rounds says
what the code costs, whatever else this machine is doing; kernel and store come on top.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import sys
import time
from typing import Any

import msgspec
import uvloop
from picows import WSMsgType
from picows.picows import _make_test_ws_frame

from relay.core.bucket import Bucket
from relay.core.frames import FROM_APP_MSGPACK, TO_APP_MSGPACK
from relay.core.ids import Role
from relay.gateway.channel import Channel
from relay.gateway.connection import Connection
from relay.gateway.gateway import Gateway
from relay.gateway.limits import Limits
from relay.guard.guard import Guard
from relay.guard.policy import Policy
from relay.live_ring import LiveRing
from relay.store.durability import MEMORY
from relay.store.pipe import Line, Pipe
from relay.store.records import position
from relay.store.store import Store
from relay.trip_guard import TripGuard
from relay.vault.envelope import DataKey
from relay.vault.ring import KeyRing
from tests.guard.speed import mixed_stream

_TRIPS = 50
_EACH = 4
PLAIN = [
    "Pak, saya tunggu di depan lobby ya",
    "baik pak",
    "oke saya sudah di lokasi",
    "sebentar ya, masih macet",
]
_encode = msgspec.msgpack.encode


class Sink:
    """Where bytes go: a socket that takes everything."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.underlying_transport = self
        self.is_close_frame_sent = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def send(self, _: WSMsgType, data: bytes) -> None:
        self.written.append(data)

    def set_write_buffer_limits(self, **_: int) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


class PromptLine(Line):
    """A connection that has always just been answered, however long a round takes."""

    @property  # type: ignore[override]
    def confirmed_s(self) -> float:
        return float("inf")

    @confirmed_s.setter
    def confirmed_s(self, _: float) -> None: ...


class OnePipe(Pipe):
    """A pipe whose store answers when it is told to."""

    def __init__(self) -> None:
        self.line = PromptLine(lambda: None, MEMORY)
        self.sink = Sink()
        self.line.connection_made(self.sink)  # type: ignore[arg-type]

    connected = True
    confirmed_s = 0.0

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def slot_of(self, key: str) -> int:
        return 0

    def line_at(self, slot: int) -> Line:
        return self.line

    def call_each(self, packed: bytes) -> list[asyncio.Future[Any]]:
        return []

    def send(
        self, packed: bytes, callback: Any = None, skip: int = 0, *, firm: bool = False
    ) -> None:
        self.line.send(packed, callback or (lambda _: None), skip, firm)


class Nowhere:
    """A store that has nothing to listen to."""

    def subscriber(self, **_: Any) -> None: ...


class OpenDoor:
    """A socket that was let in."""

    address = "127.0.0.1"


class Bench:
    def __init__(self, texts: list[str]) -> None:
        ring = KeyRing().extended(int(time.time() * 1000), 86_400_000, os.urandom)
        self.pipe = OnePipe()
        limits = Limits(posts_per_s=1e6, frames_per_s=1e6, channel_messages=10**9, in_flight=64)
        self.gateway = Gateway(
            "bench",
            Store(self.pipe),
            Nowhere(),
            LiveRing(ring, "a benchmark"),
            limits,  # type: ignore[arg-type]
        )
        node = self.gateway.node
        node.set_clock(node.loop.time(), time.time() * 1000)
        node.look_at_keys()
        self.texts = itertools.cycle(texts)
        self.pairs: list[tuple[Connection, Connection]] = []
        self.lengths: dict[int, int] = {}
        self.ms = int(time.time() * 1000)
        for number in range(_TRIPS):
            lease = node.lease(f"trip-{number}")
            channel = Channel(
                f"trip-{number}", 1, "open", self.ms + 10**9, DataKey(os.urandom(32)),
                "", lease,
            )  # fmt: skip
            screening = channel.screening
            guard = Guard("ID", ("6281234567890", "6285711122233"), (), Policy())
            screening.trip_guard = TripGuard(guard, 0, (), {})
            screening._is_behind = False
            node.channels[channel.trip] = channel
            both = []
            for role in Role:
                connection = Connection(
                    self.gateway, f"{number}{role}", FROM_APP_MSGPACK, TO_APP_MSGPACK,
                    Bucket(1e6, 1e6, 0), 1e9, OpenDoor(),  # type: ignore[arg-type]
                )  # fmt: skip
                connection.on_ws_connected(Sink())  # type: ignore[arg-type]
                for op in ("attach",):
                    connection.session.receive(op)
                for op in ("attached", "replayed"):
                    connection.session.send(op)
                connection.channel, connection.role, connection.locale = channel, role, "id"
                connection.line = self.pipe.line
                connection.replayed = True
                channel.connections[role] = connection
                connection.pace = Bucket(1e6, 1e6, 0)
                both.append(connection)
            self.pairs.append((both[0], both[1]))
        self.n = [0] * _TRIPS
        self.ids = itertools.count(1)

    async def round(self) -> float:
        """Posts of all, answers of the store, confirmations of all; CPU us a message."""
        posts = [
            (number, side, _encode({"op": "post", "id": str(next(self.ids)), "text": next(self.texts), "epoch": 1}))
            for _ in range(_EACH)
            for number in range(_TRIPS)
            for side in (0, 1)
        ]  # fmt: skip
        frames = [
            (self.pairs[n][s], _make_test_ws_frame(WSMsgType.BINARY, body, True, False))
            for n, s, body in posts
        ]
        began = time.thread_time()
        for connection, frame in frames:
            connection.on_ws_frame(connection._transport, frame)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        spent = time.thread_time() - began
        while self.pipe.line._waiting:  # some posts wait until one before them is answered
            reply = self._answers()
            began = time.thread_time()
            self.pipe.line.data_received(reply)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            spent += time.thread_time() - began
        gots = [
            (c, _make_test_ws_frame(WSMsgType.BINARY, _encode({"op": "got", "pos": position(c.head)}), True, False))
            for pair in self.pairs
            for _ in range(_EACH)
            for c in pair
        ]  # fmt: skip
        began = time.thread_time()
        for connection, frame in gots:
            connection.on_ws_frame(connection._transport, frame)
        spent += time.thread_time() - began
        self.gateway.node.receipts.clear()
        frames_out = 0
        for pair in self.pairs:
            for c in pair:
                c.flush()
                frames_out += len(c._transport.written)  # type: ignore[union-attr]
                c._transport.written.clear()  # type: ignore[union-attr]
        counts = self.gateway.node.counts
        assert counts.delivered == counts.accepted, (counts.delivered, counts.accepted)
        return spent / len(posts) * 1e6

    def _answers(self) -> bytes:
        """As a store answers what was written; commands are recognised by what they hold."""
        out = []
        for _, callback in self.pipe.line._waiting:
            post = getattr(callback, "__self__", None)
            if post is None:
                out.append(b"*0\r\n")
                continue
            number = int(post.channel.trip.partition("-")[2])
            self.n[number] += 1
            self.ms += 1
            entry, n, deadline = f"{self.ms}-0", self.n[number], str(post.channel.deadline)
            if callback.__name__ == "stored":
                out.append(
                    f"+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n*3\r\n${len(entry)}\r\n{entry}\r\n:{n}\r\n"
                    f"*2\r\n${len(deadline)}\r\n{deadline}\r\n$-1\r\n".encode()
                )
            else:
                out.append(
                    f"*4\r\n$2\r\nok\r\n${len(entry)}\r\n{entry}\r\n:{n}\r\n$-1\r\n".encode()
                )
        self.pipe.sink.written.clear()
        return b"".join(out)


async def main(kind: str, rounds: int) -> None:
    bench = Bench(PLAIN if kind == "plain" else list(mixed_stream(20_000)))
    for _ in range(5):
        await bench.round()
    costs = [await bench.round() for _ in range(rounds)]
    counts = bench.gateway.node.counts
    print(
        f"{kind}: {min(costs):.1f} us least, {statistics.median(costs):.1f} median; "
        f"accepted {counts.accepted}, refused {sum(counts.refused.values())}, unsure {counts.unsure}"
    )


if __name__ == "__main__":
    arguments = [*sys.argv[1:], "mixed", "40"]
    if sys.argv[1:2] in (["plain"], ["mixed"]):
        arguments = [*sys.argv[1:], "40"]
    uvloop.run(main(arguments[0], int(arguments[1])))
