"""Reports on a running relay: what becomes of one, what it proves, and what the reported party sees."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
from websockets.exceptions import ConnectionClosed

from relay.core.caselife import CASE_ID
from relay.core.casework import URGENCY, Category, Proof
from relay.core.ids import Role
from relay.keyfile import KeyFile
from relay.ops.evidence_document import EvidenceDocument
from relay.rig.texts import numbered
from relay.rig.waiting import until
from relay.store import keys
from relay.store.oversight import Oversight
from relay.store.reporting import Found, ReportRecords, Settled
from relay.vault.evidence import open_evidence
from tests.support.leaks import Scanner
from tests.support.party import JSON, MSGPACK, Party
from tests.support.relay import CUSTOMER_PHONE, DRIVER_PHONE, RelayProcess

BOTH = pytest.mark.parametrize("protocol", [MSGPACK, JSON])

THREAT = "awas kamu nanti"
#: Long enough for what a test does in the window while the machine is busy with something else.
WINDOW_S = 3


async def pair(
    relay: RelayProcess, trip: str, protocol: str = MSGPACK, **changes: Any
) -> tuple[Party, Party, dict[str, str]]:
    """The driver, the customer and their tokens."""
    tokens = await relay.open_trip(trip, **changes)
    driver = await Party.attach(relay.gateway_url, tokens["driver"], protocol)
    customer = await Party.attach(relay.gateway_url, tokens["customer"], protocol)
    await driver.hear("presence", online=True)
    return driver, customer, tokens


async def reporting(relay: RelayProcess, token: str, protocol: str = MSGPACK) -> Party:
    """Attach for reports only."""
    return await Party.attach(relay.gateway_url, token, protocol, report_only=True)


def item(message: dict[str, Any], epoch: int = 1, **changes: Any) -> dict[str, Any]:
    """A message as the app has kept it."""
    kept = {name: message[name] for name in ("pos", "id", "from", "text", "tag")}
    return {"epoch": epoch, **kept, **changes}


async def report(party: Party, name: str, *items: dict[str, Any], **fields: Any) -> None:
    """Report and hear that it was taken."""
    fields.setdefault("category", "harassment")
    await party.say("report", id=name, items=list(items), **fields)
    await party.hear("reported", id=name)


async def refused(party: Party, name: str, **fields: Any) -> dict[str, Any]:
    await party.say("report", id=name, **{"category": "other", **fields})
    return await party.hear("not_reported", id=name)


async def cases(relay: RelayProcess, trip: str) -> list[dict[str, Any]]:
    """The cases of a trip as the store holds them, the oldest first; `evidence` stays bytes.

    Two may have been made in one millisecond: the platform was told of them in their order.
    """
    found = []
    async with relay.redis() as redis:
        async for key in redis.scan_iter(f"{keys.tag(keys.partition(trip))}:case:*", count=1000):
            record = {name.decode(): value for name, value in (await redis.hgetall(key)).items()}
            record = {k: v if k == "evidence" else v.decode() for k, v in record.items()}
            if record["trip"] == trip:
                found.append({"id": key.decode().rpartition(":")[2], **record})
    received = [one for one in await events(relay, trip) if one["kind"] == "report.received"]
    told = [event["case"] for event in received]
    return sorted(found, key=lambda record: told.index(record["id"]))


async def one_case(relay: RelayProcess, trip: str) -> dict[str, Any]:
    (found,) = await cases(relay, trip)
    return found


def opened(relay: RelayProcess, case: dict[str, Any]) -> EvidenceDocument:
    """A case's evidence, in clear."""
    ring = KeyFile(relay.data / "keyring.json").read()
    clear = open_evidence(ring, case["evidence"], case=case["id"])
    return msgspec.msgpack.decode(clear, type=EvidenceDocument)


async def events(relay: RelayProcess, trip: str) -> list[dict[str, Any]]:
    async with relay.redis() as redis:
        entries = await redis.xrange(keys.events(keys.partition(trip)))
    told = [json.loads(fields[b"e"]) for _, fields in entries]
    return [event for event in told if event.get("trip") == trip]


# --- what becomes of a report ---------------------------------------------------------------------


