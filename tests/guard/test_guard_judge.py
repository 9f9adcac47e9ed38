# ruff: noqa: RUF001 - what looks alike is what this is about
"""The judge of the guard: what it reads, and what it lets count as stopped."""

from __future__ import annotations

import pytest

from relay.guard import Action
from relay.guard.evaluation.cases import Case, Turn, parse_cases, turns_of
from relay.guard.evaluation.figures import Outcome, figures_of, run, speed_of
from relay.guard.evaluation.judge import is_stopped, leaked_digits
from relay.guard.evaluation.reader import digits_of, readings

NUMBER = "6281234567890"


@pytest.mark.parametrize(
    "text",
    [
        "0812-3456-7890",
        "+62 812 3456 7890 itu WA saya",
        "o8l2 E4S6 789O",
        "๐๘๑๒ ๓๔๕๖ ๗๘๙๐",
        "𝟬𝟴𝟭𝟮 ³⁴⁵⁶ ⑦⑧⑨⓪",
        "0️⃣8️⃣1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣8️⃣9️⃣0️⃣",
        "nol delapan satu dua tiga empat lima enam tujuh delapan sembilan nol",
        "NOL wolu siji loro telu papat limo nenem pitu wolu songo nol",
        "oh eight one two three four five six seven eight nine zero",
        "ศูนย์แปดหนึ่งสองสามสี่ห้าหกเจ็ดแปดเก้าศูนย์",
        "không tám một hai ba bốn năm sáu bảy tám chín không",
        "noldelapansatuduatigaempatlimaenamtujuhdelapansembilannol",
        "nol8satu2 tiga4lima6 7890",
        "0🔥8🔥1🔥2🔥3🔥4🔥5🔥6🔥7🔥8🔥9🔥0",
        "dobel 1 duaaa tiiga 4 l1ma 6 tujuh puluh delapan",
        "n o l d e l a p a n s a t u dua 3 4 5 6 7 8",
    ],
)
def test_the_reader_sees_the_number(text: str) -> None:
    read = [digits_of(reading) for reading in readings(text)]
    assert any("12345678" in digits for digits in read), read


def test_the_reader_says_from_where_each_digit_is() -> None:
    text = "wa ⑧ satu, ok"
    reading = readings(text)[1]
    assert [text[digit.start : digit.end] for digit in reading] == ["⑧", "satu"]


def test_normal_words_are_no_digits() -> None:
    assert digits_of(readings("saya tunggu di depan warung, pagar hitam")[1]) == ""


def number_case(*texts: str, own: bool = False) -> Case:
    kind = "multi" if len(texts) > 1 else "plain"
    turns = tuple(Turn("driver", text) for text in texts)
    return Case(turns, "id", kind, True, NUMBER, own)


@pytest.mark.parametrize(
    ("sent", "delivered", "stopped"),
    [
        ("wa 081234567890", "wa •••", True),
        ("wa 081234567890", "wa 08123•••", True),
        ("wa 081234567890", "wa 0812345•••", False),
        ("wa 081234567890", "wa ••• enam tujuh lapan sembilan nol", True),
        ("wa 081234567890", "wa ••• lima enam tujuh delapan sembilan nol", False),
        ("wa 081234567890", "wa ••• 0987654", False),
        ("wa 081234567890", None, True),
        ("sandi rahasia", "sandi rahasia", False),
    ],
)
def test_a_number_is_judged_by_what_arrives(
    sent: str, delivered: str | None, stopped: bool
) -> None:
    assert is_stopped(number_case(sent), [delivered], warned=True) is stopped


def test_of_a_session_six_digits_may_arrive_but_of_an_own_number_not_in_a_row() -> None:
    sent = ("0812", "345", "67890")
    assert is_stopped(number_case(*sent), ["0812", "345", "•••"], warned=True)
    assert not is_stopped(number_case(*sent), ["0812", "345", "6•••"], warned=True)
    assert leaked_digits(number_case(*sent), ["0812", "345", "•••"]) == 6
    assert not is_stopped(number_case(*sent, own=True), ["0812", "345", "•••"], warned=True)
    assert is_stopped(number_case(*sent, own=True), ["0812", "34", "•••"], warned=True)


@pytest.mark.parametrize(
    ("kind", "sent", "target", "delivered", "stopped"),
    [
        ("handle", "ig: nama_88", "nama_88", "ig: •••", True),
        ("handle", "ig: nama_88 ya", "nama_88", "ig: nama garis bawah 88", False),
        ("email", "a budi at gmail dot com", "budi@gmail.com", "a budi ••• dot com", False),
        ("email", "a budi at gmail dot com", "budi@gmail.com", "a •••", True),
        ("link", "buka contoh.example/x", "contoh.example", "buka •••/x", True),
        ("link", "buka contoh.example/x", "", "buka contoh . example •••", False),
        ("link", "wa.me/6281234567890", NUMBER, "wa.me/•••", True),
        ("otp_reply", "ini 48 21 kak", "4821", "ini ••• kak", True),
        ("otp_reply", "ini 48 21 kak", "4821", "ini empat delapan dua satu", False),
    ],
)
def test_contacts_and_codes(
    kind: str, sent: str, target: str, delivered: str, stopped: bool
) -> None:
    case = Case((Turn("driver", sent),), "id", kind, True, target)
    assert is_stopped(case, [delivered], warned=True) is stopped


