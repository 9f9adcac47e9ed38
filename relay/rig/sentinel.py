"""A primary, a replica and three sentinels, as processes of their own on loopback."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .servers import Servers, free_ports
from .waiting import until

SERVICE = "rides"
_DOWN_AFTER_MS = 700


class Watched(Servers):
    """Use as a context manager. `primary` is the port of the server that takes writes at first."""

    def __init__(self, folder: Path, *settings: str, **options: Any) -> None:
        super().__init__(folder, *settings, **options)
        self.primary, self.replica, *self.sentinels = free_ports(5)

    @property
    def url(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.sentinels)
        return self.url_of("redis+sentinel", f"{hosts}/{SERVICE}")

    async def _begin(self) -> None:
        self._start(self.primary)
        self._start(self.replica, "--replicaof", f"127.0.0.1 {self.primary}")
        await until(self.is_linked, "the replica follows")
        for port in self.sentinels:
            config = self.folder / f"sentinel-{port}.conf"
            words = iter(self._listening(port))
            config.write_text(
                "".join(f"{name} {value}\n" for name, value in zip(words, words, strict=True))
                + f"dir {self.folder}\n"
                f"sentinel monitor {SERVICE} 127.0.0.1 {self.primary} 2\n"
                f"sentinel down-after-milliseconds {SERVICE} {_DOWN_AFTER_MS}\n"
                f"sentinel failover-timeout {SERVICE} 3000\n"
            )
            self._spawn(port, str(config), "--sentinel")
        await until(self._agree, "the sentinels know each other and the replica", 20)

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
            # One that was a primary itself counts from there until it has begun to follow.
            and theirs.get("master_link_status") == "up"
            and theirs.get("master_port") == self.primary
            and ours["master_repl_offset"] <= theirs.get("slave_repl_offset", -1)
        )

    async def _agree(self) -> bool:
        for port in self.sentinels:
            replicas = await self.ask(port, "SENTINEL", "REPLICAS", SERVICE)
            others = await self.ask(port, "SENTINEL", "SENTINELS", SERVICE)
            if not replicas or not others or len(others) != 2:
                return False
        return True

    def swap(self) -> None:
        """Call what took over the primary, and the other server its replica."""
        self.primary, self.replica = self.replica, self.primary

    def revive(self) -> None:
        """Start the primary that died, as the replica of the one that took over."""
        self.swap()
        self._start(self.replica, "--replicaof", f"127.0.0.1 {self.primary}")

    async def has_failed_over(self) -> bool:
        """Whether the replica takes writes now."""
        found = await self.ask(self.replica, "INFO", "replication")
        return isinstance(found, dict) and found.get("role") == "master"
