"""The first look lets nothing go that a full look would find."""

from __future__ import annotations

import string
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from speed import clean_messages

from relay.guard import Guard, Memory, cues, lexicon
from relay.guard.evaluation.cases import parse_cases
from relay.guard.gate import may_matter

DATA = Path(__file__).parents[1] / "data/guard"
GUARD = Guard("ID", ["+6281290417356"])


def found(text: str) -> list[str]:
    """The rules that fire when the text is looked at in full, whatever the first look says."""
    return [hit.rule for hit in GUARD.explain(Memory(), "driver", text, 0).hits]


def texts_of(name: str) -> list[str]:
    cases = parse_cases((DATA / f"{name}.tsv").read_text("utf-8").split("\n"))
    return sorted({turn.text for case in cases for turn in case.turns})


@pytest.mark.parametrize("name", ["public", "dev"])
def test_what_is_let_go_of_the_lists_holds_nothing(name: str) -> None:
    let_go = [text for text in texts_of(name) if not may_matter(text)]
    assert let_go
    assert [text for text in let_go if found(text)] == []


def test_what_is_let_go_of_ordinary_talk_holds_nothing() -> None:
    let_go = [text for text in clean_messages() if not may_matter(text)]
    assert len(let_go) > 500
    assert [text for text in let_go if found(text)] == []


@lru_cache
def vocabulary() -> list[str]:
    """Every word of every table of the lexicon and of the cues."""
    tables = [
        table
        for module in (lexicon, cues)
        for name, table in vars(module).items()
        if name.isupper() and isinstance(table, dict | frozenset)
    ]
    return sorted({word for table in tables for word in table if isinstance(word, str)})


#: Ways to write a word so that it is still read.
DISTORTIONS: tuple[Callable[[str], str], ...] = (
    str,
    str.upper,
    lambda word: "".join(letter * 2 for letter in word),
    lambda word: "".join(letter * 3 for letter in word),
    lambda word: word + word[-1:] * 2,
    lambda word: word[:2] + word[1:],
    " ".join,
    ".".join,
    "-".join,
    "\u200b".join,
    "\u0336".join,
    lambda word: word.translate({ord(c): 0xFEE0 + ord(c) for c in string.ascii_lowercase}),
    lambda word: word.translate(dict(zip(map(ord, "aeo"), "аео", strict=True))),  # noqa: RUF001
    lambda word: word.translate(str.maketrans("aeios", "43105")),
    lambda word: word.replace("o", "0", 1),
)
PARTS = ("{}", "{}", "saya {}", "{} ya kak", "minta {}", "kirim {} dong", "tolong {} saya")
GLUES = (" ", " ", "", "  ", ", ", "\n", ".", " di ", " saya ", "-")


@st.composite
def distorted(draw: st.DrawFn) -> str:
    """Words of the tables, each in its own disguise."""
    text = ""
    for _ in range(draw(st.integers(1, 9))):
        word = draw(st.sampled_from(vocabulary()))
        part = draw(st.sampled_from(PARTS)).format(draw(st.sampled_from(DISTORTIONS))(word))
        text += (draw(st.sampled_from(GLUES)) if text else "") + part
    return text


@settings(max_examples=1500, deadline=None)
@given(distorted())
@example("n o l d e l a p a n s a t u d u a t i g a e m p a t l i m a")
@example("noldelapansatuduatigaempat")
@example("nnooll delapaaaan")
@example("line line kirim line dong")
@example("pak tolong kirim no kamu ya biar gampang")
@example("minta pin kamu dong biar cepat sampai")
@example("b gak harga luar km saya sampai")
@example("jam yuk di sampai tanpa ordernya")
@example("VIII V II VII VII I I VIII VIII IX IX")
@example("viii, i, ii, ix, vi, iv, i, vii, iii, v, vi")
@example("di rumah viii i v viii i v viii v v v ya pak terima kasih")
def test_no_word_that_matters_is_let_go(text: str) -> None:
    assert may_matter(text) or not found(text)


@pytest.mark.parametrize("distortion", range(len(DISTORTIONS)))
def test_no_word_that_matters_is_let_go_on_its_own(distortion: int) -> None:
    missed = [
        text
        for word in vocabulary()
        for part in PARTS[1:]
        if not may_matter(text := part.format(DISTORTIONS[distortion](word))) and found(text)
    ]
    assert missed == []
