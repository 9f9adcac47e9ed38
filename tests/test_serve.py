"""`relay serve` as its operators know it: settings, start, stop, and the loss of any of its parts."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import stat
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest
from redis.asyncio import Redis
from websockets.exceptions import ConnectionClosed

from relay.api.auth import KeyScope
from relay.keyfile import KeyFile, ring_text
from relay.rig.process import children
from relay.rig.waiting import until
from relay.settings import Settings, load
from relay.store.embedded import EmbeddedServer
from relay.store.server_process import find_program, server_arguments
from tests.cli.commands import Quickly, relay_command
from tests.conftest import ROOMY
from tests.support.party import Party
from tests.support.planted import files_in, processes_from
from tests.support.relay import RelayProcess

# --- what is seen of a relay -----------------------------------------------------------------------


def running(*pids: int) -> list[int]:
    """Which of these processes still run. One that has ended and waits to be reaped does not."""
    found = []
    for pid in pids:
        with suppress(OSError, IndexError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(pid)
    return found


def everything(relay: RelayProcess) -> list[int]:
    """The process ids of a relay, its workers and its store."""
    assert relay.process is not None
    return [relay.process.pid, *(pid for pid, _ in children(relay.process.pid))]


def servers_on(folder: Path) -> list[int]:
    """The store servers whose data is in this folder."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            program = os.readlink(entry / "exe").rpartition("/")[2]
            if program.startswith("valkey-server") and os.readlink(entry / "cwd") == str(folder):
                found.append(int(entry.name))
    return running(*found)


async def nothing_runs(pids: list[int], within_s: float = 5.0) -> None:
    await until(lambda: not running(*pids), f"{pids} end", within_s)


async def ask(relay: RelayProcess, path: str, within_s: float = 10.0) -> httpx2.Response:
    """A GET, answered by whichever worker is the first of those that it reaches.

    Each try is a connection of its own, and the system gives it to any worker, a frozen one too.
    """

    async def one() -> httpx2.Response:
        async with httpx2.AsyncClient(timeout=within_s, trust_env=False, verify=False) as http:
            headers = {"Authorization": f"Bearer {relay.key}"}
            return await http.get(relay.api_url + path, headers=headers)

    async def answer() -> httpx2.Response | None:
        tries = [asyncio.create_task(one()) for _ in range(5)]
        try:
            for first in asyncio.as_completed(tries, timeout=1.5):
                with suppress(httpx2.HTTPError, TimeoutError):
                    return await first
            return None
        finally:
            for task in tries:
                task.cancel()
            await asyncio.gather(*tries, return_exceptions=True)

    found: httpx2.Response = await until(answer, f"an answer to {path}", within_s)
    return found


async def ready(relay: RelayProcess, within_s: float = 10.0) -> None:
    async def is_ready() -> bool:
        return (await ask(relay, "/readyz")).status_code == 200

    await until(is_ready, "the relay is ready", within_s)


async def metric(relay: RelayProcess, name: str) -> float:
    text = (await ask(relay, "/metrics")).text
    found = re.search(rf"^{name}(?:_total)? (\S+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


async def talk(relay: RelayProcess, trip: str, text: str = "halo") -> dict[str, str]:
    """Open a trip and see that a message passes; give the tokens."""
    tokens = await relay.open_trip(trip)
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    customer = await Party.attach(relay.gateway_url, tokens["customer"])
    await driver.accepted(text)
    await customer.hear("message", text=text)
    return tokens


async def texts_of(relay: RelayProcess, token: str) -> list[str]:
    """What a party that has nothing yet is given."""
    return (await Party.attach(relay.gateway_url, token)).texts()


# --- settings --------------------------------------------------------------------------------------


def test_flags_go_before_the_environment_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "relay.toml"
    file.write_text('workers = 4\ntext_bytes = 111\nping_s = 7\nlog_level = "error"\n')
    environment = {
        "RELAY_WORKERS": "3",
        "RELAY_TEXT_BYTES": "222",
        "RELAY_OTHER": "x",
        "TEXT_BYTES": "9",
    }
    found = load({"workers": 2}, environment, file)
    assert (found.workers, found.text_bytes, found.ping_s, found.log_level) == (
        2,
        222,
        7.0,
        "error",
    )
    assert found.in_flight == Settings().in_flight


def _modes(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode)
        for path in folder.rglob("*")
    }


