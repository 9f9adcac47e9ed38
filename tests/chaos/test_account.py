"""The account finds everything that must not be: each of these histories has one thing wrong."""

from __future__ import annotations

import pytest

from relay.chaos.account import SHOWN_WITHIN_S, Account, Post, Seat, Wrong

DRIVER, CUSTOMER = Seat("t", "driver", "d"), Seat("t", "customer", "c")
STRANGER = Seat("u", "customer", "s")


@pytest.fixture
def account() -> Account:
    found = Account()
    found.paired(1, DRIVER, CUSTOMER)
    return found


def said(account: Account, text: str, at_s: float, *, accepted: bool = True) -> Post:
    post = account.posted(text, DRIVER, 1, at_s)
    if accepted:
        account.accepted(post, int(at_s * 1000) + 1, at_s + 0.1)
    return post


def wrongs(account: Account) -> list[Wrong]:
    return [one.wrong for one in account.violations()]


def test_a_run_without_fault_has_no_violation(account: Account) -> None:
    for number in range(3):
        said(account, str(number), number)
        account.shown(str(number), CUSTOMER, number + 0.2)
    account.returned(said(account, "told not to arrive", 4))
    account.returned(said(account, "refused", 5, accepted=False))
    account.over("t", 1, answered_s=6, over_ms=6000)
    assert not wrongs(account)
    assert account.is_settled()
    figures = account.figures(1, 5)
    assert (figures.posted, figures.accepted, figures.delivered) == (3, 3, 2)


def test_what_was_accepted_and_not_shown_is_lost(account: Account) -> None:
    said(account, "a", 1)
    assert wrongs(account) == [Wrong.LOST]
    assert not account.is_settled() and account.is_settled("u")


def test_what_was_never_answered_is_stuck(account: Account) -> None:
    said(account, "a", 1, accepted=False)
    assert wrongs(account) == [Wrong.STUCK]
    assert not account.is_settled("t")


def test_what_is_shown_twice_is_doubled(account: Account) -> None:
    said(account, "a", 1)
    account.shown("a", CUSTOMER, 2)
    account.shown("a", CUSTOMER, 3)
    assert wrongs(account) == [Wrong.DOUBLED]


def test_what_is_shown_after_a_younger_one_is_misordered(account: Account) -> None:
    for text in "ab":
        said(account, text, 1)
    for text in "ba":
        account.shown(text, CUSTOMER, 2)
    assert wrongs(account) == [Wrong.MISORDERED]


@pytest.mark.parametrize("seat", [STRANGER, DRIVER, CUSTOMER._replace(party="later")])
def test_what_another_is_shown_has_strayed(account: Account, seat: Seat) -> None:
    said(account, "a", 1)
    account.shown("a", CUSTOMER, 2)
    account.shown("a", seat, 2)
    assert wrongs(account) == [Wrong.STRAYED]


def test_a_text_that_nobody_posted_has_strayed(account: Account) -> None:
    account.shown("a", CUSTOMER, 2)
    assert wrongs(account) == [Wrong.STRAYED]


def test_what_is_posted_after_the_answer_and_accepted_is_late(account: Account) -> None:
    account.over("t", 1, answered_s=1.0, over_ms=None)
    said(account, "a", 1.001)
    account.shown("a", CUSTOMER, 1.2)
    assert wrongs(account) == [Wrong.LATE]


def test_what_the_store_took_after_the_end_is_late(account: Account) -> None:
    account.over("t", 1, answered_s=2.0, over_ms=900)
    said(account, "a", 0.9)  # its acceptance is of 901
    account.shown("a", CUSTOMER, 1.2)
    assert wrongs(account) == [Wrong.LATE]


def test_what_the_store_took_again_after_the_end_is_late(account: Account) -> None:
    account.over("t", 1, answered_s=2.0, over_ms=900)
    post = said(account, "a", 0.5)
    account.shown("a", CUSTOMER, 0.6)
    account.accepted(post, 950, 0.9)
    assert wrongs(account) == [Wrong.LATE]


def test_what_the_store_took_after_the_deadline_is_late(account: Account) -> None:
    account.ends("t", 1, deadline_ms=900, deadline_s=0.9)
    said(account, "a", 0.9)
    account.shown("a", CUSTOMER, 1.2)
    assert wrongs(account) == [Wrong.LATE]


def test_what_is_shown_long_after_the_end_is_late(account: Account) -> None:
    said(account, "a", 1)
    account.over("t", 1, answered_s=2.0, over_ms=2000)
    account.shown("a", CUSTOMER, 2.0 + SHOWN_WITHIN_S + 0.1)
    assert wrongs(account) == [Wrong.LATE]
    # But for what a tunnel has kept until now.
    account.held.append((1.5, 2.0 + SHOWN_WITHIN_S))
    assert not wrongs(account)


def test_what_was_seen_on_the_way_is_told(account: Account) -> None:
    account.saw(Wrong.LATE, 3, "t is open again")
    assert account.violations() == [(Wrong.LATE, 3, "t is open again")]


def test_a_trip_that_was_opened_again_has_another_end(account: Account) -> None:
    account.ends("t", 1, deadline_ms=900, deadline_s=0.9)
    account.began_anew("t", 1)
    account.ends("t", 1, deadline_ms=1900, deadline_s=1.9)
    said(account, "a", 1.0)
    account.shown("a", CUSTOMER, 1.1)
    assert not wrongs(account)
    account.over("t", 1, answered_s=1.05, over_ms=1050)
    account.began_anew("t", 1)
    said(account, "b", 1.1)
    account.shown("b", CUSTOMER, 1.2)
    assert wrongs(account) == [Wrong.LATE]
