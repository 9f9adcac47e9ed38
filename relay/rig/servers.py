"""Several store servers, as processes of their own on loopback, known by their ports."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
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


class Servers:
    """Each has a folder and a log in `folder`; all end with the `async with` of who has them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._running: dict[int, subprocess.Popen[bytes]] = {}

    async def __aexit__(self, *_: object) -> None:
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
            port, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "",
            "--appendonly", "no", "--maxmemory-policy", "noeviction",
            "--repl-diskless-sync-delay", "0", *more,
        )  # fmt: skip

    def _spawn(self, port: int, *words: str) -> None:
        with (self.folder / f"{port}.log").open("ab") as log:
            self._running[port] = subprocess.Popen(
                [find_program(), *words], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                # A file that may not grow is an error then, as on a full disk, and no signal.
                restore_signals=False,
            )  # fmt: skip

    def signal(self, port: int, number: signal.Signals) -> None:
        os.kill(self._running[port].pid, number)

    async def ask(self, port: int, *words: str) -> Any:
        """One command; None if that server does not answer."""
        try:
            async with Redis(port=port, socket_timeout=2, retry=Retry(NoBackoff(), 0)) as redis:
                return await redis.execute_command(*words)
        except (RedisError, OSError):
            return None


class Single(Servers):
    """One server, with settings of its own."""

    def __init__(self, folder: Path, *settings: str) -> None:
        super().__init__(folder)
        self._settings = settings
        (self.port,) = free_ports(1)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        return self._running[self.port].pid

    async def __aenter__(self) -> Self:
        self._start(self.port, *self._settings)
        await until(lambda: self.ask(self.port, "PING"), "the server answers")
        return self
