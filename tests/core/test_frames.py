"""The codecs: they survive hostile input, agree with each other and repeat nothing they were given."""

from __future__ import annotations

import json
import re
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core import frames
from relay.core.casework import Category
from relay.core.frames import (
    FROM_APP_JSON,
    FROM_APP_MSGPACK,
    TO_APP_JSON,
    TO_APP_MSGPACK,
    BadField,
    BadFrame,
    UnknownOp,
)
from relay.core.ids import POST_ID

BOTH = pytest.mark.parametrize(
    ("codec", "pack"), [(FROM_APP_MSGPACK, msgpack.packb), (FROM_APP_JSON, lambda v: json.dumps(v).encode())]
)  # fmt: skip
PLANTED = "081234567890"
ITEM = {
    "epoch": 1, "pos": "1795312003117-0000", "id": "m1", "from": "peer", "text": "x", "tag": "t",
}  # fmt: skip

#: Nearly ids and positions: their own characters, and some that look like those.
post_ids = st.text("aZ9é", max_size=3) | st.text("aZ09_-. \n²é٣", max_size=38)
places = st.from_regex(r"[0-9]{12}[0-9²٣-][-.0][0-9]{3}[0-9²-]", fullmatch=True) | st.from_regex(
    r"[0-9]{13}-[0-9]{3,5}\n?", fullmatch=True
)

values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=20)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)  # fmt: skip
ops = st.sampled_from(["attach", "post", "got", "seen", "typing", "report", "ping", "", "x"])
names = st.sampled_from(
    ["token", "id", "kind", "text", "lat", "lon", "again", "pos", "on", "after", "pending",
     "device", "attempt", "epoch", "app", "kinds", "category", "note", "block", "items", "from",
     "tag", "report_only", "other"]
)  # fmt: skip
maps = st.builds(
    lambda op, rest: {"op": op, **rest}, ops | values, st.dictionaries(names, values, max_size=6)
)


def outcome(codec: frames.Codec, data: bytes) -> tuple[str, Any]:
    try:
        frame = codec.decode(data)
    except BadField as error:
        return "BadField", (str(error).split(":")[0], error.frame_id)
    except (BadFrame, UnknownOp) as error:
        return type(error).__name__, None
    return "frame", msgspec.to_builtins(frame)


@given(maps)
def test_both_codecs_judge_alike(frame: dict[str, Any]) -> None:
    assert outcome(FROM_APP_MSGPACK, msgpack.packb(frame)) == outcome(
        FROM_APP_JSON, json.dumps(frame).encode()
    )


@given(st.binary(max_size=200))
def test_bytes_that_are_no_frame_raise_only_what_is_documented(data: bytes) -> None:
    for codec in (FROM_APP_MSGPACK, FROM_APP_JSON, TO_APP_MSGPACK, TO_APP_JSON):
        outcome(codec, data)


@BOTH
def test_deep_nesting_is_no_frame(codec: frames.Codec, pack: Any) -> None:
    deep: Any = "x"
    for _ in range(900 if pack is msgpack.packb else 400):
        deep = [deep]
    try:
        data = pack({"op": "post", "id": deep})
    except ValueError:
        data = b"\x82\xa2op\xa4post\xa2id" + b"\x91" * 5000 + b"\xc0"
    assert outcome(codec, data)[0] in ("BadFrame", "BadField")


def test_a_length_that_lies_is_no_frame() -> None:
    for data in (b"\xdf\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xffabc", b"\xdd\xff\xff\xff\xff\x01"):
        with pytest.raises(BadFrame):
            FROM_APP_MSGPACK.decode(data)


@BOTH
@pytest.mark.parametrize(
    "frame",
    [
        {"op": "post", "id": PLANTED, "text": 1},
        {"op": "post", "id": [PLANTED]},
        {"op": "post", "id": "+62" + PLANTED, "text": "x"},
        {"op": "post", "id": "a", "lat": PLANTED},
        {"op": "attach", "token": int(PLANTED)},
        {"op": "attach", "token": "x", "after": PLANTED},
        {"op": "attach", "token": "x", "pending": [PLANTED, "+" + PLANTED]},
        {"op": PLANTED},
        {"op": "got", "pos": PLANTED},
        {"op": "report", "id": "a", "category": PLANTED},
        {"op": "report", "id": "a", "category": "other", "note": [PLANTED]},
        {"op": "report", "id": "a", "category": "other", "items": [{"pos": PLANTED}]},
        {PLANTED: PLANTED},
    ],
)
def test_an_error_repeats_nothing(codec: frames.Codec, pack: Any, frame: dict[str, Any]) -> None:
    with pytest.raises((BadFrame, BadField, UnknownOp)) as caught:
        codec.decode(pack(frame))
    assert PLANTED not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@BOTH
