"""The hot path to the store: one connection that many callers share.

Commands of one event-loop tick leave in one write, and replies are matched by position alone. A
reply is never tied to its caller's lifetime: a caller that was cancelled still has its place in the
queue, so nobody can get another's reply (which redis-py allowed: its issues 2624 and 2665).
On any doubt the connection is closed, and what was under way is `Unanswered`.

Nothing is repeated here: only the caller knows whether a command may run twice.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

import hiredis
import structlog

from .durability import MEMORY, Durability
from .endpoint import Endpoint, NotSent, StoreError, Unanswered, connect, pack, unreached

log = structlog.get_logger(__name__)

#: What a callback gets: the reply, or a `StoreError` or `hiredis.ReplyError` in its place.
Callback = Callable[[Any], None]

_CONNECT_TIMEOUT_S: Final = 2.0
#: How often a connection is looked at that nobody complains of.
_LOOK_S: Final = 0.5
_FIRST_RETRY_S: Final = 0.05
_LAST_RETRY_S: Final = 1.0
#: Commands that may wait for an answer before no more posts are taken: a part of a second's work.
_MOST_WAITING: Final = 20_000


def ignore(_: Any) -> None:
    """A callback for what needs none."""


class Line(asyncio.Protocol):
    """One TCP or Unix connection: bytes out in batches, replies back in order."""

    def __init__(
        self,
        on_lost: Callable[[], None],
        durability: Durability,
        after_answers: Callable[[], None] = lambda: None,
    ) -> None:
        self._on_lost = on_lost
        self._after_answers = after_answers
        self._durability = durability
        self._loop = asyncio.get_running_loop()
        self._reader = hiredis.Reader()
        self._waiting: deque[tuple[int, Callback]] = deque()
        self._skip = -1
        self._refusal: hiredis.ReplyError | None = None
        self._out: list[bytes] = []
        self._transport: asyncio.Transport | None = None
        #: Answers that count when the wait after their batch is over.
        self._unsettled: list[tuple[Callback, Any]] = []
        self._is_firm = self._is_waiting = False
        self._silent_since_s = 0.0
        self._sent = self._answered = 0
        self._batches: deque[tuple[int, float]] = deque()
        self.confirmed_s = float("-inf")
        self.lost = False
        #: Whether it has owed an answer for so long that it may be dead.
        self.stalled = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, packed: bytes, callback: Callback, skip: int, firm: bool = False) -> None:
        """Queue commands whose first `skip` replies are of no interest."""
        if firm and self._durability.command:
            callback = partial(self._keep, callback)
            self._is_firm = True
        if not self._out:
            self._loop.call_soon(self._flush)
        if not self._waiting:
            self._silent_since_s = self._loop.time()
        self._out.append(packed)
        self._waiting.append((skip, callback))
        self._sent += 1

    def _keep(self, callback: Callback, reply: Any) -> None:
        self._unsettled.append((callback, reply))

    def _settle(self, reply: Any) -> None:
        """Give out what waited for the end of its batch, or that nobody knows what became of it."""
        unsettled, self._unsettled = self._unsettled, []
        self._is_waiting = False
        if self._is_firm:
            self._loop.call_soon(self._flush)
        is_reached = self._durability.is_reached(reply)
        for callback, answer in unsettled:
            # What the store refused was not done, so there is nothing to wait for.
            is_known = is_reached or isinstance(answer, hiredis.ReplyError)
            try:
                callback(answer if is_known else Unanswered())
            except Exception:
                log.exception("a callback failed")

    def _flush(self) -> None:
        if self.lost:
            return
        if self._is_firm and not self._is_waiting:
            # One at a time: while the store waits it does nothing else on this connection.
            self._is_firm, self._is_waiting = False, True
            self._out.append(self._durability.command)
            self._waiting.append((0, self._settle))
            self._sent += 1
        self._batches.append((self._sent, self._loop.time()))
        if self._out and self._transport is not None and not self.lost:
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def data_received(self, data: bytes) -> None:
        self._silent_since_s = self._loop.time()
        self.stalled = False
        waiting, gets, refused = self._waiting, self._reader.gets, hiredis.ReplyError
        try:
            self._reader.feed(data)
            while (reply := gets()) is not False:
                skip = self._skip if self._skip >= 0 else waiting[0][0]
                if skip > 0:
                    self._skip = skip - 1
                    if type(reply) is refused and self._refusal is None:
                        self._refusal = reply
                    continue
                self._skip = -1
                if self._refusal is not None:
                    # Of what belongs together and was not done, what was refused first says why.
                    reply, self._refusal = self._refusal, None
                _, callback = waiting.popleft()
                self._answered += 1
                if type(reply) is refused and str(reply).startswith("READONLY"):
                    # It was a primary and is a replica now; the next connection finds the new one.
                    self._loop.call_soon(self.abort)
                if self._batches and self._answered >= self._batches[0][0]:
                    self.confirmed_s = self._batches.popleft()[1]
                try:
                    callback(reply)
                except Exception:
                    log.exception("a callback failed")
        except (hiredis.ProtocolError, IndexError):
            log.error("the store sent what is no reply; closing the connection")
            self.abort()
        self._after_answers()

    def silent_s(self, now_s: float) -> float:
        """For how long an answer has been owed."""
        return now_s - self._silent_since_s if self._waiting else 0.0

    @property
    def congested(self) -> bool:
        """Whether whoever can be told to come again should be, instead of waiting here."""
        return self.stalled or len(self._waiting) > _MOST_WAITING

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._out.clear()
        waiting, self._waiting = self._waiting, deque()
        for _, callback in waiting:
            try:
                callback(Unanswered())
            except Exception:
                log.exception("a callback failed")
        self._is_firm = False
        self._settle(Unanswered())
        self._on_lost()


class Pipe(ABC):
    """The way to the store, which comes back by itself.

    `after_answers` is called when the answers that came together have been given out.
    """

    after_answers: Callable[[], None] = staticmethod(lambda: None)

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()

    @property
    @abstractmethod
    def connected(self) -> bool:
        """Whether there is one now."""

    @property
    @abstractmethod
    def confirmed_s(self) -> float:
        """When the last commands that the store has answered were sent, by the loop's clock."""

    @abstractmethod
    async def start(self) -> None:
        """Connect. Raises `StoreError` if the first try fails."""

    @abstractmethod
    async def stop(self) -> None:
        """Let go of the store; what is under way is `Unanswered`."""

    @abstractmethod
    def slot_of(self, key: str) -> int:
        """The slot of a key: what is in one slot is always on one server."""

    @abstractmethod
    def line_at(self, slot: int) -> Line | None:
        """The connection to the server that has a slot now, if there is one. Another one can lead
        to a store that has forgotten what the one before has answered."""

    @abstractmethod
    def send(
        self, packed: bytes, callback: Callback = ignore, skip: int = 0, *, firm: bool = False
    ) -> None:
        """Send packed commands on keys of one slot; `callback` gets the reply after the first
        `skip`. Without a connection it gets `NotSent` at once.

        `firm` is what has to be as durable as was asked for; if that is not known in time the
        answer is `Unanswered`.
        """

    def new_answer(self) -> asyncio.Future[Any]:
        """A future for an answer. Asking for the running loop each time is a system call, in Python
        3.11."""
        return self._loop.create_future()

    def call_raw(self, packed: bytes, *, firm: bool = False) -> asyncio.Future[Any]:
        """Send one packed command now; the future gets what a callback would get."""
        answered = self.new_answer()
        self.send(packed, resolving(answered), firm=firm)
        return answered

    @abstractmethod
    def call_each(self, packed: bytes) -> list[asyncio.Future[Any]]:
        """Send one packed command without a key to every server; each future gets what a callback
        would get."""

    async def call(self, *command: str | bytes | int | float) -> Any:
        """Run one command. Raises `StoreError`; an error of the store's is `StoreRefused`."""
        return checked(await self.call_raw(pack(*command)))


