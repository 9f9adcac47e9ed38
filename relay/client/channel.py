"""A trip's channel as an application sees it."""

from __future__ import annotations

import asyncio
import logging
import secrets
import ssl
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Final, Self

from ..core.casework import Category
from .connection import Token, TokenSource
from .conversation import Conversation
from .delivery import Deliveries, Delivery
from .errors import AttachRefused, ChannelClosed, ReportRefused, StorageError
from .events import Attached, ChannelState, Closed, ConnectionChanged, Event, Message, Post
from .link import Link
from .reporting import send_report
from .reports import Answer, report_frame
from .state import SavedState
from .storage import Storage

#: So many events may wait for the application; then nothing more is read from the socket, and if
#: it stays so the relay ends the connection (4001), which loses nothing.
MAX_WAITING: Final = 1000

_log = logging.getLogger(__name__)


class Channel:
    """Made by `connect`; use it with `async with`, and iterate over what comes.

    Posts, receipts and the iterator work whether or not there is a connection. One task iterates.
    A message counts as processed when the next event is asked for, or the `async with` is left
    without an exception; only then the sender learns that this device has it, and only then the
    storage knows it. Go on iterating: after 1,000 events that nobody took the channel stands still.
    """

    def __init__(
        self,
        url: str,
        token: TokenSource,
        storage: Storage,
        *,
        app: str,
        auto_got: bool,
        in_flight: int,
        tls: ssl.SSLContext | None,
        rng: Callable[[], float],
    ) -> None:
        self._url = url
        self._token = Token(token)
        self._storage = storage
        self._app = app
        self._auto_got = auto_got
        self._in_flight = in_flight
        self._tls = tls
        self._rng = rng
        self._conversation: Conversation | None = None
        self._link: Link | None = None
        self._runner: asyncio.Task[None] | None = None
        self._state = ChannelState.CONNECTING
        self._attached: Attached | None = None
        self._deliveries = Deliveries()
        #: None in place of an answer tells that the channel is over.
        self._reports: set[asyncio.Future[Answer | None]] = set()
        self._events: deque[Event] = deque()
        self._last: Event | None = None  # handed out, and not known to be processed
        self._failure: BaseException | None = None
        self._over = False  # nothing will be added to `_events` any more
        self._came = asyncio.Event()  # an event for the application
        self._room = asyncio.Event()  # the application took one
        self._decided = asyncio.Event()  # attached, or never to be
        self._saving = asyncio.Lock()
        self._storage_failed = False

    def __repr__(self) -> str:
        return f"<relay.client.Channel {self._state}>"

    # --- for the application --------------------------------------------------------------------

    @property
    def state(self) -> ChannelState:
        """How the channel stands."""
        return self._state

    @property
    def closed(self) -> Closed | None:
        """Why the channel is over, once it is."""
        return None if self._conversation is None else self._conversation.ledger.closed

    @property
    def outbox(self) -> tuple[Post, ...]:
        """The posts that the peer's device has not confirmed, oldest first."""
        conversation, _ = self._entered()
        return tuple(conversation.ledger.outbox.posts())

    @property
    def attached(self) -> Attached | None:
        """The channel and the peer as the relay last told: alias, online, deadline, ..."""
        return self._attached

    async def wait_attached(self) -> Attached:
        """Wait until the channel has been attached once. Raises `AttachRefused`."""
        await self._decided.wait()
        if self._attached is None:
            self._raise_failure()
            assert self.closed is not None
            raise AttachRefused(self.closed)
        return self._attached

    async def post(self, text: str) -> Delivery:
        """Put a text into the outbox. Returns when the storage has it, not when it was sent.

        1 byte to `limits.text_bytes` (2,000 by default) of UTF-8, not only white space, no control
        characters but line feed and tab (CR LF becomes LF). Raises `ValueError`, `ChannelClosed`,
        `OutboxFull` or `StorageError`; the post was not taken then, nor if this call is cancelled.
        """
        return await self._post(Post(str(uuid.uuid4()), _lines(text)))

    async def post_location(self, lat: float, lon: float, text: str | None = None) -> Delivery:
        """Put a place (degrees), with a label or without, into the outbox. As `post`."""
        post = Post(str(uuid.uuid4()), text and _lines(text), "location", float(lat), float(lon))
        return await self._post(post)

    async def post_quick(self, key: str) -> Delivery:
        """Put a quick reply, by its key in `QUICK_REPLIES`, into the outbox. As `post`.

        The peer gets the sentence in its own language. It needs no check by the relay's guard, so
        it goes past texts that wait because the guard is away.
        """
        return await self._post(Post(str(uuid.uuid4()), None, "quick", key=key))

    async def _post(self, post: Post) -> Delivery:
        post.check()
        conversation, link = self._entered()
        self._raise_failure()
        ledger = conversation.ledger
        if ledger.closed is not None:
            raise ChannelClosed(ledger.closed)
        ledger.post(post)
        delivery = self._deliveries.add(post)
        try:
            await self._save()
        except BaseException as error:
            ledger.withdraw(post.id)
            self._deliveries.discard(post.id)
            if isinstance(error, Exception):
                words = f"The post was not taken: the storage failed ({type(error).__name__})."
                raise StorageError(words) from error
            raise
        for event in ledger.release(post.id):
            self.tell(event)
        link.wake()
        return delivery

    async def got(self, message: Message) -> None:
        """Say that this device has everything up to `message` (it does so itself by default)."""
        conversation, link = self._entered()
        conversation.ledger.got(message)
        link.wake()

    async def seen(self, message: Message) -> None:
        """Say that the person has read everything up to `message`; `got` goes with it."""
        conversation, link = self._entered()
        conversation.ledger.seen(message)
        link.wake()

    async def typing(self, on: bool) -> None:
        """Tell the peer, if both are attached now."""
        conversation, link = self._entered()
        conversation.typing(on)
        link.wake()

    async def report(
        self,
        category: Category | str,
        *,
        note: str = "",
        messages: Sequence[Message] = (),
        block: bool = False,
    ) -> None:
        """Report the other party to the operators of the service; it is not told.

        `messages` are those that are meant, as they came, all of one `epoch`; without any it is the
        last ones. With `block` this party hears no more of the other, who sees a closed channel.

        Returns when the relay has taken it, however long that takes, also if the channel closes
        meanwhile or is closed already: then it goes by a connection of its own. Raises
        `ReportRefused`; `AttachRefused` if the time for reports is over; `ValueError`, with nothing
        of what was given, for what no relay can take.
        """
        frame = report_frame(str(uuid.uuid4()), category, note, messages, block=block)
        conversation, link = self._entered()
        self._raise_failure()
        reports = conversation.ledger.reports
        if not self._over:
            answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

            def settle(answer: Answer) -> None:
                if not answered.done():
                    answered.set_result(answer)

            self._reports.add(answered)
            reports.add(frame, settle)
            link.wake()
            try:
                answer = await answered
            finally:
                self._reports.discard(answered)
                reports.withdraw(frame["id"])
            if answer is not None:
                if answer.code:
                    raise ReportRefused(answer.code, answer.message)
                return
            self._raise_failure()
        await send_report(self._url, self._token, frame, tls=self._tls, rng=self._rng)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        self._entered()
        self._take_last()
        while not self._events:
            self._raise_failure()
            if self._over:
                raise StopAsyncIteration
            self._came.clear()
            await self._came.wait()
        self._last = self._events.popleft()
        self._room.set()
        return self._last

    def _take_last(self) -> None:
        conversation, link = self._entered()
        if self._last is not None:
            conversation.ledger.taken(self._last)
            self._last = None
            link.wake()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    # --- for the link ---------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """Queue an event."""
        match event:
            case ConnectionChanged():
                self._state = event.state
                if self._events and isinstance(self._events[-1], ConnectionChanged):
                    self._events.pop()  # only the last of a row is of interest
            case Attached():
                self._attached = event
                self._decided.set()
            case Closed():
                self._end()
        if self._attached is not None:
            self._attached = self._attached.after(event)
        self._deliveries.settle(event)
        self._events.append(event)
        self._came.set()

    async def has_room(self) -> None:
        """Wait while too many events are queued."""
        while len(self._events) >= MAX_WAITING:
            self._room.clear()
            await self._room.wait()

    async def save(self) -> None:
        """Save what has changed. What fails is tried again at the next change."""
        try:
            await self._save()
        except Exception as error:  # noqa: BLE001 - the application's code
            # What is not saved is known to the relay too, or comes twice after a restart.
            if not self._storage_failed:
                _log.warning("the storage fails (%s); the channel goes on", type(error).__name__)
            self._storage_failed = True
        else:
            self._storage_failed = False

    async def _save(self) -> None:
        conversation, _ = self._entered()
        async with self._saving:
            ledger = conversation.ledger
            if ledger.changed:
                ledger.changed = False
                try:
                    await self._storage.save(ledger.saved().to_bytes())
                except BaseException:
                    ledger.changed = True
                    raise

    # --- life -----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._conversation is not None:
            words = "a channel is entered only once; call connect() again"
            raise RuntimeError(words)
        data = await self._storage.load()
        saved = SavedState(secrets.token_urlsafe(16)) if data is None else SavedState.read(data)
        self._conversation = Conversation(saved, in_flight=self._in_flight, auto_got=self._auto_got)
        self._link = Link(
            self._url,
            self._token,
            self._conversation,
            self,
            app=self._app,
            tls=self._tls,
            rng=self._rng,
        )
        for event in self._conversation.ledger.untold():
            self.tell(event)
        self._runner = asyncio.create_task(self._run(self._link), name="relay.client")
        return self

    def _entered(self) -> tuple[Conversation, Link]:
        if self._conversation is None or self._link is None:
            words = "use the channel inside `async with`"
            raise RuntimeError(words)
        return self._conversation, self._link

    async def _run(self, link: Link) -> None:
        try:
            await link.run()
        except Exception as failure:  # noqa: BLE001 - a bug; the application gets it at its next call
            self._failure = failure
            self._deliveries.fail(failure)
            self._end()

    def _end(self) -> None:
        self._over = True
        self._state = ChannelState.CLOSED
        self._came.set()
        self._decided.set()
        for answered in self._reports:
            if not answered.done():
                answered.set_result(None)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        conversation, link = self._entered()
        assert self._runner is not None
        try:
            if kind is None:
                self._take_last()
                await self.save()
                await link.send_signals()
        finally:
            self._runner.cancel()
            await asyncio.wait([self._runner])
            if conversation.ledger.closed is None:
                self._deliveries.settle(conversation.stop("left", None))
            self._end()
            await self.save()


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n")
