"""What was said in a channel, as the guard remembers it, and the posts that depend on it.

What the guard says of a post holds for what was said before that post. So a post that is not
plainly harmless is stored only directly after the entry that was the last one when it was judged;
the store checks that as it stores it (`scripts/post.lua`). If another entry came between, from
another node say, the post is judged again with that entry remembered. A number in pieces is seen
whole however its pieces travel. A harmless post may come after anything but never before an earlier
one of its own party: behind one that may have to be judged again it waits until that is answered.

Of two nodes it would always be the same one that loses: who has lost must read and judge before it
can post again, who has won just posts on. So the loser asks the peer's node to give way, and that
lets nothing go until the loser's post has come.

The memory is a function of the log. It is read when the first post needs it, follows what this node
stores and delivers, and is read on from where it is when it may have missed something.
"""

from __future__ import annotations

import asyncio
import time
from bisect import insort
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final

import structlog

from ..core.body import Body, place_text
from ..core.codes import RefusedCode
from ..guard.gate import may_matter
from ..guard.guard import TooLong, Verdict
from ..guard.window import Entry as Said
from ..guard.window import Memory
from ..store.endpoint import StoreError
from ..store.records import After, Landmark, position, time_ms
from ..trip_guard import TripGuard, trip_guard
from ..vault.envelope import Unreadable
from ..vault.ring import KeyUnavailable
from .entry import UNREADABLE, Entry

if TYPE_CHECKING:
    from .channel import Channel
    from .lease import Lease
    from .node import Node
    from .posting import Pending

log = structlog.get_logger(__name__)

_PAGE: Final = 256
#: Processor time in which one post must be judged; far more than any text takes.
_BUDGET_S: Final = 0.05
#: How often another entry may come before a post until its app is asked to come again.
_MOST_TRIES: Final = 8
#: For how long a node gives way at most: it takes a few milliseconds, but that node may have died.
_TURN_S: Final = 0.05


#: Between a place's name and its coordinates: a word, so that their digits make no row.
_AT: Final = "lokasi "


class GuardFailed(Exception):
    """The guard did not come to a verdict."""