@BOTH
async def test_a_report_becomes_a_case(relay: RelayProcess, protocol: str) -> None:
    trip = f"case-{protocol[-4:]}"
    driver, customer, _ = await pair(relay, trip, protocol)
    await customer.accepted("di mana ya")
    await driver.accepted(THREAT)
    message = await customer.hear("message", text=THREAT)
    before_ms = time.time() * 1000
    await report(customer, "r1", item(message), category="threat", note="dia mengancam")

    case = await one_case(relay, trip)
    urgency = URGENCY[Category.THREAT]
    assert CASE_ID.fullmatch(case["id"])
    assert case["id"].startswith(f"c{keys.partition(trip)}-")
    told = {
        "epoch": "1", "category": "threat", "priority": str(urgency.priority), "state": "new",
        "reporter_role": "customer", "reporter_party": "cus-1", "reported_role": "driver",
        "reported_party": "drv-1", "block": "0", "items": "1", "proven": "1", "forged": "0",
        "assignee": "", "version": "1",
    }  # fmt: skip
    assert {name: case[name] for name in told} == told
    assert abs(int(case["created"]) - before_ms) < 5000
    assert int(case["due"]) - int(case["created"]) == urgency.limit_s * 1000
    assert int(case["evidence_until"]) - int(case["created"]) == 180 * 86_400_000
    document = opened(relay, case)
    assert document.note == "dia mengancam"
    (reported,) = document.items
    assert (reported.text, reported.sender, reported.proof) == (THREAT, "reported", Proof.PROVEN)
    assert (reported.pos, reported.at, reported.kind) == (message["pos"], message["at"], "text")
    window = [(one.sender, one.text, one.reported) for one in document.window]
    assert window == [("reporter", "di mana ya", False), ("reported", THREAT, True)]

    number = keys.partition(trip)
    async with relay.redis() as redis:
        assert await redis.zscore(keys.cases(number), case["id"]) == int(case["due"])
        assert await redis.zscore(keys.due(number), f"case:{case['id']}") == int(
            case["evidence_until"]
        )
    (event,) = await events(relay, trip)
    assert {k: v for k, v in event.items() if k != "at"} == {
        "kind": "report.received", "trip": trip, "case": case["id"], "category": "threat",
        "priority": 1, "alarm": True, "party": "cus-1", "reported": "drv-1",
    }  # fmt: skip
    # Both go on talking.
    await driver.accepted("saya di lobby")
    await customer.hear("message", text="saya di lobby")


async def test_reports_are_counted_by_category(relay: RelayProcess) -> None:
    async def counted() -> float:
        text = (await relay.call("GET", "/metrics")).text
        found = re.search(r'relay_reports_total\{category="otp_fraud"\} (\S+)', text)
        return float(found[1]) if found else 0.0

    _, customer, _ = await pair(relay, "counted")
    before = await counted()
    await report(customer, "r1", category="otp_fraud")
    assert await counted() == before + 1


async def test_a_report_that_is_sent_again_makes_no_second_case(relay: RelayProcess) -> None:
    driver, customer, tokens = await pair(relay, "again")
    await driver.accepted(THREAT)
    message = await customer.hear("message")
    await report(customer, "r1", item(message))
    await report(customer, "r1", item(message))
    # Nor do several at once, from several connections, nor under another category.
    others = [await reporting(relay, tokens["customer"]) for _ in range(8)]
    await asyncio.gather(*(report(other, "r2", category="other") for other in others))
    await report(customer, "r2", category="threat", note="lain")
    assert [case["category"] for case in await cases(relay, "again")] == ["harassment", "other"]
    # The peer may choose the same id.
    await report(driver, "r1", category="payment_outside")
    assert len(await cases(relay, "again")) == 3
    assert len(await events(relay, "again")) == 3


async def test_another_party_in_the_same_role_may_choose_the_same_id(relay: RelayProcess) -> None:
    driver, _customer, tokens = await pair(relay, "same-id")
    await report(driver, "r1")
    new = {"epoch": 1, "party_id": "drv-2", "phone": "+6281200000002", "alias": "Wati"}
    answer = await relay.call("PUT", "/v1/trips/same-id/parties/driver", new)
    second = await Party.attach(relay.gateway_url, answer.json()["token"])
    await report(second, "r1")
    await report(await reporting(relay, tokens["driver"]), "r1")
    reporters = [case["reporter_party"] for case in await cases(relay, "same-id")]
    assert reporters == ["drv-1", "drv-2"]


async def test_three_reports_in_a_minute_and_ten_in_a_trip(relay: RelayProcess) -> None:
    _driver, customer, _ = await pair(relay, "many")
    for number in range(3):
        await report(customer, f"r{number}")
    too_many = await refused(customer, "r3")
    assert too_many["code"] == "too_many"
    assert 50_000 < too_many["retry_after_ms"] <= 60_000
    await report(customer, "r0")  # it was taken, so this is no new one
    async with relay.redis() as redis:
        times = [int(time.time() * 1000) - 70_000 - n for n in range(9, 0, -1)]
        await redis.hset(keys.trip("many"), "reported.cus-1", " ".join(map(str, times)))
    await report(customer, "r3")
    assert "retry_after_ms" not in await refused(customer, "r4")
    assert len(await cases(relay, "many")) == 4


@BOTH
async def test_a_report_that_is_none_is_answered(relay: RelayProcess, protocol: str) -> None:
    _, customer, _ = await pair(relay, f"none-{protocol[-4:]}", protocol)
    good = {"epoch": 1, "pos": "1795312003117-0000", "id": "m", "from": "peer", "text": "x"}
    for changes in (
        {"category": "rudeness"},
        {"category": None},
        {"note": "x" * 1001},
        {"note": "a\x07b"},
        {"items": [good] * 31},
        {"items": [good | {"from": "driver"}]},
        {"items": [good | {"pos": "1"}]},
        {"items": [good, good | {"epoch": 2}]},
    ):
        answer = await refused(customer, "bad", **changes)
        assert answer["code"] == "malformed", changes
        assert "retry_after_ms" not in answer
    await customer.say("report", id="not an id", category="other")
    assert (await customer.hear("error"))["code"] == "bad_field"
    assert await cases(relay, f"none-{protocol[-4:]}") == []
    await report(customer, "bad")


async def test_who_goes_on_sending_bad_reports_is_cut_off(relay: RelayProcess) -> None:
    _, customer, _ = await pair(relay, "flood")
    for _ in range(201):
        await customer.say("report", id="r", category="x")
    assert await customer.closed() == 4004


