"""What one party knows of its channel, whichever connection it came by. Pure.

Each `on_...` takes in one frame and returns what the application is to be told. It raises
`wire.BadFrame`, and has changed nothing then, where the frame is not as PROTOCOL.md describes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final, TypeAlias

from ..core.codes import CloseCode, CloseReason, RefusedCode
from . import parse
from .events import (
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
from .frames import Frame, field, optional, strings
from .inbox import Inbox, key_of
from .outbox import Outbox
from .reports import Reports
from .state import Refusal, SavedPost, SavedState

#: With these the channel is over for this party; after any other it may live on.
FINAL_CODES: Final = (CloseCode.CHANNEL_CLOSED, CloseCode.REASSIGNED)


class WrongTrip(Exception):
    """The storage belongs to another trip than the token."""


class _Reach:
    """How far the peer is, and how far the application has been told that it is."""

    def __init__(self) -> None:
        self.pos: str | None = None
        self._told: str | None = None

    def begin(self, pos: str | None) -> None:
        """Take the relay's word of today: a store that lost its end took receipts with it."""
        self.pos = pos
        if self._told is not None and (pos is None or pos < self._told):
            self._told = pos

    def advance(self, pos: str | None) -> None:
        if pos is not None and (self.pos is None or pos > self.pos):
            self.pos = pos

    def tell(self) -> bool:
        """Note that the application is told. False if it knew."""
        is_news = self.pos is not None and (self._told is None or self.pos > self._told)
        self._told = self.pos
        return is_news


