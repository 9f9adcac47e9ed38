"""A node: what all connections of one process share.

Only state and the smallest operations on it live here; the steps of the protocol are functions in
the modules above, each of which takes the node as its first argument.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections import defaultdict
from collections.abc import Coroutine
from typing import Any, Final

import msgspec
import structlog

from ..core.codes import CloseCode
from ..core.ids import Role
from ..keyfile import KeyFileError
from ..live_ring import LiveRing
from ..store import keys
from ..store.endpoint import pack
from ..store.store import Store
from ..vault.envelope import NONCE_BYTES
from ..vault.ring import KeyRing, KeyUnavailable, Purpose
from ..vault.tags import ReportTags
from .admission import Admission
from .arrivals import Arrivals
from .channel import Channel
from .connection import Connection
from .counts import Counts
from .finality import Finality
from .lease import Lease
from .limits import Limits
from .paces import Paces
from .unstored import Unstored

log = structlog.get_logger(__name__)

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
        self.unstored = Unstored()
        self.loop = asyncio.get_running_loop()
        self.admission = Admission(limits, self.loop.time())
        self.connections: set[Connection] = set()
        self.arrivals = Arrivals()
        self.channels: dict[str, Channel] = {}
        self.paces = Paces(limits.posts_per_s, limits.posts_burst)
        self.living_nodes: frozenset[str] = frozenset()
        self.draining = False
        self._tags: ReportTags | None = None
        #: Whether the key ring could be read when it was last looked at.
        self.keys_present = False
        #: By the slot of the trips that they hold for.
        self.leases: dict[int, Lease] = {}
        self._store_ahead_ms = 0.0
        self._mail: defaultdict[str, list[Any]] = defaultdict(list)
        #: Receipts that the store has not been told yet.
        self.receipts: set[tuple[Channel, Role]] = set()
        self._nonces: list[bytes] = []
        self._tasks: set[asyncio.Task[None]] = set()

    # --- clocks and leases ------------------------------------------------------------------------

    def set_clock(self, began_s: float, store_ms: float) -> None:
        """Note the store's time, as it answered a question that was put at `began_s`."""
        self._store_ahead_ms = store_ms - (began_s + self.loop.time()) / 2 * 1000

    def now_ms(self) -> int:
        """The store's time, as of the last heartbeat."""
        return int(self.loop.time() * 1000 + self._store_ahead_ms)

    def lease(self, trip: str) -> Lease:
        """That which holds for a trip."""
        slot = self.store.pipe.slot_of(keys.trip(trip))
        found = self.leases.get(slot)
        if found is None:
            found = self.leases[slot] = Lease(self.store.pipe, slot, self.loop.time)
        return found

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
        """End a connection."""
        if not connection.closed:
            if code is CloseCode.STORE_AWAY:
                # Of all apps at once, perhaps; they are not to come back at once.
                retry_after_ms = random.randint(retry_after_ms // 2, retry_after_ms * 3 // 2)
            connection.close(code, retry_after_ms=retry_after_ms)
