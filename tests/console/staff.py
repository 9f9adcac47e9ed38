"""Operators as people: each with a browser of his own and an authenticator app."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pyotp
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright

from relay.core.casework import StaffScope
from relay.ops.actor import Actor
from tests.support.desk import desk_on
from tests.support.party import PATIENCE_S
from tests.support.relay import RelayProcess

DESKTOP = ViewportSize(width=1280, height=900)
PHONE = ViewportSize(width=360, height=740)
PASSWORD = "kuda besar makan rumput"

_FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_STEP_S = 30


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """The system's Chromium with a fresh profile."""
    program = next((found for name in _NAMES if (found := shutil.which(name))), None)
    assert program, "no Chromium on the PATH: `sh deploy/setup dev` installs one"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


class Person:
    """An operator at a browser."""

    def __init__(self, browser: Browser, url: str, name: str, scope: StaffScope) -> None:
        self.browser = browser
        self.url = url
        self.id = name
        self.scope = scope
        self.secret = ""
        self.context: BrowserContext = None  # type: ignore[assignment]
        self.page: Page = None  # type: ignore[assignment]
        self.problems: list[str] = []

    async def arrive(self, **options: Any) -> None:
        """Open a browser window with nothing in it."""
        self.context = await self.browser.new_context(
            **({"viewport": DESKTOP, "locale": "en-GB", "timezone_id": "Asia/Jakarta"} | options)
        )
        self.page = await self.context.new_page()
        self.page.set_default_timeout(PATIENCE_S * 1000)
        # A script or style that the policy stopped, and a script of ours that failed.
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on(
            "console",
            lambda line: (
                self.problems.append(line.text)
                if line.type == "error" and "Failed to load" not in line.text
                else None
            ),
        )

    async def leave(self) -> None:
        await self.context.close()
        assert self.problems == []

    async def go(self, path: str) -> None:
        await self.page.goto(self.url + path)

    async def enrol(self, code: str) -> None:
        """Set the account up, as the person does it."""
        await self.go("/ops/enrol")
        await self.page.get_by_label("One-time code").fill(code)
        await self.page.get_by_role("button", name="Continue").click()
        await self.page.get_by_text("Type it by hand").click()
        self.secret = (await self.page.locator("#secret").inner_text()).strip()
        await self.page.get_by_label("Password", exact=True).fill(PASSWORD)
        await self.page.get_by_label("The password again").fill(PASSWORD)
        await self.page.get_by_label("Code from your").fill(self.code())
        await self.page.get_by_role("button", name="Finish").click()
        await self.page.get_by_text("You are set up").wait_for()

    async def sign_in(self) -> None:
        """Sign in with the next code: the one before was used to enrol."""
        await self.page.get_by_label("Operator id").fill(self.id)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_label("Code from").fill(self.code(steps=1))
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.wait_for_url(re.compile(r"/ops($|/(?!sign-in))"))

    def code(self, steps: int = 0) -> str:
        """What the authenticator app shows, now or so many half minutes later. The relay takes one
        of a step around its own, so it is good for half a minute at least."""
        return pyotp.TOTP(self.secret).at(time.time() + steps * _STEP_S)


async def hire(
    relay: RelayProcess, browser: Browser, name: str, scope: StaffScope, **options: Any
) -> Person:
    """A new operator who has set the account up through the page, and signed in."""
    person = await enrolled(relay, browser, name, scope, **options)
    await person.sign_in()
    return person


async def enrolled(
    relay: RelayProcess, browser: Browser, name: str, scope: StaffScope, **options: Any
) -> Person:
    """A new operator who has set the account up, and has not signed in yet."""
    async with desk_on(relay) as desk:
        host = Actor("host:test", StaffScope.SUPERVISOR, "host")
        code = await desk.operators.add(host, name, f"Person {name}", scope)
    person = Person(browser, relay.api_url, name, scope)
    await person.arrive(**options)
    await person.enrol(code)
    return person


def screenshots() -> Path | None:
    """Where screenshots go, if anywhere."""
    folder = os.environ.get("RELAY_SCREENSHOTS")
    if not folder:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Path(folder)


async def serious(page: Page) -> list[str]:
    """What axe finds serious or critical on the page."""
    found = await Axe().run(page)
    return [
        f"{one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
    ]


async def unfold(page: Page, text: str) -> None:
    await page.locator("summary").filter(has_text=text).click()
