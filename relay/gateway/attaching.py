"""How a connection gets its party's seat, and how it loses it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import structlog

from ..core.codes import CloseCode
from ..core.frames import Attach, Attached, Closed, Limits, Peer, Reassigned, Replayed
from ..core.ids import Role
from ..store.endpoint import StoreError
from ..store.records import Attachment, NotAttached, Seat
from ..vault.envelope import Unreadable, unwrap, wrapping_key_id
from ..vault.ring import KeyUnavailable
from ..vault.tokens import BadToken, PartyToken, parse_party_token
from .channel import Channel
from .connection import Connection
from .delivery import FIRST_PAGE, replay
from .events import leave, look_at, set_online
from .node import Node
from .receipts import flush_one, tell_receipt

if TYPE_CHECKING:
    from ..store.pipe import Line

log = structlog.get_logger(__name__)

_ENDS = {"is_closed": CloseCode.CHANNEL_CLOSED, "gone": CloseCode.REASSIGNED}
_REFUSALS = {
    "token": CloseCode.BAD_TOKEN,
    "expired": CloseCode.TOKEN_EXPIRED,
    "older": CloseCode.TAKEN_OVER,
}


def attach(node: Node, connection: Connection, frame: Attach) -> None:
    """Seat a connection for the party whose token it shows, and replay what it missed."""
    try:
        token = parse_party_token(frame.token)
    except BadToken:
        node.admission.wrong_token(connection.address, node.loop.time())
        node.close(connection, CloseCode.BAD_TOKEN)
        return
    if refusal := node.admission.attempts(token.digest, node.loop.time()):
        node.close(connection, CloseCode.TOO_MANY, refusal.retry_after_ms)
    elif frame.report_only:
        node.spawn(_attach_to_report(node, connection, token))
    elif token.trip in node.unstored:
        node.close(connection, CloseCode.STORE_AWAY, retry_after_ms=1000)
    else:
        _ask_for_seat(node, connection, frame, token)


def _ask_for_seat(node: Node, connection: Connection, frame: Attach, token: PartyToken) -> None:
    line = node.lease(token.trip).line
    node.arrivals.add(token.trip, connection)
    node.store.attach_soon(
        token.trip, digest=token.digest, node=node.id, connection=connection.id,
        device=(frame.device or "").replace(" ", ""), attempt=frame.attempt or 0,
        epoch=frame.epoch or 0, after=frame.after or "", after_id=frame.after_id or "",
        page=FIRST_PAGE, pending=frame.pending or (),
        callback=partial(_take_seat, node, connection, frame, token, line),
    )  # fmt: skip


def _take_seat(
    node: Node,
    connection: Connection,
    frame: Attach,
    token: PartyToken,
    line: Line | None,
    seated: Attachment | NotAttached | StoreError,
) -> None:
    trip, has_news = token.trip, node.arrivals.remove(token.trip, connection)
    if isinstance(seated, StoreError):
        _give_up(node, connection, seated)
        return
    if isinstance(seated, NotAttached):
        _turn_away(node, connection, seated)
        return
    channel = node.channels.get(trip)
    if channel is not None and channel.epoch != seated.epoch:
        # A party was reassigned: this node has not heard of it yet, or the answer is older.
        node.spawn(_ask_again(node, connection, frame, token, channel, seated))
        return
    if trip in node.unstored:  # an end that came meanwhile, and cut off who was seated
        node.close(connection, CloseCode.STORE_AWAY, retry_after_ms=1000)
    if connection.closed:
        _free_seat(node, trip, seated.role, connection)
        return
    if channel is None:
        try:
            channel = _opened(node, trip, seated)
        except (KeyUnavailable, Unreadable) as error:
            _give_up(node, connection, error)
            _free_seat(node, trip, seated.role, connection)
            return
    connection.line = line
    connection.attached()
    _seat(node, channel, connection, seated)
    connection.send(_attached(node, channel, seated))
    if frame.epoch and frame.epoch != seated.epoch:
        connection.send(Reassigned(seated.epoch, seated.peer_alias, seated.undelivered))
    replay(node, channel, connection, seated.after, seated.page)
    if has_news or seated.role.peer in channel.locations:
        # News from before this line found no connection to tell; and the peer's node may not have
        # heard yet where to send what the peer posts.
        node.spawn(look_at(node, channel))


def _give_up(node: Node, connection: Connection, error: Exception) -> None:
    log.warning("attach_failed", error=type(error).__name__)
    node.close(connection, CloseCode.STORE_AWAY, retry_after_ms=1000)


async def _ask_again(
    node: Node,
    connection: Connection,
    frame: Attach,
    token: PartyToken,
    channel: Channel,
    seated: Attachment,
) -> None:
    try:
        await look_at(node, channel)
    except StoreError as error:
        _give_up(node, connection, error)
    if connection.closed:
        _free_seat(node, token.trip, seated.role, connection)
    else:
        _ask_for_seat(node, connection, frame, token)


def _turn_away(node: Node, connection: Connection, found: NotAttached) -> None:
    if found.why in _ENDS:
        connection.send(Closed(found.reason, list(found.undelivered)))
        node.close(connection, _ENDS[found.why])
    else:
        if found.why == "token":
            node.admission.wrong_token(connection.address, node.loop.time())
        node.close(connection, _REFUSALS[found.why])


async def _attach_to_report(node: Node, connection: Connection, token: PartyToken) -> None:
    """Let a party report, also after the close or a reassignment: nobody is seated, told or cut."""
    try:
        found = await node.store.report_only(token.trip, digest=token.digest)
    except StoreError as error:
        log.warning("attach_failed", error=type(error).__name__)
        node.close(connection, CloseCode.STORE_AWAY, retry_after_ms=1000)
        return
    if isinstance(found, NotAttached):
        _turn_away(node, connection, found)
        return
    connection.reporter = token
    connection.attached()
    connection.send(
        Attached(
            token.trip, found.role.value, found.epoch, "report_only", found.until,
            Peer(found.peer_alias, False), [], _limits(node),
        )
    )  # fmt: skip
    connection.send(Replayed())


def _opened(node: Node, trip: str, seated: Attachment) -> Channel:
    data_key = unwrap(node.ring.ring, seated.messages_key, trip=trip)
    return Channel(
        trip, seated.epoch, seated.state, seated.deadline, data_key,
        wrapping_key_id(seated.messages_key), node.lease(trip),
    )  # fmt: skip


def _seat(node: Node, channel: Channel, connection: Connection, seated: Attachment) -> None:
    role = seated.role
    older = channel.connections.get(role)
    if older is not None:
        leave(node, channel, older, CloseCode.TAKEN_OVER)
    if seated.replaced is not None and seated.replaced.node != node.id:
        node.mail(
            seated.replaced.node,
            ["taken_over", channel.trip, role.letter, seated.replaced.connection],
        )
    node.channels[channel.trip] = channel
    channel.learn_bars(seated.bars)
    channel.connections[role] = connection
    connection.channel, connection.role, connection.locale = channel, role, seated.locale
    connection.n = connection.known_n = seated.n
    connection.head, connection.head_post = seated.head
    connection.pace = node.paces.comes(channel.trip, role, node.loop.time(), seated.since_last_s)
    # As the store has it: it knows what the log has lost since an earlier connection.
    channel.got[role] = seated.got or ""
    channel.seen[role] = ""
    channel.told[role.peer] = seated.peer_got or "", seated.peer_seen or ""
    set_online(channel, role, True, None)
    peer = seated.peer_seat
    if role.peer in channel.connections:
        # What the app has stored before it dropped, it has told with its place.
        tell_receipt(node, channel, role, seated.got or "", "")
    elif peer is not None and peer.node != node.id and peer.node in node.living_nodes:
        channel.locations[role.peer] = peer.node
        channel.online[role.peer] = True
        node.mail(peer.node, ["here", channel.trip, role.letter, node.id])
    else:
        channel.locations.pop(role.peer, None)
        channel.online[role.peer] = False
    node.counts.attached += 1


def _attached(node: Node, channel: Channel, seated: Attachment) -> Attached:
    role = seated.role
    peer = Peer(
        seated.peer_alias,
        channel.online.get(role.peer, False),
        seated.peer_got,
        seated.peer_seen,
    )
    return Attached(
        channel.trip, role.value, channel.epoch,
        "grace" if channel.state == "grace" else "open", channel.deadline, peer, seated.lost,
        _limits(node),
    )  # fmt: skip


def _limits(node: Node) -> Limits:
    limits = node.limits
    return Limits(
        limits.ping_s, limits.text_bytes, limits.posts_per_s, int(limits.posts_burst),
        limits.in_flight,
    )  # fmt: skip


def dropped(node: Node, connection: Connection) -> None:
    """Give up the seat of a connection that is gone."""
    channel, role = connection.channel, connection.role
    if channel is None or role is None or channel.connections.get(role) is not connection:
        return
    del channel.connections[role]
    node.counts.detached += 1
    node.paces.leaves(channel.trip, role, node.loop.time())
    flush_one(node, channel, role)
    if not channel.connections:
        if node.channels.get(channel.trip) is channel:
            del node.channels[channel.trip]
    else:
        set_online(channel, role, False, None)
    _free_seat(node, channel.trip, role, connection)


def _free_seat(node: Node, trip: str, role: Role, connection: Connection) -> None:
    def tell(peer: Seat | None) -> None:
        if peer is not None and peer.node != node.id:
            node.mail(peer.node, ["gone", trip, role.letter, node.id])

    node.store.detach_soon(trip, role, node=node.id, connection=connection.id, callback=tell)
