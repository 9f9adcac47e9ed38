"""`/report` in `relay chat`."""

from __future__ import annotations

import itertools

import pytest

from relay.cli.chat_input import ReportPeer, Wrong, command_of
from relay.store import keys
from tests.support.party import Party

from .commands import Done, relay_command
from .conftest import Platform

_TRIPS = (f"chat-report-{number}" for number in itertools.count(1))


async def chat(platform: Platform, token: str, *more: object, given: str) -> Done:
    file = platform.token_file(f"token-{next(_TRIPS)}", token)
    at = ("--url", platform.relay.gateway_url, "--token-file", file)
    return await relay_command("chat", *at, "--linger-s", 0, *more, given=given)


async def counts(platform: Platform, trip: str) -> list[tuple[str, int, int]]:
    """(category, items, proven) of each case of a trip."""
    found = []
    async with platform.relay.redis() as redis:
        async for key in redis.scan_iter(f"{keys.tag(keys.partition(trip))}:case:*"):
            of, category, items, proven = await redis.hmget(
                key, "trip", "category", "items", "proven"
            )
            if of.decode() == trip:
                found.append((category.decode(), int(items), int(proven)))
    return found


async def test_a_pipe_reports_what_the_other_side_wrote_last(platform: Platform) -> None:
    trip = next(_TRIPS)
    tokens = await platform.relay.open_trip(trip, report_window_s=60)
    driver = await Party.attach(platform.relay.gateway_url, tokens["driver"])
    for number in range(7):
        await driver.accepted("ba" * (number + 1))
    given = "jangan begitu\n/report harassment dia terus begitu\n"
    done = await chat(platform, tokens["customer"], given=given)
    assert (done.code, done.err) == (0, ""), done.out
    assert "-- reported with 5 messages; the other party is not told" in done.out.splitlines()
    assert await counts(platform, trip) == [("harassment", 5, 5)]
    # After the close there is nothing to show, and it can still be reported.
    await platform.relay.end_trip(trip)
    done = await chat(platform, tokens["customer"], "--json", given="/report other\n")
    assert [line for line in done.json_lines if line["event"] == "reported"] == [
        {"event": "reported", "messages": 0}
    ]
    assert sorted(await counts(platform, trip)) == [("harassment", 5, 5), ("other", 0, 0)]


async def test_a_report_that_was_not_taken_says_why(platform: Platform) -> None:
    trip = next(_TRIPS)
    tokens = await platform.relay.open_trip(trip)
    done = await chat(platform, tokens["customer"], given="/report rudeness\n")
    assert done.code == 1
    assert "✗ not reported: there is no such category; use one of threat" in done.out
    await platform.relay.end_trip(trip)
    done = await chat(platform, tokens["customer"], given="/report threat\n")
    assert done.code == 1
    assert "✗ not reported" in done.out
    assert await counts(platform, trip) == []


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("/report threat", ReportPeer("threat", "")),
        ("/report other  dia  kasar", ReportPeer("other", "dia kasar")),
    ],
)
def test_what_is_typed(line: str, command: ReportPeer) -> None:
    assert command_of(line) == command
    wrong = command_of("/report")
    assert isinstance(wrong, Wrong)
    assert "/report CATEGORY [NOTE]" in wrong.text
