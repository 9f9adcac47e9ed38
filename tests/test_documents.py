"""The documents say what the code does."""

from __future__ import annotations

import importlib
import re
import shlex
import time
from dataclasses import fields
from pathlib import Path

from relay.core.body import POSTABLE
from relay.core.codes import CloseCode, CloseReason, ErrorCode, RefusedCode
from relay.core.phrases import QUICK_REPLIES, SYSTEM_MESSAGES
from relay.guard.masks import CONTACT_MASK, MASK
from relay.guard.notices import NOTICES
from relay.guard.policy import DEFAULT_POLICY, Action, FindingClass
from relay.settings import Settings
from tests.support.relay import RelayProcess

ROOT = Path(__file__).parents[1]
PROTOCOL = (ROOT / "relay/PROTOCOL.md").read_text()


def test_the_settings_table_is_the_code() -> None:
    text = (ROOT / "deploy/OPERATIONS.md").read_text()
    rows = [
        f"| `{one.name}` | {_shown(one.default)} | {one.metadata['help']} |"
        for one in fields(Settings)
    ]
    assert "\n".join(rows) in text, "\n".join(rows)


def _shown(default: object) -> str:
    return f"`{default}`" if default != "" else ""


def section(number: int) -> str:
    """A section of the protocol."""
    return re.split(r"^## ", PROTOCOL, flags=re.MULTILINE)[number]


def first_cells(text: str) -> list[str]:
    """The names in code that stand first in a row of a table."""
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", text, re.MULTILINE)
    return [name for row in rows for name in re.findall(r"\w+", row)]


def test_the_protocol_tells_every_quick_reply_as_it_is() -> None:
    rows = [f"| `{key}` | {say['en']} | {say['id']} |" for key, say in QUICK_REPLIES.items()]
    assert "\n".join(rows) in section(13), "\n".join(rows)
    assert first_cells(section(13))[1:] == list(QUICK_REPLIES)
    for key in SYSTEM_MESSAGES:
        assert f"`{key}`" in section(13), key


def test_the_protocol_tells_every_class_of_findings_and_what_is_done_about_it() -> None:
    table, actions = section(12).split("| what is done |")
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| (\w+) \|$", table, re.MULTILINE))
    assert rows == {one: DEFAULT_POLICY.action(one) for one in FindingClass}
    assert set(first_cells(actions)) == set(Action)
    assert f"`{MASK}` stands for digits, `{CONTACT_MASK}` for links" in actions


def test_the_protocol_tells_every_code_and_kind() -> None:
    refused, errors = section(10).split("`error.code`")
    assert sorted(first_cells(refused)) == sorted(RefusedCode)
    assert sorted(first_cells(errors)) == sorted(ErrorCode)
    assert set(CloseReason) <= set(first_cells(section(8)))
    for code in CloseCode:
        said = f"| {code.value} | {code.name.lower()} |" if code >= 4000 else str(code.value)
        assert said in section(9), said
    (kinds,) = re.findall(r"^\| `kind\?` \|(.*)$", section(4), re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", kinds)) == POSTABLE


def test_the_protocol_s_example_shows_a_notice_that_there_is() -> None:
    (shown,) = re.findall(r'"notices":\["(.*)"\]', section(14))
    assert shown in {texts["id"] for texts in NOTICES.values()}


def test_the_protocol_s_contents_are_its_sections() -> None:
    headings = re.findall(r"^## (.*)$", PROTOCOL, re.MULTILINE)
    listed = re.findall(r"\[(\d+ [^\]]*)\]\(#", PROTOCOL.split("Contents:")[1].split("\n")[0])
    assert listed == headings
    anchors = {re.sub(r"[^\w -]", "", name).lower().replace(" ", "-") for name in headings}
    assert set(re.findall(r"\]\(#([^)]*)\)", PROTOCOL)) <= anchors


def test_ci_runs_exactly_the_readmes_test_command() -> None:
    command = "sh deploy/setup dev && sh deploy/check"
    assert f"\n{command}\n" in (ROOT / "README.md").read_text()
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == command


def test_the_readme_links_what_exists() -> None:
    for path in re.findall(r"`((?:relay|deploy|tests)/[\w./]+)`", (ROOT / "README.md").read_text()):
        assert (ROOT / path).exists(), path


async def test_the_readmes_calls_open_a_trip_and_end_it(relay: RelayProcess) -> None:
    readme = (ROOT / "README.md").read_text()
    readme = readme.replace("'$(date +%s000)'", str(time.time_ns() // 1_000_000))
    readme = readme.replace("$RELAY_API_KEY", relay.key).replace("\\\n", "")
    answers = []
    for command in re.findall(r"^curl .*?(?=^```)", readme, re.MULTILINE | re.DOTALL):
        _, _, url, *options = shlex.split(command)
        given = list(zip(options[::2], options[1::2], strict=True))
        headers = dict(text.split(": ", 1) for name, text in given if name == "-H")
        (body,) = (text for name, text in given if name == "-d")
        url = url.replace("http://127.0.0.1:8701", relay.api_url)
        answers.append(await relay.http.post(url, content=body, headers=headers))
    opened, ended = answers
    assert opened.status_code == 201 and opened.json()["driver"]["token"]
    assert ended.status_code == 200 and ended.json()["state"] == "closed"


def test_the_scripts_that_documents_name_can_be_started() -> None:
    pages = [ROOT / "README.md", *ROOT.glob("deploy/*.md")]
    named = {one for page in pages for one in re.findall(r"python -m ([\w.]+)", page.read_text())}
    assert "tests.load.capacity" in named
    for one in named:
        assert hasattr(importlib.import_module(one), "main"), one


def test_nothing_names_the_host_of_a_package_index() -> None:
    for file in (*ROOT.glob("*.*"), *ROOT.glob("[drt]*/**/*")):
        if file.suffix in (".py", ".md", ".lua", ".txt", ".toml", ".in"):
            assert "pypi" + ".org" not in file.read_text(), file
            assert "--index" + "-url" not in file.read_text(), file
