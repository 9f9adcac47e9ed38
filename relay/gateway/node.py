"""A node: what all connections of one process share.

Only state and the smallest operations on it live here; the steps of the protocol are functions in
the modules above, each of which takes the node as its first argument.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Callable, Coroutine
from typing import Any, Final

import msgspec
import structlog

from ..core.bucket import Bucket
from ..core.codes import CloseCode
from ..core.ids import Role
from ..keyfile import KeyFileError, LiveRing
from ..store import keys
from ..store.endpoint import Unanswered, pack
from ..store.store import Store
from ..vault.envelope import NONCE_BYTES
from ..vault.ring import KeyRing, KeyUnavailable, Purpose
from ..vault.tags import ReportTags
from .channel import Channel
from .connection import Connection
from .counts import Counts
from .finality import Finality
from .limits import Limits

log = structlog.get_logger(__name__)

#: For how long the store's answers may stop before nothing is delivered any more.
LEASE_S: Final = 1.0

_NONCES: Final = 256


class Node:
    """One process's share of the relay."""

    def __init__(self, identity: str, store: Store, ring: LiveRing, limits: Limits) -> None:
        self.id = identity
        self.store = store
        self.ring = ring
        self.limits = limits
        self.counts = Counts()
        self.finality = Finality()
        self.loop = asyncio.get_running_loop()
        self.connections: set[Connection] = set()
        self.channels: dict[str, Channel] = {}
        #: Each party's rate of posts, which outlives its connections.
        self.buckets: dict[tuple[str, Role], Bucket] = {}
        self.living_nodes: frozenset[str] = frozenset()
        self.draining = False
        self._tags: ReportTags | None = None
        #: Whether the key ring could be read when it was last looked at.
        self.keys_present = False
        self._seen_s = float("inf")
        #: Over which connection to the store every channel was looked at.
        self._line = store.pipe.lines
        self._store_ahead_ms = 0.0
        self.suspended = False
        self._held: list[Callable[[], None]] = []
        self._mail: defaultdict[str, list[Any]] = defaultdict(list)
        #: Receipts that the store has not been told yet.
        self.receipts: set[tuple[Channel, Role]] = set()
        self._nonces: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()

    # --- clocks and the lease ---------------------------------------------------------------------

    def set_clock(self, began_s: float, store_ms: float) -> None:
        """Note the store's time, as it answered a question that was put at `began_s`."""
        self._store_ahead_ms = store_ms - (began_s + self.loop.time()) / 2 * 1000

    def now_ms(self) -> int:
        """The store's time, as of the last heartbeat."""
        return int(self.loop.time() * 1000 + self._store_ahead_ms)

    def may_deliver(self) -> bool:
        """Whether this node knows that it has not been frozen or cut off.

        If the store's answers stopped for a while, channels may have closed meanwhile: nothing goes
        out until it has been asked about each of them (`resume_deliveries`). A pause counts even
        if it is over, as for a node that was frozen and has just woken up. So does a new connection
        to the store: that may be one that has lost the end of a log.
        """
        confirmed_s = self.store.pipe.confirmed_s
        away_s = max(confirmed_s - self._seen_s, self.loop.time() - confirmed_s)
        self._seen_s = confirmed_s
        is_new_line = self._line != self.store.pipe.lines
        if (away_s > LEASE_S or is_new_line) and not self.suspended:
            self.suspended = True
            self.counts.suspensions += 1
            log.warning("deliveries_suspended", away_s=round(away_s, 1))
        return not self.suspended

    def hold(self, delivery: Callable[[], None]) -> None:
        """Keep what may not be delivered now. Bounded by what apps may have in flight."""
        self._held.append(delivery)

    def hold_reply(self, take: Callable[[Any], None], reply: Any) -> None:
        """Keep a reply of the store that `take` may not act on now.

        After a new connection to the store it is as good as none: what it says may be lost.
        """
        line = self.store.pipe.lines
        self.hold(lambda: take(reply if line == self.store.pipe.lines else Unanswered()))

    def resume_deliveries(self, line: int) -> None:
        """Deliver what was held; call it when every channel has been looked at, which began over
        this connection to the store."""
        self.suspended = False
        self._line = line
        held, self._held = self._held, []
        for delivery in held:
            delivery()

    # --- what the steps need ----------------------------------------------------------------------

    @property
    def tags(self) -> ReportTags:
        """What makes the report tags. The first heartbeat sets it, before anybody can attach."""
        assert self._tags is not None
        return self._tags

    def keys(self) -> KeyRing:
        """The key ring. Raises `KeyUnavailable` while it cannot be read."""
        if not self.keys_present:
            raise KeyUnavailable("The key ring cannot be read; the relay's log says why.")
        return self.ring.ring

    def look_at_keys(self) -> None:
        """Follow the key ring: its newest report key, and which channels' keys are still there.

        With the ring gone, or a channel's key destroyed, nothing more is sealed or accepted, though
        data keys in memory would still serve: a key that was taken away must stop working.
        """
        try:
            self.ring.reload_if_changed()
            current = self.ring.ring.current(Purpose.REPORTS, self.now_ms())
        except (KeyFileError, KeyUnavailable) as error:
            if self.keys_present:
                log.error("keys_away", reason=str(error))
            self.keys_present = False
            if self._tags is None:
                raise
            return
        self.keys_present = True
        if self._tags is None or self._tags.key_id != current.id:
            self._tags = ReportTags(current)
        for channel in self.channels.values():
            channel.key_present = channel.key_id in self.ring.ring

    def nonce(self) -> bytes:
        """Random bytes that no message was sealed with before."""
        if not self._nonces:
            pool = os.urandom(NONCE_BYTES * _NONCES)
            self._nonces = [pool[i : i + NONCE_BYTES] for i in range(0, len(pool), NONCE_BYTES)]
        return self._nonces.pop()

    def mail(self, node: str, item: list[Any]) -> None:
        """Tell another node something, with all else that this tick has for it. A hint: it may be
        lost, and the other node finds out by itself later."""
        if not self._mail:
            self.loop.call_soon(self._send_mail)
        self._mail[node].append(item)

    def _send_mail(self) -> None:
        for node, items in self._mail.items():
            self.counts.published += 1
            self.store.pipe.send(pack("SPUBLISH", keys.inbox(node), msgspec.msgpack.encode(items)))
        self._mail.clear()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a step that waits for the store; its failure is logged and harms nobody else."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a step failed", error=type(error).__name__)

    async def cancel_steps(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self, connection: Connection, code: CloseCode, retry_after_ms: int = 0) -> None:
        """End a connection and count why."""
        if not connection.closed:
            self.counts.closed[code.name.lower()] += 1
            connection.close(code, retry_after_ms=retry_after_ms)
