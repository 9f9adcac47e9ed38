"""A chat on a terminal: theirs on the left, ours on the right with ticks, below the input.

The whole picture is drawn anew when something has changed; ticks change in lines that stand there
already. Text is put together from plain pieces, never from markup, and escaped before.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import termios
import time
from collections.abc import Iterator
from typing import Any, Final

from rich.cells import cell_len
from rich.console import Console
from rich.live import Live
from rich.segment import Segment, SegmentLines
from rich.style import Style
from rich.text import Text

from ..client import (
    Attached,
    ChannelState,
    Closed,
    ConnectionChanged,
    Event,
    Message,
    Post,
    Presence,
    Problem,
    Reassigned,
    StateChanged,
    Typing,
)
from .chat_input import LineEditor
from .chat_lines import notice, quick_replies, was_reported
from .chat_posts import Mark, OwnPost, OwnPosts, text_of
from .words import clock, duration, lines_of, visible

_PART: Final = 0.72  # of the width that a message may take
_REFRESH_S: Final = 1.0
_TYPING_S: Final = 6.0
_PROMPT: Final = "> "
_STYLES: Final = {
    Mark.WAITING: "dim",
    Mark.ACCEPTED: "dim",
    Mark.DELIVERED: "",
    Mark.SEEN: "bold cyan",
    Mark.FAILED: "bold red",
}


class _Theirs:
    """A message that came."""

    def __init__(self, name: str, style: str, message: Message) -> None:
        self._head = Text.assemble(
            (clock(message.at_ms), "dim"), " ", (visible(name), f"bold {style}"), " "
        )
        self._text = text_of(message)
        self._notices = message.notices

    def texts(self, console: Console, width: int) -> list[Text]:
        body = self._head.copy().append("\n".join(lines_of(self._text)))
        for hint in self._notices:
            body.append(f"\n! {visible(hint)}", "yellow")
        return [*body.wrap(console, max(1, int(width * _PART)))]


class _Ours:
    """A message of this party, in its present state."""

    def __init__(self, own: OwnPost) -> None:
        self._own = own

    def texts(self, console: Console, width: int) -> list[Text]:
        own = self._own
        body = Text("\n".join(lines_of(own.text)), style="green")
        at = clock(own.at_ms) + " " if own.at_ms else ""
        tail = Text.assemble("  ", (at, "dim"), (own.mark.value, _STYLES[own.mark]), style="")
        if own.problem:
            tail.append(f" {visible(own.problem)}", "red")
        if own.remark:
            tail.append(f"\n{visible(own.remark)}", "yellow")
        block = Text.assemble(body, tail).wrap(console, max(1, int(width * _PART)))
        widest = max((line.cell_len for line in block), default=0)
        for line in block:
            line.pad_left(max(0, width - widest - 1))
        return [*block]


class _Notice:
    """What happened to the channel."""

    def __init__(self, text: str, style: str = "dim italic") -> None:
        self._text = Text(text, style=style)

    def texts(self, console: Console, width: int) -> list[Text]:
        lines = self._text.wrap(console, max(1, width - 4))
        for line in lines:
            line.pad_left(max(0, (width - line.cell_len) // 2))
        return [*lines]


class _Aside:
    """A line for this person only."""

    def __init__(self, text: str) -> None:
        self._text = Text(text, style="dim")

    def texts(self, console: Console, width: int) -> list[Text]:
        return [*self._text.wrap(console, max(1, width))]


class Screen:
    """Shows a chat on a terminal. Use it with `with`: it has the whole screen until then."""

    def __init__(self) -> None:
        self.editor = LineEditor()
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._own = OwnPosts()
        self._entries: list[_Theirs | _Ours | _Notice | _Aside] = []
        self._alias = "the other party"
        self._online: bool | None = None
        self._typing_until_s = 0.0
        self._connection = "connecting"
        self._is_connected = False
        self._retry_at_s: float | None = None
        self._deadline: tuple[str, int] | None = None
        self._drawn: list[list[Segment]] = []
        self._draw_soon = False
        self._live: Live | None = None
        self._next_tick: asyncio.TimerHandle | None = None
        self._closed: Closed | None = None

    # --- life -------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def on_terminal(self) -> Iterator[None]:
        """Take the terminal over; give it back as it was, with the end of the talk left on it."""
        loop = asyncio.get_running_loop()
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
        raw = termios.tcgetattr(descriptor)
        raw[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG)
        self._live = Live(
            console=self._console, screen=True, auto_refresh=False,
            redirect_stdout=False, redirect_stderr=False, vertical_overflow="crop",
        )  # fmt: skip
        termios.tcsetattr(descriptor, termios.TCSADRAIN, raw)
        try:
            with self._live:
                loop.add_signal_handler(signal.SIGWINCH, self.changed)
                self._tick()
                try:
                    yield
                finally:
                    if self._next_tick is not None:
                        self._next_tick.cancel()
                    loop.remove_signal_handler(signal.SIGWINCH)
        finally:
            self._live = None
            termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
        self._leave_behind()

    def _tick(self) -> None:
        self.changed()
        self._next_tick = asyncio.get_running_loop().call_later(_REFRESH_S, self._tick)

    def _leave_behind(self) -> None:
        width, height = self._console.size
        for line in self._tail(width, max(1, height - 2)):
            self._console.print(line, soft_wrap=True)

    # --- what came --------------------------------------------------------------------------------

    def show(self, event: Event) -> None:
        self._own.apply(event)
        match event:
            case Message(sender="you"):
                self._entries.append(_Ours(self._own.add_earlier(event)))
            case Message(sender="peer"):
                self._typing_until_s = 0.0
                self._entries.append(_Theirs(self._alias, "cyan", event))
            case Message():
                self._entries.append(_Theirs("platform", "yellow", event))
            case Attached():
                self._alias, self._online = event.alias, event.online
                self._deadline = event.state, event.deadline_ms
            case Presence():
                self._online = event.online
                self._typing_until_s = 0.0
            case Typing():
                self._typing_until_s = time.monotonic() + _TYPING_S if event.on else 0.0
            case StateChanged():
                self._deadline = event.state, event.deadline_ms
                self._note(event)
            case Reassigned():
                self._alias, self._online = event.alias, None
                self._note(event)
            case ConnectionChanged():
                self._connection_changed(event)
            case Problem():
                self._note(event)
            case Closed():
                self._closed = event
                self._note(event)
        self.changed()

    def posted(self, post: Post) -> None:
        self._entries.append(_Ours(self._own.add(post)))
        self.changed()

    def list_quick_replies(self) -> None:
        self._entries += [_Aside(line) for line in quick_replies()]
        self.changed()

    def reported(self, messages: int) -> None:
        self._entries.append(_Aside(was_reported(messages)))
        self.changed()

    def complain(self, text: str) -> None:
        self._entries.append(_Notice(visible(text), "red"))
        self.changed()

    def _note(self, event: Event) -> None:
        self._entries.append(_Notice(notice(event, self._alias)))

    def _connection_changed(self, event: ConnectionChanged) -> None:
        self._is_connected = event.state in (ChannelState.ATTACHED, ChannelState.RESUMING)
        self._connection = str(event.state)
        self._retry_at_s = None
        if event.state is ChannelState.SUSPENDED:
            self._connection = f"no connection: {visible(event.cause)}"
            self._retry_at_s = time.monotonic() + (event.retry_in_s or 0.0)

    # --- the picture ------------------------------------------------------------------------------

    def changed(self) -> None:
        """Draw soon, once for all that changes in this round of the loop."""
        if not self._draw_soon:
            self._draw_soon = True
            asyncio.get_running_loop().call_soon(self._draw)

    def _draw(self) -> None:
        self._draw_soon = False
        if self._live is None:
            return
        width, height = self._console.size
        room = max(1, height - 3)
        lines = self._tail(width, room)
        lines = [Text("")] * (room - len(lines)) + lines
        lines += [Text("─" * width, style="dim"), self._state_line(), self._input_line(width)]
        drawn = [self._segments(line, width) for line in lines[-height:]]
        if drawn != self._drawn:
            self._drawn = drawn
            self._live.update(SegmentLines(drawn, new_lines=True), refresh=True)

    def _tail(self, width: int, room: int) -> list[Text]:
        lines: list[Text] = []
        for entry in reversed(self._entries):
            if len(lines) >= room:
                break
            lines = entry.texts(self._console, width) + lines
        return lines[-room:]

    def _segments(self, line: Text, width: int) -> list[Segment]:
        rendered = self._console.render_lines(line, self._console.options.update(width=width))
        return rendered[0] if rendered else []

    def _state_line(self) -> Text:
        line = Text(no_wrap=True, overflow="ellipsis")
        line.append(*(("● ", "green") if self._is_connected else ("○ ", "yellow")))
        line.append(self._connection)
        if self._retry_at_s is not None:
            left_s = max(0.0, self._retry_at_s - time.monotonic())
            line.append(f", next try in {left_s:.0f} s")
        if self._is_connected and self._online is not None:
            line.append(" · ", "dim")
            if time.monotonic() < self._typing_until_s:
                line.append(f"{visible(self._alias)} is typing…", "italic")
            else:
                line.append(f"{visible(self._alias)} {'online' if self._online else 'offline'}")
        if self._deadline is not None and self._closed is None:
            state, deadline_ms = self._deadline
            left = duration(max(0.0, deadline_ms / 1000 - time.time()))
            line.append(" · ", "dim")
            if state == "suspended":
                line.append("the relay cannot reach its store", "italic")
            else:
                words = "the trip has ended, closes in" if state == "grace" else "open for"
                line.append(f"{words} {left}")
        return line

    def _input_line(self, width: int) -> Text:
        before = self.editor.text[: self.editor.cursor]
        after = self.editor.text[self.editor.cursor :]
        while before and cell_len(_PROMPT + before) > width - 2:
            before = before[1:]
        line = Text(_PROMPT, style="bold", no_wrap=True, overflow="crop")
        line.append(before, Style(bold=False))
        line.append(after[:1] or " ", Style(reverse=True, bold=False))
        line.append(after[1:], Style(bold=False))
        if not self.editor.text:
            line.append(" /quick · /loc LAT LON · /quit", Style(dim=True, bold=False))
        return line


def is_usable() -> bool:
    """Whether there is a terminal on both sides that such a picture can be drawn on."""
    console: Any = Console()
    return sys.stdin.isatty() and sys.stdout.isatty() and not console.is_dumb_terminal
