"""The way of a message: checked, guarded, sealed, stored, acknowledged, delivered.

What happens to a message is here, top-down. The store's answer is the only acceptance: before it
nothing has happened, and whoever waits for it when the connection to the store ends is `unsure`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any, Final

import hiredis
import structlog

from ..core.body import Body, pack_body, place_text, problem_with, quick_body, unpack_body
from ..core.codes import RefusedCode
from ..core.frames import Accepted, Found, Frame, Post, Refused, Unsure
from ..core.ids import Role
from ..guard.guard import TooLong, Verdict
from ..guard.policy import Action
from ..store.endpoint import NotSent, StoreError
from ..store.log_writer import LogWriter
from ..store.pipe import lacks_script
from ..store.records import NOWHERE, After, time_ms
from .channel import Channel
from .connection import Connection
from .delivery import deliver
from .entry import UNREADABLE, Entry
from .events import look_at
from .node import Node
from .screening import GuardFailed, as_judged, needs_judgement

log = structlog.get_logger(__name__)

_RETRY_MS: Final = 500
#: Later the same post may be taken.
_RETRIED: Final = frozenset({RefusedCode.STORE_AWAY, RefusedCode.KEY_AWAY, RefusedCode.GUARD_AWAY})
#: What a party is told that is stopped from writing, or from everything.
_STOPPED: Final = {"text": RefusedCode.MUTED, "all": RefusedCode.CLOSED}
_STOPS: Final = {b"muted": RefusedCode.MUTED, b"barred": RefusedCode.CLOSED}
#: A condition that no log meets: it only asks whether a post is there.
_NEVER: Final = After(0, "", "")

_EXPLAINED: Final = {
    RefusedCode.MALFORMED: "The message is empty, incomplete or holds control characters.",
    RefusedCode.TOO_LONG: "The message has more than `limits.text_bytes` or 1,000 characters.",
    RefusedCode.UNSUPPORTED_KIND: "The relay does not carry this kind of message.",
    RefusedCode.TOO_MANY: "Too many messages in a short time; wait a moment.",
    RefusedCode.IN_FLIGHT: "Too many messages are waiting for an answer.",
    RefusedCode.CHANNEL_FULL: "This channel has reached its number of messages.",
    RefusedCode.STORE_AWAY: "The message was not stored because the store is away; try again.",
    RefusedCode.KEY_AWAY: "The message was not stored because it cannot be encrypted; try again.",
    RefusedCode.GUARD_AWAY: "The message was not stored because it cannot be checked; try again, "
    "or send a quick reply.",
    RefusedCode.BLOCKED: "The message was not sent: this trip does not let through what it holds.",
    RefusedCode.MUTED: "You may not write in this trip for now; quick replies still pass.",
    RefusedCode.CLOSED: "The channel is closed.",
    RefusedCode.REASSIGNED: "Another party is on this trip now; the message was not sent to it.",
}

_turns: Final = count()


def post(node: Node, connection: Connection, frame: Post) -> None:
    """Take a post from an attached app."""
    channel, role, pace = connection.channel, connection.role, connection.pace
    assert channel is not None and role is not None and pace is not None

    # Checked: the frame is well formed by its type; is it a message, and is it this party's turn?
    kind = frame.kind or "text"
    refusal = problem_with(
        kind, frame.text, frame.lat, frame.lon, node.limits.text_bytes, frame.key
    )
    retry_ms = 0
    stopped = channel.bars.stops_now(role.letter, node.now_ms(), kind)
    if refusal is None and stopped and not frame.again:
        refusal = _STOPPED[stopped]
    if refusal is None and (frame.epoch or 1) != channel.epoch:
        # It was written for the party that sat opposite then; without an epoch nobody can tell.
        refusal = RefusedCode.REASSIGNED
    if refusal is None and (wait_s := pace.take(connection.heard_s)):
        refusal, retry_ms = RefusedCode.TOO_MANY, int(wait_s * 1000) + 1
    if refusal is None and not (node.keys_present and channel.key_present):
        refusal, retry_ms = RefusedCode.KEY_AWAY, _RETRY_MS
    if refusal is None and (line := connection.line) is not None and line.congested:
        refusal, retry_ms = RefusedCode.STORE_AWAY, _RETRY_MS
    if refusal is None and len(connection.answers) >= node.limits.in_flight:
        refusal, retry_ms = RefusedCode.IN_FLIGHT, 100
    is_full = max(connection.n, connection.known_n) > node.limits.channel_messages
    if refusal is None and is_full and not frame.again:
        refusal = RefusedCode.CHANNEL_FULL
    if refusal is not None and retry_ms and frame.again:
        # This try stored nothing, but an earlier one may have.
        node.counts.unsure += 1
        connection.unsure_at_once(frame.id, refusal, retry_ms)
        return
    if refusal is not None:
        node.counts.refused[refusal] += 1
        connection.refuse_at_once(frame.id, refusal, _EXPLAINED[refusal], retry_ms)
        return

    # Guarded, in the order of the posts: one may have to wait for what was said before it.
    pending = Pending(
        node, connection, channel, role, frame.id, _body(kind, frame), again=bool(frame.again)
    )
    connection.answers.append(pending)
    channel.screening.take(pending)


def _body(kind: str, post: Post) -> Body:
    if kind == "quick":
        return quick_body(post.key or "")
    if kind == "text" or post.lat is None or post.lon is None:
        return Body("text", post.text or "")
    # To a metre: more digits would say nothing more of a place, and could say something else.
    lat, lon = round(post.lat, 5), round(post.lon, 5)
    return Body(kind, post.text or place_text(lat, lon), lat, lon)


class Pending:
    """A post on its way, and its place in the line of answers.

    `depends` tells whether the guard must judge it by what was said before; `verdict` is what it
    said. `body` is the message as the peer gets it.
    """

    __slots__ = (
        "_after", "_cipher", "_connection", "_epoch", "_posted", "_role", "_screening", "_sealed",
        "again", "body", "channel", "depends", "frame", "id", "node", "on_condition", "sender",
        "tries", "turn", "verdict",
    )  # fmt: skip

    def __init__(
        self,
        node: Node,
        connection: Connection,
        channel: Channel,
        role: Role,
        post_id: str,
        body: Body,
        *,
        again: bool,
    ) -> None:
        self.node = node
        self.channel = channel
        self._connection = connection
        self._role = role
        # Of this epoch: the channel may turn to another while the post is on its way.
        self._epoch = channel.epoch
        self._cipher = channel.cipher
        self._screening = channel.screening
        self._posted = body
        self._sealed = b""
        self._after: After | None = None
        self.id = post_id
        self.sender = role.letter
        self.body = body
        self.again = again
        self.turn = next(_turns)
        self.tries = 0
        self.on_condition = False
        self.depends = needs_judgement(body)
        self.verdict: Verdict | None = None
        self.frame: Frame | None = None

    def go_on(self) -> None:
        """Go the rest of the way: it is its turn, and what was said before it is known."""
        node, channel, screening = self.node, self.channel, self._screening
        if channel.epoch != self._epoch:
            self.refuse(RefusedCode.REASSIGNED)
            return
        if self._connection.line is not channel.lease.line:
            # This store may have lost older posts of the app's, which must come before this one.
            if channel.lease.line is not None and not channel.lease.holds():
                screening.take_later(self)
            else:
                self.refuse(RefusedCode.STORE_AWAY)
            return

        # Guarded: by what was said up to now. What is in the log already was guarded then, and to
        # judge another text under its id would answer a question that costs nothing.
        after = None
        if self.depends:
            if self.again and screening.holds(self):
                self._look_up()
                return
            try:
                self.verdict = screening.judge(self, self._posted)
            except TooLong:
                self._refuse(RefusedCode.TOO_LONG)
                return
            except GuardFailed:
                self._refuse(RefusedCode.GUARD_AWAY)
                return
            if self.verdict.action is Action.BLOCK:
                self._refuse(RefusedCode.BLOCKED)
                return
            self.body = as_judged(self._posted, self.verdict)
            after = screening.condition()
            if after == self._after:
                # The log ends otherwise, said the store, and yet nothing has come to it since: it
                # has lost entries that are remembered.
                self._after = None
                screening.begin_anew(self)
                return
            self._after = after

        # Sealed: from here on the text leaves this process only as ciphertext.
        self._sealed = self._cipher.seal(self._role, self.id, pack_body(self.body), node.nonce())

        # Stored: blindly if it may come after anything, else only after what it was judged by.
        self.on_condition = after is not None
        screening.sent(self)
        if self.again or after is not None:
            command = channel.writer.post_if(
                self.id, self.sender.encode(), self._sealed, after, again=self.again,
                masked=self.verdict is not None and self.verdict.trace.masked,
                quick=self.body.kind == "quick", found=self._classes(),
            )  # fmt: skip
            node.store.pipe.send(command, self.stored_on_condition, firm=True)
        else:
            command = channel.writer.post(self.id, self.sender.encode(), self._sealed)
            node.store.pipe.send(command, self.stored, LogWriter.SKIP, firm=True)

    def _look_up(self) -> None:
        """Answer with what an earlier try has stored."""
        question = self.channel.writer.post_if(
            self.id, self.sender.encode(), b"", _NEVER, again=True
        )
        self.node.store.pipe.send(question, self._looked_up, firm=True)

    def _looked_up(self, reply: Any) -> None:
        if not isinstance(reply, list):
            self._unsure()
        elif not self.channel.lease.holds():
            self.channel.lease.hold_reply(self._looked_up, reply)
        elif len(reply) > 1:
            if self._opens(reply[3]):
                self._accept(reply[1], 0)
        elif reply[0] == b"moved":
            # The store has lost it since.
            self._screening.begin_anew(self)
        elif reply[0] in _STOPS:
            self._refuse(_STOPS[reply[0]])  # an earlier try that comes later counts no more
        else:
            self.find_out_why()

    def stored(self, reply: Any) -> None:
        """Take the store's answer to a blind try: `[entry id or None, n, [deadline, bars]]`."""
        if not isinstance(reply, list):
            self._failed(reply)
        elif not self.channel.lease.holds():
            self.channel.lease.hold_reply(self.stored, reply)
        else:
            entry_id, n, (deadline, bars) = reply
            if isinstance(entry_id, bytes) and deadline and time_ms(entry_id) < int(deadline):
                self._screening.stored(self, entry_id, n)
                self.channel.learn_bars(bars or b"")
                self._accept(entry_id, n)
            elif isinstance(entry_id, hiredis.ReplyError):
                self._not_stored(RefusedCode.STORE_AWAY)
            else:
                self._screening.lost(self)
                self.find_out_why()

    def stored_on_condition(self, reply: Any) -> None:
        """Take the store's answer to a post under conditions; see scripts/post.lua."""
        try:
            self._take_answer(reply)
        finally:
            self._screening.let_follow(self.sender)

    def _take_answer(self, reply: Any) -> None:
        if not isinstance(reply, list):
            self._failed(reply)
        elif not self.channel.lease.holds():
            self.channel.lease.hold_reply(self.stored_on_condition, reply)
        elif len(reply) > 1:
            _, entry_id, n, held = reply
            if held and not self._opens(held):
                self._screening.lost(self, maybe_stored=True)
                return
            self._screening.stored(self, entry_id, n)
            if held:
                self.verdict = None  # of a text that nobody gets
            self._accept(entry_id, n)
        else:
            self._screening.lost(self)
            if reply[0] == b"moved":
                self._screening.judge_again(self)
            elif reply[0] in _STOPS:
                self._refuse(_STOPS[reply[0]])  # an earlier try that comes later counts no more
            else:
                self.find_out_why()

    def _opens(self, held: bytes) -> bool:
        """Take what was stored by an earlier try: that is what counts, whatever this one said."""
        try:
            self.body = unpack_body(self._cipher.open(self._role, self.id, held))
        except UNREADABLE:
            self._unsure()
            return False
        return True

    def _accept(self, entry_id: bytes, n: int) -> None:
        """Acknowledge to the sender and deliver to the peer."""
        node, channel, role, body = self.node, self.channel, self._role, self.body
        entry = channel.entry_of(entry_id, role.letter, self.id, body, node.tags)
        stopped = channel.bars.stops(role.letter, entry.at_ms, body.kind)
        if stopped:
            # It lies in the log, and is shown to nobody: the bar was there before it.
            self._refuse(_STOPPED[stopped])
            if channel.epoch == self._epoch and n:
                deliver(node, channel, entry, n, self._connection)
            return
        node.counts.accepted += 1
        self._answer(self._accepted(entry))
        if channel.epoch != self._epoch or n == 0:
            return
        # What the sender was served up to here, if that is all; else who is told reads the log.
        before = self._connection.landmark if self._connection.n == n - 1 else NOWHERE
        deliver(node, channel, entry, n, self._connection)
        peer_node = channel.locations.get(role.peer)
        if peer_node is not None and role.peer not in channel.connections:
            news = [self._epoch, n, entry_id, role.letter, self.id, self._sealed, before]
            node.mail(peer_node, ["posted", channel.trip, *news])

    def _accepted(self, entry: Entry) -> Accepted:
        tag = entry.tag_in(self._connection.locale)
        accepted = Accepted(self.id, entry.pos, entry.at_ms, tag)
        if self.verdict is not None and self.verdict.findings:
            accepted.findings = self._findings()
        if self.body.text != self._posted.text:
            accepted.text = self.body.text
        return accepted

    def ask_for_turn(self) -> None:
        """Have the peer's node let this one go first, which has lost a race against it."""
        peer_node = self.channel.locations.get(self._role.peer)
        if peer_node is not None:
            self.node.mail(peer_node, ["turn", self.channel.trip, self._epoch])

    def find_out_why(self) -> None:
        """The log is out of reach: the channel closed, or this party talks to another one now.

        A log that is gone stays gone, so one look serves every post that comes to this meanwhile.
        """
        waiting = self.channel.without_log
        waiting.append(self)
        if len(waiting) == 1:
            self.node.spawn(_explain_to(self.node, self.channel, waiting))

    def explain(self, channel_seen: bool) -> None:
        """Refuse, now that the channel has been looked at, or that it could not be."""
        if not channel_seen:
            self.refuse(RefusedCode.STORE_AWAY)
            return
        moved = self.channel.epoch != self._epoch and not self._connection.closed
        self.refuse(RefusedCode.REASSIGNED if moved else RefusedCode.CLOSED)

    def _failed(self, reply: Any) -> None:
        if lacks_script(reply):
            self.node.spawn(self.node.store.load_scripts())
        if isinstance(reply, (NotSent, hiredis.ReplyError)):
            # Never left this node, or the store answered the whole transaction with an error.
            self._not_stored(RefusedCode.STORE_AWAY)
        else:
            self._screening.lost(self, maybe_stored=True)
            self._unsure()

    def _not_stored(self, code: RefusedCode) -> None:
        self._screening.lost(self)
        self.refuse(code)

    def _classes(self) -> Sequence[str]:
        """What was found in it, for the operators."""
        if self.verdict is None or not self.verdict.findings:
            return ()
        return sorted({finding.finding_class for finding in self.verdict.findings})

    def _findings(self) -> list[Found]:
        assert self.verdict is not None
        found = []
        for finding in self.verdict.findings:
            self.node.counts.findings[finding.finding_class, self.verdict.action] += 1
            found.append(Found(finding.finding_class, finding.rule, finding.length))
        return found

    def refuse(self, code: RefusedCode) -> None:
        """Answer that the post was not stored."""
        if self.again:
            # This try stored nothing, but an earlier one may have.
            self._unsure()
            return
        self._refuse(code)

    def give_up(self) -> None:
        """Answer that it may be stored, if it has no answer: something on its way has failed."""
        if self.frame is None:
            self._unsure()

    def _refuse(self, code: RefusedCode) -> None:
        self.node.counts.refused[code] += 1
        refused = Refused(self.id, code, _EXPLAINED[code], _RETRY_MS if code in _RETRIED else 0)
        if code is RefusedCode.BLOCKED:
            refused.findings = self._findings()
            self.node.store.found_soon(
                self.channel.trip, self._role, epoch=self._epoch, classes=self._classes()
            )
        self._answer(refused)

    def _unsure(self) -> None:
        self.node.counts.unsure += 1
        self._answer(Unsure(self.id, _RETRY_MS))

    def _answer(self, frame: Frame) -> None:
        self.frame = frame
        self._connection.settle()


async def _explain_to(node: Node, channel: Channel, waiting: list[Pending]) -> None:
    channel_seen = False
    try:
        await look_at(node, channel)
        channel_seen = True
    except StoreError:
        pass
    finally:
        told = waiting.copy()
        waiting.clear()
        for post in told:
            post.explain(channel_seen)
