"""Report tags: the relay's own are true, anything altered is not."""

from __future__ import annotations

import base64
import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.ids import Role
from relay.vault.binding import Sender
from relay.vault.ring import Key, KeyRing, KeyUnavailable, Purpose
from relay.vault.tags import ReportTags, channel_place, verify_tag

NOW_MS = 1_732_233_600_000
DAY_MS = 24 * 3_600_000
RING = KeyRing().extended(NOW_MS, 90 * DAY_MS, os.urandom)
KEY = RING.current(Purpose.REPORTS, NOW_MS)
TAGS = ReportTags(KEY)

names = st.text("ad1: -", max_size=3)
senders: st.SearchStrategy[Sender] = st.sampled_from([*Role, "system"])
messages = st.tuples(
    names, st.sampled_from([1, 12]), names, names, senders, names | st.text(max_size=9)
)
Message = tuple[str, int, str, str, Sender, str]


def tag_of(message: Message) -> str:
    trip, epoch, *rest = message
    return TAGS.sign(channel_place(trip, epoch), *rest)


def is_true(tag: str, message: Message, ring: KeyRing = RING) -> bool:
    trip, epoch, *rest = message
    return verify_tag(ring, tag, channel_place(trip, epoch), *rest)


@given(messages, messages)
def test_a_tag_proves_its_own_message_only(message: Message, other: Message) -> None:
    tag = tag_of(message)
    assert is_true(tag, message)
    assert is_true(tag, other) == (message == other)


MESSAGE: Message = ("t", 1, "1-0", "p", Role.DRIVER, "at the gate")


@pytest.mark.parametrize(
    ("index", "value"),
    [
        (0, "t2"),
        (1, 2),
        (2, "1-1"),
        (3, "q"),
        (4, Role.CUSTOMER),
        (4, "system"),
        (5, "at the gate "),
    ],
)
def test_each_part_counts(index: int, value: object) -> None:
    altered = list(MESSAGE)
    altered[index] = value
    assert not is_true(tag_of(MESSAGE), tuple(altered))  # type: ignore[arg-type]


def test_a_tag_is_a_keyed_hash_that_anyone_with_the_key_can_compute() -> None:
    secret = hashlib.blake2b(
        b"18:relay report tag 21:t1:13 1 d1-0pat the gate", key=KEY.material, digest_size=16
    ).digest()
    code = base64.urlsafe_b64encode(secret).decode().rstrip("=")
    assert tag_of(MESSAGE) == f"{KEY.id}.{code}"


@given(st.text())
def test_text_of_any_kind_can_be_tagged(text: str) -> None:
    message: Message = (*MESSAGE[:5], text)
    assert is_true(tag_of(message), message)


def test_half_a_surrogate_pair_is_no_way_to_stop_a_report() -> None:
    message: Message = (*MESSAGE[:5], "\ud83d")
    assert is_true(tag_of(message), message)


@given(st.text(max_size=40) | st.from_regex(r"[0-9a-f]{8}\.[A-Za-z0-9_-]{22}", fullmatch=True))
def test_a_made_up_tag_proves_nothing(tag: str) -> None:
    try:
        assert not is_true(tag, MESSAGE)
    except KeyUnavailable:
        assert not tag.startswith(KEY.id)


@given(st.integers(9, 30), st.characters(codec="ascii"))
def test_no_character_of_a_tag_can_be_changed(index: int, character: str) -> None:
    tag = tag_of(MESSAGE)
    altered = tag[:index] + character + tag[index + 1 :]
    assert is_true(altered, MESSAGE) == (altered == tag)


@pytest.mark.parametrize("suffix", ["\n", "=", "==", "A", " ", "\u00e9", "\0"])
def test_a_tag_has_one_text_form(suffix: str) -> None:
    assert not is_true(tag_of(MESSAGE) + suffix, MESSAGE)


def test_older_tags_outlive_their_keys_span_and_not_its_destruction() -> None:
    tag = tag_of(MESSAGE)
    later_ms = NOW_MS + 1000 * DAY_MS
    later = RING.extended(later_ms, 0, os.urandom)
    later = later.without({key.id for key in later.due(later_ms, 0, 0, 0)})
    assert later.current(Purpose.REPORTS, later_ms) is not KEY
    assert is_true(tag, MESSAGE, later)
    with pytest.raises(KeyUnavailable):
        is_true(tag, MESSAGE, later.without([KEY.id]))
    namesake = Key(KEY.id, Purpose.REPORTS, KEY.from_ms, KEY.until_ms, os.urandom(32))
    assert not is_true(tag, MESSAGE, KeyRing([namesake]))


@pytest.mark.parametrize("purpose", [Purpose.MESSAGES, Purpose.NUMBERS])
def test_only_a_reports_key_signs(purpose: Purpose) -> None:
    other = RING.current(purpose, NOW_MS)
    with pytest.raises(ValueError, match="reports"):
        ReportTags(other)
    with pytest.raises(KeyUnavailable):
        is_true(other.id + tag_of(MESSAGE)[8:], MESSAGE)
