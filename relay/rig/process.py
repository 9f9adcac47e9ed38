"""A whole relay as its users run it: `relay serve` in processes of its own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

from redis.asyncio import Redis

from ..api.auth import KeyScope, new_key
from ..store.access import pipe_to
from ..store.store import Store
from .waiting import until

_BANNER = re.compile(r"apps connect to (\S+), the platform calls (\S+)\n")
_SERVER = "valkey-server"


class RelayProcess:
    """`relay serve` on ports of its own choice; `settings` go into its TOML file."""

    def __init__(self, folder: Path, *flags: str, environment: dict[str, str] | None = None,
                 **settings: Any) -> None:  # fmt: skip
        self.folder = folder
        self.data = folder / "data"
        self._settings = {"drain_s": 0.1} | settings
        self._flags = flags
        self._environment = environment or {}
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "relay.log"
        self.gateway_url = ""
        self.api_url = ""
        #: An API key with the platform's scope.
        self.key = ""
        self._ports = ("127.0.0.1:0", "127.0.0.1:0")

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self._leave_nothing()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await self.stop()
        finally:
            self._leave_nothing()

    def _leave_nothing(self) -> None:
        """Kill what did not start or end in time: on a machine that is too busy it would go on
        running, and make it busier. Its workers and its store end with it."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)

    # --- the process ------------------------------------------------------------------------------

    def spawn(self) -> None:
        """Start the process and do not wait for it."""
        config = self.folder / "relay.toml"
        config.write_text("".join(f"{name} = {_toml(v)}\n" for name, v in self._settings.items()))
        with self.log.open("ab") as log:
            log.truncate(0)
            self.process = subprocess.Popen(
                [
                    sys.executable, "-m", "relay", "serve", "--config", str(config),
                    "--data", str(self.data), "--gateway", self._ports[0], "--api", self._ports[1],
                    *self._flags,
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, **self._environment},
            )  # fmt: skip

    async def start(self) -> None:
        """Start it and wait until it serves; the same ports as before, if it ran before."""
        self.spawn()
        found = await until(self._banner, "the relay serves", 30)
        self.gateway_url, self.api_url = found
        self._ports = (self.gateway_url[5:].partition("/")[0], self.api_url[7:])
        if not self.key:
            self.key = await self.new_key(KeyScope.PLATFORM)

    def _banner(self) -> tuple[str, str] | None:
        assert self.process is not None
        text = self.log.read_text()
        if self.process.poll() is not None:
            raise RuntimeError(f"the relay ended with {self.process.returncode}: {text[-2000:]}")
        found = _BANNER.search(text)
        return (found[1], found[2]) if found else None

    async def stop(self) -> None:
        """End it as an operator would, and see that it ends."""
        await self.end(signal.SIGTERM)

    async def end(self, number: signal.Signals) -> None:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        await until(lambda: self.process.poll() is not None, "the relay ends", 30)  # type: ignore[union-attr]

    async def kill(self) -> None:
        """Kill all of it at once: it, its workers and its embedded store."""
        assert self.process is not None
        for pid in self.everything():
            os.kill(pid, signal.SIGKILL)
        await until(lambda: self.process.poll() is not None, "the relay is gone")  # type: ignore[union-attr]

    def everything(self) -> list[int]:
        """Process ids of all that runs for it, its own first."""
        assert self.process is not None
        return [self.process.pid, *(pid for pid, _ in children(self.process.pid))]

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        assert self.process is not None
        return [pid for pid, line in children(self.process.pid) if "relay.worker" in line]

    def store_pid(self) -> int:
        """Process id of the embedded store's server."""
        assert self.process is not None
        (pid,) = [pid for pid, line in children(self.process.pid) if line.startswith(_SERVER)]
        return pid

    def worker_cpu_s(self) -> float:
        """Processor time the workers have used."""
        ticks = 0
        for pid in self.workers():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    # --- the store --------------------------------------------------------------------------------

    @property
    def store_url(self) -> str:
        return str(self._settings.get("redis") or f"unix://{self.data}/valkey.sock")

    def redis(self) -> Redis:
        """The store as anybody with access to it sees it."""
        return Redis.from_url(self.store_url)

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """The store as another node of the relay is connected to it."""
        async with pipe_to(self.store_url, name="test") as pipe:
            yield Store(pipe)

    async def new_key(self, scope: KeyScope, operator: str = "") -> str:
        async with self.store() as store:
            return await new_key(
                store.pipe, scope, note="test", now_ms=int(time.time() * 1000),
                random_bytes=os.urandom, operator=operator,
            )  # fmt: skip


def children(pid: int) -> list[tuple[int, str]]:
    """(pid, program and command line) of the processes that `pid` started."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                program = os.readlink(entry / "exe").rpartition("/")[2]
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, IndexError):
                continue
            if parent == pid:
                found.append((int(entry.name), f"{program} {line}"))
    return found


def _toml(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


@asynccontextmanager
async def frozen(pid: int, at_least_s: float = 0.0) -> AsyncIterator[None]:
    """Freeze a process for as long as what is done meanwhile takes, and not for less than that."""
    os.kill(pid, signal.SIGSTOP)
    try:
        await until(lambda: _is_stopped(pid), "the process is frozen")
        thaw_s = time.monotonic() + at_least_s
        yield
        await asyncio.sleep(thaw_s - time.monotonic())
    finally:
        os.kill(pid, signal.SIGCONT)


def _is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
