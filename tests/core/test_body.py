"""What a message may hold, and that it comes back as it went in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.body import (
    Body,
    pack_body,
    place_text,
    problem_with,
    quick_body,
    system_body,
    unpack_body,
)
from relay.core.codes import RefusedCode
from relay.core.phrases import QUICK_REPLIES, SYSTEM_MESSAGES

NOTICES = st.lists(st.from_regex(r"[a-z_]{1,20}", fullmatch=True), max_size=3).map(tuple)


@given(st.sampled_from(["text", "system"]), st.text(min_size=1), NOTICES)
def test_a_text_comes_back(kind: str, text: str, notices: tuple[str, ...]) -> None:
    if problem_with("text", text, None, None, 10**6) is None:
        body = Body(kind, text, notices=notices)
        assert unpack_body(pack_body(body)) == body


@given(st.floats(-90, 90), st.floats(-180, 180), st.text(max_size=20))
def test_a_place_comes_back_and_always_has_a_text(lat: float, lon: float, label: str) -> None:
    if problem_with("location", label, lat, lon, 10**6) is None:
        body = unpack_body(pack_body(Body("location", label, lat, lon)))
        assert (body.kind, body.lat, body.lon) == ("location", lat, lon)
        assert body.text == (label or place_text(lat, lon))


def test_sentences_of_the_catalogues_come_back_in_the_readers_language() -> None:
    for make, catalogue in ((quick_body, QUICK_REPLIES), (system_body, SYSTEM_MESSAGES)):
        for key, texts in catalogue.items():
            body = make(key)
            assert unpack_body(pack_body(body)) == body
            assert body.text == texts["en"]
            for locale, text in texts.items():
                assert body.text_in(locale) == body.text_in(f"{locale.upper()}-ID") == text
            assert body.text_in("xx") == body.text_in("") == texts["en"]


def test_every_sentence_is_there_in_every_language() -> None:
    for catalogue in (QUICK_REPLIES, SYSTEM_MESSAGES):
        for texts in catalogue.values():
            assert set(texts) == {"id", "en", "ms", "jv", "su", "tl", "th", "vi"}
            assert all(text.strip() == text != "" for text in texts.values())


def test_a_sentence_of_a_later_version_still_says_something() -> None:
    assert unpack_body(b"qsee_you_there").text_in("id") == "see you there"


@pytest.mark.parametrize(
    ("key", "expected"),
    [("arrived", None), ("nonsense", RefusedCode.MALFORMED), (None, RefusedCode.MALFORMED)],
)
def test_quick_replies_that_are_taken(key: str | None, expected: RefusedCode | None) -> None:
    assert problem_with("quick", None, None, None, 20, key) is expected


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("text", "", RefusedCode.MALFORMED),
        ("text", None, RefusedCode.MALFORMED),
        ("text", " \n\t ", RefusedCode.MALFORMED),
        ("text", "bell \x07", RefusedCode.MALFORMED),
        ("text", "escape \x1b[2J", RefusedCode.MALFORMED),
        ("text", "c1 \x9b31m", RefusedCode.MALFORMED),
        ("text", "dua\nbaris\tini", None),
        ("text", "x" * 1001, RefusedCode.TOO_LONG),
        ("text", "é" * 10, None),
        ("text", "é" * 10 + "x", RefusedCode.TOO_LONG),
        ("location", "x", RefusedCode.MALFORMED),
        ("system", "x", RefusedCode.UNSUPPORTED_KIND),
        ("photo", "x", RefusedCode.UNSUPPORTED_KIND),
    ],
)
def test_what_is_taken(kind: str, text: str | None, expected: RefusedCode | None) -> None:
    assert problem_with(kind, text, None, None, 20) is expected
