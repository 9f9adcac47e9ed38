"""What became of this party's own posts, as the ticks beside them tell. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ..client import (
    QUICK_REPLIES,
    Accepted,
    Closed,
    Event,
    Message,
    PeerGot,
    PeerSeen,
    Post,
    Reassigned,
    Refused,
)
from .chat_findings import in_words


class Mark(StrEnum):
    """How far a post has come."""

    WAITING = "◌"
    ACCEPTED = "✓"
    DELIVERED = "✓✓"
    SEEN = "✓✓ seen"
    FAILED = "✗"


@dataclass(slots=True)
class OwnPost:
    """A post of this party. `problem` says why it failed, `pos` and `at_ms` come when accepted.

    `seen_as` is the text that the peer gets, where the guard changed it; `found` says in words what
    the guard found.
    """

    id: str
    text: str
    mark: Mark = Mark.WAITING
    problem: str = ""
    pos: str = ""
    at_ms: int = 0
    seen_as: str = ""
    found: str = ""

    @property
    def remark(self) -> str:
        """What the guard did with it; empty if nothing."""
        found = f" (found: {self.found})" if self.found else ""
        if self.seen_as:
            return f"the other side sees: {self.seen_as}{found}"
        return f"the other side gets it with a safety hint{found}" if found else ""


class OwnPosts:
    """All of them, with how far the peer is in the log of this pairing."""

    def __init__(self) -> None:
        self._posts: dict[str, OwnPost] = {}
        self._got = self._seen = ""

    def add(self, post: Post) -> OwnPost:
        """Note a post that has just been made."""
        own = self._posts[post.id] = OwnPost(post.id, text_of(post))
        return own

    def add_earlier(self, message: Message) -> OwnPost:
        """Note a post that this party made before this program began."""
        own = self._posts[message.id] = OwnPost(
            message.id, text_of(message), Mark.ACCEPTED, pos=message.pos, at_ms=message.at_ms
        )
        self._update()
        return own

    def apply(self, event: Event) -> list[OwnPost]:
        """Take in an event; give the posts whose mark it changed, oldest first."""
        match event:
            case Accepted(id=post_id) if own := self._posts.get(post_id):
                own.pos, own.at_ms = event.pos, event.at_ms
                own.seen_as, own.found = event.text or "", in_words(event.findings)
                own.mark = Mark.ACCEPTED
                return [own, *(other for other in self._update() if other is not own)]
            case Refused(id=post_id):
                found = f" Found: {in_words(event.findings)}." if event.findings else ""
                return self._fail([post_id], f"refused: {event.message}{found}")
            case PeerGot():
                self._got = max(self._got, event.pos)
                return self._update()
            case PeerSeen():
                self._seen = max(self._seen, event.pos)
                return self._update()
            case Reassigned():
                failed = self._fail((post.id for post in event.undelivered), "never arrived")
                # Another log begins; what stood in the old one keeps the mark that it has.
                self._posts.clear()
                self._got = self._seen = ""
                return failed
            case Closed():
                lost = [post.id for post in event.undelivered]
                return self._fail([*lost, *event.undelivered_ids], "never arrived")
        return []

    def _update(self) -> list[OwnPost]:
        changed = []
        for own in self._posts.values():
            mark = self._mark(own)
            if mark is not own.mark:
                own.mark = mark
                changed.append(own)
        return changed

    def _mark(self, own: OwnPost) -> Mark:
        if not own.pos or own.mark is Mark.FAILED:
            return own.mark
        if own.pos <= self._seen:
            return Mark.SEEN
        return Mark.DELIVERED if own.pos <= self._got else Mark.ACCEPTED

    def _fail(self, ids: Iterable[str], problem: str) -> list[OwnPost]:
        failed = [own for post_id in ids if (own := self._posts.get(post_id))]
        for own in failed:
            own.mark, own.problem = Mark.FAILED, problem
        return failed


def text_of(post: Post | Message) -> str:
    """The text, for a place its coordinates before it, for an own quick reply it in English."""
    text = post.text or ""
    if isinstance(post, Post) and post.key:
        return QUICK_REPLIES[post.key]["en"]
    if post.kind != "location" or post.lat is None or post.lon is None:
        return text
    place = f"{post.lat:.5f}, {post.lon:.5f}"  # the relay keeps no more of it
    return f"place {place}" if text in ("", place) else f"place {place}: {text}"
