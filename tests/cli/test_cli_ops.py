"""`relay ops` on a running relay: what staff see and do from a terminal, and what they cannot."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest

from relay.cli.ops_lines import say_table
from relay.rig.waiting import until
from tests.support.party import Party
from tests.support.relay import CUSTOMER_PHONE, DRIVER_PHONE, RelayProcess
from tests.support.staff import Staff, hired

from .commands import Done, Quickly, python, relay_command
from .conftest import Platform
from .terminal import Terminal

NOTE = ("--note", "Asked by the platform's night shift")
CLOSE = ("--reason", "fraud", *NOTE)


class Desk:
    """Runs `relay ops` as one person of the staff."""

    def __init__(self, staff: Staff, relay: RelayProcess, quickly: Quickly) -> None:
        self.id = staff.id
        self.environment = {"RELAY_URL": relay.api_url, "RELAY_API_KEY": staff.key}
        self._quickly = quickly

    async def __call__(self, *words: object, given: str = "") -> Done:
        return await self._quickly("ops", *words, given=given, **self.environment)


@pytest.fixture(scope="module")
async def staff(relay: RelayProcess) -> dict[str, Staff]:
    """Two agents and two supervisors."""
    return {
        name: await hired(relay, name, scope)
        for name, scope in (
            ("sari", "agent"), ("budi", "agent"), ("rina", "supervisor"), ("agus", "supervisor"),
        )
    }  # fmt: skip


@pytest.fixture
def agent(staff: dict[str, Staff], relay: RelayProcess, quickly: Quickly) -> Desk:
    return Desk(staff["sari"], relay, quickly)


@pytest.fixture
def other_agent(staff: dict[str, Staff], relay: RelayProcess, quickly: Quickly) -> Desk:
    return Desk(staff["budi"], relay, quickly)


@pytest.fixture
def supervisor(staff: dict[str, Staff], relay: RelayProcess, quickly: Quickly) -> Desk:
    return Desk(staff["rina"], relay, quickly)


@pytest.fixture
def other_supervisor(staff: dict[str, Staff], relay: RelayProcess, quickly: Quickly) -> Desk:
    return Desk(staff["agus"], relay, quickly)


def is_one_line(done: Done) -> bool:
    return done.out == "" and done.err.count("\n") == 1 and done.err.startswith("relay: ")


def column(done: Done, head: str) -> list[str]:
    """A column of the one table that a command printed."""
    assert done.code == 0
    if not done.out:
        return []
    heads, *rows = done.out.splitlines()
    start = heads.index(head)
    end = next((m.start() for m in re.finditer(r"(?<=  )\S", heads) if m.start() > start), None)
    return [row[start:end].strip() for row in rows]


# --- channels -------------------------------------------------------------------------------------


async def test_open_channels_are_found(agent: Desk, relay: RelayProcess) -> None:
    for trip, driver in (("find-1", "drv-a"), ("find-2", "drv-b")):
        phone = {"phone": DRIVER_PHONE, "alias": "Budi"}
        tokens = await relay.open_trip(trip, driver={"party_id": driver, **phone})
    party = await Party.attach(relay.gateway_url, tokens["driver"])
    await party.accepted("see you at the gate")

    listed = (await agent("list", "--json")).json
    by_trip = {one["trip_id"]: one for one in listed["channels"]}
    assert listed["open"] >= 2
    assert by_trip["find-2"]["driver"] == {"party_id": "drv-b", "alias": "Budi", "online": True}
    assert by_trip["find-2"]["messages"] == 1
    assert by_trip["find-1"]["driver"]["online"] is False

    table = await agent("list")
    assert table.code == 0
    trips = column(table, "TRIP")
    assert trips.index("find-2") < trips.index("find-1")  # the newest first
    assert column(table, "DRIVER")[trips.index("find-2")] == "drv-b Budi, online"
    assert "shown" in table.err

    assert column(await agent("list", "--search", "drv-a"), "TRIP") == ["find-1"]
    assert column(await agent("list", "--search", "find-2"), "TRIP") == ["find-2"]
    assert "find-2" in column(await agent("list", "--online", "one"), "TRIP")
    assert "find-2" not in column(await agent("list", "--online", "none"), "TRIP")
    assert len(column(await agent("list", "--most", "1"), "TRIP")) == 1
    assert (await agent("list", "--search", "nobody-here")).out == ""


async def test_a_channel_tells_what_happened_and_never_what_was_said(
    agent: Desk, relay: RelayProcess
) -> None:
    tokens = await relay.open_trip("seen-1")
    party = await Party.attach(relay.gateway_url, tokens["driver"])
    await party.accepted("the marker gudeg stays unseen")
    shown = await agent("show", "seen-1")
    assert shown.code == 0
    assert "state       open until" in shown.out
    assert "driver      drv-1 Budi, online" in shown.out
    assert re.search(r"attached +driver", shown.out)
    as_json = await agent("show", "seen-1", "--json")
    assert {step["kind"] for step in as_json.json["timeline"]} >= {"opened", "attached"}
    for done in (shown, as_json):
        assert "gudeg" not in done.out
        assert not any(phone[1:] in done.out for phone in (DRIVER_PHONE, CUSTOMER_PHONE))


async def test_a_close_by_hand(platform: Platform, agent: Desk, relay: RelayProcess) -> None:
    tokens = await relay.open_trip("hand-1")
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    closed = await relay_command("ops", "close", "hand-1", *CLOSE, "--yes", **agent.environment)
    assert closed.code == 0
    assert "not undone" in closed.err
    assert "closed since" in closed.out
    told = await driver.hear("closed")
    assert "fraud" not in json.dumps(told)
    again = await agent("close", "hand-1", *CLOSE, "--yes")
    assert again.code == 1
    assert is_one_line(again)
    detail = (await agent("show", "hand-1", "--json")).json["detail"]
    assert "fraud" in detail
    seen = await relay_command("trip", "show", "hand-1", "--json", **platform.environment)
    assert seen.json["state"] == "closed"


async def test_a_person_is_asked_before_a_close(agent: Desk, relay: RelayProcess) -> None:
    await relay.open_trip("asked-1")
    no_terminal = await agent("close", "asked-1", *CLOSE)
    assert no_terminal.code == 2
    assert "--yes" in no_terminal.err
    for answer, code, state in (("n", 1, "open"), ("y", 0, "closed")):
        async with Terminal("ops", "close", "asked-1", *CLOSE, **agent.environment) as terminal:
            await terminal.until(lambda: "for good" in terminal.shown, "it asks")
            terminal.type(f"{answer}\n")
            assert await terminal.ended() == code
        assert (await agent("show", "asked-1", "--json")).json["state"] == state


async def test_several_are_closed_with_progress(
    agent: Desk, relay: RelayProcess, tmp_path: Path
) -> None:
    for number in range(4):
        await relay.open_trip(f"many-{number}")
    await agent("close", "many-0", *CLOSE, "--yes")
    done = await agent("close", "many-0", "many-1", "no-such", *CLOSE, "--yes")
    assert done.out.splitlines() == [
        "1/3  many-0   was closed already",
        "2/3  many-1   closed",
        "3/3  no-such  is no trip that the relay knows",
    ]
    assert done.code == 1
    assert done.err.startswith("relay: 2 of 3 closed; ")
    file = tmp_path / "trips"
    file.write_text("many-2\nmany-3\n")
    named = await agent("close", "--file", file, *CLOSE, "--yes", "--json")
    assert named.code == 0
    assert [one["outcome"] for one in named.json["results"]] == ["closed", "closed"]
    again = await agent("close", "--file", "-", *CLOSE, "--yes", given="many-2 many-3")
    assert (again.code, again.out.count("was closed already")) == (0, 2)
    assert (await agent("close", *CLOSE, "--yes")).code == 2
    missing = await agent("close", "--file", tmp_path / "none", *CLOSE, "--yes")
    assert (missing.code, is_one_line(missing)) == (2, True)


async def test_an_agent_closes_at_most_fifty_at_once(
    agent: Desk, supervisor: Desk, relay: RelayProcess
) -> None:
    await relay.open_trip("fifty-one")
    trips = ["fifty-one", *(f"made-up-{number}" for number in range(50))]
    refused = await agent("close", *trips, *CLOSE, "--yes")
    assert (refused.code, is_one_line(refused)) == (1, True)
    assert (await agent("show", "fifty-one", "--json")).json["state"] == "open"
    allowed = await supervisor("close", *trips, *CLOSE, "--yes", "--json")
    assert [one["outcome"] for one in allowed.json["results"]] == ["closed"] + 50 * ["not_found"]


# --- cases and measures ---------------------------------------------------------------------------


async def reported(relay: RelayProcess, trip: str, category: str) -> tuple[str, str]:
    """Open a trip with a driver of its own whom the customer reports; give the driver's id."""
    driver = f"drv-{trip}"
    tokens = await relay.open_trip(
        trip, driver={"party_id": driver, "phone": DRIVER_PHONE, "alias": "Budi"}
    )
    party = await Party.attach(relay.gateway_url, tokens["customer"])
    await party.say("report", id="r1", category=category, note="he would not stop, rujak")
    await party.hear("reported")
    return driver, tokens["driver"]