class Screening:
    """The guard's view of one log."""

    __slots__ = (
        "_changes", "_followers", "_head_sender", "_held", "_in_flight", "_is_behind",
        "_is_reading", "_known_n", "_last_sent", "_memory", "_n", "_on_condition",
        "_others_turn", "_unsure", "_waiting", "head", "trip_guard",
    )  # fmt: skip

    def __init__(self) -> None:
        self.trip_guard: TripGuard | None = None
        #: How often the trip's rules have changed.
        self._changes = 0
        #: Posts handed to the store and not answered yet, and how many of each sender's on a
        #: condition; what the sender has posted since and may not overtake these.
        self._in_flight = 0
        self._on_condition = {"d": 0, "c": 0}
        self._followers: dict[str, list[Pending]] = {"d": [], "c": []}
        #: Posts of which nobody knows whether they are in the log, as the memory names them.
        self._unsure: list[str] = []
        #: Whether the log is read, or is about to be: until then all posts wait.
        self._is_reading = False
        #: Posts that wait until the memory is whole.
        self._waiting: list[Pending] = []
        #: Set when the post has come that this node gives way to.
        self._others_turn: asyncio.Event | None = None
        self._forget_all()

    def _forget_all(self) -> None:
        self._memory = Memory()
        #: The messages of the log, as (sender, post id).
        self._held: set[tuple[str, str]] = set()
        #: Up to which entry of the log the memory goes, and who sent that.
        self.head: Landmark = b"0-0", ""
        self._head_sender = "o"
        self._n = 0
        #: How long the log is to this node's knowledge.
        self._known_n = 0
        #: Of the posts in flight, the entry that will be the last one when all are stored.
        self._last_sent = ("o", "")
        self._is_behind = True

    # --- posts, in their order --------------------------------------------------------------------

    def take(self, post: Pending) -> None:
        """Let a post go on when it is its turn and all that was said before it is known."""
        followers = self._followers[post.sender]
        if followers:
            insort(followers, post, key=_turn)
        elif self._is_reading or (post.depends and (self._is_behind or self.trip_guard is None)):
            self.take_again(post)
        elif not post.depends and self._on_condition[post.sender]:
            followers.append(post)
        else:
            post.go_on()

    def take_later(self, post: Pending) -> None:
        """Let a post wait until its channel's lease holds again, and those after it behind it."""
        insort(self._waiting, post, key=_turn)
        if not self._is_reading:
            self._is_reading = True
            node, channel = post.node, post.channel
            channel.lease.hold(lambda: node.spawn(self._read(node, channel)))

    def holds(self, post: Pending) -> bool:
        """Whether the log has a post of this id already."""
        return (post.sender, post.id) in self._held

    def judge(self, post: Pending, body: Body) -> Verdict:
        """What the guard says of a post. Raises `TooLong`, or `GuardFailed` whatever goes wrong."""
        # A pause of the garbage collector or of the machine is no fault of the text: what
        # seems slow is judged again, by a clock that knows better and costs more.
        for clock_s in (time.perf_counter, time.thread_time):
            began_s = clock_s()
            try:
                assert self.trip_guard is not None
                verdict = self.trip_guard.guard.judge(
                    self._memory, post.sender, said(body), post.node.now_ms()
                )
            except TooLong:
                raise
            except Exception as error:  # noqa: BLE001 - whatever fails, the post must not pass
                # Only the kind of error: what it says may hold the text.
                log.error("guard_failed", error=type(error).__name__)
                raise GuardFailed from None
            if clock_s() - began_s < _BUDGET_S:
                return verdict
        log.error("guard_too_slow")
        raise GuardFailed

    def condition(self) -> After:
        """What the log's last entry must be for a post to be stored that was judged just now."""
        if self._in_flight:
            return After(self._n + self._in_flight, *self._last_sent)
        return After(self._n, self._head_sender, self.head[1])

    def sent(self, post: Pending) -> None:
        """A post is about to be handed to the store."""
        if post.verdict is not None:
            # Before it is stored: the next post is judged before that, and must not slip by.
            self._memory.feed(
                Said(_under_way(post), post.sender, post.verdict.text, post.node.now_ms()),
                post.verdict.trace,
            )
        # Counted when nothing can fail any more before the store has it.
        self._in_flight += 1
        self._on_condition[post.sender] += post.on_condition
        self._last_sent = (post.sender, post.id)

    def stored(self, post: Pending, entry_id: bytes, n: int) -> None:
        """A post in flight is in the log, as its `n`-th entry; 0 if it was there before."""
        self._arrived(post)
        if post.verdict is not None:
            if n:
                said_there = _entry(post.sender, post.verdict.text, entry_id)
                self._memory.settle(_under_way(post), said_there, post.verdict.trace)
            else:
                self._memory.forget(_under_way(post))
        if n == self._n + 1 and not self._is_behind:
            self._n, self.head, self._head_sender = n, (entry_id, post.id), post.sender
            self._held.add((post.sender, post.id))
        elif n > self._n or n == 0:
            self._is_behind = True

    def lost(self, post: Pending, *, maybe_stored: bool = False) -> None:
        """A post in flight is not in the log, or nobody knows."""
        self._arrived(post)
        self._is_behind = True
        if post.verdict is None:
            return
        if maybe_stored:
            self._unsure.append(_under_way(post))
        else:
            self._memory.forget(_under_way(post))

    def _arrived(self, post: Pending) -> None:
        self._in_flight -= 1
        self._on_condition[post.sender] -= post.on_condition

    def let_follow(self, sender: str) -> None:
        """A post on a condition has been answered. If it was the sender's last, let those go on
        that came after it: it is stored, or waits before them for its turn to be judged again."""
        if not self._on_condition[sender]:
            followers, self._followers[sender] = self._followers[sender], []
            for post in followers:
                self._step(post, self.take)

    def judge_again(self, post: Pending) -> None:
        """Another entry came before a post, which was not stored: judge it by that entry too."""
        post.tries += 1
        if not self._is_reading:
            post.ask_for_turn()
        self.take_again(post)

    def begin_anew(self, post: Pending) -> None:
        """The log has lost entries that are remembered: judge a post by what is left."""
        post.tries += 1
        self._forget_all()
        self.take_again(post)

    def take_again(self, post: Pending) -> None:
        """Let a post wait for its turn until the memory is whole."""
        # Those that were sent after it come to the same end, and after it again.
        insort(self._waiting, post, key=_turn)
        self._read_soon(post)

    # --- what others said -------------------------------------------------------------------------

    def give_way(self, node: Node, channel: Channel) -> None:
        """Let no post go until the next one of another node has come, or for a moment.

        Not if posts wait here already: these have lost a race too, and no start on the others.
        """
        if not self._is_reading:
            self._is_reading = True
            self._others_turn = asyncio.Event()
            node.spawn(self._wait_for_others(node, channel, self._others_turn))

    async def _wait_for_others(self, node: Node, channel: Channel, turn: asyncio.Event) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_TURN_S):
                await turn.wait()
        self._others_turn = None
        await self._read(node, channel)

    def learn(self, entry: Entry, n: int, before: Landmark | None = None) -> None:
        """Another's entry is the `n`-th of the log, and comes after `before` if that is told."""
        if self._others_turn is not None:
            self._others_turn.set()
        self._known_n = max(self._known_n, n)
        if self._is_behind or n <= self._n:
            return
        is_next = n == self._n + 1 and before in (None, self.head)
        if not is_next or not self._remember(entry):
            self._is_behind = True
            return
        self._n, self.head, self._head_sender = n, (entry.id, entry.post_id), entry.sender

    def follow(self, rules: int) -> None:
        """The trip's rules are of this version."""
        if self.trip_guard is not None and self.trip_guard.rules != rules:
            self.rules_changed()

    def rules_changed(self) -> None:
        """The trip has another policy or allows other things."""
        self.trip_guard = None
        self._changes += 1

    def _remember(self, entry: Entry) -> bool:
        """Take in an entry of the log; False if the guard could not read it."""
        self._held.add((entry.sender, entry.post_id))
        text = said(entry.body)
        if text and entry.sender in "dc":
            try:
                self._memory.feed(_entry(entry.sender, text, entry.id))
            except Exception as error:  # noqa: BLE001 - other messages must not suffer from it
                log.error("guard_failed", error=type(error).__name__)
                return False
        return True

    # --- reading the log --------------------------------------------------------------------------

    def _read_soon(self, post: Pending) -> None:
        if not self._is_reading:
            self._is_reading = True
            post.node.spawn(self._read(post.node, post.channel))

    async def _read(self, node: Node, channel: Channel) -> None:
        refusal = None
        try:
            while self.trip_guard is None or self._is_behind:
                if self.trip_guard is None:
                    changes = self._changes
                    found = await trip_guard(node.store, node.keys(), channel.trip)
                    if found is None:
                        break
                    if changes != self._changes:
                        continue  # made by rules that have changed meanwhile
                    self.trip_guard = found
                await self._read_on(node, channel, self.trip_guard)
        except StoreError:
            refusal = RefusedCode.STORE_AWAY
        except (KeyUnavailable, Unreadable) as error:
            log.error("guard_has_no_numbers", error=type(error).__name__)
            refusal = RefusedCode.KEY_AWAY
        except Exception as error:  # noqa: BLE001 - or those who wait would wait for ever
            log.error("guard_failed", error=type(error).__name__)
            refusal = RefusedCode.GUARD_AWAY
        self._let_go(channel.lease, refusal)

    async def _read_on(self, node: Node, channel: Channel, known: TripGuard) -> None:
        """Read what the memory lacks. Every post sent before this is answered before it ends."""
        if not self._n:
            self._memory = Memory(known.masks_before)
        for sender, alias in known.aliases:
            # The peer has read that, too.
            self._memory.feed(Said(f"alias {sender}", sender, alias, 0, "0-0"))
        while True:
            page = await node.store.log_page(channel.trip, channel.epoch, self.head[0], _PAGE)
            for entry_id, fields in page:
                post_id, sender, sealed = fields[1].decode(), fields[2].decode(), fields[3]
                if sender != "o":
                    try:
                        entry = channel.entry(entry_id, sender, post_id, sealed, node.tags)
                    except UNREADABLE:
                        log.error("an entry of a log cannot be read")
                    else:
                        if not self._remember(entry):
                            raise GuardFailed
                self._n, self.head, self._head_sender = self._n + 1, (entry_id, post_id), sender
            if len(page) < _PAGE and (not page or self._n >= self._known_n):
                self._is_behind = False
                for name in self._unsure:
                    self._memory.forget(name)
                self._unsure.clear()
                return

    def _let_go(self, lease: Lease, refusal: RefusedCode | None) -> None:
        if refusal is None and not lease.holds():
            # What was answered before this is held back too, and must come first.
            lease.hold(partial(self._let_go, lease, refusal))
            return
        self._is_reading = False
        waiting, self._waiting = self._waiting, []
        for post in waiting:
            self._step(post, partial(self._take_or_refuse, refusal))

    def _take_or_refuse(self, refusal: RefusedCode | None, post: Pending) -> None:
        if refusal is not None and post.depends:
            post.refuse(refusal)
        elif refusal is None and self.trip_guard is None:
            post.find_out_why()
        elif post.tries > _MOST_TRIES:
            post.refuse(RefusedCode.GUARD_AWAY)
        else:
            self.take(post)

    def _step(self, post: Pending, step: Callable[[Pending], None]) -> None:
        """Do something with a post; if that fails, those behind it must not wait for ever."""
        try:
            step(post)
        except Exception as error:  # noqa: BLE001 - whatever it is
            log.error("post_failed", error=type(error).__name__)
            if post not in self._waiting:
                # A step of its own: what fails with it must not keep the others.
                post.node.loop.call_soon(post.give_up)


