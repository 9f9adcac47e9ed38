"""`relay bench`: what a relay carries, and whether it keeps its promises while it does."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import SplitResult, urlsplit

import msgspec
import typer
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from .. import logs
from ..bench import compare as comparing
from ..bench import figures
from ..bench import peers as peers_of
from ..bench.crew import LoadFailed
from ..bench.measure import Course
from ..bench.page import page_of
from ..bench.ramp import ramp
from ..bench.result import FORMAT, Point, Result, Written
from ..bench.run import Opened, run
from ..bench.table import steps_of, table_of, verdict_of
from ..bench.target import (
    Running,
    Target,
    most_apps_of_load,
    most_apps_of_relay,
    started,
)
from .confidential import secret
from .options import AsJson, group
from .output import MISUSED, REFUSED, err, fail, out, print_json

app = group("Put a load on a relay: how fast it is, and whether it stays correct.")

_WIDEST: Final = 400
_LINE_EVERY_S: Final = 5.0
_DEFAULT_LOADERS: Final = max(1, len(os.sched_getaffinity(0)) - 1)


def _seen_writable(file: Path | None) -> Path | None:
    """A report that cannot be written is told before minutes of measuring."""
    if file is not None and (
        file.is_dir() or not os.access(file if file.exists() else file.parent, os.W_OK)
    ):
        fail(f"the report {file} cannot be written: name a file in a folder that is there", MISUSED)
    return file


Gateway: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="the gateway of a relay that runs, ws:// or wss://HOST:PORT/v1/channel; without it a "
        "relay is started for the run",
    ),
]
Api: TypeAlias = Annotated[
    str | None, typer.Option(metavar="URL", help="and its API, http:// or https://")
]
KeyFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--api-key-file",
        metavar="FILE",
        help="file with its API key of scope platform; without it the key is taken from "
        "RELAY_API_KEY",
    ),
]
Workers: TypeAlias = Annotated[
    int, typer.Option(min=1, max=256, help="workers of the relay that is started")
]
Nodes: TypeAlias = Annotated[
    int, typer.Option(min=1, max=16, help="relays that are started, on one store")
]
Apart: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--apart", help="with several nodes: the two parties of each trip are at different ones"
    ),
]
Loaders: TypeAlias = Annotated[
    int,
    typer.Option(
        min=1,
        max=64,
        help="load processes, no more than there are trips to share; one less than the cores if "
        "not given",
    ),
]
Seconds: TypeAlias = Annotated[int, typer.Option(min=1, help="how long is measured")]
WarmUp: TypeAlias = Annotated[int, typer.Option(min=0, help="seconds of load before that")]
ReportFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="write a page with charts there (HTML)",
        callback=_seen_writable,
    ),
]
Rounds: TypeAlias = Annotated[
    int,
    typer.Option(
        min=1, help="how often it is measured; where relays are started, each time on a new one"
    ),
]


@app.command()
def closed(
    trips: Annotated[int, typer.Option(min=1, help="trips, of two parties each")] = 50,
    in_flight: Annotated[
        int, typer.Option(min=1, help="posts that each party keeps unanswered")
    ] = 4,
    seconds: Seconds = 10,
    warm_up: WarmUp = 2,
    rounds: Rounds = 1,
    gateway: Gateway = None,
    api: Api = None,
    api_key_file: KeyFile = None,
    workers: Workers = 1,
    nodes: Nodes = 1,
    apart: Apart = False,
    loaders: Loaders = _DEFAULT_LOADERS,
    peers: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="measure the peers in that folder too, in turn with the relay, and show ratios",
        ),
    ] = None,
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Closed loop: as many messages as the relay takes.

    Each party posts the next message when one before it is answered.
    """
    where = _Where(gateway, api, api_key_file, workers, nodes, apart=apart)
    course = Course(seconds, warm_up, min(loaders, trips))
    where.need_room(2 * trips, course)
    options = {"trips": trips, "in_flight": in_flight} | where.told
    others = {} if peers is None else _peers_in(peers, trips)
    _conclude(_run(where, "closed", options, course, rounds, others), report, as_json)


