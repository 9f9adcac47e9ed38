"""What must hold for any message: disguises, clean talk, idempotence, spans, hostile inputs."""

from __future__ import annotations

import re
import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.guard import MASK, Action, Entry, FindingClass, Guard, Memory, Policy, TooLong
from relay.guard.evaluation.cases import Case, turns_of
from relay.guard.evaluation.figures import run
from relay.guard.normalise import MAX_CHARS, fold
from relay.guard.oracle import Oracle
from relay.guard.reading import read

WORDS = {
    "id": ["nol", "satu", "dua", "tiga", "empat", "lima", "enam", "tujuh", "delapan", "sembilan"],
    "jv": ["nol", "siji", "loro", "telu", "papat", "limo", "enem", "pitu", "wolu", "songo"],
    "su": ["enol", "hiji", "dua", "tilu", "opat", "lima", "genep", "tujuh", "dalapan", "salapan"],
    "en": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    "ms": ["kosong", "satu", "dua", "tiga", "empat", "lima", "enam", "tujuh", "lapan", "sembilan"],
    "th": ["ศูนย์", "หนึ่ง", "สอง", "สาม", "สี่", "ห้า", "หก", "เจ็ด", "แปด", "เก้า"],
}
STYLES = ("\uff10", "\u0660", "\u0e50", "\u0966", "\U0001d7d8", "\U0001d7ec")
mobile = st.from_regex(r"8(1[1-9]|2[1-3]|5[1-9]|7[78]|9[5-9])[0-9]{8}", fullmatch=True)


@st.composite
def disguised(draw: st.DrawFn) -> tuple[str, str]:
    """A mobile number and the text of it after a random chain of evasions."""
    national = draw(mobile)
    prefix = draw(st.sampled_from(("0", "62", "+62 ")))
    style = draw(st.sampled_from(("plain", "words", "mixed", "unicode", "keycap")))
    language = draw(st.sampled_from(tuple(WORDS)))
    zero = draw(st.sampled_from(STYLES))
    parts: list[str] = []
    for digit in (prefix + national).replace("+", "").replace(" ", ""):
        word = WORDS[language][int(digit)]
        if style == "words" or (style == "mixed" and draw(st.booleans())):
            parts.append(f" {word} ")
        elif style == "unicode":
            parts.append(chr(ord(zero) + int(digit)))
        elif style == "keycap":
            parts.append(f"{digit}\ufe0f\u20e3")
        else:
            parts.append(digit)
    separator = draw(
        st.sampled_from(("", " ", "-", ".", "/", "*", " - ", "\u200b", "🔥", "_", "\n"))
    )
    text = separator.join(parts)
    if draw(st.booleans()):
        text = text.upper()
    before = draw(st.sampled_from(("", "wa ", "saya di lobby, hubungi ", "nomor saya ")))
    after = draw(st.sampled_from(("", " ya", " pak", ". sudah sampai")))
    return "62" + national, before + text + after


@settings(max_examples=300, deadline=None)
@given(disguised())
def test_a_number_in_any_chain_of_disguises_is_stopped(pair: tuple[str, str]) -> None:
    number, text = pair
    for own in (False, True):
        outcome = run(Case(turns_of(text), "id", "plain", True, number, own))
        assert outcome.stopped


@settings(max_examples=300, deadline=None)
@given(disguised())
def test_redacting_twice_changes_nothing_and_spares_the_rest(pair: tuple[str, str]) -> None:
    _, text = pair
    text = "saya tunggu dekat pagar hitam, " + text
    guard = Guard("ID")
    once = guard.screen(Memory(), "driver", text, 0)
    twice = guard.screen(Memory(), "driver", once.text, 0)
    assert twice.text == once.text
    assert once.text.startswith("saya tunggu dekat pagar hitam, ")
    left = "".join(unit.digits for unit in read(fold(once.text)).units)
    assert len(left) <= 2


CLEAN = [
    "halo",
    "selamat",
    "pagi",
    "mohon",
    "tunggu",
    "sebentar",
    "macet",
    "hujan",
    "gerbang",
    "warung",
    "masjid",
    "pagar",
    "tembok",
    "pohon",
]


@settings(max_examples=200)
@given(st.lists(st.sampled_from(CLEAN), min_size=1, max_size=12), st.sampled_from(", .!?"))
def test_text_without_digits_words_for_them_links_or_cues_is_left_alone(
    words: list[str], sign: str
) -> None:
    text = f"{sign} ".join(words)
    verdict = Guard("ID", ["+6281234567890"]).screen(Memory(), "customer", text, 0)
    assert (verdict.action, verdict.text, verdict.findings) == (Action.OFF, text, ())


_SEEDS = re.split(
    ";",
    "1;08;a.;@;a@;o;d_;(;*;0812x;ig;nol;kode;wa;•;0 8 ;nol ;"
    "ig a_b ;a dot ;a at b ;minta nomor wa ;"
    "nolsatu;1a;"
    "*21;rek 1 ;1.;08.12 ;0🔥;cari ig ;luar aplikasi ;a titik ;dua puluh ;satu dua kali ;"
    "d e ;o ;ศูนย์;a\u0301;62812345678 ;double ;jangan ;w . ;http://;a-b-;ratus ;a1.b2_;email a ",
)


