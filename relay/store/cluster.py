"""The hot path to a Cluster: a pipe to each primary, and each command on that of its slot.

A slot that moves makes no difference to who posts: what is answered by MOVED or TRYAGAIN was not
run, and goes where it belongs. What is answered by ASK, while a slot is moved key by key, waits
until all of it has moved: the server that is named has only some of the slot's keys. The order in
which a slot's commands were sent stays: while some are on a detour, later ones wait behind them,
because a command that went straight to the new server could overtake one that was sent on.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import hiredis
import structlog

from .durability import MEMORY, Durability
from .endpoint import NotSent, StoreError, pack
from .pipe import Callback, Line, Pipe, ServerPipe, ignore
from .slots import SLOTS, Address, Elsewhere, Layout, elsewhere, slot_of, slot_of_command
from .topology import Topology

log = structlog.get_logger(__name__)

#: For how long a command looks for the server that has its slot.
_PATIENCE_S: Final = 1.0
_TRY_AGAIN_S: Final = 0.02
_RETRY_S: Final = 0.1

_PING: Final = pack("PING")


class _Command(NamedTuple):
    packed: bytes
    callback: Callback
    skip: int
    firm: bool
    until_s: float


class _Detour:
    """Why a slot's commands wait, and which: first those that were sent back, then later ones."""

    __slots__ = ("later", "reason", "sent_back", "until_s")

    def __init__(self, reason: Elsewhere, until_s: float) -> None:
        self.reason = reason
        self.until_s = until_s
        self.sent_back: list[_Command] = []
        self.later: list[_Command] = []


