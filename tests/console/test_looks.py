"""Every page at a desk and on a phone, in the light and in the dark.

With `RELAY_SCREENSHOTS` set to a folder, pictures of all of them go there, for people to look at.
"""

from __future__ import annotations

from playwright.async_api import Browser, Page

from relay.core.casework import StaffScope
from relay.ops.actor import Actor
from tests.console.staff import DESKTOP, PHONE, Person, screenshots, serious, unfold
from tests.console.trips import MARKUP, case_of, reported
from tests.support.desk import desk_on
from tests.support.relay import RelayProcess


async def test_every_page_in_both_schemes_and_widths(
    relay: RelayProcess, rani: Person, browser: Browser
) -> None:
    """axe finds nothing serious, nothing scrolls sideways; screenshots for people to look at."""
    long_id = "trip-" + "x" * 50
    await reported(relay, long_id, driver={"party_id": "drv-" + "y" * 50,
                   "phone": "+6281234567890", "alias": MARKUP})  # fmt: skip
    await reported(relay, "look-2", "harassment")
    await reported(relay, "look-3", "asked_contact")
    case = await case_of(relay, long_id)
    page = rani.page
    await rani.go(f"/ops/cases/{case}")
    await sent(page, "Take this case")
    await rani.go(f"/ops/channels/{long_id}")
    await unfold(page, "Place a hold")
    await page.locator("#hold-note").fill("asked for by the police, with a paper of the court")
    await sent(page, "Place a hold")
    await rani.go(f"/ops/parties/drv-{'y' * 50}")
    await unfold(page, "Impose a sanction")
    await page.locator("#sanction-note").fill("he was told twice before")
    await sent(page, "Impose a sanction")

    async with desk_on(relay) as desk:
        budi = Actor("budi", StaffScope.AGENT, "console")
        for number in range(4):
            await desk.watch.evidence_read(budi, f"c1-0000000{number}", ["cus-1"])
            await desk.watch.evidence_read(budi, case, ["cus-1"])

    async def read() -> None:
        await rani.go(f"/ops/cases/{case}")
        await sent(page, "Read the evidence")

    found = []
    for name, path in {
        "channels": "/ops", "channels-none": "/ops?search=nothing-here",
        "channel": f"/ops/channels/{long_id}", "close": f"/ops/channels/{long_id}/close",
        "cases": "/ops/cases", "case": f"/ops/cases/{case}", "evidence": "",
        "party": f"/ops/parties/drv-{'y' * 50}", "audit": "/ops/audit", "alarms": "/ops/alarms",
        "account": "/ops/account", "failed": "/ops/cases/c1-00000000",
    }.items():  # fmt: skip
        await (rani.go(path) if path else read())
        found += await looked_at(page, name)
    await relay.open_trip("look-4")
    await rani.go(f"/ops/cases/{case}")
    await unfold(page, "Ask to read more")
    await page.locator("#widen-note").fill("it may have begun earlier, on the way there")
    await sent(page, "Ask to read more")
    found += await looked_at(page, "case-asked")
    await rani.go("/ops")
    await page.get_by_role("button", name="Select all shown").click()
    await sent(page, "Close selected")
    await page.get_by_label("Technical").check()
    await page.get_by_label("Note").fill("the map was down")
    found += await looked_at(page, "close-several")
    await sent(page, "channels now")
    await page.get_by_text("Done. Closed").wait_for()
    found += await looked_at(page, "closing")
    stranger = Person(browser, relay.api_url, "nobody", StaffScope.AGENT)
    await stranger.arrive()
    for name in ("sign-in", "enrol"):
        await stranger.go(f"/ops/{name}")
        found += await looked_at(stranger.page, name)
    async with desk_on(relay) as desk:
        host = Actor("host:test", StaffScope.SUPERVISOR, "host")
        code = await desk.operators.add(host, "sari", "Sari", StaffScope.AGENT)
    await stranger.page.get_by_label("One-time code").fill(code)
    await sent(stranger.page, "Continue")
    found += await looked_at(stranger.page, "enrol-2")
    await stranger.leave()
    assert found == []


async def sent(page: Page, button: str) -> None:
    """Press a form's button; wait for the page that answers."""
    async with page.expect_navigation():
        await page.get_by_role("button", name=button).click()


async def looked_at(page: Page, name: str) -> list[str]:
    """What is wrong with the page that is shown, at a desk in the light and on a phone at night."""
    wrong, folder = [], screenshots()
    for size, scheme in ((DESKTOP, "light"), (PHONE, "dark"), (DESKTOP, "dark"), (PHONE, "light")):
        await page.set_viewport_size(size)
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        too_wide = await page.evaluate(_TOO_WIDE)
        if too_wide:
            wrong.append(f"{name} at {size['width']} px scrolls sideways: {too_wide}")
        if (size, scheme) in ((DESKTOP, "light"), (PHONE, "dark")):
            wrong += [f"{name}, {scheme}: {one}" for one in await serious(page)]
        if folder and (size is PHONE) != (scheme == "light"):
            shot = folder / f"{name}-{size['width']}-{scheme}.png"
            await page.screenshot(path=shot, full_page=True)
    await page.set_viewport_size(DESKTOP)
    return wrong


_TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return "";
  return [...document.querySelectorAll("main *")].filter(
    (one) => one.getBoundingClientRect().right > width + 1).slice(0, 3).map(
    (one) => one.outerHTML.slice(0, 120)).join(" | ") || "something";
}"""
