"""Every form that the console's pages show does what it says, as a browser without scripts sends it."""

from __future__ import annotations

import asyncio
import html
import re
import time
from collections.abc import AsyncIterator

import pyotp
import pytest

from relay.core.casework import StaffScope
from relay.ops.actor import Actor
from relay.ops.desk import Desk
from tests.console.trips import case_of, reported
from tests.support.desk import PASSWORD, Visitor, desk_on, visitor
from tests.support.relay import RelayProcess

_STEP_S = 30
_HOST = Actor("host:test", StaffScope.SUPERVISOR, "host")


@pytest.fixture(scope="module")
async def desk(relay: RelayProcess) -> AsyncIterator[Desk]:
    async with desk_on(relay) as found:
        yield found


@pytest.fixture(scope="module")
async def ayu(relay: RelayProcess, desk: Desk) -> Visitor:
    return await visitor(relay, desk, "ayu", "agent")


@pytest.fixture(scope="module")
async def budi(relay: RelayProcess, desk: Desk) -> Visitor:
    return await visitor(relay, desk, "budi", "agent")


@pytest.fixture(scope="module")
async def rina(relay: RelayProcess, desk: Desk) -> Visitor:
    return await visitor(relay, desk, "rina", "supervisor")


async def send(who: Visitor, page: str, action: str, **typed: str) -> str:
    """Fill in a form that a page shows, and send it; give the page that answers."""
    text = (await who.get(page)).text
    form = re.search(rf'<form[^>]* action="{re.escape(action)}".*?</form>', text, re.DOTALL)
    assert form is not None, f"{page} shows no form for {action}"
    for name in typed:
        assert f'name="{name}"' in form[0], f"the form of {action} asks for no {name}"
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form[0]))
    fields = {name: html.unescape(value) for name, value in hidden.items()} | typed
    answer = await who.post(action, **fields)
    assert answer.status_code == 303, answer.text
    return (await who.get(answer.headers["location"])).text


async def test_a_case_goes_through_the_hands_of_three(
    relay: RelayProcess, desk: Desk, ayu: Visitor, budi: Visitor, rina: Visitor
) -> None:
    await reported(relay, "forms-1")
    case = await case_of(relay, "forms-1")
    one = f"/ops/cases/{case}"

    async def state() -> tuple[str, str]:
        found = await desk.cases.detail(case)
        assert found is not None
        return found.row.state.value, found.row.assignee

    await send(rina, one, one + "/give", to="ayu")
    assert await state() == ("assigned", "ayu")
    assert "called the driver" in await send(ayu, one, one + "/note", note="called the driver")
    shown = await send(ayu, one, one + "/hand-over", to="budi", note="back at nine")
    assert "back at nine" in shown and await state() == ("assigned", "budi")
    await send(budi, one, one + "/close", result="unproven:not_enough", note="")
    assert await state() == ("closed", "budi")
    shown = await send(rina, one, one + "/reopen", note="he sent a picture")
    assert "he sent a picture" in shown and await state() == ("new", "")
    acts = [entry.act for entry in await desk.audit.page(case=case)]
    assert acts == ["case.reopen", "case.close", "case.handover", "case.note", "case.assign"]


async def test_a_sanction_is_appealed_decided_and_lifted(
    relay: RelayProcess, desk: Desk, ayu: Visitor, rina: Visitor
) -> None:
    driver = {"party_id": "drv-forms", "phone": "+6281234567890", "alias": "Budi"}
    await reported(relay, "forms-2", driver=driver)
    case = f"/ops/cases/{await case_of(relay, 'forms-2')}"
    party = "/ops/parties/drv-forms"
    await send(ayu, case, case + "/take")
    await send(ayu, case, party + "/impose", kind="mute", reason="threat", hours="24", note="")
    (mute,) = await desk.sanctions.of("drv-forms")
    assert (mute.by, mute.kind.value, mute.lifted_at) == ("ayu", "mute", None)
    shown = await send(ayu, party, party + "/appeal", note="he says it was a song")
    assert "he says it was a song" in shown
    await send(rina, party, party + "/decide", decision="lifted", note="it was one")
    (mute,) = await desk.sanctions.of("drv-forms")
    assert (mute.appeal, mute.lifted_at is not None) == ("lifted", True)

    await send(rina, party, party + "/impose", kind="suspend", reason="fraud", hours="", note="x")
    await send(rina, party, party + "/lift", note="the wrong one")
    assert all(sanction.lifted_at for sanction in await desk.sanctions.of("drv-forms"))
    assert (await relay.open("forms-3", driver=driver)).status_code == 201


async def test_a_hold_is_placed_and_released(
    relay: RelayProcess, desk: Desk, rina: Visitor
) -> None:
    await relay.open_trip("forms-4")
    one = "/ops/channels/forms-4"
    await send(rina, one, one + "/hold", days="3", note="the police asks")
    (hold,) = await desk.holds.listed()
    assert (hold.trip, hold.note) == ("forms-4", "the police asks")
    await send(rina, one, one + "/release", note="it has what it needs")
    assert await desk.holds.listed() == []


async def test_other_sessions_are_ended(relay: RelayProcess, desk: Desk) -> None:
    code = await desk.operators.add(_HOST, "tari", "Tari", StaffScope.AGENT)
    ticket = await desk.operators.begin_enrolment(code)
    app = pyotp.TOTP(ticket.totp_secret)
    left_s = _STEP_S - time.time() % _STEP_S
    if left_s < 8:
        await asyncio.sleep(left_s)  # codes are taken once, so three of them are used in a row
    now_s = int(time.time())
    await desk.operators.enrol(ticket.ticket, PASSWORD, app.at(now_s - _STEP_S))
    first, second = [
        Visitor("tari", one.cookie, one.session.csrf, relay)
        for one in (
            await desk.sessions.sign_in("tari", PASSWORD, app.at(now_s), "127.0.0.1"),
            await desk.sessions.sign_in("tari", PASSWORD, app.at(now_s + _STEP_S), "127.0.0.1"),
        )
    ]
    assert [(await one.get("/ops")).status_code for one in (first, second)] == [200, 200]
    shown = await send(second, "/ops/account", "/ops/account/others")
    assert [(await one.get("/ops")).status_code for one in (first, second)] == [303, 200]
    assert "/ops/account/others" not in shown  # there are none any more
