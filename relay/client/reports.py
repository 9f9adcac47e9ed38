"""Reports of the other party: what one says, and sending it until the relay has answered. Pure.

A report is known by its id, so the same one may be sent on any connection and counts once. Times
are seconds of one monotonic clock, given in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..core.casework import Category
from .events import Message
from .frames import Frame, field, optional, pack
from .outbox import ANSWER_TIMEOUT_S, MAX_RETRY_S, MIN_RETRY_S

MAX_MESSAGES: Final = 30
MAX_NOTE_CHARS: Final = 1000

#: The relay takes 16,384; the rest is for what differs between encodings.
_MAX_FRAME_BYTES: Final = 16_000

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class Answer(NamedTuple):
    """What the relay said of a report; without a `code` it was taken. With `retry_after_s` the same
    one may be sent again."""

    code: str = ""
    message: str = ""
    retry_after_s: float | None = None


def report_frame(
    report_id: str, category: Category | str, note: str, messages: Sequence[Message], *, block: bool
) -> Frame:
    """The frame of a report. Raises `ValueError`, which repeats nothing of it."""
    try:
        category = Category(category)
    except ValueError:
        words = f"there is no such category; use one of {', '.join(Category)}"
        raise ValueError(words) from None
    note = note.replace("\r\n", "\n").strip()
    if len(note) > MAX_NOTE_CHARS:
        words = f"the note is longer than {MAX_NOTE_CHARS} characters"
    elif _CONTROL.search(note):
        words = "the note holds control characters or half a character"
    elif len(messages) > MAX_MESSAGES:
        words = f"a report has at most {MAX_MESSAGES} messages"
    elif len({message.epoch for message in messages}) > 1:
        words = "the messages are from talks with different parties; report each by itself"
    else:
        frame: Frame = {"op": "report", "id": report_id, "category": category.value}
        if note:
            frame["note"] = note
        if block:
            frame["block"] = True
        frame["items"] = [_item(message) for message in messages]
        if len(pack(frame)) <= _MAX_FRAME_BYTES:
            return frame
        words = "the messages are too long for one report; leave some out"
    raise ValueError(words)


def _item(message: Message) -> dict[str, Any]:
    return {
        "epoch": message.epoch,
        "pos": message.pos,
        "id": message.id,
        "from": message.sender,
        "text": message.text,
        "tag": message.tag,
    }


def read_answer(frame: Frame) -> tuple[str, Answer]:
    """A `reported` or `not_reported` frame: (id, answer). Raises `BadFrame`."""
    report_id = field(frame, "id", str)
    if frame["op"] == "reported":
        return report_id, Answer()
    retry_after_ms = optional(frame, "retry_after_ms", int)
    after_s = None
    if retry_after_ms:
        after_s = min(MAX_RETRY_S, max(MIN_RETRY_S, retry_after_ms / 1000))
    answer = Answer(field(frame, "code", str), field(frame, "message", str), after_s)
    return report_id, answer


@dataclass(slots=True)
class _Entry:
    frame: Frame
    answered: Callable[[Answer], None]
    sent_s: float | None = None  # on this connection, and not answered
    not_before_s: float = 0.0


class Reports:
    """The reports that wait for the relay's last word, one unanswered at a time."""

    def __init__(self) -> None:
        self._waiting: dict[str, _Entry] = {}

    def add(self, frame: Frame, answered: Callable[[Answer], None]) -> None:
        """Send a report when there is a connection; `answered` is called once, with the end of
        it."""
        self._waiting[frame["id"]] = _Entry(frame, answered)

    def withdraw(self, report_id: str) -> None:
        """Send it no more. It may have been taken."""
        self._waiting.pop(report_id, None)

    def dropped(self) -> None:
        """Note that the connection is gone, and with it what was not answered."""
        for entry in self._waiting.values():
            entry.sent_s = None

    def answer(self, frame: Frame, now_s: float) -> None:
        """Take in the relay's answer. Raises `BadFrame`."""
        report_id, answer = read_answer(frame)
        entry = self._waiting.get(report_id)
        if entry is None:
            return
        if answer.retry_after_s is not None:
            entry.sent_s, entry.not_before_s = None, now_s + answer.retry_after_s
            return
        del self._waiting[report_id]
        entry.answered(answer)

    def due(self, now_s: float) -> list[Frame]:
        """The report to send now, which counts as sent from here on."""
        if self._sent() is None:
            for entry in self._waiting.values():
                if now_s >= entry.not_before_s:
                    entry.sent_s = now_s
                    return [entry.frame]
        return []

    def due_at_s(self) -> float | None:
        """When to ask `due` or `unanswered` again; None for never."""
        sent_s = self._sent()
        if sent_s is not None:
            return sent_s + ANSWER_TIMEOUT_S
        return min((entry.not_before_s for entry in self._waiting.values()), default=None)

    def unanswered(self, now_s: float) -> bool:
        """Tell whether the relay has owed an answer for too long."""
        sent_s = self._sent()
        return sent_s is not None and now_s >= sent_s + ANSWER_TIMEOUT_S

    def _sent(self) -> float | None:
        times = [entry.sent_s for entry in self._waiting.values() if entry.sent_s is not None]
        return min(times, default=None)
