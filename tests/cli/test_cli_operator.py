"""`relay operator` works on the store itself, with a relay or without one."""

from __future__ import annotations

import os
import pwd
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pyotp
import pytest

from relay.keyfile import KeyFile
from relay.ops.audit import Audit
from relay.ops.lockout import Lockout
from relay.ops.operators import Operators
from relay.ops.passwords import Passwords
from relay.ops.refusals import Refused
from relay.ops.sessions import Sessions, SignedIn
from relay.store.audit import AuditLog
from relay.store.operators import OperatorRecords
from relay.store.signins import SessionRecords, SignInCounts
from relay.store.store import Store
from tests.support.relay import RelayProcess

from .commands import Quickly, processes_of, relay_command

CODE = re.compile(r"(?:[a-z2-7]{4}-){5}[a-z2-7]{4}\n")
PASSWORD = "kelapa muda di pagi hari"


class Console:
    """What the console does, on the running relay's store."""

    def __init__(self, store: Store, ring_file: Path) -> None:
        sessions, records = SessionRecords(store), OperatorRecords(store)
        common = {"ring": KeyFile(ring_file).read, "now_ms": self._now_ms}
        audit = Audit(AuditLog(store), **common)
        passwords = Passwords(random_bytes=os.urandom, time_cost=1, memory_kib=8)
        common["random_bytes"] = os.urandom
        self.operators = Operators(records, sessions, audit, passwords, **common)
        lockout = Lockout(SignInCounts(store), random_bytes=os.urandom)
        self.sessions = Sessions(sessions, records, audit, passwords, lockout, **common)

    @staticmethod
    def _now_ms() -> int:
        return time.time_ns() // 1_000_000

    async def enrol(self, code: str) -> pyotp.TOTP:
        page = await self.operators.begin_enrolment(code)
        phone = pyotp.TOTP(page.totp_secret)
        await self.operators.enrol(page.ticket, PASSWORD, phone.at(int(time.time())))
        return phone

    async def sign_in(self, operator: str, phone: pyotp.TOTP) -> SignedIn:
        code = phone.at(int(time.time()) + 30)  # the one before was used to enrol
        return await self.sessions.sign_in(operator, PASSWORD, code, "192.0.2.7")


@pytest.fixture
async def console(relay: RelayProcess) -> AsyncIterator[Console]:
    async with relay.store() as store:
        yield Console(store, relay.data / "keyring.json")


async def test_from_added_to_disabled(relay: RelayProcess, console: Console) -> None:
    at = ("--data", relay.data)
    added = await relay_command(
        "operator", "add", "ayu", "--name", "Ayu Lestari", "--scope", "agent", *at
    )
    assert added.code == 0
    assert CODE.fullmatch(added.out)
    assert added.out.strip() not in added.err
    assert "/ops/enrol" in added.err
    listed = await relay_command("operator", "list", "--json", *at)
    (row,) = [row for row in listed.json if row["id"] == "ayu"]
    assert (row["name"], row["scope"], row["state"]) == ("Ayu Lestari", "agent", "not enrolled")
    assert row["last_seen_at"] is None

    phone = await console.enrol(added.out.strip())
    signed_in = await console.sign_in("ayu", phone)
    shown = await relay_command("operator", "list", *at)
    assert re.search(r"^ayu +agent +active +20\d\d-.* +Ayu Lestari$", shown.out, re.MULTILINE)
    assert await console.sessions.session(signed_in.cookie, "192.0.2.7")

    disabled = await relay_command("operator", "disable", "ayu", *at)
    assert (disabled.code, disabled.out) == (0, "")
    assert await console.sessions.session(signed_in.cookie, "192.0.2.7") is None
    shown = await relay_command("operator", "list", *at)
    assert re.search(r"^ayu +agent +disabled +", shown.out, re.MULTILINE)


async def test_a_reset_gives_a_new_code_and_ends_what_was(
    relay: RelayProcess, console: Console, quickly: Quickly
) -> None:
    at = ("--data", relay.data)
    added = await quickly("operator", "add", "bayu", "--name", "Bayu", "--scope", "agent", *at)
    phone = await console.enrol(added.out)
    signed_in = await console.sign_in("bayu", phone)
    reset = await quickly("operator", "reset", "bayu", *at)
    assert CODE.fullmatch(reset.out)
    assert reset.out != added.out
    assert await console.sessions.session(signed_in.cookie, "192.0.2.7") is None
    with pytest.raises(Refused):
        await console.operators.begin_enrolment(added.out)
    await console.sign_in("bayu", await console.enrol(reset.out))


