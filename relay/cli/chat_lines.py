"""A chat as plain lines, or as one JSON object a line: for pipes, files and simple terminals."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Callable
from typing import Any, Final, Protocol

from ..client import (
    QUICK_REPLIES,
    Accepted,
    Attached,
    ChannelClosed,
    ChannelState,
    Closed,
    ConnectionChanged,
    Event,
    Message,
    PeerGot,
    PeerSeen,
    Post,
    Presence,
    Problem,
    Reassigned,
    Refused,
    StateChanged,
    Typing,
)
from .chat_posts import Mark, OwnPost, OwnPosts, text_of
from .words import clipped, count_of, duration, moment, visible

_MARKS: Final = {
    Mark.ACCEPTED: "✓ accepted",
    Mark.DELIVERED: "✓✓ delivered",
    Mark.SEEN: "✓✓ seen",
    Mark.FAILED: "✗",
}


_STATES: Final = {
    ChannelState.CONNECTING: "connecting",
    ChannelState.RESUMING: "catching up",
    ChannelState.ATTACHED: "up to date",
}


class View(Protocol):
    """Shows a chat."""

    def show(self, event: Event) -> None:
        """Show what came."""

    def posted(self, post: Post) -> None:
        """Show a post of this party that has gone into the outbox."""

    def list_quick_replies(self) -> None:
        """Show which quick replies there are."""

    def reported(self, messages: int) -> None:
        """Show that a report was taken, with so many messages."""

    def complain(self, text: str) -> None:
        """Show why something that was typed was not done."""


class PlainLines:
    """One line for each event; `write` takes it without its end."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._own = OwnPosts()
        self._alias = "the other party"

    def show(self, event: Event) -> None:
        for line in self._lines(event):
            self._write(line)

    def posted(self, post: Post) -> None:
        self._own.add(post)

    def list_quick_replies(self) -> None:
        for line in quick_replies():
            self._write(f"-- {line}")

    def reported(self, messages: int) -> None:
        self._write(f"-- {was_reported(messages)}")

    def complain(self, text: str) -> None:
        self._write(f"✗ {visible(text)}")

    def _lines(self, event: Event) -> list[str]:
        changed = self._own.apply(event)
        match event:
            case Message(sender="you"):
                self._own.add_earlier(event)
                return [f"you: {visible(text_of(event))}"]
            case Message():
                name = self._alias if event.sender == "peer" else "platform"
                notices = [f"  ! {visible(notice)}" for notice in event.notices]
                return [f"{visible(name)}: {visible(text_of(event))}", *notices]
            case Accepted():
                remarks = [own.remark for own in changed if own.id == event.id and own.remark]
                return [*_marked(changed), *(f"  {visible(remark)}" for remark in remarks)]
            case Refused() | PeerGot() | PeerSeen():
                return _marked(changed)
            case Attached():
                self._alias = event.alias
            case Reassigned():
                self._alias = event.alias
        return [*_marked(changed), f"-- {notice(event, self._alias)}"]


def _marked(changed: list[OwnPost]) -> list[str]:
    """A line for the posts that share a mark: receipts are for several at once."""
    lines = []
    for mark, words in _MARKS.items():
        own = [post for post in changed if post.mark is mark]
        if mark is Mark.FAILED:
            lines += [f"{words} {clipped(post.text)} ({visible(post.problem)})" for post in own]
        elif own:
            lines.append(f"{words}: {' | '.join(clipped(post.text) for post in own)}")
    return lines


class JsonLines:
    """One JSON object for each event. All but ASCII is escaped, so a terminal obeys none of it."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def show(self, event: Event) -> None:
        name = re.sub(r"(?<!^)(?=[A-Z])", "_", type(event).__name__).lower()
        self._put(name, dataclasses.asdict(event))

    def posted(self, post: Post) -> None:
        self._put("posted", dataclasses.asdict(post))

    def list_quick_replies(self) -> None:
        self._put(
            "quick_replies", {"replies": {k: text["en"] for k, text in QUICK_REPLIES.items()}}
        )

    def reported(self, messages: int) -> None:
        self._put("reported", {"messages": messages})

    def complain(self, text: str) -> None:
        self._put("not_done", {"message": text})

    def _put(self, name: str, fields: dict[str, Any]) -> None:
        self._write(json.dumps({"event": name, **fields}))


def quick_replies() -> list[str]:
    """A line for each quick reply: the command, and what it says in English."""
    width = max(map(len, QUICK_REPLIES))
    return [f"/quick {key:{width}}  {texts['en']}" for key, texts in QUICK_REPLIES.items()]


def was_reported(messages: int) -> str:
    """That the operators have a report now."""
    return f"reported with {count_of(messages, 'message')}; the other party is not told"


def notice(event: Event, alias: str) -> str:
    """What happened to the channel, in a few words that are safe to print."""
    name = visible(alias)
    match event:
        case Attached():
            online = "online" if event.online else "offline"
            deadline = _deadline(event.state, event.deadline_ms)
            return f"attached as {visible(event.role)}; {name} is {online}; {deadline}"
        case Presence():
            return f"{name} is {'online' if event.online else 'offline'}"
        case Typing():
            return f"{name} {'is typing' if event.on else 'stopped typing'}"
        case StateChanged():
            return _deadline(event.state, event.deadline_ms)
        case Reassigned():
            back = f"; {_listed(event.undelivered)} never arrived" if event.undelivered else ""
            return f"another party sits opposite now: {name}{back}"
        case ConnectionChanged(state=ChannelState.SUSPENDED):
            return f"{visible(event.cause)}; the next try in {event.retry_in_s or 0:.1f} s"
        case ConnectionChanged():
            return _STATES[event.state]
        case Problem():
            return f"the relay did not act on something: {visible(event.message)}"
        case Closed():
            return ended(event)
    return type(event).__name__


def ended(closed: Closed) -> str:
    """Why it is over, and what never arrived."""
    text = visible(str(ChannelClosed(closed)))
    if closed.undelivered:
        text += f" {_listed(closed.undelivered)} never arrived."
    if closed.undelivered_ids:
        text += f" {count_of(len(closed.undelivered_ids), 'earlier message')} never arrived."
    if closed.kept:
        text += f" Whether these arrived is not known: {_listed(closed.kept)}."
    return text


def _listed(posts: tuple[Post, ...]) -> str:
    return ", ".join(f"“{clipped(text_of(post))}”" for post in posts)


def _deadline(state: str, deadline_ms: int) -> str:
    left = duration(deadline_ms / 1000 - time.time())
    if state == "suspended":
        return "the relay cannot reach its store; what you write waits"
    if state == "grace":
        return f"the trip has ended, the channel closes in {left}"
    return f"open until {moment(deadline_ms)} ({left})"
