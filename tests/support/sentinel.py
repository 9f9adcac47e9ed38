"""A primary, a replica and three sentinels, as processes of their own on loopback."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from redis.asyncio import Redis
from redis.exceptions import RedisError

from relay.store.server_process import find_program

from .waiting import until

SERVICE = "rides"
_DOWN_AFTER_MS = 700


def _free_ports(count: int) -> list[int]:
    """Ports that are free and stay so: the system gives none of these out by itself, as it would
    those that it chose, to whatever connects somewhere before they are used."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    free: list[int] = []
    for port in random.sample(range(lowest // 2, lowest), lowest // 4):
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port))
            free.append(port)
        if len(free) == count:
            return free
    raise AssertionError("no free ports")


class Watched:
    """Use as a context manager. `primary` is the port of the server that takes writes at first."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.primary, self.replica, *self.sentinels = _free_ports(5)
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return f"redis+sentinel://{hosts}/{SERVICE}"

    async def __aenter__(self) -> Watched:
        self.start(self.primary)
        self.start(self.replica, "--replicaof", f"127.0.0.1 {self.primary}")
        await until(self.is_linked, "the replica follows")
        for port in self.sentinels:
            config = self.folder / f"sentinel-{port}.conf"
            config.write_text(
                f"port {port}\nbind 127.0.0.1\ndir {self.folder}\n"
                f"sentinel monitor {SERVICE} 127.0.0.1 {self.primary} 2\n"
                f"sentinel down-after-milliseconds {SERVICE} {_DOWN_AFTER_MS}\n"
                f"sentinel failover-timeout {SERVICE} 3000\n"
            )
            self._spawn(port, str(config), "--sentinel")
        await until(self._agree, "the sentinels know each other and the replica", 20)
        return self

    async def __aexit__(self, *_: object) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
        for process in self._running.values():
            process.wait(10)

    def start(self, port: int, *more: str) -> None:
        """Start a server, empty."""
        folder = self.folder / str(port)
        folder.mkdir(exist_ok=True)
        self._spawn(
            port, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
            "--appendonly", "no", "--maxmemory-policy", "noeviction",
            "--repl-diskless-sync-delay", "0", *more,
        )  # fmt: skip

    def _spawn(self, port: int, *words: str) -> None:
        with (self.folder / f"{port}.log").open("ab") as log:
            self._running[port] = subprocess.Popen(
                [find_program(), *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def signal(self, port: int, number: signal.Signals) -> None:
        os.kill(self._running[port].pid, number)

    async def ask(self, port: int, *words: str) -> object:
        """One command; None if that server does not answer."""
        try:
            async with Redis(port=port, socket_timeout=1, retry=None) as redis:
                return await redis.execute_command(*words)
        except (RedisError, OSError):
            return None

    async def is_linked(self) -> bool:
        """Whether the replica has all that the primary has sent."""
        found = await self.ask(self.replica, "INFO", "replication")
        return isinstance(found, dict) and found.get("master_link_status") == "up"

    async def has_all(self) -> bool:
        """Whether the replica has what the primary has up to now."""
        ours = await self.ask(self.primary, "INFO", "replication")
        theirs = await self.ask(self.replica, "INFO", "replication")
        return (
            isinstance(ours, dict)
            and isinstance(theirs, dict)
            and ours["master_repl_offset"] <= theirs.get("slave_repl_offset", -1)
        )

    async def _agree(self) -> bool:
        for port in self.sentinels:
            replicas = await self.ask(port, "SENTINEL", "REPLICAS", SERVICE)
            others = await self.ask(port, "SENTINEL", "SENTINELS", SERVICE)
            if not replicas or not others or len(others) != 2:  # type: ignore[arg-type]
                return False
        return True

    async def has_failed_over(self) -> bool:
        """Whether the replica takes writes now."""
        found = await self.ask(self.replica, "INFO", "replication")
        return isinstance(found, dict) and found.get("role") == "master"
