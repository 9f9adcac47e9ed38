"""The operators' work in a real browser, on a real relay."""

from __future__ import annotations

import re
from typing import Any

from playwright.async_api import Browser, Page, Route, expect

from relay.core.casework import StaffScope
from tests.console.staff import PASSWORD, Person, enrolled, hire, unfold
from tests.console.trips import MARKUP, THREAT, case_of, pair, reported
from tests.support.party import Party
from tests.support.relay import RelayProcess

NOTE = "He wrote <script>alert(1)</script> & more"


def row(page: Page, trip: str) -> Any:
    return page.locator(f'tr[data-key="{trip}"]')


# --- channels -------------------------------------------------------------------------------------


async def test_an_agent_finds_a_channel_and_closes_it(relay: RelayProcess, dewi: Person) -> None:
    party = {"party_id": "drv-find", "phone": "+6281234567890", "alias": MARKUP}
    driver, customer = await pair(relay, "find-1", driver=party)
    page = dewi.page
    await dewi.go("/ops")
    await page.get_by_label("Trip or party id").fill("drv-find")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.get_by_text(MARKUP)).to_be_visible()  # as text, not as an element
    await page.get_by_role("link", name="See the party of this id").click()
    await expect(page.get_by_role("heading", name="Party drv-find")).to_be_visible()
    await page.get_by_role("link", name="find-1").click()
    await expect(page.get_by_text("online", exact=True)).to_have_count(2)

    await page.get_by_role("link", name="Close by hand").click()
    await expect(page.get_by_text("A close can't be undone")).to_be_visible()
    await page.get_by_label("Harassment").check()
    await page.get_by_label("Note").fill(NOTE)
    await page.get_by_role("button", name="Close the channel now").click()
    await expect(page.get_by_text("The channel is closed. Both were told")).to_be_visible()
    await expect(page.get_by_text("the platform opens a new trip")).to_be_visible()
    await expect(page.get_by_text("operator: Harassment")).to_be_visible()
    for one in (driver, customer):
        assert (await one.hear("closed", within_s=1.0))["reason"] == "closed"

    await dewi.go("/ops/channels/find-1/close")  # what is closed has nothing to confirm
    assert page.url.endswith("/ops/channels/find-1")


async def test_the_list_keeps_itself_up_to_date(relay: RelayProcess, dewi: Person) -> None:
    for number in range(30):
        await relay.open_trip(f"live-{number:02}")
    page = dewi.page
    await dewi.go("/ops")
    await row(page, "live-03").locator("input").check()
    focused = row(page, "live-05").get_by_role("link", name="live-05")
    await focused.focus()
    await page.evaluate("scrollTo(0, 500)")
    seen = row(page, "live-22")
    top = (await seen.bounding_box() or {})["y"]
    assert 0 < top < 800
    await relay.open_trip("live-new")
    await relay.end_trip("live-20")
    await expect(row(page, "live-new")).to_be_attached()
    await expect(row(page, "live-20")).not_to_be_attached()
    assert await page.evaluate("document.activeElement.textContent") == "live-05"
    await expect(row(page, "live-03").locator("input")).to_be_checked()
    await expect(page.get_by_text("1 selected")).to_be_visible()
    assert abs((await seen.bounding_box() or {})["y"] - top) < 2

    # The row on which somebody stands goes away: the next one is his.
    await relay.end_trip("live-05")
    await expect(row(page, "live-05")).not_to_be_attached()
    assert await page.evaluate("!!document.activeElement.closest('tr')")

    await page.get_by_role("button", name="Pause updates").click()
    await relay.end_trip("live-04")
    await dewi.context.set_offline(True)
    await expect(page.get_by_text("The relay does not answer")).to_be_visible()
    await dewi.context.set_offline(False)
    await expect(page.get_by_text("The relay does not answer")).not_to_be_visible(timeout=6000)
    await expect(row(page, "live-04")).to_be_attached()
    await page.get_by_role("button", name="Pause updates").click()
    await expect(row(page, "live-04")).not_to_be_attached()