@app.command("ramp")
def ramp_up(
    start: Annotated[int, typer.Option("--from", min=1, help="messages a second at first")] = 500,
    p99: Annotated[
        float, typer.Option(min=0.1, metavar="MS", help="the most that delivery may take")
    ] = 50.0,
    trips: Annotated[int, typer.Option(min=1, help="trips, of two parties each")] = 200,
    seconds: Annotated[int, typer.Option(min=1, help="how long each rate is measured")] = 5,
    warm_up: WarmUp = 1,
    gateway: Gateway = None,
    api: Api = None,
    api_key_file: KeyFile = None,
    workers: Workers = 1,
    loaders: Loaders = _DEFAULT_LOADERS,
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Ramp to the knee: raise the rate until a bound breaks, and say where.

    The bounds: the p99 of delivery, no errors, and that all that is sent comes through.
    """
    where = _Where(gateway, api, api_key_file, workers)
    options = {"from": start, "p99_ms": p99, "trips": trips}
    course = Course(seconds, warm_up, min(loaders, trips))
    where.need_room(2 * trips, course)
    shown = _Shown()
    _conclude(_shown_running(shown, ramp(where.opened, options, course, shown)), report, as_json)


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(metavar="A.json", help="what `--json` printed before")],
    after: Annotated[Path, typer.Argument(metavar="B.json", help="and after a change")],
    as_json: AsJson = False,
) -> None:
    """Compare two runs: each figure of B divided by that of A, with the range over rounds."""
    first, second = _read(before), _read(after)
    if first.scenario != second.scenario:
        fail(
            f"{before} is of `{first.scenario}` and {after} of `{second.scenario}`, which measure "
            "different things: compare two runs of one scenario",
            MISUSED,
        )
    found = comparing.changes(first, second)
    if as_json:
        changes = [msgspec.to_builtins(change._asdict()) for change in found]
        print_json({"changes": changes, "differences": [*comparing.differences(first, second)]})
        return
    _print(out, comparing.table_of(found))
    for line in comparing.differences(first, second):
        out.print(Text(line, "yellow"))


def _read(file: Path) -> Result:
    try:
        content = file.read_bytes()
        written = msgspec.json.decode(content, type=Written).format
        if written != FORMAT:
            fail(
                f"{file} is of another version of `relay bench` (its format is {written}, here it "
                f"is {FORMAT}): measure both with one version",
                MISUSED,
            )
        return msgspec.json.decode(content, type=Result)
    except OSError as error:
        fail(f"{file} cannot be read ({error.strerror})", MISUSED)
    except (msgspec.DecodeError, UnicodeDecodeError):
        fail(f"{file} is not what `relay bench ... --json` prints", MISUSED)


@app.command("open")
def open_loop(
    rate: Annotated[int, typer.Option(min=1, help="messages a second, of all parties")] = 1000,
    trips: Annotated[int, typer.Option(min=1, help="trips, of two parties each")] = 200,
    unattached: Annotated[
        int, typer.Option(min=0, help="trips besides that are open with nobody attached")
    ] = 0,
    silence: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="SECONDS",
            help="say nothing for so long first: tells what messages cost apart from open trips",
        ),
    ] = 0,
    seconds: Seconds = 10,
    warm_up: WarmUp = 2,
    rounds: Rounds = 1,
    gateway: Gateway = None,
    api: Api = None,
    api_key_file: KeyFile = None,
    workers: Workers = 1,
    nodes: Nodes = 1,
    apart: Apart = False,
    loaders: Loaders = _DEFAULT_LOADERS,
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Open loop: messages at a rate, whatever the relay does.

    Latency counts from the moment a message was meant to be sent.
    """
    where = _Where(gateway, api, api_key_file, workers, nodes, apart=apart)
    course = Course(seconds, warm_up, min(loaders, trips), silence_s=silence)
    options = {"rate": rate, "trips": trips, "unattached": unattached} | where.told
    where.need_room(2 * trips, course)
    _conclude(_run(where, "open", options, course, rounds), report, as_json)


@app.command()
def storm(
    connections: Annotated[int, typer.Option(min=2, help="apps that come back")] = 1000,
    at_once: Annotated[int, typer.Option(min=1, help="of which so many at a time")] = 64,
    missed: Annotated[int, typer.Option(min=0, help="messages that each is given then")] = 1,
    seconds: Seconds = 10,
    warm_up: WarmUp = 2,
    rounds: Rounds = 1,
    gateway: Gateway = None,
    api: Api = None,
    api_key_file: KeyFile = None,
    workers: Workers = 1,
    loaders: Loaders = _DEFAULT_LOADERS,
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Connect storm: apps that come back all at once and resume."""
    where = _Where(gateway, api, api_key_file, workers)
    course = Course(seconds, warm_up, min(loaders, connections // 2))
    where.need_room(connections, course)
    options = {"connections": connections, "at_once": at_once, "missed": missed}
    _conclude(_run(where, "storm", options, course, rounds), report, as_json)


@app.command()
def churn(
    at_once: Annotated[int, typer.Option(min=1, help="trips at a time")] = 32,
    messages: Annotated[
        int, typer.Option(min=0, help="messages of each party; 0: open and end by HTTP only")
    ] = 2,
    seconds: Seconds = 10,
    warm_up: WarmUp = 2,
    rounds: Rounds = 1,
    gateway: Gateway = None,
    api: Api = None,
    api_key_file: KeyFile = None,
    workers: Workers = 1,
    loaders: Loaders = _DEFAULT_LOADERS,
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Trip churn: trips that are opened, chatted in and ended.

    After each end both parties try to post once more, which must not be accepted.
    """
    where = _Where(gateway, api, api_key_file, workers)
    course = Course(seconds, warm_up, min(loaders, at_once))
    # Each has a call to the API on its way, and apps that talk.
    where.need_room(3 * at_once if messages else at_once, course)
    options = {"at_once": at_once, "messages": messages}
    _conclude(_run(where, "churn", options, course, rounds), report, as_json)


@app.command()
def idle(
    connections: Annotated[
        int, typer.Option(min=2, help="apps that attach and say nothing")
    ] = 2000,
    hold: Annotated[int, typer.Option(min=1, metavar="SECONDS", help="for how long")] = 5,
    rounds: Rounds = 1,
    gateway: Gateway = None,
    api: Api = None,
    api_key_file: KeyFile = None,
    workers: Workers = 1,
    loaders: Loaders = _DEFAULT_LOADERS,
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """Idle connections: the relay's memory for each app that is attached."""
    where = _Where(gateway, api, api_key_file, workers)
    options = {"connections": connections, "hold_s": hold}
    course = Course(hold, 0, min(loaders, connections // 2), ends_itself=True)
    where.need_room(connections, course)
    _conclude(_run(where, "idle", options, course, rounds), report, as_json)


@app.command()
def day(
    rides: Annotated[int, typer.Option(min=1, help="rides of the day")] = 1000,
    seconds: Annotated[int, typer.Option(min=1, help="how long the day lasts here")] = 60,
    rounds: Rounds = 1,
    gateway: Gateway = None,
    api: Api = None,
    api_key_file: KeyFile = None,
    workers: Workers = 1,
    loaders: Loaders = _DEFAULT_LOADERS,
    report: ReportFile = None,
    as_json: AsJson = False,
) -> None:
    """A ride day: a city's rides with two peaks, tunnels, bad networks, other drivers, leaks.

    Some try to give a number away, some report the other; what must hold is checked throughout.
    """
    where = _Where(gateway, api, api_key_file, workers)
    options = {"rides": rides, "day_s": seconds}
    course = Course(seconds, 0, min(loaders, rides), ends_itself=True)
    _conclude(_run(where, "day", options, course, rounds), report, as_json)


class _Where:
    """Which relay is measured."""

    def __init__(
        self, gateway: str | None, api: str | None, key_file: Path | None, workers: int,
        nodes: int = 1, *, apart: bool = False,
    ) -> None:  # fmt: skip
        if apart and nodes == 1:
            fail("--apart needs several nodes: add --nodes 2", MISUSED)
        self.opened: Opened = partial(started, workers, nodes)
        self._workers: int | None = workers * nodes
        #: What of it has to be known to compare runs.
        self.told = {"nodes": nodes, "apart": int(apart)} if nodes > 1 else {}
        if gateway is None and api is None:
            return
        if nodes > 1:
            fail("--nodes is for relays that are started; --gateway names one that runs", MISUSED)
        if gateway is None or api is None:
            fail("--gateway and --api belong together: give both, or neither", MISUSED)
        _meant(gateway, "--gateway", "ws", "wss")
        parts = _meant(api, "--api", "http", "https")
        if parts.path.strip("/") or parts.query:
            fail("--api is the API's address alone, without a path", MISUSED)
        key = secret(
            "API key", option="--api-key-file", file=key_file, variable="RELAY_API_KEY"
        )  # fmt: skip
        self._running = Running(gateway, f"{parts.scheme}://{parts.netloc}", key)
        self.opened, self._workers = self._as_it_is, None

    def need_room(self, apps: int, course: Course) -> None:
        """End here, not after minutes, what asks for more apps than this machine lets connect."""
        found = {"--loaders": most_apps_of_load(course.processes)}
        if self._workers is not None:
            found["--workers"] = most_apps_of_relay(self._workers)
        short = {option: most for option, most in found.items() if most < apps}
        if short:
            fail(
                f"{apps:,} apps need more open files than a process may have here: there is room "
                f"for {min(short.values()):,}. Allow more where you start this (`ulimit -n 65536`, "
                f"which may need root), or spread them over more processes ({' and '.join(short)})",
                MISUSED,
            )

    @asynccontextmanager
    async def _as_it_is(self) -> AsyncIterator[Target]:
        yield self._running


def _meant(url: str, option: str, *schemes: str) -> SplitResult:
    """The parts of an address, if it can be one of what it is for."""
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and parts.port != 0
    except ValueError:
        fail(f"{option} is no address: it has to be {schemes[0]}://HOST:PORT", MISUSED)
    if parts.scheme not in schemes or not has_host:
        fail(f"{option} has to begin with {' or '.join(f'{one}://' for one in schemes)}, "
             "and to name a machine",
             MISUSED)  # fmt: skip
    return parts


class _Shown:
    """How the run goes, on standard error: as a bar, or now and then a line where there is no
    terminal."""

    def __init__(self) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[now]}"),
            TimeElapsedColumn(), console=err, transient=True,
        )  # fmt: skip
        self._task = self.progress.add_task("", total=1.0, now="")
        self._what = ""
        self._said = "", 0.0

    def round(self, number: int, of: int, target: str) -> None:
        self._what = target if of < 2 else f"{target}, round {number} of {of}"
        self._show(f"{self._what}: starting", 0.0)

    def doing(self, what: str, share: float) -> None:
        if what:
            self._show(f"{self._what}: {what}", share)

    def second(self, point: Point, share: float) -> None:
        rates = {"delivered": point.delivered_per_s, **point.rates}
        # What goes on where nobody says anything.
        name = next(
            (one for one in ("delivered", "attached", "open") if rates.get(one)), "delivered"
        )
        now = f"{figures.shown(f'{name}_per_s').label} {rates[name]:,.0f}/s"
        if point.p99_ms is not None:
            now += f"  p99 {point.p99_ms:,.1f} ms"
        self._show(self._what, share, now)

    def _show(self, what: str, share: float, now: str = "") -> None:
        self.progress.update(self._task, description=what, completed=share, now=now)
        now_s = time.monotonic()
        if not err.is_terminal and (what != self._said[0] or now_s - self._said[1] > _LINE_EVERY_S):
            self._said = what, now_s
            err.print(f"{what}{f', {share:.0%}' if 0 < share < 1 else ''}  {now}".rstrip())


def _peers_in(folder: Path, trips: int) -> dict[str, Opened]:
    found = peers_of.found_in(folder)
    if not found:
        fail(
            f"{folder} holds no peer that this machine can start; deploy/LOADTEST.md tells what "
            "has to be there",
            MISUSED,
        )
    return {peer.name: partial(peers_of.started, peer, folder, trips) for peer in found}


def _run(
    where: _Where, scenario: str, options: dict[str, Any], course: Course, rounds: int,
    others: dict[str, Opened] | None = None,
) -> Result:  # fmt: skip
    logs.configure("warning")
    shown = _Shown()
    targets = {"relay": where.opened} | (others or {})
    return _shown_running(shown, run(targets, scenario, options, course, rounds, shown))


def _shown_running(shown: _Shown, running: Coroutine[Any, Any, Result]) -> Result:
    try:
        with shown.progress:
            return asyncio.run(_until_stopped(running))
    except asyncio.CancelledError:
        fail("the run was stopped; what it had started has ended")
    except LoadFailed as error:
        fail(f"the load could not be put on: {error}")
    except (OSError, TimeoutError, RuntimeError) as error:
        fail(f"the run was broken off: {error}")


async def _until_stopped(running: Coroutine[Any, Any, Result]) -> Result:
    """However the run is stopped, what it started ends with it."""
    working = asyncio.ensure_future(running)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, working.cancel)
    return await working


def _conclude(found: Result, report: Path | None, as_json: bool) -> None:
    # First: the rest may go to a pipe that nobody reads to its end.
    unwritten = "" if report is None else _write(report, found)
    where = err if as_json else out
    if found.steps:
        _print(where, steps_of(found))
        where.print()
    _print(where, table_of(found))
    for line in verdict_of(found):
        where.print(line)
    if as_json:
        print_json(msgspec.to_builtins(found))
    if unwritten:
        fail(
            f"the report {report} cannot be written ({unwritten}), or only a part of it; what was "
            "found stands above"
        )
    if report is not None:
        err.print(f"relay: the report is in {report}")
    if not found.ok:
        raise typer.Exit(REFUSED)


def _write(report: Path, found: Result) -> str:
    """Write the page; why it could not be, if so."""
    try:
        report.write_text(page_of(found))
    except OSError as error:
        return error.strerror or type(error).__name__
    return ""


def _print(where: Console, table: Table) -> None:
    """A table as wide as it has to be: cells that are cut tell nothing."""
    wide = where.options.update(max_width=_WIDEST)
    where.width = max(where.width, Measurement.get(where, wide, table).maximum)
    where.print(table)
