"""The ways into a store that is not the relay's own: each topology over TLS, and as a user who may do no
more than the relay has to. RELAY_TEST_STORE in the environment names the server to try it on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from relay.keyfile import KeyFile
from relay.rig.cluster import Cluster
from relay.rig.sentinel import Watched
from relay.rig.servers import Servers, free_ports
from relay.rig.single import Single
from relay.rig.texts import numbered
from relay.rig.waiting import until
from relay.store import keys
from relay.store.slots import slot_of
from tests.conftest import ROOMY
from tests.deploy.composed import DEPLOY, statements
from tests.support.certificate import certified
from tests.support.errands import operators, trips
from tests.support.party import Party
from tests.support.relay import RelayProcess

PASSWORD = "a password"


def with_tls() -> Path:
    """An installed server that speaks TLS; the embedded one does not."""
    names = (os.environ.get("RELAY_TEST_STORE", ""), "valkey-server", "redis-server")
    for found in filter(None, map(shutil.which, filter(None, names))):
        # Without a certificate none gets as far as to listen there.
        words = [found, "--port", "0", "--tls-port", str(free_ports(1)[0])]
        tried = subprocess.run(words, capture_output=True, text=True, timeout=10)
        said = tried.stdout + tried.stderr
        if not any(no_tls in said for no_tls in ("Bad directive", "Failed finding TLS support")):
            return Path(found)
    pytest.skip("No store server that speaks TLS is installed (Debian's redis-server does)")


@asynccontextmanager
async def relay_on(folder: Path, url: str) -> AsyncIterator[RelayProcess]:
    folder.mkdir()
    (folder / "data").mkdir(mode=0o700)
    ring = folder / "data" / "keyring.json"
    KeyFile(ring).create(time.time_ns() // 1_000_000, 86_400_000)
    async with RelayProcess(
        folder, redis=url, keyring_file=str(ring), store_timeout_s=1, **ROOMY
    ) as running:
        yield running


async def is_ready(relay: RelayProcess) -> bool:
    return (await relay.call("GET", "/readyz")).status_code == 200


async def talks(relay: RelayProcess, trip: str) -> None:
    async def is_opened() -> bool:
        return (await relay.open(trip)).status_code in (200, 201)

    await until(is_opened, "a trip is opened")
    tokens = await relay.open_trip(trip)
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    customer = await Party.attach(relay.gateway_url, tokens["customer"])
    await driver.accepted(numbered(1))
    await customer.hear("message", text=numbered(1))
    assert (await relay.end_trip(trip))["state"] == "closed"
    assert await customer.closed() == 4500


async def is_replaced(watched: Watched, relay: RelayProcess) -> None:
    """The primary dies, and its replica serves."""
    watched.signal(watched.primary, signal.SIGKILL)
    await until(watched.has_failed_over, "the replica is the primary", 30)
    await until(lambda: is_ready(relay), "the relay serves again", 20)
    await talks(relay, "after")


async def moves(cluster: Cluster, relay: RelayProcess) -> None:
    """A slot moves, and its trips go on."""
    slot = slot_of(keys.trip("after").encode())
    source = await cluster.owner(slot)
    await cluster.move(slot, source, next(one for one in cluster.primaries if one != source))
    await talks(relay, "after")


# --- TLS ------------------------------------------------------------------------------------------


async def test_one_server_over_tls(tmp_path: Path) -> None:
    program, certificate = with_tls(), tmp_path / "certificate.pem"
    certified(certificate)
    async with (
        Single(tmp_path, program=program, certificate=certificate) as server,
        relay_on(tmp_path / "relay", server.url) as relay,
    ):
        await trips(relay)


async def test_a_primary_and_sentinels_over_tls(tmp_path: Path) -> None:
    program, certificate = with_tls(), tmp_path / "certificate.pem"
    certified(certificate)
    async with (
        Watched(tmp_path, program=program, certificate=certificate) as watched,
        relay_on(tmp_path / "relay", watched.url) as relay,
    ):
        await trips(relay)
        await is_replaced(watched, relay)


async def test_a_cluster_over_tls(tmp_path: Path) -> None:
    program, certificate = with_tls(), tmp_path / "certificate.pem"
    certified(certificate)
    async with (
        Cluster(tmp_path, program=program, certificate=certificate, replicated=False) as cluster,
        relay_on(tmp_path / "relay", cluster.url) as relay,
    ):
        await trips(relay)
        await moves(cluster, relay)


async def test_a_server_whose_certificate_nobody_trusts_is_not_used(tmp_path: Path) -> None:
    program, certificate = with_tls(), tmp_path / "certificate.pem"
    certified(certificate)
    async with Single(tmp_path, program=program, certificate=certificate) as server:
        with pytest.raises(RuntimeError, match="the relay ended"):
            async with relay_on(tmp_path / "relay", server.url.partition("?")[0]):
                pass


# --- a user of its own ----------------------------------------------------------------------------


def least_privileged(folder: Path) -> str:
    """Write what the relay's user may do; who gives no name is whoever tends the servers."""
    digest = sha256(PASSWORD.encode()).hexdigest()
    rules = (DEPLOY / "users.acl").read_text().replace("@PASSWORD_HASH@", digest)
    named = os.environ.get("RELAY_TEST_STORE")
    if (
        named
        and " v=7.0." in subprocess.run([named, "--version"], capture_output=True).stdout.decode()
    ):
        for newer in (" +waitaof", " +client|setinfo"):
            rules = rules.replace(newer, "")
    every = statements(rules)
    users = folder / "users.acl"
    users.write_text("".join(f"{one}\n" for one in every if one.startswith("user relay ")))
    return str(users)


def as_relay(url: str) -> str:
    return url.replace("://", f"://relay:{PASSWORD.replace(' ', '%20')}@")


async def was_denied(servers: Servers, *ports: int) -> list[object]:
    """What the relay tried there and was not allowed to."""
    return [one for port in ports for one in await servers.ask(port, "ACL", "LOG") or ()]


async def test_one_server_as_a_user_of_least_privilege(tmp_path: Path) -> None:
    async with (
        Single(tmp_path, "--aclfile", least_privileged(tmp_path)) as server,
        relay_on(tmp_path / "relay", as_relay(server.url)) as relay,
    ):
        await trips(relay)
        await operators(relay)
        assert await was_denied(server, server.port) == []


async def test_a_primary_and_sentinels_as_a_user_of_least_privilege(tmp_path: Path) -> None:
    async with (
        Watched(tmp_path, "--aclfile", least_privileged(tmp_path)) as watched,
        relay_on(tmp_path / "relay", as_relay(watched.url)) as relay,
    ):
        await is_replaced(watched, relay)
        assert await was_denied(watched, watched.replica) == []


async def test_a_cluster_as_a_user_of_least_privilege(tmp_path: Path) -> None:
    users = least_privileged(tmp_path)
    async with (
        Cluster(tmp_path, "--aclfile", users, replicated=False) as cluster,
        relay_on(tmp_path / "relay", as_relay(cluster.url)) as relay,
    ):
        await trips(relay)
        await moves(cluster, relay)
        await operators(relay)
        assert await was_denied(cluster, *cluster.primaries) == []