async def test_a_case_from_its_report_to_its_answer(
    agent: Desk, other_agent: Desk, supervisor: Desk, relay: RelayProcess
) -> None:
    driver, _ = await reported(relay, "case-1", "harassment")
    (found,) = (await agent("cases", "--party", driver, "--json")).json["cases"]
    case = found["case_id"]
    assert (found["category"], found["state"], found["assignee"]) == ("harassment", "new", None)
    table = await agent("cases", "--free")
    assert column(table, "WHO")[column(table, "CASE").index(case)] == "nobody"

    taken = await agent("take", case)
    assert "who         sari" in taken.out
    assert case in column(await agent("cases", "--mine"), "CASE")
    assert case not in column(await other_agent("cases", "--mine"), "CASE")
    stolen = await other_agent("take", case)
    assert (stolen.code, is_one_line(stolen)) == (1, True)
    markup = "[bold]called[/bold] the <b>night shift</b>, no answer"
    noted = await agent("note", case, markup)
    assert markup in noted.out
    over = await agent("handover", case, "budi", *NOTE, "--json")
    assert over.json["assignee"] == "budi"
    not_mine = await agent("answer", case, "--outcome", "upheld", *NOTE)
    assert (not_mine.code, is_one_line(not_mine)) == (1, True)
    answered = await other_agent("answer", case, "--outcome", "upheld", *NOTE)
    assert "closed (upheld)" in answered.out
    assert "answer      action_taken" in answered.out
    alone = await agent("reopen", case, *NOTE)
    assert (alone.code, is_one_line(alone)) == (1, True)
    opened = await supervisor("reopen", case, *NOTE, "--json")
    assert (opened.json["state"], opened.json["assignee"]) == ("new", None)
    given = await supervisor("take", case, "--for", "sari", "--json")
    assert given.json["assignee"] == "sari"
    whole = await agent("case", case)
    assert "evidence    in the console" in whole.out
    for done in (whole, table, noted, answered):
        assert "rujak" not in done.out


