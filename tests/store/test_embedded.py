"""The embedded store, on the real server: one server a folder, no orphan, nothing lost.

Relay processes other than the test's own are children that run `RELAY` below.
"""

import asyncio
import contextlib
import errno
import json
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import redis.asyncio
import redis.exceptions
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from relay.store import data_folder, embedded, server_process
from relay.store.embedded import EmbeddedServer, EmbeddedServerError, ServerState

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 15.0

# Says "ready", "signalled" and "stopped"; after a signal it drains until it is sent a line.
RELAY = """
import asyncio, signal, sys
from pathlib import Path
import structlog
from relay.store.embedded import EmbeddedServer

structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

async def main():
    signalled = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, signalled.set)
    async with EmbeddedServer(Path(sys.argv[1]), durable=True) as server:
        print("ready", "owned" if server.owned else "attached", server.url, flush=True)
        await signalled.wait()
        print("signalled", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
    print("stopped", flush=True)

asyncio.run(main())
"""


class Relay:
    """A relay process of its own, in a process group of its own."""

    def __init__(self, folder: Path, errors: Path) -> None:
        with errors.open("ab") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", RELAY, str(folder)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                start_new_session=True,
            )
        self.errors = errors

    async def line(self) -> list[str]:
        """The words of the next line that it prints."""
        assert self.process.stdout is not None
        async with asyncio.timeout(LIMIT_S):
            line = await asyncio.to_thread(self.process.stdout.readline)
        assert line, f"the relay has ended:\n{self.errors.read_text()}"
        return line.decode().split()

    async def ended(self) -> int:
        await until(lambda: self.process.poll() is not None)
        return self.process.returncode

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()

    def close(self) -> None:
        with self.process:
            self.process.kill()