@pytest.mark.parametrize("only", [False, True])
async def test_a_report_before_attached_has_to_wait(mended_relay: RelayProcess, only: bool) -> None:
    tokens = await mended_relay.open_trip(f"early-{only}")
    party = await Party.connect(mended_relay.gateway_url)
    os.kill(mended_relay.store_pid(), signal.SIGSTOP)
    try:
        await party.say("attach", token=tokens["driver"], report_only=only)
        await party.say("report", id="r1", category="other")
        answer = await party.hear("not_reported")
    finally:
        os.kill(mended_relay.store_pid(), signal.SIGCONT)
    assert (answer["code"], answer["retry_after_ms"]) == ("not_attached", 200)
    await party.hear("attached")
    await report(party, "r1")


async def test_a_report_before_any_token_ends_the_connection(relay: RelayProcess) -> None:
    stranger = await Party.connect(relay.gateway_url)
    await stranger.say("report", id="r1", category="other")
    assert await stranger.closed() == 4504


# --- what can be proven ---------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "destroyed"])
@BOTH
async def test_what_was_said_is_proven_after_the_close(
    relay: RelayProcess, protocol: str, kept: bool
) -> None:
    trip = f"after-{protocol[-4:]}-{kept}"
    driver, customer, tokens = await pair(
        relay, trip, protocol, retention_s=600 if kept else 0, report_window_s=600
    )
    await driver.accepted(THREAT)
    message = await customer.hear("message")
    mine = await customer.accepted("jangan begitu")
    own = {"from": "you", "text": "jangan begitu", **mine}
    ended = await relay.end_trip(trip)
    await customer.closed()

    late = await reporting(relay, tokens["customer"], protocol)
    told = late.attached
    assert (told["state"], told["role"], told["epoch"]) == ("report_only", "customer", 1)
    assert told["deadline"] == ended["closed_at"] + 600_000
    assert told["peer"] == {"alias": "Budi", "online": False}
    assert [frame["op"] for frame in late.heard] == ["attached", "replayed"]
    await report(late, "r1", item(message), item(own))
    case = await one_case(relay, trip)
    assert (case["items"], case["proven"], case["forged"]) == ("2", "2", "0")
    document = opened(relay, case)
    assert [one.text for one in document.items] == [THREAT, "jangan begitu"]
    assert [one.sender for one in document.items] == ["reported", "reporter"]
    assert [one.text for one in document.window] == ([THREAT, "jangan begitu"] if kept else [])


@pytest.mark.parametrize("kept", [True, False], ids=["kept", "destroyed"])
async def test_what_was_never_said_is_shown_as_forged(relay: RelayProcess, kept: bool) -> None:
    trip = f"forged-{kept}"
    driver, customer, tokens = await pair(relay, trip, retention_s=600 * kept, report_window_s=600)
    await driver.accepted(THREAT)
    await driver.accepted("sampai jumpa")
    real = await customer.hear("message", text=THREAT)
    other = await customer.hear("message", text="sampai jumpa")
    await relay.end_trip(trip)
    late = await reporting(relay, tokens["customer"])
    ms, seq = real["pos"].split("-")
    made_up = real["tag"].partition(".")[0] + "." + "A" * 22
    lies = (
        item(real, text=THREAT + "!"),
        item(real, text=THREAT.upper()),
        item(real, pos=other["pos"]),
        item(real, pos=f"{int(ms) - 1:013}-{seq}"),
        item(real, id="m99"),
        item(real, tag=made_up),
        item(real, tag=other["tag"]),
        item(real, tag="nonsense"),
        item(real, **{"from": "you"}),
        item(real, **{"from": "system"}),
    )
    await report(late, "r1", item(real), *lies)
    await report(late, "r2", item(real, epoch=2))
    first, second = await cases(relay, trip)
    assert (first["items"], first["proven"], first["forged"]) == ("11", "1", str(len(lies)))
    proofs = [one.proof for one in opened(relay, first).items]
    assert proofs == [Proof.PROVEN] + [Proof.FORGED] * len(lies)
    assert (second["proven"], second["forged"], second["epoch"]) == ("0", "1", "1")


async def test_without_a_tag_only_the_log_can_prove(relay: RelayProcess) -> None:
    driver, customer, tokens = await pair(relay, "untagged", retention_s=0, report_window_s=600)
    await driver.accepted(THREAT)
    bare = item(await customer.hear("message"))
    del bare["tag"]
    await report(customer, "r1", bare, bare | {"text": "lain"})
    await relay.end_trip("untagged")
    await report(await reporting(relay, tokens["customer"]), "r2", bare)
    first, second = [opened(relay, case) for case in await cases(relay, "untagged")]
    assert [one.proof for one in first.items] == [Proof.PROVEN, Proof.FORGED]
    assert [one.proof for one in second.items] == [Proof.UNKNOWN]