def _hostile(size: int) -> dict[str, str]:
    return {seed: (seed * (size // len(seed) + 1))[:size] for seed in _SEEDS}


@pytest.mark.parametrize("seed", sorted(_hostile(1)))
def test_no_input_takes_long(seed: str) -> None:
    text = _hostile(MAX_CHARS)[seed]
    best = float("inf")
    for _ in range(5):
        began = time.thread_time()
        Guard("ID", ["+6281234567890"]).screen(Memory(), "driver", text, 0)
        best = min(best, time.thread_time() - began)
        if best < 0.020:
            return
    pytest.fail(f"{best * 1000:.1f} ms")


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(TooLong):
        Guard("ID").screen(Memory(), "driver", "1" * (MAX_CHARS + 1), 0)


def test_nothing_shows_a_text_or_a_number() -> None:
    guard, memory = Guard("ID", ["+6281234567890"], allow=["4821"]), Memory()
    verdict = guard.screen(memory, "driver", "wa 081234567890 pagar hitam 77", 0)
    entry = Entry("x", "driver", "rahasia 77", 0)
    memory.feed(entry)
    shown = repr((guard, memory, verdict, entry, memory.pieces, read(fold("nol 77"))))
    shown += repr(Oracle(["+6281234567890"])) + repr(fold("rahasia 77")) + repr(Policy())
    assert not [secret for secret in ("77", "1234", "4821", "pagar", "rahasia") if secret in shown]


def test_a_policy_knows_no_class_for_the_parties_numbers_and_can_not_switch_them_off() -> None:
    for name in ("own_number", "budget", "phone"):
        with pytest.raises(ValueError, match="maps classes"):
            Policy({name: "off"})
    with pytest.raises(ValueError, match="maps classes"):
        Policy({"number": "hide"})
    guard = Guard("ID", ["+6281290417356"], policy=Policy({"number": "off"}))
    assert guard.screen(Memory(), "driver", "081377120045", 0).action is Action.OFF
    assert guard.screen(Memory(), "driver", "081290417356", 0).text == MASK


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=120), st.sampled_from(("ID", "MY", "VN", "XX", "")))
def test_any_text_gets_a_verdict_and_redacting_it_again_changes_nothing(
    text: str, country: str
) -> None:
    guard = Guard(country, ["+6281290417356"])
    once = guard.screen(Memory(), "driver", text, 0)
    assert once == guard.screen(Memory(), "driver", text, 0)
    assert guard.screen(Memory(), "driver", once.text, 0).text == once.text


@pytest.mark.parametrize("action", ["off", "warn", "redact", "block"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("number", "hubungi 081377120045"), ("link", "buka wa.me/6281377120045"),
        ("email", "budi.s@gmail.com"), ("handle", "ig saya budi_santoso77"),
        ("account", "bca 5271039944 a.n. budi"), ("otp_request", "kirim kode otp nya kak"),
        ("otp_code", "kode otp saya 482193"), ("call_forward", "ketik **21*081377120045#"),
        ("solicit", "cancel aja pak bayar langsung ke saya"),
    ],
)  # fmt: skip
def test_each_class_does_as_the_policy_says(name: str, text: str, action: str) -> None:
    actions = dict.fromkeys(map(str, FindingClass), "off") | {name: action}
    verdict = Guard("ID", policy=Policy(actions)).screen(Memory(), "driver", text, 0)
    expected = "warn" if action == "redact" and name in {"otp_request", "solicit"} else action
    assert verdict.action == expected
    assert {str(f.finding_class) for f in verdict.findings} == (
        set() if action == "off" else {name}
    )
    assert (verdict.text != text) == (expected == "redact")
    assert bool(verdict.notices) == (action != "off")


@given(st.text(max_size=80))
def test_a_fold_keeps_places(text: str) -> None:
    folded = fold(text)
    assert folded.starts is None or len(folded.starts) == len(folded.text)
    for place in range(len(folded.text)):
        start, end = folded.span(place, place + 1)
        assert 0 <= start < end <= len(text)


def test_any_digit_of_unicode_is_read() -> None:
    for code in range(0x110000):
        value = unicodedata.decimal(chr(code), None)
        if value is not None:
            assert fold(chr(code)).text == str(value)


_TALK = "saya tunggu dekat pagar hitam di depan masjid, nanti lewat pintu samping ya pak. "


@pytest.mark.parametrize(
    "tail", ["", "follow saya di ig budi_ojek99 ya", "ada di wa.me/6281234567890"]
)
def test_of_a_long_text_with_little_to_hide_the_rest_is_spared(tail: str) -> None:
    text = _TALK * 5 + "nomor saya 0812-9041-7356 pak. " + _TALK * 5 + tail
    verdict = Guard("ID").screen(Memory(), "driver", text, 0)
    assert verdict.text.startswith(f"{_TALK * 5}nomor saya {MASK} pak. {_TALK * 5}")
    assert not any(part in verdict.text for part in ("9041", "budi_ojek", "wa.me"))


def test_of_a_long_text_with_much_to_hide_nothing_is_left() -> None:
    text = "".join(f"nomor saya 0812904173{step} pak, di lobi. " for step in range(10, 26))
    verdict = Guard("ID").screen(Memory(), "driver", text, 0)
    assert (verdict.action, verdict.text) == (Action.REDACT, MASK)


@pytest.mark.parametrize("blocked", ["call_forward", "link"])
def test_much_to_hide_does_not_keep_a_text_from_being_blocked(blocked: str) -> None:
    text = "".join(f"nomor saya 0812904173{step} pak, di lobi. " for step in range(10, 26))
    policy = Policy({blocked: "block"})
    verdict = Guard("ID", policy=policy).screen(
        Memory(), "driver", f"{text} *21*081290417356# wa.me/budi", 0
    )
    assert verdict.action is Action.BLOCK
    assert blocked in [finding.finding_class for finding in verdict.findings]
