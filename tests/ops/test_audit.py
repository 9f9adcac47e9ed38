"""The audit log on a real store: what is written stays as it was, or it shows."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from relay.core.acts import Act
from relay.core.casework import StaffScope
from relay.keyfile import KeyFile
from relay.ops.actor import Actor
from relay.ops.audit import Audit, AuditEntry, Doing, public_keys
from relay.ops.audit_file import BadExport, checkpoints_in, verify_export
from relay.ops.journal import take_over_journal
from relay.store import keys
from relay.store.audit import BEGINNING, AuditLog, Head
from relay.store.endpoint import StoreError
from relay.store.events import Events
from relay.store.store import Store
from relay.vault.chain import Fault, Flaw, Link, canonical, next_hash
from relay.vault.checkpoints import Checkpoint, is_genuine
from relay.vault.ring import KeyRing, KeyUnavailable, Purpose

from .conftest import DAY_MS, Clock

HOUR_MS = 3_600_000
NOW_MS = 1_732_233_600_000
AYU = Actor("ayu", StaffScope.AGENT, "console", "192.0.2.7")
RINA = Actor("rina", StaffScope.SUPERVISOR, "key")


@pytest.fixture
def audit(store: Store, ring: KeyRing, clock: Clock) -> Audit:
    return Audit(AuditLog(store), ring=lambda: ring, now_ms=clock)


class Told:
    """What the platform is told."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    async def __call__(self, kind: str, *, subject: str, **fields: Any) -> None:
        self.events.append({"kind": kind, "subject": subject, **fields})


async def filled(audit: Audit, count: int = 10) -> None:
    for n in range(1, count + 1):
        await audit.record(AYU, Act.CASE_NOTE, case=f"c{n}", note=f"note {n}")


async def faults(audit: Audit, *checkpoints: Checkpoint) -> list[Fault]:
    return list((await audit.verify(checkpoints)).faults)


# --- to write and to read -------------------------------------------------------------------------


async def test_an_entry_says_who_did_what_why_when_and_from_where(
    audit: Audit, clock: Clock
) -> None:
    number = await audit.record(
        AYU, Act.CHANNEL_CLOSE, trip="t1", case="c1-2", party="drv-1", reason="safety",
        note="asked for help", outcome="already", details={"together": 3, "to": "rina"},
    )  # fmt: skip
    assert number == 1
    assert await audit.page() == [
        AuditEntry(
            n=1, at=clock.now_ms, actor="ayu", scope="agent", via="console", address="192.0.2.7",
            act="channel.close", trip="t1", case="c1-2", party="drv-1", reason="safety",
            note="asked for help", outcome="already", details={"together": 3, "to": "rina"},
        )
    ]  # fmt: skip


async def test_a_page_is_of_the_newest_and_of_those_wanted(audit: Audit) -> None:
    await filled(audit, 7)
    await audit.record(RINA, Act.SANCTION_IMPOSE, party="drv-1", trip="t9")
    await audit.record(AYU, Act.SANCTION_LIFT, party="drv-1", case="c3")
    assert [entry.n for entry in await audit.page(count=3)] == [9, 8, 7]
    assert [entry.n for entry in await audit.page(before=7, count=3)] == [6, 5, 4]
    assert [entry.n for entry in await audit.page(before=1)] == []
    for wanted, numbers in (
        ({"actor": "rina"}, [8]),
        ({"act": "sanction.lift"}, [9]),
        ({"party": "drv-1"}, [9, 8]),
        ({"trip": "t9"}, [8]),
        ({"case": "c3"}, [9, 3]),
        ({"case": "c3", "actor": "rina"}, []),
        ({"party": "drv-1", "before": 9}, [8]),
    ):
        assert [entry.n for entry in await audit.page(**wanted)] == numbers  # type: ignore[arg-type]


async def test_a_long_log_is_read_to_its_end(audit: Audit) -> None:
    await audit.record_all(AYU, [Doing(Act.CASE_NOTE, case=f"c{n}") for n in range(1200)])
    assert [entry.n for entry in await audit.page(case="c1")] == [2]
    assert len(await audit.page(count=5000)) == 1200
    verdict = await audit.verify()
    assert (verdict.entries, verdict.last, verdict.faults) == (1200, 1200, ())


