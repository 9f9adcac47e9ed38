"""The trip's own numbers: caught in any style, and not to be found by trying.

The search is played as a clever party would play it. The player knows the guard's code, and so what
it would do on a trip with other numbers (`Game.public`); sees of each message what was delivered;
goes by the answers; and may know a part of the number beforehand.
"""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Callable, Iterator
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.guard import MASK, Action, Entry, FindingClass, Guard, Memory, Policy
from relay.guard.budget import CHANNEL_BUDGET, MASK_COST, PARTY_BUDGET, WINDOW, Spent, left
from relay.guard.normalise import fold
from relay.guard.oracle import LAST_DIGITS, Oracle
from relay.guard.reading import read

OWN = "+6281290417356"
WORDS = ["nol", "satu", "dua", "tiga", "empat", "lima", "enam", "tujuh", "delapan", "sembilan"]
STYLES = {
    "plain": "0123456789",
    "full width": "".join(chr(0xFF10 + digit) for digit in range(10)),
    "Thai": "".join(chr(0x0E50 + digit) for digit in range(10)),
    "bold": "".join(chr(0x1D7EC + digit) for digit in range(10)),
}
SEPARATORS = ("", " ", ".", "-", "/", " apel ", "x", "🔥", " dan ", "\n", "\u200b", " terus ")
AROUND = (
    "{}",
    "jam {} ya",
    "Rp {}",
    "order {}",
    "blok C{}",
    "saya di lobby {} dekat pagar",
    "rt {}",
)

mobile = st.from_regex(r"8(1[1-9]|2[1-3]|5[1-9]|7[78]|9[5-9])[0-9]{8}", fullmatch=True)


def digits_of(text: str) -> str:
    return "".join(unit.digits for unit in read(fold(text)).units)


def written(row: str, style: str, separator: str) -> str:
    if style == "words":
        between = f" {separator} " if separator.isalnum() else separator or " "
        return between.join(WORDS[int(digit)] for digit in row)
    return separator.join(STYLES[style][int(digit)] for digit in row)


# --- what is caught -------------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(
    mobile,
    st.integers(0, LAST_DIGITS - WINDOW),
    st.integers(WINDOW, LAST_DIGITS),
    st.sampled_from((*STYLES, "words")),
    st.sampled_from(SEPARATORS),
    st.booleans(),
    st.sampled_from(AROUND),
)
def test_no_six_of_the_last_nine_digits_pass(
    national: str, first: int, count: int, style: str, separator: str, backwards: bool, around: str
) -> None:
    row = national[-LAST_DIGITS:][min(first, LAST_DIGITS - count) :][:count]
    row = row[::-1] if backwards else row
    row = written(row, style, separator)
    text = around.format(f" {row}" if style == "words" else row)
    off = Policy(dict.fromkeys(map(str, FindingClass), "off"))
    for policy in (Policy(), off):
        guard = Guard("ID", ["+62" + national], allow=[row, text], policy=policy)
        verdict = guard.screen(Memory(), "driver", text, 0)
        assert verdict.action is Action.REDACT
        assert not Oracle(["+62" + national]).hits(digits_of(verdict.text))
        assert [str(f.finding_class) for f in verdict.findings][:1] == ["number"]


@settings(max_examples=300, deadline=None)
@given(
    mobile,
    st.lists(st.integers(1, 5), min_size=LAST_DIGITS, max_size=LAST_DIGITS),
    st.sampled_from((*STYLES, "words")),
    st.sampled_from(("driver", "both", "turns")),
    st.booleans(),
    st.booleans(),
)
def test_of_a_split_number_the_sixth_digit_is_never_delivered(
    national: str, sizes: list[int], style: str, who: str, backwards: bool, chatty: bool
) -> None:
    guard, memory = Guard("ID", ["+62" + national]), Memory()
    rest, delivered = national[-LAST_DIGITS:], ""
    if backwards:
        rest = rest[::-1]
    for step, size in enumerate(sizes):
        part, rest = rest[:size], rest[size:]
        if not part:
            break
        sender = "customer" if who != "driver" and step % 2 else "driver"
        for text in (written(part, style, " "), *(("oke saya tunggu",) if chatty else ())):
            verdict = guard.screen(memory, sender, text, step)
            memory.feed(Entry(f"{step}{text}", sender, verdict.text, step), verdict.trace)
            delivered += digits_of(verdict.text)
    assert len(delivered) < WINDOW


