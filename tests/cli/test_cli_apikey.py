"""`relay apikey` works on the store itself, with a relay or without one."""

from __future__ import annotations

import os
import pwd
import re
import stat
from pathlib import Path
from typing import Any

from relay.rig.waiting import until
from tests.support.relay import RelayProcess

from .commands import Quickly, processes_of, relay_command

KEY = re.compile(r"relay_[0-9a-f]{8}_[A-Za-z0-9_-]{22}\n")


async def status_with(relay: RelayProcess, key: str, path: str = "/v1/trips") -> int:
    headers = {"Authorization": f"Bearer {key}"}
    answer = await relay.http.get(relay.api_url + path, headers=headers)
    return answer.status_code


async def test_a_key_is_printed_once_and_works_until_it_is_revoked(relay: RelayProcess) -> None:
    at = ("--data", relay.data)
    made = await relay_command("apikey", "new", "--scope", "platform", "--note", "backend", *at)
    assert made.code == 0
    assert KEY.fullmatch(made.out)
    key = made.out.strip()
    key_id, secret = key.split("_", 2)[1:]
    assert key_id in made.err
    assert secret not in made.err
    assert await status_with(relay, key) == 200

    listed = await relay_command("apikey", "list", "--json", *at)
    (row,) = [row for row in listed.json if row["id"] == key_id]
    assert (row["scope"], row["note"]) == ("platform", "backend")
    shown = await relay_command("apikey", "list", *at)
    assert f"{key_id}  platform" in shown.out
    assert secret not in listed.out + listed.err + shown.out + shown.err

    revoked = await relay_command("apikey", "revoke", key_id, *at)
    assert (revoked.code, revoked.out) == (0, "")

    async def is_refused() -> bool:
        return await status_with(relay, key) == 401

    await until(is_refused, "the revoked key is refused", 5)


async def test_the_scope_is_the_key_s(relay: RelayProcess, quickly: Quickly) -> None:
    made = await quickly("apikey", "new", "--scope", "metrics", "--data", relay.data)
    key = made.out.strip()
    assert await status_with(relay, key, "/metrics") == 200
    assert await status_with(relay, key) == 403


async def test_a_key_that_is_not_there_cannot_be_revoked(
    relay: RelayProcess, quickly: Quickly
) -> None:
    done = await quickly("apikey", "revoke", "00000000", "--data", relay.data)
    assert done.code == 1
    assert "none was revoked" in done.err


async def test_without_a_relay_the_store_runs_for_the_moment_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = await relay_command("apikey", "new", "--scope", "metrics", RELAY_DATA=str(data))
    assert made.code == 0
    assert KEY.fullmatch(made.out)
    assert processes_of(data) == []
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    config = tmp_path / "relay.toml"
    config.write_text(f'data = "{data}"\n')
    listed = await relay_command("apikey", "list", "--json", "--config", config)
    assert [row["scope"] for row in listed.json] == ["metrics"]


async def test_looking_makes_no_folder(tmp_path: Path, quickly: Quickly) -> None:
    for words in (("list",), ("revoke", "00000000")):
        done = await quickly("apikey", *words, "--data", tmp_path / "nothing")
        assert done.code == 1
        assert "no data folder" in done.err
    assert list(tmp_path.iterdir()) == []


async def test_an_external_store_needs_no_key_ring_here(
    relay: RelayProcess, quickly: Quickly
) -> None:
    done = await quickly("apikey", "list", "--json", RELAY_REDIS=relay.store_url)
    assert done.code == 0
    assert done.json


async def test_a_store_that_is_away_is_one_line(tmp_path: Path, quickly: Quickly) -> None:
    url = f"unix://{tmp_path}/nothing.sock"
    done = await quickly("apikey", "list", RELAY_REDIS=url)
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "does not answer" in done.err


async def test_a_password_on_the_command_line_is_warned_of_and_not_repeated(
    quickly: Quickly,
) -> None:
    url = "redis://user:plantedpassword@127.0.0.1:1/0"
    done = await quickly("apikey", "list", "--redis", url)
    assert done.code == 1
    assert "RELAY_REDIS" in done.err
    assert "plantedpassword" not in done.out + done.err
    by_variable = await quickly("apikey", "list", RELAY_REDIS=url)
    assert "plantedpassword" not in by_variable.out + by_variable.err
    assert by_variable.err.count("\n") == 1


async def test_settings_that_cannot_be_honoured(tmp_path: Path, quickly: Quickly) -> None:
    done = await quickly("apikey", "list", "--redis", "http://127.0.0.1")
    assert done.code == 3
    assert "redis" in done.err


async def test_a_note_is_bounded(tmp_path: Path, quickly: Quickly) -> None:
    words = (
        "apikey",
        "new",
        "--scope",
        "metrics",
        "--note",
        "n" * 201,
        "--data",
        tmp_path / "data",
    )
    done = await quickly(*words)
    assert done.code == 2
    assert list(tmp_path.iterdir()) == []


