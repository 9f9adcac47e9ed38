"""Whatever a body holds, an error about it repeats none of it."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.api.calls import Answer, Asked, Call
from relay.api.fields import Fields, strings
from relay.api.problems import Code, Problem
from relay.api.types import ListQuery, OpenTrip, PartyInput

NUMBER = "81234567890"

_KNOWN = sorted({part.rstrip("[]") for path in Fields(OpenTrip) for part in path.split(".")})
_HOSTILE = [
    NUMBER, f"+62{NUMBER}", f"x` - at `$.{NUMBER}", f"x` - at `$[{NUMBER}]", f"`$.driver.{NUMBER}`",
    f" - at `key` in `$.a[{NUMBER[:2]}][{NUMBER[2:4]}]`", f"Expected `str` - at `$.allow[{NUMBER}]",
    f"Object missing required field `{NUMBER}`", f"driver` - at `$.driver[{NUMBER}]", "\n" + NUMBER,
]  # fmt: skip
_TEXT = st.sampled_from(_HOSTILE) | st.text(max_size=5).map(lambda text: NUMBER + text)
_KEY = st.sampled_from(_KNOWN) | _TEXT
_VALUE = st.recursive(
    _TEXT | st.just(int(NUMBER)) | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEY, inner, max_size=4),
    max_leaves=12,
)


async def _run(_: Asked[Any]) -> Answer:
    raise AssertionError("not called")


CALL = Call("POST", "/", "x", "x", _run, {}, body=OpenTrip, query=ListQuery)


@given(st.dictionaries(_KEY, _VALUE, max_size=6) | _VALUE)
def test_no_body_is_repeated_in_its_error(body: Any) -> None:
    with pytest.raises(Problem) as raised:
        CALL.decode_body(json.dumps(body).encode())
    assert raised.value.code in (Code.INVALID, Code.MALFORMED)
    assert NUMBER[:4] not in raised.value.document().decode()


@given(st.dictionaries(_KEY, _TEXT, min_size=1, max_size=4))
def test_no_query_is_repeated_in_its_error(query: dict[str, str]) -> None:
    with pytest.raises(Problem) as raised:
        CALL.decode_query(urlencode(query).encode())
    assert raised.value.code is Code.INVALID
    assert NUMBER[:4] not in raised.value.document().decode()


def test_every_string_is_found_with_its_path() -> None:
    party = PartyInput("p", "1", "a", "id")
    body = OpenTrip(
        trip_id="t", driver=party, customer=party, requested_at=1, policy={"number": "warn"},
        allow=["x", "y"],
    )  # fmt: skip
    assert list(strings(body)) == [
        ("trip_id", "t"),
        *((f"{role}.{name}", text) for role in ("driver", "customer") for name, text in (
            ("party_id", "p"), ("phone", "1"), ("alias", "a"), ("locale", "id"),
        )),
        ("policy", "number"), ("policy", "warn"), ("allow[0]", "x"), ("allow[1]", "y"),
    ]  # fmt: skip
