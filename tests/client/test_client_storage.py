"""What an app remembers between two runs."""

import asyncio
import os
import stat
import threading
from pathlib import Path

import pytest

from relay.client import (
    Channel,
    Closed,
    ConnectionChanged,
    FileStorage,
    MemoryStorage,
    Message,
    PeerGot,
    Refused,
    StorageError,
)
from relay.client.state import SavedState
from tests.client.conftest import CUSTOMER, DRIVER, Connect
from tests.client.scripted_relay import ScriptedRelay, ignore, refuse, store_and_drop
from tests.client.watching import attached, crash_after, nothing_more, texts, until


async def test_the_file_is_private_and_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "trip.relay"
    left_over = tmp_path / "trip.relay.new"
    left_over.write_bytes(b"of a killed process")
    left_over.chmod(0o644)
    storage = FileStorage(path)
    assert await storage.load() is None
    previous = os.umask(0)
    try:
        await storage.save(b"one")
        inode = path.stat().st_ino
        await storage.save(b"two")
    finally:
        os.umask(previous)
    assert await FileStorage(path).load() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_ino != inode, "a reader of the old file sees all of it"
    assert [entry.name for entry in tmp_path.iterdir()] == ["trip.relay"]


async def test_saves_do_not_overtake_each_other(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path / "trip.relay")
    for number in range(50):
        task = asyncio.create_task(storage.save(b"%d" % number * 5000))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
    await storage.save(b"last")
    assert await storage.load() == b"last"


