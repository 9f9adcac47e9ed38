"""The key ring: every instant has its key, keys do not change, and what is destroyed is gone."""

from __future__ import annotations

import itertools
import json
import os
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.vault.ring import SPAN_MS, BadKeyRing, Key, KeyRing, KeyUnavailable, Purpose

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
NOW_MS = 1_732_233_600_000 + 1_234_567  # not at the start of any span

nows = st.integers(NOW_MS - 200 * DAY_MS, NOW_MS + 200 * DAY_MS)
aheads = st.integers(0, 3 * DAY_MS)


def ring_of(now_ms: int = NOW_MS, ahead_ms: int = DAY_MS) -> KeyRing:
    return KeyRing().extended(now_ms, ahead_ms, os.urandom)


def keys_of(ring: KeyRing, purpose: Purpose) -> list[Key]:
    return [key for key in ring if key.purpose is purpose]


@st.composite
def unaligned_rings(draw: st.DrawFn) -> KeyRing:
    """Rings as a person might write them: spans of any length, with gaps, at odd times."""
    keys = []
    for purpose in Purpose:
        at_ms = draw(nows)
        for _ in range(draw(st.integers(0, 4))):
            at_ms += draw(st.one_of(st.just(0), st.integers(0, 2 * SPAN_MS[purpose])))
            until_ms = at_ms + draw(st.integers(1, SPAN_MS[purpose]))
            keys.append(Key(os.urandom(4).hex(), purpose, at_ms, until_ms, os.urandom(32)))
            at_ms = until_ms
    return KeyRing(keys)


def assert_covered(ring: KeyRing, now_ms: int, ahead_ms: int) -> None:
    """From now to then without a hole, and no instant has two keys."""
    end_ms = now_ms + ahead_ms
    for purpose in Purpose:
        keys = keys_of(ring, purpose)
        for earlier, later in itertools.pairwise(keys):
            assert earlier.until_ms <= later.from_ms
        at_ms = now_ms
        while at_ms <= end_ms:
            covering = [key for key in keys if key.from_ms <= at_ms < key.until_ms]
            assert len(covering) == 1
            assert ring.current(purpose, at_ms) is covering[0]
            assert ring.current(purpose, covering[0].until_ms - 1) is covering[0]
            at_ms = covering[0].until_ms


@given(
    st.one_of(st.just(KeyRing()), unaligned_rings()), st.lists(st.tuples(nows, aheads), max_size=5)
)
def test_extension_covers_the_time_ahead_and_changes_no_key(
    ring: KeyRing, steps: list[tuple[int, int]]
) -> None:
    for now_ms, ahead_ms in steps:
        before = list(ring)
        longer = ring.extended(now_ms, ahead_ms, os.urandom)
        assert_covered(longer, now_ms, ahead_ms)
        assert [key for key in longer if key.id in ring] == before  # the very same objects
        for key in longer:
            if key.id not in ring:
                assert key.until_ms > now_ms
                assert key.until_ms - key.from_ms <= SPAN_MS[key.purpose]
        assert longer.extended(now_ms, ahead_ms, os.urandom) is longer
        ring = longer


@given(st.lists(nows, min_size=1, max_size=8), aheads)
def test_a_running_node_goes_forward_without_a_gap(times: list[int], ahead_ms: int) -> None:
    ring = KeyRing()
    for now_ms in sorted(times):
        ring = ring.extended(now_ms, ahead_ms, os.urandom)
    for purpose in Purpose:
        for key in keys_of(ring, purpose):
            assert key.from_ms % SPAN_MS[purpose] == 0
            assert key.until_ms == key.from_ms + SPAN_MS[purpose]


@given(nows, aheads, st.integers(0, 10 * DAY_MS))
def test_there_is_no_key_outside_what_is_covered(now_ms: int, ahead_ms: int, far_ms: int) -> None:
    ring = ring_of(now_ms, ahead_ms)
    for purpose in Purpose:
        keys = keys_of(ring, purpose)
        with pytest.raises(KeyUnavailable, match="keyring rotate"):
            ring.current(purpose, keys[-1].until_ms + far_ms)
        with pytest.raises(KeyUnavailable):
            ring.current(purpose, keys[0].from_ms - 1 - far_ms)