async def test_several_are_closed_with_progress(relay: RelayProcess, dewi: Person) -> None:
    for number in range(60):
        await relay.open_trip(f"many-{number:02}")
    page = dewi.page
    await dewi.go("/ops?rows=100")
    await page.get_by_role("button", name="Select all shown").click()
    await page.get_by_role("button", name="Close selected").click()
    await expect(page.get_by_text("You may close 50 channels at once")).to_be_visible()

    await dewi.go("/ops")
    for number in (57, 58, 59):
        await row(page, f"many-{number}").locator("input").check()
    await relay.end_trip("many-58")
    await page.get_by_role("button", name="Close selected").click()
    await page.get_by_label("Technical").check()
    await page.get_by_label("Note").fill("the map was down")
    await page.get_by_role("button", name="Close 3 channels now").click()
    await expect(page.get_by_text("Done. Closed: 2. Closed before: 1.")).to_be_visible()
    assert await page.locator("progress").evaluate("bar => bar.value") == 3
    for number in (57, 59):
        assert (await relay.call("GET", f"/v1/trips/many-{number}")).json()["state"] == "closed"


# --- cases ----------------------------------------------------------------------------------------


async def test_a_case_is_worked_and_a_second_person_allows_more(
    relay: RelayProcess, dewi: Person, rani: Person
) -> None:
    page, second = dewi.page, rani.page
    await dewi.go("/ops/account")
    await rani.go("/ops/account")
    driver, _ = await reported(
        relay, "case-1", driver={"party_id": "drv-case", "phone": "+6281234567890", "alias": "Budi"}
    )
    # Whatever page they are on, it says so at once.
    await expect(page.get_by_text("threats that nobody has taken up: 1")).to_be_visible()
    await expect(second.get_by_text("threats that nobody has taken up: 1")).to_be_visible()

    await page.get_by_role("link", name="Open the most urgent").click()
    await expect(page.get_by_text("Only the person who has the case")).to_be_visible()
    await page.get_by_role("button", name="Take this case").click()
    await expect(page.get_by_text("The case is yours.")).to_be_visible()
    await expect(page.get_by_text("threats that nobody has taken up")).not_to_be_visible()
    case = page.url.partition("?")[0].rpartition("/")[2]

    await page.get_by_label("Why do you read it?").select_option("assess_report")
    await page.get_by_role("button", name="Read the evidence").click()
    await expect(page.get_by_text("dia mengancam")).to_be_visible()
    meant = page.locator("li.meant")
    await expect(meant.get_by_text(THREAT)).to_be_visible()
    await expect(page.get_by_text("proven", exact=True)).to_be_visible()
    await expect(page.get_by_text("saya di lobi")).to_be_visible()

    await page.get_by_role("link", name="Back to the case").click()
    await unfold(page, "Ask to read more")
    await page.locator("#widen-note").fill("it may have begun earlier")
    await page.get_by_role("button", name="Ask to read more").click()
    await expect(page.get_by_text("Asked. A supervisor has ten minutes")).to_be_visible()
    await expect(page.get_by_role("button", name="Allow it")).to_have_count(0)  # not one's own
    await rani.go(f"/ops/cases/{case}")
    await expect(second.get_by_text("it may have begun earlier")).to_be_visible()
    await second.get_by_role("button", name="Allow it for ten minutes").click()
    await expect(second.get_by_text("Allowed for ten minutes.")).to_be_visible()
    await expect(second.get_by_role("button", name="Read the whole")).to_have_count(0)
    await page.reload()
    await page.get_by_role("button", name="Read the whole conversation").click()
    await expect(page.get_by_text("jangan begitu")).to_be_visible()
    await page.get_by_role("link", name="Back to the case").click()

    await unfold(page, "Impose a sanction")
    await page.get_by_label("Sanction", exact=True).select_option("mute")
    await page.get_by_label("Hours").fill("24")
    await page.get_by_role("button", name="Impose a sanction").click()
    await expect(page.get_by_text("The sanction is in force.")).to_be_visible()
    await expect(page.get_by_text("Mute", exact=True)).to_be_visible()
    assert (await refusal(driver))["code"] == "muted"

    await dewi.go(f"/ops/cases/{case}")
    await unfold(page, "Close the case")
    await page.get_by_label("Upheld").first.check()
    await page.get_by_role("button", name="Close the case").click()
    await expect(page.get_by_text("The case is closed; the platform")).to_be_visible()

    await rani.go(f"/ops/audit?case={case}")
    acts = await second.locator("td[data-label=Act]").all_inner_texts()
    assert [act.strip() for act in acts] == [
        "closed a case", "imposed a sanction", "read the whole conversation",
        "allowed reading more", "asked to read more", "read evidence", "assigned a case",
    ]  # fmt: skip
    await second.get_by_role("button", name="Verify the log").click()
    await expect(second.get_by_text("The log is whole")).to_be_visible()
    async with second.expect_download() as download:
        await second.get_by_role("button", name="Export").click()
    assert (await (await download.value).path()).read_bytes().count(b"\n") > 10


