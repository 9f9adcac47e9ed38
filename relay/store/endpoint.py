"""Where the store is and how to get in, from a URL."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import hiredis
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection, parse_url


class BadStoreUrl(ValueError):
    """The store's URL cannot be used; the text says why and holds nothing of the URL's secrets."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server. `repr` shows neither user nor password."""

    host: str = ""
    port: int = 6379
    path: str = ""
    tls: bool = False
    database: int = 0
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Read `redis://`, `rediss://` or `unix://`, as redis-py does. Raises `BadStoreUrl`."""
        try:
            scheme = urlsplit(url).scheme
            if scheme not in ("redis", "rediss", "unix"):
                raise BadStoreUrl("the store's URL must begin with redis://, rediss:// or unix://")
            options: dict[str, Any] = dict(parse_url(url))
        except BadStoreUrl:
            raise
        except ValueError:
            raise BadStoreUrl(
                "the store's URL cannot be read; it looks like redis://host:6379/0"
            ) from None
        kind = options.get("connection_class")
        if kind is UnixDomainSocketConnection:
            if not options.get("path"):
                raise BadStoreUrl(
                    "a unix:// URL needs the path of a socket, unix:///run/valkey.sock"
                )
        elif not options.get("host"):
            raise BadStoreUrl("the store's URL names no host")
        return cls(
            host=options.get("host", ""),
            port=options.get("port", 6379),
            path=options.get("path", ""),
            tls=kind is SSLConnection,
            database=int(options.get("db") or 0),
            username=options.get("username"),
            password=options.get("password"),
            ca_file=options.get("ssl_ca_certs"),
        )

    def __str__(self) -> str:
        return self.path or f"{self.host}:{self.port}"

    def greeting(self, name: str) -> list[tuple[str, ...]]:
        """The commands that begin a connection called `name`."""
        commands: list[tuple[str, ...]] = []
        if self.password is not None:
            user = (self.username,) if self.username else ()
            commands.append(("AUTH", *user, self.password))
        if self.database:
            commands.append(("SELECT", str(self.database)))
        commands.append(("CLIENT", "SETNAME", name))
        return commands


class StoreError(Exception):
    """The store could not do what was asked of it."""


class NotSent(StoreError):
    """There is no connection: the command certainly did not run."""


class Unanswered(StoreError):
    """The connection ended before the answer came: the command may have run."""


P = TypeVar("P", bound=asyncio.BaseProtocol)


async def connect(endpoint: Endpoint, factory: Callable[[], P], timeout_s: float) -> P:
    """Open a connection for `factory`'s protocol. Raises `OSError` or `TimeoutError`."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        if endpoint.path:
            _, protocol = await loop.create_unix_connection(factory, endpoint.path)
        else:
            context = ssl.create_default_context(cafile=endpoint.ca_file) if endpoint.tls else None
            _, protocol = await loop.create_connection(
                factory, endpoint.host, endpoint.port, ssl=context
            )
    return protocol


def pack(*command: str | bytes | int | float) -> bytes:
    """A command as RESP bytes."""
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]
    return packed
