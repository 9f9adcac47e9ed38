"""`relay demo`: plays a trip and proves what it says, and leaves nothing behind however it ends."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shlex
import signal
import socket
import stat
from pathlib import Path

import pytest

from relay.rig.waiting import until

from .commands import finish, processes_of, python, relay_command, start

DRIVER, CUSTOMER = "+6281200001234", "+6285700005678"


def left_behind(folder: Path) -> list[object]:
    return [*folder.iterdir(), *processes_of(folder)]


async def test_the_script_shows_a_trip_and_leaves_nothing(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    done = await relay_command("demo", "--script", TMPDIR=str(tmp_path))
    assert (done.code, done.err) == (0, "")
    assert loop.time() - began_s < 10
    assert left_behind(tmp_path) == []
    for column in ("the driver sees", "the customer sees", "in the store"):
        assert column in done.out
    assert [int(n) for n in re.findall(r"^(\d)  ", done.out, re.MULTILINE)] == list(range(1, 10))
    # Side by side: what the driver typed, what is left of it for her, and what each was told.
    flat = " ".join(done.out.split())
    assert "0812-0000-1234" in flat and "•••" in flat
    for shown in ("the other side sees:", "(found: a", "✓✓ seen",
                  "place -6.20012, 106.81679", "closed: ended", "refused",
                  "d.phone  gone", "log  gone", "→ nil"):  # fmt: skip
        assert shown in done.out
    assert "neither phone number occurs" in done.out.replace("\n", " ")
    assert max(map(len, done.out.splitlines())) <= 100
    assert "\x1b" not in done.out
    assert not any(phone[-9:] in done.out for phone in (DRIVER, CUSTOMER))


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        # The relay leaks: a number lies in the store.
        (
            (
                "from relay.cli.demo import PHONES\n"
                "read = script._Shelf.record\n"
                "async def record(self):\n"
                "    await self._redis.set('leak', PHONES['customer'])\n"
                "    return await read(self)\n"
                "script._Shelf.record = record\n"
            ),
            "the customer's number can be read",
        ),
        # The store holds what the driver typed.
        (
            (
                "read = script._Shelf.record\n"
                "async def record(self):\n"
                "    await self._redis.set('leak', 'call 0812-0000-1234')\n"
                "    return await read(self)\n"
                "script._Shelf.record = record\n"
            ),
            "a number that was typed can be read",
        ),
        # The driver is told nothing of what the guard did.
        (
            (
                "from relay.client import Accepted\n"
                "apply = script.OwnPosts.apply\n"
                "def deaf(self, event):\n"
                "    if isinstance(event, Accepted):\n"
                "        event = Accepted(event.id, event.pos, event.at_ms, event.tag)\n"
                "    return apply(self, event)\n"
                "script.OwnPosts.apply = deaf\n"
            ),
            "a message came altered",
        ),
        # A late post is stored.
        (
            (
                "late = script._Shelf.post_past_the_relay\n"
                "async def post(self):\n"
                "    await self._redis.xadd(script.keys.log(self._trip, 1), {'i': 'o'})\n"
                "    return await late(self)\n"
                "script._Shelf.post_past_the_relay = post\n"
            ),
            "a node that has not heard of the end could store a message",
        ),
        # The record keeps a number after the end.
        (
            (
                "read = script._Shelf.record\n"
                "async def record(self):\n"
                "    return {'d.phone': b'', **await read(self)}\n"
                "script._Shelf.record = record\n"
            ),
            "d.phone is still there",
        ),
    ],
)
async def test_the_script_fails_if_a_claim_is_not_so(
    tmp_path: Path, broken: str, said: str
) -> None:
    done = await python(
        "import relay.cli.demo_script as script\n"
        f"{broken}"
        "from relay.cli import app\n"
        "app(['demo', '--script'])\n",
        TMPDIR=str(tmp_path),
    )
    assert done.code == 1
    assert f"✗ not as claimed: {said}" in done.out.replace("\n", " ")
    assert left_behind(tmp_path) == []


async def running_demo(folder: Path, *words: str) -> tuple[asyncio.subprocess.Process, str]:
    """A demo that serves, and what it has said."""
    process = await start("demo", *words, TMPDIR=str(folder))
    assert process.stdout is not None
    said = ""
    async with asyncio.timeout(30):
        while "trip end" not in said:
            line = await process.stdout.readline()
            assert line, "the demo ended"
            said += line.decode()
    return process, said


async def by_hand(command: str, given: str = "") -> tuple[int, str]:
    """Run a command as it was printed."""
    process = await asyncio.create_subprocess_exec(
        *shlex.split(command), stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(30):
        out, _ = await process.communicate(given.encode())
    assert process.returncode is not None
    return process.returncode, out.decode()


async def test_the_printed_commands_work_as_they_stand(tmp_path: Path) -> None:
    with socket.socket() as taken:
        # If somebody else has the port, so much the better: the demo must not need it.
        with contextlib.suppress(OSError):
            taken.bind(("127.0.0.1", 8701))
            taken.listen()
        process, said = await running_demo(tmp_path)
        assert "http://127.0.0.1:8701" not in said
        commands = [line.strip() for line in said.splitlines() if " -m relay " in line]
        chat_driver, chat_customer, show, end_trip = commands
        assert "driver.token" in chat_driver
        assert "customer.token" in chat_customer
        (folder,) = tmp_path.iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for secret in ("api.key", "driver.token", "customer.token"):
            assert stat.S_IMODE((folder / secret).stat().st_mode) == 0o600
            assert (folder / secret).read_text().strip() not in said
        (_, first), (_, second) = await asyncio.gather(
            by_hand(chat_driver, "halo dari sopir\n"), by_hand(chat_customer, "halo juga\n")
        )
        assert "Rani: halo juga" in first
        assert "Budi: halo dari sopir" in second
        code, shown = await by_hand(show)
        assert code == 0
        assert re.search(r"messages +2\n", shown)
        code, ended = await by_hand(end_trip)
        assert code == 0
        assert "closed" in ended
        process.send_signal(signal.SIGINT)
        done = await finish(process)
        assert done.code == 0
        assert left_behind(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_it_leaves_nothing_when_it_is_stopped(tmp_path: Path, number: signal.Signals) -> None:
    process, _ = await running_demo(tmp_path, "--gateway", "127.0.0.1:0", "--api", "127.0.0.1:0")
    assert processes_of(tmp_path)
    process.send_signal(number)
    done = await finish(process)
    assert done.code == 0
    assert "Traceback" not in done.err
    assert left_behind(tmp_path) == []


async def test_it_leaves_nothing_when_it_is_stopped_while_it_starts(tmp_path: Path) -> None:
    process = await start("demo", TMPDIR=str(tmp_path))
    await until(lambda: list(tmp_path.glob("*/data/valkey.log")), "the store runs", 20)
    process.send_signal(signal.SIGTERM)
    done = await finish(process)
    assert "Traceback" not in done.err
    assert left_behind(tmp_path) == []


async def test_the_script_stopped_halfway_fails_and_leaves_nothing(tmp_path: Path) -> None:
    process = await start("demo", "--script", TMPDIR=str(tmp_path))
    assert process.stdout is not None
    async with asyncio.timeout(30):
        while b"1  The platform" not in await process.stdout.readline():
            pass
    process.send_signal(signal.SIGINT)
    done = await finish(process)
    assert done.code == 1
    assert left_behind(tmp_path) == []


async def test_an_address_that_is_none(tmp_path: Path) -> None:
    done = await relay_command("demo", "--api", "nowhere", TMPDIR=str(tmp_path))
    assert done.code == 3
    assert "api: must be HOST:PORT" in done.err
    assert left_behind(tmp_path) == []


async def test_the_environment_s_settings_are_not_the_demo_s(tmp_path: Path) -> None:
    done = await relay_command(
        "demo", "--script",
        TMPDIR=str(tmp_path), RELAY_REDIS="redis://127.0.0.1:1", RELAY_DATA="/nowhere",
        RELAY_KEYRING="{}",
    )  # fmt: skip
    assert done.code == 0
