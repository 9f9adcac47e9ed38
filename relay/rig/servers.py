"""Several store servers, as processes of their own on loopback, known by their ports."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from relay.store.server_process import find_program

from .waiting import until


def free_ports(count: int) -> list[int]:
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
    raise OSError("no free ports")


def _named_program() -> Path:
    """The server that is started where none is named: RELAY_TEST_STORE of the environment, else the
    embedded store's."""
    named = os.environ.get("RELAY_TEST_STORE")
    return Path(named) if named else find_program()


class Servers(ABC):
    """Each has a folder and a log in `folder`; all end with the `async with` of who has them, also
    where that cannot begin.

    `settings` are for each of them. With a `certificate`, a file with its key that is signed by
    itself, they speak TLS alone.
    """

    def __init__(
        self,
        folder: Path,
        *settings: str,
        program: Path | None = None,
        certificate: Path | None = None,
    ) -> None:
        self.folder = folder
        self._settings = settings
        self._program = program or _named_program()
        self._certificate = certificate
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    async def __aenter__(self) -> Self:
        try:
            await self._begin()
        except BaseException:
            self._end()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._end()

    @abstractmethod
    async def _begin(self) -> None:
        """Start them, and see that they serve."""

    def _end(self) -> None:
        for process in self._running.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
        for process in self._running.values():
            process.wait(10)

    def _start(self, port: int, *more: str) -> None:
        """Start a store; with what its folder holds, if it ran before and kept something."""
        folder = self.folder / str(port)
        folder.mkdir(exist_ok=True)
        self._spawn(
            port, *self._listening(port, "--"), "--dir", str(folder), "--save", "",
            "--appendonly", "no", "--maxmemory-policy", "noeviction",
            "--repl-diskless-sync-delay", "0", *more, *self._settings,
        )  # fmt: skip

    def _spawn(self, port: int, *words: str) -> None:
        with (self.folder / f"{port}.log").open("ab") as log:
            self._running[port] = subprocess.Popen(
                [self._program, *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                # A file that may not grow is an error then, as on a full disk, and no signal.
                restore_signals=False,
            )  # fmt: skip

    def _listening(self, port: int, dashes: str = "") -> list[str]:
        """Where a server listens, as words of a command line; without dashes, those of a file."""
        said = {"bind": "127.0.0.1", "port": str(port)}
        if self._certificate is not None:
            file = str(self._certificate)
            said |= {"port": "0", "tls-port": str(port), "tls-replication": "yes"}
            said |= dict.fromkeys(("tls-cert-file", "tls-key-file", "tls-ca-cert-file"), file)
            said["tls-auth-clients"] = "no"
        return [word for name, value in said.items() for word in (dashes + name, value)]

    def url_of(self, kind: str, hosts: str, user: str = "") -> str:
        """The address of a store at `hosts`, as the relay takes it; `user` has its password."""
        scheme = kind if self._certificate is None else kind.replace("redis", "rediss")
        trusted = f"?ssl_ca_certs={self._certificate}" if self._certificate else ""
        return f"{scheme}://{user + '@' if user else ''}{hosts}{trusted}"

    def redis(self, port: int, **options: Any) -> Redis:
        """One of them, as anybody with access to it sees it."""
        if self._certificate is not None:
            options |= {"ssl": True, "ssl_ca_certs": str(self._certificate), "host": "127.0.0.1"}
        return Redis(port=port, **options)

    def signal(self, port: int, number: signal.Signals) -> None:
        os.kill(self._running[port].pid, number)

    def pid(self, port: int) -> int:
        return self._running[port].pid

    def has_ended(self, port: int) -> bool:
        return self._running[port].poll() is not None

    async def kill(self, port: int) -> None:
        """Kill a server and see that it is gone."""
        self._running[port].kill()
        await until(lambda: self.has_ended(port), "the server is gone")

    async def ask(self, port: int, *words: str) -> Any:
        """One command; None if that server does not answer."""
        try:
            retry = Retry(NoBackoff(), 0)
            async with self.redis(port, socket_timeout=2, retry=retry) as redis:
                return await redis.execute_command(*words)
        except (RedisError, OSError):
            return None
