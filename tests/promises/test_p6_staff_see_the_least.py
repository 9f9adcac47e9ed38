"""P6: staff see state, not content; content only as evidence of a case; every act is written down."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import AsyncIterator
from html import unescape
from typing import Any, NamedTuple

import pytest

from relay.ops.desk import Desk
from relay.rig.waiting import until
from tests.support.desk import Visitor, desk_on, on_host, visitor
from tests.support.leaks import Scanner
from tests.support.party import JSON, MSGPACK, Party
from tests.support.relay import CUSTOMER_PHONE, DRIVER_PHONE, RelayProcess
from tests.support.staff import Staff, hired

#: Said by the parties; harmless to the guard, and nowhere else in the world.
DRIVER_SAID = "payung merah di depan warung soto"
CUSTOMER_SAID = "tolong bawakan gula aren"
REPORT_NOTE = "dia terus menunggu di pagar rumah"
CUSTOMER = {"phone": CUSTOMER_PHONE, "alias": "Sari"}
NOTE = "as agreed at the morning hand-over"


class World(NamedTuple):
    """A relay with one open trip, one closed and reported, and staff at work."""

    relay: RelayProcess
    desk: Desk
    agent: Visitor
    supervisor: Visitor
    script: Staff
    case: str


@pytest.fixture(scope="module")
async def world(relay: RelayProcess) -> AsyncIterator[World]:
    async with desk_on(relay) as desk:
        agent = await visitor(relay, desk, "ayu", "agent")
        supervisor = await visitor(relay, desk, "sri", "supervisor")
        script = await hired(relay, "tono", "supervisor")
        for trip, protocol in (("open-trip", MSGPACK), ("told-trip", JSON)):
            tokens = await relay.open_trip(trip, retention_s=3600, report_window_s=3600)
            driver = await Party.attach(relay.gateway_url, tokens["driver"], protocol)
            customer = await Party.attach(relay.gateway_url, tokens["customer"], protocol)
            await driver.accepted(DRIVER_SAID)
            await driver.accepted(f"hubungi saya di {CUSTOMER_PHONE}")
            message = await customer.hear("message", text=DRIVER_SAID)
            await customer.accepted(CUSTOMER_SAID)
        item = {name: message[name] for name in ("pos", "id", "from", "text", "tag")} | {"epoch": 1}
        await customer.say("report", id="r1", category="threat", note=REPORT_NOTE, items=[item])
        await customer.hear("reported", id="r1")
        await relay.end_trip("told-trip")
        queue = await desk.cases.queue()
        yield World(relay, desk, agent, supervisor, script, queue.rows[0].id)


def addresses(page: str) -> set[str]:
    """What a page links to, within the console."""
    return {unescape(one) for one in re.findall(r'(?:href|data-[a-z-]+)="(/ops[^"#]*)"', page)}


async def crawled(who: Visitor) -> dict[str, str]:
    """Every page that can be reached by links, by its address."""
    pages: dict[str, str] = {}
    to_see = {"/ops", "/ops/cases", "/ops/audit", "/ops/alarms", "/ops/account"}
    while to_see:
        path = to_see.pop()
        answer = await who.get(path)
        assert answer.status_code < 500, path
        pages[path] = answer.text
        to_see |= {one for one in addresses(answer.text) if one not in pages and len(pages) < 200}
    return pages


def content_in(text: str) -> list[str]:
    """What of the parties' words or numbers stands in a text."""
    said = [one for one in (DRIVER_SAID, CUSTOMER_SAID, REPORT_NOTE) if one in unescape(text)]
    scanner = Scanner([DRIVER_PHONE, CUSTOMER_PHONE])
    return said + [str(leak) for leak in scanner.find(text.encode())]


async def test_no_page_shows_what_was_said(world: World) -> None:
    await world.desk.cases.detail(world.case)
    for who in (world.agent, world.supervisor):
        pages = await crawled(who)
        assert "/ops/channels/open-trip" in pages
        assert f"/ops/cases/{world.case}" in pages
        assert "/ops/channels/told-trip" in pages
        for path, page in pages.items():
            assert content_in(urllib.parse.unquote(path) + page) == [], path


async def test_no_call_event_export_or_log_shows_what_was_said(world: World) -> None:
    relay = world.relay
    document = (await relay.call("GET", "/openapi.json")).json()
    asked = 0
    for template, calls in document["paths"].items():
        if "get" in calls and template.startswith("/v1/"):
            path = template.replace("{trip}", "told-trip").replace("{case}", world.case)
            path = path.replace("{party}", "drv-1").replace("{sanction}", "s1")
            for ask in (world.script.call, relay.call):
                answer = await ask("GET", path)
                assert answer.status_code < 500, path
                assert content_in(answer.text) == [], path
                asked += answer.status_code == 200
    assert asked > 8
    for words in (
        ("audit", "list", "--json"), ("audit", "export"), ("privacy", "requests", "--json"),
        ("privacy", "export", "--party", "drv-1", "--json"), ("operator", "list", "--json"),
    ):  # fmt: skip
        assert content_in(await on_host(relay, *words)) == [], words
    metrics = await relay.call("GET", "/metrics")
    assert content_in(metrics.text) == []
    assert 'relay_reports_total{category="threat"}' in metrics.text
    assert content_in(relay.log.read_text()) == []


