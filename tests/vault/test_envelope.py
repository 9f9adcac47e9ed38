"""Data keys and messages: what was sealed opens in its own place, whole, and nowhere else."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.core.ids import Role
from relay.vault.binding import SENDERS, Sender, bind
from relay.vault.envelope import (
    DataKey,
    MessageCipher,
    Unreadable,
    unwrap,
    wrap,
    wrapping_key_id,
)
from relay.vault.ring import Key, KeyRing, KeyUnavailable, Purpose

NOW_MS = 1_732_233_600_000
RING = KeyRing().extended(NOW_MS, 48 * 3_600_000, os.urandom)
KEK = RING.current(Purpose.MESSAGES, NOW_MS)

# A small alphabet with the separators that a careless encoding would trip over.
names = st.text("ab1:. \n\0", max_size=4)
epochs = st.sampled_from([1, 2, 11, 12])
senders: st.SearchStrategy[Sender] = st.sampled_from([*Role, "system"])
places = st.tuples(names, epochs, senders, names)


@given(st.lists(names, max_size=4), st.lists(names, max_size=4))
def test_different_fields_never_encode_alike(one: list[str], other: list[str]) -> None:
    assert (bind("x", *one) == bind("x", *other)) == (one == other)
    if len(one) == len(other) and one != other:
        assert not bind("x", *one).startswith(bind("x", *other))


def test_every_sender_has_a_letter_of_its_own() -> None:
    assert {SENDERS[role] for role in Role} == {role.letter for role in Role}
    assert len(set(SENDERS.values())) == len(SENDERS) == len(Role) + 1


@given(st.binary(min_size=32, max_size=32), names, names)
def test_a_data_key_unwraps_for_its_own_trip(material: bytes, trip: str, other: str) -> None:
    wrapped = wrap(KEK, DataKey(material), trip=trip, nonce=os.urandom(12))
    assert len(wrapped) == 64
    assert material not in wrapped
    assert wrapping_key_id(wrapped) == KEK.id
    assert unwrap(RING, wrapped, trip=trip).material == material
    if other != trip:
        with pytest.raises(Unreadable):
            unwrap(RING, wrapped, trip=other)


@given(st.integers(32, 64 * 8 - 1))
def test_no_bit_of_a_wrapped_data_key_can_be_changed(bit: int) -> None:
    wrapped = wrap(KEK, DataKey(os.urandom(32)), trip="t", nonce=os.urandom(12))
    with pytest.raises(Unreadable):
        unwrap(RING, flipped(wrapped, bit), trip="t")


@given(st.integers(0, 31))
def test_a_wrapped_data_key_with_another_key_id_has_no_key(bit: int) -> None:
    wrapped = wrap(KEK, DataKey(os.urandom(32)), trip="t", nonce=os.urandom(12))
    with pytest.raises(KeyUnavailable):
        unwrap(RING, flipped(wrapped, bit), trip="t")


@given(st.binary(max_size=100))
def test_other_bytes_are_no_data_key(junk: bytes) -> None:
    with pytest.raises((Unreadable, KeyUnavailable)):
        unwrap(RING, junk, trip="t")
    with pytest.raises(Unreadable):
        unwrap(RING, bytes.fromhex(KEK.id) + junk, trip="t")


def test_rotation_leaves_data_keys_readable_and_destruction_does_not() -> None:
    data_key = DataKey(os.urandom(32))
    wrapped = wrap(KEK, data_key, trip="t", nonce=os.urandom(12))
    later = RING.extended(NOW_MS + 400 * 24 * 3_600_000, 0, os.urandom)
    assert unwrap(later, wrapped, trip="t").material == data_key.material
    with pytest.raises(KeyUnavailable):
        unwrap(later.without([KEK.id]), wrapped, trip="t")


def test_another_key_under_the_same_id_does_not_unwrap() -> None:
    wrapped = wrap(KEK, DataKey(os.urandom(32)), trip="t", nonce=os.urandom(12))
    impostor = Key(KEK.id, Purpose.MESSAGES, KEK.from_ms, KEK.until_ms, os.urandom(32))
    with pytest.raises(Unreadable):
        unwrap(KeyRing([impostor]), wrapped, trip="t")


def test_a_hold_wraps_the_data_key_anew_and_outlives_the_messages_key() -> None:
    data_key = DataKey(os.urandom(32))
    held = RING.current(Purpose.EVIDENCE, NOW_MS)
    wrapped = wrap(held, data_key, trip="t", nonce=os.urandom(12))
    assert wrapping_key_id(wrapped) == held.id
    assert unwrap(RING.without([KEK.id]), wrapped, trip="t").material == data_key.material
    with pytest.raises(KeyUnavailable):
        unwrap(RING.without([held.id]), wrapped, trip="t")
    with pytest.raises(Unreadable):
        unwrap(RING, wrapped, trip="u")
    # The same bytes under the other purpose are another place.
    disguised = Key(held.id, Purpose.MESSAGES, KEK.from_ms, KEK.until_ms, held.material)
    with pytest.raises(Unreadable):
        unwrap(KeyRing([disguised]), wrapped, trip="t")


@pytest.mark.parametrize("purpose", sorted(set(Purpose) - {Purpose.MESSAGES, Purpose.EVIDENCE}))
def test_only_a_messages_or_evidence_key_wraps(purpose: Purpose) -> None:
    with pytest.raises(ValueError, match="messages or evidence"):
        wrap(RING.current(purpose, NOW_MS), DataKey(os.urandom(32)), trip="t", nonce=bytes(12))


DATA_KEY = DataKey(os.urandom(32))


@given(places, st.binary(max_size=300), st.binary(min_size=12, max_size=12))
def test_a_message_opens_where_it_was_sealed(
    place: tuple[str, int, Sender, str], plaintext: bytes, nonce: bytes
) -> None:
    trip, epoch, sender, post_id = place
    sealed = MessageCipher(DATA_KEY, trip=trip, epoch=epoch).seal(sender, post_id, plaintext, nonce)
    assert len(sealed) == len(plaintext) + 28
    # Another node made its cipher from the same data key; the store gives it plain strings.
    reader = MessageCipher(DATA_KEY, trip=trip, epoch=epoch)
    as_stored: Any = str(sender)
    assert reader.open(as_stored, post_id, sealed) == plaintext


@given(places, places, st.binary(max_size=8))
def test_a_message_opens_nowhere_else(
    here: tuple[str, int, Sender, str], there: tuple[str, int, Sender, str], plaintext: bytes
) -> None:
    sealed = MessageCipher(DATA_KEY, trip=here[0], epoch=here[1]).seal(
        here[2], here[3], plaintext, os.urandom(12)
    )
    reader = MessageCipher(DATA_KEY, trip=there[0], epoch=there[1])
    if here == there:
        assert reader.open(there[2], there[3], sealed) == plaintext
    else:
        with pytest.raises(Unreadable):
            reader.open(there[2], there[3], sealed)


@pytest.mark.parametrize(
    ("trip", "epoch", "sender", "post_id"),
    [
        ("t2", 1, Role.DRIVER, "p"),
        ("t", 2, Role.DRIVER, "p"),
        ("t", 1, Role.CUSTOMER, "p"),
        ("t", 1, "system", "p"),
        ("t", 1, Role.DRIVER, "p2"),
        ("t", 1, Role.DRIVER, ""),
    ],
)
def test_each_part_of_the_place_counts(trip: str, epoch: int, sender: Sender, post_id: str) -> None:
    sealed = MessageCipher(DATA_KEY, trip="t", epoch=1).seal(Role.DRIVER, "p", b"hi", bytes(12))
    assert MessageCipher(DATA_KEY, trip="t", epoch=1).open(Role.DRIVER, "p", sealed) == b"hi"
    with pytest.raises(Unreadable):
        MessageCipher(DATA_KEY, trip=trip, epoch=epoch).open(sender, post_id, sealed)


@given(st.binary(max_size=20), st.data())
def test_no_bit_of_a_message_can_be_changed(plaintext: bytes, data: st.DataObject) -> None:
    cipher = MessageCipher(DATA_KEY, trip="t", epoch=1)
    sealed = cipher.seal(Role.DRIVER, "p", plaintext, os.urandom(12))
    bit = data.draw(st.integers(0, len(sealed) * 8 - 1))
    with pytest.raises(Unreadable):
        cipher.open(Role.DRIVER, "p", flipped(sealed, bit))
    cut = data.draw(st.integers(0, len(sealed) - 1))
    with pytest.raises(Unreadable):
        cipher.open(Role.DRIVER, "p", sealed[:cut])


@given(st.binary(max_size=100))
def test_other_bytes_are_no_message(junk: bytes) -> None:
    with pytest.raises(Unreadable):
        MessageCipher(DATA_KEY, trip="t", epoch=1).open(Role.DRIVER, "p", junk)


def test_another_trips_data_key_does_not_open() -> None:
    sealed = MessageCipher(DATA_KEY, trip="t", epoch=1).seal(Role.DRIVER, "p", b"hi", bytes(12))
    with pytest.raises(Unreadable):
        MessageCipher(DataKey(os.urandom(32)), trip="t", epoch=1).open(Role.DRIVER, "p", sealed)


def test_a_data_key_never_opens_as_a_message() -> None:
    wrapped = wrap(KEK, DATA_KEY, trip="t", nonce=os.urandom(12))
    cipher = MessageCipher(DataKey(KEK.material), trip="t", epoch=1)
    for sender in (*Role, "system"):
        with pytest.raises(Unreadable):
            cipher.open(sender, "", wrapped[4:])


@pytest.mark.parametrize("length", [0, 8, 11, 13, 16])
def test_a_nonce_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="12 random bytes"):
        MessageCipher(DATA_KEY, trip="t", epoch=1).seal(Role.DRIVER, "p", b"hi", bytes(length))
    with pytest.raises(ValueError, match="12 random bytes"):
        wrap(KEK, DATA_KEY, trip="t", nonce=bytes(length))


def test_a_sender_that_there_is_not_is_refused() -> None:
    stranger: Any = "peer"
    with pytest.raises(KeyError):
        MessageCipher(DATA_KEY, trip="t", epoch=1).seal(stranger, "p", b"hi", bytes(12))


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)
