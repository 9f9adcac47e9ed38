"""Watching the watchers: what is unusual raises one alarm, which others than the person look into."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from relay.core.casework import Outcome, ReadingPurpose
from relay.ops.actor import Actor
from relay.ops.audit import public_keys
from relay.ops.audit_file import verify_export
from relay.ops.refusals import OpsCode, Refused
from relay.ops.watch import WatchLimits
from relay.store import keys
from relay.store.endpoint import StoreError
from relay.store.store import Store
from relay.vault.chain import canonical, next_hash
from relay.vault.ring import KeyRing
from tests.conftest import ROOMY
from tests.console.trips import case_of, reported
from tests.support.relay import RelayProcess
from tests.support.staff import hired

from .casework import Bureau, bureau_of

ASSESS = ReadingPurpose.ASSESS
LIMITS = WatchLimits(
    watch_cases_per_hour=5, watch_cases_per_day=8, watch_readings_per_hour=6,
    watch_same_party_per_week=2,
)  # fmt: skip
HOUR_MS = 3_600_000


@pytest.fixture
def bureau(store: Store, ring: KeyRing, clock: Callable[[], int]) -> Bureau:
    return bureau_of(store, ring, clock, LIMITS)


async def _refused(act: object, code: OpsCode) -> None:
    with pytest.raises(Refused) as caught:
        await act  # type: ignore[misc]
    assert caught.value.code is code


async def _pass(bureau: Bureau, operator: str, ms: int) -> None:
    """Let time pass for what was counted of an operator: the windows are by the store's own clock."""
    tag = keys.tag(keys.partition("watch"))
    for key in await bureau.store.pipe.call("KEYS", f"{tag}:watch:{operator}:*"):
        if await bureau.store.pipe.call("TYPE", key) in (b"string", "string"):
            left = await bureau.store.pipe.call("PTTL", key)
            await bureau.store.pipe.call("PEXPIRE", key, max(1, left - ms))
            if left <= ms:
                await bureau.store.pipe.call("DEL", key)
            continue
        reply = await bureau.store.pipe.call("ZRANGE", key, 0, -1, "WITHSCORES")
        for member, at in zip(reply[::2], reply[1::2], strict=True):
            await bureau.store.pipe.call("ZADD", key, int(at) - ms, member)


def _kinds(bureau: Bureau) -> dict[str, int]:
    return dict(bureau.watch.alarms_total)


async def test_usual_work_raises_no_alarm(bureau: Bureau, actor: Callable[..., Actor]) -> None:
    ayu = actor("ayu")
    for number in range(2):
        case = await bureau.taken(f"trip-{number}", ayu)
        for _ in range(2):
            await bureau.cases.detail(case, ayu)
            await bureau.evidence.read(ayu, case, ASSESS)
    assert _kinds(bureau) == {}
    assert await bureau.watch.alarms() == []
    assert await bureau.told("watch.alarm") == []


