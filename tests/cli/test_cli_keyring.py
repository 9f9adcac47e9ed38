"""`relay keyring`: makes, rotates, retires and lists keys, and never shows one."""

from __future__ import annotations

import json
import os
import pwd
import stat
import time
from pathlib import Path

import pytest

from relay.keyfile import KeyFile
from relay.live_ring import LiveRing
from tests.support.relay import RelayProcess

from .commands import Done, Quickly, Run, relay_command
from .terminal import Terminal

DAY_MS = 86_400_000


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def secrets_of(file: Path) -> list[str]:
    document = json.loads(file.read_text())
    return [key["key"] for name in document if name != "version" for key in document[name]]


async def ids_of(run: Run, file: Path) -> list[str]:
    listed = await run("keyring", "list", "--json", "--file", file)
    assert listed.code == 0
    return [row["id"] for row in listed.json]


@pytest.fixture
def ring(tmp_path: Path) -> Path:
    """A ring that was made ten days ago, so that some of its keys are due."""
    file = tmp_path / "ring.json"
    KeyFile(file).create(now_ms() - 10 * DAY_MS, 11 * DAY_MS)
    return file


async def test_a_ring_is_made_rotated_and_listed(tmp_path: Path) -> None:
    file = tmp_path / "keys" / "ring.json"
    made = await relay_command("keyring", "new", "--file", file, "--days", 2)
    assert (made.code, made.out) == (0, "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    before = await ids_of(relay_command, file)
    rotated = await relay_command("keyring", "rotate", "--file", file, "--days", 4)
    assert rotated.code == 0
    after = await ids_of(relay_command, file)
    assert set(before) < set(after)
    listed = await relay_command("keyring", "list", "--file", file)
    assert all(key_id in listed.out for key_id in after)
    assert "current" in listed.out
    for done in (made, rotated, listed):
        assert not any(secret in done.out + done.err for secret in secrets_of(file))


async def test_list_tells_the_state_of_each_key(ring: Path, quickly: Quickly) -> None:
    listed = await quickly("keyring", "list", "--json", "--file", ring)
    states = {(row["purpose"], row["state"]) for row in listed.json}
    assert {("numbers", "due"), ("numbers", "current"), ("numbers", "past")} <= states
    assert ("reports", "due") not in states
    for row in listed.json:
        assert set(row) == {"id", "purpose", "from_ms", "until_ms", "state"}


async def test_a_ring_that_is_there_is_not_replaced(tmp_path: Path, quickly: Quickly) -> None:
    file = tmp_path / "ring.json"
    await quickly("keyring", "new", "--file", file)
    before = file.read_bytes()
    again = await quickly("keyring", "new", "--file", file)
    assert again.code == 1
    assert "rotate" in again.err
    assert file.read_bytes() == before


async def test_the_printed_ring_is_one_for_the_environment(quickly: Quickly) -> None:
    printed = await quickly("keyring", "new", "--print", "--days", 1)
    assert printed.code == 0
    assert printed.out.count("\n") == 1
    ring = LiveRing.of_environment({"RELAY_KEYRING": printed.out}).ring
    assert len(ring) >= 24
    assert not any(entry["key"] in printed.err for entry in printed.json["numbers"])
    listed = await quickly(
        "keyring", "list", "--json",
        RELAY_KEYRING=printed.out, RELAY_REDIS="redis://127.0.0.1:1",
    )  # fmt: skip
    assert [row["id"] for row in listed.json] == [key.id for key in ring]
    refused = await quickly(
        "keyring", "rotate", RELAY_KEYRING=printed.out, RELAY_REDIS="redis://127.0.0.1:1"
    )
    assert refused.code == 1
    assert "RELAY_KEYRING" in refused.err


async def test_what_cannot_be_meant(tmp_path: Path, quickly: Quickly) -> None:
    file = tmp_path / "ring.json"
    both = await quickly("keyring", "new", "--print", "--file", file)
    assert both.code == 2
    too_many = await quickly("keyring", "new", "--print", "--days", 366)
    assert (too_many.code, too_many.out) == (2, "")
    neither = await quickly("keyring", "retire", "--file", file)
    assert neither.code == 2
    assert not file.exists()


async def test_due_keys_are_destroyed_and_no_others(ring: Path, quickly: Quickly) -> None:
    listed = await quickly("keyring", "list", "--json", "--file", ring)
    due = {row["id"] for row in listed.json if row["state"] == "due"}
    assert due
    done = await quickly("keyring", "retire", "--due", "--yes", "--file", ring)
    assert done.code == 0
    assert set(await ids_of(quickly, ring)) == {row["id"] for row in listed.json} - due
    again = await quickly("keyring", "retire", "--due", "--file", ring)
    assert again.code == 0
    assert "no key" in again.err


async def test_how_long_a_key_is_needed_is_a_setting(ring: Path, quickly: Quickly) -> None:
    settings = {"RELAY_LONGEST_RETENTION_S": str(30 * 86400)}
    listed = await quickly("keyring", "list", "--json", "--file", ring, **settings)
    assert ("messages", "due") not in {(row["purpose"], row["state"]) for row in listed.json}


async def refused_to_ask(run: Run, file: Path, *words: str) -> Done:
    before = file.read_bytes()
    done = await run("keyring", "retire", *words, "--file", file, given="y\n")
    assert file.read_bytes() == before
    return done


async def test_nothing_is_destroyed_where_nobody_can_be_asked(ring: Path, quickly: Quickly) -> None:
    for words in (("--due",), ((await ids_of(quickly, ring))[0],)):
        done = await refused_to_ask(quickly, ring, *words)
        assert done.code == 2
        assert "--yes" in done.err


async def test_an_unknown_key_destroys_none(ring: Path, quickly: Quickly) -> None:
    known = (await ids_of(quickly, ring))[0]
    done = await refused_to_ask(quickly, ring, known, "00000000", "--yes")
    assert done.code == 1
    assert "none was destroyed" in done.err


async def test_a_person_is_asked(ring: Path, quickly: Quickly) -> None:
    doomed = (await ids_of(quickly, ring))[-1]
    for answer, code, stays in (("n", 1, True), ("y", 0, False)):
        async with Terminal("keyring", "retire", doomed, "--file", ring) as terminal:
            await terminal.until(lambda: "for good?" in terminal.shown, "it asks")
            assert doomed in terminal.shown
            terminal.type(f"{answer}\n")
            assert await terminal.ended() == code
        assert (doomed in await ids_of(quickly, ring)) is stays


async def test_a_ring_that_others_can_read_is_refused(ring: Path, quickly: Quickly) -> None:
    ring.chmod(0o644)
    for words in (("list",), ("rotate",), ("retire", "--due", "--yes")):
        done = await quickly("keyring", *words, "--file", ring)
        assert done.code == 1
        assert "chmod 600" in done.err


async def test_without_a_file_the_ring_is_the_relay_s(tmp_path: Path, quickly: Quickly) -> None:
    data = tmp_path / "data"
    made = await quickly("keyring", "new", "--data", data)
    assert made.code == 0
    assert (data / "keyring.json").is_file()
    listed = await quickly("keyring", "list", "--json", RELAY_DATA=str(data))
    assert listed.json


async def test_what_is_done_is_noted_for_the_audit_log(tmp_path: Path, quickly: Quickly) -> None:
    """No relay runs here, so it waits beside the ring, and no store is started for it."""
    file = tmp_path / "ring.json"
    made = await quickly("keyring", "new", "--file", file, "--days", 1)
    assert "ring.json.journal" in made.err
    doomed = (await ids_of(quickly, file))[0]
    await quickly("keyring", "rotate", "--file", file, "--days", 2)
    await quickly("keyring", "retire", doomed, "--yes", "--file", file)
    assert (await quickly("keyring", "rotate", "--file", file, "--days", 1)).code == 0
    me = f"host:{pwd.getpwuid(os.getuid()).pw_name}"
    assert [(line.by, line.act, line.destroyed) for line in KeyFile(file).journal()] == [
        (me, "keyring.new", ()),
        (me, "keyring.rotate", ()),
        (me, "keyring.retire", (doomed,)),
        (me, "keyring.rotate", ()),
    ]
    assert not any(path.is_dir() for path in tmp_path.iterdir())
    away = {"RELAY_REDIS": f"unix://{tmp_path}/nothing.sock"}
    rotated = await quickly("keyring", "rotate", "--file", file, "--days", 3, **away)
    assert rotated.code == 0
    assert "ring.json.journal" in rotated.err


async def test_the_ring_of_other_relays_is_not_told_to_this_one(
    relay: RelayProcess, tmp_path: Path, quickly: Quickly
) -> None:
    file = tmp_path / "ring.json"
    here = {"RELAY_DATA": str(relay.data)}
    made = await quickly("keyring", "new", "--file", file, "--days", 1, **here)
    assert "ring.json.journal" in made.err
    assert len(KeyFile(file).journal()) == 1
    shared = {"RELAY_REDIS": relay.store_url}
    rotated = await quickly("keyring", "rotate", "--file", file, "--days", 2, **shared)
    assert "journal" not in rotated.err
    assert KeyFile(file).journal() == []