async def entries(relay: RelayProcess, quickly: Quickly, act: str) -> list[dict[str, Any]]:
    """The audit log's entries of an act, the newest first."""
    listed = await quickly("audit", "list", "--json", "--act", act, "--data", relay.data)
    assert listed.code == 0
    found: list[dict[str, Any]] = listed.json
    return found


async def operator(relay: RelayProcess, quickly: Quickly, name: str, scope: str) -> None:
    words = ("operator", "add", name, "--name", name.title(), "--scope", scope)
    assert (await quickly(*words, "--data", relay.data)).code == 0


async def test_an_operator_s_key_is_that_person_s(relay: RelayProcess, quickly: Quickly) -> None:
    at = ("--data", relay.data)
    await operator(relay, quickly, "ayu", "agent")
    made = await quickly("apikey", "new", "--scope", "agent", "--operator", "ayu", *at)
    assert (made.code, bool(KEY.fullmatch(made.out))) == (0, True)
    key_id = made.out.split("_")[1]
    listed = (await quickly("apikey", "list", "--json", *at)).json
    (row,) = [row for row in listed if row["id"] == key_id]
    assert (row["operator"], row["scope"]) == ("ayu", "agent")
    assert all(row["operator"] is None for row in listed if row["id"] != key_id)
    assert await status_with(relay, made.out.strip()) == 403  # it is a good key, for other calls

    disabled = await quickly("operator", "disable", "ayu", *at)
    assert disabled.code == 0
    again = await quickly("apikey", "new", "--scope", "agent", "--operator", "ayu", *at)
    assert (again.code, again.out) == (1, "")
    assert "disabled" in again.err

    async def is_refused() -> bool:
        return await status_with(relay, made.out.strip()) == 401

    await until(is_refused, "the disabled operator's key is refused", 5)


async def test_no_key_exceeds_its_operator(relay: RelayProcess, quickly: Quickly) -> None:
    at = ("--data", relay.data)
    await operator(relay, quickly, "bayu", "agent")
    await operator(relay, quickly, "citra", "supervisor")
    before = (await quickly("apikey", "list", "--json", *at)).json
    for words, code, why in (
        (("--scope", "supervisor", "--operator", "bayu"), 1, "would exceed"),
        (("--scope", "agent", "--operator", "nobody"), 1, "no operator of that id"),
        (("--scope", "agent"), 2, "--operator"),
        (("--scope", "supervisor"), 2, "--operator"),
        (("--scope", "platform", "--operator", "bayu"), 2, "no operator's"),
        (("--scope", "metrics", "--operator", "bayu"), 2, "no operator's"),
    ):
        done = await quickly("apikey", "new", *words, *at)
        assert (done.code, done.out, done.err.count("\n")) == (code, "", 1), words
        assert why in done.err
    assert (await quickly("apikey", "list", "--json", *at)).json == before
    for scope in ("agent", "supervisor"):
        done = await quickly("apikey", "new", "--scope", scope, "--operator", "citra", *at)
        assert done.code == 0


async def test_making_and_revoking_is_in_the_audit_log(
    relay: RelayProcess, quickly: Quickly
) -> None:
    at = ("--data", relay.data)
    made = await quickly("apikey", "new", "--scope", "metrics", *at)
    key_id, secret = made.out.strip().split("_", 2)[1:]
    entry = (await entries(relay, quickly, "apikey.new"))[0]
    assert entry["details"] == {"key": key_id, "scope": "metrics"}
    assert (entry["actor"], entry["via"]) == (f"host:{pwd.getpwuid(os.getuid())[0]}", "host")
    assert secret not in str(entry)

    assert (await quickly("apikey", "revoke", key_id, *at)).code == 0
    entry = (await entries(relay, quickly, "apikey.revoke"))[0]
    assert entry["details"] == {"key": key_id}
    before = await entries(relay, quickly, "apikey.revoke")
    assert (await quickly("apikey", "revoke", key_id, *at)).code == 1
    assert await entries(relay, quickly, "apikey.revoke") == before


async def test_without_an_audit_entry_there_is_no_key(
    own_relay: RelayProcess, quickly: Quickly
) -> None:
    at = ("--data", own_relay.data)
    kept = (await quickly("apikey", "list", "--json", *at)).json
    async with own_relay.redis() as redis:
        await redis.delete("relay:audit")
        await redis.set("relay:audit", "no log")
    made = await quickly("apikey", "new", "--scope", "metrics", *at)
    assert (made.code, made.out) == (1, "")
    revoked = await quickly("apikey", "revoke", kept[0]["id"], *at)
    assert revoked.code == 1
    assert (await quickly("apikey", "list", "--json", *at)).json == kept
