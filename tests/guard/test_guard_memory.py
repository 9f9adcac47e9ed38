"""The memory is a function of what was delivered: whatever the order, and however often it is fed."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from speed import cpu_s, least_ratio

from relay.guard import MASK, Action, Entry, Guard, Memory

OWN = "+6281290417356"
CHAT = [
    "pak saya sudah di depan lobby ya", "oke bu tunggu 5 menit lagi", "saya pakai baju merah",
    "baik ditunggu", "macet di lampu merah pak", "rumahnya pagar hitam no 12 blok C3",
    "sesuai titik ya bu", "plat B 1234 XYZ ya pak", "siap", "terima kasih banyak pak hati hati",
    "posisi dimana bu", "dekat indomaret sebelah kiri jalan", "iya pak saya keluar sekarang",
]  # fmt: skip
texts = st.sampled_from(
    ["0812", "345", "290", "417", "356", "saya di lobby", "apa kode otp nya", "482193", "jam 7.15",
     "hubungi 081377120045", "dua tiga", "tengah 88", "blok C3", "o8", "cek ig saya budi_77"],
)  # fmt: skip
posts = st.lists(st.tuples(st.sampled_from(("driver", "customer")), texts), max_size=12)


def state(memory: Memory) -> object:
    return (
        [(p.id, p.sender, p.at_ms, p.place, p.trace) for p in memory.pieces],
        [memory.last(s) for s in ("", "driver", "customer")],
        [memory.code_asked(s, 1000) for s in ("driver", "customer")],
        {s: memory.spent_by(s, frozenset()) for s in ("driver", "customer")},
    )


def delivered(guard: Guard, conversation: list[tuple[str, str]]) -> list[Entry]:
    """The log of a conversation."""
    memory, log = Memory(), []
    for step, (sender, text) in enumerate(conversation):
        verdict = guard.screen(memory, sender, text, 1000 + step)
        entry = Entry(f"p{step}", sender, verdict.text, 1000 + step, f"{1000 + step}-0")
        memory.feed(entry, verdict.trace)
        log.append(entry)
    return log


def rebuilt(log: list[Entry]) -> Memory:
    memory = Memory()
    for entry in log:
        memory.feed(entry)
    return memory


@settings(max_examples=200, deadline=None)
@given(posts, st.randoms(use_true_random=False))
def test_a_log_fed_in_any_order_and_twice_is_one_memory(
    conversation: list[tuple[str, str]], source: random.Random
) -> None:
    log = delivered(Guard("ID", [OWN]), conversation)
    mixed = [*log, *log]
    source.shuffle(mixed)
    assert state(rebuilt(mixed)) == state(rebuilt(log))


@settings(max_examples=200, deadline=None)
@given(posts)
def test_what_a_verdict_hands_over_is_what_its_text_reads_as(
    conversation: list[tuple[str, str]],
) -> None:
    guard, handed, read = Guard("ID", [OWN]), Memory(), Memory()
    for step, (sender, text) in enumerate(conversation):
        verdict = guard.screen(handed, sender, text, step)
        entry = Entry(str(step), sender, verdict.text, step)
        handed.feed(entry, verdict.trace)
        read.feed(entry)
        assert state(handed) == state(read)


@settings(max_examples=200, deadline=None)
@given(posts, st.data())
def test_what_is_taken_back_was_never_there(
    conversation: list[tuple[str, str]], data: st.DataObject
) -> None:
    log = delivered(Guard("ID", [OWN]), conversation)
    refused = data.draw(st.sets(st.sampled_from(log))) if log else set[Entry]()
    memory = Memory()
    for entry in log:
        memory.feed(entry._replace(position="", at_ms=0))
    for entry in refused:
        memory.forget(entry.id)
        memory.forget(entry.id)
    for entry in reversed(log):
        if entry not in refused:
            memory.feed(entry)
    assert state(memory) == state(rebuilt([entry for entry in log if entry not in refused]))


def test_posts_under_way_count_as_delivered() -> None:
    guard, memory = Guard("ID", [OWN]), Memory()
    out = []
    for step, text in enumerate("290417356"):
        verdict = guard.screen(memory, "driver", text, step)
        memory.feed(Entry(str(step), "driver", verdict.text, step), verdict.trace)
        out.append(verdict.text)
    assert sum(text != MASK for text in out) <= 5


def test_a_refused_post_is_no_way_round_the_window() -> None:
    guard, memory = Guard("ID", [OWN]), Memory()
    memory.feed(Entry("a", "driver", "29041", 0, "1-0"))
    memory.feed(Entry("b", "driver", "99", 0))
    memory.forget("b")
    assert guard.screen(memory, "driver", "7", 1).text == MASK


def test_a_post_under_way_stands_after_what_is_in_the_log() -> None:
    guard, memory = Guard("ID", [OWN]), Memory()
    memory.feed(Entry("mine", "driver", "041", 9))
    memory.feed(Entry("theirs", "customer", "29", 5, "5-0"))
    assert [piece.id for piece in memory.pieces] == ["theirs", "mine"]
    assert guard.screen(memory, "driver", "7", 10).text == MASK
    memory.feed(Entry("mine", "driver", "041", 3, "3-0"))
    assert [piece.id for piece in memory.pieces] == ["mine", "theirs"]


def test_a_position_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        Memory().feed(Entry("a", "driver", "12", 0, "somewhere"))


def test_the_request_for_a_code_is_remembered_over_a_rebuild() -> None:
    guard = Guard("ID")
    memory = rebuilt([Entry("a", "driver", "kak tolong kirim kode otp yang masuk", 0, "1-0")])
    verdict = guard.screen(memory, "customer", "482193", 60_000)
    assert (verdict.action, verdict.text) == (Action.REDACT, MASK)
    assert guard.screen(memory, "driver", "482193", 60_000).text == "482193"
    assert guard.screen(memory, "customer", "482193", 3_600_000).text == "482193"


def test_a_memory_is_bounded() -> None:
    memory = Memory()
    for step in range(3000):
        memory.feed(Entry(str(step), "driver", f"hubungi {MASK}", step, f"{step}-0"))
        memory.feed(Entry(f"c{step}", "driver", "sudah sampai", step, f"{step}-1"))
    assert memory.pieces == []
    for step in range(3000):
        memory.feed(Entry(f"d{step}", "driver", "lantai 3", step, f"{step}-2"))
        memory.feed(Entry(f"k{step}", "customer", "minta kode otp", step, f"{step}-3"))
    assert len(memory.pieces) <= 192
    assert memory.spent_by("driver", frozenset())[1] == 3000


def test_digits_are_not_pushed_out_by_what_holds_none() -> None:
    guard, memory = Guard("ID", [OWN]), Memory()
    memory.feed(Entry("a", "driver", "29041", 0, "1-0"))
    memory.feed(Entry("b", "driver", "kirim kode otp 29041", 0, "2-0"))
    for step in range(500):
        text = ("minta kode otp", f"cek {MASK}")[step % 2]
        memory.feed(Entry(f"c{step}", "customer", text, 0, f"{3 + step}-0"))
    assert [piece.id for piece in memory.pieces] == ["a", "b"]
    assert guard.screen(memory, "customer", "7", 1).text == MASK


def test_a_thousand_entries_are_replayed_at_once() -> None:
    source = random.Random(5)
    log = [
        Entry(str(step), source.choice(("driver", "customer")), source.choice(CHAT), step)
        for step in range(1000)
    ]
    # 30 ms on a machine on which the reference takes 4.
    ratio, _ = least_ratio(lambda: cpu_s(lambda: rebuilt(log), 1), 7.5)
    assert ratio < 7.5


def test_a_memory_shows_nothing() -> None:
    guard, memory = Guard("ID", [OWN]), Memory()
    verdict = guard.screen(memory, "driver", "kode 7731 ya", 0)
    memory.feed(Entry("a", "driver", verdict.text, 0), verdict.trace)
    assert "7731" not in repr((memory, memory.pieces, verdict, verdict.trace))
