"""What the scripts of deploy/PERFORMANCE.md make of what they measured."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.bench.result import LoadItself, Round

from . import parts, performance

PAGE = (Path(__file__).parents[2] / "deploy/PERFORMANCE.md").read_text()


@pytest.mark.parametrize(
    ("stack", "part"),
    [
        ("f (relay/gateway/connection.py:9);Guard.screen (relay/guard/guard.py:9);s (libpython3.so)", "guard"),
        ("flush (relay/gateway/connection.py:9);send (picows/picows.so);w (aiofastnet/u.so);send (libc.so)", "socket"),
        ("Line.flush (relay/store/pipe.py:9);UVStream_write (loop.c:9);write (libc.so)", "store"),
        ("_take (relay/gateway/connection.py:9);d (relay/core/frames.py:9);mpack_decode (msgspec/_core.so)", "decode"),
        ("Connection.send (relay/gateway/connection.py:9);Encoder_encode (msgspec/_core.so)", "encode"),
        ("go_on (relay/gateway/posting.py:9);seal (relay/vault/envelope.py:9);EVP_Encrypt (_rust.so)", "cipher"),
        ("post (relay/gateway/posting.py:9)", "deliver"),
        ("read_ready (aiofastnet/selector.so);recv (libc.so)", "socket"),
        ("Guard.screen (relay/guard/guard.py:9);gc_collect_main (libpython3.so)", "else"),
        ("Server.serve (uvicorn/server.py:90)", "else"),
    ],
)  # fmt: skip
def test_a_sample_belongs_to_the_part_that_was_at_work(stack: str, part: str) -> None:
    assert parts.part_of(stack.split(";")[::-1]) == part


def test_samples_are_shared_out() -> None:
    shares = parts.shared_out("post (relay/gateway/posting.py:1) 3\nseal (relay/vault/a.py:1) 1\n")
    assert (shares["deliver"], shares["cipher"], sum(shares.values())) == (0.75, 0.25, 1.0)


def a_round(**figures: float) -> Round:
    return Round(figures, [], [], LoadItself([0.4], 1.0), {}, [], {})


def test_a_row_tells_median_and_range_and_whether_it_is_what_was_asked() -> None:
    row = performance.open_loop()
    for p99 in (3.0, 4.0, 9.0):
        row.cases["relay"].rounds.append(
            a_round(
                delivery_p50_ms=1, delivery_p99_ms=p99, delivery_p999_ms=12,
                delivered_per_s=5000, relay_cpu_us_per_message=18,
            )
        )  # fmt: skip
    line = performance.line_of("open", row)
    assert "p99 4 ms (3 … 9)" in line and line.endswith("| reached |")
    row.cases["relay"].rounds[0].violations = {"lost": 1}
    assert "FAILED its checks: lost" in performance.line_of("open", row)
    row.cases["relay"].rounds[0] = a_round()
    assert performance.line_of("open", row).endswith("| not reached |")


def test_the_page_has_every_row_and_part() -> None:
    for name in performance.NAMES:
        assert PAGE.count(f"| `{name}` |") == 1, name
    for name, row in performance.rows(None).items():
        assert f"| `{name}` | {row.asked} |" in PAGE, name
    for part, what in parts.PARTS.items():
        assert f"| {part} |" in PAGE and f"| {what} |" in PAGE, part
