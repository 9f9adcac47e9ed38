"""The operators' calls on a running relay: who may do what, and that a key opens no evidence."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any, NamedTuple

import httpx2
import pytest

from relay.api.openapi import openapi
from relay.api.ops import OpsCalls
from relay.api.problems import MEANING, Code, of_refused
from relay.ops.refusals import OpsCode, Refused
from relay.rig.waiting import until
from tests.support.leaks import Scanner
from tests.support.party import JSON, MSGPACK, Party
from tests.support.relay import CUSTOMER_PHONE, DRIVER_PHONE, RelayProcess
from tests.support.staff import Staff, hired

NOTE = "Asked by the platform's night shift"
CLOSE = {"reason": "harassment", "note": NOTE}
DOCUMENT = openapi(OpsCalls(None).calls())  # type: ignore[arg-type] # nothing is called
MARKER = "gudeg-rujak-kolak"


class People(NamedTuple):
    """Who works at the relay of this module."""

    sari: Staff
    budi: Staff
    rina: Staff
    agus: Staff


@pytest.fixture(scope="module")
async def people(relay: RelayProcess) -> People:
    """Two agents and two supervisors."""
    return People(
        await hired(relay, "sari", "agent"),
        await hired(relay, "budi", "agent"),
        await hired(relay, "rina", "supervisor"),
        await hired(relay, "agus", "supervisor"),
    )


class Reported(NamedTuple):
    """A case, its trip's parties, and who was reported."""

    case: str
    driver: str
    customer: Party
    driver_token: str


async def report(relay: RelayProcess, people: People, trip: str, **fields: Any) -> Reported:
    """A trip of its own, in which the customer reports what the driver wrote."""
    driver = f"drv-{trip}"
    tokens = await relay.open_trip(
        trip, driver={"party_id": driver, "phone": DRIVER_PHONE, "alias": "Budi"}
    )
    there = await Party.attach(relay.gateway_url, tokens["driver"])
    customer = await Party.attach(relay.gateway_url, tokens["customer"])
    await there.accepted(f"come and meet me, {MARKER}")
    said = await customer.hear("message")
    item = {"epoch": 1, "pos": said["pos"], "id": said["id"], "from": "peer",
            "text": said["text"], "tag": said["tag"]}  # fmt: skip
    fields = {"category": "harassment", "note": f"he wrote {MARKER}", "items": [item]} | fields
    await customer.say("report", id="r1", **fields)
    await customer.hear("reported")
    found = await people.sari.call("GET", f"/v1/ops/cases?party={driver}")
    (case,) = found.json()["cases"]
    return Reported(case["case_id"], driver, customer, tokens["driver"])


def described(answer: httpx2.Response) -> str:
    """What the OpenAPI document says of such an answer to that call."""
    method, path = answer.request.method.lower(), answer.request.url.path
    for template, item in DOCUMENT["paths"].items():
        if method in item and re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path):
            said: str = item[method]["responses"][str(answer.status_code)]["description"]
            return said
    return "`not_found` `forbidden` `unauthorized` `suspended` `never_pair`"  # of other calls


