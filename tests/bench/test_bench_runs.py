"""`relay bench` on a real relay: each scenario once, for about a second."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import msgspec
import pytest

from relay.bench.load import SETTLE_S, Load
from relay.bench.result import Result
from relay.bench.scenarios.churn import Churn
from relay.bench.scenarios.closed import ClosedLoop
from relay.bench.scenarios.day import RideDay
from relay.bench.scenarios.open import OpenLoop
from relay.bench.target import RAISED
from relay.bench.texts import Text
from relay.bench.wire import Plan
from relay.rig.platform import Platform
from relay.rig.process import RelayProcess
from relay.rig.proxy import Proxy
from relay.rig.servers import free_ports
from relay.rig.waiting import until
from tests.bench.tampering import losing, tampering, unending, unmasking, unveiling
from tests.cli.commands import CLEAN, LIMIT_S, Done, Quickly, finish, relay_command, start
from tests.console.staff import chromium
from tests.support.certificate import certified
from tests.support.encrypting import encrypting

PEER = Path(__file__).parent / "peer"


@pytest.fixture(scope="module")
async def loaded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RelayProcess]:
    async with RelayProcess(tmp_path_factory.mktemp("relay"), **RAISED) as relay:
        yield relay


@pytest.fixture(scope="module")
async def quickly() -> AsyncIterator[Quickly]:
    one = await Quickly.start()
    yield one
    await one.stop()


class Bench(Protocol):
    async def __call__(
        self, *words: object, gateway: str = "", loaders: int = 1, **environment: str
    ) -> Done: ...


@pytest.fixture
def bench(loaded: RelayProcess, quickly: Quickly) -> Bench:
    """Runs `relay bench` on the relay of these tests."""

    async def run(
        *words: object, gateway: str = "", loaders: int = 1, **environment: str
    ) -> Done:  # fmt: skip
        api = () if "--api" in words else ("--api", loaded.api_url)
        return await quickly(
            "bench", *words, "--loaders", loaders, "--json", "--gateway", gateway or loaded.gateway_url,
            *api, RELAY_API_KEY=loaded.key, **environment,
        )  # fmt: skip

    return run


def result_of(done: Done) -> Result:
    assert done.code == 0, done.err
    return msgspec.json.decode(done.out, type=Result)


def figures_of(done: Done) -> dict[str, float]:
    """The figures of the only round, which went well."""
    (found,) = result_of(done).targets["relay"].rounds
    assert (found.violations, found.errors) == ({}, {})
    assert len(found.load.cpu_shares) == 1 and found.load.cpu_shares[0] > 0
    return found.figures


async def test_closed_loop(bench: Bench) -> None:
    done = await bench("closed", "--trips", 4, "--in-flight", 2, "--seconds", 1, "--warm-up", 0,
                       "--rounds", 2)  # fmt: skip
    result = result_of(done)
    assert len(result.targets["relay"].rounds) == 2
    summary = result.targets["relay"].summary["delivered_per_s"]
    assert summary.least <= summary.median <= summary.most
    figures = result.targets["relay"].rounds[0].figures
    assert figures["accepted_per_s"] > 0 and figures["delivered_per_s"] > 0
    assert 0 < figures["delivery_p50_ms"] <= figures["delivery_p99_ms"]
    # Of a relay that somebody else runs, by its metrics; of its store nothing is known.
    assert figures["relay_cpu_us_per_message"] > 0 and figures["relay_rss_mib"] > 10
    assert "store_rss_mib" not in figures
    assert "correct: nothing lost" in done.err
    assert json.loads(done.out)["targets"]["relay"]["summary"]["accepted_per_s"]["median"] > 0


async def test_open_loop(bench: Bench) -> None:
    figures = figures_of(
        await bench("open", "--rate", 100, "--trips", 4, "--seconds", 2, "--warm-up", 0)
    )
    assert 60 < figures["posted_per_s"] < 150
    assert figures["delivered_per_s"] > 0


async def test_connect_storm(bench: Bench) -> None:
    figures = figures_of(
        await bench("storm", "--connections", 8, "--at-once", 4, "--missed", 3, "--seconds", 1,
                    "--warm-up", 0)
    )  # fmt: skip
    assert figures["attached_per_s"] > 0 and figures["attach_p50_ms"] > 0
    assert figures["delivered_per_s"] == pytest.approx(3 * figures["attached_per_s"], rel=0.5)


async def test_trip_churn(bench: Bench) -> None:
    figures = figures_of(await bench("churn", "--at-once", 4, "--seconds", 1, "--warm-up", 0))
    for name in ("open_per_s", "end_per_s", "accepted_per_s", "open_p99_ms", "cut_p50_ms"):
        assert figures[name] > 0, name


async def test_idle_connections(bench: Bench) -> None:
    done = await bench("idle", "--connections", 60, "--hold", 1)
    figures = figures_of(done)
    assert figures["connections"] == 60
    assert "kib_per_connection" in figures
    # Also where there is no terminal, it says what it does.
    assert ["opening trips" in done.err, "holding them" in done.err] == [True, True]


@pytest.mark.parametrize(
    "words",
    ["idle --connections 2000", "closed --trips 500", "ramp --trips 500", "churn --at-once 500"],
)
async def test_more_apps_than_there_may_be_files(words: str) -> None:
    """Said at once, and what to do."""
    done = await asyncio.create_subprocess_exec(
        "sh", "-c", "ulimit -n 1000; exec \"$@\"", "sh",
        sys.executable, "-m", "relay", "bench", *words.split(),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, said = await asyncio.wait_for(done.communicate(), 20)
    assert (done.returncode, out) == (2, b"")
    assert b"room for 325" in said and b"ulimit -n" in said and b"--workers" in said


async def test_no_more_load_processes_than_there_are_trips(bench: Bench) -> None:
    for words, apps in ((("closed", "--trips", 1, "--seconds", 1, "--warm-up", 0), 2),
                        (("idle", "--connections", 2, "--hold", 1), 2)):  # fmt: skip
        found = result_of(await bench(*words, loaders=3)).targets["relay"].rounds[0]
        assert len(found.load.cpu_shares) == 1 and not found.violations
        assert found.checked and found.figures.get("connections", apps) == apps


async def test_ride_day(bench: Bench) -> None:
    result = result_of(await bench("day", "--rides", 25, "--seconds", 8))
    (found,) = result.targets["relay"].rounds
    assert (found.violations, found.errors) == ({}, {})
    opened, ended = (sum(one.rates.get(n, 0) for one in found.points) for n in ("open", "end"))
    assert 20 <= opened <= 26
    # What ends after the last whole second is in no point.
    assert 10 <= ended <= 26


async def test_ramp(bench: Bench) -> None:
    done = await bench(
        "ramp", "--from", 60, "--trips", 3, "--seconds", 1, "--warm-up", 0, "--p99", 0.1
    )
    result = result_of(done)
    (step,) = result.steps
    assert step.rate == 60 and step.broke
    assert "no rate was within bounds" in done.err


async def test_nodes_of_one_store_with_the_parties_of_each_trip_apart(tmp_path: Path) -> None:
    figures = figures_of(
        await relay_command(
            "bench", "open", "--rate", 50, "--trips", 4, "--unattached", 2, "--silence", 1, "--seconds", 1,
            "--warm-up", 0, "--nodes", 2, "--apart", "--loaders", 1, "--json",
            TMPDIR=str(tmp_path),
        )
    )  # fmt: skip
    assert figures["delivered_per_s"] > 0 and figures["store_rss_mib"] > 0
    # That of both workers: one alone takes about half as much.
    assert figures["relay_rss_mib"] > 100
    assert 0 <= figures["silent_relay_cpu_share"] < figures["relay_cpu_share"]
    itself, whole = (figures[f"relay_cpu_us_per_message{end}"] for end in ("_itself", ""))
    assert 0 < itself <= whole
    assert list(tmp_path.iterdir()) == []


async def test_with_tls_whose_authority_is_named(
    bench: Bench, loaded: RelayProcess, tmp_path: Path
) -> None:
    certificate = tmp_path / "certificate.pem"
    certified(certificate)
    async with (
        encrypting(loaded.gateway_url, certificate) as gateway,
        encrypting(loaded.api_url, certificate) as api,
    ):
        assert (gateway[:6], api[:8]) == ("wss://", "https://")
        words = ("--at-once", 2, "--seconds", 1, "--warm-up", 0, "--api", api)
        done = await bench("churn", *words, gateway=gateway, SSL_CERT_FILE=str(certificate))
        figures = figures_of(done)
        assert figures["end_per_s"] > 0 and figures["delivered_per_s"] > 0
        assert figures["relay_cpu_us_per_trip"] > 0
        done = await bench("churn", *words, gateway=gateway)
        assert done.code == 1 and "SSL_CERT_FILE" in done.err


class Talk(Load):
    """A load that a test moves by hand."""

    async def prepare(self) -> None: ...

    async def run(self) -> None: ...

    async def settle(self) -> None: ...


async def test_what_an_app_missed_while_it_was_away_is_not_lost(loaded: RelayProcess) -> None:
    where = [loaded.gateway_url], loaded.api_url, loaded.key
    talk = Talk(Plan("", *where, {}, 0, 1, "7e57"), lambda *_: None)
    (trip,) = trips = await talk.open_attached(1)
    trip.customer.cut()
    trip.driver.post(Text("di lobi ya"))
    await talk.everything_arrived(trips)
    assert (talk.tally.accepted, talk.tally.delivered) == (1, 1)
    assert not talk.violations.counts
    talk.hang_up(trip.parties)
    await talk.trips.end_all()


async def test_an_app_whose_connection_breaks_while_it_posts_comes_back_and_says_it_again(
    loaded: RelayProcess,
) -> None:
    where = [loaded.gateway_url], loaded.api_url, loaded.key
    day = RideDay(Plan("", *where, {}, 0, 1, "7e58"), lambda *_: None)
    (trip,) = await day.open_attached(1)
    asyncio.get_running_loop().call_soon(trip.driver.cut)
    async with asyncio.timeout(SETTLE_S / 2):
        await day._say(trip.driver, Text("di lobi ya"))
        trip.driver.cut()
        await day._say(trip.driver, Text("saya sudah sampai"))
    await day.everything_arrived([trip])
    assert (day.tally.accepted, day.tally.delivered) == (2, 2)
    assert not day.violations.counts and not day.tally.counts["unanswered"]
    assert trip.driver.attempt == 3
    day.hang_up(trip.parties)
    await day.trips.end_all()


@pytest.mark.parametrize("is_open", [False, True])
async def test_apps_that_lose_their_connection_under_a_load_come_back_during_it(
    loaded: RelayProcess, *, is_open: bool
) -> None:
    options = {"trips": 2} | ({"rate": 200} if is_open else {"in_flight": 2})
    async with Proxy(urlsplit(loaded.gateway_url).netloc) as proxy:
        where = [f"ws://{proxy.address}/v1/channel"], loaded.api_url, loaded.key
        plan = Plan("", *where, options, 0, 1, f"7e5c{is_open:d}")
        load = (OpenLoop if is_open else ClosedLoop)(plan, lambda *_: None)
        await load.prepare()
        tally, parties = load.tally, [party for trip in load._trips for party in trip.parties]

        async def all_talk() -> None:
            await until(lambda: all(party.is_attached for party in parties), "all are there")
            reached = tally.delivered
            await until(lambda: tally.delivered > reached + 20, "they talk")

        running = asyncio.create_task(load.run())
        await all_talk()
        proxy.cut()
        await until(lambda: tally.counts["closed 1006"] == 4, "all are away")
        await all_talk()
        proxy.is_shut = True
        proxy.cut()
        await until(lambda: all(party.attempt > 2 for party in parties), "they try in vain")
        proxy.is_shut = False
        await all_talk()
        load.stop.set()
        await running
        await load.settle()
    # What breaks is told; what was said meanwhile is posted again, and comes once and in order.
    assert tally.counts["closed 1006"] == 8
    assert not load.violations.counts and not tally.counts["unanswered"]
    assert tally.accepted == tally.delivered
    await load.trips.end_all()


async def test_a_call_that_gets_no_answer_is_made_again(loaded: RelayProcess) -> None:
    async with Proxy(loaded.api_url.removeprefix("http://")) as proxy:
        where = [loaded.gateway_url], f"http://{proxy.address}", loaded.key
        talk = Talk(Plan("", *where, {}, 0, 1, "7e59"), lambda *_: None)
        proxy.is_shut = True
        with pytest.raises(ConnectionError):
            await talk.trips.open()
        proxy.is_shut = False
        trip = await talk.trips.open()
        proxy.is_shut = True
        proxy.cut()
        ending = asyncio.create_task(talk.trips.end(trip))
        await until(lambda: talk.tally.counts["failed to get an answer by HTTP"], "a call failed")
        proxy.is_shut = False
        await ending
        assert trip.driver.says.has_ended
        await talk.trips.end_all()


async def test_a_call_that_an_api_leaves_waiting_ends(
    loaded: RelayProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.bench.trips._ANSWER_S", 0.3)
    monkeypatch.setattr("relay.bench.trips._INSISTS_S", 0.1)
    async with Proxy(loaded.api_url.removeprefix("http://")) as proxy:
        where = [loaded.gateway_url], f"http://{proxy.address}", loaded.key
        talk = Talk(Plan("", *where, {}, 0, 1, "7e5b"), lambda *_: None)
        await talk.trips.open()
        proxy.hold()
        async with asyncio.timeout(5):
            with pytest.raises(TimeoutError):
                await talk.trips.end_all()


async def test_an_app_that_never_came_through_is_not_taken_for_one_that_stays(
    loaded: RelayProcess,
) -> None:
    (port,) = free_ports(1)
    where = [f"ws://127.0.0.1:{port}"], loaded.api_url, loaded.key
    talk = Talk(Plan("", *where, {}, 0, 1, "7e5a"), lambda *_: None)
    trip = await talk.trips.open()
    with pytest.raises(ConnectionRefusedError):
        await trip.driver.connect()
    assert await trip.driver.gone(0.0)
    await talk.trips.end_all()


async def open_trips(relay: RelayProcess) -> list[str]:
    platform = Platform(relay.api_url, relay.key)
    answer = await platform.call("GET", "/v1/trips?state=open")
    platform.close()
    return [trip["trip_id"] for trip in answer.body["trips"]]


@pytest.mark.parametrize(
    ("words", "trips"),
    [(("open", "--trips", 3, "--rate", 10), 3), (("churn", "--at-once", 3, "--messages", 0), 1)],
    ids=["open", "churn"],
)
async def test_a_run_that_is_stopped_leaves_no_trip_open(
    loaded: RelayProcess, words: tuple[object, ...], trips: int
) -> None:
    before = await open_trips(loaded)
    process = await start(
        "bench", *words, "--seconds", 60, "--loaders", 1,
        "--gateway", loaded.gateway_url, "--api", loaded.api_url, RELAY_API_KEY=loaded.key,
    )  # fmt: skip

    async def has_begun() -> bool:
        return len(await open_trips(loaded)) >= len(before) + trips

    await until(has_begun, "the load has begun", 20)
    process.send_signal(signal.SIGINT)
    done = await finish(process)
    assert (done.code, done.out) == (1, "") and "the run was stopped" in done.err
    assert "Traceback" not in done.err
    assert await open_trips(loaded) == before


async def test_a_relay_that_is_gone_at_the_end_fails_the_run(loaded: RelayProcess) -> None:
    async with Proxy(loaded.api_url.removeprefix("http://")) as proxy:
        process = await start(
            "bench", "open", "--trips", 2, "--rate", 10, "--seconds", 2, "--warm-up", 0,
            "--loaders", 1, "--json", "--gateway", loaded.gateway_url,
            "--api", f"http://{proxy.address}", RELAY_API_KEY=loaded.key,
        )  # fmt: skip
        before = len(await open_trips(loaded))

        async def has_begun() -> bool:
            return len(await open_trips(loaded)) == before + 2

        await until(has_begun, "the load has begun", 20)
        proxy.is_shut = True
        proxy.cut()
        done = await finish(process)
    assert done.code == 1 and "answered at first and then no more" in done.err
    (found,) = json.loads(done.out)["targets"]["relay"]["rounds"]
    assert found["violations"] == {"gone": 1} and found["figures"]["delivered_per_s"] > 0


async def test_a_relay_that_does_wrong_fails_the_run(bench: Bench, loaded: RelayProcess) -> None:
    async with tampering(loaded.gateway_url) as gateway:
        done = await bench(
            "closed", "--trips", 4, "--in-flight", 4, "--seconds", 1, "--warm-up", 0,
            gateway=gateway,
        )  # fmt: skip
    assert done.code == 1
    assert "FAILED" in done.err and "correct:" not in done.err
    found: dict[str, Any] = json.loads(done.out)
    assert found["ok"] is False
    (only,) = found["targets"]["relay"]["rounds"]
    # What the gateway holds back when the load ends is lost.
    assert set(only["violations"]) - {"lost"} == {"doubled", "altered", "reordered"}
    assert only["examples"]


async def test_what_the_guard_took_out_and_comes_out_fails_the_run(
    bench: Bench, loaded: RelayProcess
) -> None:
    async with unmasking(loaded.gateway_url) as gateway:
        done = await bench("closed", "--trips", 1, "--seconds", 2, "--warm-up", 0, gateway=gateway)
    assert done.code == 1 and "FAILED" in done.err
    (only,) = json.loads(done.out)["targets"]["relay"]["rounds"]
    # What was written is also not what its sender was told that the peer sees.
    assert set(only["violations"]) == {"leaked", "altered"}


async def test_what_goes_on_after_the_end_fails_the_run(bench: Bench, loaded: RelayProcess) -> None:
    async with unending(loaded.gateway_url) as gateway:
        done = await bench(
            "churn", "--at-once", 1, "--seconds", 1, "--warm-up", 0, gateway=gateway
        )  # fmt: skip
    assert done.code == 1 and "FAILED" in done.err
    (only,) = json.loads(done.out)["targets"]["relay"]["rounds"]
    assert {"late", "uncut"} <= set(only["violations"])


@pytest.mark.parametrize(
    ("words", "of_replays"),
    [
        (("storm", "--connections", 8, "--missed", 3, "--seconds", 1, "--warm-up", 0), True),
        (("day", "--rides", 8, "--seconds", 2), False),
    ],
    ids=lambda found: found[0] if isinstance(found, tuple) else "",
)
async def test_what_is_accepted_and_never_comes_fails_the_run(
    bench: Bench, loaded: RelayProcess, words: tuple[object, ...], *, of_replays: bool
) -> None:
    async with losing(loaded.gateway_url, of_replays=of_replays, confirming=True) as gateway:
        done = await bench(*words, gateway=gateway)
    assert done.code == 1 and "FAILED: relay: " in done.err and " lost" in done.err
    assert "correct" not in done.err
    (only,) = json.loads(done.out)["targets"]["relay"]["rounds"]
    assert set(only["violations"]) == {"lost"}
    assert all(one.startswith("lost: b") and ", message " in one for one in only["examples"])


@pytest.mark.parametrize("kind", [ClosedLoop, Churn])
async def test_what_is_waited_for_in_vain_is_lost(
    loaded: RelayProcess, monkeypatch: pytest.MonkeyPatch, kind: type[Load]
) -> None:
    """Even if the relay tells of it when the channel closes."""
    monkeypatch.setattr("relay.bench.load.SETTLE_S", 0.5)
    monkeypatch.setattr("relay.bench.scenarios.churn._ANSWER_S", 0.5)
    options = {"trips": 1, "in_flight": 2, "at_once": 1, "messages": 4}
    async with losing(loaded.gateway_url) as gateway:
        plan = Plan("", [gateway], loaded.api_url, loaded.key, options, 0, 1,
                    f"7e5d{kind is Churn:d}")  # fmt: skip
        load = kind(plan, lambda *_: None)
        await load.prepare()
        running = asyncio.create_task(load.run())
        await until(lambda: load.tally.delivered > 20, "they talk")
        load.stop.set()
        await running
        await load.settle()
        await load.trips.end_all()
    assert set(load.violations.counts) == {"lost"}


async def test_a_party_s_number_in_any_frame_is_leaked(loaded: RelayProcess) -> None:
    numbers = set[str]()
    async with unveiling(loaded.gateway_url, numbers) as gateway:
        plan = Plan("", [gateway], loaded.api_url, loaded.key, {}, 0, 1, "7e5e")
        talk = Talk(plan, lambda *_: None)
        (trip,) = trips = await talk.open_attached(1)
        assert not talk.violations.counts
        numbers.add(f"+62{trip.phones['customer'][1:]}")
        trip.driver.post(Text("di lobi ya"))
        await talk.everything_arrived(trips)
        await talk.trips.end_all()
    assert set(talk.violations.counts) == {"leaked"}
    assert not any(number[3:] in one for number in numbers for one in talk.violations.examples)


async def test_called_wrongly_or_without_a_relay(quickly: Quickly, tmp_path: Path) -> None:
    done = await quickly("bench", "closed", "--gateway", "ws://127.0.0.1:1/v1/channel")
    assert (done.code, done.out) == (2, "") and "--api" in done.err
    address = ("--gateway", "ws://127.0.0.1:1/v1/channel", "--api", "http://127.0.0.1:1")
    done = await quickly("bench", "closed", *address)
    assert done.code == 2 and "RELAY_API_KEY" in done.err
    done = await quickly("bench", "closed", *address, RELAY_API_KEY="k")
    assert done.code == 1 and "the load could not be put on: nothing listens" in done.err
    for wrong in ("ws://127.0.0.1:99999", "ws://[::1/v1"):
        done = await quickly("bench", "closed", "--gateway", wrong, "--api", "http://127.0.0.1:1")
        assert done.code == 2 and "--gateway is no address" in done.err
    done = await quickly(
        "bench", "closed", "--gateway", "ws://127.0.0.1:1", "--api", "http://127.0.0.1:1/v1"
    )
    assert done.code == 2 and "without a path" in done.err
    done = await quickly("bench", "closed", "--gateway", "http://x", "--api", "http://y")
    assert done.code == 2 and "ws:// or wss://" in done.err
    done = await quickly("bench", "closed", "--report", tmp_path / "none" / "page.html")
    assert done.code == 2 and "cannot be written" in done.err
    done = await quickly("bench", "open", "--apart")
    assert done.code == 2 and "--nodes 2" in done.err
    done = await quickly("bench", "closed", "--peers", tmp_path)
    assert done.code == 2 and "no peer" in done.err


@pytest.mark.parametrize(
    ("gateway", "api", "key", "said"),
    [
        ("ws://{gateway}/v1/channel", "http://{api}", "wrong", "does not know this API key"),
        ("ws://{gateway}/v1/channel", "http://{gateway}", "", "is not a relay's API"),
        ("ws://{api}/v1/channel", "http://{api}", "", "did not open a WebSocket"),
        ("ws://{gateway}/v1/channel", "https://{api}", "", "no TLS"),
        ("ws://nowhere.invalid/v1/channel", "http://{api}", "", "not known here"),
    ],
)
async def test_what_is_at_the_addresses_is_not_what_was_meant(
    quickly: Quickly, loaded: RelayProcess, gateway: str, api: str, key: str, said: str
) -> None:
    places = {
        "gateway": urlsplit(loaded.gateway_url).netloc,
        "api": urlsplit(loaded.api_url).netloc,
    }
    before = await open_trips(loaded)
    done = await quickly(
        "bench", "closed", "--trips", 3, "--loaders", 1, "--gateway", gateway.format(**places),
        "--api", api.format(**places), RELAY_API_KEY=key or loaded.key,
    )  # fmt: skip
    assert (done.code, done.out) == (1, "") and said in done.err
    assert "Traceback" not in done.err and await open_trips(loaded) == before


async def test_a_relay_of_its_own_beside_a_peer_with_a_page(tmp_path: Path) -> None:
    """The whole command as a process: starts what it measures, ends it, writes the page."""
    page = tmp_path / "page.html"
    done = await relay_command(
        "bench", "closed", "--trips", 3, "--in-flight", 2, "--seconds", 1, "--warm-up", 0,
        "--peers", PEER, "--report", page, "--json", TMPDIR=str(tmp_path),
    )  # fmt: skip
    result = result_of(done)
    assert list(result.targets) == ["relay", "starlette"]
    ours = result.targets["relay"].summary
    assert ours["store_rss_mib"].median > 0 and ours["relay_cpu_us_per_message"].least > 0
    assert {ratio.figure for ratio in result.ratios} >= {"delivered_per_s", "delivery_p99_ms"}
    assert list(tmp_path.iterdir()) == [page]
    async with chromium() as browser:
        opened = await browser.new_page()
        wrong: list[str] = []
        asked: list[str] = []
        opened.on("console", lambda message: wrong.append(message.text))
        opened.on("request", lambda request: asked.append(request.url))
        await opened.goto(page.as_uri())
        assert await opened.locator("figure svg .line").count() > 5
        assert "correct: nothing lost" in await opened.inner_text(".verdict")
        assert await opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # On a phone each chart is seen as a whole.
        await opened.set_viewport_size({"width": 390, "height": 844})
        assert await opened.evaluate(
            "[...document.querySelectorAll('figure')].every(f => f.scrollWidth <= f.clientWidth)"
        )
    assert (wrong, asked) == ([], [page.as_uri()])


async def test_a_report_is_written_though_standard_output_is_not(
    loaded: RelayProcess, tmp_path: Path
) -> None:
    words = ["churn", "--messages", "0", "--at-once", "2", "--seconds", "1", "--warm-up", "0"]
    with open("/dev/full", "w") as full:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "relay", "bench", *words, "--report", tmp_path / "page.html",
            "--gateway", loaded.gateway_url, "--api", loaded.api_url,
            stdout=full, stderr=asyncio.subprocess.PIPE, env=CLEAN | {"RELAY_API_KEY": loaded.key},
        )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(), LIMIT_S)
    assert process.returncode == 1 and b"standard output cannot be written" in said
    assert "<svg" in (tmp_path / "page.html").read_text()


async def test_compare(quickly: Quickly, bench: Bench, tmp_path: Path) -> None:
    done = await bench("churn", "--messages", 0, "--at-once", 2, "--seconds", 1, "--warm-up", 0)
    file = tmp_path / "a.json"
    file.write_text(done.out)
    compared = await quickly("bench", "compare", file, file)
    assert compared.code == 0
    (line,) = (one for one in compared.out.splitlines() if one.startswith("trips opened"))
    assert "1.00" in line
    found = (await quickly("bench", "compare", file, file, "--json")).json
    assert {change["figure"] for change in found["changes"]} >= {"open_per_s", "end_p99_ms"}
    assert [line for line in found["differences"] if "--rounds 5" in line]
    for name, change, said in (
        ("newer", {"format": 2, "targets": 0}, "another version"),
        ("other", {"scenario": "open"}, "compare two runs of one scenario"),
    ):
        (tmp_path / name).write_text(json.dumps(json.loads(file.read_text()) | change))
        compared = await quickly("bench", "compare", file, tmp_path / name)
        assert (compared.code, compared.out) == (2, "") and said in compared.err
    done = await quickly("bench", "compare", file, tmp_path / "none.json")
    assert done.code == 2
    (tmp_path / "bad.json").write_text("7")
    done = await quickly("bench", "compare", file, tmp_path / "bad.json")
    assert done.code == 2 and "--json" in done.err
