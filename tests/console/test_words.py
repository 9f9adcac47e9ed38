"""The console's words: both languages complete, every word of the closed sets there, none unused."""

from __future__ import annotations

import re
import string
from itertools import chain
from pathlib import Path

import pytest

from relay.console.catalogue import CATALOGUE
from relay.console.words import Words, chosen
from relay.core.acts import Act
from relay.core.caselife import Answer
from relay.core.casework import (
    CaseState,
    Category,
    HandReason,
    Outcome,
    Proof,
    ReadingPurpose,
    SanctionKind,
    SanctionReason,
    StaffScope,
)
from relay.core.codes import CloseReason
from relay.core.ids import Role
from relay.guard.policy import FindingClass
from relay.ops.refusals import OpsCode
from relay.vault.chain import Flaw

CONSOLE = Path(__file__).parents[2] / "relay/console"
TEMPLATES = [file.read_text() for file in (CONSOLE / "templates").iterdir()]
CODE = [file.read_text() for file in CONSOLE.glob("*.py") if file.name != "catalogue.py"]

SETS = {
    "act": Act, "answer": Answer, "case.state": CaseState, "case_outcome": Outcome,
    "category": Category, "closed_why": CloseReason, "finding": FindingClass, "flaw": Flaw,
    "proof": Proof, "purpose": ReadingPurpose, "reason": HandReason, "refused": OpsCode,
    "role": Role, "sanction": SanctionKind, "sanction.does": SanctionKind,
    "sanction_reason": SanctionReason, "scope": StaffScope,
}  # fmt: skip


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_both_languages_say_everything() -> None:
    for key, (english, indonesian) in CATALOGUE.items():
        assert english.strip() == english != "", key
        assert indonesian.strip() == indonesian != "", key
        assert fields(english) == fields(indonesian), key
        # A text that was not translated; a few words are the same in both.
        assert english != indonesian or len(english) < 17, key


def test_every_word_of_the_closed_sets_is_there() -> None:
    missing = [
        f"{prefix}.{one}" for prefix, words in SETS.items() for one in words
        if f"{prefix}.{one}" not in CATALOGUE
    ]  # fmt: skip
    assert missing == []


def test_what_the_pages_say_is_there_and_what_is_there_is_said() -> None:
    pages = "\n".join(chain(TEMPLATES, CODE))
    said = set(re.findall(r'\bt\("([\w.]+)"[,)]', pages))
    assert said - set(CATALOGUE) == set()
    # Keys that are put together of a prefix and a stored word, and those handed to a macro.
    prefixes = set(re.findall(r'"([\w.]+)\." ~', pages)) | set(SETS)
    prefixes |= set(re.findall(r'maybe\("([\w.]+)"', pages))
    prefixes |= set(re.findall(r'm\.pick\("[\w.]+", "\w+", [^,]+, "([\w.]+)"', pages))
    prefixes |= {"done", "via", "bar", "failed", "state", "filter.rows"}
    handed = set(re.findall(r"[\"']([\w.]+)[\"']", pages))
    unused = [
        key for key in CATALOGUE
        if key not in said | handed and not any(key.startswith(f"{one}.") for one in prefixes)
    ]  # fmt: skip
    assert unused == []


@pytest.mark.parametrize(
    ("header", "locale"),
    [
        ("", "en"), ("id", "id"), ("id-ID,id;q=0.9,en;q=0.8", "id"), ("fr,id;q=0.5", "id"),
        ("en-GB,en;q=0.9,id;q=0.8", "en"), ("in", "id"), ("fr-FR", "en"), (";;,,=", "en"),
    ],
)  # fmt: skip
def test_the_browser_s_language_is_taken(header: str, locale: str) -> None:
    assert chosen(header) == locale


def test_times_and_stored_words_are_told_in_words() -> None:
    english, indonesian = Words("en"), Words("id")
    assert english.time(1_790_000_000_000) == "21 Sep 14:13 UTC"
    assert indonesian.time(1_786_300_000_000) == "9 Agu 18:26 UTC"
    # What is of another year says so: the audit log is kept for ever.
    assert english.time(1_790_000_000_000, 1_795_000_000_000) == "21 Sep 14:13 UTC"
    assert english.time(1_790_000_000_000, 1_799_000_000_000) == "21 Sep 2026 14:13 UTC"
    assert english.time(1_799_000_000_000, 1_790_000_000_000) == "3 Jan 2027 18:13 UTC"
    assert [english.span(ms) for ms in (0, 61_000, 3_601_500, -5_000)] == [
        "0:00", "1:01", "1:00:01", "\u22120:05",
    ]  # fmt: skip
    assert english.close_detail("operator: fraud") == "operator: Fraud"
    assert english.close_detail("anything the platform wrote") == "by the platform"
    assert english.history("assign rani", "rani") == 'taken · <span class="id">rani</span>'
    assert english.history("close upheld", "rani").startswith("closed: Upheld")
    assert "&lt;b&gt;" in english.history("assign <b>", "rani")
    assert english.maybe("act", "a.later.one") == "a.later.one"