@pytest.mark.parametrize(
    "texts",
    [
        ["belakangnya 356", "depannya 290", "tengahnya 417"],
        ["290", "saya 5 menit lagi", "417", "356"],
        ["290", "parkir di 3", "417", "lantai 2", "356"],
        ["jam 2.90", "jam 4.17", "jam 3.56"],
        ["2q0", "4l7", "3S6"],
        ["29 rb", "041 rb", "73 rb", "56 rb"],
    ],
)
def test_pieces_in_another_order_or_with_others_between_do_not_complete_it(
    texts: list[str],
) -> None:
    guard, memory = Guard("ID", [OWN]), Memory()
    redacted = False
    for step, text in enumerate(texts):
        verdict = guard.screen(memory, "driver", text, step)
        redacted |= MASK in verdict.text
        memory.feed(Entry(str(step), "driver", verdict.text, step), verdict.trace)
    assert redacted


def test_nothing_passes_a_number_out() -> None:
    oracle = Oracle([OWN])
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            attempt(oracle)
    assert "9041" not in repr((oracle, Guard("ID", [OWN])))


# --- what a party is told -------------------------------------------------------------------------


def test_own_numbers_other_numbers_and_a_spent_budget_are_told_alike() -> None:
    guard = Guard("ID", [OWN])
    spent = Memory()
    for step in range(20):
        text = str(582301 + 7919 * step)
        verdict = guard.screen(spent, "driver", text, step)
        spent.feed(Entry(str(step), "driver", verdict.text, step), verdict.trace)
    told = {
        (verdict.action, verdict.text, verdict.findings, verdict.notices)
        for verdict in (
            guard.screen(Memory(), "driver", "tunggu 290417356 ya", 0),
            guard.screen(Memory(), "driver", "tunggu 081377120 ya", 0)._replace(),
            guard.screen(spent, "driver", "tunggu 558226694 ya", 0),
        )
    }
    assert len(told) == 1


@pytest.mark.parametrize("text", ["**21*290417#", "alihkan panggilan ke 290417", "kode OTP 290417"])
def test_a_block_says_nothing_about_the_parties_numbers(text: str) -> None:
    policy = Policy({"call_forward": "block", "number": "block", "otp_code": "block"})
    with_number = Guard("ID", [OWN], policy=policy).screen(Memory(), "driver", text, 0)
    without = Guard("ID", policy=policy).screen(Memory(), "driver", text, 0)
    assert without.action is Action.BLOCK
    assert with_number == without


def test_digits_beside_the_parties_own_go_with_them() -> None:
    guard = Guard("ID", [OWN], allow=["4821"])
    verdict = guard.screen(Memory(), "driver", "pin 4821 blok 12 kode 290417", 0)
    assert verdict.text == f"pin 4821 blok {MASK} kode {MASK}"


# --- the search -----------------------------------------------------------------------------------

SEED = random.SystemRandom().randrange(1 << 32)
#: A question: the messages of it, with who sends each.
Question = list[tuple[str, str]]


