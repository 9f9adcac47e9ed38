"""Where the store is and how to get in, from a URL.

With Sentinel the URL names the watchers, and each new connection asks them where the primary is:
they need not agree, because whoever answers is asked what it is before it is used (`greeting`).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import hiredis
from redis.asyncio.connection import SSLConnection, UnixDomainSocketConnection, parse_url


class BadStoreUrl(ValueError):
    """The store's URL cannot be used; the text says why and holds nothing of the URL's secrets."""


_SENTINEL_PORT: Final = 26379
_SENTINEL: Final = "redis+sentinel"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server, or the primary that `sentinels` know under the name `service`.

    `repr` shows neither user nor password.
    """

    host: str = ""
    port: int = 6379
    path: str = ""
    tls: bool = False
    database: int = 0
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Read `redis://`, `rediss://` or `unix://`, as redis-py does, or
        `redis+sentinel://user:password@host:port,host:port/service/database`, where user and
        password are the primary's. Raises `BadStoreUrl`."""
        try:
            scheme = urlsplit(url).scheme
            if scheme == _SENTINEL:
                return cls._watched(url)
            if scheme not in ("redis", "rediss", "unix"):
                raise BadStoreUrl(
                    "the store's URL must begin with redis://, rediss://, unix:// or "
                    "redis+sentinel://"
                )
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

    @classmethod
    def _watched(cls, url: str) -> Endpoint:
        parts = urlsplit(url)
        identity, _, hosts = parts.netloc.rpartition("@")
        user, _, password = identity.partition(":")
        service, _, database = parts.path.strip("/").partition("/")
        if not hosts or not service or (database and not database.isdecimal()) or parts.query:
            raise BadStoreUrl(
                "a redis+sentinel:// URL names the sentinels and the service: "
                "redis+sentinel://host:26379,host:26379/mymaster"
            )
        return cls(
            sentinels=tuple(_host_and_port(one) for one in hosts.split(",")),
            service=unquote(service),
            database=int(database or 0),
            username=unquote(user) or None,
            password=unquote(password) if password else None,
        )

    def __str__(self) -> str:
        if self.service:
            return f"{self.service} by {len(self.sentinels)} sentinels"
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
        commands.append(("HELLO",))
        return commands

    def refuses(self, hello: Any) -> str:
        """Why the server that answered HELLO so is none to write to; "" if it is one."""
        if not isinstance(hello, list):
            return ""
        said = dict(zip(hello[::2], hello[1::2], strict=False))
        return "" if said.get(b"role", b"master") == b"master" else "it is a replica"

    async def located(self, timeout_s: float) -> Endpoint:
        """The server to connect to now. Raises `OSError` if no sentinel knows one."""
        for host, port in self.sentinels:
            try:
                async with asyncio.timeout(timeout_s):
                    found = await _ask_sentinel(host, port, self.service)
            except (OSError, TimeoutError, hiredis.ProtocolError):
                continue
            if found is not None:
                return replace(self, host=found[0], port=found[1], sentinels=())
        raise ConnectionError("no sentinel knows the primary")


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":") if ":" in text else (text, "", str(_SENTINEL_PORT))
    if not host or not port.isdecimal() or int(port) > 65535:
        raise BadStoreUrl("a sentinel is named by host or host:port")
    return host.strip("[]"), int(port)


async def _ask_sentinel(host: str, port: int, service: str) -> tuple[str, int] | None:
    """Where a sentinel says that the primary is, None if it does not know the service."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(pack("SENTINEL", "GET-MASTER-ADDR-BY-NAME", service))
        replies = hiredis.Reader()
        while (reply := replies.gets()) is False:
            data = await reader.read(4096)
            if not data:
                raise ConnectionResetError
            replies.feed(data)
    finally:
        writer.close()
    if not isinstance(reply, list) or len(reply) != 2:
        return None
    return reply[0].decode(), int(reply[1])


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
    if endpoint.sentinels:
        endpoint = await endpoint.located(timeout_s / len(endpoint.sentinels))
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
