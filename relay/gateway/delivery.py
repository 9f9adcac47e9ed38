"""Messages to the apps attached here, in the order of the log and without a gap.

Whoever has news gives it to `deliver`. Where a number is missing the log itself is read: one way
serves the replay after an attach, a hint that was lost, and a node that was away. It reads what
follows the last entry served, in pages that fit an app's reading speed, until nothing is missing.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final, Literal

import structlog

from ..core.codes import CloseCode
from ..core.frames import Replayed, StateChanged
from ..store.endpoint import StoreError
from ..store.records import Landmark, time_ms
from .channel import Channel
from .connection import Connection
from .entry import UNREADABLE, Entry
from .node import Node

log = structlog.get_logger(__name__)

_PAGE: Final = 128
#: What comes with the seat itself: few have missed more.
FIRST_PAGE: Final = 32
_TOLD: Final[dict[str, Literal["grace", "suspended"]]] = {
    "grace": "grace",
    "suspended": "suspended",
}


def deliver(
    node: Node,
    channel: Channel,
    entry: Entry,
    n: int,
    origin: Connection | None = None,
    before: Landmark | None = None,
) -> None:
    """Give entry number `n` of the log to whoever is attached here, in order.

    `origin` is the connection that posted it: it has its acknowledgement instead. `before` is the
    entry before it where another node tells of it: that may have another store by now, whose log is
    as long and not the same.
    """
    if origin is None:
        channel.screening.learn(entry, n, before)
    for connection in tuple(channel.connections.values()):
        is_other = before is not None and n == connection.n + 1 and before != connection.landmark
        if connection.catching_up or n > connection.n + 1 or is_other:
            if connection is origin:
                connection.acknowledged.add(entry.id)
            connection.known_n = max(connection.known_n, n)
            if not connection.catching_up:
                node.counts.gaps += 1
                catch_up(node, channel, connection)
        elif n == connection.n + 1:
            connection.n = n
            connection.head, connection.head_post = entry.id, entry.post_id
            if connection is not origin:
                hand_over(node, connection, entry)
        elif _order(entry.id) > _order(connection.head):
            node.spawn(_resume_if_open(node, channel, channel.epoch, connection))


def change_state(channel: Channel, state: str, deadline: int) -> None:
    """Tell both parties of a grace, of another deadline, or that nothing comes through now."""
    if (state, deadline) != (channel.state, channel.deadline):
        channel.state, channel.deadline = state, deadline
        for connection in channel.connections.values():
            connection.send(StateChanged(_TOLD.get(state, "open"), deadline))


def hand_over(node: Node, connection: Connection, entry: Entry) -> None:
    """Send an entry to a connection, if it is meant for its party and was not refused."""
    role, channel = connection.role, connection.channel
    assert role is not None and channel is not None
    refused = channel.bars.stops(entry.sender, entry.at_ms, entry.body.kind)
    if entry.addressed_to(role) and not refused:
        node.counts.delivered += 1
        connection.send(entry.frame_for(role, connection.locale))


def catch_up(node: Node, channel: Channel, connection: Connection) -> None:
    """Serve what follows the last entry that the connection was served."""
    connection.catching_up = True
    _read(node, channel, connection, connection.head)


def replay(
    node: Node, channel: Channel, connection: Connection, after: str, page: list[Any]
) -> None:
    """Serve what an attaching app has missed, after `after` if given, and say `replayed`. `page` is
    as `read_log` gives up to `FIRST_PAGE` of it."""
    connection.catching_up = True
    connection.replayed = False
    _take_page(node, channel, connection, channel.epoch, after, FIRST_PAGE, page)


def _read(node: Node, channel: Channel, connection: Connection, after: bytes | str) -> None:
    node.store.read_log(
        channel.trip, channel.epoch, after, _PAGE,
        partial(_take_page, node, channel, connection, channel.epoch, after, _PAGE),
    )  # fmt: skip


def _take_page(
    node: Node,
    channel: Channel,
    connection: Connection,
    epoch: int,
    after: bytes | str,
    asked: int,
    reply: Any,
) -> None:
    if connection.closed or connection.channel is not channel or channel.epoch != epoch:
        return
    if not channel.lease.holds():
        channel.lease.hold_reply(
            partial(_take_page, node, channel, connection, epoch, after, asked), reply
        )
        return
    if not isinstance(reply, list) or not isinstance(reply[0], list):
        # The store is away. The app resumes where it was when it is back.
        node.close(connection, CloseCode.STORE_AWAY, retry_after_ms=1000)
        return
    page, (deadline, bars) = reply
    # As of the moment when the page was read: of what it holds nothing shows that was refused. What
    # this node has heard of the deadline may be older.
    channel.learn_bars(bars or b"")
    last = after
    for entry_id, fields in page:
        if connection.choked:
            # The rest of the page is read again when the app has room for it.
            connection.resume_from = last
            return
        last = entry_id
        post_id, sender, sealed = fields[1].decode(), fields[2].decode(), fields[3]
        if _order(entry_id) > _order(connection.head):
            connection.n += 1
            connection.head, connection.head_post = entry_id, post_id
        if sender == "o" or entry_id in connection.acknowledged:
            continue
        if not deadline or time_ms(entry_id) >= int(deadline):
            continue  # stored in the moment before the close, and refused
        try:
            entry = channel.entry(entry_id, sender, post_id, sealed, node.tags)
        except UNREADABLE:
            log.error("an entry of a log cannot be read")
            continue
        hand_over(node, connection, entry)
    if len(page) == asked:
        _read(node, channel, connection, last)
        return
    if not page and connection.known_n > connection.n:
        node.spawn(_resume_if_open(node, channel, channel.epoch, connection))
        return
    _finish(node, channel, connection)


async def _resume_if_open(node: Node, channel: Channel, epoch: int, connection: Connection) -> None:
    """The log of `epoch` is shorter than what was served from it: the store has lost entries, or
    the channel closes or is reassigned, of which this node may have heard since.

    In the first case the app resumes, and both apps post again what the log lacks.
    """
    try:
        glance = await node.store.glance(channel.trip, epoch)
        has_lost = glance.state in ("open", "grace") and glance.epoch == epoch
    except StoreError:
        has_lost = True
    if has_lost and channel.epoch == epoch:
        log.warning("log_shortened")
        node.close(connection, CloseCode.STORE_AWAY, retry_after_ms=100)


def go_on(node: Node, connection: Connection) -> None:
    """Read on for an app that has room again."""
    channel, last = connection.channel, connection.resume_from
    connection.resume_from = None
    if channel is not None and last is not None:
        _read(node, channel, connection, last)


def _finish(node: Node, channel: Channel, connection: Connection) -> None:
    if connection.known_n > connection.n:
        _read(node, channel, connection, connection.head)
        return
    connection.catching_up = False
    connection.acknowledged.clear()
    if not connection.replayed:
        connection.replayed = True
        connection.send(Replayed())


def _order(entry_id: bytes) -> tuple[int, int]:
    ms, _, seq = entry_id.partition(b"-")
    return int(ms), int(seq)