class Game:
    """A trip whose number is to be found, and what the player sees of it."""

    def __init__(self, source: random.Random, allow: tuple[str, ...] = ()) -> None:
        self.tail = f"{source.randrange(10**LAST_DIGITS):0{LAST_DIGITS}d}"
        self._guard = Guard("ID", ["+6281" + self.tail], allow)
        self._public = Guard("ID", (), allow)
        self._memory = Memory()
        self.posts = 0

    def passes(self, question: Question) -> bool:
        """Whether the messages would be delivered as they are on a trip with other numbers."""
        ids = [f"try {place}" for place in range(len(question))]
        try:
            for name, (sender, text) in zip(ids, question, strict=True):
                verdict = self._public.screen(self._memory, sender, text, self.posts)
                if verdict.text != text:
                    return False
                self._memory.feed(Entry(name, sender, text, self.posts), verdict.trace)
            return True
        finally:
            for name in ids:
                self._memory.forget(name)

    def ask(self, question: Question) -> bool:
        """Whether the trip's numbers answer: something that any other trip lets pass is gone."""
        for sender, text in question:
            verdict = self._guard.screen(self._memory, sender, text, self.posts)
            self._memory.feed(
                Entry(str(self.posts), sender, verdict.text, self.posts), verdict.trace
            )
            self.posts += 1
            if verdict.text != text:
                return True
        return False


#: How six digits are put as a question; the last one is new, the others are known or guessed.
CARRIERS: dict[str, Callable[[str], Question]] = {
    "a row": lambda row: [("driver", row)],
    "in a sentence": lambda row: [("driver", f"rumah saya warna {row} ya pak")],
    "five and one": lambda row: [("driver", row[:5]), ("driver", row[5:])],
    "three and three": lambda row: [("driver", row[:3]), ("driver", row[3:])],
    "twos": lambda row: [("driver", row[at : at + 2]) for at in (0, 2, 4)],
    "both turns": lambda row: [("driver", row[:3]), ("customer", row[3:])],
    "in turns": lambda row: [("customer" if int(row[5]) % 2 else "driver", row)],
    "times": lambda row: [("driver", f"jam {row[:2]}.{row[2:4]}, {row[4:]} menit")],
    "prices": lambda row: [("driver", f"Rp {row[:3]}.{row[3:]}")],
    "address": lambda row: [("driver", f"blok {row[:2]} no {row[2:4]} rt {row[4:]}")],
    "plate": lambda row: [("driver", f"plat B {row[:4]} XY, lantai {row[4:]}")],
    "words": lambda row: [("driver", written(row, "words", " "))],
    "backwards": lambda row: [("driver", row[::-1])],
    "letters that look like digits": lambda row: [
        ("driver", row[:5]),
        ("driver", "olzeasbtbg"[int(row[5])]),
    ],
    "hard context last": lambda row: [("driver", row[:5]), ("driver", f"{row[5:]} menit lagi")],
}


def grown(game: Game, known: str, at: int, carrier: Callable[[str], Question]) -> tuple[str, int]:
    """What a player believes who knows the digits `known`, from `at` on, and asks for the next.

    Digits are tried to the right, then to the left, one at a time where five are known; a digit is
    also found if all nine others were delivered.
    """
    source = random.Random(game.posts)
    while len(known) < LAST_DIGITS:
        right = at + len(known) < LAST_DIGITS
        missing = max(1, WINDOW - len(known))
        if right and at + len(known) + missing > LAST_DIGITS:
            right = False
        guesses = [f"{guess:0{missing}d}" for guess in range(10**missing)]
        source.shuffle(guesses)
        left, stuck = dict.fromkeys(guesses), 0
        for guess in guesses:
            if len(left) == 1 or stuck > 10:
                break
            row = (known + guess)[-WINDOW:] if right else (guess + known)[:WINDOW]
            ways = [carrier, *source.sample([*CARRIERS.values()], 5)]
            question = next((way(row) for way in ways if game.passes(way(row))), None)
            if question is None:
                stuck += 1  # beyond the budget all is redacted, and asking on is of no use
                continue
            stuck = 0
            if game.ask(question):
                left = {guess: None}
                break
            del left[guess]
        if len(left) > 1:
            break
        known = known + next(iter(left)) if right else next(iter(left)) + known
        at = at if right else at - missing
    return known, at


