"""A Cluster as the store: each command gets where its slot is, once and in order, while slots move
and primaries die."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.crc import key_slot

from relay.rig.cluster import Cluster
from relay.rig.waiting import until
from relay.store import keys, scripts
from relay.store.access import Access, pipe_to
from relay.store.endpoint import Endpoint, NotSent, StoreError, Unanswered, pack
from relay.store.log_writer import LogWriter
from relay.store.pipe import Pipe
from relay.store.scripts import ALL
from relay.store.slots import Elsewhere, elsewhere, slot_of, slot_of_command
from relay.store.store import Store

from .questions import Questions, seeded

# --- slots ----------------------------------------------------------------------------------------


@given(st.binary())
def test_slots_are_those_of_the_specification(key: bytes) -> None:
    assert slot_of(key) == key_slot(key)


@pytest.mark.parametrize(
    ("packed", "key"),
    [
        (pack("GET", "relay:audit"), "relay:audit"),
        (pack("SET", "k", "{x}", "PX", 5), "k"),
        (pack("EVALSHA", ALL[0].sha, 1, "{p9}:trip:t", "{p1}"), "{p9}:trip:t"),
        (pack("SPUBLISH", "{p7}:control", b"\r\n$1\r\n{"), "{p7}:control"),
        (LogWriter("t-1", 2).post("id", b"d", b"{p0}"), keys.log("t-1", 2)),
        (LogWriter("t-1", 2).post_if("id", b"d", b"{p0}", None), keys.log("t-1", 2)),
        (pack("MULTI") + pack("GET", "a") + pack("GET", "a") + pack("EXEC"), "a"),
    ],
)  # fmt: skip
def test_the_slot_of_a_command_is_that_of_its_key(packed: bytes, key: str) -> None:
    assert slot_of_command(packed) == key_slot(key.encode())


@pytest.mark.parametrize("words", [("TIME",), ("PING",), ("SCRIPT", "LOAD", "return 1")])
def test_what_is_for_servers_has_none(words: tuple[str, ...]) -> None:
    assert slot_of_command(pack(*words)) is None


def test_what_a_server_says_of_where_to_go() -> None:
    def told(text: str) -> Elsewhere | None:
        return elsewhere(hiredis.ReplyError(text), ("asked", 1))

    assert told("MOVED 3999 10.0.0.1:6381") == Elsewhere("MOVED", ("10.0.0.1", 6381))
    assert told("MOVED 1 ::1:7000") == Elsewhere("MOVED", ("::1", 7000))
    assert told("ASK 1 ::1:7000") == Elsewhere("TRYAGAIN")
    assert told("MOVED 1 :7000") == Elsewhere("MOVED", ("asked", 7000))
    assert told("TRYAGAIN Multiple keys request during rehashing of slot") == Elsewhere("TRYAGAIN")
    assert told("WRONGTYPE Operation against a key") is None


# --- a cluster ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def cluster(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Cluster]:
    async with Cluster(tmp_path_factory.mktemp("cluster"), replicated=False) as running:
        yield running


@pytest.fixture
async def pipe(cluster: Cluster) -> AsyncIterator[Pipe]:
    async with pipe_to(cluster.url, name="test", reply_timeout_s=2) as found:
        yield found


class Writer:
    """Appends numbers to a list, as fast as they are answered, and remembers each answer."""

    def __init__(self, pipe: Pipe, key: str) -> None:
        self._pipe, self.key = pipe, key
        self.sent = 0
        self.stored: list[int] = []
        self.refused: list[int] = []
        self.unknown: list[int] = []
        self.others: list[Any] = []

    def write(self, count: int) -> None:
        """Send `count` more; the even ones in a transaction."""
        for _ in range(count):
            number, self.sent = self.sent, self.sent + 1
            command = pack("RPUSH", self.key, number)
            if number % 2 == 0:
                command = pack("MULTI") + command + pack("LLEN", self.key) + pack("EXEC")
            self._pipe.send(command, self._taker(number), 0 if number % 2 else 3)

    def write_some(self, count: int) -> None:
        """Send more, unless much of it has no answer yet: the longer a list, the longer it moves."""
        if self.sent - self.answered() < 200:
            self.write(count)

    def _taker(self, number: int) -> Any:
        def take(reply: Any) -> None:
            if isinstance(reply, NotSent):
                self.refused.append(number)
            elif isinstance(reply, Unanswered):
                self.unknown.append(number)
            elif isinstance(reply, int | list):
                self.stored.append(number)
            else:
                self.others.append(reply)

        return take

    def answered(self) -> int:
        return len(self.stored) + len(self.refused) + len(self.unknown) + len(self.others)

    async def check(self) -> None:
        """What is in the list is what was said to be, once and in order; perhaps what is unknown."""
        await until(lambda: self.answered() == self.sent, "everything is answered")
        assert self.others == []
        found = [int(one) for one in await self._pipe.call("LRANGE", self.key, 0, -1)]
        assert found == sorted(set(found)), "in order, and each once"
        assert set(self.stored) <= set(found) <= set(self.stored) | set(self.unknown)


async def test_commands_without_a_key_go_to_every_primary(pipe: Pipe, cluster: Cluster) -> None:
    sha = (await pipe.call("SCRIPT", "LOAD", "return KEYS[1]")).decode()
    for port in cluster.primaries:
        assert await cluster.ask(port, "SCRIPT", "EXISTS", sha) == [True]
    for name in ("a", "b", "{p1}:c", "{p200}:d"):
        assert await pipe.call("EVALSHA", sha, 1, name) == name.encode()


async def test_slots_that_move_lose_nothing_and_keep_the_order(
    pipe: Pipe, cluster: Cluster
) -> None:
    """Key by key, as `valkey-cli --cluster reshard` does: ASK and TRYAGAIN, then MOVED."""
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    rng = random.Random(seed)
    writers = [Writer(pipe, f"{{p{n}}}:moving") for n in rng.sample(range(256), 6)]
    for round_number in range(2):
        for writer in writers:
            slot = slot_of(writer.key.encode())
            source = await cluster.owner(slot)
            target = rng.choice([port for port in cluster.primaries if port != source])
            moving = asyncio.create_task(cluster.move(slot, source, target))
            while not moving.done():
                for one in writers:
                    one.write_some(rng.randrange(1, 20))
                await asyncio.sleep(0)
            await moving
        print(f"round {round_number}: {sum(len(w.stored) for w in writers)} stored")
    for writer in writers:
        await writer.check()
        assert writer.stored and not writer.unknown
        assert writer.refused == [], "a slot that moves is never away"


async def test_a_script_waits_while_its_slot_is_between_two_servers(
    pipe: Pipe, cluster: Cluster
) -> None:
    """Half of the keys are there and half are here: it is not run at all, and not lost."""
    store, tag = Store(pipe), "{p77}"
    await store.load_scripts()
    events = f"{tag}:events"
    await pipe.call("XADD", events, "1-1", "e", "first")
    await pipe.call("ZADD", f"{tag}:due", 1, "events:")
    slot = slot_of(events.encode())
    source = await cluster.owner(slot)
    target = next(port for port in cluster.primaries if port != source)
    for moved_first in (events, f"{tag}:due"):
        await cluster.begin(slot, source, target)
        await cluster.carry(source, target, moved_first)
        emitting = asyncio.create_task(store.run(scripts.EMIT, events, '{"kind":"x"}'))
        await asyncio.sleep(0.2)
        assert not emitting.done()
        await cluster.finish(slot, source, target)
        await emitting
        source, target = target, source
    told = [fields[1] for _, fields in await pipe.call("XRANGE", events, "-", "+")]
    assert told == [b"first", b'{"kind":"x"}', b'{"kind":"x"}']
    assert len(await pipe.call("ZRANGE", f"{tag}:due", 0, -1)) == 1


async def test_of_a_slot_that_is_between_two_servers_each_key_is_found(
    pipe: Pipe, cluster: Cluster
) -> None:
    """One key has gone ahead: who asks for it waits, and no other key is looked for there."""
    gone, still_here = "{p88}:gone", "{p88}:here"
    await pipe.call("SET", gone, "1")
    await pipe.call("SET", still_here, "2")
    slot = slot_of(gone.encode())
    source = await cluster.owner(slot)
    target = next(port for port in cluster.primaries if port != source)
    await cluster.begin(slot, source, target)
    await cluster.carry(source, target, gone)
    asked = [pipe.call("GET", key) for key in (gone, still_here, gone, still_here)]
    answers = asyncio.gather(*asked)
    await asyncio.sleep(0.1)
    await cluster.finish(slot, source, target)
    assert await answers == [b"1", b"2", b"1", b"2"]


async def test_slots_that_move_at_once_lose_nothing_and_keep_the_order(
    pipe: Pipe, cluster: Cluster
) -> None:
    """As Valkey 9 does it: all of a slot at one moment."""
    writers = [Writer(pipe, f"{{p{n}}}:jumping") for n in range(8)]
    for writer in writers:
        writer.write(50)
        slot = slot_of(writer.key.encode())
        source = await cluster.owner(slot)
        target = next(port for port in cluster.primaries if port != source)
        moving = asyncio.create_task(cluster.jump(slot, source, target))
        while not moving.done():
            for one in writers:
                one.write_some(5)
            await asyncio.sleep(0)
        await moving
    for writer in writers:
        await writer.check()
        assert writer.stored and not writer.unknown and not writer.refused


async def test_cancelled_cut_and_sent_on_at_random_nobody_gets_anothers_reply(
    pipe: Pipe, cluster: Cluster
) -> None:
    """Callers give up at any moment, connections end, and slots move key by key."""
    rng = seeded()

    async def cut() -> None:
        port = rng.choice(cluster.primaries)
        clients: bytes = await cluster.ask(port, "CLIENT", "LIST", "TYPE", "normal")
        for name in re.findall(rb"^id=(\d+) .* name=test ", clients, re.MULTILINE):
            await cluster.ask(port, "CLIENT", "KILL", "ID", name.decode())

    async def move() -> None:
        slot = slot_of(f"{{p{rng.randrange(256)}}}".encode())
        source = await cluster.owner(slot)
        target = rng.choice([port for port in cluster.primaries if port != source])
        await cluster.move(slot, source, target)

    async def keep_moving(enough: asyncio.Event) -> None:
        while not enough.is_set():
            await move()

    enough = asyncio.Event()
    moving = asyncio.create_task(keep_moving(enough))
    try:
        await Questions(pipe, rng).ask(4000, cut)
    finally:
        enough.set()
        await moving


async def test_a_primary_that_dies_is_replaced(tmp_path: Path) -> None:
    """What was on its way to it is unanswered, what is asked meanwhile is refused at once, the other
    primaries' slots are served on, and `on_connected` comes before anything else."""
    async with Cluster(tmp_path) as cluster:
        access = Access(Endpoint.parse(cluster.url))
        await access.start()
        answers: list[bytes] = []

        def greet() -> None:
            pipe.send(pack("INCR", f"{tag}:greeted"))

        tag, spared = [await cluster.tag_at(port) for port in cluster.primaries[:2]]
        pipe = access.pipe(name="test", reply_timeout_s=1, on_connected=greet)
        await pipe.start()
        hit, other = Writer(pipe, f"{tag}:list"), Writer(pipe, f"{spared}:list")
        hit.write(20)
        other.write(20)
        await until(lambda: len(hit.stored) == 20, "all is stored")
        await until(cluster.is_replicated, "replicated")
        greeted = int(await pipe.call("GET", f"{tag}:greeted"))
        cluster.signal(cluster.primaries[0], signal.SIGKILL)
        hit.write(1)

        async def is_served() -> bool:
            other.write(1)
            try:
                answers.append(await pipe.call("GET", f"{tag}:greeted"))
            except StoreError:
                return False
            return True

        await until(is_served, "its replica has its slots", 20)
        assert answers[0] == str(greeted + 1).encode(), "greeted before anything else"
        assert pipe.connected
        hit.write(20)
        await hit.check()
        await other.check()
        assert not other.refused and not other.unknown
        await pipe.stop()
        await access.stop()


