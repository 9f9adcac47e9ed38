"""The sieve lets no idea go that a search finds."""

from __future__ import annotations

import random
import re
from functools import lru_cache
from pathlib import Path

import pytest

from relay.guard import dialogue_words, solicitation_words
from relay.guard.evaluation.cases import parse_cases
from relay.guard.masks import CONTACT_MASK, MASK
from relay.guard.normalise import fold
from relay.guard.sieve import Idea, Need, _rows_of, sift

DATA = Path(__file__).parents[1] / "data/guard"


@lru_cache
def ideas() -> dict[str, Idea]:
    return {
        f"{module.__name__}.{name}": value
        for module in (dialogue_words, solicitation_words)
        for name, value in vars(module).items()
        if isinstance(value, Idea)
    }


@lru_cache
def texts() -> list[str]:
    cases = parse_cases((DATA / "dev.tsv").read_text("utf-8").split("\n"))
    return sorted({fold(turn.text).text for case in cases for turn in case.turns})[::3]


def shuffled(text: str, source: random.Random) -> str:
    """The words of a text in another order, with other signs between some."""
    words = text.split()
    source.shuffle(words)
    return "".join(word + source.choice(("  ", ",", "-", "\n", ".", " 7 ")) for word in words)


def masked(text: str, source: random.Random) -> str:
    """The text with masks for some of its words."""
    return " ".join(source.choice((word, word, MASK, CONTACT_MASK)) for word in text.split())


def missed(text: str) -> list[str]:
    sifted = sift(text)
    return [
        name
        for name, idea in ideas().items()
        if idea.search(text) and not (sifted.may_have(idea) and sifted.has(idea))
    ]


def test_what_is_found_in_a_text_may_be_in_it() -> None:
    source = random.Random(3)
    for text in texts():
        assert missed(text) == []
        assert missed(shuffled(text, source)) == []
        assert missed(masked(text, source)) == []


def test_no_idea_is_about_a_mask() -> None:
    # Neither a sign nor a range of signs reaches so far.
    written = {sign for idea in ideas().values() for sign in idea.pattern}
    assert max(written) < min(MASK + CONTACT_MASK)
    assert not any("\\u" in idea.pattern for idea in ideas().values())


def test_most_ideas_are_not_searched_for_in_most_texts() -> None:
    searched = [sum(map(sift(text).may_have, ideas().values())) for text in texts()]
    assert len(ideas()) > 60
    assert sum(searched) / len(searched) < len(ideas()) / 4


@pytest.mark.parametrize(
    ("pattern", "needs"),
    [
        (r"(?<![a-z0-9])di\s{1,3}luar(?![a-z0-9])", [{" di luar "}]),
        (r"(?:app|aplikasi)(?:nya)?", [{"app", "aplikasi"}]),
        (r"kirim[a-z]*\s+(?:\w+\s+)?(?:saya|aku)", [{"saya", "aku"}, {"kirim"}]),
        (r"(?=ditutup)[a-z]+", [{"ditutup"}]),
        (r"ke(?:te)?mu", [{"kemu", "ketemu"}]),
        (r"เบอร(?:nya)?", [{"????"}]),
        (r"(?:\d+|kode)\s", []),
        (r"(?:kode)?", []),
        (r"(?i)kode", []),
        (r"(?i:kode)", []),
        (r"(kode)\1?", [{"kode"}]),
    ],
)
def test_what_an_expression_needs_follows_from_it(pattern: str, needs: list[Need]) -> None:
    assert sorted(map(sorted, _rows_of(re.compile(pattern)))) == sorted(map(sorted, needs))


def test_nothing_shows_a_text() -> None:
    assert "rahasia" not in repr(sift("rahasia"))