def problem(answer: httpx2.Response, code: str) -> dict[str, Any]:
    """The problem that this answer is, which has to have that code."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    found: dict[str, Any] = answer.json()
    assert f"`{code}`" in described(answer)
    assert (found["code"], answer.status_code) == (code, MEANING[Code(code)][0])
    assert found["detail"]
    return found


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("not_allowed", 403), ("not_found", 404), ("conflict", 409), ("invalid", 422),
        ("too_many", 429), ("locked", 423), ("gone", 410),
    ],
)  # fmt: skip
def test_each_refusal_has_a_status_of_its_own(code: str, status: int) -> None:
    told = of_refused(Refused(OpsCode(code), "It was not done.", field="note"), of_trip=False)
    assert (told.status, told.code, told.field) == (status, code, "note")
    assert {word.value for word in OpsCode} <= {word.value for word in Code}


# --- who may call ---------------------------------------------------------------------------------


async def test_each_scope_reaches_its_own_calls(relay: RelayProcess, people: People) -> None:
    named = {"trip": "t", "case": "c1-00000000", "party": "p", "sanction": "s1", "alarm": "1-0"}
    for call in OpsCalls(None).calls():  # type: ignore[arg-type]
        path = call.path.format(**named)
        body = {} if call.body else None
        problem(await relay.call(call.method, path, body), "forbidden")
        answer = await people.sari.call(call.method, path, body)
        if call.path.startswith(("/v1/ops/holds", "/v1/ops/audit", "/v1/ops/alarms")):
            problem(answer, "forbidden")
        else:
            assert answer.status_code in (200, 404, 422), path
        assert (await people.rina.call(call.method, path, body)).status_code in (200, 404, 422)
        no_key = await relay.http.request(call.method, relay.api_url + path, json=body)
        problem(no_key, "unauthorized")
    for staff in people:
        problem(await staff.call("GET", "/v1/trips"), "forbidden")
        problem(await staff.call("POST", "/v1/trips/t/end"), "forbidden")
        problem(await staff.call("GET", "/metrics"), "forbidden")


# --- channels -------------------------------------------------------------------------------------


async def test_pages_go_on_where_the_last_one_ended(relay: RelayProcess, people: People) -> None:
    for number in range(5):
        await relay.open_trip(f"page-{number}")
    seen: list[str] = []
    cursor = ""
    while True:
        query = f"limit=2&state=open{f'&cursor={cursor}' if cursor else ''}"
        page = (await people.sari.call("GET", f"/v1/ops/channels?{query}")).json()
        seen += [one["trip_id"] for one in page["channels"]]
        if (cursor := page["cursor"]) is None:
            break
        assert len(seen) < page["open"]
        assert len(page["channels"]) == 2
    assert len(seen) == len(set(seen)) == page["open"]
    assert [trip for trip in seen if trip.startswith("page-")] == [
        f"page-{number}" for number in reversed(range(5))
    ]
    wrong = await people.sari.call("GET", "/v1/ops/channels?cursor=AAAA")
    assert problem(wrong, "invalid")["field"] == "cursor"


async def test_a_query_that_is_wrong_names_its_field(people: People) -> None:
    for query, field in (
        ("channels?state=ajar", "state"), ("channels?search=a%20b", "search"),
        ("channels?limit=0", "limit"), ("cases?assignee=A", "assignee"),
        ("cases?category=boredom", "category"), ("cases?state=lost", "state"),
        ("audit?before=-1", "before"), ("audit?case=7", "case"), ("sanctions?limit=x", "limit"),
    ):  # fmt: skip
        answer = await people.rina.call("GET", f"/v1/ops/{query}")
        assert problem(answer, "invalid")["field"] == field


@pytest.mark.parametrize("protocol", [MSGPACK, JSON])
async def test_a_close_by_hand_ends_it_for_both_and_tells_no_reason(
    relay: RelayProcess, people: People, protocol: str
) -> None:
    trip = f"close-{protocol[-4:]}"
    tokens = await relay.open_trip(trip)
    both = [await Party.attach(relay.gateway_url, token, protocol) for token in tokens.values()]
    answer = await people.sari.call("POST", f"/v1/ops/channels/{trip}/close", CLOSE)
    assert answer.status_code == 200
    assert answer.json()["trip_id"] == trip
    for party in both:
        assert await party.closed(1.0) == 4500
        assert "harassment" not in json.dumps(party.heard)
        assert "sari" not in json.dumps(party.heard)
    problem(await people.sari.call("POST", f"/v1/ops/channels/{trip}/close", CLOSE), "conflict")
    nowhere = await people.sari.call("POST", "/v1/ops/channels/no-such/close", CLOSE)
    problem(nowhere, "no_trip")
    seen = (await relay.call("GET", f"/v1/trips/{trip}")).json()
    assert (seen["state"], seen["reason"]) == ("closed", "closed")
    assert "harassment" in seen["detail"]


async def test_what_is_closed_together_is_told_line_by_line(
    relay: RelayProcess, people: People
) -> None:
    trips = [f"line-{number}" for number in range(40)]
    for trip in trips:
        await relay.open_trip(trip)
    await relay.end_trip("line-0")
    body = CLOSE | {"trips": [*trips, "no-such", "line-1"]}
    answer = await people.sari.call("POST", "/v1/ops/closings", body)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["cache-control"] == "no-store"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["trip_id"] for line in lines] == [*trips, "no-such"]
    outcomes = [line["outcome"] for line in lines]
    assert outcomes == ["already", *39 * ["closed"], "not_found"]


async def test_it_goes_on_when_nobody_listens_any_more(relay: RelayProcess, people: People) -> None:
    trips = [f"left-{number}" for number in range(30)]
    for trip in trips:
        await relay.open_trip(trip)
    payload = json.dumps(CLOSE | {"trips": trips}).encode()
    host, _, port = relay.api_url[7:].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/ops/closings HTTP/1.1\r\nhost: api\r\nauthorization: Bearer %b\r\n"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        % (people.sari.key.encode(), len(payload), payload)
    )
    await reader.readuntil(b"left-0")
    writer.transport.abort()

    async def all_closed() -> bool:
        seen = [(await relay.call("GET", f"/v1/trips/{trip}")).json() for trip in trips]
        return {one["state"] for one in seen} == {"closed"}

    await until(all_closed, "what was begun is done")


async def test_an_agent_names_fifty_and_a_supervisor_five_hundred(
    relay: RelayProcess, people: People
) -> None:
    await relay.open_trip("most-0")
    for staff, most, code in (
        (people.sari, 50, "too_many"), (people.rina, 500, "invalid"),
    ):  # fmt: skip
        trips = ["most-0", *(f"made-up-{number}" for number in range(most))]
        answer = await staff.call("POST", "/v1/ops/closings", CLOSE | {"trips": trips})
        assert problem(answer, code)["field"] == "trips"
        assert (await relay.call("GET", "/v1/trips/most-0")).json()["state"] == "open"
    entries = (await people.rina.call("GET", "/v1/ops/audit?trip=most-0")).json()["entries"]
    assert entries == []


async def test_a_trip_may_have_any_name(relay: RelayProcess, people: People) -> None:
    """Even one that looks like a part of a path."""
    for trip in ("close", "channels", "a~b:c.d"):
        await relay.open_trip(trip)
        seen = await people.sari.call("GET", f"/v1/ops/channels/{trip}")
        assert seen.json()["trip_id"] == trip
        closed = await people.sari.call("POST", f"/v1/ops/channels/{trip}/close", CLOSE)
        assert closed.status_code == 200


# --- what a key can't open ------------------------------------------------------------------------


async def test_no_call_opens_evidence(relay: RelayProcess, people: People) -> None:
    """What people wrote comes out of no call: not of any read, nor in the answer of any act."""
    made = await report(relay, people, "evidence-1")
    case, party = f"/v1/ops/cases/{made.case}", f"/v1/ops/parties/{made.driver}/sanctions"
    answers: list[httpx2.Response] = []

    async def call(staff: Staff, method: str, path: str, body: Any = None) -> Any:
        answer = await staff.call(method, path, body)
        assert answer.status_code in (200, 201), (path, answer.text)
        answers.append(answer)
        return answer.json()

    taken = await call(people.sari, "POST", f"{case}/assign", {})
    assert (taken["items"], taken["proven"], taken["has_evidence"]) == (1, 1, True)
    await call(people.sari, "POST", f"{case}/notes", {"note": NOTE})
    terms = {"kind": "warn", "reason": "harassment", "case": made.case, "note": NOTE}
    await call(people.sari, "POST", party, terms)
    await call(people.rina, "PUT", "/v1/ops/holds/evidence-1",
               {"until": int(time.time() * 1000) + 3_600_000, "note": NOTE})  # fmt: skip
    await call(people.sari, "POST", f"{case}/handover", {"to": "budi", "note": NOTE})
    await call(people.budi, "POST", f"{case}/close", {"outcome": "upheld", "note": NOTE})
    for path in (
        "channels", "channels/evidence-1", "cases?state=any", f"cases/{made.case}", "sanctions",
        f"parties/{made.driver}/sanctions", "holds", "audit?limit=200", "alarms",
    ):  # fmt: skip
        await call(people.rina, "GET", f"/v1/ops/{path}")
    scanner = Scanner([DRIVER_PHONE, CUSTOMER_PHONE])
    for answer in answers:
        assert MARKER not in answer.text
        assert not scanner.find(answer.content)
    reads = (await people.rina.call("GET", "/v1/ops/audit?act=evidence.read")).json()
    assert reads["entries"] == []


async def test_no_path_and_no_field_speaks_of_more_evidence_than_that_there_is_some(
    relay: RelayProcess, people: People
) -> None:
    document = (await relay.http.get(f"{relay.api_url}/openapi.json")).json()
    paths = [path for path in document["paths"] if path.startswith("/v1/ops/")]
    assert len(paths) >= 20
    assert not [path for path in paths if re.search("evidence|read|widen|item|message", path)]
    case = document["components"]["schemas"]["CaseDetail"]["properties"]
    assert {name for name in case if "evidence" in name} == {"has_evidence", "evidence_until"}
    made = await report(relay, people, "evidence-2")
    await people.sari.call("POST", f"/v1/ops/cases/{made.case}/assign", {})
    for word in ("evidence", "read", "widen", "items", "window"):
        for method in ("GET", "POST", "PUT"):
            path = f"/v1/ops/cases/{made.case}/{word}"
            body = {"purpose": "assess_report"} if method != "GET" else None
            problem(await people.sari.call(method, path, body), "not_found")


# --- cases ----------------------------------------------------------------------------------------


async def test_a_case_is_one_persons_at_a_time(relay: RelayProcess, people: People) -> None:
    made = await report(relay, people, "case-1", category="threat")
    path = f"/v1/ops/cases/{made.case}"
    answers = await asyncio.gather(*(
        staff.call("POST", f"{path}/assign", {}) for staff in (people.sari, people.budi)
    ))  # fmt: skip
    assert sorted(answer.status_code for answer in answers) == [200, 409]
    winner, loser = (
        (people.sari, people.budi) if answers[0].status_code == 200 else (people.budi, people.sari)
    )
    mine = (await winner.call("GET", "/v1/ops/cases?assignee=@me")).json()["cases"]
    assert made.case in [one["case_id"] for one in mine]
    theirs = (await loser.call("GET", "/v1/ops/cases?assignee=@me")).json()["cases"]
    assert made.case not in [one["case_id"] for one in theirs]
    end = {"outcome": "unfounded", "note": NOTE}
    problem(await loser.call("POST", f"{path}/close", end), "not_allowed")
    problem(await loser.call("POST", f"{path}/assign", {"to": "rina"}), "not_allowed")
    problem(await loser.call("POST", f"{path}/reopen", {"note": NOTE}), "not_allowed")
    nobody = await winner.call("POST", f"{path}/handover", {"to": "nobody", "note": NOTE})
    assert problem(nobody, "not_found")["field"] == "to"
    unfit = await winner.call("POST", f"{path}/close", end | {"answer": "action_taken"})
    assert problem(unfit, "invalid")["field"] == "answer"
    closed = (await winner.call("POST", f"{path}/close", end)).json()
    assert (closed["state"], closed["outcome"], closed["answer"]) == (
        "closed", "unfounded", "no_breach",
    )  # fmt: skip
    assert [step["by"] for step in closed["history"]][-1] == winner.id
    problem(await winner.call("POST", f"{path}/close", end), "conflict")
    opened = await people.rina.call("POST", f"{path}/reopen", {"note": NOTE})
    assert opened.json()["state"] == "new"


async def test_what_is_written_in_notes_stays_what_it_is(
    relay: RelayProcess, people: People
) -> None:
    made = await report(relay, people, "note-1")
    path = f"/v1/ops/cases/{made.case}"
    await people.sari.call("POST", f"{path}/assign", {})
    markup = "<script>alert(1)</script> {{7*7}} [red]“naïve”[/red] 🚕"
    noted = await people.sari.call("POST", f"{path}/notes", {"note": markup})
    assert noted.json()["notes"][-1]["text"] == markup
    for note in ("a\x1b[31mb", "a\nb", "a\u202eb", "", "   ", "x" * 501, "call 0812 3456 7890"):
        refused = await people.sari.call("POST", f"{path}/notes", {"note": note})
        found = problem(refused, "invalid")
        assert found["field"] == "note"
        assert "3456" not in refused.text


# --- sanctions and holds --------------------------------------------------------------------------


async def test_a_sanction_holds_at_open_with_codes_of_its_own(
    relay: RelayProcess, people: People
) -> None:
    rina = people.rina

    async def impose(party: str, **terms: Any) -> dict[str, Any]:
        body = {"reason": "safety", "note": NOTE} | terms
        answer = await rina.call("POST", f"/v1/ops/parties/{party}/sanctions", body)
        assert answer.status_code == 201, answer.text
        imposed: dict[str, Any] = answer.json()
        return imposed

    async def opened(trip: str, driver: str, customer: str) -> httpx2.Response:
        return await relay.open(
            trip,
            driver={"party_id": driver, "phone": DRIVER_PHONE, "alias": "Budi"},
            customer={"party_id": customer, "phone": CUSTOMER_PHONE, "alias": "Sari"},
        )

    suspended = await impose("drv-out", kind="suspend")
    await impose("drv-pair", kind="never_pair", other="cus-pair")
    refused = await opened("out-1", "drv-out", "cus-9")
    assert problem(refused, "suspended")["status"] == 409
    refused = await opened("pair-1", "drv-pair", "cus-pair")
    assert problem(refused, "never_pair")["status"] == 409
    assert (await opened("pair-2", "drv-pair", "cus-9")).status_code == 201
    path = f"/v1/ops/parties/drv-out/sanctions/{suspended['sanction_id']}"
    lifted = await rina.call("POST", f"{path}/lift", {"note": NOTE})
    assert lifted.json()["lifted_at"] is not None
    assert (await opened("out-1", "drv-out", "cus-9")).status_code == 201
    problem(await rina.call("POST", f"{path}/lift", {"note": NOTE}), "conflict")


async def test_who_imposed_does_not_decide(people: People) -> None:
    base = "/v1/ops/parties/drv-appeal/sanctions"
    terms = {"kind": "suspend", "reason": "fraud", "hours": 5, "note": NOTE}
    alone = await people.sari.call("POST", base, terms)
    assert problem(alone, "not_allowed")["field"] == "case"
    imposed = (await people.rina.call("POST", base, terms)).json()
    one = f"{base}/{imposed['sanction_id']}"
    assert (await people.sari.call("POST", f"{one}/appeal", {"note": NOTE})).status_code == 200
    decision = {"lifts": False, "note": NOTE}
    for staff in (people.sari, people.rina):
        problem(await staff.call("POST", f"{one}/decide", decision), "not_allowed")
    decided = (await people.agus.call("POST", f"{one}/decide", decision)).json()
    assert (decided["appeal"], decided["lifted_at"]) == ("upheld", None)
    (listed,) = (await people.sari.call("GET", base)).json()["sanctions"]
    assert listed == decided
    for wrong, field in (
        ({"kind": "mute"}, "hours"), ({"kind": "warn", "hours": 3}, "hours"),
        ({"kind": "never_pair"}, "other"), ({"kind": "mute", "hours": 0}, "hours"),
        ({"kind": "exile"}, "kind"), ({"case": "7"}, "case"),
    ):  # fmt: skip
        answer = await people.rina.call("POST", base, _terms(terms, wrong))
        assert problem(answer, "invalid")["field"] == field


def _terms(terms: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """Terms without hours, unless the changes bring some."""
    return {name: value for name, value in terms.items() if name != "hours"} | changes


async def test_a_hold_is_placed_and_released(relay: RelayProcess, people: People) -> None:
    await relay.open_trip("hold-1", retention_s=3600)
    until_ms = int(time.time() * 1000) + 3_600_000
    held = await people.rina.call("PUT", "/v1/ops/holds/hold-1", {"until": until_ms, "note": NOTE})
    assert held.json() | {"at": 0} == {
        "trip_id": "hold-1", "until": until_ms, "by": "rina", "at": 0, "note": NOTE,
    }  # fmt: skip
    assert (await people.sari.call("GET", "/v1/ops/channels/hold-1")).json()["held"] is True
    past = await people.rina.call("PUT", "/v1/ops/holds/hold-1", {"until": 1, "note": NOTE})
    assert problem(past, "invalid")["field"] == "until"
    nowhere = await people.rina.call("PUT", "/v1/ops/holds/nope", {"until": until_ms, "note": NOTE})
    problem(nowhere, "no_trip")
    await relay.open_trip("hold-2", retention_s=0)
    await relay.end_trip("hold-2")
    gone = await people.rina.call("PUT", "/v1/ops/holds/hold-2", {"until": until_ms, "note": NOTE})
    problem(gone, "gone")
    release = "/v1/ops/holds/hold-1/release"
    assert (await people.rina.call("POST", release, {"note": NOTE})).status_code == 200
    problem(await people.rina.call("POST", release, {"note": NOTE}), "conflict")


# --- the audit log --------------------------------------------------------------------------------


async def test_an_act_is_written_down_with_who_and_from_where(
    relay: RelayProcess, people: People
) -> None:
    await relay.open_trip("audit-1")
    await people.sari.call("POST", "/v1/ops/channels/audit-1/close", CLOSE)
    page = (await people.rina.call("GET", "/v1/ops/audit?trip=audit-1")).json()
    (entry,) = page["entries"]
    assert page["before"] is None
    assert (entry["actor"], entry["scope"], entry["via"], entry["address"]) == (
        "sari", "agent", "key", "127.0.0.1",
    )  # fmt: skip
    assert (entry["act"], entry["reason"], entry["note"]) == ("channel.close", "harassment", NOTE)
    numbers: list[int] = []
    before = 0
    while before is not None:
        page = (await people.rina.call("GET", f"/v1/ops/audit?limit=7&before={before}")).json()
        numbers += [one["n"] for one in page["entries"]]
        before = page["before"]
        assert len(numbers) == len(set(numbers))
    assert numbers == list(range(len(numbers), 0, -1))


async def test_nothing_is_done_that_cannot_be_written_down(
    own_relay: RelayProcess,
) -> None:
    """The store takes no writes: the channel stays open, and the caller is told so."""
    sari = await hired(own_relay, "sari", "agent")
    await own_relay.open_trip("away-1")
    async with own_relay.redis() as redis:
        await redis.config_set("maxmemory", "1")
        try:
            answer = await sari.call("POST", "/v1/ops/channels/away-1/close", CLOSE)
            problem(answer, "store_unavailable")
        finally:
            await redis.config_set("maxmemory", "0")
    assert (await own_relay.call("GET", "/v1/trips/away-1")).json()["state"] == "open"


async def test_alarms_are_seen_by_another_supervisor(relay: RelayProcess, people: People) -> None:
    assert (await people.rina.call("GET", "/v1/ops/alarms")).json() == {"alarms": []}
    none = await people.rina.call("POST", "/v1/ops/alarms/1-0/acknowledge", {"note": NOTE})
    problem(none, "not_found")