async def test_a_relay_has_its_settings_and_a_private_folder(tmp_path: Path) -> None:
    """Whatever the umask, nobody else can read the store, its socket, its log or the keys."""
    relay = RelayProcess(
        tmp_path, "--workers", "1", workers=3, text_bytes=111, posts_per_s=7, ping_s=9,
        environment={"RELAY_WORKERS": "2", "RELAY_TEXT_BYTES": "222"},
    )  # fmt: skip
    before = os.umask(0)
    try:
        relay.spawn()
    finally:
        os.umask(before)
    await _started(relay)
    try:
        assert len(relay.workers()) == 1
        driver = await Party.attach(relay.gateway_url, (await relay.open_trip("set"))["driver"])
        limits = driver.attached["limits"]
        assert (limits["text_bytes"], limits["posts_per_s"], limits["ping_s"]) == (222, 7, 9)
        assert f"embedded store in {relay.data}; 1 worker(s)" in relay.log.read_text()

        await driver.accepted("a text that lies in the append-only file")
        assert stat.S_IMODE(relay.data.stat().st_mode) == 0o700
        modes = _modes(relay.data)
        files = {"keyring.json", "valkey.log", "valkey.sock", "relay.lock", "server.lock"}
        assert files <= set(modes)
        assert any(name.endswith(".aof") for name in modes)
        assert not {name: oct(mode) for name, mode in modes.items() if mode & 0o077}
        assert not any(b"a text that lies" in part for part in files_in(relay.data))
    finally:
        await relay.stop()
    modes = _modes(relay.data)
    assert not {name: oct(mode) for name, mode in modes.items() if mode & 0o077}
    assert "valkey.sock" not in modes


async def _started(relay: RelayProcess) -> None:
    """Wait until a relay serves that was spawned before."""
    spawn, relay.spawn = relay.spawn, lambda: None  # type: ignore[method-assign]
    try:
        await relay.start()
    finally:
        relay.spawn = spawn  # type: ignore[method-assign]


@dataclass(frozen=True)
class Refusal:
    """What a relay cannot be started with, and what the line that says so holds."""

    says: list[str]
    toml: str | bytes = ""
    flags: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)


SECRET = "hemmelig-7d1f"