class Ledger:
    """The messages of one party's channel, both ways, and how far each side has come."""

    def __init__(self, saved: SavedState, *, in_flight: int, auto_got: bool) -> None:
        self._device = saved.device
        self._auto_got = auto_got
        self._trip = saved.trip
        self._peer_got = _Reach()
        self._peer_seen = _Reach()
        # Posts that leave the outbox stay saved until the application has taken the event that
        # tells so: what an app that was killed had not heard, the next run tells it again.
        self._returned = {item.post.id: item for item in saved.outbox if item.refused}
        self.attempt = saved.attempt
        self.epoch = saved.epoch
        self.inbox = Inbox(saved.after, saved.after_id, saved.seen, saved.known)
        self.outbox = Outbox([item for item in saved.outbox if not item.refused], in_flight)
        self.reports = Reports()
        self.closed: Closed | None = None
        self.changed = True
        """Whether there is something new to save."""

    def saved(self) -> SavedState:
        """All that the next run needs."""
        posts = {item.post.id: item for item in self._returned.values()}
        posts.update({item.post.id: item for item in self.outbox.saved()})
        if self.closed is not None and self.closed.code in FINAL_CODES and not posts:
            return SavedState(device=self._device, attempt=self.attempt)
        return SavedState(
            device=self._device,
            attempt=self.attempt,
            trip=self._trip,
            epoch=self.epoch,
            after=self.inbox.after,
            after_id=self.inbox.after_id,
            seen=self.inbox.seen,
            known=self.inbox.known(),
            outbox=list(posts.values()),
        )

    def untold(self) -> list[Refused]:
        """What the run before learnt, and may not have told the application."""
        return [
            _refused(item.post, item.refused)
            for item in self._returned.values()
            if item.refused is not None
        ]

    # --- the application ------------------------------------------------------------------------

    def post(self, post: Post) -> None:
        """Put a post into the outbox, held until `release`. Raises `OutboxFull`."""
        self.outbox.add(post, self.epoch)
        self.changed = True

    def release(self, post_id: str) -> list[Event]:
        """Let a post go out: it is saved. Returns the refusal if it is known to be too long."""
        self.outbox.release(post_id)
        return self._refuse_too_long()

    def _refuse_too_long(self) -> list[Event]:
        words = f"The text is longer than {self.outbox.max_text_bytes} bytes."
        refusal = Refusal(RefusedCode.TOO_LONG, words)
        return [self._refuse(item, refusal) for item in self.outbox.too_long()]

    def withdraw(self, post_id: str) -> None:
        """Take a post back that was not released."""
        self.changed |= self.outbox.withdraw(post_id)

    def taken(self, event: Event) -> None:
        """Note that the application has dealt with an event."""
        match event:
            case Message():
                if self._auto_got:
                    self.got(event)
            case Refused():
                self._settled([event.id])
            case PeerGot():
                self._settled(event.ids)
            case Reassigned() | Closed():
                self._settled([post.id for post in event.undelivered])

    def _settled(self, ids: Iterable[str]) -> None:
        for post_id in ids:
            self._returned.pop(post_id, None)
            self.changed = True

    def got(self, message: Message) -> None:
        """Note that the application has stored or shown everything up to `message`."""
        if message.epoch == self.epoch and self.inbox.take(message.pos):
            self.changed = True

    def seen(self, message: Message) -> None:
        """Note that the person has read everything up to `message`."""
        key = key_of(message.epoch, message.sender, message.id)
        if message.epoch == self.epoch and self.inbox.saw(key, message.pos):
            self.changed = True

    # --- frames of the relay --------------------------------------------------------------------

    def on_attached(self, frame: Frame, _now_s: float) -> list[Event]:
        told, limits = parse.attached(frame)
        got, seen = parse.peer_receipts(frame)
        lost = strings(frame, "lost")
        if self._trip is not None and self._trip != told.trip:
            raise WrongTrip
        other = self.epoch is not None and self.epoch != told.epoch
        self._trip, self.epoch = told.trip, told.epoch
        if other:
            self._begin_log(told.epoch)
        self.changed = True
        events: list[Event] = [told]
        back = self.outbox.attached(told.epoch, lost, limits)
        if other or back:
            events.append(Reassigned(told.epoch, told.alias, self._return(back)))
        self._peer_got.begin(got)
        self._peer_got.advance(seen)
        self._peer_seen.begin(seen)
        return [*events, *self._refuse_too_long()]

    def _begin_log(self, epoch: int) -> None:
        self.inbox.restart(epoch)
        self._peer_got, self._peer_seen = _Reach(), _Reach()

    def _return(self, items: Iterable[SavedPost]) -> tuple[Post, ...]:
        """Keep posts that left the outbox until the application knows."""
        items = list(items)
        self._returned.update({item.post.id: item for item in items})
        return tuple(item.post for item in items)

    def on_replayed(self, _frame: Frame, _now_s: float) -> list[Event]:
        self.inbox.replayed()
        self.outbox.is_replayed = True
        return self._reached()

    def on_message(self, frame: Frame, _now_s: float) -> list[Event]:
        assert self.epoch is not None  # the session lets no message through before `attached`
        message = parse.message(frame, self.epoch)
        events: list[Event] = []
        if message.sender == "you":
            # The answer was lost with the last connection; the replay tells the same.
            post = self.outbox.find(message.id)
            text = None if post is None else post.altered(message)
            told = Accepted(message.id, message.pos, message.at_ms, message.tag, text)
            events = self._stored(told)
        key = key_of(message.epoch, message.sender, message.id)
        if self.inbox.arrived(key, message.pos):
            return [message]
        self.changed = True
        return events

    def on_accepted(self, frame: Frame, _now_s: float) -> list[Event]:
        return self._stored(parse.accepted(frame))

    def _stored(self, told: Accepted) -> list[Event]:
        is_news = self.outbox.accepted(told.id, told.pos)
        if is_news is None:
            return []
        self.changed = True
        assert self.epoch is not None  # the session lets no answer through before `attached`
        self.inbox.remember(key_of(self.epoch, "you", told.id))
        # The receipt may have come while the answer was lost.
        return [*([told] if is_news else []), *self._reached()]

    def on_refused(self, frame: Frame, now_s: float) -> list[Event]:
        post_id, code = field(frame, "id", str), field(frame, "code", str)
        refusal = Refusal(code, field(frame, "message", str), parse.findings(frame))
        retry_after_ms = optional(frame, "retry_after_ms", int)
        if retry_after_ms:
            is_guard_away = code == RefusedCode.GUARD_AWAY
            self.outbox.put_off(post_id, retry_after_ms, now_s, guard_away=is_guard_away)
            return []
        item = self.outbox.refused(post_id)
        if item is None:
            return []
        if code in (RefusedCode.REASSIGNED, RefusedCode.CLOSED):
            # The frame that explains it is on its way. Nothing may go to a party that the posts
            # were not written for.
            self.outbox.pause(now_s)
        return [self._refuse(item, refusal)]

    def _refuse(self, item: SavedPost, refusal: Refusal) -> Refused:
        self._return([replace(item, refused=refusal)])
        self.changed = True
        return _refused(item.post, refusal)

    def on_unsure(self, frame: Frame, now_s: float) -> list[Event]:
        after_ms = optional(frame, "retry_after_ms", int) or 0
        self.outbox.put_off(field(frame, "id", str), after_ms, now_s, unsure=True)
        return []

    def on_report_answered(self, frame: Frame, now_s: float) -> list[Event]:
        self.reports.answer(frame, now_s)
        return []

    def on_got(self, frame: Frame, _now_s: float) -> list[Event]:
        self._peer_got.advance(field(frame, "pos", str))
        return self._reached()

    def on_seen(self, frame: Frame, _now_s: float) -> list[Event]:
        pos = field(frame, "pos", str)
        self._peer_got.advance(pos)
        self._peer_seen.advance(pos)
        return self._reached()

    def _reached(self) -> list[Event]:
        """Tell what the peer's receipts stand for, if that is news."""
        if not self.outbox.is_replayed:
            # A post can be at another place than on the last connection; the replay shows it.
            return []
        events: list[Event] = []
        got, seen = self._peer_got, self._peer_seen
        items = self.outbox.confirmed(got.pos or "")
        if got.tell() or items:
            events.append(self._confirmed(got.pos or "", items))
        if seen.tell():
            events.append(PeerSeen(seen.pos or ""))
        return events

    def _confirmed(self, pos: str, items: list[SavedPost]) -> PeerGot:
        self.changed = True
        return PeerGot(pos, tuple(post.id for post in self._return(items)))

    def on_reassigned(self, frame: Frame, _now_s: float) -> list[Event]:
        epoch, alias = field(frame, "epoch", int), field(frame, "alias", str)
        undelivered = strings(frame, "undelivered")
        if epoch == self.epoch:
            return []
        events = self._end_log(undelivered)
        back = self._return(self.outbox.take_all())
        self.epoch = epoch
        self._begin_log(epoch)
        self.outbox.is_replayed = True  # nothing of the new log was missed
        return [*events, Reassigned(epoch, alias, back)]

    def on_closed(self, frame: Frame, _now_s: float) -> list[Event]:
        reason, undelivered = field(frame, "reason", str), strings(frame, "undelivered")
        gone = reason == CloseReason.REASSIGNED
        code = CloseCode.REASSIGNED if gone else CloseCode.CHANNEL_CLOSED
        events = self._end_log(undelivered)
        return [*events, self.close(reason, code, undelivered)]

    def _end_log(self, undelivered: list[str]) -> list[Event]:
        self.changed = True
        items = self.outbox.delivered_but(set(undelivered), self.epoch)
        pos = max((item.pos or "" for item in items), default="")
        return [self._confirmed(pos, items)] if items else []

    def close(self, reason: str, code: int, ids: list[str]) -> Closed:
        """End the channel: what is in the outbox goes back to the application."""
        back = self._return(self.outbox.take_all())
        ours = {post.id for post in back}
        others = tuple(post_id for post_id in ids if post_id not in ours)
        self.closed = Closed(reason, int(code), undelivered=back, undelivered_ids=others)
        self.changed = True
        return self.closed


def _refused(post: Post, refusal: Refusal) -> Refused:
    return Refused(post.id, refusal.code, refusal.message, post, refusal.findings)


_Reader: TypeAlias = Callable[[Ledger, Frame, float], list[Event]]


def _telling(read: Callable[[Frame], Event]) -> _Reader:
    return lambda _ledger, frame, _now_s: [read(frame)]


#: What to do with each op that an application is told of.
READERS: Final[dict[str, _Reader]] = {
    "attached": Ledger.on_attached,
    "message": Ledger.on_message,
    "replayed": Ledger.on_replayed,
    "accepted": Ledger.on_accepted,
    "refused": Ledger.on_refused,
    "unsure": Ledger.on_unsure,
    "reported": Ledger.on_report_answered,
    "not_reported": Ledger.on_report_answered,
    "got": Ledger.on_got,
    "seen": Ledger.on_seen,
    "reassigned": Ledger.on_reassigned,
    "closed": Ledger.on_closed,
    "typing": _telling(parse.typing),
    "presence": _telling(parse.presence),
    "state": _telling(parse.state),
    "error": _telling(parse.problem),
}