def servers_below(folder: Path) -> list[int]:
    """The Valkey servers that work in `folder` or below, from /proc; zombies not counted."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            program, place = os.readlink(f"/proc/{name}/exe"), os.readlink(f"/proc/{name}/cwd")
            if "valkey-server" in program and f"{place}/".startswith(f"{folder}/"):
                found.append(int(name))
    return found


def only_server(folder: Path) -> int:
    (pid,) = servers_below(folder)
    return pid


@pytest.fixture(autouse=True)
def no_orphans(tmp_path: Path) -> Iterator[None]:
    """No test may leave a server behind."""
    yield
    left = servers_below(tmp_path)
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert left == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def relays(folder: Path, tmp_path: Path, no_orphans: None) -> Iterator[Callable[[], Relay]]:
    """Starts relay processes on `folder`."""
    with contextlib.ExitStack() as stack:

        def start() -> Relay:
            relay = Relay(folder, tmp_path / "relay.err")
            stack.callback(relay.close)
            return relay

        yield start
        stack.close()
        wait_until(lambda: servers_below(folder) == [])


async def until(condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    async with asyncio.timeout(limit_s):
        while not condition():
            await asyncio.sleep(0.005)


async def grown(acknowledged: set[str], count: int) -> None:
    target = len(acknowledged) + count
    await until(lambda: len(acknowledged) >= target)


def wait_until(condition: Callable[[], object], limit_s: float = LIMIT_S) -> None:
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.005)


@contextlib.asynccontextmanager
async def client(url: str) -> AsyncIterator[redis.asyncio.Redis]:
    connection = redis.asyncio.Redis.from_url(
        url, retry=Retry(NoBackoff(), 0), decode_responses=True, protocol=3
    )
    try:
        yield connection
    finally:
        await connection.aclose()


async def write(url: str, prefix: str, count: int) -> set[str]:
    """Write `count` keys, one after the other; the keys that were acknowledged."""
    async with client(url) as store:
        keys = [f"{prefix}:{number}" for number in range(count)]
        for key in keys:
            assert await store.set(key, "x")
    return set(keys)


async def write_until_cut(url: str, prefix: str, acknowledged: set[str]) -> None:
    """Write keys one after the other until the connection breaks."""
    async with client(url) as store:
        with contextlib.suppress(redis.exceptions.ConnectionError):
            number = 0
            while True:
                await store.set(f"{prefix}:{number}", "x")
                acknowledged.add(f"{prefix}:{number}")
                number += 1


async def keys(url: str) -> set[str]:
    async with client(url) as store:
        return {str(key) for key in await store.keys("*")}


# --- one process ---------------------------------------------------------------------------


async def test_data_survives_stop_and_start(folder: Path) -> None:
    async with EmbeddedServer(folder, durable=True) as server:
        assert server.owned
        assert server.socket_path.is_socket()
        written = await write(server.url, "a", 20)
        states = [server.state]
    states.append(server.state)
    assert states == [ServerState.READY, ServerState.STOPPED]
    assert servers_below(folder) == []
    assert not server.socket_path.exists()
    await server.stop()  # a second time is nothing

    await server.start()
    try:
        assert await keys(server.url) == written
    finally:
        await server.stop()


async def test_settings_of_a_durable_store(folder: Path) -> None:
    async with EmbeddedServer(folder, durable=True) as server, client(server.url) as store:
        settings = await store.config_get(
            "appendonly", "appendfsync", "aof-load-truncated", "maxmemory-policy", "port", "save"
        )
    assert settings == {
        "appendonly": "yes",
        "appendfsync": "always",
        "aof-load-truncated": "yes",
        "maxmemory-policy": "noeviction",
        "port": "0",
        "save": "",
    }


async def test_a_store_that_is_not_durable_leaves_no_data(folder: Path) -> None:
    async with EmbeddedServer(folder, durable=False) as server:
        await write(server.url, "a", 5)
    assert {path.name for path in folder.iterdir()} == {"relay.lock", "server.lock", "valkey.log"}
    async with EmbeddedServer(folder, durable=False) as server:
        assert await keys(server.url) == set()


async def test_every_acknowledged_write_survives_sigkill_of_the_server(folder: Path) -> None:
    states: list[ServerState] = []
    acknowledged: set[str] = set()
    async with EmbeddedServer(folder, durable=True, on_state=states.append) as server:
        for round_number in range(3):
            pid = only_server(folder)
            writing = asyncio.create_task(
                write_until_cut(server.url, f"r{round_number}", acknowledged)
            )
            await grown(acknowledged, 50)
            os.kill(pid, signal.SIGKILL)
            await asyncio.wait_for(writing, LIMIT_S)
            await until(lambda: server.state is ServerState.DOWN)
            await until(lambda: server.state is ServerState.READY)
            assert only_server(folder) != pid
            # One more may be stored than was acknowledged: the reply was lost.
            assert await keys(server.url) >= acknowledged
    assert states == [
        ServerState.STARTING,
        *[ServerState.READY, ServerState.DOWN] * 3,
        ServerState.READY,
        ServerState.STOPPED,
    ]


async def test_a_server_that_dies_again_and_again_is_started_with_a_growing_delay(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_BACKOFF_MAX_S", 0.15)
    with structlog.testing.capture_logs() as entries:
        async with EmbeddedServer(folder, durable=True) as server:
            for _ in range(4):
                began_s = time.monotonic()
                os.kill(only_server(folder), signal.SIGKILL)
                await until(lambda: server.state is ServerState.DOWN)
                await until(lambda: server.state is ServerState.READY)
                died = [entry for entry in entries if entry["event"] == "embedded store died"]
                assert time.monotonic() - began_s >= died[-1]["retry_in_s"]
    assert [(entry["end"], entry["retry_in_s"]) for entry in died] == [
        ("SIGKILL", 0.05),
        ("SIGKILL", 0.1),
        ("SIGKILL", 0.15),
        ("SIGKILL", 0.15),
    ]


async def test_a_torn_end_of_the_append_only_file_is_cut_off(folder: Path) -> None:
    async with EmbeddedServer(folder, durable=True) as server:
        await write(server.url, "a", 10)
    (log,) = (folder / "appendonlydir").glob("*.incr.aof")
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size - 3)
    async with EmbeddedServer(folder, durable=True) as server:
        assert await keys(server.url) == {f"a:{number}" for number in range(9)}


async def test_a_server_that_loads_is_waited_for_and_is_not_ready(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        EmbeddedServer(folder, durable=True) as server,
        client(server.url) as store,
        store.pipeline(transaction=False) as batch,
    ):
        for number in range(6 * 1024):
            batch.set(f"a:{number}", "x")
        await batch.execute()

    def slow(socket_path: Path, *, durable: bool) -> list[str]:
        # 0.1 ms and more a key; while it loads, the server answers after each 1,024.
        return [*server_arguments(socket_path, durable=durable), "--key-load-delay", "100"]

    server_arguments = server_process.server_arguments
    monkeypatch.setattr(server_process, "server_arguments", slow)
    server = EmbeddedServer(folder, durable=True)
    began_s = time.monotonic()
    starting = asyncio.create_task(server.start(silence_limit_s=0.8))
    try:
        answers = set()
        while not starting.done():
            answers.add(await server_process.ping(folder / "valkey.sock"))
            await asyncio.sleep(0.01)
        await starting
        assert time.monotonic() - began_s > 0.8
        assert server_process.Answer.ALIVE in answers
        assert len(await keys(server.url)) == 6 * 1024
    finally:
        await server.stop()


async def test_files_are_for_their_owner_alone(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o755)
    async with EmbeddedServer(folder, durable=True) as server:
        await write(server.url, "a", 1)
        modes = {
            str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode)
            for path in [folder, *folder.rglob("*")]
        }
    assert {"relay.lock", "server.lock", "valkey.log", "valkey.sock"} < set(modes)
    assert modes.pop(".") == 0o700
    assert modes.pop("appendonlydir") == 0o700
    assert set(modes.values()) == {0o600}


async def test_what_a_dead_relay_left_lying_is_no_obstacle(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    lock = {"relay_pid": os.getpid(), "server_pid": os.getpid(), "socket": "/nowhere/valkey.sock"}
    (folder / "relay.lock").write_text(json.dumps(lock))
    (folder / "server.lock").write_text("")
    (folder / "valkey.sock").write_text("not even a socket")
    async with EmbeddedServer(folder, durable=True) as server:
        note = json.loads((folder / "relay.lock").read_text())
        assert note == {
            "relay_pid": os.getpid(),
            "server_pid": only_server(folder),
            "socket": str(server.socket_path),
        }
        await write(server.url, "a", 1)


async def test_the_log_is_kept_short(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    log = folder / "valkey.log"
    log.write_bytes(b"x" * (2 << 20))
    async with EmbeddedServer(folder, durable=True):
        assert log.stat().st_size < 1 << 20


async def test_a_url_leads_to_a_folder_with_odd_characters(tmp_path: Path) -> None:
    async with EmbeddedServer(tmp_path / '50% off #1? "it\'s"', durable=True) as server:
        assert await write(server.url, "a", 1) == await keys(server.url)


async def test_stopping_twice_at_once_and_while_starting(folder: Path) -> None:
    server = EmbeddedServer(folder, durable=True)
    await server.start()
    pid = only_server(folder)
    await asyncio.gather(server.stop(), server.stop())
    assert not Path(f"/proc/{pid}").exists()

    starting = asyncio.create_task(server.start())
    await until(lambda: servers_below(folder))
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert servers_below(folder) == []
    assert server.state is ServerState.STOPPED


async def test_a_stopped_server_is_killed_after_the_limit(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_TERM_LIMIT_S", 0.2)
    server = EmbeddedServer(folder, durable=True)
    await server.start()
    written = await write(server.url, "a", 5)
    os.kill(only_server(folder), signal.SIGSTOP)
    await server.stop()
    assert servers_below(folder) == []
    assert not server.socket_path.exists()
    async with server:
        assert await keys(server.url) == written


# --- several processes ---------------------------------------------------------------------


async def test_sigkill_of_the_relay_leaves_no_server_and_loses_nothing(
    folder: Path, relays: Callable[[], Relay]
) -> None:
    acknowledged: set[str] = set()
    for round_number in range(2):
        relay = relays()
        _, role, url = await relay.line()
        assert role == "owned"
        writing = asyncio.create_task(write_until_cut(url, f"r{round_number}", acknowledged))
        await grown(acknowledged, 50)
        relay.process.kill()
        await asyncio.wait_for(writing, LIMIT_S)
        if round_number == 0:  # nobody takes over: it must go by itself
            await until(lambda: servers_below(folder) == [], limit_s=3.0)
    async with EmbeddedServer(folder, durable=True) as server:  # at once
        assert server.owned
        assert await keys(server.url) >= acknowledged
        assert len(servers_below(folder)) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_to_the_process_group_spares_the_server_until_the_relay_has_drained(
    folder: Path, relays: Callable[[], Relay], number: signal.Signals
) -> None:
    relay = relays()
    _, _, url = await relay.line()
    pid = only_server(folder)
    os.killpg(relay.process.pid, number)
    assert await relay.line() == ["signalled"]
    written: set[str] = set()
    deadline_s = time.monotonic() + 0.3  # the server looks for signals ten times a second
    while time.monotonic() < deadline_s:
        written |= await write(url, f"draining:{len(written)}", 20)
    assert only_server(folder) == pid
    relay.go_on()
    assert await relay.line() == ["stopped"]
    assert servers_below(folder) == []
    assert await relay.ended() == 0
    async with EmbeddedServer(folder, durable=True) as server:
        assert await keys(server.url) == written


async def test_relays_started_at_once_share_one_server(
    folder: Path, relays: Callable[[], Relay]
) -> None:
    started = [relays() for _ in range(4)]
    ready = await asyncio.gather(*(relay.line() for relay in started))
    assert sorted(role for _, role, _ in ready) == ["attached"] * 3 + ["owned"]
    (url,) = {url for _, _, url in ready}
    pid = only_server(folder)
    written = set[str]().union(
        *await asyncio.gather(*(write(url, f"w{number}", 20) for number in range(4)))
    )
    assert only_server(folder) == pid

    # They go in any order, one of them hard; whoever is left has everything.
    started.sort(key=lambda relay: relay.process.pid, reverse=True)
    first, second, third, last = started
    first.process.kill()
    os.kill(second.process.pid, signal.SIGTERM)
    second.go_on()
    third.process.kill()
    for relay in (first, second, third):
        await relay.ended()
    note = folder / "relay.lock"
    await until(lambda: json.loads(note.read_text())["relay_pid"] == last.process.pid)
    while await server_process.ping(folder / "valkey.sock") is not server_process.Answer.READY:
        await asyncio.sleep(0.01)
    assert await keys(url) == written


async def test_the_next_relay_takes_over_when_the_first_stops(folder: Path) -> None:
    async with EmbeddedServer(folder, durable=True) as first:
        pid = only_server(folder)
        states: list[ServerState] = []
        second = EmbeddedServer(folder, durable=True, on_state=states.append)
        await second.start()
        try:
            assert not second.owned
            assert second.url == first.url
            assert only_server(folder) == pid
            written = await write(second.url, "a", 20)
            await first.stop()
            await until(lambda: second.owned and second.state is ServerState.READY)
            assert only_server(folder) != pid
            assert await keys(second.url) == written
            assert states == [
                ServerState.STARTING,
                ServerState.READY,
                ServerState.DOWN,
                ServerState.READY,
            ]
        finally:
            await second.stop()


async def test_an_attached_relay_that_stops_leaves_the_server_alone(folder: Path) -> None:
    async with EmbeddedServer(folder, durable=True) as owner:
        pid = only_server(folder)
        async with EmbeddedServer(folder, durable=True) as other:
            assert not other.owned
        assert only_server(folder) == pid
        assert owner.socket_path.is_socket()
        await write(owner.url, "a", 1)


async def test_an_attached_relay_sees_the_server_come_and_go(folder: Path) -> None:
    states: list[ServerState] = []
    async with (
        EmbeddedServer(folder, durable=True),
        EmbeddedServer(folder, durable=True, on_state=states.append) as attached,
    ):
        os.kill(only_server(folder), signal.SIGSTOP)
        await until(lambda: attached.state is ServerState.DOWN)
        os.kill(only_server(folder), signal.SIGCONT)
        await until(lambda: attached.state is ServerState.READY)
        assert not attached.owned


async def test_a_stopped_orphan_is_cleared_away(
    folder: Path, relays: Callable[[], Relay], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "_ORPHAN_SILENCE_S", 0.5)
    relay = relays()
    _, _, url = await relay.line()
    written = await write(url, "a", 20)
    orphan = only_server(folder)
    # A server on another folder, stopped as well, is none of our business.
    bystander = EmbeddedServer(folder.with_name("other"), durable=True)
    await bystander.start()
    try:
        bystander_pid = only_server(folder.with_name("other"))
        os.kill(bystander_pid, signal.SIGSTOP)
        os.kill(orphan, signal.SIGSTOP)
        relay.process.kill()
        await relay.ended()
        # A lie in the note leads nobody to kill the wrong process.
        note = json.loads((folder / "relay.lock").read_text())
        (folder / "relay.lock").write_text(json.dumps({**note, "server_pid": os.getpid()}))
        async with EmbeddedServer(folder, durable=True) as server:
            assert server.owned
            assert only_server(folder) != orphan
            assert await keys(server.url) == written
        assert only_server(folder.with_name("other")) == bystander_pid
    finally:
        os.kill(bystander_pid, signal.SIGCONT)
        await bystander.stop()


async def test_an_orphan_that_got_no_death_signal_is_asked_to_go(folder: Path) -> None:
    """As it is where there is no death signal: the server lives on without its relay."""
    abandoned = data_folder.DataFolder(folder)
    assert abandoned.try_relay_lock()
    assert abandoned.try_server_lock()
    process = server_process.spawn(
        server_process.find_program(),
        abandoned.path,
        abandoned.place_socket(),
        durable=True,
        lock_fd=abandoned.server_lock_fd,
    )
    try:
        abandoned.close()
        while await server_process.ping(folder / "valkey.sock") is not server_process.Answer.READY:
            await asyncio.sleep(0.005)
        written = await write(f"unix://{folder}/valkey.sock", "a", 5)
        async with EmbeddedServer(folder, durable=True) as server:
            assert process.poll() == 0
            assert len(servers_below(folder)) == 1
            assert await keys(server.url) == written
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


async def test_no_server_starts_while_another_holds_the_folder(folder: Path) -> None:
    """The lock is the server's too: a relay whose orphan can't be cleared starts none."""
    held = data_folder.DataFolder(folder)
    assert held.try_server_lock()
    server = EmbeddedServer(folder, durable=True)
    with pytest.raises(EmbeddedServerError, match=r"did not answer for 0\.3 s"):
        await asyncio.wait_for(server.start(silence_limit_s=0.3), LIMIT_S)
    assert servers_below(folder) == []
    held.close()
    async with server:
        assert len(servers_below(folder)) == 1


# --- the launcher ---------------------------------------------------------------------------

LAUNCHER = [sys.executable, "-I", "-S", str(ROOT / "relay" / "store" / "die_with_parent.py")]


def test_nothing_is_run_for_a_parent_that_died_before_the_death_signal_was_set() -> None:
    done = subprocess.run(
        [*LAUNCHER, str(os.getppid()), sys.executable, "-c", "print('running')"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "the parent process has died\n"


def test_no_environment_is_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELAY_SECRET", "do-not-hand-on")
    done = subprocess.run(
        [*LAUNCHER, str(os.getpid()), sys.executable, "-c", "import os; print(*os.environb)"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.returncode == 0
    assert "RELAY_SECRET" not in done.stdout


def test_a_blocked_signal_is_let_through() -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        process = subprocess.Popen(
            [*LAUNCHER, str(os.getpid()), sys.executable, "-c", "print(1, flush=True); input()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"1\n"
        process.terminate()
        assert process.wait(LIMIT_S) == -signal.SIGTERM


# --- long paths ----------------------------------------------------------------------------


@pytest.fixture
def short_tmp(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


async def test_a_path_too_long_for_a_socket_gets_a_short_private_one(
    tmp_path: Path, short_tmp: Path
) -> None:
    folder = tmp_path / ("n" * 120)
    async with EmbeddedServer(folder, durable=True) as first:
        (place,) = short_tmp.iterdir()
        assert first.socket_path.parent == place
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert json.loads((folder / "relay.lock").read_text())["socket"] == str(first.socket_path)
        written = await write(first.url, "a", 5)
        async with EmbeddedServer(folder, durable=True) as second:
            assert second.url == first.url
            assert not second.owned
            await first.stop()
            await until(lambda: second.owned and second.state is ServerState.READY)
            assert second.url == first.url  # clients that hold it find the new server
            assert await keys(second.url) == written
    assert list(short_tmp.iterdir()) == []


async def test_a_copied_folder_does_not_lead_to_the_server_of_the_original(
    tmp_path: Path, short_tmp: Path
) -> None:
    original, copy = tmp_path / ("o" * 120), tmp_path / ("c" * 120)
    async with EmbeddedServer(original, durable=True) as first:
        copy.mkdir(mode=0o700)
        (copy / "relay.lock").write_bytes((original / "relay.lock").read_bytes())
        async with EmbeddedServer(copy, durable=True) as second:
            assert second.url != first.url
            await write(second.url, "a", 1)
            assert await keys(first.url) == set()


async def test_a_temporary_folder_that_another_made_open_is_not_used(
    tmp_path: Path, short_tmp: Path
) -> None:
    folder = tmp_path / ("n" * 120)
    async with EmbeddedServer(folder, durable=True) as server:
        old = server.socket_path.parent
    old.mkdir(mode=0o777)
    old.chmod(0o777)
    async with EmbeddedServer(folder, durable=True) as server:
        assert server.socket_path.parent != old
    old.rmdir()
    assert list(short_tmp.iterdir()) == []


# --- what a person can do wrong ------------------------------------------------------------


def one_line(error: pytest.ExceptionInfo[EmbeddedServerError]) -> str:
    message = str(error.value)
    assert "\n" not in message
    return message


async def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(EmbeddedServerError) as error:
            await EmbeddedServer(path, durable=True).start()
        assert "a file of that name is in the way. Give the path of a folder" in one_line(error)


@contextlib.contextmanager
def without_the_rights_of_root() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


async def test_a_folder_that_may_not_be_written(folder: Path) -> None:
    folder.mkdir(mode=0o500)
    with without_the_rights_of_root(), pytest.raises(EmbeddedServerError) as error:
        await EmbeddedServer(folder, durable=True).start()
    assert "Permission denied. Give a folder that belongs to the user" in one_line(error)


async def test_a_folder_of_other_things_is_not_shut_to_other_users(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o755)
    (folder / "passwd").write_text("")
    with pytest.raises(EmbeddedServerError) as error:
        await EmbeddedServer(folder, durable=True).start()
    assert "has other files in it. Give a folder of its own" in one_line(error)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    folder.chmod(0o700)  # as it advises
    async with EmbeddedServer(folder, durable=True) as server:
        assert server.owned


async def test_data_that_the_server_refuses(folder: Path) -> None:
    async with EmbeddedServer(folder, durable=True):
        pass
    (log,) = (folder / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(b"this is no append-only file\r\n")
    server = EmbeddedServer(folder, durable=True)
    with pytest.raises(EmbeddedServerError) as error:
        await server.start(silence_limit_s=3)
    assert "does not start (exit code 1)" in one_line(error)
    assert "append only file" in one_line(error)
    assert str(folder / "valkey.log") in one_line(error)
    assert server.state is ServerState.STOPPED


async def test_a_machine_without_a_binary(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    with pytest.raises(EmbeddedServerError) as error:
        await EmbeddedServer(folder, durable=True).start()
    assert "(linux riscv64)" in one_line(error)
    assert "give its address" in one_line(error)
    assert not folder.exists()


async def test_a_file_system_without_locks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(EmbeddedServerError) as error:
        await EmbeddedServer(folder, durable=True).start()
    assert "has no file locks" in one_line(error)


async def test_before_the_start_there_is_no_address(folder: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="before it is started"):
        _ = EmbeddedServer(folder, durable=True).url
