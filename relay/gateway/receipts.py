"""How far each party is: noted at once, told to the peer and the store a moment later.

Receipts are cumulative, so those of a busy channel are joined: one for a short while's messages.
"""

from __future__ import annotations

from typing import Final

from ..core.codes import ErrorCode
from ..core.frames import Got, Seen
from ..core.ids import Role
from ..store.store import position
from .channel import Channel
from .connection import Connection
from .events import tell_receipt
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
    if not node.receipts:
        node.loop.call_later(_DELAY_S, flush, node)
    node.receipts.add((channel, role))


def flush(node: Node) -> None:
    """Tell peers and the store of every receipt that has come since the last time."""
    waiting = node.receipts.copy()
    node.receipts.clear()
    for channel, role in waiting:
        flush_one(node, channel, role)


def flush_one(node: Node, channel: Channel, role: Role) -> None:
    """Tell the peer and the store how far a party is."""
    node.receipts.discard((channel, role))
    if not node.may_deliver():
        return  # the apps say it again when they resume
    got, seen = channel.got.get(role, ""), channel.seen.get(role, "")
    location = channel.locations.get(role.peer)
    tell_receipt(channel, role, got, seen)
    if location is not None and role.peer not in channel.connections:
        node.mail(location, ["receipt", channel.trip, channel.epoch, role.letter, got, seen])
    node.store.receipt_soon(channel.trip, role, epoch=channel.epoch, got=got, seen=seen)