async def test_several_are_written_in_one_step(audit: Audit, store: Store) -> None:
    await audit.record(AYU, Act.SIGNIN)
    calls = int((await _info(store))["total_commands_processed"])
    await audit.record_all(AYU, [Doing(Act.CHANNEL_CLOSE, trip=f"t{n}") for n in range(50)])
    assert [entry.trip for entry in await audit.page(count=2)] == ["t49", "t48"]
    # 50 XADD and what the script reads; none of them a round trip.
    assert int((await _info(store))["total_commands_processed"]) - calls < 60
    await audit.record_all(AYU, [])
    assert await faults(audit) == []


async def _info(store: Store) -> dict[str, str]:
    text = (await store.pipe.call("INFO", "stats")).decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


async def test_two_relays_write_one_chain(
    audit: Audit, other_store: Store, ring: KeyRing, clock: Clock
) -> None:
    other = Audit(AuditLog(other_store), ring=lambda: ring, now_ms=clock)
    numbers = await asyncio.gather(
        *(audit.record(AYU, Act.CASE_NOTE) for _ in range(200)),
        *(other.record(RINA, Act.CASE_NOTE) for _ in range(200)),
    )
    assert sorted(numbers) == list(range(1, 401))
    verdict = await audit.verify()
    assert (verdict.last, verdict.faults) == (400, ())
    entries = {entry.n: entry.actor for entry in await audit.page(count=400)}
    assert all(entries[n] == "ayu" for n in numbers[:200])  # each was told its own number
    assert all(entries[n] == "rina" for n in numbers[200:])


async def test_a_caller_that_goes_away_breaks_nothing(audit: Audit) -> None:
    for _ in range(20):
        going = asyncio.create_task(audit.record(AYU, Act.CASE_NOTE))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        going.cancel()
        await asyncio.gather(going, return_exceptions=True)
        await audit.record(RINA, Act.SIGNOUT)
    verdict = await audit.verify()
    assert verdict.faults == ()
    assert len(await audit.page(actor="rina", count=99)) == 20


async def test_where_it_cannot_be_stored_the_caller_knows(
    mortal: tuple[Store, Callable[[], Awaitable[None]]], ring: KeyRing, clock: Clock
) -> None:
    store, end = mortal
    audit = Audit(AuditLog(store), ring=lambda: ring, now_ms=clock)
    await audit.record(AYU, Act.SIGNIN)
    await end()
    with pytest.raises(StoreError):
        await audit.record(AYU, Act.EVIDENCE_READ)


async def test_a_restarted_store_is_asked_for_the_scripts_again(audit: Audit, store: Store) -> None:
    await audit.record(AYU, Act.SIGNIN)
    await store.pipe.call("SCRIPT", "FLUSH")
    assert await audit.record(AYU, Act.SIGNOUT) == 2


async def test_an_append_that_does_not_follow_the_head_changes_nothing(store: Store) -> None:
    log = AuditLog(store)
    assert await log.head() == BEGINNING
    body = canonical({"n": 1})
    first = Head(1, next_hash(BEGINNING.hash, body))
    assert await log.append(BEGINNING, [Link(first.hash, body)]) is None
    for wrong in (BEGINNING, Head(1, BEGINNING.hash), Head(2, first.hash)):
        assert await log.append(wrong, [Link(b"\1" * 32, b"{}")]) == first
    assert await log.head() == first
    assert await store.pipe.call("XLEN", keys.AUDIT) == 1


# --- to meddle with it ----------------------------------------------------------------------------


async def entries(store: Store) -> list[tuple[bytes, list[bytes]]]:
    return [(one[0], one[1]) for one in await store.pipe.call("XRANGE", keys.AUDIT, "-", "+")]


async def put_back(store: Store, stored: list[tuple[bytes, list[bytes]]]) -> None:
    """Write the log anew, as somebody could who can write to the store."""
    await store.pipe.call("DEL", keys.AUDIT)
    for place, (entry_id, fields) in enumerate(stored, 1):
        await store.pipe.call("XADD", keys.AUDIT, entry_id or f"{place}-0", *fields)


def at(stored: list[tuple[bytes, list[bytes]]], n: int) -> dict[str, Any]:
    return msgspec.json.decode(stored[n - 1][1][3], type=dict[str, Any])


def as_fields(hash_: bytes, entry: dict[str, Any]) -> list[bytes]:
    return [b"h", hash_, b"e", canonical(entry)]


async def test_an_edited_entry_is_found(audit: Audit, store: Store) -> None:
    await filled(audit)
    stored = await entries(store)
    stored[4] = stored[4][0], as_fields(stored[4][1][1], at(stored, 5) | {"actor": "budi"})
    await put_back(store, stored)
    assert await faults(audit) == [Fault(5, 5, Flaw.EDITED)]