def test_an_empty_ring_has_no_key_at_all() -> None:
    for purpose in Purpose:
        with pytest.raises(KeyUnavailable):
            KeyRing().current(purpose, NOW_MS)


def test_ids_and_material_come_from_the_bytes_that_were_given() -> None:
    first, second = (
        KeyRing().extended(NOW_MS, DAY_MS, random.Random(7).randbytes) for _ in range(2)
    )
    assert first.to_document() == second.to_document()
    assert len({key.id for key in first}) == len({key.material for key in first}) == len(first)


def test_an_id_that_is_taken_is_drawn_again() -> None:
    ring = ring_of(NOW_MS, 0)
    taken = iter(bytes.fromhex(key.id) for key in ring)

    def source(n: int) -> bytes:
        return next(taken, os.urandom(4)) if n == 4 else os.urandom(n)

    longer = ring.extended(NOW_MS, DAY_MS, source)
    assert next(taken, None) is None
    assert len({key.id for key in longer}) == len(longer) > len(ring)


@pytest.mark.parametrize("length", [4, 32])
def test_a_random_source_that_repeats_itself_is_refused(length: int) -> None:
    def stuck(n: int) -> bytes:
        return bytes(n) if n == length else os.urandom(n)

    with pytest.raises(BadKeyRing, match=r"^(id|key): "):
        KeyRing().extended(NOW_MS, DAY_MS, stuck)


@pytest.mark.parametrize(
    ("purpose", "after_ms"),
    [
        (Purpose.NUMBERS, 5 * HOUR_MS),
        (Purpose.MESSAGES, 5 * HOUR_MS + 7 * DAY_MS),
        (Purpose.EVIDENCE, 180 * DAY_MS),
    ],
)
def test_a_key_is_due_at_once_when_nothing_needs_it(purpose: Purpose, after_ms: int) -> None:
    ring = ring_of()
    key = ring.current(purpose, NOW_MS)
    due_ms = key.until_ms + after_ms
    longest = 5 * HOUR_MS, 7 * DAY_MS, 180 * DAY_MS
    assert key not in ring.due(due_ms - 1, *longest)
    assert key in ring.due(due_ms, *longest)


@given(nows, st.integers(0, 2 * DAY_MS), st.integers(0, 9 * DAY_MS), st.integers(0, 99 * DAY_MS))
def test_what_is_due_was_never_needed_by_what_is_still_there(
    now_ms: int, trip_ms: int, retention_ms: int, evidence_ms: int
) -> None:
    ring = ring_of(NOW_MS, 2 * DAY_MS)
    needed_ms = {
        # The last trip opened under it, at its longest, its last message kept for the longest.
        Purpose.NUMBERS: trip_ms,
        Purpose.MESSAGES: trip_ms + retention_ms,
        Purpose.EVIDENCE: evidence_ms,
    }
    for key in ring.due(now_ms, trip_ms, retention_ms, evidence_ms):
        assert (key.until_ms - 1) + needed_ms[key.purpose] < now_ms


def test_what_proves_signs_and_lets_in_is_never_due() -> None:
    due = {key.purpose for key in ring_of().due(2**52, 0, 0, 0)}
    assert due == {Purpose.NUMBERS, Purpose.MESSAGES, Purpose.EVIDENCE}


def test_a_ring_of_the_first_kind_has_no_keys_for_what_came_later() -> None:
    document = ring_of().to_document()
    for purpose in (Purpose.EVIDENCE, Purpose.STAFF, Purpose.AUDIT):
        del document[purpose]
    old = KeyRing.from_document(document)
    assert {key.purpose for key in old} == {Purpose.NUMBERS, Purpose.MESSAGES, Purpose.REPORTS}
    with pytest.raises(KeyUnavailable):
        old.current(Purpose.AUDIT, NOW_MS)
    longer = old.extended(NOW_MS, DAY_MS, os.urandom)
    assert_covered(longer, NOW_MS, DAY_MS)
    assert [key for key in longer if key.id in old] == list(old)


def test_a_key_s_purpose_is_found_by_its_id() -> None:
    ring = ring_of()
    assert {ring.purpose_of(key.id) for key in ring} == set(Purpose)
    assert ring.purpose_of("00000000") is None


