# ruff: noqa: RUF001 - figures are told with the signs that people write
"""The figures of deploy/PERFORMANCE.md: each row of its table, measured as the page says.

    python -m tests.load.performance [--peers FOLDER] [--rounds 5] [--json FILE] [ROW ...]

Without rows all of them, one after the other: about 20 minutes on two cores with nothing else on
them. Says on standard error how it goes, and prints the table as it stands in the page.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import uvloop

from relay import logs
from relay.bench import peers as peers_of
from relay.bench.crew import LoadFailed
from relay.bench.figures import number
from relay.bench.load import Load
from relay.bench.machine import described
from relay.bench.measure import Course, Unwatched, measure
from relay.bench.result import Round, Spread, spread
from relay.bench.run import Opened
from relay.bench.target import RAISED, most_apps_of_load, most_apps_of_relay, started
from relay.bench.wire import Plan
from relay.rig.process import RelayProcess


@dataclass
class Case:
    """One of the things that a row measures in turn."""

    opened: Opened
    scenario: str
    options: dict[str, Any]
    course: Course
    rounds: list[Round] = field(default_factory=list)

    def of(self, figure: str) -> list[float]:
        """That of each round. Raises `KeyError` if nothing of the kind happened in one."""
        return [one.figures[figure] for one in self.rounds]

    def told(self, figure: str, unit: str = "") -> str:
        return told(spread(self.of(figure)), unit)


Cases = dict[str, Case]


@dataclass
class Row:
    """A row of the table: what was asked, and how what was found is read. `judge` gives the text and
    whether it is what was asked; None where nothing was asked but to know it."""

    asked: str
    cases: Cases
    judge: Callable[[Cases], tuple[str, bool | None]]


def told(found: Spread, unit: str = "") -> str:
    unit = f" {unit}" if unit[:1].isalpha() or unit[:1] == "µ" else unit
    if found.least == found.most:
        return f"{number(found.median)}{unit}"
    return f"{number(found.median)}{unit} ({number(found.least)} … {number(found.most)})"


def ratio(first: Case, second: Case, figure: str) -> Spread:
    """Round by round."""
    pairs = zip(first.of(figure), second.of(figure), strict=True)
    return spread([a / b for a, b in pairs])


# --- the rows -------------------------------------------------------------------------------------


def closed(trips: int, peers: Path | None) -> Row:
    options, course = {"trips": trips, "in_flight": 4}, Course(6, 2, 1)
    cases = {"relay": Case(started, "closed", options, course)}
    if peers is not None:
        (peer,) = (one for one in peers_of.found_in(peers) if one.name == "socketio")
        opened = partial(peers_of.started, peer, peers, trips)
        cases[peer.name] = Case(opened, f"closed on {peer.name}", options, course)
    return Row(
        "≥ 2.5 × Socket.IO's messages/s, lower p99; ≤ 20 µs of the relay's processor time a message",
        cases, _closed,
    )  # fmt: skip


def _closed(cases: Cases) -> tuple[str, bool]:
    relay, peer = cases["relay"], cases.get("socketio")
    cpu = relay.told("relay_cpu_us_per_message", "µs")
    text = f"{relay.told('delivered_per_s', '/s')}, p99 {relay.told('delivery_p99_ms', 'ms')}"
    if peer is None:
        return f"{text}; {cpu}; no Socket.IO beside it", False
    speed = ratio(relay, peer, "delivered_per_s")
    p99 = ratio(relay, peer, "delivery_p99_ms")
    text += (
        f"; Socket.IO {peer.told('delivered_per_s', '/s')}, p99 {peer.told('delivery_p99_ms', 'ms')}"
        f"; {told(speed)} × the messages, {told(p99)} × the p99; {cpu}"
    )
    cheap = spread(relay.of("relay_cpu_us_per_message")).median <= 20
    return text, speed.median >= 2.5 and p99.median < 1 and cheap


def open_loop() -> Row:
    case = Case(started, "open", {"rate": 5000, "trips": 200}, Course(8, 2, 1))
    return Row("5,000 messages/s: delivery p99 ≤ 5 ms", {"relay": case}, _open)


def _open(cases: Cases) -> tuple[str, bool]:
    relay = cases["relay"]
    p99, came = spread(relay.of("delivery_p99_ms")), spread(relay.of("delivered_per_s"))
    text = (
        f"p50 {relay.told('delivery_p50_ms', 'ms')}, p99 {told(p99, 'ms')}, p99.9 "
        f"{relay.told('delivery_p999_ms', 'ms')}, {told(came, '/s')} delivered; "
        f"{relay.told('relay_cpu_us_per_message', 'µs')} a message"
    )
    return text, p99.median <= 5 and came.median > 4900


def idle() -> Row:
    course = Course(3, 0, 1, ends_itself=True)
    case = Case(started, "idle", {"connections": 10_000, "hold_s": 3}, course)
    return Row("10,000 attached: ≤ 20 KiB each", {"relay": case}, _idle)


def _idle(cases: Cases) -> tuple[str, bool]:
    found = spread(cases["relay"].of("kib_per_connection"))
    return told(found, "KiB"), found.median <= 20


def storm() -> Row:
    # With few on their way a worker waits for the load between them.
    cases = {
        name: Case(
            started, "storm", {"connections": 1000, "at_once": at_once, "missed": 1},
            Course(6, 1, 1),
        )
        for name, at_once in (("relay", 256), ("few", 64))
    }  # fmt: skip
    return Row("attach with resume: ≥ 2,500/s", cases, _storm)


def _storm(cases: Cases) -> tuple[str, bool]:
    relay = cases["relay"]
    found = spread(relay.of("attached_per_s"))
    text = (
        f"256 at a time {told(found, '/s')}, p99 {relay.told('attach_p99_ms', 'ms')}, "
        f"{relay.told('relay_cpu_us_per_attach', 'µs')} each; "
        f"64 at a time {cases['few'].told('attached_per_s', '/s')}, "
        f"p99 {cases['few'].told('attach_p99_ms', 'ms')}"
    )
    return text, found.median >= 2500


def churn() -> Row:
    case = Case(started, "churn", {"at_once": 32, "messages": 0}, Course(6, 2, 1))
    return Row("open and end by HTTP: ≥ 1,200 trips/s", {"relay": case}, _churn)


def _churn(cases: Cases) -> tuple[str, bool]:
    relay = cases["relay"]
    found = spread(relay.of("end_per_s"))
    text = f"{told(found, '/s')}; {relay.told('relay_cpu_us_per_trip', 'µs')} each"
    return text, found.median >= 1200


def channels() -> Row:
    course = Course(6, 4, 1, silence_s=4)
    # Both parties of 10,000 trips are more connections than many machines allow a process.
    room = min(most_apps_of_relay(1), most_apps_of_load(1)) // 2 - 50
    cases = {}
    for trips in (100, 10_000):
        attached = min(trips, room)
        options = {"rate": 4000, "trips": attached, "unattached": trips - attached}
        cases[f"{trips:,} open, {attached:,} attached"] = Case(started, "open", options, course)
    return Row("a message at 10,000 open channels: ≤ 1.3 × that at 100", cases, _channels)


def _channels(cases: Cases) -> tuple[str, bool]:
    few, many = cases.values()
    texts, within = [], True
    for name, what in (("relay", "worker"), ("store", "store")):
        itself, whole = (f"{name}_cpu_us_per_message{end}" for end in ("_itself", ""))
        found = ratio(many, few, itself)
        within = within and found.median <= 1.3
        texts.append(
            f"{what} {told(found)} × ({number(spread(few.of(itself)).median)} and "
            f"{number(spread(many.of(itself)).median)} µs); with what 10,000 silent channels "
            f"take ({many.told(f'silent_{name}_cpu_share')} cores) {told(ratio(many, few, whole))} ×"
        )
    return f"{' against '.join(list(cases)[::-1])}: {'; '.join(texts)}", within


def workers() -> Row:
    options, course = {"trips": 200, "in_flight": 4}, Course(6, 2, 1)
    cases = {
        f"{count} at work": Case(partial(started, count), "closed", options, course)
        for count in (1, 2)
    }
    return Row("two workers against one: to be told", cases, _workers)


def _workers(cases: Cases) -> tuple[str, None]:
    one, two = cases.values()
    text = (
        f"{told(ratio(two, one, 'delivered_per_s'))} × the messages/s, "
        f"{told(ratio(two, one, 'relay_cpu_us_per_message'))} × the workers' and "
        f"{told(ratio(two, one, 'store_cpu_us_per_message'))} × the store's time a message"
    )
    return f"{text}; one {one.told('delivered_per_s', '/s')}", None


def nodes() -> Row:
    course = Course(8, 2, 1)
    cases = {
        name: Case(
            partial(started, 1, 2), "open", {"rate": 2000, "trips": 200, "apart": apart}, course
        )
        for name, apart in (("together", 0), ("apart", 1))
    }
    return Row("delivery across nodes against local: to be told", cases, _nodes)


def _nodes(cases: Cases) -> tuple[str, None]:
    texts = [
        f"{name}: p50 {case.told('delivery_p50_ms', 'ms')}, p99 "
        f"{case.told('delivery_p99_ms', 'ms')}, workers "
        f"{case.told('relay_cpu_us_per_message', 'µs')}, store "
        f"{case.told('store_cpu_us_per_message', 'µs')}"
        for name, case in cases.items()
    ]
    return "; ".join(texts), None


# --- a trip in the store --------------------------------------------------------------------------

_TRIPS, _FIRST, _MESSAGES = 500, 50, 20


class _Talk(Load):
    """Trips of which each has as many messages as a trip has."""

    async def prepare(self) -> None: ...

    async def run(self) -> None: ...

    async def settle(self) -> None: ...

    async def trips_with_messages(self, count: int) -> None:
        trips = await self.open_attached(count)
        for step in range(_MESSAGES):
            for trip in trips:
                trip.parties[step % 2].post(self.text())
            await self.everything_arrived(trips)


async def trip_kib() -> float:
    """The store's memory for an open trip whose parties are attached and have said 20 messages."""
    with TemporaryDirectory(prefix="relay-bench-") as folder:
        async with RelayProcess(Path(folder), **RAISED) as relay, relay.redis() as redis:
            where = [relay.gateway_url], relay.api_url, relay.key
            talk = _Talk(Plan("", *where, {}, 0, 1, secrets.token_hex(3)), lambda *_: None)
            await talk.trips_with_messages(_FIRST)
            before = (await redis.info("memory"))["used_memory"]
            await talk.trips_with_messages(_TRIPS)
            after = (await redis.info("memory"))["used_memory"]
            assert not talk.violations.counts, "a run with anything wrong is no figure"
            await talk.trips.end_all()
    return float(after - before) / _TRIPS / 1024


