"""Who tries to get in, or to make somebody's browser act for him, gets nothing done."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import quote

import httpx2
import msgspec
import pyotp
import pytest
from playwright.async_api import Browser, expect

from relay.core.casework import StaffScope
from relay.ops.actor import Actor
from relay.rig.waiting import until
from tests.console.staff import PASSWORD, Person
from tests.console.trips import case_of, reported
from tests.support.desk import desk_on
from tests.support.relay import RelayProcess

SAME = {"sec-fetch-site": "same-origin"}
COOKIE = "__Host-relay-ops"
NUMBER = "081234567890"


@dataclass
class Staff:
    """An operator without a browser: a session's cookie and its token."""

    relay: RelayProcess
    id: str
    cookie: str
    token: str

    async def get(self, path: str, **headers: str) -> httpx2.Response:
        return await self.relay.http.get(
            self.relay.api_url + path, headers={"cookie": f"{COOKIE}={self.cookie}", **headers}
        )

    async def post(
        self, path: str, headers: dict[str, str] | None = None, **fields: str
    ) -> httpx2.Response:
        return await self.relay.http.post(
            self.relay.api_url + path, data={"csrf": self.token} | fields,
            headers={"cookie": f"{COOKIE}={self.cookie}", **(SAME if headers is None else headers)},
        )  # fmt: skip


async def hired(relay: RelayProcess, name: str, scope: StaffScope) -> Staff:
    """An operator, enrolled and signed in by the forms."""
    async with desk_on(relay) as desk:
        host = Actor("host:test", StaffScope.SUPERVISOR, "host")
        code = await desk.operators.add(host, name, f"Person {name}", scope)
        enrolment = await desk.operators.begin_enrolment(code)
        app = pyotp.TOTP(enrolment.totp_secret)
        await desk.operators.enrol(enrolment.ticket, PASSWORD, app.at(time.time()))
    answer = await relay.http.post(
        relay.api_url + "/ops/sign-in", headers=SAME,
        data={"operator": name, "password": PASSWORD, "code": app.at(time.time() + 30)},
    )  # fmt: skip
    assert answer.status_code == 303, answer.text
    found = re.fullmatch(
        rf"{COOKIE}=([^;]+); Path=/; Secure; HttpOnly; SameSite=Strict",
        answer.headers["set-cookie"],
    )
    assert found
    staff = Staff(relay, name, found[1], "")
    page = await staff.get("/ops")
    (staff.token,) = set(re.findall(r'name="csrf" value="([^"]+)"', page.text))
    return staff


@pytest.fixture(scope="module")
async def dewi(relay: RelayProcess) -> Staff:
    return await hired(relay, "dewi", StaffScope.AGENT)


@pytest.fixture(scope="module")
async def rani(relay: RelayProcess) -> Staff:
    return await hired(relay, "rani", StaffScope.SUPERVISOR)


async def is_open(relay: RelayProcess, trip: str) -> bool:
    return (await relay.call("GET", f"/v1/trips/{trip}")).json()["state"] == "open"


async def entries(relay: RelayProcess, actor: str) -> int:
    async with desk_on(relay) as desk:
        return len(await desk.audit.page(actor=actor, count=200))


CLOSE = {"reason": "fraud", "note": "a test"}


async def test_a_post_that_no_page_of_ones_own_sent_does_nothing(
    relay: RelayProcess, dewi: Staff, rani: Staff
) -> None:
    await relay.open_trip("csrf-1")
    path = "/ops/channels/csrf-1/close"
    written = await entries(relay, "dewi")
    tries = [
        ({}, {}),  # neither header: no browser of today
        ({"sec-fetch-site": "cross-site"}, {}),
        ({"sec-fetch-site": "same-site"}, {}),
        ({"sec-fetch-site": "none"}, {}),
        ({"origin": "https://evil.example"}, {}),
        ({"origin": "null"}, {}),
        (SAME, {"csrf": ""}),
        (SAME, {"csrf": rani.token}),  # another session's
        (SAME, {"csrf": dewi.token[:-1]}),
        (SAME, {"csrf": "\u00e9"}),
    ]
    for headers, fields in tries:
        answer = await dewi.post(path, dict(headers), **(CLOSE | fields))
        assert answer.status_code == 403, (headers, fields)
        assert "so nothing was done" in answer.text
    # A GET never does anything, nor does a form that is none.
    assert (await dewi.get(f"{path}?reason=fraud&note=x&csrf={dewi.token}")).status_code == 200
    assert (await dewi.get("/ops/sign-out")).status_code == 404
    answer = await relay.http.post(
        relay.api_url + path, json={"csrf": dewi.token, **CLOSE},
        headers={"cookie": f"{COOKIE}={dewi.cookie}", **SAME},
    )  # fmt: skip
    assert answer.status_code == 422
    assert await is_open(relay, "csrf-1")
    assert await entries(relay, "dewi") == written

    # An old browser that tells where it comes from only by Origin gets it done.
    answer = await dewi.post(path, {"origin": relay.api_url}, **CLOSE)
    assert answer.status_code == 303
    assert not await is_open(relay, "csrf-1")


