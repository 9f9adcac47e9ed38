# ruff: noqa: RUF001 - people, and those who hide numbers, write with all of Unicode
"""How fast the guard is: `python tests/guard/speed.py` prints the figures, `--profile` where it goes.

The messages are those of the load test (`relay/bench/texts.py`): no two are the same, so that none
is seen twice by a cache. All times are CPU time of this process, the best of several rounds.
"""

from __future__ import annotations

import argparse
import cProfile
import itertools
import pstats
import random
import re
import statistics
import time
from collections.abc import Callable, Iterator

from relay.bench.texts import BODIES, OPENINGS, OTHER, TAILS, mixed_stream
from relay.guard import MAX_CHARS, Entry, Guard, Memory, gate
from relay.guard.gate import may_matter
from relay.guard.vocabulary import words

OWN = ("+6281290417356", "+6285711903348")
ROUNDS = 5
#: Messages that one memory is fed, about as many as a trip has.
TRIP = 20


def clean_messages(*, length: int = 50, spread: int = 4) -> list[str]:
    """Several hundred distinct messages in Indonesian without digits, of about `length`."""
    source = random.Random(1)
    made = {
        " ".join((opening, body)) + (" " if tail[:1].isalnum() else "") + tail
        for opening, body, tail in itertools.product(OPENINGS, BODIES, TAILS)
    }
    fitting = sorted(text for text in made if abs(len(text) - length) <= spread)
    return source.sample(fitting, 600)


#: Texts that took the guard longest, found by searching, and those that rows of one sign are.
HOSTILE = (
    *words("1 a. a.a. o ( ((( @ a@ d_ * 1a a1b2 0812x 10812x nol wa • ศูนย์ 🔥 a-b- ."), "0 8 ", "1 1 1 1 ",
    "nol ", "nol satu ", "ga ", "d e ", "a b c ", "dua puluh ", "satu dua kali ", "double ", "ratus ",
    "nolsatu", "nnooll", "s4tu", "a1.b2_", "ig a_b ", "cari ig ", "minta nomor wa ", "luar aplikasi ",
    "a dot ", "a at b ", "a titik ", "w . ", "http://", "email a ", "rek 1 ", "*21", "08.12 ", "1.",
    "á", "０８", "0️⃣", "٠", "0\u200b", "mã ", "một hai ", "jangan ", ":):", "=)", "x x x ", "aa",
    "%.แอดdobel__•••iđ<  1aไลน์<", "đไลน์slasha@janganbayar&s4tulangsung?",
    "wa.kirima.a.l ,,;wa--• ０８~\nid:gmailcallwaหนึ่งa.namaไลน์ wa",
    "kirima.a.b \u200b,,.;wa--panggilan０８jangan~aplikasiid:gmailcallw",
    "user.แอด__•••forward\nsayađ  1a ไลน์bit.ly",
)  # fmt: skip
#: Parts from which hostile texts are made at random.
ATOMS = (
    *words(
        "1 08 0812 0812x a. a.a. o d_ ( ((( ) [ * # @ a@ a@b. : / - _ . , ; ' ? ~ $ | + = % < ig nol "
        "nolsatu kode wa wa.me t.me • ••• ob nol_ satu dua puluh belas ratus dobel kali triple ju pan "
        "lu ga no nomor minta kirim jangan tapi luar aplikasi cancel bayar titik dot at gmail com "
        "email slash garis bawah depan terus otp pin rekening bca rp rb jam blok rt order b i viii l "
        "1a a1 n0l s4tu +62 021 08.12 12:30 01/02/2003 1.000 ศูนย์ หนึ่ง ไลน์ แอด จุด รหัส ขอ á đ 🔥 ０８ "
        "⓪ 0️⃣ ٠ khong mot hai d.u.a cari nama saya ig_ www http:// x.com -- .. ::: a-b- a_b a1.b2_ "
        "hp di sms alihkan bintang pagar **21* forward lewat diluar transfer langsung id: @a.b ab.cd/"
    ),
    *(" ", "  ", "\n", "\u200b", "\u0301", "\u202e"),
)


