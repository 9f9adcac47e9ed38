"""The documents say what the code does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from relay.settings import Settings

ROOT = Path(__file__).parents[1]


def test_the_settings_table_is_the_code() -> None:
    text = (ROOT / "deploy/OPERATIONS.md").read_text()
    rows = [
        f"| `{one.name}` | {_shown(one.default)} | {one.metadata['help']} |"
        for one in fields(Settings)
    ]
    assert "\n".join(rows) in text, "\n".join(rows)


def _shown(default: object) -> str:
    return f"`{default}`" if default != "" else ""


def test_ci_runs_exactly_the_readmes_test_command() -> None:
    command = "sh deploy/setup dev && sh deploy/check"
    assert f"\n{command}\n" in (ROOT / "README.md").read_text()
    assert (ROOT / ".ci/run").read_text().splitlines()[-1] == command


def test_the_readme_links_what_exists() -> None:
    for path in re.findall(r"`((?:relay|deploy|tests)/[\w./]+)`", (ROOT / "README.md").read_text()):
        assert (ROOT / path).exists(), path


def test_nothing_names_the_host_of_a_package_index() -> None:
    for file in (*ROOT.glob("*.*"), *ROOT.glob("[drt]*/**/*")):
        if file.suffix in (".py", ".md", ".lua", ".txt", ".toml", ".in"):
            assert "pypi" + ".org" not in file.read_text(), file
            assert "--index" + "-url" not in file.read_text(), file
