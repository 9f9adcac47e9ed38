"""The audit log's chain: a sound one is sound, and every way of meddling with one is found."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.vault.chain import (
    GENESIS,
    MAX_FAULTS,
    Fault,
    Flaw,
    Link,
    Verdict,
    Verifier,
    canonical,
    next_hash,
    verify,
)
from relay.vault.checkpoints import Checkpoint, public_key, sign_checkpoint
from relay.vault.ring import KeyRing, Purpose

NOW_MS = 1_732_233_600_000
KEY = KeyRing().extended(NOW_MS, 0, os.urandom).current(Purpose.AUDIT, NOW_MS)
KEYS = {KEY.id: public_key(KEY)}


def entry(n: int, **changes: object) -> bytes:
    return canonical({"n": n, "actor": "ayu", "act": f"act{n}"} | changes)


def chained(bodies: list[bytes]) -> list[Link]:
    links, previous = [], GENESIS
    for body in bodies:
        previous = next_hash(previous, body)
        links.append(Link(previous, body))
    return links


def log_of(count: int) -> list[Link]:
    return chained([entry(n) for n in range(1, count + 1)])


def signed(links: list[Link], n: int) -> Checkpoint:
    return sign_checkpoint(KEY, n=n, hash_=links[n - 1].hash, at_ms=NOW_MS)


def faults(links: list[Link], *checkpoints: Checkpoint, written: int = 0) -> list[Fault]:
    return list(verify(links, checkpoints, KEYS, written).faults)


def test_the_hash_is_what_the_documentation_says() -> None:
    import hashlib

    one, other = log_of(2)
    assert one.hash == hashlib.sha256(b"\0" + bytes(32) + one.body).digest()
    assert other.hash == hashlib.sha256(b"\0" + one.hash + other.body).digest()
    assert one.body == b'{"act":"act1","actor":"ayu","n":1}'


@given(st.integers(0, 30), st.sets(st.integers(1, 30)))
def test_a_sound_log_is_sound(count: int, signed_at: set[int]) -> None:
    links = log_of(count)
    at = sorted(n for n in signed_at if n <= count)
    verdict = verify(links, [signed(links, n) for n in at], KEYS, count)
    assert verdict == Verdict(1, count, count, max(at, default=0), 0, ())


def withholding(
    links: list[Link], kept_back: int, *checkpoints: Checkpoint, after: int = 0
) -> Verdict:
    """The verdict on a log of which one entry is told by its hash alone."""
    verifier = Verifier(checkpoints, KEYS, after=after)
    for n, link in enumerate(links, 1):
        if n == kept_back:
            verifier.add_withheld(link.hash)
        else:
            verifier.add(link)
    return verifier.verdict()


def test_no_checkpoint_vouches_for_what_a_hash_alone_does_not_bind() -> None:
    """Whoever hands on a log could write anew what came before a line without an entry."""
    genuine = log_of(9)
    at_2, at_9 = signed(genuine, 2), signed(genuine, 9)
    forged = chained([entry(n, actor="tono") if n == 4 else entry(n) for n in range(1, 6)])
    for links in (genuine, [*forged, *genuine[5:]]):
        verdict = withholding(links, 6, at_2, at_9)
        assert (verdict.faults, verdict.proven_until, verdict.unbound) == ((), 2, 5)
    # One of the entry before binds all that came before.
    at_5 = signed(genuine, 5)
    assert withholding(genuine, 6, at_2, at_5, at_9) == Verdict(1, 9, 9, 9, 0, (), 1)
    rewritten = withholding([*forged, *genuine[5:]], 6, at_2, at_5, at_9)
    assert rewritten.faults == (Fault(3, 5, Flaw.REWRITTEN),)


def test_hashes_alone_in_a_row_and_at_the_beginning_bind_all_there_is() -> None:
    links = log_of(5)
    verifier = Verifier([signed(links, 5)], KEYS)
    for n, link in enumerate(links, 1):
        if n < 4:
            verifier.add_withheld(link.hash)
        else:
            verifier.add(link)
    assert verifier.verdict() == Verdict(1, 5, 5, 5, 0, (), 3)


def test_a_part_is_checked_from_where_it_begins() -> None:
    links = log_of(9)
    verifier = Verifier([signed(links, 8)], KEYS, after=4, previous=links[3].hash)
    for link in links[4:]:
        verifier.add(link)
    assert verifier.verdict(9) == Verdict(5, 5, 9, 8, 0, ())


# --- each way of meddling, and where it is found --------------------------------------------------


def edited(links: list[Link]) -> None:
    links[4] = Link(links[4].hash, entry(5, actor="budi"))


def edited_with_its_hash(links: list[Link]) -> None:
    body = entry(5, actor="budi")
    links[4] = Link(next_hash(links[3].hash, body), body)


def damaged(links: list[Link]) -> None:
    links[4] = Link(links[4].hash, b"not JSON")


def hash_edited(links: list[Link]) -> None:
    links[4] = Link(bytes(32), links[4].body)


def removed(links: list[Link]) -> None:
    del links[4]


def removed_several(links: list[Link]) -> None:
    del links[4:7]


def removed_the_first(links: list[Link]) -> None:
    del links[0]


def removed_and_numbers_mended(links: list[Link]) -> None:
    del links[4]
    links[4:] = [Link(link.hash, entry(n)) for n, link in enumerate(links[4:], 5)]


def inserted(links: list[Link]) -> None:
    body = entry(5, actor="forged")
    links.insert(4, Link(next_hash(links[3].hash, body), body))


def inserted_with_a_number_of_its_own(links: list[Link]) -> None:
    body = entry(999_999, actor="forged")
    links.insert(4, Link(next_hash(links[3].hash, body), body))


def copied(links: list[Link]) -> None:
    links.insert(4, links[1])


def swapped(links: list[Link]) -> None:
    links[4], links[5] = links[5], links[4]


def swapped_far(links: list[Link]) -> None:
    links[4], links[7] = links[7], links[4]


def moved(links: list[Link]) -> None:
    links.append(links.pop(4))


def cut(links: list[Link]) -> None:
    del links[4:]


def rewritten(links: list[Link]) -> None:
    links[:] = chained([entry(n, actor="budi" if n == 5 else "ayu") for n in range(1, 11)])


def rewritten_and_cut(links: list[Link]) -> None:
    links[:] = chained([entry(n, actor="budi") for n in range(1, 5)])


@pytest.mark.parametrize(
    ("meddle", "found"),
    [
        (edited, [Fault(5, 5, Flaw.EDITED)]),
        # It follows from the entry before; the one after does not follow from it.
        (edited_with_its_hash, [Fault(6, 6, Flaw.EDITED)]),
        (damaged, [Fault(5, 5, Flaw.EDITED)]),
        (hash_edited, [Fault(5, 5, Flaw.EDITED), Fault(6, 6, Flaw.EDITED)]),
        (removed, [Fault(5, 5, Flaw.REMOVED)]),
        (removed_several, [Fault(5, 7, Flaw.REMOVED)]),
        (removed_the_first, [Fault(1, 1, Flaw.REMOVED)]),
        (inserted, [Fault(5, 5, Flaw.INSERTED)]),
        (inserted_with_a_number_of_its_own, [Fault(5, 5, Flaw.INSERTED)]),
        (copied, [Fault(5, 5, Flaw.INSERTED)]),
        (swapped, [Fault(6, 6, Flaw.REORDERED)]),
        (swapped_far, [Fault(n, n, Flaw.REORDERED) for n in (5, 6, 7)]),
        (moved, [Fault(5, 5, Flaw.REORDERED)]),
        (cut, [Fault(5, 10, Flaw.CUT)]),
        (rewritten, [Fault(1, 10, Flaw.REWRITTEN)]),
        (rewritten_and_cut, [Fault(5, 10, Flaw.CUT)]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_what_was_done_and_where(meddle: Callable[[list[Link]], None], found: list[Fault]) -> None:
    links = log_of(10)
    checkpoint = signed(links, 10)
    meddle(links)
    assert faults(links, checkpoint, written=10) == found


def test_mended_numbers_do_not_hide_a_removal() -> None:
    links = log_of(10)
    removed_and_numbers_mended(links)
    assert faults(links)[0] == Fault(5, 5, Flaw.EDITED)


def test_a_cut_is_known_from_a_checkpoint_or_from_the_store() -> None:
    links = log_of(10)
    checkpoint = signed(links, 9)
    cut(links)
    assert faults(links) == []
    assert faults(links, written=8) == [Fault(5, 8, Flaw.CUT)]
    assert faults(links, checkpoint) == [Fault(5, 9, Flaw.CUT)]


def test_a_rewritten_log_is_known_from_a_checkpoint_alone_and_since_which() -> None:
    links = log_of(10)
    checkpoints = [signed(links, n) for n in (3, 6, 9)]
    rewritten(links)
    assert faults(links) == []
    verdict = verify(links, checkpoints, KEYS)
    assert verdict.faults == (Fault(4, 6, Flaw.REWRITTEN), Fault(4, 9, Flaw.REWRITTEN))
    assert verdict.proven_until == 3


def test_a_checkpoint_that_the_relay_did_not_sign_proves_nothing() -> None:
    links = log_of(10)
    stranger = KeyRing().extended(NOW_MS, 0, os.urandom).current(Purpose.AUDIT, NOW_MS)
    unknown = sign_checkpoint(stranger, n=7, hash_=bytes(32), at_ms=NOW_MS)
    forged = signed(links, 7)._replace(hash="00" * 32)
    assert verify(links, [unknown], KEYS) == Verdict(1, 10, 10, 0, 1, ())
    verdict = verify(links, [forged, signed(links, 5)], KEYS)
    assert verdict.faults == (Fault(7, 7, Flaw.FORGED),)
    assert verdict.proven_until == 5


def test_numbers_that_went_on_after_a_cut_leave_the_gap() -> None:
    """As the store's script does it: the next entry follows from the last that is left."""
    links = log_of(5)
    body = entry(8)
    links.append(Link(next_hash(links[-1].hash, body), body))
    assert faults(links, written=8) == [Fault(6, 7, Flaw.REMOVED)]


