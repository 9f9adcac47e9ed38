"""What is typed or piped into `relay chat`: bytes from standard input, lines, commands, keys."""

from __future__ import annotations

import asyncio
import codecs
import os
import re
from collections.abc import AsyncIterator
from typing import Final, NamedTuple, TypeAlias

_READ_BYTES: Final = 4096


class Say(NamedTuple):
    """Post a text."""

    text: str


class Place(NamedTuple):
    """Post a place, in degrees, with a label or without."""

    lat: float
    lon: float
    label: str


class Quick(NamedTuple):
    """Post a quick reply, named by its key."""

    key: str


class ListQuick(NamedTuple):
    """Show which quick replies there are."""


class ReportPeer(NamedTuple):
    """Report the other party to the operators, with what it wrote last."""

    category: str
    note: str


class Quit(NamedTuple):
    """Leave."""


class Wrong(NamedTuple):
    """Nothing that can be done; `text` says why."""

    text: str


Command: TypeAlias = Say | Place | Quick | ListQuick | ReportPeer | Quit | Wrong


def command_of(line: str) -> Command | None:
    """What a line asks for; None if it is blank. `//` begins a text that begins with a slash."""
    if not line.strip():
        return None
    if not line.startswith("/"):
        return Say(line)
    if line.startswith("//"):
        return Say(line[1:])
    name, *words = line.split()
    match name, words:
        case "/quit", []:
            return Quit()
        case "/quick", []:
            return ListQuick()
        case "/quick", [key]:
            return Quick(key)
        case "/report", [category, *note]:
            return ReportPeer(category, " ".join(note))
        case "/loc", [lat, lon, *label]:
            try:
                return Place(float(lat), float(lon), " ".join(label))
            except ValueError:
                pass
    return Wrong(
        "the commands are /loc LAT LON [LABEL], /quick [KEY], /report CATEGORY [NOTE] and /quit; "
        "begin with // to post a text that begins with a slash"
    )


async def chunks(descriptor: int) -> AsyncIterator[bytes]:
    """What arrives at a descriptor, until its end. Without a thread, so there is none to end."""
    while True:
        await _readable(descriptor)
        try:
            data = os.read(descriptor, _READ_BYTES)
        except OSError:  # the terminal is gone
            return
        if not data:
            return
        yield data


async def _readable(descriptor: int) -> None:
    """Wait until a read would not block.

    Watched anew for each read: what was seen before the last one says nothing about the next, and
    a read that blocks would stop everything else.
    """
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except PermissionError:
        await asyncio.sleep(0)  # a file on disk, or /dev/null: a read never blocks
        return
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


async def texts(descriptor: int) -> AsyncIterator[str]:
    """As `chunks`, decoded; what is not UTF-8 is replaced."""
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    async for data in chunks(descriptor):
        if text := decode(data):
            yield text
    if text := decode(b"", final=True):
        yield text


async def lines(descriptor: int) -> AsyncIterator[str]:
    """The lines at a descriptor without their ends; also a last one that has none."""
    rest = ""
    async for text in texts(descriptor):
        *whole, rest = (rest + text).split("\n")
        for line in whole:
            yield line.removesuffix("\r")
    if rest:
        yield rest


class Leave(NamedTuple):
    """The person wants to go: Ctrl-C, or Ctrl-D on an empty line."""


class Entered(NamedTuple):
    """The person ended a line."""

    line: str


_KEY: Final = re.compile(r"\x1b(?:\[[0-9;]*[ -/]*[@-~]|O[@-~]|[^\[O])|[^\x1b]", re.DOTALL)
_LONGEST_KEY: Final = 16
_WORD: Final = re.compile(r"\S*\s*\Z")


class LineEditor:
    """One line of input on a terminal in raw mode. Pure: keys in, text and cursor out."""

    def __init__(self) -> None:
        self.text = ""
        self.cursor = 0
        self._keys = ""  # not complete yet

    def feed(self, typed: str) -> list[Entered | Leave]:
        """Take in what was typed; give what that asks for."""
        self._keys += typed
        asked: list[Entered | Leave] = []
        while match := _KEY.match(self._keys):
            self._keys = self._keys[match.end() :]
            if (found := self._press(match[0])) is not None:
                asked.append(found)
        if len(self._keys) > _LONGEST_KEY:
            self._keys = ""  # no key of any terminal
        return asked

    def _press(self, key: str) -> Entered | Leave | None:
        before, after = self.text[: self.cursor], self.text[self.cursor :]
        match key:
            case "\r" | "\n":
                self.text, self.cursor = "", 0
                return Entered(before + after)
            case "\x03":
                return Leave()
            case "\x04" if not self.text:
                return Leave()
            case "\x7f" | "\x08":
                before = before[:-1]
            case "\x04" | "\x1b[3~":
                after = after[1:]
            case "\x15":
                before = ""
            case "\x0b":
                after = ""
            case "\x17":
                before = _WORD.sub("", before.rstrip())
            case "\x1b[D" | "\x1bOD" | "\x02":
                before, after = before[:-1], before[-1:] + after
            case "\x1b[C" | "\x1bOC" | "\x06":
                before, after = before + after[:1], after[1:]
            case "\x1b[H" | "\x1bOH" | "\x1b[1~" | "\x01":
                before, after = "", before + after
            case "\x1b[F" | "\x1bOF" | "\x1b[4~" | "\x05":
                before, after = before + after, ""
            case _ if key.isprintable():
                before += key
            case _:
                pass
        self.text, self.cursor = before + after, len(before)
        return None