def test_a_destroyed_key_is_gone_and_the_others_stay() -> None:
    ring = ring_of()
    doomed = ring.current(Purpose.NUMBERS, NOW_MS)
    smaller = ring.without([doomed.id])
    assert ring.get(Purpose.NUMBERS, doomed.id) is doomed
    assert list(smaller) == [key for key in ring if key is not doomed]
    with pytest.raises(KeyUnavailable):
        smaller.get(Purpose.NUMBERS, doomed.id)
    with pytest.raises(KeyUnavailable):
        smaller.current(Purpose.NUMBERS, NOW_MS)
    again = smaller.extended(NOW_MS, 0, os.urandom).current(Purpose.NUMBERS, NOW_MS)
    assert again.material != doomed.material


def test_destroying_an_unknown_key_destroys_none() -> None:
    ring = ring_of()
    with pytest.raises(KeyUnavailable, match="keyring list"):
        ring.without([next(iter(ring)).id, "00000000"])
    assert ring.without([]) is ring


def test_a_key_serves_its_own_purpose_only() -> None:
    ring = ring_of()
    for key in ring:
        for purpose in Purpose:
            if purpose is key.purpose:
                assert ring.get(purpose, key.id) is key
            else:
                with pytest.raises(KeyUnavailable):
                    ring.get(purpose, key.id)


def test_rows_tell_the_state_of_each_key() -> None:
    ring = ring_of(NOW_MS, 3 * DAY_MS)
    later_ms = NOW_MS + 5 * HOUR_MS
    states = {row.id: row.state for row in ring.rows(later_ms, 2 * HOUR_MS, DAY_MS, DAY_MS)}
    hours = [states[key.id] for key in keys_of(ring, Purpose.NUMBERS)]
    assert hours[:6] == ["due", "due", "due", "past", "past", "current"]
    assert set(hours[6:]) == {"future"}
    assert [states[key.id] for key in keys_of(ring, Purpose.REPORTS)] == ["current"]
    plain = json.dumps(ring.rows(later_ms, 2 * HOUR_MS, DAY_MS, DAY_MS))
    for entry in ring.to_document()["numbers"]:
        assert entry["key"] not in plain
        assert entry["id"] in plain


def key(purpose: Purpose = Purpose.NUMBERS, **changes: Any) -> Key:
    values = {"key_id": "0a1b2c3d", "from_ms": 0, "until_ms": HOUR_MS, "material": os.urandom(32)}
    values.update(changes)
    return Key(purpose=purpose, **values)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"key_id": "0A1B2C3D"}, "id"),
        ({"key_id": "0a1b2c3"}, "id"),
        ({"key_id": "0a1b2c3d\n"}, "id"),
        ({"key_id": "\u0660a1b2c3d"}, "id"),
        ({"from_ms": -1}, "from_ms"),
        ({"from_ms": False}, "from_ms"),
        ({"until_ms": 1.5}, "until_ms"),
        ({"until_ms": 2**54}, "until_ms"),
        ({"until_ms": 0}, "until_ms"),
        ({"until_ms": HOUR_MS + 1}, "until_ms"),
        ({"material": os.urandom(31)}, "key"),
        ({"material": os.urandom(33)}, "key"),
    ],
)
def test_a_key_that_breaks_a_rule_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(BadKeyRing, match=f"^{field}: "):
        key(**changes)


def test_keys_that_do_not_go_together_are_refused() -> None:
    one = key()
    with pytest.raises(BadKeyRing, match="same id"):
        KeyRing([one, key(Purpose.MESSAGES)])
    with pytest.raises(BadKeyRing, match="same bytes"):
        KeyRing([one, key(Purpose.MESSAGES, key_id="ffffffff", material=one.material)])
    with pytest.raises(BadKeyRing, match="starts before"):
        KeyRing([one, key(key_id="ffffffff", from_ms=HOUR_MS - 1, until_ms=HOUR_MS + 1)])
    assert len(KeyRing([one, key(key_id="ffffffff", from_ms=HOUR_MS, until_ms=2 * HOUR_MS)])) == 2


