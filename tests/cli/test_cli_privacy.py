"""`relay privacy` on the relay's host, against a running relay's store."""

from __future__ import annotations

import os
import pwd
import time
from pathlib import Path
from typing import Any

from relay.store import keys
from tests.support.party import Party
from tests.support.relay import CUSTOMER_PHONE, DRIVER_PHONE, RelayProcess

from .commands import Quickly, relay_command

TEXT = "sampai jumpa di lobi"


async def open_trip(relay: RelayProcess, trip: str, driver: str, **changes: Any) -> dict[str, str]:
    return await relay.open_trip(
        trip,
        driver={"party_id": driver, "phone": DRIVER_PHONE, "alias": "Budi"},
        customer={"party_id": f"{driver}-cus", "phone": CUSTOMER_PHONE, "alias": "Sari"},
        **changes,
    )


async def test_export_erase_and_what_the_audit_log_says_of_it(relay: RelayProcess) -> None:
    at = ("--party", "drv-a", "--data", relay.data)
    tokens = await open_trip(relay, "a-1", "drv-a", retention_s=3600, report_window_s=1)
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    await driver.accepted(TEXT)

    exported = await relay_command("privacy", "export", *at, "--json")
    assert exported.code == 0
    (trip,) = exported.json["trips"]
    assert (trip["trip"], trip["role"], trip["messages_kept"]) == ("a-1", "driver", 1)
    assert exported.json["number_held"] is True
    for hidden in (TEXT, DRIVER_PHONE[3:], CUSTOMER_PHONE[3:], "drv-a-cus", "Sari"):
        assert hidden not in exported.out + exported.err

    early = await relay_command("privacy", "erase", *at, "--yes")
    assert early.code == 1
    assert "1 stay: open trips" in early.err

    await relay.end_trip("a-1")
    async with relay.redis() as store:  # the report window is over
        await store.hset(keys.trip("a-1"), "closed", "1")  # type: ignore[misc]
    erased = await relay_command("privacy", "erase", *at, "--yes", "--json")
    assert (erased.code, erased.json["trips_erased"], erased.json["stays"]) == (0, 1, {})
    again = await relay_command("privacy", "export", *at)
    assert (again.code, again.out) == (0, "")
    assert "0 trips" in again.err

    listed = await relay_command("audit", "list", "--json", "--data", relay.data)
    mine = [one for one in listed.json if one.get("party") == "drv-a"]
    user = pwd.getpwuid(os.getuid()).pw_name
    assert {(one["actor"], one["via"]) for one in mine} == {(f"host:{user}", "host")}
    assert {one["act"] for one in mine} == {"privacy.request", "privacy.export", "privacy.erase"}


async def test_the_environment_does_not_say_who_it_was(relay: RelayProcess) -> None:
    await relay_command(
        "privacy", "restrict", "--party", "drv-who", "--data", relay.data,
        USER="somebody", LOGNAME="somebody",
    )  # fmt: skip
    listed = await relay_command("audit", "list", "--json", "--data", relay.data)
    assert "somebody" not in listed.out
    assert "drv-who" in listed.out


async def test_a_restricted_party_gets_no_trip(relay: RelayProcess, quickly: Quickly) -> None:
    at = ("--party", "drv-r", "--data", relay.data)
    assert (await quickly("privacy", "restrict", *at)).code == 0
    body = {
        "driver": {"party_id": "drv-r", "phone": DRIVER_PHONE, "alias": "Budi"},
        "customer": {"party_id": "cus-r", "phone": CUSTOMER_PHONE, "alias": "Sari"},
    }
    answer = await relay.open("r-1", **body)
    assert (answer.status_code, answer.json()["code"]) == (409, "restricted")
    assert (await quickly("privacy", "restrict", "--off", *at)).code == 0
    assert (await relay.open("r-1", **body)).status_code == 201


async def test_requests_are_listed_with_what_is_left_of_their_limit(
    relay: RelayProcess, quickly: Quickly
) -> None:
    at = ("--data", relay.data)
    asked = await quickly("privacy", "request", "--party", "drv-q", "--wish", "erase", *at)
    assert (asked.code, asked.out) == (0, "")
    assert "to be done by" in asked.err
    old = await quickly(
        "privacy", "request", "--party", "drv-old", "--wish", "export", "--received",
        _days_ago(5), *at,
    )  # fmt: skip
    assert old.code == 0
    shown = await quickly("privacy", "requests", "--open", *at)
    (mine,) = [line for line in shown.out.splitlines() if "drv-q" in line]
    assert "3 d left" in mine or "2 d 23 h left" in mine
    (late,) = [line for line in shown.out.splitlines() if "drv-old" in line]
    assert "OVERDUE by" in late
    assert "overdue" in shown.err
    rows = (await quickly("privacy", "requests", "--json", *at)).json
    (row,) = [row for row in rows if row["party"] == "drv-q"]
    assert row["due_at"] - row["received_at"] == 72 * 3600 * 1000
    assert (row["wish"], row["done_at"]) == ("erase", None)


def _days_ago(days: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() - days * 86400))


async def test_nothing_is_erased_without_being_asked(relay: RelayProcess, quickly: Quickly) -> None:
    done = await quickly("privacy", "erase", "--party", "drv-n", "--data", relay.data)
    assert done.code == 2
    assert "nothing was erased" in done.err


async def test_what_cannot_be_is_one_line_that_repeats_nothing(
    relay: RelayProcess, quickly: Quickly
) -> None:
    done = await quickly("privacy", "export", "--party", "no name", "--data", relay.data)
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "no name" not in done.err


async def test_looking_makes_no_folder(tmp_path: Path, quickly: Quickly) -> None:
    done = await quickly("privacy", "requests", "--data", tmp_path / "nothing")
    assert done.code == 1
    assert "no data folder" in done.err
    assert list(tmp_path.iterdir()) == []
