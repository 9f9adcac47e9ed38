"""Tokens and API keys: their text says what it must, and hostile text says nothing."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.ids import PARTY_ID, POST_ID, TRIP_ID, Role
from relay.vault.tokens import (
    BadToken,
    new_api_key,
    new_party_token,
    parse_api_key,
    parse_party_token,
)

trips = st.from_regex(TRIP_ID, fullmatch=True)
secrets = st.binary(min_size=16, max_size=16)


@given(trips, st.sampled_from(Role), secrets)
def test_a_token_names_its_trip_and_role(trip: str, role: Role, secret: bytes) -> None:
    token = new_party_token(trip, role, secret)
    parsed = parse_party_token(token)
    assert (parsed.trip, parsed.role) == (trip, role)
    assert len(parsed.digest) == 32
    assert set(parsed.digest) <= set("0123456789abcdef")
    assert len(token) == 22 + 3 + len(trip)
    assert token[:22] not in repr(parsed)


@given(trips, trips, st.sampled_from(Role), st.sampled_from(Role), secrets, secrets)
def test_the_digest_is_of_every_part(
    trip: str, trip2: str, role: Role, role2: Role, secret: bytes, secret2: bytes
) -> None:
    one = new_party_token(trip, role, secret)
    two = new_party_token(trip2, role2, secret2)
    same = (trip, role, secret) == (trip2, role2, secret2)
    assert (one == two) == same
    assert (parse_party_token(one).digest == parse_party_token(two).digest) == same


def test_the_last_characters_spare_bits_do_not_make_a_second_valid_token() -> None:
    token = new_party_token("t", Role.DRIVER, bytes(16))
    twin = token[:21] + "B" + token[22:]  # decodes to the same sixteen bytes
    assert parse_party_token(twin).digest != parse_party_token(token).digest


SECRET = "A" * 22


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        SECRET,
        f"{SECRET}.d",
        f"{SECRET}.d.",
        f"{SECRET}.x.t",
        f"{SECRET}.D.t",
        f"{SECRET}.dc.t",
        f"{SECRET}..t",
        f"{SECRET[:-1]}.d.t",
        f"{SECRET}A.d.t",
        f"{SECRET[:-1]}=.d.t",
        f"{SECRET[:-1]}+.d.t",
        f"{SECRET[:-1]}é.d.t",
        f" {SECRET}.d.t",
        f"{SECRET}.d.t\n",
        f"{SECRET}.d.t ",
        f"{SECRET}.d.-t",
        f"{SECRET}.d.t/u",
        f"{SECRET}.d.t{{u}}",
        f"{SECRET}.d.t\0",
        f"{SECRET}.d.{'t' * 65}",
        f"{SECRET}.d.\uff11",
        f"Bearer {SECRET}.d.t",
        "A" * 1_000_000,
        "\ud800",
    ],
)
def test_no_other_text_is_a_token(text: str) -> None:
    with pytest.raises(BadToken) as caught:
        parse_party_token(text)
    assert len(text) < 3 or text not in str(caught.value)
    assert SECRET[:-1] not in str(caught.value)


@given(st.text(max_size=100) | st.from_regex(rf"[A-Za-z0-9_-]{{20,24}}\.[a-z]\.{TRIP_ID.pattern}"))
def test_hostile_text_is_parsed_or_refused(text: str) -> None:
    try:
        parsed = parse_party_token(text)
    except BadToken:
        return
    assert text == f"{text[:22]}.{parsed.role.letter}.{parsed.trip}"


@pytest.mark.parametrize("trip", ["", "-x", "a b", "a\n", "é", "a" * 65, "{a}"])
def test_a_token_is_not_made_for_a_bad_trip_id(trip: str) -> None:
    with pytest.raises(ValueError, match="valid trip id"):
        new_party_token(trip, Role.DRIVER, os.urandom(16))


@pytest.mark.parametrize("length", [0, 15, 17])
def test_a_token_is_made_of_all_the_random_bytes(length: int) -> None:
    with pytest.raises(ValueError, match="16 random bytes"):
        new_party_token("t", Role.DRIVER, os.urandom(length))
    with pytest.raises(ValueError, match="20 random bytes"):
        new_api_key(os.urandom(length))


@given(st.binary(min_size=20, max_size=20), st.binary(min_size=20, max_size=20))
def test_an_api_key_names_its_id(random_bytes: bytes, other: bytes) -> None:
    text = new_api_key(random_bytes)
    key = parse_api_key(text)
    assert key.id == random_bytes[:4].hex()
    assert text.startswith(f"relay_{key.id}_")
    assert text[15:] not in repr(key)
    assert (parse_api_key(new_api_key(other)).digest == key.digest) == (other == random_bytes)


@given(st.text(max_size=60) | st.from_regex(r"relay_[0-9a-f]{7,9}_[A-Za-z0-9_-]{21,23}\n?"))
def test_hostile_text_is_an_api_key_or_refused(text: str) -> None:
    try:
        key = parse_api_key(text)
    except BadToken:
        return
    assert text.startswith(f"relay_{key.id}_")
    assert len(text) == 37


@given(st.text(min_size=12, max_size=60))
def test_the_refusal_of_an_api_key_does_not_repeat_it(text: str) -> None:
    with pytest.raises(BadToken) as caught:
        parse_api_key(text)
    assert text not in str(caught.value)


def test_a_token_is_not_an_api_key_nor_the_other_way_round() -> None:
    with pytest.raises(BadToken):
        parse_api_key(new_party_token("t", Role.DRIVER, os.urandom(16)))
    with pytest.raises(BadToken):
        parse_party_token(new_api_key(os.urandom(20)))


@pytest.mark.parametrize("pattern", [TRIP_ID, PARTY_ID, POST_ID])
@given(text=st.text(max_size=70))
def test_ids_are_ascii_and_need_no_quoting(pattern: object, text: str) -> None:
    if pattern.fullmatch(text):  # type: ignore[attr-defined]
        assert text.isascii()
        assert not set(text) & set(" \t\r\n\0{}[]()<>\"'`\\/,;*?&|$%#@!=+")


def test_roles_face_each_other() -> None:
    for role in Role:
        assert role.peer is not role
        assert role.peer.peer is role
        assert role.letter == role.value[0]
        assert Role(str(role)) is role