def test_who_gives_a_code_away_is_warned() -> None:
    case = Case((Turn("driver", "ini 4821"),), "id", "otp_reply", True, "4821")
    assert is_stopped(case, ["ini •••"], warned=True)
    assert not is_stopped(case, ["ini •••"], warned=False)


def test_without_a_target_the_digits_of_the_case_are_the_number() -> None:
    case = Case((Turn("driver", "hub 0812 tiga4lima6 7890"),), "id", "mixed", True)
    assert is_stopped(case, ["hub •••"], warned=True)
    assert not is_stopped(case, ["hub 0812 34•••"], warned=True)


def test_a_request_is_stopped_by_a_warning() -> None:
    case = Case((Turn("driver", "kirim kode otp"),), "id", "otp_request", True)
    assert is_stopped(case, ["kirim kode otp"], warned=True)
    assert not is_stopped(case, ["kirim kode otp"], warned=False)


def test_lists_are_read() -> None:
    table = [
        "text\tlanguage\tkind\tlabel\ttarget\town\tallow\r\n",
        'a "b ||| C> c\tid\twords_dialect\tstop\t628\t1\tX 1|y,z\r\n',
        "\n",
        "halo\tms\tchat\t0\n",
    ]
    bad, good = parse_cases(table)
    assert bad.turns == (("driver", 'a "b'), ("customer", "c"))
    assert (bad.class_, bad.country, bad.bad, bad.own) == ("words", "ID", True, True)
    assert bad.allow == ("X 1", "y", "z")
    assert (good.class_, good.country, good.bad, good.target) == (
        "hard negatives", "MY", False, "",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (["text\tlabel"], "line 1"),
        ([], "line 1"),
        (["text\tlanguage\tkind\tlabel", "halo\tid\tchat\tperhaps"], "line 2"),
        (["text\tlanguage\tkind\tlabel", "halo\tid\tchat\t1\t2"], "line 2"),
    ],
)
def test_what_is_no_list_is_refused_without_quoting_it(table: list[str], said: str) -> None:
    with pytest.raises(ValueError, match=said) as caught:
        parse_cases(table)
    assert "halo" not in str(caught.value)


def test_a_part_without_a_sender_is_the_driver_s() -> None:
    assert [turn.sender for turn in turns_of("D> a ||| C> b ||| c")] == [
        "driver",
        "customer",
        "driver",
    ]


def test_figures_are_counted() -> None:
    talk = Case((Turn("driver", "halo"),), "id", "chat", False)
    request = Case((Turn("driver", "otp?"),), "id", "otp_request", True)
    figures = figures_of(
        [
            Outcome(number_case("wa 081234567890 ya pak"), ("wa ••• ya pak",), Action.REDACT, True),
            Outcome(number_case("0812 345678"), ("0812 345678",), Action.OFF, False),
            Outcome(number_case("0", "8", own=True), ("0", "8"), Action.OFF, False),
            Outcome(request, ("otp?",), Action.WARN, True),
            Outcome(talk, ("halo",), Action.OFF, False),
            Outcome(talk, ("halo",), Action.WARN, False),
            Outcome(talk, ("•••",), Action.REDACT, False),
            Outcome(talk, (None,), Action.BLOCK, False),
        ]
    )
    assert {share.name: (share.hits, share.cases) for share in figures.recall} == {
        "numbers": (1, 2), "one-time codes": (1, 1), "split": (0, 1),
    }  # fmt: skip
    assert figures.macro_recall == pytest.approx(0.5)
    assert figures.micro_recall.share == 0.5
    assert (figures.number_forms.hits, figures.number_forms.cases) == (1, 2)
    assert figures.otp_requests.share == 1
    assert (figures.oracle_misses.hits, figures.oracle_misses.cases) == (1, 1)
    assert (figures.all_held_back.hits, figures.all_warned.hits, figures.touched.hits) == (2, 1, 3)
    assert figures.trip_fpr == pytest.approx(1 - 0.25**5.5)
    assert (figures.digits_removed.hits, figures.rest_spared.hits) == (1, 1)


def test_the_speed_is_measured_by_the_clock_given() -> None:
    now_ns = 0

    def clock_ns() -> int:
        nonlocal now_ns
        now_ns += 2000
        return now_ns

    speed = speed_of(parse_cases(["text\tlanguage\tkind\tlabel", "halo\tid\tchat\t0"]), clock_ns)
    assert speed.clean_median_us == speed.clean_p99_us == 2.0
    assert speed.stream_per_s == 500_000
    assert speed.clean_median_chars == 4
    with pytest.raises(ValueError, match="no message"):
        speed_of([number_case("0812")], clock_ns)


def test_a_message_that_is_too_long_does_not_arrive() -> None:
    outcome = run(number_case("081234567890 " * 200))
    assert (outcome.delivered, outcome.stopped) == ((None,), True)


def test_nothing_shows_a_text() -> None:
    outcome = run(number_case("rahasia 081234567890"))
    shown = repr((outcome, outcome.case, outcome.case.turns[0]))
    assert "rahasia" not in shown
    assert "1234" not in shown
