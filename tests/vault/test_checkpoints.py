"""A checkpoint is the relay's own, checked by anybody, and says one thing."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.vault.checkpoints import (
    Checkpoint,
    checkpoint_of,
    is_genuine,
    public_key,
    sign_checkpoint,
)
from relay.vault.ring import KeyRing, Purpose

NOW_MS = 1_732_233_600_000
RING = KeyRing().extended(NOW_MS, 0, os.urandom)
KEY = RING.current(Purpose.AUDIT, NOW_MS)
PUBLIC = public_key(KEY)


@given(st.integers(1, 2**53), st.binary(min_size=32, max_size=32), st.integers(0, 2**53))
def test_it_survives_a_log_line_and_is_checked_with_the_public_key(
    n: int, hash_: bytes, at_ms: int
) -> None:
    made = sign_checkpoint(KEY, n=n, hash_=hash_, at_ms=at_ms)
    line = json.loads(json.dumps({"event": "audit_checkpoint", **made._asdict()}))
    assert checkpoint_of(line) == made
    assert is_genuine(made, PUBLIC)


@pytest.mark.parametrize(
    "change",
    [
        {"n": 8},
        {"hash": "ab" * 31 + "aa"},
        {"at": NOW_MS + 1},
        {"key_id": "00000000"},
        {"signature": "A" * 86},
        {"signature": ""},
        {"signature": "é"},
    ],
)
def test_nothing_of_it_can_be_changed(change: dict[str, Any]) -> None:
    made = sign_checkpoint(KEY, n=7, hash_=b"\xab" * 32, at_ms=NOW_MS)
    assert is_genuine(made, PUBLIC)
    assert not is_genuine(made._replace(**change), PUBLIC)


def test_another_key_does_not_check_it() -> None:
    made = sign_checkpoint(KEY, n=7, hash_=bytes(32), at_ms=NOW_MS)
    other = KeyRing().extended(NOW_MS, 0, os.urandom).current(Purpose.AUDIT, NOW_MS)
    assert not is_genuine(made, public_key(other))
    for text in ("", "0" * 64, "f" * 64, PUBLIC[:-1], PUBLIC.upper() + "x"):
        assert not is_genuine(made, text)


def test_the_public_key_tells_nothing_secret() -> None:
    assert len(PUBLIC) == 64
    assert KEY.material.hex() != PUBLIC
    assert public_key(KEY) == PUBLIC


@pytest.mark.parametrize("purpose", sorted(set(Purpose) - {Purpose.AUDIT}))
def test_only_an_audit_key_signs(purpose: Purpose) -> None:
    with pytest.raises(ValueError, match="audit"):
        sign_checkpoint(RING.current(purpose, NOW_MS), n=1, hash_=bytes(32), at_ms=NOW_MS)


fields = st.dictionaries(
    st.sampled_from(Checkpoint._fields),
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers()),
)


@given(fields)
def test_other_fields_are_no_checkpoint(found: dict[str, Any]) -> None:
    assert checkpoint_of(found) is None
    whole = sign_checkpoint(KEY, n=7, hash_=bytes(32), at_ms=NOW_MS)._asdict()
    changed = checkpoint_of({**whole, **found})
    assert changed is None or changed._asdict() == {**whole, **found}
