"""Second factors open for their own operator; a cookie is the relay's own or nothing."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.vault.envelope import Unreadable
from relay.vault.ring import Key, KeyRing, KeyUnavailable, Purpose
from relay.vault.staff import open_totp, seal_totp, sign_cookie, verify_cookie

NOW_MS = 1_732_233_600_000
RING = KeyRing().extended(NOW_MS, 0, os.urandom)
KEY = RING.current(Purpose.STAFF, NOW_MS)
LATER = RING.extended(NOW_MS + 100 * 86_400_000, 0, os.urandom)
SESSION = os.urandom(16)
COOKIE = sign_cookie(KEY, SESSION)


@given(st.binary(max_size=40), st.text("ab1:", max_size=3), st.text("ab1:", max_size=3))
def test_a_second_factor_opens_for_its_own_operator(secret: bytes, one: str, other: str) -> None:
    sealed = seal_totp(KEY, secret, operator=one, nonce=os.urandom(12))
    assert len(sealed) == len(secret) + 32
    assert open_totp(LATER, sealed, operator=one) == secret
    if one != other:
        with pytest.raises(Unreadable):
            open_totp(RING, sealed, operator=other)


@given(st.integers(0, 52 * 8 - 1))
def test_no_bit_of_a_second_factor_can_be_changed(bit: int) -> None:
    changed = bytearray(seal_totp(KEY, os.urandom(20), operator="ani", nonce=os.urandom(12)))
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((Unreadable, KeyUnavailable)):
        open_totp(RING, bytes(changed), operator="ani")


@given(st.binary(max_size=60))
def test_other_bytes_are_no_second_factor(junk: bytes) -> None:
    with pytest.raises(Unreadable):
        open_totp(RING, bytes.fromhex(KEY.id) + junk, operator="ani")


@given(st.binary(min_size=16, max_size=16))
def test_a_cookie_gives_its_session_back(session_id: bytes) -> None:
    cookie = sign_cookie(KEY, session_id)
    assert verify_cookie(RING, cookie) == session_id
    assert verify_cookie(LATER, cookie) == session_id  # a rotation signs nobody out
    assert verify_cookie(RING.without([KEY.id]), cookie) is None
    assert cookie.isascii()
    assert not set(cookie) & set(' ",;\\=')  # fits into a cookie as it is


@given(st.integers(0, len(COOKIE) - 1), st.characters(codec="utf-8"))
def test_no_character_of_a_cookie_can_be_changed(index: int, char: str) -> None:
    changed = COOKIE[:index] + char + COOKIE[index + 1 :]
    assert verify_cookie(RING, changed) == (SESSION if changed == COOKIE else None)
    assert verify_cookie(RING, COOKIE[:index]) is None
    assert verify_cookie(RING, COOKIE + char) is None


@given(st.text())
def test_other_text_is_no_cookie(text: str) -> None:
    assert verify_cookie(RING, text) is None


def test_a_cookie_of_another_relay_is_none() -> None:
    impostor = Key(KEY.id, Purpose.STAFF, KEY.from_ms, KEY.until_ms, os.urandom(32))
    assert verify_cookie(RING, sign_cookie(impostor, SESSION)) is None


@pytest.mark.parametrize("purpose", sorted(set(Purpose) - {Purpose.STAFF}))
def test_only_a_staff_key_seals_and_signs(purpose: Purpose) -> None:
    key = RING.current(purpose, NOW_MS)
    with pytest.raises(ValueError, match="staff"):
        seal_totp(key, b"secret", operator="ani", nonce=bytes(12))
    with pytest.raises(ValueError, match="staff"):
        sign_cookie(key, SESSION)


def test_what_cannot_be_sealed_or_signed() -> None:
    with pytest.raises(ValueError, match="12 random bytes"):
        seal_totp(KEY, b"secret", operator="ani", nonce=bytes(11))
    with pytest.raises(ValueError, match="16 random bytes"):
        sign_cookie(KEY, bytes(15))