class ServerPipe(Pipe):
    """A connection to one server.

    `reply_timeout_s` is how long an answer may be owed before the connection counts as dead.
    `on_connected` is called each time a connection has been made and greeted.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        name: str,
        reply_timeout_s: float,
        durability: Durability = MEMORY,
        on_connected: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._durability = durability
        self._name = name
        self._reply_timeout_s = reply_timeout_s
        self._on_connected = on_connected
        self._line: Line | None = None
        self._where = endpoint
        self._lost = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Where the server is."""
        return self._endpoint.host, self._endpoint.port

    @property
    def connected(self) -> bool:
        return self._line is not None and not self._line.lost

    @property
    def confirmed_s(self) -> float:
        return self._line.confirmed_s if self._line is not None else float("-inf")

    async def start(self) -> None:
        try:
            self._line = await self._dial()
        except (OSError, TimeoutError) as error:
            said = unreached(error, "does not answer")
            raise StoreError(f"the store at {self._endpoint} {said}") from error
        self._on_connected()
        self._task = asyncio.create_task(self._stay_connected(), name="store-pipe")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._line is not None:
            self._line.abort()

    async def _dial(self) -> Line:
        self._where = await self._primary()
        after_answers = lambda: self.after_answers()  # noqa: E731, PLW0108 - it may change
        line = await connect(
            self._where,
            lambda: Line(self._lost.set, self._durability, after_answers),
            _CONNECT_TIMEOUT_S,
        )
        loop = asyncio.get_running_loop()
        try:
            for command in self._endpoint.greeting(self._name):
                answered: asyncio.Future[Any] = loop.create_future()
                line.send(pack(*command), resolving(answered), 0)
                async with asyncio.timeout(_CONNECT_TIMEOUT_S):
                    reply = await answered
                if isinstance(reply, StoreError):
                    raise reply
                if isinstance(reply, hiredis.ReplyError):
                    raise StoreError(f"the store at {self._endpoint} refused us: {_kind(reply)}")
                if command == ("HELLO",) and (why := self._endpoint.refuses(reply)):
                    raise StoreError(f"the store at {self._endpoint} cannot be written to: {why}")
        except BaseException:
            line.abort()
            raise
        return line

    async def _primary(self) -> Endpoint:
        """The server to write to now. Raises `OSError` if no sentinel knows one."""
        sentinels = self._endpoint.sentinels
        if not sentinels:
            return self._endpoint
        return await self._endpoint.located(_CONNECT_TIMEOUT_S / len(sentinels))

    async def _is_superseded(self) -> bool:
        """Whether the sentinels name another primary than the one we write to. That one may have
        hung for a moment only; it answers until they tell it, and forgets all that it took."""
        if not self._endpoint.sentinels:
            return False
        try:
            return await self._primary() != self._where
        except OSError:
            return False

    async def _stay_connected(self) -> None:
        loop = asyncio.get_running_loop()
        retry_s = _FIRST_RETRY_S
        while True:
            if self._line is not None:
                try:
                    async with asyncio.timeout(min(_LOOK_S, self._reply_timeout_s / 4)):
                        await self._lost.wait()
                    self._lost.clear()
                except TimeoutError:
                    # Of a process that stood still itself, the answers may be here unread.
                    await asyncio.sleep(0)
                    silent_s = self._line.silent_s(loop.time())
                    self._line.stalled = silent_s > self._reply_timeout_s / 2
                    if silent_s > self._reply_timeout_s:
                        log.warning("store_silent", owed_s=self._reply_timeout_s)
                        self._line.abort()
                        await self._lost.wait()
                    elif await self._is_superseded():
                        log.warning("store_superseded", endpoint=str(self._endpoint))
                        self._line.abort()
                        await self._lost.wait()
                if self._line.lost:
                    log.warning("store_lost", endpoint=str(self._endpoint))
                    self._line = None
                continue
            self._lost.clear()
            try:
                self._line = await self._dial()
            except (OSError, TimeoutError, StoreError):
                await asyncio.sleep(retry_s)
                retry_s = min(_LAST_RETRY_S, retry_s * 2)
                continue
            retry_s = _FIRST_RETRY_S
            log.info("store_back", endpoint=str(self._endpoint))
            self._on_connected()

    def slot_of(self, key: str) -> int:
        return 0

    def line_at(self, slot: int) -> Line | None:
        return self._line

    def call_each(self, packed: bytes) -> list[asyncio.Future[Any]]:
        return [self.call_raw(packed)]

    def send(
        self, packed: bytes, callback: Callback = ignore, skip: int = 0, *, firm: bool = False
    ) -> None:
        line = self._line
        if line is None or line.lost:
            callback(NotSent())
        else:
            line.send(packed, callback, skip, firm)


class StoreRefused(StoreError):
    """The store answered with an error; `kind` is its first word (`NOSCRIPT`, `OOM`, ...)."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"the store refused: {kind}")
        self.kind = kind


def lacks_script(reply: Any) -> bool:
    """Whether a script did not run because the store does not know it, as after a restart."""
    return isinstance(reply, hiredis.ReplyError) and _kind(reply) == "NOSCRIPT"


def checked(reply: Any) -> Any:
    """Give the reply, or raise what stands in its place."""
    if isinstance(reply, StoreError):
        raise reply
    if isinstance(reply, hiredis.ReplyError):
        raise StoreRefused(_kind(reply))
    return reply


def _kind(reply: hiredis.ReplyError) -> str:
    # Only the first word: the rest of an error may quote an argument.
    return str(reply).partition(" ")[0]


def resolving(future: asyncio.Future[Any]) -> Callback:
    """A callback that resolves a future, if anybody still waits for it."""

    def resolve(reply: Any) -> None:
        if not future.done():
            future.set_result(reply)

    return resolve
