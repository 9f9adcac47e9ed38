"""What staff are told holds no number."""

from __future__ import annotations

import pytest

from relay.guard.testimony import Statement, without_numbers


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


@pytest.mark.parametrize(
    "told",
    [
        ["nomor saya 0812", "9876", "5432"],
        ["9876 5432", "depannya 0812"],
        ["jam 08 dia datang dan bilang begitu", "12 kali dia bilang, saya tidak mau dengar lagi",
         "lalu 98", "blok 76 tempatnya", "tarif 54", "32"],
        ["nol delapan satu dua", "sembilan delapan tujuh enam", "lima empat tiga dua"],
    ],
)  # fmt: skip
def test_a_number_in_pieces_is_taken_out_of_all_of_them(told: list[str]) -> None:
    left = heard(told)
    assert not any(char.isdigit() for text in left for char in text)
    assert not {"satu", "delapan", "tujuh", "lima"} & {
        word for text in left for word in text.split()
    }


def test_a_piece_that_was_delivered_is_gone_on_with_by_nobody() -> None:
    statement = Statement()
    statement.said("nomor saya 0812")
    statement.tells("98765432")
    assert statement.without_numbers() == ["\u2022\u2022\u2022"]


def test_what_several_texts_tell_is_left_while_it_is_no_number() -> None:
    told = ["dia mengancam saya di gerbang 4", "jam 22.30", "itu yang ke 2"]
    assert heard(told) == told


def heard(told: list[str]) -> list[str]:
    statement = Statement()
    for text in told:
        statement.tells(text)
    return statement.without_numbers()