async def test_a_mute_is_imposed_appealed_against_and_lifted(
    agent: Desk, supervisor: Desk, other_supervisor: Desk, relay: RelayProcess
) -> None:
    driver, token = await reported(relay, "mute-1", "asked_contact")
    (found,) = (await agent("cases", "--party", driver, "--json")).json["cases"]
    words = ("sanction", driver, "mute", "--reason", "contact_sharing", *NOTE, "--yes")
    no_case = await agent(*words, "--hours", 2)
    assert (no_case.code, is_one_line(no_case)) == (1, True)
    not_mine = await agent(*words, "--case", found["case_id"], "--hours", 2)
    assert (not_mine.code, is_one_line(not_mine)) == (1, True)
    await agent("take", found["case_id"])
    no_hours = await agent(*words, "--case", found["case_id"])
    assert "(field: hours)" in no_hours.err
    muted = await agent(*words, "--case", found["case_id"], "--hours", 2, "--json")
    assert muted.code == 0
    party = await Party.attach(relay.gateway_url, token)
    await party.hear("refused", id=await party.post("let me through"))

    async def mark() -> str:
        return next(iter(column(await agent("list", "--search", driver), "MARKS")))

    assert await until(mark, "the list says so") == "driver muted"

    which = (driver, muted.json["sanction_id"])
    listed = await agent("sanctions", driver)
    assert column(listed, "WHAT") == ["mute"]
    assert re.match("2 h|1 h 59 min", column(listed, "TIME LEFT")[0])
    assert which[1] in column(await agent("sanctions"), "SANCTION")
    assert (await agent("appeal", *which, *NOTE, "--json")).json["appeal"] == "open"
    by_agent = await agent("decide", *which, "--lift", *NOTE)
    assert (by_agent.code, is_one_line(by_agent)) == (1, True)
    decided = await supervisor("decide", *which, "--lift", *NOTE)
    assert "time left   lifted" in decided.out
    await party.accepted("let me through")
    gone = await other_supervisor("lift", *which, *NOTE)
    assert (gone.code, is_one_line(gone)) == (1, True)
    pair = await supervisor(
        "sanction", driver, "never_pair", "--reason", "safety", "--other", "cus-1", *NOTE, "--yes"
    )
    assert "never_pair with cus-1" in pair.out