async def test_what_the_log_does_not_hold_is_forged_whatever_tag_it_lacks(
    relay: RelayProcess,
) -> None:
    """Nobody makes up a message that "can't be told" while the log can tell."""
    driver, customer, _ = await pair(relay, "made-up")
    await driver.accepted(THREAT)
    real = item(await customer.hear("message"))
    ms, seq = real["pos"].split("-")
    made_up = real | {"pos": f"{int(ms) - 1:013}-{seq}", "id": "m99", "text": "lain"}
    untagged = {name: value for name, value in made_up.items() if name != "tag"}
    strange_key = made_up | {"id": "m98", "tag": "00000000." + "A" * 22}
    await report(customer, "r1", untagged, strange_key)
    found = opened(relay, await one_case(relay, "made-up"))
    assert [one.proof for one in found.items] == [Proof.FORGED] * 2


async def test_a_quick_reply_and_a_place_are_proven_in_the_reporter_s_language(
    relay: RelayProcess,
) -> None:
    customer = {"party_id": "cus-1", "phone": CUSTOMER_PHONE, "alias": "Sari", "locale": "id"}
    driver, reader, _ = await pair(relay, "quick", customer=customer)
    await driver.say("post", id="q", epoch=1, kind="quick", key="arrived")
    await driver.say("post", id="p", epoch=1, kind="location", lat=-6.2, lon=106.8)
    quick, place = await reader.hear("message", id="q"), await reader.hear("message", id="p")
    await report(reader, "r1", item(quick), item(place), item(quick, text="I am here."))
    document = opened(relay, await one_case(relay, "quick"))
    assert [one.proof for one in document.items] == [Proof.PROVEN, Proof.PROVEN, Proof.FORGED]
    assert [one.kind for one in document.window] == ["quick", "location"]
    assert document.window[0].text == quick["text"] == "Saya sudah sampai di titik jemput."


async def test_the_window_is_bounded(relay: RelayProcess) -> None:
    driver, customer, _ = await pair(relay, "window")
    for number in range(300):
        await driver.accepted(numbered(number), id=f"n{number}")
    await customer.hear("message", id="n299")
    said = customer.all("message")
    await report(customer, "one", item(said[150]))
    await report(customer, "none")
    await report(customer, "many", *(item(said[number]) for number in range(5, 300, 30)))
    one, none, many = [opened(relay, case).window for case in await cases(relay, "window")]
    assert [message.id for message in one] == [f"n{n}" for n in range(140, 161)]
    assert [message.id for message in one if message.reported] == ["n150"]
    assert [message.id for message in none] == [f"n{n}" for n in range(280, 300)]
    assert len(many) == 60
    assert [m.id for m in many if m.reported] == [f"n{n}" for n in range(5, 300, 30)]
    assert [m.pos for m in many] == sorted(m.pos for m in many)
    # A place where nothing is shows nothing.
    nowhere = item(said[150], pos=said[150]["pos"][:-4] + "9999")
    async with relay.redis() as redis:
        await redis.hdel(keys.trip("window"), "reported.cus-1")
    await report(customer, "nowhere", nowhere)
    assert opened(relay, (await cases(relay, "window"))[-1]).window == []


async def test_what_was_refused_is_no_evidence_whatever_lies_in_the_log(
    relay: RelayProcess,
) -> None:
    """Entries from after the deadline, or of a party that was barred by then, were never shown."""
    driver, customer, tokens = await pair(relay, "refused", retention_s=60, report_window_s=60)
    await driver.accepted(THREAT)
    await customer.accepted("jangan")
    await report(customer, "r1", block=True)
    async with relay.redis() as redis:
        # An entry is bound to its place in the trip, and not to its time.
        (_, his), (_, hers) = (await redis.xrange(keys.log("refused", 1)))[1:]
        await redis.xadd(keys.log("refused", 1), his)
        await report(customer, "r2")
        await relay.end_trip("refused")
        deadline = int(await redis.hget(keys.trip("refused"), "deadline"))
        await redis.xadd(keys.kept("refused", 1), hers, id=f"{deadline}-0")
    await report(await reporting(relay, tokens["customer"]), "r3")
    windows = [opened(relay, case).window for case in await cases(relay, "refused")]
    assert [[one.text for one in window] for window in windows] == [[THREAT, "jangan"]] * 3


async def test_what_the_platform_told_the_peer_alone_is_no_evidence(relay: RelayProcess) -> None:
    driver, customer, _ = await pair(relay, "system")
    for to in ("driver", "customer", "both"):
        answer = await relay.call(
            "POST", "/v1/trips/system/system-messages", {"id": to, "text": f"untuk {to}", "to": to}
        )
        assert answer.status_code == 201, answer.text
    await driver.hear("message", id="both")
    message = await customer.hear("message", id="both")
    await report(customer, "r1", item(message))
    document = opened(relay, await one_case(relay, "system"))
    assert [(one.id, one.sender) for one in document.window] == [
        ("customer", "system"), ("both", "system"),
    ]  # fmt: skip
    assert document.items[0].proof is Proof.PROVEN


# --- blocking -------------------------------------------------------------------------------------