async def test_another_scope(relay: RelayProcess, quickly: Quickly) -> None:
    at = ("--data", relay.data)
    await quickly("operator", "add", "citra", "--name", "Citra", "--scope", "agent", *at)
    assert (await quickly("operator", "scope", "citra", "supervisor", *at)).code == 0
    rows = (await quickly("operator", "list", "--json", *at)).json
    assert [row["scope"] for row in rows if row["id"] == "citra"] == ["supervisor"]
    again = await quickly("operator", "scope", "citra", "supervisor", *at)
    assert again.code == 1
    assert "already" in again.err


async def test_each_act_is_in_the_audit_log(relay: RelayProcess, quickly: Quickly) -> None:
    at = ("--data", relay.data)
    add = ("operator", "add", "dewi", "--name", "Dewi", "--scope", "supervisor", *at)
    codes = [(await quickly(*add)).out, (await quickly("operator", "reset", "dewi", *at)).out]
    await quickly("operator", "disable", "dewi", *at)
    listed = await quickly("audit", "list", "--json", *at)
    mine = [entry for entry in listed.json if entry.get("details", {}).get("operator") == "dewi"]
    assert [entry["act"] for entry in mine] == [
        "operator.disable", "operator.reset", "operator.add",
    ]  # fmt: skip
    me = f"host:{pwd.getpwuid(os.getuid())[0]}"
    assert {(entry["actor"], entry["via"]) for entry in mine} == {(me, "host")}
    assert not [code for code in codes if code.strip() in listed.out]


async def test_without_an_audit_entry_nothing_is_done(
    own_relay: RelayProcess, quickly: Quickly
) -> None:
    at = ("--data", own_relay.data)
    await quickly("operator", "add", "ayu", "--name", "Ayu", "--scope", "agent", *at)
    before = (await quickly("operator", "list", "--json", *at)).json
    async with own_relay.redis() as redis:
        await redis.delete("relay:audit")
        await redis.set("relay:audit", "no log")
    for words in (
        ("add", "bayu", "--name", "Bayu", "--scope", "agent"),
        ("reset", "ayu"),
        ("disable", "ayu"),
        ("scope", "ayu", "supervisor"),
    ):
        done = await quickly("operator", *words, *at)
        assert (done.code, done.out) == (1, ""), words
    assert (await quickly("operator", "list", "--json", *at)).json == before


async def test_what_is_refused_is_one_line(relay: RelayProcess, quickly: Quickly) -> None:
    at = ("--data", relay.data)
    add = ("operator", "add", "eko", "--name", "Eko", "--scope", "agent", *at)
    assert (await quickly(*add)).code == 0
    for words, code in (
        (("add", "eko", "--name", "Eko", "--scope", "agent"), 1),
        (("add", "Eko", "--name", "Eko", "--scope", "agent"), 2),
        (("add", "fajar", "--name", "0812-3456-7890", "--scope", "agent"), 2),
        (("disable", "nobody"), 1),
        (("reset", "nobody"), 1),
        (("scope", "nobody", "agent"), 1),
    ):
        done = await quickly("operator", *words, *at)
        assert (done.code, done.out, done.err.count("\n")) == (code, "", 1), words
        assert "3456" not in done.err
    assert (await quickly("operator", "add", "x", "--scope", "boss", *at)).code == 2


async def test_without_a_relay_the_store_runs_for_the_moment_only(tmp_path: Path) -> None:
    data = tmp_path / "data"
    words = ("operator", "add", "ayu", "--name", "Ayu", "--scope", "agent")
    added = await relay_command(*words, RELAY_DATA=str(data))
    assert added.code == 0
    assert processes_of(data) == []
    listed = await relay_command("operator", "list", "--json", RELAY_DATA=str(data))
    assert [row["id"] for row in listed.json] == ["ayu"]


async def test_looking_makes_no_folder(tmp_path: Path, quickly: Quickly) -> None:
    for words in (("list",), ("disable", "ayu"), ("reset", "ayu"), ("scope", "ayu", "agent")):
        done = await quickly("operator", *words, "--data", tmp_path / "nothing")
        assert done.code == 1
        assert "no data folder" in done.err
    assert list(tmp_path.iterdir()) == []
