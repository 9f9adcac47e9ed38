"""What happens to a channel elsewhere: closed, reassigned, served by another node too.

News comes by two ways that do the same: the store's pub/sub, fast and unreliable, and `look_at`,
which asks the store itself. Each step may be done twice.

At an end a party is told what of its messages has not arrived. The store can list only what its log
holds, and after a failover that may be less than the app knows to be accepted. So this is told only
over a connection whose log was seen to be whole, over the `line` to the store that told of the end.
Any other app is sent away to attach again: then it names what it holds for accepted, and the store
says which of that has not arrived (`not_arrived` in the scripts).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import msgspec
import structlog

from ..core.codes import CloseCode, CloseReason
from ..core.frames import (
    Closed,
    PeerTyping,
    Presence,
    Reassigned,
)
from ..core.ids import Role
from ..store.endpoint import Damaged, StoreError
from ..store.pipe import Line
from ..store.records import ROLE_OF, Glance, Landmark, Seat, pairs
from .channel import Channel
from .connection import Connection
from .delivery import catch_up, change_state, deliver
from .entry import UNREADABLE
from .node import Node
from .receipts import flush_one, tell_receipt, tell_store

log = structlog.get_logger(__name__)

#: For how long the parties of a channel that may be over stay while the store is asked.
_LOOK_S: Final = 0.5
#: After its time a channel is closed sooner than this, or its parties are cut off.
_OVERDUE_MS: Final = 1000

#: Per role, (id, position) of what its peer's device had not confirmed, as the store knew.
Undelivered = dict[Role, list[tuple[str, str]]]


class Doubt(NamedTuple):
    """Connections that were served over an earlier connection to the store than `line`, each with
    the last entry that it was served: the store may have lost the end of the log since, and have
    another message at that place."""

    line: Line | None
    served: dict[Connection, Landmark]


# --- what became of a channel ---------------------------------------------------------------------


def close_channel(
    node: Node, channel: Channel, line: Line | None, reason: str, undelivered: Undelivered
) -> None:
    """Tell both parties that it is over and cut them off. `line` is None if `undelivered` is not of
    this pairing."""
    node.channels.pop(channel.trip, None)
    for role, connection in tuple(channel.connections.items()):
        if _is_whole(connection, line):
            lost = _never_arrived(channel, role, line, undelivered)
            connection.send(Closed(reason, lost))
            node.close(connection, CloseCode.CHANNEL_CLOSED)
        else:
            _ask_back(node, connection)
        node.paces.forget(channel.trip, role)
    channel.connections.clear()


def bar(
    node: Node,
    channel: Channel,
    line: Line | None,
    bars: bytes,
    undelivered: Undelivered,
    now_ms: int,
) -> None:
    """Note who is stopped from what; who is barred altogether sees a closed channel."""
    channel.learn_bars(bars)
    for role, connection in tuple(channel.connections.items()):
        if channel.bars.shuts_out(role.letter, now_ms):
            if _is_whole(connection, line):
                lost = _never_arrived(channel, role, line, undelivered)
                connection.send(Closed(CloseReason.CLOSED, lost))
            else:
                _ask_back(node, connection)
            leave(node, channel, connection, CloseCode.CHANNEL_CLOSED)
            set_online(channel, role, False, None)


def reassign_channel(
    node: Node,
    channel: Channel,
    line: Line | None,
    epoch: int,
    stays: Connection | None,
    alias: str,
    undelivered: Undelivered,
) -> None:
    """Cut off the party that left and turn the one that stays to the new log. `line` as above."""
    here = tuple(channel.connections.items())
    lost = {role: _never_arrived(channel, role, line, undelivered) for role, _ in here}
    for role, connection in here:
        if not _is_whole(connection, line):
            _ask_back(node, connection)
        elif connection is stays:
            connection.send(Reassigned(epoch, alias, lost[role]))
        else:
            connection.send(Closed(CloseReason.REASSIGNED, lost[role]))
            node.close(connection, CloseCode.REASSIGNED)
        if connection is not stays:
            del channel.connections[role]
            node.paces.forget(channel.trip, role)
        channel.locations.pop(role.peer if connection is stays else role, None)
        channel.online.pop(role.peer if connection is stays else role, None)
    channel.begin_epoch(epoch)
    if stays is None:
        node.channels.pop(channel.trip, None)
    else:
        stays.n, stays.known_n, stays.resume_from = 0, 0, None
        stays.head, stays.head_post = b"0-0", ""
        stays.acknowledged.clear()
        catch_up(node, channel, stays)


def set_online(channel: Channel, role: Role, online: bool, location: str | None) -> None:
    """Note where a party is attached, if not here, and tell its peer when that is news."""
    if location is None:
        channel.locations.pop(role, None)
    else:
        channel.locations[role] = location
    if channel.online.get(role, False) is not online:
        channel.online[role] = online
        peer = channel.connections.get(role.peer)
        if peer is not None:
            peer.send(Presence(online))


def _is_whole(connection: Connection, line: Line | None) -> bool:
    """Whether what was told over `line` is of a log that has all that this app was served. Between
    two stores a connection has none."""
    return line is not None and connection.line is line


def _ask_back(node: Node, connection: Connection) -> None:
    """Have an app attach again, so that it is told the rest then."""
    node.close(connection, CloseCode.STORE_AWAY, retry_after_ms=100)


def _never_arrived(
    channel: Channel, role: Role, line: Line | None, undelivered: Undelivered
) -> list[str]:
    # This node may have heard of receipts that the store has not been told yet. One from before a
    # failover may be of a place that is lost.
    peer = channel.connections.get(role.peer)
    got = channel.got.get(role.peer, "") if peer is None or peer.line is line else ""
    return [post_id for post_id, pos in undelivered.get(role, ()) if pos > got]


# --- asking the store -----------------------------------------------------------------------------


async def look_at(node: Node, channel: Channel) -> None:
    """Bring a channel to the store's state. Raises `StoreError`, having changed nothing.

    The answer is acted on as it comes: a step later, an attach may have been seated that it has not
    seen.
    """
    await look_at_all(node, (channel,))


async def look_at_all(node: Node, channels: Sequence[Channel]) -> None:
    """`look_at` many at once. Raises `StoreError` if any could not be looked at: `Damaged` if that
    is all. Whose record is damaged is cut off, or nothing would be delivered to all others."""
    if not channels:
        return
    done: asyncio.Future[None] = node.loop.create_future()
    waiting = len(channels)
    failed: StoreError | None = None

    def take(channel: Channel, epoch: int, doubt: Doubt, found: Glance | StoreError) -> None:
        nonlocal waiting, failed
        waiting -= 1
        try:
            if isinstance(found, Damaged):
                failed = failed or found
                for connection in tuple(channel.connections.values()):
                    leave(node, channel, connection, CloseCode.STORE_AWAY, retry_after_ms=1000)
            elif isinstance(found, StoreError):
                failed = found
            else:
                conform(node, channel, epoch, doubt, found)
        finally:
            if waiting == 0 and not done.done():
                done.set_result(None)

    for channel in channels:
        line = channel.lease.line
        served = {c: c.landmark for c in channel.connections.values() if c.line is not line}
        node.store.glance_soon(
            channel.trip, channel.epoch,
            partial(take, channel, channel.epoch, Doubt(line, served)), served.values(),
        )  # fmt: skip
    await done
    if failed is not None:
        raise failed


def conform(node: Node, channel: Channel, epoch: int, doubt: Doubt, glance: Glance) -> None:
    """Make a channel what the store says it is, as asked while it was in `epoch`."""
    if node.channels.get(channel.trip) is not channel or channel.epoch != epoch:
        return
    if glance.state is None:
        # What was not said to this store again has not ended: it took over from one that had more.
        # The platform opens it again, and the apps lose nothing until then.
        for connection in tuple(channel.connections.values()):
            leave(node, channel, connection, CloseCode.BAD_TOKEN)
        return
    if glance.state == "closed":
        # What is listed is of the trip's last pairing.
        line = doubt.line if glance.epoch == epoch else None
        close_channel(node, channel, line, glance.reason, glance.undelivered)
        return
    if glance.epoch != epoch:
        stays = None
        for role, connection in channel.connections.items():
            if glance.seats[role] == Seat(node.id, connection.id):
                stays = connection
        alias = glance.aliases[stays.role.peer] if stays and stays.role else ""
        # What is listed is of the pairing before the last one.
        line = doubt.line if glance.epoch == epoch + 1 else None
        reassign_channel(node, channel, line, glance.epoch, stays, alias, glance.undelivered)
        return
    if glance.deadline + _OVERDUE_MS < glance.at:
        # Its time was over while the store was away, and nobody has closed it yet. Nothing more is
        # shown, and who comes back is told what arrived.
        _part_from_lost_log(node, channel, doubt, glance.lost)
        for connection in tuple(channel.connections.values()):
            leave(node, channel, connection, CloseCode.STORE_AWAY, retry_after_ms=500)
        return
    change_state(channel, glance.state, glance.deadline)
    channel.screening.follow(glance.rules)
    bar(node, channel, doubt.line, glance.bars, glance.undelivered, glance.at)
    _part_from_lost_log(node, channel, doubt, glance.lost)
    for role in Role:
        seat = glance.seats[role]
        here = channel.connections.get(role)
        tell_receipt(node, channel, role, glance.got[role], glance.seen[role])
        if here is None:
            living = seat is not None and seat.node in node.living_nodes
            set_online(channel, role, living, seat.node if seat and living else None)
        elif seat != Seat(node.id, here.id):
            leave(node, channel, here, CloseCode.TAKEN_OVER)
        elif glance.n > max(here.n, here.known_n):
            node.counts.gaps += 1
            here.known_n = glance.n
            if not here.catching_up:
                catch_up(node, channel, here)


def _part_from_lost_log(
    node: Node, channel: Channel, doubt: Doubt, lost: frozenset[Landmark]
) -> None:
    """Cut off who was served what the log does not hold any more: both apps resume, and post again
    what it lacks. Of who stays, receipts need not wait any longer.

    Cut off is also who was being served: of that party's posts, such may be lost as come behind
    `head`.
    """
    for role, connection in channel.connections.items():
        if connection in doubt.served:
            if doubt.served[connection] in lost or connection.catching_up:
                log.warning("log_shortened")
                for said in (channel.got, channel.seen, channel.told):
                    said.pop(role, None)
                node.close(connection, CloseCode.STORE_AWAY, retry_after_ms=100)
                continue
            connection.line = doubt.line
        tell_store(node, channel, role)


def leave(
    node: Node,
    channel: Channel,
    connection: Connection,
    code: CloseCode,
    *,
    retry_after_ms: int = 0,
) -> None:
    """Cut off a connection that holds no seat any more."""
    if connection.role is not None and channel.connections.get(connection.role) is connection:
        flush_one(node, channel, connection.role)
        del channel.connections[connection.role]
        node.paces.leaves(channel.trip, connection.role, node.loop.time())
        if not channel.connections and node.channels.get(channel.trip) is channel:
            del node.channels[channel.trip]
    node.close(connection, code, retry_after_ms=retry_after_ms)


# --- hints from the store's pub/sub ---------------------------------------------------------------


def take_control(node: Node, payload: bytes) -> None:
    """What a script told every node about a channel."""
    news = msgspec.json.decode(payload)
    node.finality.hear(news, node.loop.time())
    op = news["op"]
    if op == "unstored":
        node.unstored.take(node, news["trip"], news["reason"], news["detail"])
        return
    if op == "closed":
        node.unstored.settle(news["trip"])
    node.arrivals.news_of(news["trip"])
    channel = node.channels.get(news["trip"])
    if channel is None:
        return
    line = channel.lease.line
    if op in ("closed", "reassigned", "bars"):
        # It may come from a server that took the place of the one behind `line`, or after news of
        # another pairing that did not get here. An older version of the relay does not name it.
        is_known = (
            channel.lease.holds()
            and news.get("pairing", channel.epoch) == channel.epoch
            and all(connection.line is line for connection in channel.connections.values())
        )
        if not is_known:
            node.spawn(_look_or_part(node, channel))
            return
        undelivered: Undelivered = {ROLE_OF[role]: pairs(news[role]) for role in "dc"}
    if op == "closed":
        close_channel(node, channel, line, news["reason"], undelivered)
    elif op == "reassigned" and news["epoch"] == channel.epoch + 1:
        stays = channel.connections.get(ROLE_OF[news["role"]].peer)
        reassign_channel(node, channel, line, news["epoch"], stays, news["alias"], undelivered)
        channel.learn_bars(news["bars"].encode())
    elif op == "state":
        change_state(channel, news["state"], news["deadline"])
    elif op == "bars":
        bar(node, channel, line, news["bars"].encode(), undelivered, node.now_ms())
    elif op == "rules":
        channel.screening.rules_changed()
    elif op == "revoked":
        connection = channel.connections.get(ROLE_OF[news["role"]])
        if connection is not None:
            leave(node, channel, connection, CloseCode.BAD_TOKEN)
    else:
        node.spawn(look_at(node, channel))


async def _look_or_part(node: Node, channel: Channel) -> None:
    """Look at a channel of which something final was heard; if that fails, cut off its parties.

    Also if it takes long: they are to be gone within a second of an end, and a connection to the
    store that hangs is given up only later.
    """
    try:
        async with asyncio.timeout(_LOOK_S):
            await look_at(node, channel)
    except (StoreError, TimeoutError):
        for connection in tuple(channel.connections.values()):
            node.close(connection, CloseCode.STORE_AWAY, retry_after_ms=1000)


def take_mail(node: Node, payload: bytes) -> None:
    """What other nodes told this one."""
    for what, trip, *rest in msgspec.msgpack.decode(payload):
        node.arrivals.news_of(trip)
        channel, take = node.channels.get(trip), _MAIL.get(what)
        if channel is not None and take is not None:
            take(node, channel, *rest)


def _mail_post(
    node: Node, channel: Channel, epoch: int, n: int, entry_id: bytes, letter: str, post_id: str,
    sealed: bytes, before: list[Any] | None = None,
) -> None:  # fmt: skip
    if epoch != channel.epoch:
        return
    if not channel.lease.holds():
        told = epoch, n, entry_id, letter, post_id, sealed, before
        channel.lease.hold_hint(partial(_held_post, node, channel), told)
        return
    try:
        entry = channel.entry(entry_id, letter, post_id, sealed, node.tags)
    except UNREADABLE:
        log.error("mail that cannot be read")
        return
    deliver(node, channel, entry, n, before=tuple(before) if before is not None else None)


def _held_post(node: Node, channel: Channel, told: Any) -> None:
    if not isinstance(told, StoreError):
        _mail_post(node, channel, *told)


def _mail_turn(node: Node, channel: Channel, epoch: int) -> None:
    if epoch == channel.epoch:
        channel.screening.give_way(node, channel)


def _mail_here(node: Node, channel: Channel, letter: str, location: str) -> None:
    role = ROLE_OF[letter]
    if role not in channel.connections:
        set_online(channel, role, True, location)


def _mail_gone(node: Node, channel: Channel, letter: str, location: str) -> None:
    role = ROLE_OF[letter]
    if role not in channel.connections and channel.locations.get(role) == location:
        set_online(channel, role, False, None)


def _mail_taken_over(node: Node, channel: Channel, letter: str, connection_id: str) -> None:
    connection = channel.connections.get(ROLE_OF[letter])
    if connection is not None and connection.id == connection_id:
        leave(node, channel, connection, CloseCode.TAKEN_OVER)


def _mail_receipt(
    node: Node, channel: Channel, epoch: int, letter: str, got: str, seen: str
) -> None:
    if epoch == channel.epoch and channel.lease.holds():
        tell_receipt(node, channel, ROLE_OF[letter], got, seen)


def _mail_typing(node: Node, channel: Channel, letter: str, on: bool) -> None:
    if channel.lease.holds():
        tell_typing(channel, ROLE_OF[letter], on)


_MAIL: dict[str, Any] = {
    "posted": _mail_post,
    "post": _mail_post,  # of an earlier version, which does not tell what came before
    "turn": _mail_turn,
    "here": _mail_here,
    "gone": _mail_gone,
    "taken_over": _mail_taken_over,
    "receipt": _mail_receipt,
    "typing": _mail_typing,
}


# --- what a party's peer is told ------------------------------------------------------------------


def tell_typing(channel: Channel, role: Role, on: bool) -> None:
    """Tell the peer of `role` that the person is typing."""
    peer = channel.connections.get(role.peer)
    if peer is not None:
        peer.send(PeerTyping(on))
