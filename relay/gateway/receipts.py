"""How far each party is: noted at once, told to the store a moment later, and then to the peer.

Receipts are cumulative, so those of a busy channel are joined: one for a short while's messages.
An app may name what a failover has lost. Only the store knows what its log holds, so the peer is
told what the store has noted (`scripts/receipt.lua`), and nothing before that.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from ..core.codes import ErrorCode
from ..core.frames import Got, PeerGot, PeerSeen, Seen
from ..core.ids import Role
from ..store.endpoint import StoreError
from ..store.pipe import lacks_script
from ..store.records import position
from .channel import Channel
from .connection import Connection
from .node import Node

_DELAY_S: Final = 0.05


def note(node: Node, connection: Connection, frame: Got | Seen, *, seen: bool) -> None:
    """Take `got` or `seen` from an app."""
    channel, role, pos = connection.channel, connection.role, frame.pos
    assert channel is not None and role is not None
    if frame.epoch and frame.epoch != channel.epoch:
        return  # of the log before this one
    if pos > position(connection.head):
        connection.complain(ErrorCode.BAD_FIELD, "There is no message at that `pos` yet.")
        return
    if pos > channel.got.get(role, ""):
        channel.got[role] = pos
    if seen and pos > channel.seen.get(role, ""):
        channel.seen[role] = pos
    node.counts.receipts += 1
    _flush_soon(node, channel, role)


def _flush_soon(node: Node, channel: Channel, role: Role) -> None:
    if not node.receipts:
        node.loop.call_later(_DELAY_S, flush, node)
    node.receipts.add((channel, role))


def flush(node: Node) -> None:
    """Tell the store of every receipt that has come since the last time."""
    for channel, role in node.receipts.copy():
        flush_one(node, channel, role)
    if node.receipts:
        node.loop.call_later(_DELAY_S, flush, node)


def flush_one(node: Node, channel: Channel, role: Role) -> None:
    """Tell the store how far a party is, unless that has to wait for the next `flush`."""
    if channel.lease.holds():
        tell_store(node, channel, role)


def tell_store(node: Node, channel: Channel, role: Role) -> None:
    """Tell the store how far a party is, if it has not been told, and if its log is known to be the
    one that the party speaks of: it holds all that was served."""
    if (channel, role) in node.receipts:
        node.receipts.discard((channel, role))
        got, seen = channel.got.get(role, ""), channel.seen.get(role, "")
        node.store.pipe.send(
            channel.writer.receipt(role.letter, got, seen),
            partial(_noted, node, channel, role, channel.epoch, (got, seen)),
        )


def _noted(
    node: Node, channel: Channel, role: Role, epoch: int, said: tuple[str, str], reply: Any
) -> None:
    if channel.epoch != epoch:
        return
    if lacks_script(reply):
        node.spawn(node.store.load_scripts())
    if isinstance(reply, StoreError) or lacks_script(reply):
        _flush_soon(node, channel, role)
    elif not isinstance(reply, list):
        return  # the store refuses to note anything; the next receipt stands for this one too
    elif not channel.lease.holds():
        channel.lease.hold_reply(partial(_noted, node, channel, role, epoch, said), reply)
    elif reply:
        got, seen = (pos.decode() for pos in reply)
        if (channel.got.get(role, ""), channel.seen.get(role, "")) == said:
            # What was said of a place that is lost must not hide what is said of smaller ones.
            channel.got[role], channel.seen[role] = got, seen
        tell_receipt(node, channel, role, got, seen)


def tell_receipt(node: Node, channel: Channel, role: Role, got: str, seen: str) -> None:
    """Tell the peer of `role`, here or at its node, how far that party is, where that is news."""
    before_got, before_seen = channel.told.get(role, ("", ""))
    if got <= before_got and seen <= before_seen:
        return
    channel.told[role] = max(got, before_got), max(seen, before_seen)
    channel.got[role] = max(got, channel.got.get(role, ""))
    peer, location = channel.connections.get(role.peer), channel.locations.get(role.peer)
    if peer is not None:
        if got > before_got:
            peer.send(PeerGot(got))
        if seen > before_seen:
            peer.send(PeerSeen(seen))
    elif location is not None:
        node.mail(location, ["receipt", channel.trip, channel.epoch, role.letter, got, seen])