def played(source: random.Random, count: int, known: range, carrier: str) -> Iterator[str]:
    """What is found of the number in each game, where the digits at `known` are known."""
    for _ in range(count):
        game = Game(source)
        found, at = grown(game, game.tail[known.start : known.stop], known.start, CARRIERS[carrier])
        right = [found[place - at] == game.tail[place] for place in range(at, at + len(found))]
        first, last = known.start, known.stop
        while first > at and right[first - at - 1]:
            first -= 1
        while last < at + len(found) and right[last - at]:
            last += 1
        yield game.tail[first:last]


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_party_who_knows_the_last_four_digits_finds_no_number(carrier: str) -> None:
    source = random.Random(f"{SEED} {carrier}")
    games = 25
    found = list(played(source, games, range(5, 9), carrier))
    windows = sum(len(one) >= WINDOW for one in found)
    print(f"seed {SEED}, {carrier}: {windows} windows in {games} games")
    assert not [one for one in found if len(one) == LAST_DIGITS]
    # Two digits are missing; each guess at them delivers six digits of the budget.
    both = carrier in {"both turns", "in turns"}
    questions = (CHANNEL_BUDGET if both else PARTY_BUDGET) / WINDOW * (2 if both else 1.5)
    share = questions / 100
    assert windows <= games * share + 4 * (games * share * (1 - share)) ** 0.5


@pytest.mark.parametrize("carrier", CARRIERS)
def test_a_party_who_knows_the_number_s_beginning_finds_none(carrier: str) -> None:
    source = random.Random(f"{SEED} beginning {carrier}")
    found = [*played(source, 12, range(2), carrier)]
    # Four digits are missing to a row of six: a dozen guesses or two in ten thousand, each game.
    assert sum(len(one) >= WINDOW for one in found) <= 2
    assert not [one for one in found if len(one) == LAST_DIGITS]


@pytest.mark.parametrize("carrier", CARRIERS)
@pytest.mark.parametrize("known", [range(5), range(4, 9)])
def test_a_party_who_knows_five_of_the_nine_does_not_find_the_rest(
    carrier: str, known: range
) -> None:
    source = random.Random(f"{SEED} five {carrier}")
    found = [*played(source, 10, known, carrier)]
    assert not [one for one in found if len(one) == LAST_DIGITS]


def test_a_game_that_was_once_won_by_luck_is_lost() -> None:
    # One party got three answers that said yes, and then the other got a fourth.
    found = [*played(random.Random("69397353 in turns"), 11, range(5, 9), "in turns")]
    assert WINDOW < len(found[10]) < LAST_DIGITS


@pytest.mark.parametrize("carrier", CARRIERS)
def test_with_any_luck_the_numbers_answer_yes_three_times(carrier: str) -> None:
    source = random.Random(f"{SEED} luck {carrier}")
    other = {"driver": "customer", "customer": "driver"}
    for swapped in (False, True):
        for turns in ("one", "the other after that", "in turns"):
            game, answers = Game(source), 0
            for step in range(12):
                row = game.tail[step % 4 :][:WINDOW]
                ways = [CARRIERS[carrier], *CARRIERS.values()]
                swap = swapped ^ {"one": False, "in turns": step % 2 > 0}.get(turns, step > 5)
                for way in ways:
                    question = [(other[who] if swap else who, text) for who, text in way(row)]
                    if game.passes(question):
                        answers += game.ask(question)
                        break
            assert 1 <= answers <= 3


