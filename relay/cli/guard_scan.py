"""`relay guard scan`: a stream of messages through the guard, a line in and a line out."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

from rich.progress import Progress

from ..guard import MAX_CHARS, Action, Entry, Finding, Guard, Memory, TooLong
from ..guard.evaluation.cases import turns_of
from .output import MISUSED, err, fail
from .words import count_of

_MAX_LINE_BYTES: Final = 1024 * 1024
_STEP_MS: Final = 20_000
#: What would end a line for some readers, or be obeyed by a terminal.
_HARMFUL: Final = re.compile(r"[\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


class Screened(NamedTuple):
    """What became of one message; `refused` says why it was not taken."""

    action: str
    findings: list[dict[str, Any]]
    delivered: str | None
    refused: str = ""


def scan(file: Path | None, guard: Guard) -> int:
    """Screen every line of a file, or of standard input; returns how many messages were refused."""
    refused = 0
    with _opened(file) as stream:
        for number, raw in enumerate(_lines(stream), 1):
            screened = screen_line(raw, guard)
            for place, one in enumerate(screened, 1):
                if one.refused:
                    refused += 1
                    where = f"line {number}" + (f", message {place}" if len(screened) > 1 else "")
                    err.print(f"relay: {where} was refused: {one.refused}")
            sys.stdout.write(_dumped(screened) + "\n")
            sys.stdout.flush()
    return refused


def screen_line(raw: bytes, guard: Guard) -> list[Screened]:
    """Screen the messages of a line one after the other, as those of a trip of their own."""
    if len(raw) > _MAX_LINE_BYTES:
        return [_refused("it is longer than a mebibyte")]
    try:
        line = raw.decode()
    except UnicodeDecodeError:
        return [_refused("it is not UTF-8")]
    memory = Memory()
    return [
        _screen(memory, guard, sender, text, step)
        for step, (sender, text) in enumerate(turns_of(line))
    ]


def _screen(memory: Memory, guard: Guard, sender: str, text: str, step: int) -> Screened:
    at_ms = step * _STEP_MS
    try:
        verdict = guard.screen(memory, sender, text, at_ms)
        if verdict.action is not Action.BLOCK:
            memory.feed(Entry(str(step), sender, verdict.text, at_ms), verdict.trace)
    except TooLong:
        return _refused(f"it has {count_of(len(text), 'character')}, of at most {MAX_CHARS}")
    except Exception as error:  # noqa: BLE001 - as in the relay: what can't be screened is refused
        return _refused(f"the guard failed ({type(error).__name__})")
    return Screened(
        str(verdict.action),
        [as_json(finding) for finding in verdict.findings],
        None if verdict.action is Action.BLOCK else verdict.text,
    )


def as_json(finding: Finding) -> dict[str, Any]:
    """A finding for JSON: never what was found."""
    return {
        "class": str(finding.finding_class),
        "rule": finding.rule,
        "length": finding.length,
    }


def _refused(why: str) -> Screened:
    return Screened("refused", [], None, why)


def _dumped(screened: list[Screened]) -> str:
    rows = [
        {"action": one.action, "findings": one.findings, "delivered": one.delivered}
        for one in screened
    ]
    row = rows[0] if len(rows) == 1 else {name: [one[name] for one in rows] for name in rows[0]}
    dumped = json.dumps(row, ensure_ascii=False)
    return _HARMFUL.sub(lambda match: f"\\u{ord(match[0]):04x}", dumped)


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """The lines without their ends; of one that is too long only its beginning."""
    while line := stream.readline(_MAX_LINE_BYTES + 2):
        rest = line
        while not rest.endswith(b"\n") and len(rest) > _MAX_LINE_BYTES:
            rest = stream.readline(_MAX_LINE_BYTES + 2)
        yield line.removesuffix(b"\n").removesuffix(b"\r")


@contextmanager
def _opened(file: Path | None) -> Iterator[BinaryIO]:
    """The stream to read; with its progress if it is a file and a person watches nothing else."""
    if file is None:
        yield sys.stdin.buffer
        return
    try:
        stream = file.open("rb")
    except OSError as error:
        fail(f"{file} cannot be read ({error.strerror})", MISUSED)
    with stream:
        if not err.is_terminal or sys.stdout.isatty() or not file.is_file():
            yield stream
            return
        # It would take standard output for its own console's otherwise.
        progress = Progress(console=err, transient=True, redirect_stdout=False)
        size = file.stat().st_size
        with progress, progress.wrap_file(stream, size, description=file.name) as watched:
            yield watched
