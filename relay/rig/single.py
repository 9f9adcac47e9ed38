"""One store, with a replica or without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .servers import Servers, free_ports
from .waiting import until


class Single(Servers):
    """Use as an asynchronous context manager. `settings` may give it an append-only file."""

    def __init__(
        self, folder: Path, *settings: str, replicated: bool = False, **options: Any
    ) -> None:
        super().__init__(folder, *settings, **options)
        self.port, self.replica = free_ports(2)
        self._is_replicated = replicated

    @property
    def url(self) -> str:
        return self.url_of("redis", self.address)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def _begin(self) -> None:
        await self.start()
        if self._is_replicated:
            self._start(self.replica, "--replicaof", f"127.0.0.1 {self.port}")
            await until(self._is_linked, "the replica follows", 20)

    async def start(self) -> None:
        """Start it, with all that its file holds if it has one."""
        self._start(self.port)
        await until(self.answers, "the store answers", 20)

    async def answers(self) -> bool:
        return await self.ask(self.port, "PING") is not None

    async def _is_linked(self) -> bool:
        found = await self.ask(self.replica, "INFO", "replication")
        return isinstance(found, dict) and found.get("master_link_status") == "up"
