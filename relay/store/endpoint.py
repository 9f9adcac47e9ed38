"""Where the store is and how to get in, from a URL.

With Sentinel the URL names the watchers, and each new connection asks them where the primary is:
they need not agree, because whoever answers is asked what it is before it is used (`greeting`).
With a Cluster the URL names a few of its servers, which know the others (`topology`).
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

import hiredis


class BadStoreUrl(ValueError):
    """The store's URL cannot be used; the text says why and holds nothing of the URL's secrets."""


_SENTINEL_PORT: Final = 26379
_SENTINEL: Final = ("redis+sentinel", "rediss+sentinel")
_CLUSTER: Final = ("redis+cluster", "rediss+cluster")
_PORT: Final = 6379


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One server, or the primary that `sentinels` know under the name `service`, or the Cluster to
    which the servers `seeds` belong.

    `repr` shows neither user nor password.
    """

    host: str = ""
    port: int = _PORT
    path: str = ""
    tls: bool = False
    database: int = 0
    username: str | None = field(default=None, repr=False)
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""
    seeds: tuple[tuple[str, int], ...] = ()

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Read `redis://`, `rediss://` or `unix://`, as redis-py does, or
        `redis+sentinel://user:password@host:port,host:port/service/database`, where user and
        password are the primary's, or `redis+cluster://user:password@host:port,host:port`; with TLS
        everywhere `rediss+sentinel://` and `rediss+cluster://`, perhaps with `?ssl_ca_certs=FILE`.
        Raises `BadStoreUrl`."""
        try:
            url = url.strip()
            scheme = url.partition(":")[0].lower()
            if scheme in _SENTINEL:
                return cls._watched(url)
            if scheme in _CLUSTER:
                return cls._clustered(url)
            if scheme not in ("redis", "rediss", "unix"):
                raise BadStoreUrl(
                    "the store's URL must begin with redis://, rediss://, unix://, "
                    "redis+sentinel://, rediss+sentinel://, redis+cluster:// or rediss+cluster://"
                )
            return cls._single(url)
        except BadStoreUrl:
            raise
        except ValueError:
            raise BadStoreUrl(
                "the store's URL cannot be read; it looks like redis://host:6379/0"
            ) from None

    @classmethod
    def _single(cls, url: str) -> Endpoint:
        """One server. Read here and not by redis-py, which takes longer to import than all the rest
        of what a relay needs to find its store."""
        parts = urlsplit(url)
        options = {name: values[0] for name, values in parse_qs(parts.query).items()}
        username = unquote(parts.username) if parts.username else options.get("username")
        password = unquote(parts.password) if parts.password else options.get("password")
        path = unquote(parts.path)
        database = int(options.get("db") or 0)
        if parts.scheme == "unix":
            if not path:
                raise BadStoreUrl(
                    "a unix:// URL needs the path of a socket, unix:///run/valkey.sock"
                )
            return cls(path=path, database=database, username=username, password=password)
        host = unquote(parts.hostname or "")
        if not host:
            raise BadStoreUrl("the store's URL names no host")
        if "db" not in options:
            with suppress(ValueError):  # no number, no database: as everybody else reads it
                database = int(path.replace("/", ""))
        return cls(
            host=host,
            port=parts.port or _PORT,
            tls=parts.scheme == "rediss",
            database=database,
            username=username,
            password=password,
            ca_file=options.get("ssl_ca_certs"),
        )

    @classmethod
    def _watched(cls, url: str) -> Endpoint:
        parts = _naming_several(url)
        user, password, hosts = _identity_and_hosts(parts.netloc)
        service, _, database = parts.path.strip("/").partition("/")
        options = parse_qs(parts.query, keep_blank_values=True)
        is_wrong = (database and not database.isdecimal()) or options.keys() - {"ssl_ca_certs"}
        if not hosts or not service or is_wrong:
            raise BadStoreUrl(
                "a redis+sentinel:// URL names the sentinels and the service: "
                "redis+sentinel://host:26379,host:26379/mymaster"
            )
        return cls(
            sentinels=tuple(_host_and_port(one, _SENTINEL_PORT) for one in hosts.split(",")),
            service=unquote(service),
            database=int(database or 0),
            tls=parts.scheme.startswith("rediss"),
            username=user,
            password=password,
            ca_file=options.get("ssl_ca_certs", [None])[-1],
        )

    @classmethod
    def _clustered(cls, url: str) -> Endpoint:
        parts = _naming_several(url)
        user, password, hosts = _identity_and_hosts(parts.netloc)
        options = parse_qs(parts.query, keep_blank_values=True)
        if not hosts or parts.path.strip("/") or options.keys() - {"ssl_ca_certs"}:
            raise BadStoreUrl(
                "a redis+cluster:// URL names some servers of the cluster, and no database: "
                "redis+cluster://host:6379,host:6379"
            )
        return cls(
            seeds=tuple(_host_and_port(one, _PORT) for one in hosts.split(",")),
            tls=parts.scheme.startswith("rediss"),
            username=user,
            password=password,
            ca_file=options.get("ssl_ca_certs", [None])[-1],
        )

    def at(self, host: str, port: int) -> Endpoint:
        """One server of the cluster."""
        return replace(self, host=host, port=port, seeds=())

    def __str__(self) -> str:
        if self.service:
            return f"{self.service} by {len(self.sentinels)} sentinels"
        if self.seeds:
            return f"the cluster of {self.seeds[0][0]}:{self.seeds[0][1]}"
        return self.path or f"{self.host}:{self.port}"

    def greeting(self, name: str) -> list[tuple[str, ...]]:
        """The commands that begin a connection called `name`."""
        commands = self.credentials()
        if self.database:
            commands.append(("SELECT", str(self.database)))
        commands.append(("CLIENT", "SETNAME", name))
        commands.append(("HELLO",))
        return commands

    def credentials(self) -> list[tuple[str, ...]]:
        """The command that lets one in, if there is any."""
        if self.password is None:
            return []
        return [("AUTH", *((self.username,) if self.username else ()), self.password)]

    def refuses(self, hello: Any) -> str:
        """Why the server that answered HELLO so is none to write to; "" if it is one."""
        if not isinstance(hello, list):
            return ""
        said = dict(zip(hello[::2], hello[1::2], strict=False))
        return "" if said.get(b"role", b"master") == b"master" else "it is a replica"

    async def located(self, timeout_s: float) -> Endpoint:
        """The server to connect to now. Raises `OSError` if no sentinel knows one."""
        failed: Exception | None = None
        for host, port in self.sentinels:
            try:
                async with asyncio.timeout(timeout_s):
                    (found,) = await ask(
                        Endpoint(host, port, tls=self.tls, ca_file=self.ca_file),
                        ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.service),
                    )
            except (OSError, TimeoutError) as error:
                failed = error
                continue
            if isinstance(found, list):
                return replace(self, host=found[0].decode(), port=int(found[1]), sentinels=())
        raise ConnectionError("no sentinel knows the primary") from failed


def _naming_several(url: str) -> SplitResult:
    """The parts of a URL with a list of hosts, which newer Pythons refuse where an IPv6 address
    is not the first of them."""
    scheme, _, rest = url.partition("://")
    netloc = re.split("[/?#]", rest, maxsplit=1)[0]
    return urlsplit(f"{scheme}://{rest[len(netloc) :]}")._replace(netloc=netloc)


def _identity_and_hosts(netloc: str) -> tuple[str | None, str | None, str]:
    identity, _, hosts = netloc.rpartition("@")
    user, _, password = identity.partition(":")
    return unquote(user) or None, unquote(password) or None, hosts


def _host_and_port(text: str, usual_port: int) -> tuple[str, int]:
    host, port = text, str(usual_port)
    if ":" in text and not text.endswith("]"):
        host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise BadStoreUrl("each of the store's servers is named by host or host:port")
    return host.strip("[]"), int(port)


async def ask(endpoint: Endpoint, *questions: tuple[str, ...]) -> list[Any]:
    """Put questions to one server over a connection of their own; errors are among the answers.
    Raises `OSError`."""
    reader, writer = await asyncio.open_connection(
        endpoint.host, endpoint.port, ssl=_tls_context(endpoint)
    )
    commands = [*endpoint.credentials(), *questions]
    found: list[Any] = []
    try:
        writer.write(b"".join(pack(*command) for command in commands))
        replies = hiredis.Reader()
        while len(found) < len(commands):
            data = await reader.read(65536)
            if not data:
                raise ConnectionResetError
            replies.feed(data)
            while (reply := replies.gets()) is not False:
                found.append(reply)
    except hiredis.ProtocolError as error:
        raise ConnectionResetError from error
    finally:
        writer.close()
    return found[len(commands) - len(questions) :]


class StoreError(Exception):
    """The store could not do what was asked of it."""


class NotSent(StoreError):
    """There is no connection: the command certainly did not run."""


class Unanswered(StoreError):
    """The connection ended before the answer came: the command may have run."""


class Damaged(StoreError):
    """What the store holds of one thing makes no sense; with all else it may be well."""


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
            _, protocol = await loop.create_connection(
                factory, endpoint.host, endpoint.port, ssl=_tls_context(endpoint)
            )
    return protocol


def _tls_context(endpoint: Endpoint) -> ssl.SSLContext | None:
    return ssl.create_default_context(cafile=endpoint.ca_file) if endpoint.tls else None


#: What to do about it.
CERTIFICATE_ADVICE: Final = (
    "see that it is of the host in the URL, that ?ssl_ca_certs= names the certificate of its "
    "authority, and that both hold what deploy/OPERATIONS.md asks for under TLS"
)


def disbelieved(error: BaseException | None) -> str:
    """What a server does, if it was not reached because of its certificate; "" if it was for
    something else. A library may have wrapped the error into one of its own."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return f"shows a certificate that is not believed here ({error.verify_message})"
        error = error.__cause__ or error.__context__
    return ""


def unreached(error: BaseException, otherwise: str) -> str:
    """What a server does that was not reached, and what to do if that is about its certificate."""
    why = disbelieved(error)
    return f"{why}: {CERTIFICATE_ADVICE}" if why else otherwise


def pack(*command: str | bytes | int | float) -> bytes:
    """A command as RESP bytes."""
    packed: bytes = hiredis.pack_command(command)  # type: ignore[arg-type]
    return packed
