"""One store that keeps its data in an append-only file, with a replica or without."""

from __future__ import annotations

from pathlib import Path

from .servers import Servers, free_ports
from .waiting import until


class Single(Servers):
    """Use as an asynchronous context manager. `fsync` is when the file is synced, as the server's
    `appendfsync` has it."""

    def __init__(self, folder: Path, *, fsync: str = "everysec", replicated: bool = False) -> None:
        super().__init__(folder)
        self.port, self.replica = free_ports(2)
        self._fsync = fsync
        self._is_replicated = replicated

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def __aenter__(self) -> Single:
        await self.start()
        if self._is_replicated:
            self._start(self.replica, "--replicaof", f"127.0.0.1 {self.port}")
            await until(self._is_linked, "the replica follows", 20)
        return self

    async def start(self) -> None:
        """Start it, with all that its file holds."""
        self._start(self.port, "--appendonly", "yes", "--appendfsync", self._fsync)
        await until(self.answers, "the store answers", 20)

    async def answers(self) -> bool:
        return await self.ask(self.port, "PING") is not None

    async def _is_linked(self) -> bool:
        found = await self.ask(self.replica, "INFO", "replication")
        return isinstance(found, dict) and found.get("master_link_status") == "up"