def test_by_one_digit_after_the_other_nobody_finds_four() -> None:
    """With any luck, who knows five digits finds no four by yes, or by nine that say no."""
    # What of the six digits of a question the party sends that ends it, and what the other before.
    splits = ((6, 0), (3, 3), (1, 5))

    @cache
    def denied(one: Spent, peer: Spent, answers: int) -> int:
        """How many questions are denied at most, where so many are answered with yes."""
        most = -1 if answers else 0
        for mine, others in ((one, peer), (peer, one)):
            for cost, before in splits:
                if before and before > left(others, (mine,), 0):
                    continue
                then = others._replace(digits=others.digits + before)
                if cost > left(mine, (then,), 0):
                    continue
                no = sorted((mine._replace(digits=mine.digits + cost), then))
                if (more := denied(*no, answers)) >= 0:
                    most = max(most, more + 1)
                if answers:
                    yes = sorted((mine._replace(masks=mine.masks + 1), then))
                    most = max(most, denied(*yes, answers - 1))
        return most

    most = [denied(Spent(0, 0), Spent(0, 0), answers) for answers in range(5)]
    assert most[4] < 0 <= most[3]
    assert all(answers + noes // 9 < 4 for answers, noes in enumerate(most[:4]))


def test_a_blind_search_by_long_rows_finds_nothing() -> None:
    source = random.Random(f"{SEED} blind")
    games, hits = 60, 0
    for _ in range(games):
        game = Game(source)
        for length in (40, 30, 20, 15, 12, 10, 8, 6) * 3:
            for sender in ("driver", "customer"):
                row = "".join(str(source.randrange(10)) for _ in range(length))
                if game.passes([(sender, row)]):
                    hits += game.ask([(sender, row)])
    # Of a million rows eight are right, and not a hundred and ten digits are delivered in a game.
    assert hits <= 3


def test_an_answer_says_yes_or_no_and_not_where() -> None:
    guard = Guard("ID", [OWN])
    for row in ("29041" + str(digit) for digit in range(10)):
        text = f"a {row} apel 582 b 290 9"
        verdict = guard.screen(Memory(), "driver", text, 0)
        assert digits_of(verdict.text) in ("", digits_of(text))


def test_the_memory_of_answers_is_in_the_log() -> None:
    guard, memory = Guard("ID", [OWN]), Memory()
    log: list[Entry] = []
    for step in range(40):
        text = f"29041{step % 10}" if step % 3 else "290417"
        verdict = guard.screen(memory, "driver", text, step)
        assert verdict.action is not Action.BLOCK
        log.append(Entry(str(step), "driver", verdict.text, step))
        memory.feed(log[-1], verdict.trace)
        rebuilt = Memory()
        for entry in log:
            rebuilt.feed(entry)
        assert rebuilt.spent_by("driver", frozenset()) == memory.spent_by("driver", frozenset())
    assert guard.screen(memory, "driver", "blok 12", 99).text == f"blok {MASK}"
    _, masks = memory.spent_by("driver", frozenset())
    assert masks * MASK_COST > PARTY_BUDGET


def test_one_party_can_not_use_up_the_other_s_budget() -> None:
    guard, memory = Guard("ID", [OWN]), Memory()
    for step in range(30):
        verdict = guard.screen(memory, "driver", "hubungi 081377120045", step)
        memory.feed(Entry(str(step), "driver", verdict.text, step), verdict.trace)
    for step, text in enumerate(("blok C3 no 12", "B 1234 XY", "lantai 5")):
        verdict = guard.screen(memory, "customer", text, 40 + step)
        assert verdict.text == text
        memory.feed(Entry(f"c{step}", "customer", verdict.text, 40 + step), verdict.trace)


def test_what_the_platform_declares_costs_nothing_and_passes_always() -> None:
    guard, memory = Guard("ID", [OWN], allow=["B 1234 XYZ", "4821"]), Memory()
    for step in range(60):
        for text in ("plat B 1234 XYZ ya", "pin saya 4821"):
            verdict = guard.screen(memory, "driver", text, step)
            assert verdict.text == text
            memory.feed(Entry(f"{step}{text}", "driver", text, step), verdict.trace)
    for step in range(20):
        verdict = guard.screen(memory, "driver", str(582301 + 7919 * step), step)
        memory.feed(Entry(f"x{step}", "driver", verdict.text, step), verdict.trace)
    assert guard.screen(memory, "driver", "pin saya 4821", 99).text == "pin saya 4821"
    assert guard.screen(memory, "driver", "pin saya 4822", 99).text == f"pin saya {MASK}"