def grown(seed: str, length: int = MAX_CHARS) -> str:
    """The seed again and again, up to a length."""
    return (seed * (length // len(seed) + 1))[:length]


def full_memory() -> Memory:
    """A memory that remembers as much as one can, pieces of numbers among it."""
    memory, guard = Memory(), Guard("ID", OWN)
    pieces = itertools.cycle(
        ("08", "12 345", "ini 9921 dan 4410", "satu dua", "depan 081", "ju pan")
    )
    for step, text in enumerate(itertools.islice(pieces, 200)):
        sender = "customer" if step % 2 else "driver"
        verdict = guard.screen(memory, sender, text, step)
        memory.feed(Entry(str(step), sender, verdict.text, step), verdict.trace)
    return memory


def hostile_ms(text: str, memory: Memory, enough_ms: float = 0.0) -> float:
    """CPU time of a look at a text, the best of several; `enough_ms` is good enough."""
    guard, best = Guard("ID", OWN, allow=("4821", "B 1234 XY")), float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        guard.screen(memory, "driver", text, 300)
        best = min(best, (time.process_time() - began) * 1e3)
        if best <= enough_ms:
            break
    return best


def cpu_s(work: Callable[[], object], rounds: int = ROUNDS) -> float:
    """The CPU time of `work`, the best of `rounds`."""
    best = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


def screen_us(text: str, guard: Guard, memory: Memory, repeats: int = 200) -> float:
    """CPU time of one look at a text, in microseconds."""

    def work() -> None:
        for _ in range(repeats):
            guard.screen(memory, "driver", text, 0)

    return cpu_s(work, 3) / repeats * 1e6


def run_stream(texts: list[str], trip: int = TRIP) -> None:
    """Screen each message and feed what is delivered; a guard and a memory for each trip."""
    for first in range(0, len(texts), trip):
        guard, memory = Guard("ID", OWN), Memory()
        for step, text in enumerate(texts[first : first + trip]):
            sender = "customer" if step % 3 else "driver"
            verdict = guard.screen(memory, sender, text, step * 20_000)
            memory.feed(Entry(str(step), sender, verdict.text, step * 20_000), verdict.trace)


def reference_s() -> float:
    """CPU time of a fixed loop of plain Python, to judge other times by on any machine."""

    def work() -> int:
        total = 0
        for number in range(100_000):
            total += number % 7
        return total

    return cpu_s(work, 7)


def least_ratio(
    seconds: Callable[[], float], enough: float, rounds: int = 25
) -> tuple[float, float]:
    """The least ratio to the reference of a time that is measured right after it, and that time.

    Side by side, because a shared machine is now faster and now slower. Less than `enough` is good
    enough: where much else is at work it takes more rounds until one is left in peace.
    """
    least = float("inf"), float("inf")
    for _ in range(rounds):
        reference, took = reference_s(), seconds()
        least = min(least, (took / reference, took))
        if least[0] < enough:
            break
    return least


def with_sets(text: str) -> bool:
    """The first look as it would be without an automaton, for comparison."""
    row = text.encode("ascii", "replace").translate(gate._WORDS_AND_SIGNS)
    each = row.split()
    if b"#" in row or not gate._TRIGGERS.isdisjoint(each) or not gate._HINTS.isdisjoint(each):
        return True
    plain = gate._STRETCHED.sub(rb"\1", row).split()
    longest = max(plain, key=len, default=b"")
    return not gate._TRIGGERS.isdisjoint(plain) or (
        len(longest) > 8 and _TWO_DIGIT_WORDS.search(longest) is not None
    )


_TWO_DIGIT_WORDS = re.compile(b"(?:%b){2}" % "|".join(gate._DIGIT_WORDS).encode())


def look_us(look: Callable[[str], bool], texts: list[str]) -> float:
    """CPU time of one look, in microseconds."""

    def work() -> None:
        for text in texts:
            look(text)

    return cpu_s(work, 20) / len(texts) * 1e6


def figures() -> Iterator[str]:
    """The figures, a line each."""
    guard, memory = Guard("ID", OWN), Memory()
    clean = clean_messages()
    times = sorted(screen_us(text, guard, memory, 50) for text in clean)
    yield (
        f"clean, {len(clean)} messages of ~50 characters: median {statistics.median(times):.2f} us,"
        f" mean {statistics.fmean(times):.2f}, p90 {times[len(times) * 9 // 10]:.2f}"
    )
    passed = [
        text for text in clean if text.isascii() and not may_matter(text) and not with_sets(text)
    ]
    both = look_us(may_matter, passed), look_us(with_sets, passed)
    yield "first look: {:.2f} us with the automaton, {:.2f} with sets".format(*both)
    times = [screen_us(text, guard, memory, 50) for text in OTHER]
    yield f"other languages, emoji: median {statistics.median(times):.2f} us, worst {max(times):.2f}"
    stream = mixed_stream()
    yield f"mixed stream: {len(stream) / cpu_s(lambda: run_stream(stream)):,.0f} messages/s"
    memory = full_memory()
    worst = sorted(((hostile_ms(grown(seed), memory), seed) for seed in HOSTILE), reverse=True)
    yield "hostile: " + ", ".join(f"{took:.1f} ms ({seed!r})" for took, seed in worst[:5])
    yield f"reference loop: {reference_s() * 1e3:.2f} ms"


def main() -> None:
    """Print the figures, or a profile of the mixed stream."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--profile", action="store_true", help="profile the mixed stream")
    if parser.parse_args().profile:
        stream = mixed_stream()
        with cProfile.Profile() as profile:
            run_stream(stream)
        pstats.Stats(profile).sort_stats("tottime").print_stats(35)
        return
    for line in figures():
        print(line)


if __name__ == "__main__":
    main()