@given(st.one_of(unaligned_rings(), st.builds(ring_of, nows, aheads)))
def test_a_ring_survives_its_document(ring: KeyRing) -> None:
    text = json.dumps(ring.to_document())
    again = KeyRing.from_document(json.loads(text))
    assert again.to_document() == ring.to_document()
    assert [(k.id, k.purpose, k.from_ms, k.until_ms, k.material) for k in again] == [
        (k.id, k.purpose, k.from_ms, k.until_ms, k.material) for k in ring
    ]


SAMPLE = ring_of(NOW_MS, 2 * HOUR_MS).to_document()


def changed(path: list[str | int], value: Any) -> Any:
    """A copy of the sample document with one value replaced, or removed if it is ``...``."""
    document = json.loads(json.dumps(SAMPLE))
    place = document
    for step in path[:-1]:
        place = place[step]
    if value is ...:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["version"], 2, "version: must be 1"),
        (["version"], True, "version: must be 1"),
        (["version"], 1.0, "version: must be 1"),
        (["version"], ..., "version: must be 1"),
        (["reports"], ..., "the document: must have version, numbers, messages, reports"),
        (["extra"], [], "the document: must have version"),
        (["staff"], None, "staff: must be a list"),
        (["messages"], {}, "messages: must be a list"),
        (["numbers", 1], None, r"numbers\[1\]: must have"),
        (["numbers", 1, "id"], ..., r"numbers\[1\]: must have"),
        (["numbers", 1, "note"], "x", r"numbers\[1\]: must have"),
        (["numbers", 1, "id"], 7, r"numbers\[1\].id: "),
        (["numbers", 0, "id"], SAMPLE["numbers"][1]["id"], "id: two keys"),
        (["messages", 0, "from_ms"], "0", r"messages\[0\].from_ms: "),
        (["messages", 0, "until_ms"], None, r"messages\[0\].until_ms: "),
        (["messages", 0, "until_ms"], 2**60, r"messages\[0\].until_ms: "),
        (["numbers", 0, "until_ms"], NOW_MS + 2 * DAY_MS, r"numbers\[0\].until_ms: "),
        (["numbers", 1, "from_ms"], SAMPLE["numbers"][1]["from_ms"] - 1, r"numbers\[1\].until_ms"),
        (["reports", 0, "key"], SAMPLE["numbers"][0]["key"], "key: two keys"),
        (["reports", 0, "key"], None, r"reports\[0\].key: "),
        (["reports", 0, "key"], "A" * 42, r"reports\[0\].key: "),
        (["reports", 0, "key"], "A" * 42 + "B", r"reports\[0\].key: "),  # not the canonical text
        (["reports", 0, "key"], "A" * 42 + "=", r"reports\[0\].key: "),
        (["reports", 0, "key"], "+" * 43, r"reports\[0\].key: "),
        (["reports", 0, "key"], "é" * 43, r"reports\[0\].key: "),
        (["reports", 0, "key"], "A" * 100_000, r"reports\[0\].key: "),
    ],
    ids=lambda _: "",  # the values are random keys; the place in the list is enough of a name
)
def test_a_bad_document_is_refused_by_the_name_of_the_field(
    path: list[str | int], value: Any, message: str
) -> None:
    with pytest.raises(BadKeyRing, match=f"^{message}") as caught:
        KeyRing.from_document(changed(path, value))
    for entry in itertools.chain(SAMPLE["numbers"], SAMPLE["messages"], SAMPLE["reports"]):
        assert entry["key"] not in str(caught.value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
    ),
    max_leaves=8,
)
paths = st.sampled_from(
    [["version"], ["numbers"], ["reports", 0], ["messages", 0]]
    + [[ring, 0, field] for ring in ("numbers", "reports") for field in SAMPLE["numbers"][0]]
)


@given(anything)
def test_no_other_data_makes_a_ring(document: Any) -> None:
    with pytest.raises(BadKeyRing):
        KeyRing.from_document(document)


@given(paths, anything)
def test_a_hostile_value_is_refused_or_makes_a_sound_ring(
    path: list[str | int], value: Any
) -> None:
    document = changed(path, value)
    try:
        ring = KeyRing.from_document(document)
    except BadKeyRing:
        return
    assert ring.to_document() == document
