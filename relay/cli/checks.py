"""What `relay doctor` looks at. Each check gives findings; none changes anything."""

from __future__ import annotations

import asyncio
import platform
import resource
import stat
import time
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.maint_notifications import MaintNotificationsConfig
from redis.retry import Retry
from websockets.exceptions import WebSocketException

from ..client.wire import open_socket
from ..gateway.limits import OTHER_FILES
from ..keyfile import KeyFileError, KeyFileMissing
from ..settings import Settings, address
from ..store import server_process
from ..store.access import servers_of
from ..store.data_folder import DataFolder
from ..store.embedded import EmbeddedServerError
from ..store.endpoint import CERTIFICATE_ADVICE, Endpoint, StoreError, disbelieved
from ..vault.ring import KeyRing, Purpose
from . import host
from .api import Api, ApiError
from .versions import library_versions, relay_version
from .words import count_of, duration, visible

_TIMEOUT_S: Final = 3.0
_KEYS_SOON_S: Final = 24 * 3600
_CLOCK_WARN_S: Final = 1.0
_CLOCK_FAIL_S: Final = 30.0
_ANYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - the other way round


class Level(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


class Finding(NamedTuple):
    """What was found about one thing, and what to do if that is not well."""

    name: str
    level: Level
    text: str
    advice: str = ""


def all_findings(where: Settings) -> list[Finding]:
    """Everything there is to say about a relay with these settings."""
    return [
        *_versions(),
        *_open_files(where),
        *_files(where),
        *_keys(where),
        *_store(where),
        *_api(where),
        *_gateway(where),
    ]


# --- this machine ---------------------------------------------------------------------------------


def _versions() -> Iterator[Finding]:
    system = f"{platform.system()} {platform.machine()}"
    yield _ok("versions", f"relay {relay_version()}, Python {platform.python_version()}, {system}")
    found = library_versions()
    missing = [name for name, version in found.items() if version is None]
    if missing:
        yield _fail("libraries", f"missing: {', '.join(missing)}", "install the relay again")
    else:
        yield _ok("libraries", ", ".join(f"{name} {version}" for name, version in found.items()))


def _open_files(where: Settings) -> Iterator[Finding]:
    # A worker allows itself as many as it may.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    limits = where.limits
    if most == resource.RLIM_INFINITY:
        yield _ok("open files", "as many for each process as it needs")
        return
    found = limits.with_sockets(most - OTHER_FILES)
    text = f"{most:,} for each process at most, so a worker serves {found.connections:,} apps"
    if found.connections < limits.connections:
        yield _warn(
            "open files", f"{text}, not {limits.connections:,} as is set (`connections`)",
            "raise the hard limit where the relay is started: LimitNOFILE= of systemd, or "
            "`ulimit -n` as root; or set fewer",
        )  # fmt: skip
    else:
        yield _ok("open files", text)


# --- files ----------------------------------------------------------------------------------------


def _files(where: Settings) -> Iterator[Finding]:
    if where.redis:
        return
    try:
        server_process.find_program()
    except EmbeddedServerError as error:
        yield _fail("server", str(error), "name an external store with --redis")
    try:
        mode = where.folder.stat().st_mode
    except OSError as error:
        yield _warn(
            "data folder", f"{where.folder}: {error.strerror}",
            "`relay serve` makes it; if a relay uses another one, name it with --data",
        )  # fmt: skip
        return
    shown = f"{where.folder}, mode {stat.S_IMODE(mode):04o}"
    if mode & 0o077:
        yield _fail("data folder", f"{shown}: others can get in", f"chmod 700 {where.folder}")
    else:
        yield _ok("data folder", shown)


# --- keys -----------------------------------------------------------------------------------------


def _keys(where: Settings) -> Iterator[Finding]:
    own = not where.redis and not where.keyring_file
    try:
        ring, source = host.key_ring(where)
    except KeyFileMissing as error:
        if own:
            yield _warn("key ring", f"none at {where.ring_path}", "`relay serve` makes it")
        else:
            yield _fail("key ring", str(error), "see above")
        return
    except KeyFileError as error:
        yield _fail("key ring", str(error), "without it no message and no new trip is taken")
        return
    yield _ok("key ring", f"{count_of(len(ring), 'key')} in {source}")
    now_ms = time.time_ns() // 1_000_000
    rotate = (
        "a running relay makes them by itself: see whether one runs, and its log"
        if own
        else "`relay keyring rotate` makes more; run it every day"
    )
    for purpose in Purpose:
        ahead_s = _covered_ms(ring, purpose, now_ms) / 1000
        if not ahead_s:
            yield _fail("key ring", f"no key for {purpose} covers the present time", rotate)
        elif ahead_s < _KEYS_SOON_S:
            yield _warn("key ring", f"keys for {purpose} only for {duration(ahead_s)}", rotate)
        else:
            yield _ok("key ring", f"keys for {purpose} for {duration(ahead_s)}")
    due = ring.due(now_ms, *host.longest_ms(where))
    if due:
        yield _warn(
            "key ring",
            f"{count_of(len(due), 'key')} due to be destroyed: until then backups stay readable",
            "`relay keyring retire --due`; a running relay does it for its own ring",
        )


def _covered_ms(ring: KeyRing, purpose: Purpose, now_ms: int) -> int:
    """For how long from now there is a key at every moment."""
    until_ms = now_ms
    for key in ring:
        if key.purpose is purpose and key.covers(until_ms):
            until_ms = key.until_ms
    return until_ms - now_ms


# --- the store ------------------------------------------------------------------------------------


def _store(where: Settings) -> Iterator[Finding]:
    advice = (
        "see whether it runs, and its address, user and password"
        if where.redis
        else "`relay serve` starts it; its log is valkey.log in the data folder"
    )
    url = where.redis or _embedded_url(where.folder)
    if url is None:
        yield _fail("store", f"no embedded store runs on {where.folder}", advice)
        return
    store = Endpoint.parse(url)
    try:
        servers = asyncio.run(servers_of(store, _TIMEOUT_S))
    except (StoreError, OSError) as error:
        yield _unreached(store, error, str(error), advice)
        return
    for server in servers:
        client = _client(server)
        try:
            yield from _answering_store(client, str(server), embedded=not where.redis)
        except (RedisError, OSError) as error:
            # The text of a server's error may quote a user's name; its type says enough.
            text = f"{server} does not answer as it should ({type(error).__name__})"
            yield _unreached(server, error, text, advice)
        finally:
            client.close()


def _unreached(server: Endpoint, error: Exception, text: str, advice: str) -> Finding:
    if why := disbelieved(error):
        return _fail("store", f"{server} {why}", CERTIFICATE_ADVICE)
    return _fail("store", text, advice)


def _client(server: Endpoint) -> redis.Redis:
    return redis.Redis(
        host=server.host,
        port=server.port,
        unix_socket_path=server.path or None,
        db=server.database,
        username=server.username,
        password=server.password,
        ssl=server.tls,
        ssl_ca_certs=server.ca_file,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
        maint_notifications_config=MaintNotificationsConfig(enabled=False),
    )


def _embedded_url(folder: Path) -> str | None:
    """Where a server on this folder listens, if one has ever run there."""
    try:
        if not (folder / "relay.lock").is_file() or folder.stat().st_mode & 0o077:
            return None
        opened = DataFolder(folder)
    except (OSError, EmbeddedServerError):
        return None
    try:
        path = opened.socket_path()
    finally:
        opened.close()
    return None if path is None else f"unix://{quote(str(path))}"


def _answering_store(client: Any, name: str, *, embedded: bool) -> Iterator[Finding]:
    began_s = time.perf_counter()
    client.ping()
    took_ms = (time.perf_counter() - began_s) * 1000
    info = client.info()
    version = info.get("valkey_version") or info.get("redis_version")
    kind = "Valkey" if "valkey_version" in info else "Redis"
    yield _ok("store", f"{kind} {version} at {name} answers in {took_ms:.1f} ms")
    yield _clock(client)
    try:
        config = client.config_get("appendonly", "appendfsync", "maxmemory-policy")
    except redis.ResponseError:
        yield _warn(
            "persistence", "this user may not read the store's configuration",
            "see yourself that appendonly is yes and maxmemory-policy noeviction",
        )  # fmt: skip
        return
    yield _persistence(config, info, embedded)
    policy = config.get("maxmemory-policy")
    if policy == "noeviction":
        yield _ok("eviction", "maxmemory-policy noeviction")
    else:
        yield _fail(
            "eviction",
            f"maxmemory-policy {policy}: when its memory is full the store throws open trips away",
            "CONFIG SET maxmemory-policy noeviction, and in its configuration file",
        )


def _persistence(config: dict[str, str], info: dict[str, Any], embedded: bool) -> Finding:
    fsync = config.get("appendfsync")
    if config.get("appendonly") != "yes":
        text = "appendonly no: a restart of the store loses every open trip and message"
        if embedded:
            return _warn("persistence", text, "that is meant for `relay demo` only")
        return _fail(
            "persistence", text, "CONFIG SET appendonly yes, and in its configuration file"
        )
    if info.get("aof_last_write_status", "ok") != "ok":
        advice = "make room on the store's disk; its log says more"
        return _fail("persistence", "the last write to disk failed", advice)
    if fsync != "always":
        return _warn(
            "persistence",
            f"appendonly yes, appendfsync {fsync}: a crash of the store's machine can lose "
            "messages of its last second",
            "CONFIG SET appendfsync always, if that must not be",
        )
    return _ok("persistence", "appendonly yes, appendfsync always: accepted means on disk")


def _clock(client: Any) -> Finding:
    before_s = time.time()
    seconds, micros = client.time()
    here_s = (before_s + time.time()) / 2
    ahead_s = seconds + micros / 1e6 - here_s
    if abs(ahead_s) < _CLOCK_WARN_S:
        return _ok("clock", f"the store's differs by {abs(ahead_s) * 1000:.0f} ms from this one")
    way = "ahead of" if ahead_s > 0 else "behind"
    advice = "let both machines keep time with NTP (chrony, systemd-timesyncd)"
    text = f"the store's is {duration(abs(ahead_s))} {way} this one"
    if abs(ahead_s) < _CLOCK_FAIL_S:
        return _warn("clock", text, advice)
    return _fail("clock", f"{text}: keys and deadlines go by different times", advice)


# --- the relay ------------------------------------------------------------------------------------


def _api(where: Settings) -> Iterator[Finding]:
    url = f"http://{_reachable(where.api, 'api')}"
    api = Api(url)
    try:
        api.call("GET", "/livez")
    except ApiError as error:
        yield _fail(
            "API", str(error), "or name it to the doctor with --api, if it listens elsewhere"
        )
        return
    try:
        api.call("GET", "/readyz")
    except ApiError as error:
        yield _fail("API", f"{url} runs and is not ready: {error}", "see the relay's log")
    else:
        yield _ok("API", f"{url} is ready")


def _gateway(where: Settings) -> Iterator[Finding]:
    urls = [f"ws://{_reachable(where.gateway, 'gateway')}/v1/channel"]
    if where.gateway_url and where.gateway_url not in urls:
        urls.append(where.gateway_url)
    for url in urls:
        try:
            asyncio.run(_greet(url))
        except (OSError, WebSocketException) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            yield _fail(
                "gateway",
                f"{url} takes no connection ({visible(reason)})",
                "start the relay (`relay serve`), or name it with --gateway; for an outside "
                "address see the proxy before it",
            )
        else:
            yield _ok("gateway", f"{url} takes connections")


async def _greet(url: str) -> None:
    async with asyncio.timeout(_TIMEOUT_S):
        socket = await open_socket(url, None)
    await socket.close()


def _reachable(where: str, name: str) -> str:
    """HOST:PORT to connect to, for one to listen at."""
    host_name, port = address(where, name)
    host_name = _ANYWHERE.get(host_name, host_name)
    return f"[{host_name}]:{port}" if ":" in host_name else f"{host_name}:{port}"


def _ok(name: str, text: str) -> Finding:
    return Finding(name, Level.OK, text)


def _warn(name: str, text: str, advice: str) -> Finding:
    return Finding(name, Level.WARN, text, advice)


def _fail(name: str, text: str, advice: str) -> Finding:
    return Finding(name, Level.FAIL, text, advice)
