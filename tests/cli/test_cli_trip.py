"""`relay trip` on a running relay: a whole trip, every refusal as one line, phones never in argv."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.support.relay import CUSTOMER_PHONE, DRIVER_PHONE, opening

from .commands import Done, Quickly, Run, python, relay_command
from .conftest import Platform
from .terminal import Terminal

PHONES = f"{DRIVER_PHONE}\n{CUSTOMER_PHONE}\n"
THIRD_PHONE = "+6281311112222"
PARTIES = ("--driver", "drv-1:Budi", "--customer", "cus-1:Sari")


async def open_trip(platform: Platform, trip: str, *more: object, run: Run) -> Done:
    words = ("trip", "open", trip, *PARTIES, "--phones-stdin", *more)
    return await run(*words, given=PHONES, **platform.environment)


def is_one_line(done: Done) -> bool:
    return done.out == "" and done.err.count("\n") == 1 and done.err.startswith("relay: ")


async def test_a_trip_from_its_opening_to_its_end(platform: Platform) -> None:
    async def trip(*words: object) -> Done:
        return await relay_command("trip", *words, **platform.environment)

    opened = await open_trip(
        platform, "whole", "--max-duration-s", 600, "--json", run=relay_command
    )
    assert opened.code == 0
    assert (opened.json["state"], opened.json["epoch"]) == ("open", 1)
    assert opened.json["driver"]["token"].endswith(".d.whole")
    assert opened.json["gateway_url"] == platform.relay.gateway_url

    shown = await trip("show", "whole", "--json")
    assert shown.json["driver"]["party_id"] == "drv-1"
    assert shown.json["deadline"] == opened.json["deadline"]
    listed = await trip("list", "--json")
    assert "whole" in [one["trip_id"] for one in listed.json["trips"]]

    fresh = await trip("token", "whole", "customer", "--party", "cus-1", "--revoke", "--json")
    assert fresh.json["token"] != opened.json["customer"]["token"]

    words = ("reassign", "whole", "driver", "--party", "drv-2:Agus", "--epoch", 1, "--phone-stdin")
    moved = await relay_command(
        "trip", *words, "--json", given=f"{THIRD_PHONE}\n", **platform.environment
    )
    assert (moved.json["epoch"], moved.json["party_id"]) == (2, "drv-2")
    late = await relay_command(
        "trip", *words[:3], "--party", "drv-3:Eka", *words[5:],
        given=f"{THIRD_PHONE}\n", **platform.environment,
    )  # fmt: skip
    assert late.code == 1
    assert is_one_line(late)

    ended = await trip("end", "whole", "--grace-s", 60, "--json")
    assert ended.json["state"] == "grace"
    ended = await trip("end", "whole", "--reason", "cancelled", "--json")
    assert ended.json["state"] == "closed"
    shown = await trip("show", "whole", "--json")
    assert (shown.json["reason"], shown.json["detail"]) == ("ended", "cancelled")
    for done in (opened, shown, listed, fresh, moved, late, ended):
        assert not any(phone[1:] in done.out + done.err for phone in (DRIVER_PHONE, CUSTOMER_PHONE))


async def test_what_people_read(platform: Platform, quickly: Quickly) -> None:
    opened = await open_trip(platform, "human", run=quickly)
    assert opened.code == 0
    assert "state     open until" in opened.out
    assert opened.out.count(".d.human") == opened.out.count(".c.human") == 1
    assert opened.err == ""
    shown = await quickly("trip", "show", "human", **platform.environment)
    assert "driver    drv-1, offline" in shown.out
    listed = await quickly("trip", "list", **platform.environment)
    assert "human  open until" in listed.out
    ended = await quickly("trip", "end", "human", **platform.environment)
    assert "closed since" in ended.out
    shown = await quickly("trip", "show", "human", **platform.environment)
    assert "(ended, completed)" in shown.out


async def test_tokens_go_to_files_of_their_own(
    platform: Platform, tmp_path: Path, quickly: Quickly
) -> None:
    folder = tmp_path / "tokens"
    for words in ((), ("--json",)):
        opened = await open_trip(platform, "filed", "--token-folder", folder, *words, run=quickly)
        assert opened.code == 0
        for role in ("driver", "customer"):
            file = folder / f"filed.{role}.token"
            assert stat.S_IMODE(file.stat().st_mode) == 0o600
            assert file.read_text().strip() not in opened.out + opened.err
            assert str(file) in opened.out
    assert opened.json["driver"]["token_file"] == str(folder / "filed.driver.token")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    renewed = await quickly(
        "trip", "token", "filed", "driver", "--party", "drv-1", "--token-folder", folder,
        **platform.environment,
    )  # fmt: skip
    assert renewed.code == 0
    assert ".d.filed" not in renewed.out
    # The file holds the fresh token, not the first.
    token = (folder / "filed.driver.token").read_text().strip()
    assert token.endswith(".d.filed")


async def test_the_body_may_come_from_a_file(
    platform: Platform, tmp_path: Path, quickly: Quickly
) -> None:
    file = tmp_path / "trip.json"
    file.write_text(json.dumps(opening("from-file", max_duration_s=60)))
    opened = await quickly("trip", "open", "--file", file, "--json", **platform.environment)
    assert opened.json["trip_id"] == "from-file"
    again = await quickly(
        "trip", "open", "other-name", "--file", "-", "--json",
        given=file.read_text(), **platform.environment,
    )  # fmt: skip
    assert again.json["trip_id"] == "other-name"


async def test_phones_are_asked_for_without_echo(platform: Platform) -> None:
    words = ("trip", "open", "asked", *PARTIES)
    async with Terminal(*words, **platform.environment) as terminal:
        await terminal.until(lambda: "Driver's phone" in terminal.shown, "it asks for the first")
        terminal.type(f"{DRIVER_PHONE}\n")
        await terminal.until(lambda: "Customer's phone" in terminal.shown, "it asks for the second")
        terminal.type(f"{CUSTOMER_PHONE}\n")
        assert await terminal.ended() == 0
        assert "gateway" in terminal.shown
        assert DRIVER_PHONE[1:] not in terminal.raw
        assert CUSTOMER_PHONE[1:] not in terminal.raw


async def test_a_refusal_is_one_line_that_names_the_field(
    platform: Platform, quickly: Quickly
) -> None:
    wrong = "+62812345"
    done = await quickly(
        "trip", "open", "bad", *PARTIES, "--phones-stdin",
        given=f"{wrong}\n{CUSTOMER_PHONE}\n", **platform.environment,
    )  # fmt: skip
    assert done.code == 1
    assert is_one_line(done)
    assert "A phone number cannot be used: " in done.err
    assert "(field: driver.phone)" in done.err
    assert wrong[1:] not in done.err
    missing = await quickly("trip", "show", "no-such", **platform.environment)
    assert missing.code == 1
    assert "There is no such trip: " in missing.err


async def test_a_key_that_is_not_good(platform: Platform, quickly: Quickly) -> None:
    wrong = platform.environment | {"RELAY_API_KEY": "relay_00000000_" + "A" * 22}
    done = await quickly("trip", "list", **wrong)
    assert done.code == 1
    assert is_one_line(done)
    assert "API key" in done.err


async def test_the_key_may_come_from_a_file(
    platform: Platform, tmp_path: Path, quickly: Quickly
) -> None:
    file = tmp_path / "api.key"
    file.write_text(platform.relay.key + "\n")
    file.chmod(0o600)
    done = await quickly("trip", "list", "--api-key-file", file, "--url", platform.relay.api_url)
    assert (done.code, "relay: " in done.err) == (0, True)
    file.chmod(0o644)
    warned = await quickly("trip", "list", "--api-key-file", file, "--url", platform.relay.api_url)
    assert warned.code == 0
    assert "chmod 600" in warned.err


@pytest.mark.parametrize("content", [None, "", "two words\n", "x" * 5000])
async def test_a_key_file_that_is_none(
    tmp_path: Path, content: str | None, quickly: Quickly
) -> None:
    file = tmp_path / "api.key"
    if content is not None:
        file.write_text(content)
        file.chmod(0o600)
    done = await quickly("trip", "list", "--api-key-file", file)
    assert done.code == 2
    assert is_one_line(done)


async def test_what_is_missing_is_said(tmp_path: Path, quickly: Quickly) -> None:
    key = {"RELAY_API_KEY": "relay_00000000_" + "A" * 22}
    no_key = await quickly("trip", "list")
    assert no_key.code == 2
    assert "RELAY_API_KEY" in no_key.err
    file = tmp_path / "trip.json"
    file.write_text("[1]")
    wrong: list[tuple[object, ...]] = [
        ("open",),
        ("open", "t"),
        ("open", "t", *PARTIES),
        ("open", "t", *PARTIES, "--phones-stdin"),
        ("open", "t", *PARTIES, "--phones-stdin", "--file", "-"),
        ("open", "t", "--file", file),
        ("open", "t", "--file", tmp_path / "none.json"),
        ("reassign", "t", "driver", "--party", "p"),
        ("reassign", "t", "driver", "--party", "p", "--epoch", "1"),
        ("list", "--url", "ws://127.0.0.1:1"),
        ("list", "--url", "http://user:password@127.0.0.1:1"),
    ]
    for words in wrong:
        done = await quickly("trip", *words, **key)
        assert done.code == 2, words
        assert is_one_line(done), words
        assert "password" not in done.err


async def test_a_relay_that_is_not_there(tmp_path: Path, quickly: Quickly) -> None:
    done = await quickly(
        "trip", "list", "--url", "http://127.0.0.1:1", RELAY_API_KEY="relay_00000000_" + "A" * 22
    )
    assert done.code == 1
    assert is_one_line(done)
    assert "relay serve" in done.err


async def test_a_server_that_is_no_relay(platform: Platform, quickly: Quickly) -> None:
    gateway = "http://" + platform.relay.gateway_url[5:].partition("/")[0]
    done = await quickly("trip", "list", "--url", gateway, **{
        name: value for name, value in platform.environment.items() if name != "RELAY_URL"
    })  # fmt: skip
    assert done.code == 1
    assert is_one_line(done)
    assert "--url" in done.err


async def test_a_trip_id_cannot_lead_elsewhere(platform: Platform, quickly: Quickly) -> None:
    for trip in ("../v1/trips", "a/b", "a?b", "%2e%2e", "a b", ""):
        done = await quickly("trip", "show", trip, **platform.environment)
        assert done.code == 1
        assert is_one_line(done)


async def test_every_page_of_a_list_is_read(platform: Platform) -> None:
    for number in range(3):
        await platform.relay.open_trip(f"page-{number}")
    by_one = await python(
        "from relay.cli import app, trip\ntrip._LIST_LIMIT = 1\napp(['trip', 'list', '--json'])\n",
        **platform.environment,
    )
    trips = [one["trip_id"] for one in by_one.json["trips"]]
    assert {f"page-{n}" for n in range(3)} <= set(trips)
    assert len(trips) == len(set(trips))
