"""The gateway: takes connections, hands each frame to its step, keeps the node in step with time.

Everything that happens regularly happens here, once for all connections: there is no task and no
timer for a single one.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import socket
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any, Final

import msgspec
import structlog
from picows import (
    WSUpgradeRequest,
    WSUpgradeResponse,
    WSUpgradeResponseWithListener,
)

from ..core.bucket import Bucket
from ..core.codes import CloseCode
from ..core.frames import (
    FROM_APP_JSON,
    FROM_APP_MSGPACK,
    SUBPROTOCOL_JSON,
    SUBPROTOCOL_MSGPACK,
    TO_APP_JSON,
    TO_APP_MSGPACK,
    Attach,
    Frame,
    Got,
    Ping,
    Pong,
    Post,
    Report,
    Seen,
    Typing,
)
from ..core.session import State
from ..live_ring import LiveRing
from ..ops.reports import Reports
from ..store import keys
from ..store.access import Access
from ..store.endpoint import Damaged, StoreError, Unanswered, pack
from ..store.pipe import Line
from ..store.reporting import ReportRecords
from ..store.store import Store
from . import attaching, delivery, events, posting, receipts, reporting
from .channel import Channel
from .connection import Connection
from .door import Answer, Door, SentAway, Welcome
from .lease import Lease
from .limits import (
    ATTACH_TIMEOUT_S,
    CLOSE_TIMEOUT_S,
    MAX_FRAMES_PER_S,
    REPORTING_TIMEOUT_S,
    SEND_BUFFER_BYTES,
    Limits,
)
from .listener import Listener
from .node import Node
from .turns import Turns

log = structlog.get_logger(__name__)

PATH: Final = b"/v1/channel"

_HEARTBEAT_S: Final = 0.25
_BEAT_TIMEOUT_S: Final = 0.4
_FIRST_BEAT_TIMEOUT_S: Final = 10.0
_NODE_LIVES_S: Final = 3.0
_DEAF_AFTER_S: Final = 3.0
_LIVENESS_S: Final = 1.0
#: For how long nothing has come through before the apps are told.
_TELL_AFTER_S: Final = 1.5
_LOOK_S: Final = 2.0
_LOOK_AT_ONCE: Final = 200
_SWEEP_S: Final = 0.5
_SAY_AGAIN_S: Final = 0.5
_SWEEP_AT_MOST: Final = 10
#: How far apps are told to keep apart that are sent away in the same moment.
_SHORTEST_SPREAD_S: Final = 0.2

_CODECS: Final = {
    SUBPROTOCOL_MSGPACK: (FROM_APP_MSGPACK, TO_APP_MSGPACK),
    SUBPROTOCOL_JSON: (FROM_APP_JSON, TO_APP_JSON),
}


class Gateway:
    """One process's WebSocket side. Use `start`, then `drain`, then `stop`."""

    def __init__(
        self,
        identity: str,
        store: Store,
        access: Access,
        ring: LiveRing,
        limits: Limits,
    ) -> None:
        self.node = Node(identity, store, ring, limits)
        self.reports = Reports(
            ReportRecords(store),
            ring=self.node.keys,
            now_ms=self.node.now_ms,
            random_bytes=os.urandom,
            evidence_retention_s=limits.evidence_retention_s,
        )
        self._names = count(1)
        #: Connections that have something to write at the end of this tick.
        self._unflushed: list[Connection] = []
        # Not only then: a tick may have a lot to read and to judge before it ends.
        store.pipe.after_answers = self._flush
        self._subscriber = access.subscriber(
            name=f"relay-{identity}-ear",
            channels=[keys.control(n) for n in range(keys.PARTITIONS)] + [keys.inbox(identity)],
            probes=[keys.probe(n, identity) for n in range(keys.PARTITIONS)],
            deaf_after_s=_DEAF_AFTER_S,
            on_message=self._take_hint,
            on_gap=self._news_was_lost,
        )
        self._listener: Listener | None = None
        self._clocks: list[asyncio.Task[None]] = []
        self._look_now = asyncio.Event()
        self._is_suspended = False
        self._turns = Turns(self.node.loop, self.node.counts)
        #: After how long the last of those come back who are sent away as the node drains.
        self._latest_ms = 0
        self._resuming: set[Line] = set()
        self._steps: dict[type[Frame], Callable[[Connection, Any], None]] = {
            Post: partial(posting.post, self.node),
            Got: partial(receipts.note, self.node, seen=False),
            Seen: partial(receipts.note, self.node, seen=True),
            Typing: self._typing,
            Report: lambda c, f: reporting.report(self.node, self.reports, c, f),
            Ping: lambda c, f: c.send(Pong()),
            Attach: partial(attaching.attach, self.node),
        }

    # --- life -------------------------------------------------------------------------------------

    async def start(self, listener: socket.socket) -> None:
        """Serve on a bound socket.

        Raises `StoreError`, `OSError`, `TimeoutError`, `KeyFileError` or `KeyUnavailable`."""
        await self.node.store.load_scripts()
        await self._beat(_FIRST_BEAT_TIMEOUT_S)
        await self._subscriber.start()
        for clock in (
            self._every(_HEARTBEAT_S, self._beat),
            self._every(_LIVENESS_S, self._check_liveness),
            self._every(_SWEEP_S, self._sweep),
            self._every(_SAY_AGAIN_S, lambda: self.node.unstored.say_again(self.node)),
            self._keep_looking(),
        ):
            self._clocks.append(asyncio.create_task(clock))
        # Accepted sockets inherit it.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._listener = Listener(self.node.loop, listener, self.node.admission, self._accept)

    async def drain(self, window_s: float) -> None:
        """Take no more connections and send the present ones elsewhere, spread over `window_s`.

        A connection whose posts are being stored is closed when they are answered.
        """
        self.node.draining = True
        if self._listener is not None:
            self._listener.close()
        waiting = list(self.node.connections)
        random.shuffle(waiting)
        # Told to come to the other nodes as fast as one of them takes connections, no faster.
        arrive_s = len(waiting) / self.node.limits.connections_per_s
        self._latest_ms = int(1000 * max(_SHORTEST_SPREAD_S, arrive_s - window_s))
        began_s = self.node.loop.time()
        for index, connection in enumerate(waiting):
            due_s = began_s + window_s * index / len(waiting)
            await asyncio.sleep(max(0.0, due_s - self.node.loop.time()))
            self._send_away(connection)
        deadline_s = self.node.loop.time() + CLOSE_TIMEOUT_S
        while self.node.connections and self.node.loop.time() < deadline_s:
            for connection in tuple(self.node.connections):
                self._send_away(connection)
            await asyncio.sleep(0.02)

    def _send_away(self, connection: Connection) -> None:
        if not connection.answers:
            wait_ms = random.randint(1, self._latest_ms)
            self.node.close(connection, CloseCode.DRAINING, wait_ms)

    async def stop(self) -> None:
        """End what is left. The store's connection is not this module's to close."""
        if self._listener is not None:
            self._listener.close()
        for connection in tuple(self.node.connections):
            connection.abort()
        receipts.flush(self.node)
        for clock in self._clocks:
            clock.cancel()
        await asyncio.gather(*self._clocks, return_exceptions=True)
        await self._subscriber.stop()
        await self.node.cancel_steps()

    def store_is_back(self) -> None:
        """Take up a new connection to the store, which may be another store than before."""
        self.say_what_is_final(self.node.store)
        self.node.spawn(self.node.store.load_scripts())  # one that restarted has forgotten them
        self._look_at_all_soon()

    def say_what_is_final(self, store: Store) -> None:
        """Tell a store that was just connected to what must not be undone, before all else."""
        store.say_again_soon(list(self.node.finality.said(self.node.loop.time())))

    def remember_final(self, news: dict[str, Any]) -> None:
        """Keep in mind what this process has answered: the news of it may never come back."""
        self.node.finality.hear(news, self.node.loop.time())
        self.node.unstored.settle(news["trip"])

    def end_unstored(self, trip: str, reason: str, detail: str) -> None:
        """Act on an end that the store has not taken, and let the other nodes do so: what stops the
        store from writing need not stop it from telling."""
        # The next store that there is a connection to hears it before anything else.
        self.remember_final({"op": "closed", "trip": trip, "reason": reason, "detail": detail})
        self.node.unstored.take(self.node, trip, reason, detail)
        news = {"op": "unstored", "trip": trip, "reason": reason, "detail": detail}
        channel = keys.control(keys.partition(trip))
        self.node.store.pipe.send(pack("SPUBLISH", channel, msgspec.json.encode(news)))

    def problems(self) -> list[str]:
        """Why this node should get no new connections; empty when it is ready."""
        found = []
        if self.node.draining:
            found.append("draining")
        away = not self.node.store.pipe.connected
        if away or self.node.loop.time() - self.node.store.pipe.confirmed_s > 4 * _HEARTBEAT_S:
            found.append("store_away")
        if not self._subscriber.listening:
            found.append("subscription_away")
        if not self.node.keys_present:
            found.append("keys_away")
        return found

    # --- connections ------------------------------------------------------------------------------

    def _accept(self, request: WSUpgradeRequest, door: Door) -> Answer:
        if request.path.partition(b"?")[0] != PATH:
            return None
        if not _is_handshake(request):
            # Left to picows, the answer and a traceback would quote the header.
            return WSUpgradeResponseWithListener(
                WSUpgradeResponse.create_error_response(400, b"Not a WebSocket handshake.\n"), None
            )
        # They may be lists, as Firefox's "keep-alive, Upgrade" is. picows takes only one value.
        request.headers["Connection"], request.headers["Upgrade"] = "upgrade", "websocket"
        offered = request.headers.get("Sec-WebSocket-Protocol")
        names = [name.strip() for name in offered.split(",")] if offered else [SUBPROTOCOL_JSON]
        chosen = next((name for name in names if name in _CODECS), None)
        if chosen is None:
            return SentAway(CloseCode.UNSUPPORTED)
        welcome = Welcome(chosen if offered else None)
        if refusal := self._turned_away(request, door):
            return WSUpgradeResponseWithListener(welcome, refusal)
        limits = self.node.limits
        bucket = Bucket(limits.frames_per_s, limits.frames_burst, self.node.loop.time())
        may_say = 2 * (limits.frames_burst + limits.posts_burst)
        connection = Connection(
            self, f"{next(self._names):x}", *_CODECS[chosen], bucket, MAX_FRAMES_PER_S + may_say,
            door,
        )  # fmt: skip
        return WSUpgradeResponseWithListener(welcome, connection)

    def _turned_away(self, request: WSUpgradeRequest, door: Door) -> SentAway | None:
        door.address = self.node.admission.address(
            door.peer, request.headers.getall("X-Forwarded-For", ())
        )
        refusal = self.node.admission.comes(door.address, self.node.loop.time())
        if refusal is not None:
            return SentAway(CloseCode.TOO_MANY, refusal.retry_after_ms)
        door.is_inside = True
        return None

    def connected(self, connection: Connection) -> None:
        self.node.connections.add(connection)

    def in_turn(self, connection: Connection, message: bytes) -> None:
        """What has come from an app, as it came: it is to be acted on now or in a later tick."""
        self._turns.take(connection, message)

    def take(self, connection: Connection, frame: Frame) -> None:
        """A frame that may be said now."""
        self._steps[type(frame)](connection, frame)

    def has_room(self, connection: Connection) -> None:
        delivery.go_on(self.node, connection)

    def flush_soon(self, connection: Connection) -> None:
        if not self._unflushed:
            self.node.loop.call_soon(self._flush)
        self._unflushed.append(connection)

    def _flush(self) -> None:
        unflushed, self._unflushed = self._unflushed, []
        for connection in unflushed:
            try:
                connection.flush()
            except Exception:
                # The others would have to wait until something else makes them write.
                log.exception("flush_failed")
                connection.abort()

    def closes(self, code: CloseCode) -> None:
        self.node.counts.closed[code.name.lower()] += 1

    def dropped(self, connection: Connection) -> None:
        self.node.connections.discard(connection)
        attaching.dropped(self.node, connection)

    def _typing(self, connection: Connection, frame: Typing) -> None:
        channel, role = connection.channel, connection.role
        assert channel is not None and role is not None
        location = channel.locations.get(role.peer)
        if not channel.lease.holds():
            return
        if role.peer in channel.connections:
            events.tell_typing(channel, role, frame.on)
        elif location is not None:
            self.node.mail(location, ["typing", channel.trip, role.letter, frame.on])

    # --- hints ------------------------------------------------------------------------------------

    def _take_hint(self, channel: bytes, payload: bytes) -> None:
        if channel.endswith(b":control"):
            events.take_control(self.node, payload)
        elif payload:
            events.take_mail(self.node, payload)

    def _news_was_lost(self) -> None:
        self.node.arrivals.news_was_lost()
        self._look_at_all_soon()

    def _look_at_all_soon(self) -> None:
        self._look_now.set()

    # --- clocks -----------------------------------------------------------------------------------

    async def _every(self, period_s: float, step: Callable[[], Any]) -> None:
        while True:
            await asyncio.sleep(period_s)
            try:
                await step()
            except StoreError:
                continue  # the pipe says so in the log, once, and comes back by itself
            except Exception:
                # A clock that stopped would stop all of it, and nobody would see.
                log.exception("clock_step_failed")

    async def _beat(self, timeout_s: float = _BEAT_TIMEOUT_S) -> None:
        """Prove to the store, and to this node's own subscription, that all of the way is alive."""
        node, pipe = self.node, self.node.store.pipe
        began_s = node.loop.time()
        asked = pipe.call_each(pack("TIME"))
        for probe in self._subscriber.probes:
            pipe.send(pack("SPUBLISH", probe, ""))
        # One of several servers that hangs must not hold up the others.
        answered, _ = await asyncio.wait(asked, timeout=timeout_s) if asked else ((), ())
        told = sorted(
            int(seconds) * 1000 + int(micros) // 1000
            for seconds, micros in (one.result() for one in answered if _is_list(one.result()))
        )
        if not told:
            raise Unanswered
        store_ms = told[len(told) // 2]
        node.set_clock(began_s, store_ms)
        node.look_at_keys()
        self._resume_where_possible()
        oldest = store_ms - int(_NODE_LIVES_S * 1000)
        pipe.send(pack("ZADD", keys.NODES, store_ms, node.id))
        pipe.send(pack("ZREMRANGEBYSCORE", keys.NODES, "-inf", oldest))
        living = pipe.call_raw(pack("ZRANGE", keys.NODES, 0, -1))
        await asyncio.wait((living,), timeout=_BEAT_TIMEOUT_S)
        if living.done() and _is_list(living.result()):
            node.living_nodes = frozenset(name.decode() for name in living.result())

    def _resume_where_possible(self) -> None:
        """Look at the channels whose leases do not hold, and deliver what was held back."""
        waiting: defaultdict[Line | None, list[Lease]] = defaultdict(list)
        for lease in self.node.leases.values():
            if not lease.holds():
                waiting[lease.line].append(lease)
        if waiting and not self._is_suspended:
            self.node.counts.suspensions += 1
            log.warning("deliveries_suspended")
        self._is_suspended = bool(waiting)
        for line, leases in waiting.items():
            if line is not None and line not in self._resuming:
                self._resuming.add(line)
                self.node.spawn(self._resume(line, leases))

    async def _resume(self, line: Line, leases: Sequence[Lease]) -> None:
        try:
            await self._look_at([one for one in self.node.channels.values() if one.lease in leases])
        except StoreError:
            return
        finally:
            self._resuming.discard(line)
        for lease in leases:
            lease.resume(line)
        log.info("deliveries_resumed")

    async def _keep_looking(self) -> None:
        """Compare every channel served here with the store, again and again, a few at a time.

        After a gap in the news all are looked at at once.
        """
        while True:
            try:
                await self._look_around()
            except Exception:
                log.exception("look_failed")
                await asyncio.sleep(_LOOK_S)

    async def _look_around(self) -> None:
        channels = list(self.node.channels.values())
        batches = max(1, -(-len(channels) // _LOOK_AT_ONCE))
        for index in range(batches):
            # Of what cannot be looked at now, nothing is delivered either (see Lease).
            with suppress(StoreError):
                await self._look_at(channels[index * _LOOK_AT_ONCE : (index + 1) * _LOOK_AT_ONCE])
            try:
                async with asyncio.timeout(_LOOK_S / batches):
                    await self._look_now.wait()
            except TimeoutError:
                continue
            self._look_now.clear()
            with suppress(StoreError):
                await self._look_at(list(self.node.channels.values()))

    async def _look_at(self, channels: Sequence[Channel]) -> None:
        """Look at channels, a few at a time. Raises `StoreError` if that failed for any that may be
        well."""
        failed: StoreError | None = None
        for start in range(0, len(channels), _LOOK_AT_ONCE):
            try:
                await events.look_at_all(self.node, channels[start : start + _LOOK_AT_ONCE])
            except Damaged:
                log.error("channel_damaged")
            except StoreError as error:
                failed = error
        if failed is not None:
            raise failed

    async def _check_liveness(self) -> None:
        node, limits = self.node, self.node.limits
        now_s = node.loop.time()
        node.paces.forget_the_rested(now_s)
        for connection in tuple(node.connections):
            connection.frames = 0
            if connection.waiting:
                continue  # it is this node that does not listen
            if connection.session.state is State.NEW:
                if now_s - connection.opened_s > ATTACH_TIMEOUT_S:
                    node.close(connection, CloseCode.SILENT)
            elif connection.reporter is not None and (
                now_s - connection.opened_s > REPORTING_TIMEOUT_S and not connection.reporting
            ):
                node.close(connection, CloseCode.SILENT)
            elif connection.pinged_s:
                if now_s - connection.pinged_s > limits.pong_timeout_s:
                    node.close(connection, CloseCode.SILENT)
            elif now_s - connection.heard_s > limits.ping_s:
                connection.ping(now_s)
        for channel in node.channels.values():
            lease = channel.lease
            if not lease.holds() and now_s - lease.suspended_at_s > _TELL_AFTER_S:
                delivery.change_state(channel, "suspended", channel.deadline)

    async def _sweep(self) -> None:
        self.node.counts.swept += await self.node.store.sweep_all(_SWEEP_AT_MOST)


def _is_list(reply: Any) -> bool:
    return isinstance(reply, list)


def _is_handshake(request: WSUpgradeRequest) -> bool:
    """Whether the headers are those of RFC 6455 section 4.2.1."""
    headers = request.headers
    return (
        _lists(headers.get("Upgrade", ""), "websocket")
        and _lists(headers.get("Connection", ""), "upgrade")
        and headers.get("Sec-WebSocket-Version") == "13"
        and _KEY.fullmatch(headers.get("Sec-WebSocket-Key", "")) is not None
    )


def _lists(header: str, name: str) -> bool:
    return name in [one.strip() for one in header.lower().split(",")]


_KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==")