REFUSALS: dict[str, Refusal] = {
    "an unknown key": Refusal(["relay.toml", "`colour`"], "colour = 1"),
    "a table": Refusal(["relay.toml", "`limits`"], "[limits]\nworkers = 1"),
    "a key that is no name": Refusal(["relay.toml", "no setting has"], f'"{SECRET} x" = 1'),
    "no TOML": Refusal(["relay.toml", "not TOML", "line 2"], f"workers = 1\nredis = {SECRET}"),
    "no UTF-8": Refusal(["relay.toml", "not TOML"], b"\xff\xfe"),
    "a key twice": Refusal(["relay.toml", "not TOML"], f'workers = 1\nworkers = "{SECRET}"'),
    "an endless number": Refusal(["relay.toml"], "workers = 1" + "0" * 5000),
    "a deep list": Refusal(["relay.toml"], "workers = " + "[" * 20_000),
    "no file": Refusal(["cannot be read"], flags=("--config", "/nowhere/relay.toml")),
    "a folder for a file": Refusal(["cannot be read"], flags=("--config", "/")),
    "a text for a number": Refusal(["workers", "whole number"], f'workers = "{SECRET}"'),
    "a list for a number": Refusal(["ping_s", "number"], "ping_s = [1]"),
    "a date": Refusal(["data", "text"], "data = 2026-01-01"),
    "a number for a text": Refusal(["redis", "text"], "redis = 6379"),
    "true for a number": Refusal(["workers", "whole number"], "workers = true"),
    "a fraction": Refusal(["workers", "whole number"], "workers = 1.5"),
    "not a number": Refusal(["drain_s", "number"], "drain_s = nan"),
    "without end": Refusal(["ping_s", "number"], "ping_s = inf"),
    "too large for a number": Refusal(["drain_s", "number"], "drain_s = 1" + "0" * 400),
    "no workers": Refusal(["workers"], flags=("--workers", "0")),
    "too many workers": Refusal(["workers", "256"], environment={"RELAY_WORKERS": "6281234567890"}),
    "a negative time": Refusal(["pong_timeout_s"], "pong_timeout_s = -1"),
    "a text longer than a frame": Refusal(["text_bytes", "8000"], "text_bytes = 8001"),
    "a word in the environment": Refusal(
        ["RELAY_IN_FLIGHT", "whole number"], environment={"RELAY_IN_FLIGHT": SECRET}
    ),
    "an unknown level": Refusal(["log_level", "debug"], flags=("--log-level", SECRET)),
    "an unknown durability": Refusal(["durability", "disk"], f'durability = "{SECRET}"'),
    "no port": Refusal(["gateway", "HOST:PORT"], flags=("--gateway", "127.0.0.1")),
    "a port too high": Refusal(["api", "HOST:PORT"], flags=("--api", "127.0.0.1:65536")),
    "an endless port": Refusal(["api", "HOST:PORT"], flags=("--api", "127.0.0.1:" + "9" * 5000)),
    "no host": Refusal(["gateway", "HOST:PORT"], flags=("--gateway", f"{SECRET} x:80")),
    "a host that is too long": Refusal(["gateway"], flags=("--gateway", "a" * 70 + ".invalid:0")),
    "an address of another machine": Refusal(["gateway"], flags=("--gateway", "192.0.2.1:0")),
    "a gateway's URL for browsers": Refusal(["gateway_url", "ws://"], 'gateway_url = "https://x"'),
    "another database": Refusal(
        ["redis", "redis://"], environment={"RELAY_REDIS": f"postgres://u:{SECRET}@db/0"}
    ),
    "a port that is none": Refusal(
        ["redis", "URL"], environment={"RELAY_REDIS": f"redis://u:{SECRET}@db:x/0"}
    ),
    "half an address": Refusal(
        ["redis", "URL"], environment={"RELAY_REDIS": f"redis://u:{SECRET}@[::1/0"}
    ),
    "no host of the store": Refusal(["redis"], f'redis = "unix://"\nkeyring_file = "{SECRET}"'),
    "an external store without keys": Refusal(
        ["keyring_file", "relay keyring new", "RELAY_KEYRING"], f'redis = "redis://:{SECRET}@db/0"'
    ),
    "a key ring that is not there": Refusal(
        ["no key ring", "nowhere.json"], 'redis = "unix:///nowhere"\nkeyring_file = "/nowhere.json"'
    ),
    "no key ring in the environment": Refusal(
        ["RELAY_KEYRING"], 'redis = "unix:///nowhere"', environment={"RELAY_KEYRING": SECRET}
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
async def quickly() -> AsyncIterator[Quickly]:
    """Runs commands in one process."""
    one = await Quickly.start()
    yield one
    await one.stop()


@pytest.mark.parametrize("what", REFUSALS)
async def test_it_refuses_in_one_line(what: str, quickly: Quickly, tmp_path: Path) -> None:
    """Exit code 3, one line that says which setting and no secret, and nothing begun."""
    refusal = REFUSALS[what]
    file, data = tmp_path / "relay.toml", tmp_path / "data"
    file.write_bytes(refusal.toml if isinstance(refusal.toml, bytes) else refusal.toml.encode())
    ports = ("--gateway", "127.0.0.1:0", "--api", "127.0.0.1:0")
    done = await quickly(
        "serve", "--config", file, "--data", data, *ports, *refusal.flags, **refusal.environment
    )
    assert (done.code, done.out) == (3, "")
    assert re.fullmatch(r"relay: [^\n]+\n", done.err), done.err
    for word in refusal.says:
        assert word in done.err
    assert SECRET not in done.err
    assert not data.exists()


async def test_it_refuses_a_ring_or_a_folder_that_others_can_read(
    quickly: Quickly, relay: RelayProcess, tmp_path: Path
) -> None:
    ring = tmp_path / "ring.json"
    KeyFile(ring).create(0, 1)
    ring.chmod(0o644)
    crowded = tmp_path / "crowded"
    crowded.mkdir(mode=0o755)
    letter = crowded / "letter.txt"
    letter.touch()
    for flags, says in (
        (("--redis", relay.store_url, "--keyring-file", ring), "(mode 0644), so it is not used"),
        (("--data", tmp_path / "own", "--keyring-file", ring), "(mode 0644), so it is not used"),
        (("--data", crowded), "can be read by other users"),
        (("--data", letter), "a file of that name is in the way"),
    ):
        done = await quickly("serve", "--gateway", "127.0.0.1:0", "--api", "127.0.0.1:0", *flags)
        assert (done.code, done.out) == (3, "")
        assert re.fullmatch(r"relay: [^\n]+\n", done.err), done.err
        assert says in done.err
    assert not (tmp_path / "own").exists()


async def test_it_refuses_a_store_whose_data_it_does_not_know(
    relay: RelayProcess, tmp_path: Path
) -> None:
    """A newer version has been there: going on would harm what it wrote."""
    ring = tmp_path / "ring.json"
    KeyFile(ring).create(0, 1)
    async with EmbeddedServer(tmp_path / "store", durable=False) as server:
        async with Redis.from_url(server.url) as redis:
            await redis.set("relay:schema", "999")
        folder = tmp_path / "relay"
        folder.mkdir()
        other = RelayProcess(folder, redis=server.url, keyring_file=str(ring))
        other.spawn()
        assert other.process is not None
        await until(lambda: other.process.poll() is not None, "it ends", 20)  # type: ignore[union-attr]
        assert other.process.returncode == 3
        log = other.log.read_text()
        assert "schema 999" in log and "another store" in log and "Traceback" not in log


async def test_it_refuses_the_ports_of_another_relay(relay: RelayProcess, tmp_path: Path) -> None:
    """As a process of its own; the other relay goes on."""
    ports = {"gateway": relay.gateway_url[5:].partition("/")[0], "api": relay.api_url[7:]}

    async def refused(name: str) -> None:
        free = {"gateway": "127.0.0.1:0", "api": "127.0.0.1:0"} | {name: ports[name]}
        flags = [word for one, where in free.items() for word in (f"--{one}", where)]
        done = await relay_command("serve", "--data", tmp_path / "data", *flags)
        problem = f"relay: {name}: {ports[name]} cannot be used (Address already in use)\n"
        assert (done.code, done.out, done.err) == (3, "", problem)

    await asyncio.gather(*map(refused, ports))
    assert not (tmp_path / "data").exists()
    await talk(relay, "undisturbed")


async def test_a_store_that_is_not_there(tmp_path: Path) -> None:
    """A line of the worker says why, the last line that it was all in vain; nothing is left."""
    ring = tmp_path / "ring.json"
    now_ms = int(asyncio.get_running_loop().time() * 1000)
    KeyFile(ring).create(now_ms, 1)
    url = f"redis://:{SECRET}@127.0.0.1:1/0"
    done = await relay_command(
        "serve", "--gateway", "127.0.0.1:0", "--api", "127.0.0.1:0", "--keyring-file", ring,
        RELAY_REDIS=url,
    )  # fmt: skip
    assert done.code == 3
    assert "the store at 127.0.0.1:1 does not answer" in done.err
    assert done.err.splitlines()[-1].startswith("relay: the workers could not start")
    assert SECRET not in done.err


# --- an external store -----------------------------------------------------------------------------


@pytest.fixture
async def external(tmp_path: Path) -> AsyncIterator[str]:
    """A store that belongs to nobody's relay, with a password."""
    path = tmp_path / "external.sock"
    arguments = [*server_arguments(path, durable=False), "--requirepass", SECRET]
    process = await asyncio.create_subprocess_exec(
        find_program(), *arguments, cwd=tmp_path, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        await until(path.exists, "the external store listens")
        yield f"unix://:{SECRET}@{path}"
    finally:
        process.kill()
        await process.wait()


async def test_an_external_store_with_keys_in_a_file_and_in_the_environment(
    external: str, tmp_path: Path
) -> None:
    """Two relays, each of which has the same ring from another place, serve one trip."""
    ring = tmp_path / "ring.json"
    made = await relay_command("keyring", "new", "--file", ring, "--days", "2")
    assert made.code == 0, made
    folders = [tmp_path / name for name in ("file", "variable")]
    for folder in folders:
        folder.mkdir()
    one = RelayProcess(folders[0], redis=external, keyring_file=str(ring), **ROOMY)
    other = RelayProcess(
        folders[1], redis=external, environment={"RELAY_KEYRING": ring_text(KeyFile(ring).read())},
        **ROOMY,
    )  # fmt: skip
    await asyncio.gather(one.start(), other.start())
    try:
        tokens = await one.open_trip("shared")
        driver = await Party.attach(one.gateway_url, tokens["driver"])
        customer = await Party.attach(other.gateway_url, tokens["customer"])
        await driver.accepted("to and fro", id="a")
        await customer.hear("message", id="a")
        await customer.accepted("fro and to", id="b")
        await driver.hear("message", id="b")
        for relay in (one, other):
            # No store of its own, no folder, and the password in no place that others can read.
            assert not relay.data.exists()
            assert "external store" in relay.log.read_text()
            assert SECRET not in relay.log.read_text()
            assert relay.process is not None
            shown = processes_from(relay.process.pid)
            assert len(shown) == 2 * (1 + 1)
            assert not any(SECRET.encode() in part for part in shown)
        assert (await other.end_trip("shared"))["state"] == "closed"
        assert await driver.closed() == 4500
        # A relay that ends takes nothing of a store that is not its own.
        await one.stop()
        assert (await other.call("GET", "/v1/trips/shared")).json()["state"] == "closed"
        await talk(other, "after")
    finally:
        await one.end(signal.SIGTERM)
        await other.stop()
    # Nobody rotates a ring that was named but whoever made it.
    assert not (tmp_path / "ring.json.new").exists()


# --- the end of a relay ----------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_while_it_starts(tmp_path: Path, number: signal.Signals) -> None:
    relay = RelayProcess(tmp_path)
    relay.spawn()
    assert relay.process is not None
    pid = relay.process.pid
    await until(lambda: len(children(pid)) == 2 or relay.process.poll() is not None, "it starts")  # type: ignore[union-attr]
    pids = everything(relay)
    await relay.end(number)
    assert relay.process.returncode == 0, relay.log.read_text()
    await nothing_runs(pids)
    assert servers_on(relay.data) == []


async def test_ctrl_c_drains_before_the_store_goes(tmp_path: Path) -> None:
    """A terminal sends SIGINT to all at once: apps are sent away, none hears of a store away, and
    every message that was accepted is there afterwards."""
    relay = RelayProcess(tmp_path, "--workers", "2", **ROOMY | {"drain_s": 1})
    async with relay:
        trips = [await relay.open_trip(f"busy-{number}") for number in range(8)]
        drivers = [await Party.attach(relay.gateway_url, tokens["driver"]) for tokens in trips]

        async def post_on(driver: Party) -> None:
            with suppress(ConnectionClosed):
                while True:
                    await driver.post("x")
                    await asyncio.sleep(0.005)

        posting = [asyncio.create_task(post_on(driver)) for driver in drivers]
        await until(lambda: all(len(one.all("accepted")) > 3 for one in drivers), "all are busy")
        assert relay.process is not None
        pids = everything(relay)
        assert [pid for pid in pids if os.getpgid(pid) == relay.process.pid] == [pids[0]]
        os.killpg(relay.process.pid, signal.SIGINT)
        closed_s = await asyncio.gather(*(_closed_at_s(driver) for driver in drivers))
        await asyncio.gather(*posting)
        await until(lambda: relay.process.poll() is not None, "the relay ends")  # type: ignore[union-attr]
        assert relay.process.returncode == 0
        assert {driver.close_code for driver in drivers} == {4000}
        assert max(closed_s) - min(closed_s) > 0.25, "all were sent away at once"
        assert running(*pids) == []
        for driver in drivers:
            assert not driver.all("unsure")
            assert "store_away" not in {frame["code"] for frame in driver.all("refused")}

        # Started again on the same folder it has all of it; SIGTERM ends it as well.
        await relay.start()
        for driver, tokens in zip(drivers, trips, strict=True):
            replayed = await Party.attach(relay.gateway_url, tokens["customer"])
            stored = [frame["id"] for frame in replayed.all("message")]
            assert [frame["id"] for frame in driver.all("accepted")] == stored
        assert (await relay.open("busy-0")).status_code == 200
        pids = everything(relay)
        assert len(pids) == 1 + 2 + 1
        await relay.end(signal.SIGTERM)
        assert relay.process.returncode == 0
        assert running(*pids) == []
        assert "relay: draining\n" in relay.log.read_text()


async def _closed_at_s(party: Party) -> float:
    await party.closed()
    return asyncio.get_running_loop().time()


# --- the loss of a part ----------------------------------------------------------------------------


async def test_the_parent_killed(tmp_path: Path) -> None:
    """Workers and store end by themselves, and a relay started at once has ports and data."""
    relay = RelayProcess(tmp_path, "--workers", "2", **ROOMY | {"drain_s": 30})
    async with relay:
        trips = [await relay.open_trip(f"orphan-{number}") for number in range(12)]
        drivers = [await Party.attach(relay.gateway_url, tokens["driver"]) for tokens in trips]
        for number, driver in enumerate(drivers):
            await driver.accepted(f"text {number}")
        orphans = everything(relay)[1:]
        assert len(orphans) == 3
        ports = (relay.gateway_url, relay.api_url)
        assert relay.process is not None
        relay.process.kill()
        relay.process.wait()
        await relay.start()
        assert (relay.gateway_url, relay.api_url) == ports
        await nothing_runs(orphans, 3)
        assert len(servers_on(relay.data)) == 1
        for driver in drivers:
            await driver.closed()
        for number, tokens in enumerate(trips):
            assert await texts_of(relay, tokens["customer"]) == [f"text {number}"]
        await talk(relay, "anew")
        pids = everything(relay)
        await relay.end(signal.SIGKILL)
        await nothing_runs(pids, 3)
        await until(lambda: not servers_on(relay.data), "the store ends", 3)


async def test_the_parent_killed_before_it_has_read_what_a_worker_said(tmp_path: Path) -> None:
    """A worker's question lies unread in a parent that hangs and is killed: that is no end of file,
    and must end the worker all the same."""
    relay = RelayProcess(tmp_path, **ROOMY)
    async with relay:
        pids = everything(relay)
        assert relay.process is not None
        relay.process.send_signal(signal.SIGSTOP)
        answer = await relay.call("GET", "/readyz")
        assert "workers_silent" in answer.text
        relay.process.kill()
        relay.process.wait()
        await nothing_runs(pids[1:], 3)


async def test_the_store_killed(relay: RelayProcess) -> None:
    """It comes back by itself, with all that was accepted."""
    tokens = await relay.open_trip("store")
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    for number in range(50):
        await driver.post("x", id=f"p{number}")
    await until(lambda: len(driver.all("accepted")) >= 25, "half of them are accepted")
    store = relay.store_pid()
    os.kill(store, signal.SIGKILL)
    await until(lambda: "store_back" in relay.log.read_text(), "the store is back")
    await ready(relay)
    assert relay.store_pid() != store
    replayed = await Party.attach(relay.gateway_url, tokens["customer"])
    stored = [frame["id"] for frame in replayed.all("message")]
    accepted = [frame["id"] for frame in driver.all("accepted")]
    assert len(accepted) >= 25
    assert [post_id for post_id in stored if post_id in accepted] == accepted
    assert len(set(stored)) == len(stored)
    await talk(relay, "store-2")


# --- several --------------------------------------------------------------------------------------


async def test_two_relays_started_at_once_share_one_store(tmp_path: Path) -> None:
    """Whichever owns the server ends, and the other takes it over with all data."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    one = RelayProcess(tmp_path / "one", **ROOMY)
    other = RelayProcess(tmp_path / "other", **ROOMY)
    other.data = one.data
    one.spawn()
    other.spawn()
    async with asyncio.timeout(30):
        await asyncio.gather(_started(one), _started(other))
    try:
        (server,) = servers_on(one.data)
        assert len(everything(one)) + len(everything(other)) == 2 + 2 + 1
        tokens = await one.open_trip("both")
        driver = await Party.attach(one.gateway_url, tokens["driver"])
        customer = await Party.attach(other.gateway_url, tokens["customer"])
        await driver.accepted("through one store", id="a")
        await customer.hear("message", id="a")

        owner, heir = (one, other) if server in everything(one) else (other, one)
        await owner.stop()
        assert owner.process is not None
        assert owner.process.returncode == 0
        await ready(heir)
        (following,) = servers_on(one.data)
        assert following != server
        assert following in everything(heir)
        assert await texts_of(heir, tokens["customer"]) == ["through one store"]
        await talk(heir, "inherited")
    finally:
        for relay in (one, other):
            await relay.stop()
    assert servers_on(one.data) == []


@pytest.fixture(scope="module")
async def crew(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RelayProcess]:
    """A relay with two workers."""
    folder = tmp_path_factory.mktemp("crew")
    async with RelayProcess(folder, "--workers", "2", **ROOMY) as running_relay:
        yield running_relay


async def test_metrics_and_readiness_speak_for_all_workers(crew: RelayProcess) -> None:
    trips = [await crew.open_trip(f"m-{number}") for number in range(12)]
    for number, tokens in enumerate(trips):
        driver = await Party.attach(crew.gateway_url, tokens["driver"])
        for _ in range(number):
            await driver.accepted("x")
    for _ in range(4):  # whichever worker is asked
        assert await metric(crew, "relay_accepted") == sum(range(12))
        assert await metric(crew, "relay_connections") == 12
        assert await metric(crew, "relay_workers") == 2
    assert (await ask(crew, "/readyz")).status_code == 200
    scraper = await crew.new_key(KeyScope.METRICS)
    url, headers = f"{crew.api_url}/metrics", {"Authorization": f"Bearer {scraper}"}
    assert (await crew.http.get(url, headers=headers)).status_code == 200
    assert (await crew.http.get(url)).status_code == 401

    frozen = crew.workers()[0]
    os.kill(frozen, signal.SIGSTOP)
    try:
        answer = await ask(crew, "/readyz")
        assert answer.status_code == 503
        assert answer.json()["problems"] == ["workers_missing"]
        assert await metric(crew, "relay_workers") == 1
        assert (await ask(crew, "/livez")).status_code == 200
    finally:
        os.kill(frozen, signal.SIGCONT)
    await ready(crew)
    assert await metric(crew, "relay_workers") == 2


async def test_one_of_two_killed_does_not_touch_the_other(crew: RelayProcess) -> None:
    trips = [await crew.open_trip(f"two-{number}") for number in range(16)]
    drivers = [await Party.attach(crew.gateway_url, tokens["driver"]) for tokens in trips]
    for driver in drivers:
        await driver.accepted("before")
    victim, survivor = crew.workers()
    os.kill(victim, signal.SIGKILL)
    await until(lambda: len(set(crew.workers()) - {victim}) == 2, "another worker is there")
    assert survivor in crew.workers()
    await ready(crew)
    cut = [driver for driver in drivers if driver.close_code is not None]
    assert 0 < len(cut) < len(drivers), "the connections were not spread over both workers"
    for index, driver in enumerate(drivers):
        if driver in cut:
            drivers[index] = await Party.attach(crew.gateway_url, trips[index]["driver"])
            assert drivers[index].texts() == ["before"]
        await drivers[index].accepted("after")
    for tokens in trips:
        assert await texts_of(crew, tokens["customer"]) == ["before", "after"]
    assert await metric(crew, "relay_workers") == 2
    assert crew.log.read_text().count("worker_died") == 1

    # And both at the same time: the store was never gone.
    store, workers = crew.store_pid(), crew.workers()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: len(set(crew.workers()) - set(workers)) == 2, "two other workers are there")
    await ready(crew)
    assert crew.store_pid() == store
    for tokens in trips:
        assert await texts_of(crew, tokens["customer"]) == ["before", "after"]