class _FirstComesLast:
    """A lock that keeps the first who wants it waiting; no lock promises an order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._first = threading.current_thread()
        self.wanted, self.may_go, self.is_over = (threading.Event() for _ in range(3))

    def __enter__(self) -> None:
        if not self.wanted.is_set():
            self._first = threading.current_thread()
            self.wanted.set()
            self.may_go.wait(10)
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if threading.current_thread() is self._first and self.may_go.is_set():
            self.is_over.set()


async def test_a_save_that_was_given_up_replaces_nothing_later(tmp_path: Path) -> None:
    storage = FileStorage(tmp_path / "trip.relay")
    storage._writing = lock = _FirstComesLast()  # type: ignore[assignment]
    task = asyncio.create_task(storage.save(b"given up"))
    await asyncio.to_thread(lock.wanted.wait, 10)
    task.cancel()
    await asyncio.wait([task])
    await storage.save(b"later")
    lock.may_go.set()
    assert await asyncio.to_thread(lock.is_over.wait, 10)
    assert await storage.load() == b"later"


async def test_the_next_run_goes_on_where_the_last_one_ended(
    relay: ScriptedRelay, channel_of: Connect, tmp_path: Path
) -> None:
    def storage() -> FileStorage:
        return FileStorage(tmp_path / "driver.relay")

    async with channel_of(CUSTOMER) as customer:
        async with channel_of(DRIVER, storage=storage()) as driver:
            await customer.post("one")
            assert await texts(driver, 1) == ["one"]
            await (await driver.post("first")).accepted()
            relay.on("post", store_and_drop)
            await driver.post("second")
            relay.on("attach", *[ignore] * 9)
            await until(driver, ConnectionChanged, lambda e: e.retry_in_s is not None)
            await driver.post("third")
        relay._faults.clear()
        await customer.post("two")
        async with channel_of(DRIVER, storage=storage()) as driver:
            assert [post.text for post in driver.outbox] == ["first", "second", "third"]
            assert await texts(driver, 1) == ["two"]
            assert await texts(customer, 3) == ["first", "second", "third"]
            assert not [e for e in await nothing_more(customer) if isinstance(e, Message)]
    attaches = [frame for frame in relay.said("attach") if frame["device"] == driver_device(relay)]
    assert "after" in attaches[-1]
    # The replay told that the second is stored; only of the third nothing was known.
    assert [f["text"] for f in relay.said("post") if f.get("again")] == ["third"]
    attempts = [frame["attempt"] for frame in attaches]
    assert attempts == sorted(set(attempts))


def driver_device(relay: ScriptedRelay) -> str:
    device = next(f["device"] for f in relay.said("attach") if f.get("pending"))
    assert isinstance(device, str)
    return device


async def test_a_message_not_processed_comes_again_in_the_next_run(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    storage = MemoryStorage()
    async with channel_of(DRIVER) as driver:
        await (await driver.post("one")).accepted()
        await (await driver.post("two")).accepted()
        taken: list[str] = []

        async def take(customer: Channel) -> None:
            taken.extend(await texts(customer, 2))

        await crash_after(channel_of(CUSTOMER, storage=storage), take)
        assert taken == ["one", "two"]
        async with channel_of(CUSTOMER, storage=storage) as customer:
            assert await texts(customer, 1) == ["two"]


async def test_after_a_failover_the_next_run_still_knows_what_it_had(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    storage = MemoryStorage()
    async with channel_of(DRIVER) as driver:
        for text in ("one", "two", "three"):
            await (await driver.post(text)).accepted()
        relay.on("got", *[ignore] * 9)
        async with channel_of(CUSTOMER, storage=storage) as customer:
            assert await texts(customer, 3) == ["one", "two", "three"]
        relay.callers["driver"].drop()
        relay.model.lose_tail(2)
        await attached(driver)
        async with channel_of(CUSTOMER, storage=storage) as customer:
            await driver.post("four")
            assert await texts(customer, 1) == ["four"]
            relay._faults.clear()
            reading = asyncio.create_task(nothing_more(customer, 1))
            async with asyncio.timeout(5):
                while driver.outbox:
                    await until(driver, PeerGot)
            assert not [event for event in await reading if isinstance(event, Message)]


async def test_a_refusal_that_nobody_heard_is_told_in_the_next_run(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    storage = MemoryStorage()
    relay.on("post", refuse("channel_full"))

    async def post(driver: Channel) -> None:
        await driver.post("hello")
        await until(driver, Refused)

    await crash_after(channel_of(DRIVER, storage=storage), post)
    async with channel_of(DRIVER, storage=storage) as driver:
        refused = await until(driver, Refused)
        assert (refused.code, refused.post.text) == ("channel_full", "hello")
    async with channel_of(DRIVER, storage=storage) as driver:
        await attached(driver)
        assert not [e for e in await nothing_more(driver) if isinstance(e, Refused)]
    assert len(relay.said("post")) == 1


async def test_after_the_close_the_storage_keeps_no_text(
    relay: ScriptedRelay, channel_of: Connect, tmp_path: Path
) -> None:
    path = tmp_path / "driver.relay"
    relay.on("post", ignore)
    async with channel_of(DRIVER, storage=FileStorage(path)) as driver:
        await driver.post("a private text")
        await relay.until(lambda: relay.said("post"))
        assert b"a private text" in path.read_bytes()
        await relay.close_channel("ended")
        assert (await until(driver, Closed)).undelivered[0].text == "a private text"
        assert b"a private text" in path.read_bytes(), "the application may not have it yet"
        assert [event async for event in driver] == []
    left = SavedState.read(path.read_bytes())
    assert left == SavedState(left.device, left.attempt), "all but the device is forgotten"


async def test_a_post_that_cannot_be_stored_is_not_sent(
    relay: ScriptedRelay, channel_of: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    class Full(MemoryStorage):
        is_full = False

        async def save(self, data: bytes) -> None:
            await asyncio.sleep(0)
            if self.is_full:
                raise OSError(28, "No space left on device")
            await super().save(data)

    storage = Full()
    async with channel_of(DRIVER, storage=storage) as driver, channel_of(CUSTOMER) as customer:
        await attached(driver)
        await driver.post("one")
        storage.is_full = True
        with pytest.raises(StorageError, match="not taken") as caught:
            await driver.post("two")
        assert isinstance(caught.value.__cause__, OSError)
        await customer.post("hello")
        assert await texts(driver, 1) == ["hello"]
        storage.is_full = False
        await driver.post("three")
        assert await texts(customer, 2) == ["one", "three"]
    assert len([r for r in caplog.records if "storage fails" in r.message]) == 1


async def test_a_cancelled_post_is_not_sent(relay: ScriptedRelay, channel_of: Connect) -> None:
    class Slow(MemoryStorage):
        delay_s = 0.0

        async def save(self, data: bytes) -> None:
            await asyncio.sleep(self.delay_s)
            await super().save(data)

    storage = Slow()
    async with channel_of(DRIVER, storage=storage) as driver:
        await attached(driver)
        storage.delay_s = 0.2
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(driver.post("one"), 0.05)
        storage.delay_s = 0.0
        await (await driver.post("two")).accepted()
    assert [frame["text"] for frame in relay.said("post")] == ["two"]
    assert b"one" not in (await storage.load() or b"one")


async def test_a_post_is_stored_before_it_is_sent(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    order: list[str] = []

    class Noting(MemoryStorage):
        async def save(self, data: bytes) -> None:
            await asyncio.sleep(0.02)
            await super().save(data)
            if b"hello" in data:
                order.append("saved")

    async def note(_caller: object, _frame: object) -> None:
        order.append("sent")

    relay.on("post", note)
    async with channel_of(DRIVER, storage=Noting()) as driver:
        await attached(driver)
        await driver.post("hello")
        await relay.until(lambda: "sent" in order)
    assert order[0] == "saved"


@pytest.mark.parametrize("data", [b"", b"\xc1", b"\x80", b"secret text", b"\x81\xa1v\x07"])
async def test_a_damaged_file_is_refused_without_showing_it(
    channel_of: Connect, tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "driver.relay"
    path.write_bytes(data)
    with pytest.raises(StorageError, match="cannot be read") as caught:
        async with channel_of(DRIVER, storage=FileStorage(path)):
            pass
    assert "secret" not in str(caught.value)
    assert path.read_bytes() == data


async def test_the_storage_of_another_trip_is_not_used(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    storage = MemoryStorage()
    relay.on("post", ignore)
    async with channel_of(DRIVER, storage=storage) as driver:
        await driver.post("for trip 1 only")
        await relay.until(lambda: relay.said("post"))
    relay.model.trip = "trip-2"
    async with channel_of(DRIVER, storage=storage) as driver:
        closed = await until(driver, Closed)
        assert closed.reason == "wrong_trip"
        assert [post.text for post in closed.kept] == ["for trip 1 only"]
    assert len(relay.said("post")) == 1