def test_a_post_that_can_be_answered_is(codec: frames.Codec, pack: Any) -> None:
    with pytest.raises(BadField) as caught:
        codec.decode(pack({"op": "post", "id": "a-1", "text": 5}))
    assert caught.value.frame_id == "a-1"
    assert "`text`" in str(caught.value)
    with pytest.raises(BadField) as caught:
        codec.decode(pack({"op": "post", "id": "not an id", "text": "x"}))
    assert caught.value.frame_id is None


@BOTH
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"category": "rudeness"}, "category"),
        ({}, "category"),
        ({"category": "threat", "note": "x" * (frames.MAX_NOTE_CHARS + 1)}, "note"),
        ({"category": "threat", "items": [ITEM] * (frames.MAX_REPORTED + 1)}, "items"),
        ({"category": "threat", "items": [ITEM | {"from": "driver"}]}, "items"),
        ({"category": "threat", "items": [ITEM | {"epoch": 0}]}, "items"),
        ({"category": "threat", "items": [ITEM | {"pos": "1-1"}]}, "items"),
    ],
)
def test_a_report_that_can_be_answered_is(
    codec: frames.Codec, pack: Any, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadField) as caught:
        codec.decode(pack({"op": "report", "id": "r-1", **fields}))
    assert (caught.value.op, caught.value.frame_id) == ("report", "r-1")
    assert f"`{field}`" in str(caught.value)
    assert codec.decode(pack({"op": "report", "id": "r-1", "category": "threat", "items": [ITEM]}))


def test_half_a_character_in_a_report_is_no_reason_to_lose_the_app() -> None:
    for codec, data in (
        (FROM_APP_JSON, b'{"op":"report","id":"r","category":"other","note":"\\ud83d"}'),
        (FROM_APP_MSGPACK, b"\x83\xa2op\xa6report\xa2id\xa1r\xa4note\xa3\xed\xa0\xbd"),
    ):
        with pytest.raises(BadField) as caught:
            codec.decode(data)
        assert (caught.value.op, caught.value.frame_id) == ("report", "r")


@BOTH
def test_unknown_fields_are_ignored(codec: frames.Codec, pack: Any) -> None:
    assert codec.decode(pack({"op": "typing", "on": True, "new": {"x": 1}})) == frames.Typing(True)


def test_every_frame_to_the_app_reads_the_same_in_both_encodings() -> None:
    for frame in (
        frames.Message("1-1", "a", "peer", 5, "location", "x", "t", 1.5, -2.5),
        frames.Accepted("a", "1-1", 5, "t"),
        frames.Refused("a", "too_many", "m", 5),
        frames.Closed("ended", ["a"]),
        frames.Reported("r"),
        frames.NotReported("r", "too_many", "m", 5),
        frames.Presence(False),
        frames.Attached(
            "t", "driver", 1, "open", 5, frames.Peer("Budi", False), [],
            frames.Limits(25, 2000, 5, 20, 16),
        ),
    ):  # fmt: skip
        text = json.loads(TO_APP_JSON.encode(frame))
        assert msgpack.unpackb(TO_APP_MSGPACK.encode(frame)) == text
        assert text["op"]
        assert TO_APP_JSON.decode(TO_APP_JSON.encode(frame)) == frame


def test_no_frame_prints_what_a_person_wrote_or_a_token() -> None:
    item = frames.ReportedItem(1, "1-1", "a", "peer", PLANTED, PLANTED)
    for frame in (
        frames.Post("a", text=PLANTED),
        frames.Message("1-1", "a", "peer", 5, "text", PLANTED, "t"),
        frames.Attach(PLANTED),
        frames.Report("r", Category.OTHER, PLANTED, items=[item]),
        item,
    ):
        assert PLANTED not in repr(frame)
        assert PLANTED not in str(frame)


@BOTH
@given(name=post_ids, place=places)
def test_an_id_and_a_position_are_taken_exactly_where_they_have_their_form(
    codec: frames.Codec, pack: Any, name: str, place: str
) -> None:
    for frame, field, pattern in (
        ({"op": "post", "id": name}, "id", POST_ID.pattern),
        ({"op": "got", "pos": place}, "pos", "[0-9]{13}-[0-9]{4}"),
        ({"op": "seen", "pos": place}, "pos", "[0-9]{13}-[0-9]{4}"),
    ):
        if re.fullmatch(pattern, frame[field]):
            codec.decode(pack(frame))
        else:
            with pytest.raises(BadField, match=f"`{field}`") as caught:
                codec.decode(pack(frame))
            assert caught.value.frame_id is None
