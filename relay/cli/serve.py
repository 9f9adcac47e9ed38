"""`relay serve` and `relay demo`: a relay in the foreground."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop

from .. import logs
from ..app import CannotStart, Relay, stop_signals
from ..settings import Settings, SettingsError, load
from ..store.endpoint import Endpoint
from ..store.server_process import EmbeddedServerError
from .output import CANNOT_START, err, fail


def _option(name: str, kind: str = "TEXT") -> Any:
    texts = {one.name: one.metadata["help"] for one in Settings.__dataclass_fields__.values()}
    return typer.Option(f"--{name.replace('_', '-')}", help=texts[name], metavar=kind)


def serve(
    gateway: Annotated[str | None, _option("gateway", "HOST:PORT")] = None,
    api: Annotated[str | None, _option("api", "HOST:PORT")] = None,
    gateway_url: Annotated[str | None, _option("gateway_url", "URL")] = None,
    workers: Annotated[int | None, _option("workers", "N")] = None,
    redis: Annotated[str | None, _option("redis", "URL")] = None,
    data: Annotated[str | None, _option("data", "FOLDER")] = None,
    keyring_file: Annotated[str | None, _option("keyring_file", "FILE")] = None,
    log_level: Annotated[str | None, _option("log_level", "LEVEL")] = None,
    drain_s: Annotated[float | None, _option("drain_s", "SECONDS")] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", help="TOML file with any of the settings", metavar="FILE"),
    ] = None,
) -> None:
    """Serve apps and the platform until stopped.

    Settings come from the flags, else from RELAY_* in the environment, else from the TOML file;
    those without a flag (limits and times) from the latter two. SIGTERM and Ctrl-C drain.
    """
    given = {
        name: value
        for name, value in locals().items()
        if name in Settings.__dataclass_fields__ and value is not None
    }
    if config is None and "RELAY_CONFIG" in os.environ:
        config = Path(os.environ["RELAY_CONFIG"])
    try:
        settings = load(given, os.environ, config)
    except SettingsError as error:
        fail(str(error), CANNOT_START)
    logs.configure(settings.log_level)
    run(_serve(settings))


def run(work: Any) -> None:
    """Run a relay's coroutine and turn what keeps it from starting into one line."""
    try:
        uvloop.run(work)
    except (CannotStart, EmbeddedServerError) as error:
        fail(str(error), CANNOT_START)


async def _serve(settings: Settings) -> None:
    stop = stop_signals()
    relay = Relay(settings)
    starting = asyncio.ensure_future(_started(relay))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if not starting.done():
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        stopping.cancel()
        return
    await starting
    try:
        where = relay.settings
        if where.redis:
            store = f"external store {Endpoint.parse(where.redis)}"
        else:
            store = f"embedded store in {where.folder}"
        err.print(
            f"relay: apps connect to {where.gateway_url}, the platform calls http://{where.api}\n"
            f"relay: {store}; {where.workers} worker(s); stop with Ctrl-C",
            markup=False,
        )
        broken = asyncio.create_task(relay.wait())
        await asyncio.wait((stopping, broken), return_when=asyncio.FIRST_COMPLETED)
        if broken.done():
            await broken
        broken.cancel()
        err.print("relay: draining", markup=False)
    finally:
        stopping.cancel()
        await relay.__aexit__(None, None, None)


async def _started(relay: Relay) -> None:
    await relay.__aenter__()