async def test_many_cases_in_an_hour_raise_one_alarm(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu = actor("ayu")
    cases = [await bureau.case(f"trip-{number}") for number in range(7)]
    for case in cases[:5]:
        for _ in range(3):  # the same case again is no other one
            await bureau.cases.detail(case, ayu)
    assert _kinds(bureau) == {}
    await bureau.cases.detail(cases[5], ayu)
    await bureau.cases.detail(cases[6], ayu)
    assert _kinds(bureau) == {"cases_per_hour": 1}
    (alarm,) = await bureau.watch.alarms()
    assert (alarm.operator, alarm.kind, alarm.count, alarm.party) == (
        "ayu",
        "cases_per_hour",
        6,
        "",
    )
    assert (alarm.acknowledged_by, alarm.acknowledged_at) == ("", None)
    (event,) = await bureau.told("watch.alarm")
    assert (event["alarm"], event["operator"], event["count"]) == ("cases_per_hour", "ayu", 6)
    (entry,) = await bureau.entries(act="watch.alarm")
    assert (entry.actor, entry.via, entry.reason) == ("relay", "relay", "cases_per_hour")
    assert entry.details["operator"] == "ayu"


async def test_the_windows_slide(bureau: Bureau, actor: Callable[..., Actor]) -> None:
    ayu = actor("ayu")
    cases = [await bureau.case(f"trip-{number}") for number in range(12)]
    for case in cases[:5]:
        await bureau.cases.detail(case, ayu)
    await _pass(bureau, "ayu", HOUR_MS - 10_000)
    await bureau.cases.detail(cases[5], ayu)
    assert _kinds(bureau) == {"cases_per_hour": 1}
    await _pass(bureau, "ayu", 11_000)
    # The first five are over an hour old; the window of the alarm still runs.
    for case in cases[6:8]:
        await bureau.cases.detail(case, ayu)
    assert _kinds(bureau) == {"cases_per_hour": 1}
    await bureau.cases.detail(cases[8], ayu)  # the ninth of the day
    assert _kinds(bureau) == {"cases_per_hour": 1, "cases_per_day": 1}
    await _pass(bureau, "ayu", 24 * HOUR_MS)
    for case in cases[:5]:
        await bureau.cases.detail(case, ayu)
    assert _kinds(bureau) == {"cases_per_hour": 1, "cases_per_day": 1}
    await bureau.cases.detail(cases[6], ayu)
    assert _kinds(bureau) == {"cases_per_hour": 2, "cases_per_day": 1}


async def test_the_same_partys_evidence_again_and_again(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu, budi = actor("ayu"), actor("budi")
    cases = [await bureau.taken(f"trip-{number}", ayu) for number in range(3)]
    for case in cases[:2]:
        await bureau.evidence.read(ayu, case, ASSESS)
        await bureau.evidence.read(ayu, case, ASSESS)
    assert _kinds(bureau) == {}
    await bureau.evidence.read(ayu, cases[2], ASSESS)
    # Of both: it may be the reporter who is pursued.
    assert _kinds(bureau) == {"same_party": 2}
    alarms = await bureau.watch.alarms()
    assert sorted(alarm.party for alarm in alarms) == ["cus-1", "drv-1"]
    # Another operator's readings are his own; those of another day are others.
    case = await bureau.taken("trip-9", budi)
    for _ in range(2):
        await bureau.evidence.read(budi, case, ASSESS)
        await _pass(bureau, "budi", 24 * HOUR_MS)
    assert _kinds(bureau) == {"same_party": 2}
    await bureau.evidence.read(budi, case, ASSESS)
    assert _kinds(bureau) == {"same_party": 4}


async def test_many_readings_in_an_hour(bureau: Bureau, actor: Callable[..., Actor]) -> None:
    ayu, sri = actor("ayu"), actor("sri", "supervisor")
    case = await bureau.taken("trip-1", ayu)
    await bureau.evidence.ask_widening(ayu, case, "To see how it began")
    await bureau.approved(sri, case)
    for _ in range(3):
        await bureau.evidence.read(ayu, case, ASSESS)
        await bureau.evidence.read_wide(ayu, case, ASSESS)
    assert _kinds(bureau) == {}
    # It is not stopped: it may well be right.
    assert await bureau.evidence.read_wide(ayu, case, ASSESS)
    assert _kinds(bureau) == {"readings_per_hour": 1}
    await bureau.evidence.read(ayu, case, ASSESS)
    assert _kinds(bureau) == {"readings_per_hour": 1}


async def test_an_alarm_is_looked_into_by_another_supervisor(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    sri, dewi, ayu = actor("sri", "supervisor"), actor("dewi", "supervisor"), actor("ayu")
    for number in range(6):
        await bureau.cases.detail(await bureau.case(f"trip-{number}"), sri)
    (alarm,) = await bureau.watch.alarms()
    # Whom it is about does not see it, and cannot make it go away.
    assert await bureau.watch.alarms(sri) == []
    await _refused(bureau.watch.acknowledge(sri, alarm.id), OpsCode.NOT_FOUND)
    await _refused(bureau.watch.acknowledge(ayu, alarm.id), OpsCode.NOT_ALLOWED)
    await _refused(bureau.watch.acknowledge(dewi, "77"), OpsCode.NOT_FOUND)
    assert await bureau.watch.alarms(dewi) == [alarm]
    await bureau.watch.acknowledge(dewi, alarm.id, "She worked off the night's reports")
    (seen,) = await bureau.watch.alarms()
    assert seen.acknowledged_by == "dewi"
    assert seen.acknowledged_at is not None
    await _refused(bureau.watch.acknowledge(dewi, alarm.id), OpsCode.CONFLICT)
    assert [
        (entry.actor, entry.note, entry.outcome)
        for entry in await bureau.entries(act="watch.acknowledge")
    ] == [
        # Nothing of sri's tries: by them she would know her own from one that there is not.
        ("dewi", "She worked off the night's reports", ""), ("dewi", "", ""), ("dewi", "", "done"),
    ]  # fmt: skip


async def test_the_audit_log_does_not_tell_whom_an_alarm_is_about(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    """Neither by what a colleague noted of it, nor by what came of trying every number."""
    sri, dewi = actor("sri", "supervisor"), actor("dewi", "supervisor")
    for number in range(6):
        await bureau.cases.detail(await bureau.case(f"trip-{number}"), sri)
    (alarm,) = await bureau.watch.alarms()
    missing = int(alarm.id) + 1
    for tried in (alarm.id, str(missing)):
        await _refused(bureau.watch.acknowledge(sri, tried), OpsCode.NOT_FOUND)
    await bureau.watch.acknowledge(dewi, alarm.id, "She worked off the night's reports")
    seen = await bureau.audit.page(count=500, reader="sri")
    assert not [entry for entry in seen if entry.details.get("alarm") == alarm.id]


async def test_an_export_does_not_tell_either_and_can_still_be_checked(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    sri, dewi = actor("sri", "supervisor"), actor("dewi", "supervisor")
    await bureau.taken("trip-0", sri)
    for number in range(1, 7):
        await bureau.cases.detail(await bureau.case(f"trip-{number}"), sri)
    (alarm,) = await bureau.watch.alarms()
    await bureau.watch.acknowledge(dewi, alarm.id, "She worked off the night's reports")
    exports = {}
    for who in (sri, dewi, actor("host:root", "supervisor", "host")):
        lines = [line.decode() async for line in await bureau.audit.export(who)]
        exports[who.id] = sum("watch." in line for line in lines)
        verdict = verify_export(lines, (), {})
        assert (verdict.faults, verdict.withheld) == ((), 2 if who is sri else 0)
        public = public_keys(bureau.ring())
        assert verify_export(lines, (), public).unbound == 0
        if who is sri:
            # Nor can she write anew what came before it: the relay has signed that with the export.
            place = next(n for n, line in enumerate(lines) if "withheld" in line)
            assert verify_export(_rewritten(lines, place), (), public).faults
            # Who takes more out than that is found out.
            withheld = next(line for line in lines if "withheld" in line)
            lines.remove(withheld)
            assert verify_export(lines, (), {}).faults
    assert exports == {"sri": 0, "dewi": 2, "host:root": 2}


def _rewritten(lines: list[str], until: int) -> list[str]:
    """The export with another person in the entry before that line, chained anew up to there."""
    head, *rest = (json.loads(line) for line in lines)
    previous, changed = bytes.fromhex(head["previous"]), [head]
    last = max(n for n, line in enumerate(rest[: until - 1]) if "entry" in line)
    for n, line in enumerate(rest[: until - 1]):
        if "entry" in line:
            if n == last:
                line["entry"]["actor"] = "tono"
            previous = next_hash(previous, canonical(line["entry"]))
            line["hash"] = previous.hex()
        changed.append(line)
    return [json.dumps(line) for line in [*changed, *rest[until - 1 :]]]


async def test_several_nodes_raise_an_alarm_once(
    bureau: Bureau, other_store: Store, actor: Callable[..., Actor]
) -> None:
    other = bureau_of(other_store, bureau.ring, bureau.clock, LIMITS)
    ayu = actor("ayu")
    cases = [await bureau.case(f"trip-{number}") for number in range(8)]
    await asyncio.gather(
        *(one.cases.detail(case, ayu) for case in cases for one in (bureau, other))
    )
    assert bureau.watch.alarms_total + other.watch.alarms_total == {"cases_per_hour": 1}
    assert len(await bureau.watch.alarms()) == 1
    assert len(await bureau.told("watch.alarm")) == 1


async def test_what_cannot_be_counted_is_not_shown(
    bureau: Bureau, actor: Callable[..., Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    ayu = actor("ayu")
    case = await bureau.taken("trip-1", ayu)
    record = bureau.audit.record

    async def then_full(*args: object, **options: object) -> int:
        number = await record(*args, **options)  # type: ignore[arg-type]
        await bureau.full(True)
        return number

    monkeypatch.setattr(bureau.audit, "record", then_full)
    try:
        with pytest.raises(StoreError):
            await bureau.evidence.read(ayu, case, ASSESS)
    finally:
        await bureau.full(False)


async def test_alarms_that_were_seen_to_are_forgotten_after_a_season(
    bureau: Bureau, actor: Callable[..., Actor]
) -> None:
    ayu, sri = actor("ayu"), actor("sri", "supervisor")
    case = await bureau.taken("trip-1", ayu)
    for _ in range(7):
        await bureau.evidence.read(ayu, case, ASSESS)
    await bureau.cases.close(ayu, case, Outcome.UPHELD, "")
    (alarm,) = await bureau.watch.alarms()
    await bureau.watch.acknowledge(sri, alarm.id)
    raw = (await bureau.store.pipe.call("HGET", keys.alarms(), alarm.id)).decode()
    (seen,) = await bureau.watch.alarms()
    for days in (89, 91):
        old = raw.replace(
            str(seen.acknowledged_at), str(seen.acknowledged_at - days * 24 * HOUR_MS)
        )
        await bureau.store.pipe.call("HSET", keys.alarms(), alarm.id, old)
        await _pass(bureau, "ayu", 25 * HOUR_MS)
        other = await bureau.taken(f"trip-{days}", ayu)
        for _ in range(7):
            await bureau.evidence.read(ayu, other, ASSESS)
        assert (alarm.id in {one.id for one in await bureau.watch.alarms()}) is (days == 89)


async def test_alarms_are_counted_for_the_graphs(tmp_path: Path) -> None:
    async with RelayProcess(tmp_path, **ROOMY, watch_cases_per_hour=1) as relay:
        ayu = await hired(relay, "ayu", "agent")

        async def metric() -> list[str]:
            text = (await relay.call("GET", "/metrics")).text
            return [line for line in text.splitlines() if line.startswith("relay_alarms_total{")]

        for trip in ("watch-1", "watch-2"):
            assert await metric() == []
            await reported(relay, trip)
            answer = await ayu.call("GET", f"/v1/ops/cases/{await case_of(relay, trip)}")
            assert answer.status_code == 200
        assert await metric() == ['relay_alarms_total{kind="cases_per_hour"} 1.0']
