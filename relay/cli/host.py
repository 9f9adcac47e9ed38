"""For commands that work on the store or the key ring themselves, on the relay's own host.

They find both as `relay serve` does. With the embedded store they use the server of the relay that
runs on the folder; where none runs they start one for the moment of the command.
"""

from __future__ import annotations

import asyncio
import os
import pwd
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote, urlsplit

from .. import logs
from ..core.casework import StaffScope
from ..keyfile import KeyFile
from ..live_ring import VARIABLE, LiveRing
from ..ops.actor import Actor
from ..settings import Settings, SettingsError, load
from ..store.access import pipe_to
from ..store.data_folder import DataFolder
from ..store.embedded import EmbeddedServer, EmbeddedServerError
from ..store.endpoint import Endpoint, StoreError
from ..store.pipe import Pipe
from ..store.server_process import Answer, ping
from ..vault.ring import KeyRing
from .output import CANNOT_START, err, fail

T = TypeVar("T")

_REPLY_TIMEOUT_S: Final = 5.0


def settings(flags: Mapping[str, Any], config: Path | None, *, with_keys: bool = True) -> Settings:
    """The settings of the relay on this host; `flags` may hold None for what was not given.

    Without `with_keys` an external store needs no key ring to be named.
    """
    logs.configure("warning")
    given = {name: value for name, value in flags.items() if value is not None}
    if not with_keys:
        given["keyring_file"] = os.devnull  # it is not opened
    if config is None and "RELAY_CONFIG" in os.environ:
        config = Path(os.environ["RELAY_CONFIG"])
    try:
        found = load(given, os.environ, config)
    except SettingsError as error:
        fail(str(error), CANNOT_START)
    if "redis" in given and urlsplit(found.redis).password:
        err.print(
            "relay: other users of this machine can read the password in --redis; "
            "put the URL into RELAY_REDIS instead"
        )
    return found


def on_store(where: Settings, work: Callable[[Pipe], Awaitable[T]]) -> T:
    """Do `work` on the store; what keeps it from being done becomes one line."""
    try:
        return asyncio.run(_on_store(where, work))
    except EmbeddedServerError as error:
        fail(str(error))
    except StoreError as error:
        fail(
            f"{str(error) or 'the store did not answer'}, so nothing is known to have been done; "
            "see whether it runs and takes commands (`relay doctor`), and try again"
        )


async def _on_store(where: Settings, work: Callable[[Pipe], Awaitable[T]]) -> T:
    if where.redis:
        return await _on_pipe(where.redis, work)
    async with EmbeddedServer(where.folder, durable=True) as server:
        return await _on_pipe(server.url, work)


async def _on_pipe(url: str, work: Callable[[Pipe], Awaitable[T]]) -> T:
    async with pipe_to(url, name="relay-cli", reply_timeout_s=_REPLY_TIMEOUT_S) as pipe:
        return await work(pipe)


def store_name(where: Settings) -> str:
    """Which store that is, for people; without user and password."""
    if where.redis:
        return f"the store at {Endpoint.parse(where.redis)}"
    return f"the embedded store in {where.folder}"


async def running_store(where: Settings) -> str | None:
    """The URL of a store that runs already and can be asked; None where there is none."""
    if where.redis:
        return where.redis
    if not (where.folder / "relay.lock").exists():
        return None
    try:
        with closing(DataFolder(where.folder)) as folder:
            path = folder.socket_path()
    except EmbeddedServerError:
        return None
    if path is None or await ping(path) is not Answer.READY:
        return None
    return f"unix://{quote(str(path))}"


def person() -> Actor:
    """Who runs this command, for the audit log: this machine's user, whatever the environment says.

    Who is on the relay's host with its store and its keys may do what a supervisor may.
    """
    number = os.getuid()
    try:
        name = pwd.getpwuid(number).pw_name
    except KeyError:
        name = str(number)
    return Actor(f"host:{name}", StaffScope.SUPERVISOR, "host")


def longest_ms(where: Settings) -> tuple[int, int, int]:
    """The longest trip, retention of messages and retention of evidence: how long keys are needed.

    As `KeyRing.due` and `KeyRing.rows` take them.
    """
    return (
        where.longest_trip_s * 1000,
        where.longest_retention_s * 1000,
        where.evidence_retention_s * 1000,
    )


def ring_is_in_environment(where: Settings) -> bool:
    """Whether a relay with these settings takes its key ring from the environment."""
    return bool(where.redis) and not where.keyring_file


def key_ring(where: Settings) -> tuple[KeyRing, str]:
    """The ring of a relay with these settings, and where it is from. Raises `KeyFileError`."""
    if ring_is_in_environment(where):
        return LiveRing.of_environment(os.environ).ring, VARIABLE
    return KeyFile(where.ring_path).read(), str(where.ring_path)