# --- all of them ----------------------------------------------------------------------------------


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


async def _measured(name: str, row: Row, rounds: int) -> None:
    for turn in range(1, rounds + 1):
        for what, case in row.cases.items():
            async with case.opened() as target:
                found = await measure(target, case.scenario, case.options, case.course, Unwatched())
            case.rounds.append(found)
            shown = {
                figure: found.figures[figure]
                for figure in ("delivered_per_s", "delivery_p99_ms", "relay_cpu_us_per_message",
                               "attached_per_s", "end_per_s", "kib_per_connection")
                if figure in found.figures
            }  # fmt: skip
            _say(
                f"{name}, {what}, round {turn} of {rounds}: "
                + ", ".join(f"{figure} {number(value)}" for figure, value in shown.items())
                + f"; load {max(found.load.cpu_shares):.0%} of a core, others "
                f"{found.others_cores:.1f} cores"
            )


def line_of(name: str, row: Row) -> str:
    try:
        text, reached = row.judge(row.cases)
    except KeyError as missing:
        text, reached = f"no {missing.args[0]} in a round: more than this machine carries", False
    rounds = [one for case in row.cases.values() for one in case.rounds]
    wrong = {kind for one in rounds for kind in one.violations}
    if wrong:
        text, reached = f"FAILED its checks: {', '.join(sorted(wrong))}", False
    busiest = max(max(one.load.cpu_shares) for one in rounds)
    others = max(one.others_cores for one in rounds)
    text += f" [load {busiest:.0%} of a core, others ≤ {others:.1f} cores]"
    return f"| `{name}` | {row.asked} | {text} | {_VERDICT[reached]} |"