async def test_who_looks_up_a_partys_trips_leaves_a_trace_each_way(world: World) -> None:
    await world.relay.open_trip("followed-1", customer=CUSTOMER | {"party_id": "cus-9"})
    await world.relay.open_trip("followed-2", customer=CUSTOMER | {"party_id": "cus-9"})
    page = await world.agent.get("/ops/list?search=cus-9")
    assert "followed-1" in page.text and "followed-2" in page.text
    found = await world.script.call("GET", "/v1/ops/channels?search=cus-9")
    assert len(found.json()["channels"]) == 2
    assert "followed-1" in (await world.supervisor.get("/ops/parties/cus-9")).text
    entries = await world.desk.audit.page(party="cus-9")
    assert [(one.actor, one.via, one.act) for one in reversed(entries)] == [
        ("ayu", "console", "party.trips"), ("tono", "key", "party.trips"),
        ("sri", "console", "party.trips"),
    ]  # fmt: skip


async def test_evidence_opens_in_a_case_of_ones_own_and_leaves_its_trace_first(
    world: World,
) -> None:
    agent, case = world.agent, world.case

    async def read(who: Visitor) -> Any:
        return await who.post(f"/ops/cases/{case}/evidence", purpose="assess_report")

    for who in (agent, world.supervisor):
        refused = await read(who)
        assert refused.status_code in (403, 409) and content_in(refused.text) == []
    taken = await agent.post(f"/ops/cases/{case}/take")
    assert taken.status_code == 303, taken.text
    without_purpose = await agent.post(f"/ops/cases/{case}/evidence")
    assert without_purpose.status_code == 422 and content_in(without_purpose.text) == []
    forged = await agent.post(f"/ops/cases/{case}/evidence", csrf="x" * 22, purpose="appeal")
    assert forged.status_code == 403 and content_in(forged.text) == []
    assert await world.desk.audit.page(act="evidence.read") == []

    opened = await read(agent)
    assert opened.status_code == 200
    assert DRIVER_SAID in unescape(opened.text) and REPORT_NOTE in unescape(opened.text)
    assert Scanner([DRIVER_PHONE, CUSTOMER_PHONE]).find(opened.content) == []
    (entry,) = await world.desk.audit.page(act="evidence.read")
    assert (entry.actor, entry.case, entry.reason) == ("ayu", case, "assess_report")
    # A supervisor reads only what is his own, too; and nobody by a key.
    assert (await read(world.supervisor)).status_code == 403
    document = json.dumps((await world.relay.call("GET", "/openapi.json")).json())
    assert "evidence" not in {part for path in re.findall(r'"(/v1/[^"]+)"', document)
                              for part in path.split("/")}  # fmt: skip


async def test_every_act_is_in_the_audit_log_under_one_persons_name(world: World) -> None:
    script, relay = world.script, world.relay
    await relay.open_trip("acted-on")
    acts: list[tuple[str, str, dict[str, Any]]] = [
        ("/v1/ops/channels/acted-on/close", "channel.close", {"reason": "fraud", "note": NOTE}),
        ("/v1/ops/parties/drv-9/sanctions", "sanction.impose",
         {"kind": "mute", "reason": "fraud", "hours": 2, "note": NOTE}),
    ]  # fmt: skip
    for path, act, body in acts:
        answer = await script.call("POST", path, body)
        assert answer.status_code in (200, 201), answer.text
        (entry, *_) = await world.desk.audit.page(act=act)
        assert (entry.actor, entry.via, entry.scope) == ("tono", "key", "supervisor")
        assert entry.note == NOTE and entry.address
    await on_host(relay, "apikey", "new", "--scope", "agent", "--operator", "ayu")
    acted = {entry.act for entry in await world.desk.audit.page(count=500)}
    assert {"operator.add", "operator.enrol", "signin", "apikey.new"} <= acted
    host = await world.desk.audit.page(act="apikey.new")
    assert all(entry.actor.startswith("host:") for entry in host)
    checked = await on_host(relay, "audit", "verify", "--json")
    assert json.loads(checked)["faults"] == []


async def test_the_alarm_of_a_threat_reaches_the_platform_at_once(world: World) -> None:
    relay = world.relay
    tokens = await relay.open_trip("alarm-trip")
    customer = await Party.attach(relay.gateway_url, tokens["customer"])
    await customer.say("report", id="r1", category="threat", note=REPORT_NOTE)
    await customer.hear("reported", id="r1")

    async def told() -> list[dict[str, Any]]:
        events = (await relay.call("GET", "/v1/events?limit=500")).json()["events"]
        return [one for one in events if one.get("trip") == "alarm-trip"]

    (event,) = await until(told, "the platform is told", 1)
    assert (event["kind"], event["alarm"], event["category"]) == ("report.received", True, "threat")
    assert content_in(json.dumps(event)) == []