@BOTH
async def test_who_is_blocked_sees_a_channel_that_an_operator_closed(
    relay: RelayProcess, protocol: str
) -> None:
    trip = f"block-{protocol[-4:]}"
    driver, customer, tokens = await pair(relay, trip, protocol)
    await driver.accepted(THREAT)
    message = await customer.hear("message")
    await report(customer, "r1", item(message), block=True)
    closed = await driver.hear("closed")
    assert closed == {"op": "closed", "reason": "closed", "undelivered": [message["id"]]}
    assert (await driver.closed(), driver.close_reason) == (4500, "channel_closed")
    again = await Party.connect(relay.gateway_url, protocol)
    await again.say("attach", token=tokens["driver"])
    assert (await again.hear("closed"))["reason"] == "closed"
    assert await again.closed() == 4500
    # The reporter stays, and is not told either that anything is different for the other.
    await until(lambda: customer.all("presence"), "presence")  # perhaps before its own answer
    assert customer.all("presence") == [{"op": "presence", "online": False}]
    await customer.accepted("saya tetap di sini")
    assert (await one_case(relay, trip))["block"] == "1"
    # What was on its way is not accepted, and nobody is shown it.
    assert customer.texts() == [THREAT]
    back = await Party.attach(relay.gateway_url, tokens["customer"], protocol)
    assert back.texts() == [THREAT, "saya tetap di sini"]


async def test_a_block_holds_on_every_node(two_nodes: tuple[RelayProcess, RelayProcess]) -> None:
    here, there = two_nodes
    tokens = await here.open_trip("nodes")
    driver = await Party.attach(here.gateway_url, tokens["driver"])
    customer = await Party.attach(there.gateway_url, tokens["customer"])
    await driver.accepted(THREAT)
    message = await customer.hear("message")
    began_s = time.monotonic()
    await report(customer, "r1", item(message), block=True)
    assert (await driver.hear("closed"))["reason"] == "closed"
    assert await driver.closed() == 4500
    assert time.monotonic() - began_s < 1
    for node in two_nodes:
        again = await Party.connect(node.gateway_url)
        await again.say("attach", token=tokens["driver"])
        assert (await again.hear("closed"))["reason"] == "closed"
    await customer.accepted("saya tetap di sini")


async def test_who_is_blocked_reports_as_after_a_close(relay: RelayProcess) -> None:
    """Nothing that it can ask tells a channel that is closed from one that goes on without it."""
    told = []
    for blocks in (False, True):
        trip = f"neutral-{blocks}"
        driver, customer, tokens = await pair(relay, trip, report_window_s=WINDOW_S)
        await driver.accepted(THREAT)
        message = await customer.hear("message")
        await customer.say("got", pos=message["pos"])
        await driver.hear("got")
        await driver.accepted("halo?", id="lost")
        await customer.hear("message", id="lost")
        began_ms = time.time() * 1000
        if blocks:
            await report(customer, "r1", block=True)
        else:
            async with relay.store() as store:
                await Oversight(store).close_by_hand(trip, "safety")
        ended_ms = time.time() * 1000
        closed = await driver.hear("closed")
        seen = [closed, await driver.closed(), driver.close_reason]
        for more in ({}, {"report_only": True}):
            app = await Party.connect(relay.gateway_url)
            await app.say("attach", token=tokens["driver"], **more)
            if more:
                frame = await app.hear("attached")
                over_ms = frame.pop("deadline")
                # A block begins with the next millisecond of the log.
                assert began_ms - 1 <= over_ms - WINDOW_S * 1000 <= ended_ms + 1
                seen.append({**frame, "trip": ""})
            else:
                seen += [await app.hear("closed"), await app.closed()]
        await report(app, "r2", category="other")
        await until(lambda t=over_ms: time.time() * 1000 > t + 20, "the window is over")
        seen += [(await refused(app, "r3"))["code"]]
        late = await Party.connect(relay.gateway_url)
        await late.say("attach", token=tokens["driver"], report_only=True)
        told.append([*seen, await late.hear("closed"), await late.closed()])
    assert told[0] == told[1]
    assert told[0][0]["undelivered"] == ["lost"]


async def test_posts_that_cross_with_a_block_reach_nobody(relay: RelayProcess) -> None:
    for turn in range(10):
        driver, customer, tokens = await pair(relay, f"cross-{turn}")
        await customer.say("report", id="r1", category="threat", block=True)
        for number in range(20):
            try:
                await driver.post(numbered(number), id=f"n{number}")
            except ConnectionClosed:  # cut off meanwhile, which is what happens here
                break
        await driver.closed()
        await customer.hear("reported")
        taken = {frame["id"] for frame in driver.all("accepted")}
        back = await Party.attach(relay.gateway_url, tokens["customer"])
        assert {frame["id"] for frame in back.all("message")} == taken


async def test_a_block_of_who_sits_elsewhere_or_is_blocked_itself_does_nothing(
    relay: RelayProcess,
) -> None:
    driver, customer, tokens = await pair(relay, "back", report_window_s=600)
    await driver.accepted(THREAT)
    message = await customer.hear("message")
    new = {"epoch": 1, "party_id": "drv-2", "phone": "+6281200000002", "alias": "Wati"}
    answer = await relay.call("PUT", "/v1/trips/back/parties/driver", new)
    second = await Party.attach(relay.gateway_url, answer.json()["token"])
    # Of the pairing before: the one who sits there now has done nothing.
    await report(customer, "r1", item(message), block=True)
    await report(await reporting(relay, tokens["driver"]), "r1", block=True)
    await customer.accepted("halo")
    await second.accepted("halo")
    # Who is blocked cannot strike back.
    await report(customer, "r2", block=True)
    await second.closed()
    blocked = await reporting(relay, answer.json()["token"])
    await report(blocked, "r3", block=True)
    await customer.accepted("masih di sini")
    found = await cases(relay, "back")
    assert [case["block"] for case in found] == ["0", "0", "1", "0"]
    assert [case["reported_party"] for case in found] == ["drv-1", "cus-1", "drv-2", "cus-1"]