async def test_a_legal_hold(agent: Desk, supervisor: Desk, relay: RelayProcess) -> None:
    await relay.open_trip("held-1", retention_s=3600)
    refused = await agent("hold", "held-1", "--days", 3, *NOTE)
    assert (refused.code, is_one_line(refused)) == (1, True)
    assert "supervisor" in refused.err
    held = await supervisor("hold", "held-1", "--days", 3, *NOTE)
    assert "held until" in held.out
    listed = await supervisor("holds")
    assert "held-1" in column(listed, "TRIP")
    assert "legal hold" in (await agent("show", "held-1")).out
    assert (await supervisor("release", "held-1", *NOTE)).code == 2
    assert (await supervisor("release", "held-1", *NOTE, "--yes")).code == 0
    assert "held-1" not in column(await supervisor("holds"), "TRIP")


# --- accountability -------------------------------------------------------------------------------


async def test_every_act_is_in_the_audit_log(
    agent: Desk, supervisor: Desk, relay: RelayProcess
) -> None:
    for trip in ("audit-1", "audit-2", "audit-3"):
        await relay.open_trip(trip)
        await agent("close", trip, *CLOSE, "--yes")
    (entry,) = (await supervisor("audit", "--trip", "audit-2", "--json")).json["entries"]
    assert (entry["actor"], entry["act"], entry["via"]) == ("sari", "channel.close", "key")
    assert (entry["address"], entry["reason"], entry["note"]) == ("127.0.0.1", "fraud", NOTE[1])
    table = await supervisor("audit", "--actor", "sari", "--most", "1")
    assert column(table, "DID") == ["channel.close"]
    assert column(table, "ABOUT") == ["audit-3"]
    refused = await agent("audit")
    assert (refused.code, is_one_line(refused)) == (1, True)
    assert "supervisor" in refused.err


async def test_every_page_of_a_list_is_read(supervisor: Desk, relay: RelayProcess) -> None:
    for number in range(3):
        await relay.open_trip(f"pages-{number}")
        await supervisor("hold", f"pages-{number}", "--days", 1, *NOTE)
    found = []
    for words in (["list"], ["audit"]):
        by_one = await python(
            "from relay.cli import app, ops_options, ops_oversight\n"
            "ops_options._PAGE = ops_oversight._PAGE = 2\n"
            f"app(['ops', *{words}, '--most', '0', '--json'])\n",
            **supervisor.environment,
        )
        found.append(by_one.json)
    trips = [one["trip_id"] for one in found[0]["channels"]]
    assert {f"pages-{number}" for number in range(3)} <= set(trips)
    assert len(trips) == len(set(trips)) == found[0]["open"]
    numbers = [one["n"] for one in found[1]["entries"]]
    assert numbers == list(range(len(numbers), 0, -1))
    assert len(numbers) >= 3


