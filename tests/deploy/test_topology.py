"""Two nodes behind the balancer on one store, as docker-compose.yml has them."""

from __future__ import annotations

import asyncio
import re
import signal
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from relay.client import Channel, Message, connect
from relay.rig.waiting import until
from tests.cli.commands import Quickly
from tests.support.certificate import certified
from tests.support.desk import desk_on
from tests.support.errands import operators, trips
from tests.support.party import Party
from tests.support.relay import CUSTOMER_PHONE
from tests.support.staff import hired

from .composed import rights
from .topology import Balancer, Node, Topology

#: What a post or a call may wait for while a node goes.
_PATIENCE_S = 20
NOTE = "as agreed at the morning hand-over"


@pytest.fixture(scope="module")
async def topology(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Topology]:
    async with Topology(tmp_path_factory.mktemp("topology")) as running:
        yield running


# --- a trip across nodes ---------------------------------------------------------------------------


class App:
    """A party on the SDK that posts numbered texts until it is told to stop."""

    def __init__(self, channel: Channel, name: str) -> None:
        self._channel, self._name = channel, name
        self.given: list[str] = []
        self.posted: list[str] = []
        self._accepted: list[Any] = []
        self._tasks = [asyncio.create_task(self._post()), asyncio.create_task(self._listen())]

    async def _post(self) -> None:
        while True:
            text = f"{self._name} says {'na' * (len(self.posted) + 1)}"
            self._accepted.append(await self._channel.post(text))
            self.posted.append(text)
            await asyncio.sleep(0.2)

    async def _listen(self) -> None:
        async for event in self._channel:
            if isinstance(event, Message):
                self.given.append(event.text)

    async def stop_posting(self) -> None:
        self._tasks[0].cancel()
        await asyncio.gather(self._tasks[0], return_exceptions=True)
        async with asyncio.timeout(_PATIENCE_S):
            for delivery in self._accepted:
                await delivery.accepted()

    async def leave(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _calls(platform: Node, trip: str, answers: list[int]) -> None:
    while True:
        answers.append((await platform.call("GET", f"/v1/trips/{trip}")).status_code)
        await asyncio.sleep(0.05)


async def test_a_trip_is_talked_through_while_one_node_after_the_other_is_renewed(
    topology: Topology,
) -> None:
    platform, (one, other) = topology.platform, topology.nodes
    tokens = await platform.open_trip("long-trip")
    answers: list[int] = []
    calling = asyncio.create_task(_calls(platform, "long-trip", answers))
    async with (
        connect(platform.gateway_url, tokens["driver"]) as driver_s,
        connect(platform.gateway_url, tokens["customer"]) as customer_s,
    ):
        driver, customer = App(driver_s, "driver"), App(customer_s, "customer")

        async def both_get_texts() -> None:
            before = len(driver.given), len(customer.given)
            await until(
                lambda: len(driver.given) > before[0] + 2 and len(customer.given) > before[1] + 2,
                "texts come on both sides", _PATIENCE_S,
            )  # fmt: skip

        await both_get_texts()
        assert [await node.connections() for node in topology.nodes] == [1, 1]
        for node, rest in ((one, other), (other, one)):
            await node.end(signal.SIGTERM)
            assert node.process is not None and node.process.returncode == 0
            await both_get_texts()
            assert await rest.connections() == 2
            await node.start()
            await topology.both_serve()
        await driver.stop_posting()
        await customer.stop_posting()
        await until(
            lambda: len(customer.given) >= len(driver.posted)
            and len(driver.given) >= len(customer.posted),
            "all texts have come", _PATIENCE_S,
        )  # fmt: skip
        assert customer.given == driver.posted
        assert driver.given == customer.posted
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        assert len(answers) > 20 and set(answers) == {200}
        for app in (driver, customer):
            await app.leave()
    ended = await platform.end_trip("long-trip")
    assert ended["state"] == "closed"


async def test_both_nodes_take_the_trip_of_either(topology: Topology) -> None:
    """Its parties are at different nodes, and the calls reach any."""
    one, other = topology.nodes
    platform = topology.platform
    tokens = await platform.open_trip("crossed")
    parties = [await Party.attach(f"ws://{one.apps}/v1/channel", tokens["driver"])]
    parties.append(await Party.attach(f"ws://{other.apps}/v1/channel", tokens["customer"]))
    await parties[0].accepted("di lobi")
    await parties[1].hear("message", text="di lobi")
    await platform.end_trip("crossed")
    for party in parties:
        await party.hear("closed")


# --- the balancer ----------------------------------------------------------------------------------


async def test_the_balancer_writes_down_no_call(topology: Topology) -> None:
    platform, digits = topology.platform, CUSTOMER_PHONE[1:]
    for path in (f"/v1/trips/{digits}", f"/v1/trips?cursor={digits}", f"/{digits}"):
        assert (await platform.call("GET", path)).status_code in (404, 422)
    async with httpx2.AsyncClient(trust_env=False) as http:
        gone = await http.get(f"http://{topology.balancer.apps}/v1/{digits}?to={digits}")
        assert gone.status_code == 404
    broken = b"GET /%s HTTPS\r\nHost: %s\r\n\r\n" % ((digits.encode(),) * 2)
    for where in (topology.balancer.apps, topology.balancer.api):
        host, _, port = where.partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(broken)
        assert b"400" in await reader.readline()
        writer.close()
    log = topology.balancer.log.read_text()
    assert digits not in log and "/v1/" not in log
    assert "Server apis/relay-1 is UP" in log


async def test_an_act_is_written_down_with_the_address_of_who_did_it(topology: Topology) -> None:
    staff = await hired(topology.platform, "wati", "supervisor")
    headers = {"Authorization": f"Bearer {staff.key}", "X-Forwarded-For": "203.0.113.9"}
    there = httpx2.AsyncHTTPTransport(local_address="127.0.0.2")
    async with httpx2.AsyncClient(transport=there, trust_env=False) as http:
        answer = await http.post(
            f"{topology.platform.api_url}/v1/ops/parties/drv-77/sanctions", headers=headers,
            json={"kind": "mute", "reason": "fraud", "hours": 1, "note": NOTE},
        )  # fmt: skip
    assert answer.status_code == 201, answer.text
    async with desk_on(topology.platform) as desk:
        (entry, *_) = await desk.audit.page(act="sanction.impose")
    assert entry.address == "127.0.0.2"


async def test_apps_can_connect_with_tls(topology: Topology, tmp_path: Path) -> None:
    certificate = tmp_path / "certificate.pem"
    trusted = ssl.create_default_context(cadata=certified(certificate))
    balancer = Balancer(
        tmp_path, "tls", APPS_CERTIFICATE=str(certificate), **topology.where_nodes_are()
    )
    try:
        await until(balancer.has_nodes, "the balancer serves")
        tokens = await topology.platform.open_trip("with-tls")
        url = f"wss://localhost:{balancer.apps.partition(':')[2]}/v1/channel"
        async with connect(url, tokens["driver"], tls=trusted) as driver:
            async with asyncio.timeout(_PATIENCE_S):
                await (await driver.post("di lobi")).accepted()
        assert not (await _without_tls(balancer.apps)).startswith(b"HTTP")
    finally:
        await balancer.end()


async def _without_tls(where: str) -> bytes:
    host, _, port = where.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /v1/channel HTTP/1.1\r\nHost: x\r\n\r\n")
    try:
        return await asyncio.wait_for(reader.read(64), 5)
    except ConnectionError:
        return b""
    finally:
        writer.close()


# --- the store's users -----------------------------------------------------------------------------


async def test_what_the_relay_does_it_may_do(topology: Topology) -> None:
    """A bit of everything, and nothing in the store's list of what was refused."""
    async with topology.watcher() as watcher:
        await watcher.acl_log_reset()
        await trips(topology.platform)
        await operators(topology.platform)
        await _commands(topology.nodes[0])
        assert await watcher.acl_log() == []
        used = {name.removeprefix("cmdstat_") for name in await watcher.info("commandstats")}
    # Of `relay doctor`, of a very long story, of a notice that waits for its case, of events that
    # nobody has fetched for a month, of a store with a replica, and of a Cluster.
    rare = {
        "info",
        "ltrim",
        "zscore",
        "xtrim",
        "wait",
        "waitaof",
        "cluster|info",
        "cluster|slots",
    }
    assert set(rights("relay")) - used <= rare


async def _commands(node: Node) -> None:
    """What is done with `docker compose exec relay-1 relay ...`, each with a connection of its own."""
    quickly = await Quickly.start()
    for words in (
        "operator add dewi --name Dewi --scope agent", "operator list",
        "apikey new --scope agent --operator dewi", "apikey list", "operator disable dewi",
        "audit verify", "audit list", "audit export",
        "privacy request --party cus-9 --wish export", "privacy requests",
        "privacy export --party cus-9", "privacy restrict --party cus-3",
        "privacy restrict --party cus-3 --off", "privacy erase --party cus-9 --yes",
        "keyring rotate --days 8", "keyring list",
    ):  # fmt: skip
        done = await quickly(*words.split(), **node.variables)
        assert done.code == 0, done.err
    await quickly.stop()


@pytest.mark.parametrize(
    "command",
    [
        "KEYS *", "SCAN 0", "RANDOMKEY", "FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "CONFIG GET *",
        "CONFIG SET appendonly no", "DEBUG SLEEP 0", "MONITOR", "SLOWLOG GET", "SHUTDOWN NOSAVE",
        "ACL LIST", "ACL SETUSER relay allkeys", "CLIENT LIST", "CLIENT KILL TYPE normal", "BGREWRITEAOF",
        "BGSAVE", "SAVE", "REPLICAOF NO ONE", "MODULE LIST", "EVAL return'1' 0", "FUNCTION LIST",
        "SCRIPT FLUSH", "SUBSCRIBE any", "PSUBSCRIBE *", "SSUBSCRIBE other:inbox", "SPUBLISH other x",
        "GET other", "SET other 1", "DUMP relay:audit", "MIGRATE h 1 k 0 1", "XTRIM audit MAXLEN 0",
        "DEL relays", "SORT relay:nodes",
    ],
)  # fmt: skip
async def test_what_the_relay_does_not_do_it_may_not(topology: Topology, command: str) -> None:
    redis = topology.platform.redis()
    try:
        # DEBUG is refused to anybody before his rights are looked at.
        with pytest.raises(ResponseError, match=r"(?i)no permissions|command not allowed"):
            await redis.execute_command(*command.split())
    finally:
        await redis.aclose()


async def test_nobody_else_gets_in(topology: Topology) -> None:
    for who in ("", "default:@", "relay:wrong@", "relay:@", "watcher2:x@"):
        async with Redis.from_url(f"redis://{who}{topology.store_address}") as redis:
            with pytest.raises(AuthenticationError):
                await redis.execute_command("GET", "x")
    async with Redis.from_url(f"redis://probe:any@{topology.store_address}") as redis:
        assert await redis.ping()
        for command in ("GET relay:audit", "INFO", "TIME"):
            with pytest.raises(NoPermissionError):
                await redis.execute_command(*command.split())


async def test_the_ring_is_kept_by_who_has_nothing_to_do_with_the_store(topology: Topology) -> None:
    """What he does reaches the audit log by way of the nodes."""
    log = topology.folder / "keys.log"
    await until(lambda: "is due" in log.read_text(), "he has looked for keys that are due", 20)
    assert "keys for 7 days" in log.read_text() and "0 keys made" in log.read_text()
    async with desk_on(topology.platform) as desk:

        async def written_down() -> bool:
            return bool(await desk.audit.page(act="keyring.new"))

        await until(written_down, "the making of the ring is in the audit log", 25)


async def test_the_store_keeps_what_it_took_on_disk_and_throws_nothing_away(
    topology: Topology,
) -> None:
    async with topology.watcher() as watcher:
        found = await watcher.config_get("append*", "maxmemory*", "save", "protected-mode")
    assert found["appendonly"] == "yes" and found["appendfsync"] == "always"
    assert found["maxmemory-policy"] == "noeviction" and int(found["maxmemory"]) == 2**30
    assert found["save"] == ""


# --- secrets ---------------------------------------------------------------------------------------


async def test_the_password_is_only_where_it_is_needed(topology: Topology) -> None:
    (password,) = re.findall(
        r"relay:([0-9a-f]{64})@", (topology.secrets / "relay.toml").read_text()
    )
    logs = [running.read_text() for running in topology.folder.rglob("*.log")]
    assert len(logs) >= 5 and not any(password in log for log in logs)
    assert password not in (topology.folder / "etc" / "made.acl").read_text()
    shown = await asyncio.create_subprocess_exec(
        "ps", "axww", "-o", "args", stdout=asyncio.subprocess.PIPE
    )
    assert password.encode() not in (await shown.communicate())[0]