def test_a_log_turned_round_is_told_in_a_bounded_answer() -> None:
    found = faults(log_of(400)[::-1])
    assert len(found) == MAX_FAULTS
    assert {fault.flaw for fault in found} == {Flaw.REORDERED}


# --- any single change ----------------------------------------------------------------------------

values = st.text(max_size=5)


@given(st.data())
def test_any_single_change_is_found(data: st.DataObject) -> None:
    texts = data.draw(st.lists(values, min_size=2, max_size=12))
    before = chained([entry(n, note=text) for n, text in enumerate(texts, 1)])
    count = len(before)
    checkpoint, links = signed(before, count), list(before)
    place = data.draw(st.integers(0, count - 1))
    kind = data.draw(st.sampled_from(["body", "bit", "hash", "delete", "insert", "swap", "cut"]))
    if kind == "body":
        links[place] = Link(links[place].hash, entry(place + 1, note=data.draw(values)))
    elif kind == "bit":
        bit = data.draw(st.integers(0, len(links[place].body) * 8 - 1))
        changed = bytearray(links[place].body)
        changed[bit // 8] ^= 1 << bit % 8
        links[place] = Link(links[place].hash, bytes(changed))
    elif kind == "hash":
        links[place] = Link(data.draw(st.binary(min_size=32, max_size=32)), links[place].body)
    elif kind == "delete":
        del links[place]
    elif kind == "insert":
        number = data.draw(st.integers(-1, count + 2))
        body = entry(number, note=data.draw(values))
        previous = links[place - 1].hash if place else GENESIS
        links.insert(place, Link(next_hash(previous, body), body))
    elif kind == "swap":
        other = data.draw(st.integers(0, count - 1))
        links[place], links[other] = links[other], links[place]
    else:
        del links[place:]
    found = faults(links, checkpoint)
    assert bool(found) == (links != before)
    if found:
        assert found[0].n <= place + 2  # an entry whose hash was made anew shows at the next one


@given(st.integers(1, 12), st.data())
def test_a_log_that_was_chained_anew_is_found(count: int, data: st.DataObject) -> None:
    before = log_of(count)
    bodies = [link.body for link in before]
    place = data.draw(st.integers(0, count - 1))
    bodies[place] = entry(place + 1, note=data.draw(values))
    at = data.draw(st.integers(1, count))
    found = faults(chained(bodies), signed(before, at))
    assert found == ([Fault(1, at, Flaw.REWRITTEN)] if at > place else [])


@given(st.lists(st.tuples(st.binary(max_size=40), st.binary(max_size=40))), st.integers(0, 9))
def test_it_does_not_fail_on_anything(junk: list[tuple[bytes, bytes]], written: int) -> None:
    links = [Link(*one) for one in junk]
    assert bool(faults(links, written=written)) == bool(junk or written)
