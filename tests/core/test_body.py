"""What a message may hold, and that it comes back as it went in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.body import pack_body, problem_with, unpack_body
from relay.core.codes import RefusedCode


@given(st.text(min_size=1))
def test_a_text_comes_back(text: str) -> None:
    if problem_with("text", text, None, None, 10**6) is None:
        assert unpack_body(pack_body("text", text)) == ("text", text, None, None)


@given(st.floats(-90, 90), st.floats(-180, 180), st.text(max_size=20))
def test_a_place_comes_back_and_always_has_a_text(lat: float, lon: float, label: str) -> None:
    if problem_with("location", label, lat, lon, 10**6) is None:
        body = unpack_body(pack_body("location", label, lat, lon))
        assert (body.kind, body.lat, body.lon) == ("location", lat, lon)
        assert body.text == label or (not label and body.text)


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
        ("text", "é" * 10, None),
        ("text", "é" * 10 + "x", RefusedCode.TOO_LONG),
        ("location", "x", RefusedCode.MALFORMED),
        ("system", "x", RefusedCode.UNSUPPORTED_KIND),
        ("photo", "x", RefusedCode.UNSUPPORTED_KIND),
    ],
)
def test_what_is_taken(kind: str, text: str | None, expected: RefusedCode | None) -> None:
    assert problem_with(kind, text, None, None, 20) is expected
