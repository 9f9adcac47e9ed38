"""What staff are told holds no number."""

from __future__ import annotations

import pytest

from relay.guard.testimony import without_numbers


@pytest.mark.parametrize(
    "told",
    [
        "dia menelepon terus, nomor saya 0812-3456-7890",
        "my number is +62 812 3456 7890, call me",
        "kosong delapan satu dua tiga empat lima enam tujuh delapan sembilan nol",
        "lihat wa.me/6281234567890",
        "dia minta transfer ke BCA 1234567890",
    ],
)
def test_numbers_are_taken_out(told: str) -> None:
    left = without_numbers(told)
    assert "•••" in left
    assert sum(char.isdigit() for char in left) < 5
    assert "tujuh delapan" not in left


@pytest.mark.parametrize(
    "told",
    [
        "",
        "dia mengancam saya di gerbang 4 jam 22.30",
        "he shouted, and would not stop at the lobby",
    ],
)
def test_the_rest_is_as_it_was_told(told: str) -> None:
    assert without_numbers(told) == told


def test_of_a_text_without_end_there_is_the_beginning() -> None:
    assert len(without_numbers("a b " * 5000)) <= 4000
