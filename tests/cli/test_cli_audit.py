"""`relay audit`: the log is read, checked and exported on the host, and checked anywhere."""

from __future__ import annotations

import json
import os
import pwd
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from relay.core.acts import Act
from relay.core.casework import StaffScope
from relay.keyfile import KeyFile
from relay.ops.actor import Actor
from relay.ops.audit import Audit
from relay.store import keys
from relay.store.audit import AuditLog
from relay.vault.checkpoints import Checkpoint
from tests.support.relay import RelayProcess

from .commands import Quickly, relay_command

ME = f"host:{pwd.getpwuid(os.getuid()).pw_name}"
AYU = Actor("ayu", StaffScope.AGENT, "console", "192.0.2.7")


async def nobody_is_told(_kind: str, **_fields: Any) -> None:
    pass


@pytest.fixture
async def audit(relay: RelayProcess) -> AsyncIterator[Audit]:
    """The relay's log, emptied, and its ring."""
    ring = KeyFile(relay.data / "keyring.json").read()
    async with relay.store() as store:
        await store.pipe.call("DEL", keys.AUDIT, keys.AUDIT_CHECKPOINTS, keys.AUDIT_SIGNING)
        yield Audit(AuditLog(store), ring=lambda: ring, now_ms=now_ms)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


async def filled(audit: Audit, count: int = 9) -> Checkpoint:
    for n in range(1, count + 1):
        await audit.record(AYU, Act.CASE_NOTE, case=f"c{n}", note=f"note {n}")
    made = await audit.checkpoint_if_due(0.001, nobody_is_told)
    assert made is not None
    return made


async def test_a_sound_log_is_said_to_be_sound(relay: RelayProcess, audit: Audit) -> None:
    await filled(audit)
    done = await relay_command("audit", "verify", "--data", relay.data)
    assert (done.code, done.out) == (0, "")
    assert "entries 1 to 9" in done.err
    as_json = await relay_command("audit", "verify", "--json", "--data", relay.data)
    assert as_json.json == {
        "sound": True, "first": 1, "entries": 9, "last": 9, "proven_until": 9, "unproven_checkpoints": 0, "withheld": 0,
        "unbound": 0, "faults": [],
    }  # fmt: skip


async def test_tampering_is_named_with_its_place_and_exit_code_1(
    relay: RelayProcess, audit: Audit, quickly: Quickly
) -> None:
    await filled(audit)
    async with relay.redis() as redis:
        await redis.xdel(keys.AUDIT, "4-0")
    done = await quickly("audit", "verify", "--data", relay.data)
    assert (done.code, done.out) == (1, "entry 4: removed\n")
    assert "tampered" in done.err
    as_json = await quickly("audit", "verify", "--json", "--data", relay.data)
    assert as_json.code == 1
    assert as_json.json["faults"] == [{"n": 4, "until": 4, "flaw": "removed"}]
    assert as_json.json["sound"] is False


async def test_a_log_that_was_cut_with_its_checkpoints_is_known_from_the_relay_s_own_lines(
    relay: RelayProcess, audit: Audit, quickly: Quickly, tmp_path: Path
) -> None:
    made = await filled(audit)
    lines = tmp_path / "relay.log"
    lines.write_text(
        '{"event": "keys_renewed", "made": 2}\nnot JSON\n'
        + json.dumps({"event": "audit_checkpoint", "level": "info", **made._asdict()})
        + "\n"
    )
    async with relay.redis() as redis:
        kept = await redis.xrange(keys.AUDIT, "-", "6-0")
        await redis.delete(keys.AUDIT, keys.AUDIT_CHECKPOINTS)
        for entry_id, fields in kept:
            await redis.xadd(keys.AUDIT, fields, id=entry_id)
    unaware = await quickly("audit", "verify", "--data", relay.data)
    assert unaware.code == 0
    assert "no signed checkpoint" in unaware.err
    done = await quickly("audit", "verify", "--checkpoints", lines, "--data", relay.data)
    assert (done.code, done.out) == (1, "entries 7 to 9: cut off from the end\n")