async def test_a_foreign_page_in_the_same_browser_does_nothing(
    relay: RelayProcess, browser: Browser
) -> None:
    """A real page of another origin, on the same machine, while somebody is signed in."""
    await relay.open_trip("foreign-1")
    person = await _at_a_browser(relay, browser)
    await person.go("/ops")
    token = await person.page.locator('input[name="csrf"]').first.input_value()
    form = (
        f'<form method="post" action="{relay.api_url}/ops/channels/foreign-1/close">'
        f'<input name="csrf" value="{token}"><input name="reason" value="fraud">'
        f'<input name="note" value="x"></form><iframe src="{relay.api_url}/ops"></iframe>'
        "<script>document.forms[0].submit()</script>"
    )
    async with _site(form) as url:
        await person.page.goto(url)
        await expect(person.page.get_by_text("so nothing was done")).to_be_visible()
    assert await is_open(relay, "foreign-1")
    # A link from elsewhere to a page of ours finds the person signed in all the same.
    async with _site(f'<a href="{relay.api_url}/ops/account">go</a>') as url:
        await person.page.goto(url)
        await person.page.get_by_role("link", name="go").click()
        await expect(person.page.get_by_role("heading", name="Your account")).to_be_visible()


async def _at_a_browser(relay: RelayProcess, browser: Browser) -> Person:
    staff = await hired(relay, "foreign", StaffScope.AGENT)
    person = Person(browser, relay.api_url, "foreign", StaffScope.AGENT)
    await person.arrive()
    await person.context.add_cookies(
        [{"name": COOKIE, "value": staff.cookie, "url": relay.api_url.replace("http", "https"),
          "secure": True, "httpOnly": True, "sameSite": "Strict"}]
    )  # fmt: skip
    return person


