"""Between the question for a seat and its answer, and after a connection's end."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect

from relay.core.bucket import Bucket
from relay.core.frames import FROM_APP_JSON, TO_APP_JSON
from relay.gateway.admission import Admission
from relay.gateway.arrivals import Arrivals
from relay.gateway.connection import Connection, Gate
from relay.gateway.door import Door
from relay.gateway.gateway import Gateway
from relay.gateway.limits import Limits
from relay.gateway.listener import Listener
from relay.keyfile import KeyFile
from relay.live_ring import LiveRing
from relay.rig.waiting import until
from relay.settings import Settings
from relay.store.access import Access, pipe_to
from relay.store.endpoint import Endpoint
from relay.store.pipe import Callback, Pipe, ignore
from relay.store.scripts import ATTACH
from relay.store.store import Store
from tests.support.party import Party
from tests.support.relay import RelayProcess


def some_connections(count: int) -> list[Any]:
    return [object() for _ in range(count)]


def test_who_was_told_of_since_the_question_is_known() -> None:
    arrivals = Arrivals()
    early, late, other = some_connections(3)
    arrivals.add("t", early)
    arrivals.add("o", other)
    arrivals.news_of("t")
    arrivals.add("t", late)
    arrivals.news_of("unknown")
    assert [arrivals.remove("t", early), arrivals.remove("t", late)] == [True, False]
    assert arrivals.remove("o", other) is False
    # Who asks again begins anew.
    arrivals.add("t", early)
    assert arrivals.remove("t", early) is False


def test_news_that_may_have_been_lost_is_news_of_all() -> None:
    arrivals = Arrivals()
    arrivals.news_was_lost()
    one, other = some_connections(2)
    arrivals.add("t", one)
    arrivals.add("o", other)
    arrivals.news_was_lost()
    assert [arrivals.remove("t", one), arrivals.remove("o", other)] == [True, True]


class _Nobody(Gate):
    """A node that does nothing."""


async def test_a_connection_that_is_gone_is_freed_at_once() -> None:
    """Without the garbage collector, which would find thousands of them after a storm."""
    loop = asyncio.get_running_loop()
    there: list[weakref.ref[Connection]] = []

    def answer(_: Any, door: Door) -> Connection:
        bucket = Bucket(1.0, 1.0, 0.0)
        one = Connection(_Nobody(), "1", FROM_APP_JSON, TO_APP_JSON, bucket, 100.0, door)
        there.append(weakref.ref(one))
        return one

    listener = socket.create_server(("127.0.0.1", 0))
    admission = Admission(Limits(), loop.time())
    server = Listener(loop, listener, admission, answer)
    gc.disable()
    try:
        app = await connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
        assert there[0]() is not None
        app.transport.abort()
        await until(lambda: there[0]() is None, "the connection is freed")
    finally:
        gc.enable()
        server.close()


async def test_a_socket_that_is_turned_away_leaves_nothing_behind() -> None:
    """Neither in the book nor in the event loop, where the next one may have its number."""
    loop = asyncio.get_running_loop()
    limits = Limits(connections_per_s=1)
    admission = Admission(limits, loop.time())
    strangers = Listener(loop, address := socket.create_server(("127.0.0.1", 0)), admission, _never)
    other = await asyncio.start_server(_echo, "127.0.0.1", 0)
    apps = [
        socket.create_connection(address.getsockname()) for _ in range(2 * limits.strangers + 3)
    ]
    try:
        for app in apps[2 * limits.strangers :]:
            app.setblocking(False)
            assert await asyncio.wait_for(loop.sock_recv(app, 1), 5) == b""
        assert admission.strangers == 2 * limits.strangers
        for _ in range(3):
            name = other.sockets[0].getsockname()
            reader, writer = await asyncio.wait_for(asyncio.open_connection(*name), 5)
            writer.write(b"hello")
            assert await asyncio.wait_for(reader.read(5), 5) == b"hello"
            writer.close()
    finally:
        for app in apps:
            app.close()
        strangers.close()
        other.close()
    await until(lambda: admission.strangers == 0, "all are gone")


def _never(_: Any, __: Door) -> None:
    raise AssertionError


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(await reader.read(5))
    writer.close()


class _Late:
    """What the store answers to who asks for a seat, held back until it is let through."""

    def __init__(self, pipe: Pipe) -> None:
        self._send, self._is_held = pipe.send, True
        self.answers: list[Callable[[], None]] = []
        pipe.send = self.send  # type: ignore[method-assign]

    def send(
        self, packed: bytes, callback: Callback = ignore, skip: int = 0, *, firm: bool = False
    ) -> None:
        if self._is_held and ATTACH.sha.encode() in packed:
            answered = callback
            callback = lambda reply: self.answers.append(partial(answered, reply))  # noqa: E731
        self._send(packed, callback, skip, firm=firm)

    def let_through(self) -> None:
        self._is_held = False
        for answer in self.answers:
            answer()


async def test_an_end_that_overtakes_the_answer_is_not_missed(tmp_path: Path) -> None:
    """The node hears of it before it has anybody to tell, and of nothing later."""
    async with RelayProcess(tmp_path) as relay, pipe_to(relay.store_url, name="other") as pipe:
        late, access = _Late(pipe), Access(Endpoint.parse(relay.store_url))
        ring = LiveRing.of_file(KeyFile(Settings(data=str(relay.data)).ring_path))
        gateway = Gateway("other", Store(pipe), access, ring, Limits())
        listener = socket.create_server(("127.0.0.1", 0))
        await gateway.start(listener)
        try:
            gateway._clocks.pop().cancel()  # which looks at all channels, every two seconds
            url = f"ws://127.0.0.1:{listener.getsockname()[1]}/v1/channel"
            tokens = await relay.open_trip("t")
            app = await Party.connect(url)
            await app.say("attach", token=tokens["driver"])
            await until(lambda: late.answers, "the store has seated it")
            await relay.end_trip("t")
            final = gateway.node.finality
            await until(lambda: list(final.said(gateway.node.loop.time())), "the node hears of it")
            late.let_through()
            assert await app.closed() == 4500
            said = [frame["op"] for frame in app.heard]
            assert (said[0], said[-1]) == ("attached", "closed")
        finally:
            await gateway.stop()