async def test_an_export_is_written_down_and_checked_with_the_public_key_alone(
    relay: RelayProcess, audit: Audit, quickly: Quickly, tmp_path: Path
) -> None:
    await filled(audit)
    done = await relay_command("audit", "export", "--data", relay.data)
    assert done.code == 0
    assert [line["entry"]["n"] for line in done.json_lines[1:-1]] == list(range(1, 11))
    (entry,) = await audit.page(count=1)
    assert (entry.actor, entry.via, entry.act) == (ME, "host", "audit.export")
    file = tmp_path / "export.jsonl"
    file.write_text(done.out)
    public = await quickly("audit", "public-key", "--data", relay.data)
    assert public.code == 0
    flags = [word for key in public.out.split() for word in ("--public-key", key)]
    # No store, no ring: this could be another machine.
    nowhere = {"RELAY_DATA": str(tmp_path / "nothing")}
    checked = await quickly("audit", "verify", "--file", file, *flags, **nowhere)
    assert (checked.code, checked.out) == (0, "")
    assert "entries 1 to 9" in checked.err
    file.write_text(done.out.replace("note 5", "note 6"))
    checked = await quickly("audit", "verify", "--file", file, *flags, **nowhere)
    assert checked.code == 1
    assert checked.out.startswith("entry 5: does not follow")
    unsigned = await quickly("audit", "verify", "--file", file, **nowhere)
    assert "could not be checked" in unsigned.err
    part = await quickly("audit", "export", "--from", 8, "--data", relay.data)
    file.write_text(part.out)
    checked = await quickly("audit", "verify", "--json", "--file", file, *flags, **nowhere)
    assert checked.json["sound"]
    assert (checked.json["entries"], checked.json["proven_until"]) == (4, 9)


async def test_entries_are_listed_by_what_they_are_about(
    relay: RelayProcess, audit: Audit, quickly: Quickly
) -> None:
    await filled(audit)
    await audit.record(AYU, Act.CHANNEL_CLOSE, trip="t1", note="\x1b[31mred\u202e")
    listed = await relay_command("audit", "list", "--count", 2, "--data", relay.data)
    assert listed.code == 0
    newest, before = listed.out.splitlines()
    assert "ayu  channel.close  trip t1, from 192.0.2.7, note " in newest
    assert "\x1b" not in listed.out
    assert "\u202e" not in listed.out
    assert before.split()[0] == "9"
    for words, numbers in (
        (("--case", "c3"), [3]),
        (("--act", "channel.close"), [10]),
        (("--actor", "nobody"), []),
        (("--before", 3, "--count", 1), [2]),
    ):
        done = await quickly("audit", "list", "--json", *words, "--data", relay.data)
        assert [row["n"] for row in done.json] == numbers
    assert done.json[0]["note"] == "note 2"


async def test_what_is_done_to_the_relay_s_keys_is_in_the_log_at_once(
    relay: RelayProcess, audit: Audit
) -> None:
    rotated = await relay_command("keyring", "rotate", "--days", 9, "--data", relay.data)
    assert rotated.code == 0
    assert "journal" not in rotated.err
    (entry, *_) = await audit.page(act="keyring.rotate", actor=ME)
    assert (entry.via, entry.scope) == ("host", "supervisor")
    assert entry.details["made"] > 100  # type: ignore[operator]
    doomed = max(KeyFile(relay.data / "keyring.json").read(), key=lambda key: key.from_ms).id
    retired = await relay_command("keyring", "retire", doomed, "--yes", "--data", relay.data)
    assert retired.code == 0
    (entry,) = await audit.page(act="keyring.retire", actor=ME)
    assert entry.details == {"destroyed": 1, "keys": doomed}
    assert KeyFile(relay.data / "keyring.json").journal() == []


async def test_without_a_relay_the_log_is_checked_all_the_same(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = await relay_command("keyring", "new", "--days", 1, "--data", data)
    assert "keyring.json.journal" in made.err
    done = await relay_command("audit", "verify", "--data", data)
    assert done.code == 0
    assert "entry 0 is the last" in done.err


async def test_what_cannot_be_meant(tmp_path: Path, quickly: Quickly) -> None:
    nothing = tmp_path / "nothing"
    for words in (("list",), ("verify",), ("export",)):
        done = await quickly("audit", *words, "--data", nothing)
        assert done.code == 1
        assert "no data folder" in done.err
    for words, code, text in (
        (("--file", tmp_path / "none"), 2, "cannot be read"),
        (("--checkpoints", tmp_path / "none"), 2, "cannot be read"),
        (("--public-key", "0" * 8 + ":" + "0" * 64), 2, "--file"),
        (("--file", os.devnull), 1, "not of an exported"),
        (("--file", os.devnull, "--public-key", "x"), 2, "ID:KEY"),
    ):
        done = await quickly("audit", "verify", *words, "--data", nothing)
        assert done.code == code
        assert text in done.err
        assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
