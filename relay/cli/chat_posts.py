"""What became of this party's own posts, as the ticks beside them tell. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ..client import Accepted, Closed, Event, Message, PeerGot, PeerSeen, Post, Reassigned, Refused


class Mark(StrEnum):
    """How far a post has come."""

    WAITING = "◌"
    ACCEPTED = "✓"
    DELIVERED = "✓✓"
    SEEN = "✓✓ seen"
    FAILED = "✗"


@dataclass(slots=True)
class OwnPost:
    """A post of this party. `problem` says why it failed, `pos` and `at_ms` come when accepted."""

    id: str
    text: str
    mark: Mark = Mark.WAITING
    problem: str = ""
    pos: str = ""
    at_ms: int = 0


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
                own.mark = Mark.ACCEPTED
                return [own, *(other for other in self._update() if other is not own)]
            case Refused(id=post_id):
                return self._fail([post_id], f"refused: {event.message}")
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
    """The text, and for a place its coordinates before it."""
    text = post.text or ""
    if post.kind != "location" or post.lat is None or post.lon is None:
        return text
    place = f"{post.lat:.6f}, {post.lon:.6f}"
    return f"place {place}" if text in ("", place) else f"place {place}: {text}"
