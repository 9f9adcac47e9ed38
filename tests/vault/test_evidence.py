"""Evidence opens in its own case, whole, and as long as its key is there."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.vault.envelope import DataKey, MessageCipher, Unreadable, wrap
from relay.vault.evidence import evidence_key_id, open_evidence, seal_evidence
from relay.vault.ring import Key, KeyRing, KeyUnavailable, Purpose

NOW_MS = 1_732_233_600_000
RING = KeyRing().extended(NOW_MS, 0, os.urandom)
KEY = RING.current(Purpose.EVIDENCE, NOW_MS)

cases = st.text("c01-\0", max_size=4)


@given(st.binary(max_size=300), cases, cases)
def test_evidence_opens_in_its_own_case(plaintext: bytes, case: str, other: str) -> None:
    sealed = seal_evidence(KEY, plaintext, case=case, nonce=os.urandom(12))
    assert len(sealed) == len(plaintext) + 32
    assert evidence_key_id(sealed) == KEY.id
    assert open_evidence(RING, sealed, case=case) == plaintext
    if other != case:
        with pytest.raises(Unreadable):
            open_evidence(RING, sealed, case=other)


@given(st.binary(max_size=20), st.data())
def test_no_bit_of_evidence_can_be_changed(plaintext: bytes, data: st.DataObject) -> None:
    sealed = seal_evidence(KEY, plaintext, case="c", nonce=os.urandom(12))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    changed = bytearray(sealed)
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises((Unreadable, KeyUnavailable)):
        open_evidence(RING, bytes(changed), case="c")
    with pytest.raises(Unreadable):
        open_evidence(RING, sealed[: data.draw(st.integers(0, len(sealed) - 1))], case="c")


@given(st.binary(max_size=60))
def test_other_bytes_are_no_evidence(junk: bytes) -> None:
    with pytest.raises(Unreadable):
        open_evidence(RING, bytes.fromhex(KEY.id) + junk, case="c")


def test_a_destroyed_key_ends_it() -> None:
    sealed = seal_evidence(KEY, b"said", case="c", nonce=os.urandom(12))
    later = RING.extended(NOW_MS + 400 * 86_400_000, 0, os.urandom)
    assert open_evidence(later, sealed, case="c") == b"said"
    with pytest.raises(KeyUnavailable):
        open_evidence(later.without([KEY.id]), sealed, case="c")


def test_neither_a_message_nor_a_data_key_opens_as_evidence() -> None:
    """Even where all three are under the same bytes."""
    wrapped = wrap(KEY, DataKey(os.urandom(32)), trip="c", nonce=os.urandom(12))
    message = MessageCipher(DataKey(KEY.material), trip="c", epoch=1).seal(
        "system", "", b"said", os.urandom(12)
    )
    for other in (wrapped, bytes.fromhex(KEY.id) + message):
        with pytest.raises(Unreadable):
            open_evidence(RING, other, case="c")


@pytest.mark.parametrize("purpose", sorted(set(Purpose) - {Purpose.EVIDENCE}))
def test_only_an_evidence_key_seals(purpose: Purpose) -> None:
    with pytest.raises(ValueError, match="evidence"):
        seal_evidence(RING.current(purpose, NOW_MS), b"said", case="c", nonce=bytes(12))


@pytest.mark.parametrize("length", [0, 11, 13])
def test_a_nonce_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="12 random bytes"):
        seal_evidence(KEY, b"said", case="c", nonce=bytes(length))


def test_another_key_under_the_same_id_does_not_open() -> None:
    sealed = seal_evidence(KEY, b"said", case="c", nonce=os.urandom(12))
    impostor = Key(KEY.id, Purpose.EVIDENCE, KEY.from_ms, KEY.until_ms, os.urandom(32))
    with pytest.raises(Unreadable):
        open_evidence(KeyRing([impostor]), sealed, case="c")