class ClusterPipe(Pipe):
    """A pipe to each primary of a cluster.

    `on_connected` is called each time one of them has been connected to, before anything else is
    sent to it. Commands without a key go to every primary; they are answered when all have
    answered, by an error if there was one.
    """

    def __init__(
        self,
        topology: Topology,
        *,
        name: str,
        reply_timeout_s: float,
        durability: Durability = MEMORY,
        on_connected: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._topology = topology
        self._name = name
        self._reply_timeout_s = reply_timeout_s
        self._durability = durability
        self._on_connected = on_connected
        self._owners: list[Address | None] = [None] * SLOTS
        self._pipes: dict[Address, ServerPipe] = {}
        self._dialling: dict[Address, asyncio.Task[None]] = {}
        self._detours: dict[int, _Detour] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._greeted: ServerPipe | None = None

    # --- life -------------------------------------------------------------------------------------

    @property
    def connected(self) -> bool:
        return all(map(self._has, self._primaries()))

    @property
    def confirmed_s(self) -> float:
        """That of the primary which has been silent for longest."""
        return min((pipe.confirmed_s for pipe in self._pipes.values()), default=float("-inf"))

    async def start(self) -> None:
        self._topology.followers.append(self._follow)
        for address in self._primaries():
            if address not in self._pipes and address not in self._dialling:
                await self._dial(address)

    async def stop(self) -> None:
        if self._follow in self._topology.followers:
            self._topology.followers.remove(self._follow)
        tasks = (*self._dialling.values(), *self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for pipe in self._pipes.values():
            await pipe.stop()
        for slot in tuple(self._detours):
            self._give_up(slot)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- the layout -------------------------------------------------------------------------------

    def _primaries(self) -> frozenset[Address]:
        layout = self._topology.layout
        return layout.primaries if layout is not None else frozenset()

    def _has(self, address: Address | None) -> bool:
        """Whether there is a connection to a server."""
        pipe = self._pipes.get(address) if address is not None else None
        return pipe is not None and pipe.connected

    async def _dial(self, address: Address) -> None:
        def take_up() -> None:
            self._pipes[address] = pipe
            self._point()
            # What is said now comes before all that waits for this server.
            self._greeted = pipe
            try:
                self._on_connected()
            finally:
                self._greeted = None

        pipe = ServerPipe(
            self._topology.endpoint.at(*address), name=self._name,
            reply_timeout_s=self._reply_timeout_s, durability=self._durability,
            on_connected=take_up,
        )  # fmt: skip
        pipe.after_answers = lambda: self.after_answers()  # noqa: PLW0108 - it may change
        await pipe.start()

    def _dial_soon(self, address: Address) -> None:
        if address not in self._pipes and address not in self._dialling:
            self._dialling[address] = self._loop.create_task(self._keep_dialling(address))

    async def _keep_dialling(self, address: Address) -> None:
        until_s = self._loop.time() + _PATIENCE_S
        try:
            while address in self._primaries() or self._loop.time() < until_s:
                try:
                    return await self._dial(address)
                except StoreError:
                    self._topology.ask_soon()
                    await asyncio.sleep(_RETRY_S)
        finally:
            self._dialling.pop(address, None)

    def _follow(self, layout: Layout) -> None:
        for address in layout.primaries:
            self._dial_soon(address)
        self._point()
        moved: defaultdict[Address, list[tuple[int, Elsewhere]]] = defaultdict(list)
        for slot, (before, now) in enumerate(zip(self._owners, layout.owners, strict=True)):
            if before is not None and now not in (before, None) and self._has(before):
                moved[before].append((slot, Elsewhere("MOVED", now)))
        for before, slots in moved.items():
            self._take_detour(slots, self._pipes[before])
        for address in self._pipes.keys() - layout.primaries:
            self._spawn(self._part(self._pipes.pop(address)))
        self._point()

    def _point(self) -> None:
        """Give slots to the primaries that have them, where nothing is on its way to another."""
        layout = self._topology.layout
        assert layout is not None
        for slot, owner in enumerate(layout.owners):
            if owner in self._pipes and not self._has(self._owners[slot]):
                self._owners[slot] = owner

    async def _part(self, pipe: ServerPipe) -> None:
        """Let go of a server once what is on its way to it is answered."""
        try:
            async with asyncio.timeout(self._reply_timeout_s):
                await pipe.call_raw(_PING, firm=True)
        except TimeoutError:
            pass
        finally:
            await pipe.stop()

    # --- commands ---------------------------------------------------------------------------------

    def slot_of(self, key: str) -> int:
        return slot_of(key.encode())

    def line_at(self, slot: int) -> Line | None:
        owner = self._owners[slot]
        pipe = self._pipes.get(owner) if owner is not None else None
        return pipe.line_at(slot) if pipe is not None else None

    def call_each(self, packed: bytes) -> list[asyncio.Future[Any]]:
        return [pipe.call_raw(packed) for pipe in self._pipes.values()]

    def send(
        self, packed: bytes, callback: Callback = ignore, skip: int = 0, *, firm: bool = False
    ) -> None:
        slot = slot_of_command(packed)
        if slot is None:
            self._send_to_all(packed, callback, skip)
            return
        layout = self._topology.layout
        if self._greeted is not None and layout and layout.owners[slot] == self._greeted.address:
            self._greeted.send(packed, callback, skip, firm=firm)
            return
        command = _Command(packed, callback, skip, firm, self._loop.time() + _PATIENCE_S)
        detour = self._detours.get(slot)
        if detour is not None:
            detour.later.append(command)
        else:
            self._send(slot, command)

    def _send(self, slot: int, command: _Command) -> None:
        owner = self._owners[slot]
        pipe = self._pipes.get(owner) if owner is not None else None
        if pipe is None:
            self._topology.ask_soon()
            _refuse(command)
        else:
            answered = partial(self._answered, slot, pipe, command)
            pipe.send(command.packed, answered, command.skip, firm=command.firm)

    def _answered(self, slot: int, pipe: ServerPipe, command: _Command, reply: Any) -> None:
        if isinstance(reply, hiredis.ReplyError):
            where = elsewhere(reply, pipe.address)
            if where is not None:
                self._send_back(slot, pipe, command, where)
                return
        elif isinstance(reply, StoreError):
            self._topology.ask_soon()
        command.callback(reply)

    def _send_to_all(self, packed: bytes, callback: Callback, skip: int) -> None:
        pipes = list(self._pipes.values())
        answers: list[Any] = []

        def answered(reply: Any) -> None:
            answers.append(reply)
            if len(answers) == len(pipes):
                failed = (one for one in answers if isinstance(one, Exception))
                callback(next(failed, reply))

        for pipe in pipes:
            pipe.send(packed, answered, skip)
        if not pipes:
            callback(NotSent())

    # --- detours ----------------------------------------------------------------------------------

    def _send_back(self, slot: int, pipe: ServerPipe, command: _Command, where: Elsewhere) -> None:
        """Take back a command that was not run. Those sent after it are still on their way."""
        self._topology.ask_soon()
        if self._loop.time() > command.until_s:
            command.callback(NotSent())
            return
        if slot not in self._detours:
            self._take_detour([(slot, where)], pipe)
        self._detours[slot].sent_back.append(command)

    def _take_detour(self, slots: Sequence[tuple[int, Elsewhere]], pipe: ServerPipe) -> None:
        """Let the commands of slots wait until all that was sent for them before is answered."""
        until_s = self._loop.time() + _PATIENCE_S
        new = [(slot, why) for slot, why in slots if slot not in self._detours]
        for slot, why in new:
            self._detours[slot] = _Detour(why, until_s)

        def answered(_: Any) -> None:
            for slot, why in new:
                pause_s = 0.0 if why.address is not None else _TRY_AGAIN_S
                self._loop.call_later(pause_s, self._go_on, slot)

        pipe.send(_PING, answered, firm=True)  # behind the answers of what is firm

    def _go_on(self, slot: int) -> None:
        """Send what waits to where it belongs, as soon as there is a connection to it."""
        detour = self._detours.get(slot)
        if detour is None:
            return
        kind, address = detour.reason
        if address is not None and not self._has(address):
            if self._loop.time() > detour.until_s:
                self._give_up(slot)
            else:
                self._dial_soon(address)
                self._loop.call_later(_TRY_AGAIN_S, self._go_on, slot)
            return
        del self._detours[slot]
        if kind == "MOVED":
            self._owners[slot] = address
        for command in (*detour.sent_back, *detour.later):
            self._send(slot, command)

    def _give_up(self, slot: int) -> None:
        detour = self._detours.pop(slot)
        for command in (*detour.sent_back, *detour.later):
            _refuse(command)


def _refuse(command: _Command) -> None:
    try:
        command.callback(NotSent())
    except Exception:
        log.exception("a callback failed")