async def test_a_subscription_follows_its_slots(cluster: Cluster, pipe: Pipe) -> None:
    access = Access(Endpoint.parse(cluster.url))
    await access.start()
    heard: list[bytes] = []
    gaps: list[int] = []
    subscriber = access.subscriber(
        name="test", channels=[keys.control(n) for n in range(256)],
        probes=[keys.probe(n, "me") for n in range(256)], deaf_after_s=10,
        on_message=lambda channel, _: heard.append(channel), on_gap=lambda: gaps.append(1),
    )  # fmt: skip
    await subscriber.start()
    assert len(subscriber.probes) == len(cluster.primaries)

    async def hears(channel: str) -> bool:
        await pipe.call("SPUBLISH", channel, "x")
        return channel.encode() in heard

    for n in range(0, 256, 16):
        await until(lambda n=n: hears(keys.control(n)), "it is heard")
    channel, before = keys.control(3), len(gaps)
    slot = slot_of(channel.encode())
    source = await cluster.owner(slot)
    target = next(port for port in cluster.primaries if port != source)
    await cluster.move(slot, source, target)
    heard.clear()
    await until(lambda: hears(channel), "it is heard again")
    assert len(gaps) > before
    await until(lambda: subscriber.listening, "all is in place again")
    await subscriber.stop()
    await access.stop()


async def test_a_cluster_that_is_not_there_is_said_so() -> None:
    with pytest.raises(StoreError, match="does not answer"):
        async with pipe_to("redis+cluster://127.0.0.1:1", name="test"):
            pass