async def refusal(party: Party) -> dict[str, Any]:
    """What becomes of a post that may not be."""
    return await party.hear("refused", id=await party.post("kamu di mana?"))


async def test_who_reads_too_much_raises_an_alarm_that_he_does_not_see(
    relay: RelayProcess, browser: Browser, rani: Person
) -> None:
    await reported(
        relay, "watched-1", "other",
        driver={"party_id": "drv-watched", "phone": "+6281234567890", "alias": "Budi"},
    )  # fmt: skip
    curious = await hire(relay, browser, "dodo", StaffScope.SUPERVISOR)
    page, other = curious.page, rani.page
    await curious.go("/ops/cases?category=other&party=drv-watched")
    await page.locator("tbody a").first.click()
    await page.get_by_role("button", name="Take this case").click()
    await rani.go("/ops/account")
    for _ in range(4):
        await page.get_by_role("button", name="Read the evidence").click()
        await page.get_by_role("link", name="Back to the case").click()
    await expect(other.get_by_text("Alarms about operators to look into")).to_be_visible()
    await curious.go("/ops/alarms")
    await expect(page.get_by_text("No alarms.")).to_be_visible()
    await expect(page.get_by_text("Alarms about operators to look into")).not_to_be_visible()
    await curious.go("/ops/audit?act=watch.alarm")
    await expect(page.get_by_text("No entries that fit.")).to_be_visible()

    await other.get_by_role("link", name="See the alarms").click()
    alarm = other.locator("tbody tr").filter(has_text="dodo").first
    await expect(alarm).to_contain_text("Much evidence read in an hour")
    await alarm.locator("summary").click()
    await alarm.get_by_label("Note").fill("he was asked, and had a reason")
    await alarm.get_by_role("button").click()
    await expect(other.get_by_text("marked as looked into")).to_be_visible()
    await curious.leave()


async def test_the_main_flow_by_keyboard_alone(relay: RelayProcess, browser: Browser) -> None:
    await relay.open_trip("keys-1")
    person = await enrolled(relay, browser, "kiki", StaffScope.AGENT)
    page, keyboard = person.page, Keyboard(person.page)
    press, to, enter = keyboard.press, keyboard.to, keyboard.enter

    await person.go("/ops")
    if await page.evaluate(_NAME) != "Operator id":
        await to("Operator id")
    await page.keyboard.type("kiki")
    await to("Password")
    await page.keyboard.type(PASSWORD)
    await to("Code from your authenticator app")
    await page.keyboard.type(person.code(1))
    await enter("/ops$")
    await press("Tab")
    assert await page.evaluate(_NAME) == "Skip to the content"
    await press("Enter")
    await press("/")
    await page.keyboard.type("keys-1")
    await enter("search=keys-1")
    await expect(row(page, "keys-1")).to_be_visible()
    await to("keys-1")
    await enter("channels/keys-1$")
    await to("Close by hand …")
    await enter("/close$")
    await to("Somebody's safety")
    await press("ArrowDown")
    await press("Space")
    await to("Note")
    await page.keyboard.type("by keyboard alone")
    await to("Close the channel now")
    await press("Enter")
    await expect(page.get_by_text("The channel is closed. Both were told")).to_be_visible()
    await expect(page.get_by_text("operator: Harassment")).to_be_visible()

    # To work on a case.
    await reported(relay, "keys-2", "other")
    case = await case_of(relay, "keys-2")
    await to("Cases")
    await enter("/ops/cases$")
    await to(case)
    await enter(f"/{case}$")
    await to("Take this case")
    await press("Enter")
    await expect(page.get_by_text("The case is yours.")).to_be_visible()
    await to("Read the evidence")
    await press("Enter")
    await expect(page.get_by_text("dia mengancam")).to_be_visible()
    await to("Back to the case")
    await enter(f"/{case}$")
    await to("Ask to read more …")
    await press("Enter")
    await to("Note")
    await page.keyboard.type("it may have begun earlier")
    await to("Ask to read more …")
    await press("Enter")
    await expect(page.get_by_text("Asked. A supervisor has ten minutes")).to_be_visible()

    # The other person allows it, and looks at what was written down.
    second = await hire(relay, browser, "koko", StaffScope.SUPERVISOR)
    keyboard = Keyboard(second.page)
    await second.go(f"/ops/cases/{case}")
    await keyboard.to("Allow it for ten minutes")
    await keyboard.press("Enter")
    await expect(second.page.get_by_text("Allowed for ten minutes.")).to_be_visible()
    await keyboard.to("Audit log")
    await keyboard.enter("/ops/audit$")
    acts = second.page.locator("td[data-label=Act]")
    await expect(acts.get_by_text("allowed reading more").first).to_be_visible()
    await keyboard.to("Verify the log")
    await keyboard.press("Enter")
    await expect(second.page.get_by_text("The log is whole")).to_be_visible()
    await second.leave()

    await to("Person kiki")
    await enter("/account$")
    await to("Sign out")
    await press("Enter")
    await expect(page.get_by_text("You are signed out.")).to_be_visible()
    await person.leave()


