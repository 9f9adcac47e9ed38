"""What the whole suite shares: a relay in processes of its own, and the list of allowed skips."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path

import httpx2
import pytest

from relay.rig.waiting import until
from tests.support.party import PARTIES
from tests.support.relay import RelayProcess

#: Tests that may be skipped, by the beginning of the reason; anything else skipped fails the run.
ALLOWED_SKIPS: tuple[str, ...] = (
    "Spin is not installed",
    "No store server that speaks TLS is installed",
    "Autobahn is not installed",
)


#: Limits that a test does not meet by chance.
ROOMY = {
    "posts_per_s": 1000,
    "frames_per_s": 1000,
    "in_flight": 64,
    "connections_per_s": 5000,
    "attaches_per_minute": 6000,
}


@pytest.fixture(scope="module")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RelayProcess]:
    """One relay with one worker for a module's tests, each of which uses trips of its own."""
    async with RelayProcess(tmp_path_factory.mktemp("relay"), **ROOMY) as running:
        yield running


@pytest.fixture
async def own_relay(tmp_path: Path) -> AsyncIterator[RelayProcess]:
    """A relay that a test may break."""
    async with RelayProcess(tmp_path, **ROOMY) as running:
        yield running


@pytest.fixture(scope="module")
async def _shaken(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RelayProcess]:
    async with RelayProcess(tmp_path_factory.mktemp("shaken"), **ROOMY) as running:
        yield running


@pytest.fixture
async def mended_relay(_shaken: RelayProcess) -> RelayProcess:
    """A relay whose parts a test may stop or kill, if it sees them come back: the module's next one
    gets the same relay, once all of it is well again."""

    async def is_well() -> bool:
        try:
            return (await _shaken.call("GET", "/readyz")).status_code == 200
        except httpx2.HTTPError:
            return False

    await until(is_well, "the relay is well again", 20)
    return _shaken


@pytest.fixture(autouse=True)
async def hang_up() -> AsyncIterator[None]:
    """No connection outlives its test."""
    yield
    while PARTIES:
        await PARTIES.pop().drop()


@pytest.fixture(scope="module")
async def two_nodes(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[RelayProcess, RelayProcess]]:
    """Two relays for a module's tests, each of which uses trips of its own; the second attaches to
    the first one's store."""
    first = RelayProcess(tmp_path_factory.mktemp("one"), **ROOMY)
    second = RelayProcess(tmp_path_factory.mktemp("other"), **ROOMY)
    second.data = first.data
    async with first, second:
        yield first, second


@pytest.fixture
def show(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Print a figure at the end of the run, whichever process measured it."""
    return partial(record_property, "shown")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        for name, text in report.user_properties:
            if name == "shown":
                terminalreporter.write_line(str(text))
    skipped = terminalreporter.stats.get("skipped", [])
    unexpected = [
        report for report in skipped if not _reason(report).startswith(ALLOWED_SKIPS or ("\0",))
    ]
    terminalreporter.write_line(
        f"skipped: {len(skipped)}, allowed reasons: {', '.join(ALLOWED_SKIPS) or 'none'}"
    )
    for report in unexpected:
        terminalreporter.write_line(
            f"not allowed to be skipped: {report.nodeid}: {_reason(report)}"
        )


def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if any(not _reason(report).startswith(ALLOWED_SKIPS or ("\0",)) for report in skipped):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _reason(report: pytest.TestReport) -> str:
    return str(report.longrepr[2]).removeprefix("Skipped: ") if report.longrepr else ""