def _turn(post: Pending) -> int:
    return post.turn


def _under_way(post: Pending) -> str:
    """What the memory calls a post that has no place in the log yet. An app may use an id twice."""
    return f"under way {post.turn}"


def _entry(sender: str, text: str, entry_id: bytes) -> Said:
    pos = position(entry_id)
    return Said(pos, sender, text, time_ms(entry_id), pos)


def said(body: Body) -> str:
    """What of a message the guard reads; nothing of one from a catalogue."""
    if body.key or body.kind == "system":
        return ""
    if body.lat is None or body.lon is None:
        return body.text
    place = place_text(body.lat, body.lon)
    return f"{_AT}{place}" if body.text == place else f"{body.text}\n{_AT}{place}"


def needs_judgement(body: Body) -> bool:
    """Whether the guard must read a message closely, by what was said before it."""
    try:
        text = said(body)
        return bool(text) and may_matter(text)
    except Exception as error:  # noqa: BLE001 - then it is judged, and that will fail too
        log.error("guard_failed", error=type(error).__name__)
        return True


def as_judged(body: Body, verdict: Verdict) -> Body:
    """A message as it is delivered."""
    before, text = said(body), verdict.text
    if body.lat is None or body.lon is None:
        return body._replace(text=text, notices=verdict.notices)
    if text == before:
        return body._replace(notices=verdict.notices)
    label, _, place = text.rpartition(f"\n{_AT}")
    if label and place == place_text(body.lat, body.lon):
        return body._replace(text=label, notices=verdict.notices)
    return Body("text", text, notices=verdict.notices)