@asynccontextmanager
async def _site(html: str) -> AsyncIterator[str]:
    """Another origin that serves one page."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = html.encode()
        head = f"content-type: text/html\r\nconnection: close\r\ncontent-length: {len(body)}"
        writer.write(f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}/"


async def test_a_cookie_that_is_forged_or_was_signed_out_opens_nothing(
    relay: RelayProcess,
) -> None:
    staff = await hired(relay, "tono", StaffScope.AGENT)
    good = staff.cookie
    for bad in ("", "x", good[:-1], good[1:], good + "A", good.swapcase(), "\u20ac", "a=b; c"):
        staff.cookie = quote(bad) if not bad.isascii() else bad
        answer = await staff.get("/ops")
        assert answer.status_code == 303, bad
        assert answer.headers["location"].startswith("/ops/sign-in")
        assert (await staff.get("/ops/list")).status_code == 401
    staff.cookie = good
    assert (await staff.get("/ops")).status_code == 200
    assert (await staff.post("/ops/sign-out")).status_code == 303
    assert (await staff.get("/ops")).status_code == 303
    assert (await staff.post("/ops/account", locale="id")).status_code == 303


async def test_an_agent_sees_nothing_that_is_for_supervisors(
    relay: RelayProcess, dewi: Staff
) -> None:
    await relay.open_trip("agent-1")
    for path in ("/ops/audit", "/ops/alarms"):
        answer = await dewi.get(path)
        assert answer.status_code == 403
        assert "for supervisors" in answer.text
    for path, fields in {
        "/ops/audit/verify": {}, "/ops/audit/export": {}, "/ops/alarms": {"alarm": "1"},
        "/ops/channels/agent-1/hold": {"days": "3", "note": "x"},
        "/ops/channels/agent-1/release": {"note": "x"},
    }.items():  # fmt: skip
        assert (await dewi.post(path, **fields)).status_code == 403, path
    assert "/ops/audit" not in (await dewi.get("/ops")).text
    # Without a case there is no sanction by an agent.
    answer = await dewi.post("/ops/parties/drv-1/impose", kind="suspend", reason="fraud", hours="1")
    assert answer.status_code == 403


async def test_what_is_typed_comes_back_in_no_error_and_no_log(
    relay: RelayProcess, dewi: Staff
) -> None:
    await relay.open_trip("echo-1")
    answer = await dewi.post(
        "/ops/channels/echo-1/close", reason="fraud", note=f"call him at {NUMBER}"
    )
    assert answer.status_code == 422
    assert NUMBER not in answer.text
    assert "seems to hold a phone number" in answer.text
    assert await is_open(relay, "echo-1")
    for path in (f"/ops/channels/{NUMBER}x/close", f"/ops/parties/{NUMBER}%20", f"/ops/{NUMBER}"):
        answer = await dewi.get(path)
        assert answer.status_code == 404
        assert NUMBER not in answer.text
    for answer in (
        await dewi.post("/ops/channels/echo-1/close", reason=NUMBER, note="x"),
        await dewi.post("/ops/cases/c1-00000000/close", result=NUMBER),
        await dewi.post("/ops/parties/drv-1/impose", kind=NUMBER, reason=NUMBER),
        await relay.http.post(
            relay.api_url + "/ops/sign-in", headers=SAME,
            data={"operator": NUMBER, "password": NUMBER, "code": NUMBER},
        ),
        await relay.http.post(
            relay.api_url + "/ops/enrol", headers=SAME, data={"enrolment": NUMBER}
        ),
    ):  # fmt: skip
        assert answer.status_code in (403, 404, 422), answer.status_code
        assert NUMBER not in answer.text
    assert NUMBER not in relay.log.read_text()
    # A form beyond all measure is not read to its end.
    answer = await dewi.post("/ops/channels/echo-1/close", note="x" * 200_000)
    assert answer.status_code == 422


async def test_where_the_sign_in_leads_is_ours(relay: RelayProcess) -> None:
    for wanted in (
        "https://evil.example/",
        "//evil.example",
        "/\\evil",
        "/ops/../v1",
        "/ops/%2e%2e/v1",
        "/opsx",
    ):
        page = await relay.http.get(f"{relay.api_url}/ops/sign-in?next={quote(wanted, safe='')}")
        assert 'name="next" value=""' in page.text, wanted
    page = await relay.http.get(f"{relay.api_url}/ops/sign-in?next=%2Fops%2Fcases%2Fc1-00000000")
    assert 'name="next" value="/ops/cases/c1-00000000"' in page.text


async def test_every_answer_is_guarded_and_pages_are_kept_nowhere(
    relay: RelayProcess, dewi: Staff
) -> None:
    page = await dewi.get("/ops")
    statics = re.findall(r'(?:src|href)="(/ops/static/[^"]+)"', page.text)
    assert len(set(statics)) == 3
    paths = ["/ops", "/ops/sign-in", "/ops/nothing", "/ops/list", "/ops/account", *set(statics)]
    for path in paths:
        headers = (await dewi.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        kept = headers["cache-control"]
        assert ("immutable" in kept) if path in statics else (kept == "no-store"), path
    assert " style=" not in page.text and "<style" not in page.text
    assert not re.search(r"<script(?! type=\"module\" async src=)|\son\w+=", page.text)
    stale = re.sub(r"/static/\w+/", "/static/000000000000/", statics[0])
    assert (await dewi.get(stale)).status_code == 404


async def test_a_page_that_asks_by_itself_keeps_nobody_signed_in(relay: RelayProcess) -> None:
    staff = await hired(relay, "lia", StaffScope.AGENT)
    async with relay.redis() as redis:
        (digest,) = await redis.zrange("relay:sessions:lia", 0, -1)
        key = b"relay:session:" + digest
        before = msgspec.json.decode(await redis.get(key))
        before["seen_at"] -= 60_000
        await redis.set(key, msgspec.json.encode(before), keepttl=True)
        for path in ("/ops/list", "/ops/bell", "/ops/cases/list"):
            assert (await staff.get(path)).status_code == 200
        assert msgspec.json.decode(await redis.get(key)) == before
        assert (await staff.get("/ops")).status_code == 200
        assert msgspec.json.decode(await redis.get(key))["seen_at"] > before["seen_at"]


async def test_a_store_that_is_away_is_said_so_and_comes_back(relay: RelayProcess) -> None:
    staff = await hired(relay, "budi", StaffScope.AGENT)
    async with stopped_store(relay):
        answer = await staff.get("/ops")
        assert answer.status_code == 503
        assert "store does not answer" in answer.text
        assert (await staff.get("/ops/list")).status_code == 503
    await until(lambda: _answers(staff), "the console is back")


async def _answers(staff: Staff) -> bool:
    return (await staff.get("/ops")).status_code == 200


@asynccontextmanager
async def stopped_store(relay: RelayProcess) -> AsyncIterator[None]:
    """A store that hangs."""
    pid = relay.store_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_what_is_allowed_is_what_the_page_has_shown(
    relay: RelayProcess, dewi: Staff, rani: Staff
) -> None:
    """Between the page and the click the case goes to another, who asks for another reason."""
    agus = await hired(relay, "agus", StaffScope.AGENT)
    sari = await hired(relay, "sari", StaffScope.SUPERVISOR)
    await reported(relay, "asked-1")
    one = f"/ops/cases/{await case_of(relay, 'asked-1')}"
    await dewi.post(one + "/take")
    await dewi.post(one + "/widen", note="it may have begun earlier")
    page = (await rani.get(one)).text
    assert "it may have begun earlier" in page
    form = page.partition(f'action="{one}/approve"')[2].partition("</form>")[0]
    fields = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form))
    await sari.post(one + "/give", to="agus")
    await agus.post(one + "/widen", note="for myself")
    answer = await rani.post(one + "/approve", **fields)
    assert answer.status_code == 409
    assert (await agus.post(one + "/wide", purpose="assess_report")).status_code == 403
