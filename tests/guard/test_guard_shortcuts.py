"""What the guard saves itself changes nothing of what it says."""

from __future__ import annotations

import random
import re
from functools import lru_cache
from pathlib import Path

import pytest

from relay.guard import Entry, Guard, Memory, Policy, dialogue, numbers, solicitation, word
from relay.guard.context import (
    _AFTER_DIGITS,
    _BEFORE_DIGITS,
    _COUNTS_DIGITS,
    _HARD,
    _SOFT,
    HARD,
    SOFT,
    _mark,
    contexts_of,
)
from relay.guard.evaluation.cases import parse_cases
from relay.guard.gate import may_matter
from relay.guard.masks import CONTACT_MASK, MASK, without_masks
from relay.guard.normalise import fold, fold_char
from relay.guard.reading import read
from relay.guard.redaction import Span, redacted
from relay.guard.rules import _JOINED, _JOINING
from relay.guard.sieve import sift
from relay.guard.solicitation import _proposes
from relay.guard.tokens import Unit, read_units, tokens_of
from relay.guard.vocabulary import words
from relay.guard.window import ALL_MASKED, Trace
from relay.guard.word import DIGITS, MAY_COUNT, words_of

DATA = Path(__file__).parents[1] / "data/guard"
#: What begins a form, or looks as if it did.
FORMS = words(
    "rt rw rt. rtrw no no. blok pos kode part bag two first next dua empat digit angka terakhir rp "
    "b d ga go x2 2x3 cm 08 12 3/4 12345 0812 1.000 07.30 [1/2] (3 #08-12 $5 -6.2, 106.81 bca hong "
    "leong virtual account don hang a1 1a 12blok5 ke-2 abc-1234 t4pos-555 5rb 25 menit ซอย ฿20 •••"
)


@lru_cache
def texts() -> list[str]:
    """Texts of the list, and pieces of them and of forms in any order."""
    cases = parse_cases((DATA / "dev.tsv").read_text("utf-8").split("\n"))
    listed = sorted({turn.text for case in cases for turn in case.turns})
    source = random.Random(5)
    pieces = [piece for text in listed for piece in text.split()]
    mixed = [
        "".join(
            source.choice(FORMS if source.random() < 0.6 else pieces)
            + source.choice((" ", " ", " ", "-", ".", "/", ": ", "", "  ", "\n"))
            for _ in range(source.randrange(1, 14))
        )
        for _ in range(3000)
    ]
    return [fold(text).text for text in listed + mixed]


def contexts_by_search(folded: str, units: list[Unit]) -> list[int]:
    """The contexts of units if each form is tried at every place of the text."""
    out = [0] * len(units)
    if units and (any(unit.kind == DIGITS for unit in units) or _COUNTS_DIGITS.search(folded)):
        begin, end = max(0, units[0].start - _BEFORE_DIGITS), units[-1].end + _AFTER_DIGITS
        _mark(out, HARD, units, [match.span() for match in _HARD.finditer(folded, begin, end)])
        if 0 in out:
            _mark(out, SOFT, units, [match.span() for match in _SOFT.finditer(folded, 0, end)])
    return out


def test_forms_are_found_wherever_they_begin() -> None:
    found: set[int] = set()
    for text in texts():
        reading = read(fold(text))
        contexts = contexts_of(reading.folded, reading.tokens, reading.units)
        assert contexts == contexts_by_search(reading.folded, reading.units), text
        found.update(contexts)
    assert found == {0, SOFT, HARD}