@pytest.mark.parametrize("field", ["at", "scope", "via", "act", "address", "case", "note"])
async def test_no_field_can_be_edited(audit: Audit, store: Store, field: str) -> None:
    await filled(audit, 3)
    stored = await entries(store)
    entry = at(stored, 2)
    entry[field] = entry[field] + (1 if field == "at" else "x")
    stored[1] = stored[1][0], as_fields(stored[1][1][1], entry)
    await put_back(store, stored)
    assert await faults(audit) == [Fault(2, 2, Flaw.EDITED)]


async def test_a_deleted_entry_is_found(audit: Audit, store: Store) -> None:
    await filled(audit)
    await store.pipe.call("XDEL", keys.AUDIT, "5-0")
    assert await faults(audit) == [Fault(5, 5, Flaw.REMOVED)]


async def test_an_entry_that_was_slipped_in_is_found(audit: Audit, store: Store) -> None:
    """With the hash that it would have there."""
    await filled(audit)
    stored = await entries(store)
    entry = at(stored, 5) | {"actor": "nobody"}
    fitting = next_hash(bytes.fromhex(stored[3][1][1].decode()), canonical(entry))
    stored.insert(4, (b"4-1", as_fields(fitting.hex().encode(), entry)))
    await put_back(store, stored)
    assert await faults(audit) == [Fault(5, 5, Flaw.INSERTED)]


async def test_swapped_entries_are_found(audit: Audit, store: Store) -> None:
    await filled(audit)
    stored = [(b"", fields) for _, fields in await entries(store)]
    stored[4], stored[5] = stored[5], stored[4]
    await put_back(store, stored)
    assert await faults(audit) == [Fault(6, 6, Flaw.REORDERED)]


async def test_a_cut_tail_is_found_and_stays_so(audit: Audit, store: Store) -> None:
    await filled(audit)
    await store.pipe.call("XDEL", keys.AUDIT, "9-0", "10-0")
    assert await faults(audit) == [Fault(9, 10, Flaw.CUT)]
    # Work goes on, and the gap can't be filled.
    assert await audit.record(AYU, Act.SIGNOUT) == 11
    assert await faults(audit) == [Fault(9, 10, Flaw.REMOVED)]


async def test_a_tail_cut_without_a_trace_is_known_from_a_checkpoint(
    audit: Audit, store: Store
) -> None:
    await filled(audit)
    made = await audit.checkpoint_if_due(60, Told())
    assert made is not None
    stored = await entries(store)
    await put_back(store, stored[:7])
    assert await faults(audit) == [Fault(8, 10, Flaw.CUT)]
    await store.pipe.call("DEL", keys.AUDIT_CHECKPOINTS)
    assert await faults(audit) == []
    assert await faults(audit, made) == [Fault(8, 10, Flaw.CUT)]  # the copy that left the machine


async def test_a_log_chained_anew_after_an_edit_is_known_from_a_checkpoint(
    audit: Audit, store: Store
) -> None:
    await filled(audit)
    assert await audit.checkpoint_if_due(60, Told())
    stored, previous, forged = await entries(store), BEGINNING.hash, []
    for n in range(1, 11):
        entry = at(stored, n) | ({"actor": "budi"} if n == 5 else {})
        previous = next_hash(previous, canonical(entry))
        forged.append((b"", as_fields(previous.hex().encode(), entry)))
    await put_back(store, forged)
    assert await faults(audit) == [Fault(1, 10, Flaw.REWRITTEN)]


async def test_a_log_that_is_gone_is_known_from_a_checkpoint(audit: Audit, store: Store) -> None:
    await filled(audit)
    assert await audit.checkpoint_if_due(60, Told())
    await store.pipe.call("DEL", keys.AUDIT)
    assert await faults(audit) == [Fault(1, 10, Flaw.CUT)]
    assert await audit.record(AYU, Act.SIGNIN) == 1
    assert await faults(audit) == [Fault(2, 10, Flaw.CUT)]


async def test_junk_in_the_log_is_found_and_stops_nobody(audit: Audit, store: Store) -> None:
    await filled(audit, 3)
    await store.pipe.call("XADD", keys.AUDIT, "3-1", "x", "y")
    await store.pipe.call("XADD", keys.AUDIT, "3-2", "h", b"\xff", "e", "[" * 2000)
    assert await audit.record(AYU, Act.SIGNOUT) == 4
    found = await faults(audit)
    assert found
    assert found[0].n == 4
    assert [entry.n for entry in await audit.page()] == [4, 3, 2, 1]