# --- for reports only -----------------------------------------------------------------------------


@BOTH
async def test_attached_for_reports_only_takes_no_seat_and_does_nothing_else(
    relay: RelayProcess, protocol: str
) -> None:
    trip = f"only-{protocol[-4:]}"
    driver, customer, tokens = await pair(relay, trip, protocol)
    await driver.accepted(THREAT)
    message = await customer.hear("message")
    aside = await reporting(relay, tokens["customer"], protocol)
    assert (aside.attached["state"], aside.attached["deadline"]) == ("report_only", 0)
    assert aside.attached["lost"] == []
    await aside.say("post", id="p1", epoch=1, text="halo")
    answer = await aside.hear("refused")
    assert (answer["code"], "retry_after_ms" in answer) == ("not_attached", False)
    for op, fields in (
        ("got", {"pos": message["pos"]}), ("seen", {"pos": message["pos"]}),
        ("typing", {"on": True}), ("attach", {"token": tokens["customer"]}),
    ):  # fmt: skip
        await aside.say(op, **fields)
        assert (await aside.hear("error"))["code"] == "out_of_turn"
    await aside.say("ping")
    await aside.hear("pong")
    await report(aside, "r1", item(message))
    # The seat is where it was, and what is said goes there and nowhere else.
    await driver.accepted("halo lagi")
    await customer.hear("message", text="halo lagi")
    await customer.accepted("ya")
    assert aside.all("message") == []
    assert driver.all("presence") == [{"op": "presence", "online": True}]
    await aside.leave()
    await driver.say("ping")
    await driver.hear("pong")
    assert driver.all("presence") == [{"op": "presence", "online": True}]


async def test_reports_in_the_grace(relay: RelayProcess) -> None:
    driver, customer, tokens = await pair(relay, "grace")
    await driver.accepted(THREAT)
    message = await customer.hear("message")
    await relay.end_trip("grace", grace_s=60)
    await customer.hear("state")
    await report(customer, "r1", item(message))
    await report(await reporting(relay, tokens["customer"]), "r2", item(message))
    assert len(await cases(relay, "grace")) == 2


async def test_a_party_that_was_replaced_reports_of_its_own_time(relay: RelayProcess) -> None:
    driver, customer, tokens = await pair(relay, "gone", retention_s=600, report_window_s=600)
    await customer.accepted("mau ke mana malam ini")
    message = await driver.hear("message")
    new = {"epoch": 1, "party_id": "drv-2", "phone": "+6281200000002", "alias": "Wati"}
    await relay.call("PUT", "/v1/trips/gone/parties/driver", new)
    assert await driver.closed() == 4502
    await customer.hear("reassigned", epoch=2)
    secret = await customer.accepted("halo Wati", epoch=2)
    aside = await reporting(relay, tokens["driver"])
    assert aside.attached["epoch"] == 1
    later = {"epoch": 2, "pos": secret["pos"], "id": secret["id"], "from": "peer",
             "text": "halo Wati", "tag": secret["tag"]}  # fmt: skip
    await report(aside, "r1", item(message))
    await report(aside, "r2", later)
    await relay.end_trip("gone")
    await report(await reporting(relay, tokens["driver"]), "r3", item(message))
    found = await cases(relay, "gone")
    assert [case["reporter_party"] for case in found] == ["drv-1"] * 3
    assert [case["reported_party"] for case in found] == ["cus-1"] * 3
    assert [case["epoch"] for case in found] == ["1"] * 3
    assert [case["proven"] for case in found] == ["1", "0", "1"]
    # It gets nothing into a case that it did not read itself.
    assert [one.text for one in opened(relay, found[1]).window] == []
    assert [one.text for one in opened(relay, found[2]).window] == ["mau ke mana malam ini"]


async def test_when_the_window_is_over(relay: RelayProcess) -> None:
    _driver, customer, tokens = await pair(relay, "over", report_window_s=WINDOW_S)
    await customer.accepted("halo")
    await relay.end_trip("over")
    open_still = await reporting(relay, tokens["customer"])
    await report(open_still, "in-time")
    over_at_ms = open_still.attached["deadline"]
    await until(lambda: time.time() * 1000 > over_at_ms + 20, "the window is over")
    answer = await refused(open_still, "late")
    assert (answer["code"], "retry_after_ms" in answer) == ("closed", False)
    late = await Party.connect(relay.gateway_url)
    await late.say("attach", token=tokens["customer"], report_only=True)
    assert (await late.hear("closed"))["reason"] == "ended"
    assert await late.closed() == 4500
    assert len(await cases(relay, "over")) == 1


async def test_the_step_itself_knows_that_the_window_is_over(relay: RelayProcess) -> None:
    """A node that has not heard of the close yet asks it as for a party with a seat."""
    await relay.open_trip("unheard", report_window_s=WINDOW_S)
    closed_at_ms = (await relay.end_trip("unheard"))["closed_at"]
    async with relay.store() as store:
        records = ReportRecords(store)
        found = await records.look("unheard", Role.DRIVER, 1, "r1", 1, [])
        assert isinstance(found, Found)
        window_ms = WINDOW_S * 1000 + 20
        await until(lambda: time.time() * 1000 > closed_at_ms + window_ms, "the window is over")
        for trip, outcome in (("unheard", "is_closed"), ("never", "no_trip")):
            assert await records.look(trip, Role.DRIVER, 1, "r1", 1, []) == Settled(outcome)


