"""What comes to the console's addresses from who is no page of ours, without a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from relay.ops.desk import Desk
from tests.support.desk import Visitor, desk_on, visitor
from tests.support.relay import RelayProcess
from tests.support.staff import hired

NUMBER = "+6281234567890"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture(scope="module")
async def desk(relay: RelayProcess) -> AsyncIterator[Desk]:
    async with desk_on(relay) as found:
        yield found


@pytest.fixture(scope="module")
async def supervisor(relay: RelayProcess, desk: Desk) -> Visitor:
    return await visitor(relay, desk, "rina", "supervisor")


async def sign_in(relay: RelayProcess, operator: str, **headers: str) -> httpx2.Response:
    fields = f"operator={operator}&password=x&code=123456"
    url = relay.api_url + "/ops/sign-in"
    sent: Any = FORM | {"Sec-Fetch-Site": "same-origin"} | headers
    return await relay.http.request("POST", url, content=fields, headers=sent)


async def test_what_no_list_has_is_not_written_down(
    relay: RelayProcess, desk: Desk, supervisor: Visitor
) -> None:
    """Nobody puts words or numbers of his own into the audit log by naming what is not there."""
    script = await hired(relay, "sinta", "supervisor")
    for text in (f"call {NUMBER}\nx", "x" * 60_000):
        assert (await supervisor.post("/ops/alarms", alarm=text, note="")).status_code == 404
    answer = await script.call(
        "POST", f"/v1/ops/alarms/call {NUMBER[1:]}/acknowledge", {"note": "done"}
    )
    assert answer.status_code == 404
    for path in (f"/ops/channels/{NUMBER[1:]}/close",):
        assert (await supervisor.post(path, reason="safety", note="as told")).status_code == 404
    trips = [NUMBER[1:]]
    answer = await script.call(
        "POST", "/v1/ops/closings", {"trips": trips, "reason": "safety", "note": "as told"}
    )
    assert "not_found" in answer.text
    entries = await desk.audit.page(count=500)
    assert NUMBER[1:] not in str(entries) and "x" * 100 not in str(entries)


async def test_nobody_says_of_himself_where_he_comes_from(own_relay: RelayProcess) -> None:
    """Else the log held what he liked, and each wrong sign-in came from another address.

    It locks this machine's address out, so nobody else signs in at that relay.
    """
    answers = [
        await sign_in(own_relay, f"nobody{number}", **{"X-Forwarded-For": f"10.0.0.{number}"})
        for number in range(51)
    ]
    assert answers[-1].status_code == 423
    await sign_in(own_relay, "somebody", **{"X-Forwarded-For": f"call {NUMBER} <b>"})
    async with desk_on(own_relay) as desk:
        failed = await desk.audit.page(count=500, act="signin.failed")
    addresses = {entry.address for entry in failed}
    assert addresses == {"127.0.0.1"}


@pytest.mark.parametrize("origin", ["http://[", "null", "http://evil.example", ""])
async def test_an_origin_that_is_not_ours_is_refused_in_plain_words(
    relay: RelayProcess, origin: str
) -> None:
    url = relay.api_url + "/ops/sign-in"
    answer = await relay.http.request(
        "POST", url, content="operator=ayu", headers=FORM | {"Origin": origin}
    )
    assert answer.status_code == 403 and "nothing was done" in answer.text