async def test_a_forged_entry_stops_nobody_from_reading_the_rest(
    audit: Audit, store: Store
) -> None:
    """One that lacks what the relay itself writes with its act."""
    await filled(audit, 2)
    forged = canonical({"n": 3, "at": 1, "actor": "relay", "scope": "supervisor", "via": "relay",
                        "act": "watch.alarm"})  # fmt: skip
    await store.pipe.call("XADD", keys.AUDIT, "3-0", "h", "0" * 64, "e", forged)
    assert [entry.n for entry in await audit.page(reader="rina")][-2:] == [2, 1]


async def test_what_is_in_another_s_place_does_not_lead_in_a_circle(
    audit: Audit, store: Store
) -> None:
    """Whoever goes on before the number of the last one shown comes to the end."""
    body = canonical({"n": 999, "at": 1, "actor": "ayu", "scope": "agent", "via": "key",
                      "act": "case.note", "party": "drv-1"})  # fmt: skip
    await store.pipe.call("XADD", keys.AUDIT, "0-1", "h", "0" * 64, "e", body)
    await filled(audit, 2)
    before, seen = None, list[int]()
    while page := await audit.page(before=before, count=1):
        before = page[-1].n
        seen.append(before)
        assert len(seen) < 5
    assert seen == [2, 1]


# --- checkpoints ----------------------------------------------------------------------------------


