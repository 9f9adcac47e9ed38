"""The pipe: replies by position, never tied to a caller; an end of the connection is told honestly."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio.connection import (
    Connection,
    SSLConnection,
    UnixDomainSocketConnection,
    parse_url,
)

from relay.rig.proxy import Proxy
from relay.rig.single import Single
from relay.rig.waiting import until
from relay.store import keys
from relay.store.durability import Durability
from relay.store.embedded import EmbeddedServer
from relay.store.endpoint import BadStoreUrl, Endpoint, NotSent, Unanswered, pack
from relay.store.log_writer import LogWriter
from relay.store.pipe import Pipe, ServerPipe, StoreRefused, checked
from relay.store.scripts import ALL
from relay.store.store import Store

from .questions import Questions, seeded


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedServer]:
    async with EmbeddedServer(tmp_path / "store", durable=False) as running:
        yield running


@pytest.fixture
async def pipe(server: EmbeddedServer) -> AsyncIterator[Pipe]:
    found = ServerPipe(Endpoint.parse(server.url), name="test", reply_timeout_s=1.0)
    await found.start()
    yield found
    await found.stop()


async def server_pid(pipe: Pipe) -> int:
    info = (await pipe.call("INFO", "server")).decode()
    return int(info.partition("process_id:")[2].partition("\r")[0])


async def test_cancelled_and_cut_at_random_nobody_gets_anothers_reply(tmp_path: Path) -> None:
    """Callers give up at any moment, and the connection ends at any byte."""
    rng = seeded()
    async with Single(tmp_path) as server, Proxy(f"127.0.0.1:{server.port}") as way:
        found = ServerPipe(
            Endpoint.parse(f"redis://{way.address}"), name="test", reply_timeout_s=1.0
        )
        await found.start()

        async def cut() -> None:
            line = found.line_at(0)
            way.cut()
            await until(lambda: found.line_at(0) not in (line, None), "it is connected again")

        await Questions(found, rng).ask(6000, cut)
        await found.stop()


async def test_a_callback_that_fails_costs_nobody_else_a_reply(pipe: Pipe) -> None:
    def fail(_: object) -> None:
        raise RuntimeError

    pipe.send(pack("ECHO", "1"), fail)
    assert await pipe.call("ECHO", "2") == b"2"


async def test_a_hung_store_is_noticed_and_what_was_under_way_is_unanswered(pipe: Pipe) -> None:
    pid = await server_pid(pipe)
    os.kill(pid, signal.SIGSTOP)
    try:
        began_s = asyncio.get_running_loop().time()
        with pytest.raises(Unanswered):
            await pipe.call("INCR", "n")
        assert 0.9 < asyncio.get_running_loop().time() - began_s < 3
        await until(lambda: not pipe.connected, "the pipe knows")
        with pytest.raises(NotSent):
            await pipe.call("INCR", "n")
    finally:
        os.kill(pid, signal.SIGCONT)
    await until(lambda: pipe.connected, "the pipe is back")
    # It was never repeated by the pipe: the one that hung ran at most once.
    assert int(await pipe.call("GET", "n") or 0) <= 1


async def test_an_error_shows_its_kind_and_no_argument(pipe: Pipe) -> None:
    await pipe.call("SET", "s", "+6281234567890")
    with pytest.raises(StoreRefused) as caught:
        await pipe.call("HSET", "s", "+6281234567890", "x")
    assert caught.value.kind == "WRONGTYPE"
    with pytest.raises(StoreRefused) as caught:
        await pipe.call("NOSUCH", "+6281234567890")
    assert "6281234567890" not in str(caught.value)


async def test_scripts_are_loaded_again_after_a_flush(pipe: Pipe) -> None:
    store = Store(pipe)
    await store.load_scripts()
    await pipe.call("SCRIPT", "FLUSH")
    assert (await store.end("t", grace_s=0, detail="completed")).state == "closed"


async def test_a_post_to_a_log_that_is_not_there_creates_nothing(pipe: Pipe) -> None:
    answered: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    pipe.send(LogWriter("t", 1).post("a", b"d", b"x"), answered.set_result, LogWriter.SKIP)
    assert await answered == [None, 0, [None, None]]
    assert await pipe.call("KEYS", "*") == []


def test_all_keys_of_a_trip_are_in_one_slot() -> None:
    for trip in ("a", "trip:1", "x~y.z"):
        tag = keys.tag(keys.partition(trip))
        assert keys.trip(trip).startswith(tag)
        assert keys.log(trip, 3).startswith(tag)
    assert len({keys.partition(str(number)) for number in range(5000)}) == keys.PARTITIONS


def test_every_script_begins_with_what_it_takes_and_gives() -> None:
    for script in ALL:
        # What comes of the prelude has no comments at the beginning of a line.
        begins = re.search("^--.*(?:\n--.*)*", script.text, re.MULTILINE)
        assert begins is not None and "ARGV:" in begins[0], script.name


def test_a_url_of_a_cluster_names_some_of_its_servers() -> None:
    found = Endpoint.parse("rediss+cluster://relay:s%40x@a:7000,[::1]:7001,b?ssl_ca_certs=/ca.pem")
    assert found.seeds == (("a", 7000), ("::1", 7001), ("b", 6379))
    assert (found.username, found.password) == ("relay", "s@x")
    assert found.tls and found.ca_file == "/ca.pem"
    assert str(found.at("c", 7002)) == "c:7002" and "s@x" not in repr(found)


def test_a_url_of_sentinels_may_ask_for_tls() -> None:
    found = Endpoint.parse("rediss+sentinel://relay:s%40x@a,b:7000/rides/2?ssl_ca_certs=/ca.pem")
    assert found.sentinels == (("a", 26379), ("b", 7000))
    assert (found.service, found.database, found.password) == ("rides", 2, "s@x")
    assert found.tls and found.ca_file == "/ca.pem"
    assert not Endpoint.parse("redis+sentinel://a/rides").tls


@pytest.mark.parametrize(
    "url",
    [
        "redis://h", "redis://h:7000/3", "redis://h/x", "redis://h//2", "redis://h/1?db=2",
        "redis://:p%40ss@h", "redis://u%3a:p@h:0", "redis://u@h?password=p%2Bq", "redis://[::1]:7/0",
        "rediss://u:p@H.example:1/1?ssl_ca_certs=/run/ca%20one.pem", "redis://h?db=&username=u",
        "unix:///run/valkey.sock", "unix:///a%20b/s.sock?db=4", "unix://u:p@/s.sock",
        "unix:///s.sock?username=u&password=p",
    ],
)  # fmt: skip
def test_a_url_of_one_server_is_read_as_redis_py_reads_it(url: str) -> None:
    theirs, found = parse_url(url), Endpoint.parse(url)
    kind = theirs.get("connection_class", Connection)
    assert (found.host, found.path) == (theirs.get("host", ""), theirs.get("path", ""))
    assert found.port == theirs.get("port", 6379)
    assert found.database == (theirs.get("db") or 0)
    assert (found.username, found.password) == (theirs.get("username"), theirs.get("password"))
    assert (found.tls, found.ca_file) == (kind is SSLConnection, theirs.get("ssl_ca_certs"))
    assert bool(found.path) == (kind is UnixDomainSocketConnection)


@pytest.mark.parametrize(
    "url",
    [
        "http://x", "redis://h?db=x", "redis://", "unix://", "redis://h:99999", "redis://h:port", "", "redis://u:sec@",
        "redis+cluster://u:sec@", "redis+cluster://u:sec@h/1", "redis+cluster://h:port",
        "redis+cluster://u:sec@h?tls=1", "redis+sentinel://u:sec@h", "redis+sentinel://h:x/name",
        "rediss+sentinel://u:sec@h/name?tls=1",
    ],
)  # fmt: skip
def test_a_bad_url_is_told_without_its_secrets(url: str) -> None:
    with pytest.raises(BadStoreUrl) as caught:
        Endpoint.parse(url)
    assert "sec" not in str(caught.value).replace("secret", "")


def test_an_endpoint_prints_no_password() -> None:
    endpoint = Endpoint.parse("rediss://user:hunter2@store.example:6380/1")
    assert "hunter2" not in repr(endpoint) + str(endpoint)
    assert (endpoint.host, endpoint.port, endpoint.tls, endpoint.database) == (
        "store.example", 6380, True, 1,
    )  # fmt: skip


# --- durability -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "always", "replica:0", "replica:10", "disk "])
def test_a_durability_that_there_is_not(text: str) -> None:
    with pytest.raises(ValueError, match="memory, disk, replica"):
        Durability.parse(text)


async def test_what_is_firm_is_answered_when_it_is_on_disk_and_the_rest_at_once(
    tmp_path: Path,
) -> None:
    """The server syncs every second: what is firm waits for that, once for all of a batch."""
    async with EmbeddedServer(tmp_path / "store", durable=True) as server:
        found = ServerPipe(
            Endpoint.parse(server.url), name="test", reply_timeout_s=5,
            durability=Durability.parse("disk"),
        )  # fmt: skip
        await found.start()
        await found.call("CONFIG", "SET", "appendfsync", "everysec")
        loop, answers = asyncio.get_running_loop(), list[tuple[float, int]]()
        began_s = loop.time()
        for number in range(50):
            found.send(
                pack("SET", f"k{number}", number),
                lambda reply, number=number: answers.append((loop.time(), number)), firm=True,
            )  # fmt: skip
        assert await found.call("PING") == b"PONG"
        assert answers == []
        await until(lambda: len(answers) == 50, "all are on disk")
        assert [number for _, number in answers] == list(range(50))
        assert answers[-1][0] - answers[0][0] < 0.1, "one wait for all of them"
        assert answers[0][0] - began_s < 2
        await found.call("CONFIG", "SET", "appendfsync", "always")
        assert checked(await found.call_raw(pack("SET", "k", 1), firm=True)) == b"OK"
        await found.stop()


async def test_what_no_replica_has_is_unanswered(pipe: Pipe, server: EmbeddedServer) -> None:
    found = ServerPipe(
        Endpoint.parse(server.url), name="test", reply_timeout_s=5,
        durability=Durability.parse("replica"),
    )  # fmt: skip
    await found.start()
    assert isinstance(await found.call_raw(pack("SET", "k", 1), firm=True), Unanswered)
    assert await pipe.call("GET", "k") == b"1"
    await found.stop()


async def test_what_is_firm_is_answered_also_when_the_connection_ends_in_that_moment(
    server: EmbeddedServer,
) -> None:
    found = ServerPipe(
        Endpoint.parse(server.url), name="test", reply_timeout_s=5,
        durability=Durability.parse("disk"),
    )  # fmt: skip
    await found.start()
    line = found.line_at(0)
    assert line is not None
    line.abort()
    async with asyncio.timeout(5):
        answer = await found.call_raw(pack("SET", "k", 1), firm=True)
    assert isinstance(answer, Unanswered | NotSent)
    await found.stop()


async def test_waits_for_a_replica_that_is_not_there_do_not_pile_up(server: EmbeddedServer) -> None:
    found = ServerPipe(
        Endpoint.parse(server.url), name="test", reply_timeout_s=5,
        durability=Durability.parse("replica"),
    )  # fmt: skip
    await found.start()
    loop = asyncio.get_running_loop()
    began_s, waiting = loop.time(), []
    for number in range(20):
        waiting.append(found.call_raw(pack("SET", f"k{number}", 1), firm=True))
        await asyncio.sleep(0.005)
    assert await found.call("PING") == b"PONG"
    assert {type(answer) for answer in await asyncio.gather(*waiting)} == {Unanswered}
    assert loop.time() - began_s < 2, "two waits and no more"
    await found.stop()
