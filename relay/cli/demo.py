"""`relay demo`: a whole relay for a moment, in a private temporary folder that goes with it."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from .. import logs
from ..api.auth import KeyScope, new_key
from ..app import Relay, stop_signals
from ..order import bound
from ..settings import Settings, SettingsError
from ..store.access import pipe_to
from .api import Api
from .chat import DEFAULT_GATEWAY
from .confidential import write_secret
from .demo_script import Play
from .options import DEFAULT_URL
from .output import CANNOT_START, REFUSED, err, fail, out
from .serve import run

_GATEWAY: Final = "127.0.0.1:8700"
_API: Final = "127.0.0.1:8701"
_ANY_PORT: Final = "127.0.0.1:0"
_TRIP: Final = "demo-1"

#: Made up. They only have to be numbers that the Indonesian numbering plan knows.
PHONES: Final = {"driver": "+6281200001234", "customer": "+6285700005678"}


def demo(
    script: Annotated[
        bool, typer.Option("--script", help="play a short trip, show what happens, and exit")
    ] = False,
    gateway: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help=f"else {_GATEWAY}, or any port if that is taken"),
    ] = None,
    api: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help=f"else {_API}, or any port if that is taken"),
    ] = None,
) -> None:
    """Run a whole relay in a temporary folder, to try it out.

    Opens a sample trip and says how to talk in it from two other terminals. Ctrl-C ends it and
    removes everything. With --script it plays both parties itself and shows, side by side, what the
    driver sees, what the customer sees and what lies in the store; it exits with 1 if anything it
    claims is not so.
    """
    logs.configure("warning")
    went_well: list[bool] = []
    run(_until_stopped(_demo(script, gateway, api, went_well)))
    if script and went_well != [True]:
        raise typer.Exit(REFUSED)


async def _until_stopped(work: Any) -> None:
    """Do `work`; Ctrl-C, SIGTERM and a closed terminal end it in good order."""
    stop = stop_signals()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, stop.set)
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    working.cancel()
    await asyncio.wait((working,))
    if not working.cancelled():
        working.result()


async def _demo(script: bool, gateway: str | None, api: str | None, went_well: list[bool]) -> None:
    with tempfile.TemporaryDirectory(prefix="relay-demo-") as name:
        folder = Path(name)
        try:
            settings = Settings(
                gateway=gateway or (_ANY_PORT if script else _free(_GATEWAY, "gateway")),
                api=api or (_ANY_PORT if script else _free(_API, "api")),
                data=str(folder / "data"),
                log_level="warning",
                drain_s=0.1,
            )
        except SettingsError as error:
            fail(str(error), CANNOT_START)
        async with Relay(settings, durable=False) as relay:
            key = await _new_key(relay.store_url)
            calls = Api(f"http://{relay.settings.api}", key)
            trip = _sample_trip()
            if script:
                play = Play(calls, relay.settings.gateway_url, relay.store_url, trip)
                went_well.append(await play.run())
                return
            opened = await asyncio.to_thread(calls.call, "POST", "/v1/trips", trip)
            write_secret(folder / "api.key", key)
            for role in PHONES:
                write_secret(folder / f"{role}.token", opened[role]["token"])
            _tell(relay.settings, folder)
            await relay.wait()


def _free(where: str, name: str) -> str:
    """That address, or any port if it is taken."""
    try:
        bound(where, name, shared=False).close()
    except OSError:
        return _ANY_PORT
    return where


async def _new_key(store_url: str) -> str:
    async with pipe_to(store_url, name="relay-demo") as pipe:
        return await new_key(
            pipe, KeyScope.PLATFORM, note="relay demo", now_ms=_now_ms(), random_bytes=os.urandom
        )


def _sample_trip() -> dict[str, Any]:
    return {
        "trip_id": _TRIP,
        "driver": {"party_id": "driver-19", "alias": "Budi", "phone": PHONES["driver"]},
        "customer": {"party_id": "customer-7", "alias": "Rani", "phone": PHONES["customer"]},
        "requested_at": _now_ms(),
        "max_duration_s": 2 * 3600,
    }


def _tell(settings: Settings, folder: Path) -> None:
    relay = _as_started()
    api_url = f"http://{settings.api}"
    url = "" if api_url == DEFAULT_URL else f" --url {api_url}"
    gateway = "" if settings.gateway_url == DEFAULT_GATEWAY else f" --url {settings.gateway_url}"
    key = f"--api-key-file {folder}/api.key{url}"
    out.print(f"""\
A relay runs here to be tried out, with an embedded store in memory.

  API       {api_url}    its key is in {folder}/api.key
  gateway   {settings.gateway_url}
  trip      {_TRIP}: Budi drives, Rani is the customer; open for two hours

Be both, each in a terminal of its own:

  {relay} chat --token-file {folder}/driver.token{gateway}
  {relay} chat --token-file {folder}/customer.token{gateway}

Look at the trip, and end it:

  {relay} trip show {_TRIP} {key}
  {relay} trip end {_TRIP} {key}
""")
    err.print(f"relay: Ctrl-C stops it and removes {folder}")


def _as_started() -> str:
    """The command by which this relay was started, for another terminal."""
    started = sys.argv[0]
    if started.endswith("__main__.py"):
        return f"{shlex.quote(sys.executable)} -m relay"
    found = shutil.which("relay")
    if found is not None and os.path.realpath(found) == os.path.realpath(started):
        return "relay"
    return shlex.quote(started)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