async def test_a_checkpoint_is_signed_stored_logged_and_told(
    audit: Audit, store: Store, ring: KeyRing, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    await filled(audit, 3)
    told = Told()
    made = await audit.checkpoint_if_due(60, told)
    assert made is not None
    assert (made.n, made.at) == (3, clock.now_ms)
    assert is_genuine(made, public_keys(ring)[made.key_id])
    assert await AuditLog(store).checkpoints() == [made]
    assert told.events == [{"kind": "audit.checkpoint", "subject": "audit", **made._asdict()}]
    verdict = await audit.verify()
    assert (verdict.proven_until, verdict.faults) == (3, ())
    assert "audit_checkpoint" in capsys.readouterr().out


async def test_the_platform_s_event_is_a_checkpoint(audit: Audit, store: Store) -> None:
    await filled(audit, 3)
    events = Events(store)
    made = await audit.checkpoint_if_due(60, events.emit)
    page = json.dumps({"events": (await events.waiting(10)).events})
    assert checkpoints_in([page]) == [made]


async def test_one_worker_makes_it_and_only_if_the_log_has_grown(
    audit: Audit, store: Store, other_store: Store, ring: KeyRing, clock: Clock
) -> None:
    other = Audit(AuditLog(other_store), ring=lambda: ring, now_ms=clock)
    told = Told()
    assert await audit.checkpoint_if_due(60, told) is None  # nothing was written yet
    await store.pipe.call("DEL", keys.AUDIT_SIGNING)
    await filled(audit, 3)
    made = await asyncio.gather(*(one.checkpoint_if_due(60, told) for one in (audit, other) * 5))
    assert len([one for one in made if one]) == 1
    await audit.record(AYU, Act.SIGNOUT)
    assert await other.checkpoint_if_due(60, told) is None  # not yet
    assert 0 < await store.pipe.call("PTTL", keys.AUDIT_SIGNING) <= 60_000
    await store.pipe.call("DEL", keys.AUDIT_SIGNING)
    second = await other.checkpoint_if_due(60, told)
    assert second is not None
    assert second.n == 4
    await store.pipe.call("DEL", keys.AUDIT_SIGNING)
    assert await audit.checkpoint_if_due(60, told) is None  # nothing new
    assert [event["n"] for event in told.events] == [3, 4]


async def test_a_break_since_the_last_checkpoint_alarms_at_the_next(
    audit: Audit, store: Store
) -> None:
    told = Told()
    await filled(audit, 5)
    await audit.checkpoint_if_due(60, told)
    await filled(audit, 5)
    await store.pipe.call("XDEL", keys.AUDIT, "8-0")
    await store.pipe.call("DEL", keys.AUDIT_SIGNING)
    assert await audit.checkpoint_if_due(60, told)
    assert told.events[1] == {"kind": "audit.broken", "subject": "audit", "n": 8, "flaw": "removed"}
    assert told.events[2]["n"] == 10
    # It is told once, and the next break is noticed too.
    await filled(audit, 5)
    await store.pipe.call("DEL", keys.AUDIT_SIGNING)
    await audit.checkpoint_if_due(60, told)
    assert [event["kind"] for event in told.events[3:]] == ["audit.checkpoint"]


async def test_a_log_that_was_wiped_with_its_checkpoints_alarms_where_it_is_remembered(
    audit: Audit, store: Store
) -> None:
    told = Told()
    await filled(audit, 5)
    await audit.checkpoint_if_due(60, told)
    await store.pipe.call("FLUSHALL")
    await audit.checkpoint_if_due(60, told)
    assert told.events[1] == {"kind": "audit.broken", "subject": "audit", "n": 1, "flaw": "cut"}


async def test_without_a_key_there_is_no_checkpoint(
    store: Store, ring: KeyRing, clock: Clock
) -> None:
    without = ring.without([key.id for key in ring if key.purpose is Purpose.AUDIT])
    audit = Audit(AuditLog(store), ring=lambda: without, now_ms=clock)
    await filled(audit, 3)
    with pytest.raises(KeyUnavailable):
        await audit.checkpoint_if_due(60, Told())
    assert await AuditLog(store).checkpoints() == []


async def test_a_forged_checkpoint_is_named(audit: Audit, store: Store, ring: KeyRing) -> None:
    await filled(audit, 3)
    made = await audit.checkpoint_if_due(60, Told())
    assert made is not None
    await AuditLog(store).add_checkpoint(made._replace(n=2))
    await store.pipe.call("XADD", keys.AUDIT_CHECKPOINTS, "*", "n", "junk")
    assert await faults(audit) == [Fault(2, 2, Flaw.FORGED)]
    stranger = made._replace(key_id="00000000", n=1)
    verdict = await audit.verify([stranger])
    assert verdict.unproven == 1


# --- the journal of a key ring --------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path, clock: Clock) -> KeyFile:
    """A ring that was made and changed while the store could not be asked."""
    made = KeyFile(tmp_path / "ring.json", by="host:ani")
    # How many keys there are must not go by the hour at which the tests run.
    half_past_noon_ms = clock.now_ms - clock.now_ms % DAY_MS + DAY_MS // 2 + HOUR_MS // 2
    made.create(half_past_noon_ms, HOUR_MS)
    KeyFile(made.path).rotate(half_past_noon_ms + HOUR_MS, HOUR_MS)
    made.retire([next(iter(made.read())).id])
    return made


async def test_what_was_done_to_a_ring_comes_into_the_log(audit: Audit, file: KeyFile) -> None:
    lines = file.journal()
    assert await take_over_journal(audit, file) == 3
    retired, rotated, new = await audit.page()
    assert [(one.actor, one.via, one.act) for one in (new, rotated, retired)] == [
        ("host:ani", "host", "keyring.new"),
        ("relay", "relay", "keyring.rotate"),
        ("host:ani", "host", "keyring.retire"),
    ]
    assert [one.at for one in (new, rotated, retired)] == [line.at for line in lines]
    assert new.details == {"made": 7}
    assert retired.details == {"destroyed": 1, "keys": lines[2].destroyed[0]}
    assert file.journal() == []
    assert await take_over_journal(audit, file) == 0
    assert len(await audit.page()) == 3
    assert await faults(audit) == []


async def test_each_line_is_taken_once_though_many_take_them(
    audit: Audit, other_store: Store, ring: KeyRing, clock: Clock, file: KeyFile
) -> None:
    other = Audit(AuditLog(other_store), ring=lambda: ring, now_ms=clock)
    taken = await asyncio.gather(*(take_over_journal(one, file) for one in (audit, other) * 5))
    assert sum(taken) == 3
    assert [entry.act for entry in await audit.page(count=99)] == [
        "keyring.retire", "keyring.rotate", "keyring.new",
    ]  # fmt: skip


async def test_whoever_was_killed_before_the_journal_was_emptied_is_followed_by_another(
    audit: Audit, file: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(KeyFile, "drop_from_journal", killed)
        with pytest.raises(Killed):
            await take_over_journal(audit, file)
    assert len(file.journal()) == 3
    file.rotate(NOW_MS, HOUR_MS)
    assert await take_over_journal(audit, file) == 1
    assert len(await audit.page()) == 4
    assert file.journal() == []


async def test_a_store_that_is_away_leaves_the_journal_as_it_is(
    mortal: tuple[Store, Callable[[], Awaitable[None]]],
    ring: KeyRing,
    clock: Clock,
    file: KeyFile,
) -> None:
    store, end = mortal
    audit = Audit(AuditLog(store), ring=lambda: ring, now_ms=clock)
    before = file.journal()
    await end()
    with pytest.raises(StoreError):
        await take_over_journal(audit, file)
    assert file.journal() == before


# --- outside the store ----------------------------------------------------------------------------


async def exported(audit: Audit, first: int = 1) -> list[str]:
    return [line.decode() async for line in await audit.export(RINA, first=first)]


async def test_an_export_is_written_down_and_checked_elsewhere(audit: Audit, ring: KeyRing) -> None:
    await filled(audit)
    await audit.checkpoint_if_due(60, Told())
    lines = await exported(audit)
    (entry,) = await audit.page(count=1)
    assert (entry.n, entry.actor, entry.act) == (11, "rina", "audit.export")
    known = public_keys(ring)
    verdict = verify_export(lines, (), known)
    assert (verdict.entries, verdict.proven_until, verdict.faults) == (11, 10, ())
    # What reads JSON and writes it again does no harm.
    again = [json.dumps(json.loads(line), indent=None) + "\n" for line in lines]
    assert verify_export(again, (), known).faults == ()
    lines[5] = lines[5].replace("ayu", "budi")
    assert verify_export(lines, (), known).faults == (Fault(5, 5, Flaw.EDITED),)
    del lines[5]
    assert verify_export(lines, (), known).faults == (Fault(5, 5, Flaw.REMOVED),)


async def test_a_part_of_the_log_is_exported(audit: Audit, ring: KeyRing) -> None:
    await filled(audit)
    await audit.checkpoint_if_due(60, Told())
    lines = await exported(audit, 7)
    verdict = verify_export(lines, (), public_keys(ring))
    assert (verdict.entries, verdict.last, verdict.proven_until) == (5, 11, 10)
    assert verdict.faults == ()
    assert json.loads(lines[1])["entry"]["n"] == 7


async def test_a_cut_export_is_known_from_a_checkpoint(audit: Audit, ring: KeyRing) -> None:
    await filled(audit)
    made = await audit.checkpoint_if_due(60, Told())
    lines = (await exported(audit))[:8]
    assert made is not None
    log_line = json.dumps({"event": "audit_checkpoint", "level": "info", **made._asdict()})
    found = checkpoints_in(["no JSON", "{}", "", log_line, "[" * 5000])
    assert found == [made]
    assert verify_export(lines, found, public_keys(ring)).faults == (Fault(8, 10, Flaw.CUT),)


@pytest.mark.parametrize(
    "lines",
    [
        [],
        ["no JSON"],
        ["{}"],
        ['{"audit":1,"after":"0","previous":"00"}'],
        ['{"audit":1,"after":0,"previous":"' + "00" * 32 + '"}', "7"],
        ['{"audit":1,"after":0,"previous":"' + "00" * 32 + '"}', '{"hash":"0","entry":{}}'],
    ],
)
def test_what_is_no_export_is_refused(lines: list[str]) -> None:
    with pytest.raises(BadExport, match=r"line [12] "):
        verify_export(lines, (), {})


async def test_a_line_that_others_could_read_otherwise_is_refused(
    audit: Audit, ring: KeyRing
) -> None:
    """Nothing may stand in an export that the check passes over and a person takes for an entry."""
    await filled(audit, 6)
    await audit.checkpoint_if_due(60, Told())
    lines, public = await exported(audit), public_keys(ring)
    assert verify_export(lines, (), public).proven_until == 6
    entry = json.loads(lines[4])
    entry["entry"]["actor"] = "tono"
    for forged in (
        lines[4].replace('"actor":', '"actor":"tono","actor":', 1),
        json.dumps(entry | {"withheld": True}),
        json.dumps(entry | {"checkpoint": {}}),
        json.dumps({"hash": entry["hash"], "withheld": entry["entry"]}),
        json.dumps(json.loads(lines[4]) | {"read": entry["entry"]}),
    ):
        with pytest.raises(BadExport, match="line 5 "):
            verify_export([*lines[:4], forged, *lines[5:]], (), public)


async def test_an_export_of_a_damaged_log_shows_the_damage(
    audit: Audit, store: Store, ring: KeyRing
) -> None:
    await filled(audit, 4)
    stored = await entries(store)
    stored[1] = stored[1][0], [b"h", stored[1][1][1], b"e", b"\xff{"]
    await put_back(store, stored)
    found = verify_export(await exported(audit), (), public_keys(ring)).faults
    assert found == (Fault(2, 2, Flaw.EDITED),)
