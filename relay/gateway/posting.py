"""The way of a message: checked, sealed, stored, acknowledged, delivered.

What happens to a message is here, top-down. The store's answer is the only acceptance: before it
nothing has happened, and whoever waits for it when the connection to the store ends is `unsure`.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import hiredis
import structlog

from ..core.body import Body, pack_body, problem_with, unpack_body
from ..core.codes import RefusedCode
from ..core.frames import Accepted, Frame, Post, Refused, Unsure
from ..core.ids import Role
from ..store.endpoint import NotSent, StoreError
from ..store.store import LogWriter, position, time_ms
from .channel import UNREADABLE, Channel, Entry
from .connection import Connection
from .delivery import deliver
from .events import look_at
from .node import Node

log = structlog.get_logger(__name__)

_RETRY_MS: Final = 500

_EXPLAINED: Final = {
    RefusedCode.MALFORMED: "The message is empty, incomplete or holds control characters.",
    RefusedCode.TOO_LONG: "The message is longer than `limits.text_bytes`.",
    RefusedCode.UNSUPPORTED_KIND: "The relay does not carry this kind of message.",
    RefusedCode.TOO_MANY: "Too many messages in a short time; wait a moment.",
    RefusedCode.IN_FLIGHT: "Too many messages are waiting for an answer.",
    RefusedCode.CHANNEL_FULL: "This channel has reached its number of messages.",
    RefusedCode.STORE_AWAY: "The message was not stored because the store is away; try again.",
    RefusedCode.KEY_AWAY: "The message was not stored because it cannot be encrypted; try again.",
    RefusedCode.CLOSED: "The channel is closed.",
    RefusedCode.REASSIGNED: "Another party is on this trip now; the message was not sent to it.",
}


def post(node: Node, connection: Connection, frame: Post) -> None:
    """Take a post from an attached app."""
    channel, role = connection.channel, connection.role
    assert channel is not None and role is not None

    # Checked: the frame is well formed by its type; is it a message, and is it this party's turn?
    kind = frame.kind or "text"
    refusal = problem_with(kind, frame.text, frame.lat, frame.lon, node.limits.text_bytes)
    retry_ms = 0
    if refusal is None and (frame.epoch or 1) != channel.epoch:
        # It was written for the party that sat opposite then; without an epoch nobody can tell.
        refusal = RefusedCode.REASSIGNED
    if refusal is None and (wait_s := node.buckets[channel.trip, role].take(connection.heard_s)):
        refusal, retry_ms = RefusedCode.TOO_MANY, int(wait_s * 1000) + 1
    if refusal is None and not (node.keys_present and channel.key_present):
        refusal, retry_ms = RefusedCode.KEY_AWAY, _RETRY_MS
    if refusal is None and len(connection.answers) >= node.limits.in_flight:
        refusal, retry_ms = RefusedCode.IN_FLIGHT, 100
    is_full = max(connection.n, connection.known_n) > node.limits.channel_messages
    if refusal is None and is_full and not frame.again:
        refusal = RefusedCode.CHANNEL_FULL
    if refusal is not None:
        node.counts.refused[refusal] += 1
        connection.refuse_at_once(frame.id, refusal, _EXPLAINED[refusal], retry_ms)
        return

    # Sealed: from here on the text leaves this process only as ciphertext.
    packed = pack_body(kind, frame.text or "", frame.lat, frame.lon)
    sealed = channel.cipher.seal(role, frame.id, packed, node.nonce())
    letter = role.letter

    # Stored: a first try blindly, a repeated one only if the log lacks it.
    pending = Pending(node, connection, channel, role, frame, unpack_body(packed), sealed)
    connection.answers.append(pending)
    if frame.again:
        node.store.post_soon(
            channel.trip, epoch=channel.epoch, sender=letter, post_id=frame.id, sealed=sealed,
            callback=pending.found_or_stored,
        )  # fmt: skip
    else:
        command = channel.writer.command(frame.id, letter.encode(), sealed)
        node.store.pipe.send(command, pending.stored, LogWriter.SKIP)


class Pending:
    """A post that the store has been asked to take, and its place in the line of answers."""

    __slots__ = (
        "_again", "_body", "_channel", "_cipher", "_connection", "_epoch", "_node", "_role",
        "_sealed", "frame", "id",
    )  # fmt: skip

    def __init__(
        self,
        node: Node,
        connection: Connection,
        channel: Channel,
        role: Role,
        post: Post,
        body: Body,
        sealed: bytes,
    ) -> None:
        self._node = node
        self._connection = connection
        self._channel = channel
        self._epoch = channel.epoch
        self._cipher = channel.cipher
        self._role = role
        self._body = body
        self._sealed = sealed
        self._again = bool(post.again)
        self.id = post.id
        self.frame: Frame | None = None

    def stored(self, reply: Any) -> None:
        """Take the store's answer to a first try: `[entry id or None, n, deadline]`."""
        if not isinstance(reply, list):
            self._failed(reply)
        elif not self._node.may_deliver():
            self._node.hold(partial(self.stored, reply))
        else:
            entry_id, n, deadline = reply
            if isinstance(entry_id, bytes) and deadline and time_ms(entry_id) < int(deadline):
                self._accept(entry_id, n)
            elif isinstance(entry_id, hiredis.ReplyError):
                self._refuse(RefusedCode.STORE_AWAY, _RETRY_MS)
            else:
                self._find_out_why()

    def found_or_stored(self, reply: Any) -> None:
        """Take the store's answer to a repeated try; see scripts/post.lua."""
        if not isinstance(reply, list):
            self._failed(reply)
        elif not self._node.may_deliver():
            self._node.hold(partial(self.found_or_stored, reply))
        elif len(reply) > 1:
            _, entry_id, n, held = reply
            if held:
                # What was stored then is what counts, whatever this try said.
                try:
                    self._body = unpack_body(self._cipher.open(self._role, self.id, held))
                except UNREADABLE:
                    self._unsure()
                    return
            self._accept(entry_id, n)
        else:
            self._find_out_why()

    def _accept(self, entry_id: bytes, n: int) -> None:
        """Acknowledge to the sender and deliver to the peer."""
        node, channel, role, body = self._node, self._channel, self._role, self._body
        node.counts.accepted += 1
        pos = position(entry_id)
        tag = node.tags.sign(channel.place, pos, self.id, role, body.text)
        self._answer(Accepted(self.id, pos, time_ms(entry_id), tag))
        if channel.epoch != self._epoch or n == 0:
            return
        entry = Entry(entry_id, role.letter, self.id, body, tag)
        deliver(node, channel, entry, n, self._connection)
        peer_node = channel.locations.get(role.peer)
        if peer_node is not None and role.peer not in channel.connections:
            news = [self._epoch, n, entry_id, role.letter, self.id, self._sealed]
            node.mail(peer_node, ["post", channel.trip, *news])

    def _find_out_why(self) -> None:
        """The log is out of reach: the channel closed, or this party talks to another one now.

        A log that is gone stays gone, so one look serves every post that comes to this meanwhile.
        """
        waiting = self._channel.without_log
        waiting.append(self)
        if len(waiting) == 1:
            self._node.spawn(_explain_to(self._node, self._channel, waiting))

    def explain(self, channel_seen: bool) -> None:
        """Refuse, now that the channel has been looked at, or that it could not be."""
        if not channel_seen:
            self._refuse(RefusedCode.STORE_AWAY, _RETRY_MS)
            return
        moved = self._channel.epoch != self._epoch and not self._connection.closed
        self._refuse(RefusedCode.REASSIGNED if moved else RefusedCode.CLOSED)

    def _failed(self, reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError) and str(reply).startswith("NOSCRIPT"):
            self._node.spawn(self._node.store.load_scripts())
        if isinstance(reply, (NotSent, hiredis.ReplyError)):
            # Never left this node, or the store answered the whole transaction with an error.
            self._refuse(RefusedCode.STORE_AWAY, _RETRY_MS)
        else:
            self._unsure()

    def _refuse(self, code: RefusedCode, retry_after_ms: int = 0) -> None:
        if self._again:
            # This try stored nothing, but an earlier one may have.
            self._unsure()
            return
        self._node.counts.refused[code] += 1
        self._answer(Refused(self.id, code, _EXPLAINED[code], retry_after_ms))

    def _unsure(self) -> None:
        self._node.counts.unsure += 1
        self._answer(Unsure(self.id, _RETRY_MS))

    def _answer(self, frame: Frame) -> None:
        self.frame = frame
        self._connection.settle()


async def _explain_to(node: Node, channel: Channel, waiting: list[Pending]) -> None:
    try:
        await look_at(node, channel)
        channel_seen = True
    except StoreError:
        channel_seen = False
    told = waiting.copy()
    waiting.clear()
    for post in told:
        post.explain(channel_seen)