def test_no_number_is_in_digits_that_are_too_few_or_too_far_apart(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan, source = numbers.plan_of("ID"), random.Random(7)
    readings = [read(fold(text)) for text in texts()]
    pieces = ("0812", "90417", "rp 417", "35", "6", "lagi", "o8l2", "9o4i")
    gaps = ("", "-", " ", " ", " dan ", " jam ", " warna baju saya hari ini ")
    readings += [
        read(fold(source.choice(gaps).join(source.choices(pieces, k=4)))) for _ in "x" * 800
    ]
    rows = []
    for reading in readings:
        known = {unit.start: on for unit, on in zip(reading.units, reading.contexts, strict=True)}
        rows.append((reading.folded, reading.units, reading.contexts))
        contexts = [known.get(unit.start, 0) for unit in reading.loose]
        rows.append((reading.folded, reading.loose, contexts))
    found = [numbers.find_numbers(*row, plan) for row in rows]
    monkeypatch.setattr(numbers, "_may_be_numbers", lambda *_: True)
    assert found == [numbers.find_numbers(*row, plan) for row in rows]
    assert sum(map(bool, found)) > 300


def test_every_proposal_has_one_of_the_ideas_that_are_looked_for_first() -> None:
    openings = solicitation._OPENINGS
    proposals = [sifted for text in texts() if _proposes(sifted := sift(text), outside=False)]
    assert len(proposals) > 50
    assert all(sifted.may_have_any(openings) or "+" in sifted.text for sifted in proposals)


def test_every_request_has_one_of_the_ideas_that_are_looked_for_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readings = [read(fold(text)) for text in texts()]
    found = [dialogue.requests_code(reading.plain) for reading in readings]
    monkeypatch.setattr(dialogue, "_OPENINGS", -1)
    assert found == [dialogue.requests_code(reading.plain) for reading in readings]
    assert sum(map(bool, found)) > 50


@pytest.mark.parametrize("openings", [solicitation._OPENINGS, dialogue._OPENINGS])
def test_where_nothing_opens_nothing_is_searched_for(openings: int) -> None:
    for text in ("blok c12 nomor 8 pagar coklat pak", "d 1234 zc avanza hitam ya kak"):
        assert not sift(text).may_have_any(openings)


@lru_cache
def masked_texts() -> list[str]:
    """Texts from which something was taken out, glued to what is left or not."""
    source = random.Random(8)
    signs = (MASK, CONTACT_MASK, f" {MASK} ", f" {CONTACT_MASK} ", "•", MASK + "•", "▪")
    return [
        "".join(
            source.choice(signs) if source.random() < 0.3 else part
            for part in re.split(r"(\s|(?<=[a-z])(?=\d))", text)
        )
        for text in texts()
    ]


def test_a_text_with_masks_is_folded_sign_by_sign() -> None:
    masked = [text.upper() for text in masked_texts() if not text.isascii()]
    for text in masked:
        folded = fold(text)
        assert folded.text == "".join(map(fold_char, text)), text
        if len(folded.text) == len(text):
            assert all(folded.span(at, at + 1) == (at, at + 1) for at in range(len(text)))
    assert 500 < sum(fold(text).starts is None for text in masked) < len(masked)


def test_words_that_are_joined_show_it_without_the_masks_beside_them() -> None:
    joined = [text for text in masked_texts() if _JOINED.search(text)]
    assert len(joined) > 500
    assert all(_JOINING.search(without_masks(text)) for text in joined)


def test_a_text_of_words_that_cannot_count_has_no_digits() -> None:
    without = 0
    for text in (*texts(), "kolom ix vi iv vii"):
        tokens = tokens_of(text)
        known = words_of([token for token, _, _ in tokens])
        if not any(on & MAY_COUNT for _, _, on in known):
            assert read_units(text, tokens, known) == [], text
            without += 1
    assert without > 300


def test_what_is_left_of_a_text_reads_as_a_text_of_its_own() -> None:
    source = random.Random(4)
    cut = 0
    for text in texts():
        if not (text.isascii() and text.isprintable()):
            continue
        reading = read(fold(text))
        starts = sorted(source.sample(range(len(text) + 1), min(len(text) + 1, 6)))
        spans = [
            Span(start, end, source.random() < 0.5)
            for start, end in zip(starts[::2], starts[1::2], strict=False)
        ]
        if source.random() < 0.5:
            spans = [Span(unit.start, unit.end, digits=True) for unit in reading.loose]
        left = redacted(text, spans)
        assert reading.sifted.text == text.lower()  # looked for before, and kept where it may be
        rest, anew = reading.without(spans, left), read(fold(left))
        for of_it in ("folded", "tokens", "units", "digits", "loose", "lists"):
            assert getattr(rest, of_it) == getattr(anew, of_it), (text, left)
        for of_it in ("contexts", "others", "guessed", "is_thai"):
            assert getattr(rest, of_it) == getattr(anew, of_it), (text, left)
        assert rest.sifted._has == sift(left)._has
        assert (rest.plain.text, rest.plain._has) == (anew.plain.text, anew.plain._has)
        cut += len(rest.tokens) > len(reading.tokens)
    assert cut > 50


class Thorough(Guard):
    """A guard that compares all digits with the trip's and with what was said, whoever has spent
    what."""

    def _all_go(self, case: object) -> bool:
        return False


@pytest.mark.parametrize("allow", [(), ("4821", "12", "290417")], ids=["", "declared"])
@pytest.mark.parametrize("number", ["redact", "block"])
def test_whose_budget_is_spent_is_told_the_same_without_a_comparison(
    number: str, allow: tuple[str, ...]
) -> None:
    own, source = ["+6281290417356"], random.Random(6)
    policy = Policy({"number": number})
    quick, thorough = Guard("ID", own, allow, policy), Thorough("ID", own, allow, policy)
    changed = 0
    for _ in range(4):
        memory = Memory()
        said = ["cek 290", "depan 0812", "290417", "081290417356", "kirim kode otp", "904", "17 35"]
        for step, text in enumerate(source.sample(said, len(said))):
            verdict = quick.judge(memory, "cd"[step % 2], text, step)
            memory.feed(Entry(str(step), "cd"[step % 2], verdict.text, step), verdict.trace)
        for text in (
            *said,
            "12 48 21",
            "290417 rt 5",
            "2q0 4l7",
            "29 o4l7",
            *source.sample(texts(), 90),
        ):
            verdict = quick.judge(memory, "c", text, 9)
            assert verdict == thorough.judge(memory, "c", text, 9), text
            changed += verdict.text != text
    assert changed > 60


def test_a_text_that_is_known_to_matter_is_judged_as_any_other() -> None:
    guard = Guard("ID", ["+6281290417356"])
    for text in filter(may_matter, texts()[::20]):
        assert guard.judge(Memory(), "d", text, 0) == guard.screen(Memory(), "d", text, 0)


def test_of_the_words_that_are_kept_none_is_somebody_s_number() -> None:
    guard = Guard("ID", ["+6281290417356"])
    for text in (
        "wa 081290417356",
        "noldelapansatuduasembilannolempatsatutujuhtigalimaenam",
        "n0ld3lapan s4tu 0812x9041",
    ):
        guard.screen(Memory(), "d", text, 0)
    assert all(kept.isalpha() and len(kept) <= 12 for kept in word._known)


def test_only_so_many_words_are_kept() -> None:
    for step in range(word._MOST_KEPT + 10):
        letters = "".join("abcdefghij"[int(digit)] for digit in str(step))
        word.words_of([f"kata{letters}"])
    assert 0 < len(word._known) <= word._MOST_KEPT


@pytest.mark.parametrize("seed", range(2))
def test_what_moves_in_the_memory_stands_where_it_would_if_it_was_fed_anew(seed: int) -> None:
    source = random.Random(seed)
    traces = [
        Trace("12", "12", "12", "12", ("12",)),
        Trace("3", "3", "3", "3", ("3",), asks_code=True),
        Trace(asks_code=True),
        ALL_MASKED,
    ]
    moved, fed = Memory(), Memory()
    waiting: list[tuple[str, Trace]] = []
    for step in range(600):
        name, trace = f"under way {step}", source.choice(traces)
        for memory in (moved, fed):
            memory.feed(Entry(name, "cd"[step % 2], "", step), trace)
        waiting.append((name, trace))
        while len(waiting) > source.randrange(40):
            name, trace = waiting.pop(source.choice((0, 0, -1)))
            sender = "cd"[int(name.rpartition(" ")[2]) % 2]
            place = f"{source.choice((step, step, source.randrange(600)))}-{source.randrange(3)}"
            known_as = f"{place} {name}"
            entry = Entry(known_as, sender, "", step, place)
            moved.settle(name, entry, trace)
            fed.forget(name)
            fed.feed(entry, trace)
            if source.random() < 0.2:  # its place was another one
                elsewhere = entry._replace(position=f"{source.randrange(600)}-9")
                moved.feed(elsewhere)
                fed.forget(known_as)
                fed.feed(elsewhere, trace)
        for row in ("pieces", "_masked", "_asking"):
            assert getattr(moved, row) == getattr(fed, row)
        assert moved._by_id == fed._by_id
    assert len(moved.pieces) == 192


@pytest.mark.parametrize("trace", [Trace("12", "12", "12", "12", ("12",)), ALL_MASKED])
@pytest.mark.parametrize("known_as", ["", "1-0"], ids=["new", "learned before"])
def test_what_is_settled_is_as_if_it_was_taken_back_and_fed_again(
    trace: Trace, known_as: str
) -> None:
    settled, fed = Memory(), Memory()
    for memory in (settled, fed):
        memory.feed(Entry("0-1", "c", "satu 5", 0, "0-1"))
        memory.feed(Entry("under way", "d", "", 5), trace)
        memory.feed(Entry("under way 2", "c", "rt 4", 6))
        if known_as:
            memory.feed(Entry(known_as, "d", "", 7, known_as), trace)
    entry = Entry("1-0", "d", "", 7, "1-0")
    settled.settle("under way", entry, trace)
    fed.forget("under way")
    fed.feed(entry, trace)
    assert settled.pieces == fed.pieces
    assert settled.last() == fed.last()
    for sender in "cd":
        assert settled.spent_by(sender, frozenset()) == fed.spent_by(sender, frozenset())
    settled.forget("1-0")
    fed.forget("1-0")
    assert settled.pieces == fed.pieces
    assert settled.spent_by("d", frozenset()) == fed.spent_by("d", frozenset()) == (0, 0)