class Keyboard:
    """A page as it is used without a mouse."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self.press = page.keyboard.press

    async def enter(self, where: str) -> None:
        """Press Enter, which leads there."""
        await self.press("Enter")
        await self._page.wait_for_url(re.compile(where))

    async def to(self, name: str) -> None:
        """Go on with the Tab key until there."""
        for _ in range(80):
            await self.press("Tab")
            if await self._page.evaluate(_NAME) == name:
                # What has the focus can be seen to have it.
                assert await self._page.evaluate(_OUTLINE) != "none", name
                return
        raise AssertionError(f"{name} cannot be reached")


_NAME = """() => {
  const one = document.activeElement;
  return (one.labels?.[0]?.innerText ?? one.innerText ?? "").trim();
}"""
_OUTLINE = "() => getComputedStyle(document.activeElement).outlineStyle"


# --- for everybody -----------------------------------------------------------------------------------


async def test_it_speaks_indonesian(relay: RelayProcess, browser: Browser) -> None:
    person = await hire(relay, browser, "intan", StaffScope.AGENT)
    page = person.page
    await person.go("/ops/account")
    await page.get_by_label("Language").select_option("id")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Tersimpan.")).to_be_visible()
    assert await page.get_attribute("html", "lang") == "id"
    await person.go("/ops")
    await expect(page.get_by_role("heading", name="Kanal terbuka")).to_be_visible()
    await page.get_by_role("link", name="Person intan").click()
    await page.get_by_role("button", name="Keluar").click()
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    await person.leave()

    # Who is not known is spoken to as the browser asks for.
    await person.arrive(locale="id-ID")
    await person.go("/ops")
    await expect(person.page.get_by_role("button", name="Masuk")).to_be_visible()
    await person.leave()


async def test_what_is_of_another_year_says_so(relay: RelayProcess, dewi: Person) -> None:
    await relay.open_trip("years-1")

    async def two_years_ago(route: Route) -> None:
        answer = await route.fetch()
        text = re.sub(
            r'data-at="([0-9]+)"',
            lambda at: f'data-at="{int(at[1]) - 2 * 365 * 86_400_000}"',
            await answer.text(), count=1,
        )  # fmt: skip
        await route.fulfill(response=answer, body=text)

    page = dewi.page
    await page.route("**/ops/channels/years-1", two_years_ago)
    await dewi.go("/ops/channels/years-1")
    times = await page.locator("time[data-at]").all_text_contents()
    assert sum(bool(re.search(r"20[0-9]{2}", one)) for one in times) == 1, times


async def test_it_works_without_the_script(relay: RelayProcess, dewi: Person) -> None:
    await relay.open_trip("plain-1")
    await relay.open_trip("plain-2")
    state = await dewi.context.storage_state()
    context = await dewi.browser.new_context(java_script_enabled=False, storage_state=state)
    page = await context.new_page()
    await page.goto(dewi.url + "/ops")
    for trip in ("plain-1", "plain-2"):
        await row(page, trip).locator("input").check()
    await page.get_by_role("button", name="Close selected").click()
    await page.get_by_label("Technical").check()
    await page.get_by_label("Note").fill("without a script")
    await page.get_by_role("button", name="Close 2 channels now").click()
    await expect(page.get_by_text("Done. Closed: 2.")).to_be_visible()
    await context.close()