async def test_an_old_app_sees_the_end_as_before(relay: RelayProcess) -> None:
    _driver, customer, tokens = await pair(relay, "old", report_window_s=600)
    await relay.end_trip("old")
    await customer.closed()
    for more in ({}, {"report_only": False}, {"report_only": None}):
        app = await Party.connect(relay.gateway_url)
        await app.say("attach", token=tokens["customer"], **more)
        assert (await app.hear("closed"))["reason"] == "ended"
        assert await app.closed() == 4500


async def test_a_token_that_is_none_or_was_revoked_reports_nothing(relay: RelayProcess) -> None:
    _driver, _customer, tokens = await pair(relay, "revoked")
    before = await reporting(relay, tokens["customer"])
    answer = await relay.call(
        "POST", "/v1/trips/revoked/parties/customer/token", {"party_id": "cus-1", "revoke": True}
    )
    assert answer.status_code in (200, 201), answer.text
    await before.say("report", id="r1", category="other")
    assert await before.closed() == 4503
    for token in (tokens["customer"], tokens["driver"][:-1] + "x", "x"):
        party = await Party.connect(relay.gateway_url)
        await party.say("attach", token=token, report_only=True)
        assert await party.closed() == 4503
    assert await cases(relay, "revoked") == []


# --- what the reported party sees -----------------------------------------------------------------


@pytest.mark.parametrize("aside", [False, True], ids=["seated", "aside"])
async def test_the_reported_party_hears_what_it_would_hear_anyway(
    relay: RelayProcess, aside: bool
) -> None:
    """Two runs that differ by a report alone, frame by frame; times and places set aside."""
    heard = []
    for reported in (False, True):
        driver, customer, tokens = await pair(
            relay, f"quiet-{aside}-{reported}", report_window_s=60
        )
        await driver.accepted(THREAT, id="a")
        message = await customer.hear("message")
        if reported:
            reporter = await reporting(relay, tokens["customer"]) if aside else customer
            await report(reporter, "r1", item(message), category="threat")
        await customer.accepted("baik", id="b")
        await driver.hear("message")
        await driver.say("ping")
        await driver.hear("pong")
        await relay.end_trip(f"quiet-{aside}-{reported}")
        code = await driver.closed()
        late = await reporting(relay, tokens["driver"])
        frames = [*driver.heard, {"code": code, "why": driver.close_reason}, *late.heard]
        shown = ("op", "state", "reason", "id", "text", "online", "code", "why", "undelivered")
        heard.append([{k: frame.get(k) for k in shown} for frame in frames])
    assert heard[0] == heard[1]


# --- what can fail --------------------------------------------------------------------------------


async def test_while_the_store_takes_nothing_there_is_no_half_of_a_report(
    mended_relay: RelayProcess,
) -> None:
    driver, customer, _ = await pair(mended_relay, "full")
    await driver.accepted(THREAT)
    message = await customer.hear("message")
    async with mended_relay.redis() as redis:
        before = {key async for key in redis.scan_iter()}
        await redis.config_set("maxmemory-policy", "noeviction")
        await redis.config_set("maxmemory", "1")
        answer = await refused(customer, "r1", items=[item(message)], block=True)
        assert (answer["code"], answer["retry_after_ms"]) == ("store_away", 1000)
        assert {key async for key in redis.scan_iter()} <= before
        record = await redis.hgetall(keys.trip("full"))
        assert not [name for name in record if name.startswith((b"report.", b"reported."))]
        await redis.config_set("maxmemory", "0")
    await report(customer, "r1", item(message))
    assert (await one_case(mended_relay, "full"))["proven"] == "1"


async def test_a_store_that_comes_back(mended_relay: RelayProcess) -> None:
    driver, customer, _ = await pair(mended_relay, "frozen")
    await driver.accepted(THREAT)
    message = await customer.hear("message")
    os.kill(mended_relay.store_pid(), signal.SIGKILL)
    answer = await refused(customer, "r1", items=[item(message)])
    assert (answer["code"], answer["retry_after_ms"]) == ("store_away", 1000)

    async def taken() -> bool:
        answers = len(customer.all("reported") + customer.all("not_reported"))
        await customer.say("report", id="r1", category="other", items=[item(message)])
        await until(
            lambda: len(customer.all("reported") + customer.all("not_reported")) > answers, "answer"
        )
        return bool(customer.all("reported"))

    await until(taken, "the report is taken", 20)
    assert (await one_case(mended_relay, "frozen"))["proven"] == "1"


async def takes_calls(relay: RelayProcess) -> bool:
    try:
        return (await relay.call("GET", "/livez")).status_code == 200
    except httpx2.ConnectError:
        return False


