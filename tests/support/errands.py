"""A bit of everything that a relay does, as its users have it done."""

from __future__ import annotations

from relay.rig.waiting import until

from .desk import desk_on, visitor
from .party import JSON, Party
from .relay import CUSTOMER_PHONE, RelayProcess
from .staff import hired

_NOTE = "as agreed at the morning hand-over"


async def trips(platform: RelayProcess) -> None:
    tokens = await platform.open_trip("right", retention_s=1, report_window_s=3600)
    driver = await Party.attach(platform.gateway_url, tokens["driver"])
    customer = await Party.attach(platform.gateway_url, tokens["customer"], JSON)
    await driver.accepted("payung merah di depan warung")
    await driver.accepted(f"hubungi saya di {CUSTOMER_PHONE}")
    told = await customer.hear("message", text="payung merah di depan warung")
    await customer.say("got", pos=told["pos"])
    item = {name: told[name] for name in ("pos", "id", "from", "text", "tag")} | {"epoch": 1}
    await customer.say("report", id="r1", category="threat", note="takut", items=[item])
    await customer.hear("reported", id="r1")
    again = {"party_id": "drv-2", "phone": "+6281298765432", "alias": "Dodi"}
    for method, path, body in (
        ("GET", "/v1/trips", None),
        ("GET", "/v1/trips/right", None),
        ("PATCH", "/v1/trips/right", {"allow": ["B 1234 XYZ"]}),
        ("POST", "/v1/trips/right/parties/customer/token", {"party_id": "cus-1"}),
        ("PUT", "/v1/trips/right/parties/driver", {"epoch": 1} | again),
        ("POST", "/v1/trips/right/end", {"grace_s": 1}),
    ):
        answer = await platform.call(method, path, body)
        assert answer.status_code in (200, 201), (path, answer.text)
    alone = {"party_id": "cus-9", "phone": CUSTOMER_PHONE, "alias": "Sari"}
    await platform.open_trip("short", max_duration_s=1, retention_s=3600, customer=alone)
    for trip in ("right", "short"):
        await until(lambda trip=trip: _is_closed(platform, trip), f"{trip} is closed", 15)
    events = (await platform.call("GET", "/v1/events")).json()["events"]
    ids = [event["id"] for event in events]
    answer = await platform.call("POST", "/v1/events/ack", {"ids": ids[:100]})
    assert answer.status_code == 200, answer.text


async def _is_closed(platform: RelayProcess, trip: str) -> bool:
    return bool((await platform.call("GET", f"/v1/trips/{trip}")).json()["state"] == "closed")


async def operators(platform: RelayProcess) -> None:
    await platform.open_trip("by-hand", retention_s=3600)
    async with desk_on(platform) as desk:
        agent = await visitor(platform, desk, "ayu", "agent")
        await visitor(platform, desk, "sri", "supervisor")
        (row, *_) = (await desk.cases.queue()).rows
    script = await hired(platform, "tono", "supervisor")
    for path in ("/ops", "/ops/channels/by-hand", "/ops/cases", f"/ops/cases/{row.id}"):
        assert (await agent.get(path)).status_code == 200, path
    assert (await agent.post(f"/ops/cases/{row.id}/take")).status_code == 303
    read = await agent.post(f"/ops/cases/{row.id}/evidence", purpose="assess_report")
    assert read.status_code == 200 and "payung merah" in read.text
    wrong = await agent.post("/ops/sign-in", operator="ayu", password="x" * 12, code="123456")
    assert wrong.status_code < 500
    sanction = {"kind": "suspend", "reason": "fraud", "hours": 2, "note": _NOTE}
    until_ms = (await platform.call("GET", "/v1/trips/by-hand")).json()["deadline"] + 86_400_000
    for method, path, body in (
        ("GET", "/v1/ops/channels", None),
        ("GET", "/v1/ops/channels/by-hand", None),
        ("GET", "/v1/ops/cases", None),
        ("POST", f"/v1/ops/cases/{row.id}/notes", {"note": _NOTE}),
        ("POST", "/v1/ops/parties/drv-1/sanctions", sanction),
        ("GET", "/v1/ops/parties/drv-1/sanctions", None),
        ("GET", "/v1/ops/sanctions", None),
        ("PUT", "/v1/ops/holds/by-hand", {"until": until_ms, "note": _NOTE}),
        ("GET", "/v1/ops/holds", None),
        ("POST", "/v1/ops/channels/by-hand/close", {"reason": "fraud", "note": _NOTE}),
        ("POST", "/v1/ops/holds/by-hand/release", {"note": _NOTE}),
        ("GET", "/v1/ops/audit", None),
        ("GET", "/v1/ops/alarms", None),
    ):
        answer = await script.call(method, path, body)
        assert answer.status_code in (200, 201), (path, answer.text)