async def test_alarms_are_for_supervisors(agent: Desk, supervisor: Desk) -> None:
    assert (await supervisor("alarms", "--json")).json == {"alarms": []}
    refused = await agent("alarms")
    assert (refused.code, is_one_line(refused)) == (1, True)
    none = await supervisor("acknowledge", "0-0", *NOTE)
    assert (none.code, is_one_line(none)) == (1, True)


async def test_keys_of_others_do_not_fit(platform: Platform, agent: Desk, quickly: Quickly) -> None:
    for words, environment in (
        (("ops", "list"), platform.environment),
        (("trip", "list"), agent.environment),
    ):
        done = await quickly(*words, **environment)
        assert (done.code, is_one_line(done)) == (1, True)
        assert "scope" in done.err


async def test_a_note_may_not_hold_what_the_relay_keeps_from_all(
    agent: Desk, relay: RelayProcess
) -> None:
    await relay.open_trip("note-1")
    for note in ("call her at 0812-3456-7890", "see\x1b[2Jhere", "", "x" * 501):
        done = await agent("close", "note-1", "--reason", "fraud", "--note", note, "--yes")
        assert (done.code, is_one_line(done)) == (1, True)
        assert "(field: note)" in done.err
        assert not any(part in done.err for part in ("3456", "\x1b", "xxx"))
    assert (await agent("show", "note-1", "--json")).json["state"] == "open"


async def test_an_id_cannot_lead_elsewhere(agent: Desk, relay: RelayProcess) -> None:
    await relay.open_trip("elsewhere")
    for name in ("../../trips", "elsewhere?x", "elsewhere/close", "%2e%2e", "a b", ""):
        for words in (("show", name), ("case", name), ("sanctions", name), ("take", name)):
            done = await agent(*words)
            assert done.code == 1, words
            assert is_one_line(done), words


async def test_a_relay_that_is_not_there(agent: Desk, quickly: Quickly) -> None:
    gone = agent.environment | {"RELAY_URL": "http://127.0.0.1:1"}
    for words in (("list",), ("close", "a", "b", *CLOSE, "--yes")):
        done = await quickly("ops", *words, **gone)
        assert (done.code, is_one_line(done)) == (1, True)
        assert "relay serve" in done.err


def test_what_others_wrote_does_nothing_to_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    rows: list[tuple[Any, ...]] = [("[red]a\x1b[2J", "\u202eb", 7), ("乘客", "c\nd", 12)]
    say_table(("NAME", "NOTE", "N"), rows)
    assert capsys.readouterr().out.splitlines() == [
        "NAME           NOTE      N",
        r"[red]a\x1b[2J  \u202eb   7",
        r"乘客           c\nd     12",
    ]


async def test_what_would_be_done_twice_is_not_called_safe_to_repeat(
    quickly: Quickly, staff: dict[str, Staff]
) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        at = {"RELAY_URL": f"http://127.0.0.1:{port}", "RELAY_API_KEY": staff["rina"].key}
        for words in (
            ("note", "c1-0a1b2c3d", "seen"),
            ("sanction", "drv-1", "warn", "--reason", "harassment", "--note", "seen", "--yes"),
        ):
            done = await quickly("ops", *words, **at)
            assert done.code == 1 and is_one_line(done)
            assert "may or may not have been done" in done.err
            assert "See whether it was done" in done.err and "safe" not in done.err
        taken = await quickly("ops", "take", "c1-0a1b2c3d", **at)
        assert "Repeat it as it is: that is safe." in taken.err


async def test_what_is_not_there_is_named(agent: Desk) -> None:
    for words in (("case", "c1-0a1b2c3d"), ("case", "nonsense"), ("take", "nonsense")):
        done = await agent(*words)
        assert done.code == 1 and "There is no such case" in done.err, done.err
    done = await agent("sanctions", "!")
    assert done.code == 1 and "no party's id" in done.err