_VERDICT = {True: "reached", False: "not reached", None: "told"}


def rows(peers: Path | None) -> dict[str, Row]:
    """Those that are loads, by name."""
    return {
        "closed-50": closed(50, peers),
        "closed-500": closed(500, peers),
        "open": open_loop(),
        "idle": idle(),
        "storm": storm(),
        "churn": churn(),
        "channels": channels(),
        "workers": workers(),
        "nodes": nodes(),
    }


NAMES = [*rows(None), "memory"]


async def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tests.load.performance", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("row", nargs="*", help=f"{', '.join(NAMES)}; all if none")
    parser.add_argument("--peers", type=Path, help="folder with socketio/server.js")
    parser.add_argument("--rounds", type=int, default=5, help="of each row; 5 if not given")
    parser.add_argument("--json", type=Path, help="write all figures of all rounds there")
    given = parser.parse_args()
    if unknown := [name for name in given.row if name not in NAMES]:
        parser.error(f"no such row: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    if given.peers and not any(peer.name == "socketio" for peer in peers_of.found_in(given.peers)):
        parser.error(f"{given.peers} has no socketio/server.js, or there is no node here")
    logs.configure("warning")
    wanted = given.row or NAMES
    loads, lines = rows(given.peers), list[str]()
    kept: dict[str, Any] = {"machine": described()}
    for name in wanted:
        if name == "memory":
            kib = await trip_kib()
            kept[name] = {"kib_per_trip": kib}
            lines.append(
                f"| `memory` | Valkey memory of an open trip with 20 messages: ≤ 10 KiB | "
                f"{number(kib)} KiB | {_VERDICT[kib <= 10]} |"
            )
        else:
            row = loads[name]
            try:
                await _measured(name, row, given.rounds)
                lines.append(line_of(name, row))
            except (LoadFailed, OSError, TimeoutError, RuntimeError) as error:
                lines.append(f"| `{name}` | {row.asked} | not measured: {error} | |")
            kept[name] = {what: case.rounds for what, case in row.cases.items()}
        _say(lines[-1])
    print("| row | asked | reached: median (range) | |\n|---|---|---|---|")
    print("\n".join(lines))
    if given.json:
        given.json.write_bytes(msgspec.json.encode(kept))
    return 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main()))
