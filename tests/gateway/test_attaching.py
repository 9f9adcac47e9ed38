"""Between the question for a seat and its answer, and after a connection's end."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from typing import Any

from aiofastnet import create_server
from websockets.asyncio.client import connect

from relay.core.bucket import Bucket
from relay.core.codes import CloseCode
from relay.core.frames import FROM_APP_JSON, TO_APP_JSON
from relay.gateway.admission import Admission
from relay.gateway.arrivals import Arrivals
from relay.gateway.connection import Connection
from relay.gateway.door import Door
from relay.gateway.limits import Limits
from relay.rig.waiting import until


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


class _Nobody:
    """What a connection needs of a node, where nothing is said."""

    def connected(self, connection: Connection) -> None: ...
    def take(self, connection: Connection, frame: Any) -> None: ...
    def has_room(self, connection: Connection) -> None: ...
    def flush_soon(self, connection: Connection) -> None: ...
    def closes(self, code: CloseCode) -> None: ...
    def dropped(self, connection: Connection) -> None: ...


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
    server = await create_server(loop, lambda: Door(admission, answer), sock=listener)
    gc.disable()
    try:
        app = await connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/")
        assert there[0]() is not None
        app.transport.abort()
        await until(lambda: there[0]() is None, "the connection is freed")
    finally:
        gc.enable()
        server.close()
