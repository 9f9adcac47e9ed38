"""The posts that the peer's device has not confirmed, and which of them to send next. Pure.

Order is kept by never sending a post while an older one waits: for its first answer when one post
at a time may be unanswered, for its `retry_after_ms`, for its turn. Only a quick reply, which needs
no guard, goes past a post that waits because the relay's guard is away: it is all that a person can
say then. Times are seconds of one monotonic clock, given in.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from .errors import OutboxFull
from .events import MAX_TEXT_BYTES, Post
from .frames import Frame
from .pace import Limits, Pace
from .state import SavedPost

#: A channel carries no more messages for one pairing, so more could never be delivered.
MAX_POSTS: Final = 2000

#: `attach` takes as many ids.
MAX_PENDING: Final = 100

#: A relay that answers "again at once" does not get a loop without rest.
MIN_RETRY_S: Final = 0.05
MAX_RETRY_S: Final = 600.0

#: A post is answered in milliseconds; a connection that owes an answer this long is given up.
ANSWER_TIMEOUT_S: Final = 30.0


class _Stage(Enum):
    HELD = auto()  # not yet in the storage: neither it nor a younger one may go
    READY = auto()
    SENT = auto()  # on this connection, and not answered


@dataclass(slots=True)
class _Entry:
    post: Post
    serial: int
    epoch: int | None
    stage: _Stage
    again: bool = False
    guard_away: bool = False  # why it was put off; a quick reply need not wait behind it
    pos: str | None = None  # where the log holds it; None unless accepted
    told_pos: str | None = None  # where it held it when the application was told last
    not_before_s: float = 0.0
    sent_s: float = 0.0

    def saved(self) -> SavedPost:
        return SavedPost(self.post, self.epoch, self.pos)


class Outbox:
    """Posts in the order the person made them, until the peer's device has them.

    `in_flight` bounds the unanswered posts below what the relay allows. Once `is_replayed` is set,
    what the replay did not show to be stored is posted again.
    """

    def __init__(self, saved: list[SavedPost], in_flight: int) -> None:
        self._in_flight = in_flight
        self._serial = 0
        self._waiting: dict[str, _Entry] = {}  # to be sent, or sent and not answered
        self._accepted: dict[str, _Entry] = {}
        self._pace = Pace()
        self._limits: Limits | None = None  # None while nothing may be sent
        self.is_replayed = False
        self._paused_s: float | None = None
        for item in saved:
            # Whether a killed run had sent it is not known, so every one is looked up first.
            entry = self._add(item.post, item.epoch, _Stage.READY)
            entry.again = True
            entry.pos = entry.told_pos = item.pos
            if item.pos is not None:
                self._accepted[item.post.id] = self._waiting.pop(item.post.id)

    def _add(self, post: Post, epoch: int | None, stage: _Stage) -> _Entry:
        self._serial += 1
        entry = self._waiting[post.id] = _Entry(post, self._serial, epoch, stage)
        return entry

    def _in_order(self) -> list[_Entry]:
        entries = [*self._accepted.values(), *self._waiting.values()]
        return sorted(entries, key=lambda entry: entry.serial)

    def saved(self) -> list[SavedPost]:
        return [entry.saved() for entry in self._in_order()]

    # --- the application ------------------------------------------------------------------------

    def add(self, post: Post, epoch: int | None) -> None:
        """Take a post, held until `release`. Raises `OutboxFull`."""
        if len(self._waiting) + len(self._accepted) >= MAX_POSTS:
            raise OutboxFull(MAX_POSTS)
        self._add(post, epoch, _Stage.HELD)

    def release(self, post_id: str) -> None:
        entry = self._waiting.get(post_id)
        if entry is not None and entry.stage is _Stage.HELD:
            entry.stage = _Stage.READY

    def withdraw(self, post_id: str) -> bool:
        """Forget a post that is still held, so was surely never sent."""
        entry = self._waiting.get(post_id)
        if entry is None or entry.stage is not _Stage.HELD:
            return False
        del self._waiting[post_id]
        return True

    # --- the connection -------------------------------------------------------------------------

    def pending(self, epoch: int | None) -> list[str]:
        """The ids to ask about at `attach`: the oldest accepted ones."""
        entries = [entry for entry in self._accepted.values() if entry.epoch == epoch]
        entries.sort(key=lambda entry: entry.serial)
        return [entry.post.id for entry in entries[:MAX_PENDING]]

    def attached(self, epoch: int, lost: list[str], limits: Limits) -> list[SavedPost]:
        """Note that the posts may go. Returns those written for another pairing, now removed."""
        self._limits = limits
        self.is_replayed = False
        self._paused_s = None
        foreign = self._take(e for e in self._in_order() if e.epoch not in (None, epoch))
        for entry in self._in_order():
            entry.epoch = epoch
        # What did not fit into the question is looked up by being posted again.
        safe = {*self.pending(epoch)} - {*lost}
        for post_id in self._accepted.keys() - safe:
            entry = self._waiting[post_id] = self._accepted.pop(post_id)
            entry.pos, entry.again, entry.not_before_s = None, True, 0.0
            entry.stage = _Stage.READY
        waiting = sorted(self._waiting.values(), key=lambda entry: entry.serial)
        self._waiting = {entry.post.id: entry for entry in waiting}
        return foreign

    def dropped(self) -> None:
        """Note that the connection is gone: what was sent and not answered may be stored."""
        self._limits = None
        for entry in self._waiting.values():
            if entry.stage is _Stage.SENT:
                entry.stage, entry.again = _Stage.READY, True

    def pause(self, now_s: float) -> None:
        """Send nothing before the next `attached` or `take_all`; the relay owes an explanation."""
        self._paused_s = now_s

    def delivered_but(self, undelivered: set[str], epoch: int | None) -> list[SavedPost]:
        """Remove and return what reached the peer, when the relay ends a log: oldest first.

        The relay lists what did not. An app that was not attached then has asked it, and of what
        did not fit into the question nothing is known. Receipts are cumulative, so what follows a
        listed one in the log did not reach the peer either: an older relay does not list what the
        store lost.
        """
        accepted = self._accepted
        known = self.pending(epoch) if self._limits is None else list(accepted)
        end = min((accepted[i].pos or "" for i in undelivered & accepted.keys()), default=None)
        return self._take(
            accepted[post_id]
            for post_id in known
            if post_id not in undelivered and (end is None or (accepted[post_id].pos or "") < end)
        )

    def take_all(self) -> list[SavedPost]:
        """Empty the outbox."""
        items = self.saved()
        self._waiting.clear()
        self._accepted.clear()
        self._paused_s = None
        return items

    def posts(self) -> list[Post]:
        return [entry.post for entry in self._in_order()]

    def accepted(self, post_id: str, pos: str) -> bool | None:
        """Note where the log holds a post: whether that is news, None if it is none of ours.

        One that was accepted can be found elsewhere: the store lost it, and an earlier try of the
        same post was written after that.
        """
        held = self._accepted.get(post_id)
        if held is not None and held.pos == pos:
            return None
        entry = held or self._waiting.pop(post_id, None)
        if entry is None:
            return None
        news = entry.told_pos != pos
        entry.pos = entry.told_pos = pos
        self._accepted[post_id] = entry
        return news

    def find(self, post_id: str) -> Post | None:
        """The post of this id, if the peer's device has not confirmed it."""
        entry = self._waiting.get(post_id) or self._accepted.get(post_id)
        return None if entry is None else entry.post

    def confirmed(self, pos: str) -> list[SavedPost]:
        """Remove and return what the peer's device has, oldest first."""
        return self._take(entry for entry in self._accepted.values() if (entry.pos or "") <= pos)

    def _take(self, entries: Iterable[_Entry]) -> list[SavedPost]:
        taken = sorted(entries, key=lambda entry: entry.serial)
        for entry in taken:
            self._waiting.pop(entry.post.id, None)
            self._accepted.pop(entry.post.id, None)
        return [entry.saved() for entry in taken]

    def refused(self, post_id: str) -> SavedPost | None:
        """Forget a post that will never be stored. None if it was not waiting for an answer."""
        entry = self._answered(post_id)
        return None if entry is None else self._take([entry])[0]

    def put_off(
        self,
        post_id: str,
        after_ms: int,
        now_s: float,
        *,
        unsure: bool = False,
        guard_away: bool = False,
    ) -> None:
        """Note that a post is to be sent again after a time; the younger ones wait behind it."""
        entry = self._answered(post_id)
        if entry is not None:
            entry.stage = _Stage.READY
            entry.again = entry.again or unsure
            # `unsure` is also what the relay answers to a repetition while the guard is away.
            entry.guard_away = guard_away or (unsure and entry.guard_away)
            entry.not_before_s = now_s + min(MAX_RETRY_S, max(MIN_RETRY_S, after_ms / 1000))

    def _answered(self, post_id: str) -> _Entry | None:
        entry = self._waiting.get(post_id)
        return entry if entry is not None and entry.stage is _Stage.SENT else None

    def too_long(self) -> list[SavedPost]:
        """Remove and return the posts that were never sent and whose text is over the limit."""
        limit = self.max_text_bytes
        return self._take(
            entry
            for entry in self._waiting.values()
            if entry.stage is _Stage.READY
            and not entry.again
            and len((entry.post.text or "").encode()) > limit
        )

    @property
    def max_text_bytes(self) -> int:
        """What the relay takes; of no effect before it said so."""
        return MAX_TEXT_BYTES if self._limits is None else self._limits.text_bytes

    # --- what to send ---------------------------------------------------------------------------

    def due(self, now_s: float) -> list[Frame]:
        """The posts to send now, which count as sent from here on."""
        frames = []
        while self._limits is not None and self._pace.ready_at_s(self._limits) <= now_s:
            entry = next((e for e in self._next() if e.not_before_s <= now_s), None)
            if entry is None:
                break
            self._pace.take(self._limits, now_s)
            entry.stage, entry.sent_s = _Stage.SENT, now_s
            frames.append(_frame(entry))
        return frames

    def due_at_s(self) -> float | None:
        """When something is to be done if nothing comes in before; None for never."""
        if self._limits is None:
            return None
        times = [since_s + ANSWER_TIMEOUT_S for since_s in self._owed()]
        ready_at_s = self._pace.ready_at_s(self._limits)
        times += [max(entry.not_before_s, ready_at_s) for entry in self._next()]
        return min(times, default=None)

    def unanswered(self, now_s: float) -> bool:
        """Tell whether the relay has owed an answer for too long."""
        return any(now_s >= since_s + ANSWER_TIMEOUT_S for since_s in self._owed())

    def _owed(self) -> list[float]:
        """Since when the relay has owed each answer."""
        times = [e.sent_s for e in self._waiting.values() if e.stage is _Stage.SENT]
        return times if self._paused_s is None else [*times, self._paused_s]

    def _next(self) -> list[_Entry]:
        """The oldest post that waits to be sent, if one more may be unanswered.

        Behind it, if it waits for the guard, the oldest quick reply.
        """
        if self._limits is None or self._paused_s is not None:
            return []
        found: list[_Entry] = []
        room = min(self._in_flight, self._limits.in_flight)
        for entry in self._waiting.values():
            if entry.stage is _Stage.HELD or (entry.again and not self.is_replayed):
                break
            if entry.stage is _Stage.SENT:
                room -= 1
            elif not found or entry.post.kind == "quick":
                found.append(entry)
                if len(found) == 2 or not entry.guard_away:
                    break
        return found if room > 0 else []


def _frame(entry: _Entry) -> Frame:
    post = entry.post
    # With the epoch the relay can refuse a post that crossed with `reassigned` on the way, and
    # would else go to a party it was not written for.
    frame: Frame = {"op": "post", "id": post.id, "kind": post.kind, "epoch": entry.epoch}
    for name in ("text", "lat", "lon", "key"):
        value = getattr(post, name)
        if value is not None:
            frame[name] = value
    if entry.again:
        frame["again"] = True
    return frame