async def test_a_worker_that_is_killed_leaves_a_whole_report_or_none(
    mended_relay: RelayProcess,
) -> None:
    whole = None
    for turn in range(3):
        trip = f"killed-{turn}"
        tokens = await mended_relay.open_trip(trip)
        customer = await Party.come_back(mended_relay.gateway_url, tokens["customer"])
        await customer.say("report", id="r1", category="threat", note="tolong")
        await asyncio.sleep(0.003 * turn)  # at another moment each time
        (pid,) = mended_relay.workers()
        os.kill(pid, signal.SIGKILL)
        await customer.closed()
        for case in await cases(mended_relay, trip):
            whole = whole or set(case)
            assert set(case) == whole
            assert opened(mended_relay, case).note == "tolong"
        await until(lambda p=pid: mended_relay.workers() not in ([], [p]), "another worker", 20)
        late = await Party.come_back(mended_relay.gateway_url, tokens["customer"])
        await report(late, "r1", category="threat", note="tolong")
        case = await one_case(mended_relay, trip)
        assert opened(mended_relay, case).note == "tolong"
        # The worker takes calls a little later than connections.
        await until(lambda: takes_calls(mended_relay), "the API answers", 20)
        assert len(await events(mended_relay, trip)) == 1


async def test_without_keys_nothing_is_taken(mended_relay: RelayProcess) -> None:
    driver, customer, _ = await pair(mended_relay, "keyless")
    await driver.accepted(THREAT)
    message = await customer.hear("message")
    ring = mended_relay.data / "keyring.json"
    ring.rename(mended_relay.data / "aside.json")

    async def refused_for_keys() -> bool:
        answer = await refused(customer, "r1", items=[item(message)])
        return bool(answer["code"] == "key_away" and answer["retry_after_ms"] == 1000)

    # A node that has not noticed yet may still take one, under another id than the one below.
    await until(lambda: keys_away(mended_relay), "the relay has noticed")
    assert await refused_for_keys()
    assert await cases(mended_relay, "keyless") == []
    (mended_relay.data / "aside.json").rename(ring)
    await until(lambda: keys_back(mended_relay), "the relay has noticed")
    await report(customer, "r1", item(message))


async def keys_away(relay: RelayProcess) -> bool:
    return "keys_away" in (await relay.call("GET", "/readyz")).text


async def keys_back(relay: RelayProcess) -> bool:
    return not await keys_away(relay)


async def test_the_store_holds_no_word_of_the_evidence(relay: RelayProcess) -> None:
    driver, customer, _ = await pair(relay, "sealed")
    await driver.accepted(THREAT)
    message = await customer.hear("message")
    note = f"nomornya {DRIVER_PHONE}, dia mengganggu"
    await report(customer, "r1", item(message), item(message, text=f"telepon {CUSTOMER_PHONE}"),
                 note=note)  # fmt: skip
    case = await one_case(relay, "sealed")
    assert opened(relay, case).note == "nomornya +•••, dia mengganggu"
    async with relay.redis() as redis:
        await redis.save()
    held = [path for path in relay.data.rglob("*") if path.is_file() and is_store(path)]
    log = relay.log.read_bytes()
    assert case["id"].encode() in b"".join(path.read_bytes() for path in held)
    scanner = Scanner([DRIVER_PHONE, CUSTOMER_PHONE])
    for data in (log, *(path.read_bytes() for path in held)):
        assert scanner.find(data) == []
        for words in (THREAT, "mengganggu", "telepon"):
            assert words.encode() not in data
    # It opens for its own case alone.
    with pytest.raises(Exception, match="another case"):
        opened(relay, case | {"id": "c1-00000000"})


def is_store(path: Path) -> bool:
    return path.suffix in (".rdb", ".aof") or "appendonly" in path.name


async def test_to_who_is_blocked_the_channel_stays_closed_whatever_comes(
    relay: RelayProcess,
) -> None:
    """The same words and times before and after the trip's real end, and after it went to another
    driver; and whoever is sent away and comes back is still blocked."""

    async def told(token: str) -> tuple[Any, ...]:
        """What an attach is answered, and until when a report is taken."""
        late = await Party.connect(relay.gateway_url)
        await late.say("attach", token=token)
        closed = await late.hear("closed")
        code = await late.closed()
        only = await Party.connect(relay.gateway_url)
        await only.say("attach", token=token, report_only=True)
        return closed, code, (await only.hear("attached"))["deadline"]

    for trip in ("ended", "replaced"):
        driver, customer, tokens = await pair(relay, trip, report_window_s=600)
        await driver.accepted(THREAT)
        message = await customer.hear("message")
        await report(customer, "r1", item(message), block=True)
        heard = await driver.hear("closed")
        before = await told(tokens["driver"])
        assert before[:2] == (heard, 4500) and heard["reason"] == "closed"
        await customer.say("got", pos=message["pos"], epoch=1)
        await customer.accepted("terima kasih")
        if trip == "ended":
            await relay.end_trip(trip)
        else:
            await seat(relay, trip, 1, "drv-2")
        assert await told(tokens["driver"]) == before, trip

    back = await seat(relay, "replaced", 2, "drv-1")
    again = await Party.connect(relay.gateway_url)
    await again.say("attach", token=back)
    assert (await again.hear("closed"))["reason"] == "closed"


async def seat(relay: RelayProcess, trip: str, epoch: int, party: str) -> str:
    """Give the trip to a driver; give his token."""
    answer = await relay.call(
        "PUT", f"/v1/trips/{trip}/parties/driver",
        {"epoch": epoch, "party_id": party, "phone": DRIVER_PHONE, "alias": "Joko"},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["token"]
    return token
