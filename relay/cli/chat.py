"""`relay chat`: a party of a trip in a terminal or a pipe, on the SDK that an app would use."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ..client import (
    Channel,
    ChannelClosed,
    ChannelState,
    ConnectionChanged,
    Delivery,
    Event,
    HandedBack,
    Message,
    OutboxFull,
    PostRefused,
    Reassigned,
    ReportRefused,
    connect,
)
from .chat_input import (
    Leave,
    ListQuick,
    Place,
    Quick,
    Quit,
    ReportPeer,
    Say,
    Wrong,
    command_of,
    lines,
    texts,
)
from .chat_lines import JsonLines, PlainLines, View
from .chat_screen import Screen, is_usable
from .confidential import secret
from .output import MISUSED, REFUSED, err, fail
from .versions import relay_version
from .words import count_of

DEFAULT_GATEWAY: Final = "ws://127.0.0.1:8700/v1/channel"

#: A pipe that is through gives up after so long without a connection; a person need not.
_GIVE_UP_S: Final = 20.0
_LAST_WORDS_S: Final = 2.0
_LOOK_S: Final = 0.5
_TYPING_AGAIN_S: Final = 3.0

#: A report takes so many of the last messages of the other party with it.
_REPORTED: Final = 5

#: An end that is nobody's fault.
_ORDERLY: Final = frozenset({"ended", "expired", "closed", "reassigned", "left"})


def chat(
    url: Annotated[
        str,
        typer.Option(
            envvar="RELAY_GATEWAY_URL", metavar="URL", help="the gateway, ws:// or wss://"
        ),
    ] = DEFAULT_GATEWAY,
    token_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="file with the party's token; without it the token is taken from RELAY_TOKEN, or "
            "asked for without echo",
        ),
    ] = None,
    linger_s: Annotated[
        float,
        typer.Option(
            min=0,
            metavar="S",
            help="at the end of piped input: how long to wait for what comes back",
        ),
    ] = 2.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="one JSON object for each event, one a line")
    ] = False,
) -> None:
    """Take part in a trip's channel from a terminal or a pipe.

    On a terminal: what you type is posted at Enter; beside it stands how far it has come: ◌ waits,
    ✓ the relay has it, ✓✓ the other phone has it, then that it was seen; below it, what the other
    side sees if the relay took something out. `/loc LAT LON [LABEL]` posts a place, `/quick` lists
    the quick replies and `/quick KEY` posts one, which the other side reads in its own language;
    `/report CATEGORY [NOTE]` reports what the other side wrote last to the operators (threat,
    harassment, asked_contact, otp_fraud, payment_outside or other); `/quit` or Ctrl-D leaves.

    In a pipe each line of input is posted and each event is one line. At the end of the input it
    waits until all is accepted, then --linger-s for answers, and leaves with 0; with 1 if anything
    was not accepted:

    \b
      printf 'halo\\n' | relay chat --token-file customer.token
    """
    token = secret(
        "token", option="--token-file", file=token_file, variable="RELAY_TOKEN", ask=True
    )
    try:
        channel = connect(url, token, app=f"relay chat {relay_version()}")
    except ValueError as error:
        fail(f"--url: {error}", MISUSED)
    if not as_json and is_usable():
        went_well = asyncio.run(_at_terminal(channel))
    else:
        view = JsonLines(_write) if as_json else PlainLines(_write)
        went_well = asyncio.run(_in_pipe(channel, view, linger_s))
    if not went_well:
        raise typer.Exit(REFUSED)


def _write(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class _Chat:
    """One run: posts what is asked for, shows what comes."""

    def __init__(self, channel: Channel, view: View) -> None:
        self.channel = channel
        self._view = view
        self._deliveries: list[Delivery] = []
        self._reports: set[asyncio.Task[None]] = set()
        self._theirs: deque[Message] = deque(maxlen=_REPORTED)
        self._caught_up = asyncio.Event()
        self.complaints = 0
        self._asked_to_leave = asyncio.Event()

    async def do(self, line: str) -> bool:
        """Do what a line asks for. False if that is to leave."""
        match command_of(line):
            case Say(text=text):
                await self._post(self.channel.post(text))
            case Place(lat=lat, lon=lon, label=label):
                await self._post(self.channel.post_location(lat, lon, label or None))
            case Quick(key=key):
                await self._post(self.channel.post_quick(key))
            case ReportPeer(category=category, note=note):
                # Other lines need not wait until the relay has answered.
                self._reports.add(asyncio.create_task(self._report(category, note)))
            case ListQuick():
                self._view.list_quick_replies()
            case Wrong(text=text):
                self._complain(text)
            case Quit():
                return False
        return True

    async def _post(self, posting: Coroutine[Any, Any, Delivery]) -> None:
        try:
            delivery = await posting
        except (ValueError, OutboxFull, ChannelClosed) as error:
            self._complain(f"not posted: {error}")
        else:
            self._deliveries.append(delivery)
            self._view.posted(delivery.post)

    async def _report(self, category: str, note: str) -> None:
        await self._caught_up.wait()  # what is meant may be on its way
        messages = tuple(self._theirs)
        try:
            await self.channel.report(category, note=note, messages=messages)
        except (ValueError, ReportRefused, ChannelClosed) as error:
            self._complain(f"not reported: {error}")
        else:
            self._view.reported(len(messages))

    def _complain(self, text: str) -> None:
        self.complaints += 1
        self._view.complain(text)

    async def show_events(self) -> None:
        """Show what comes until the channel is over."""
        async for event in self.channel:
            self._view.show(event)
            self._note(event)
            if isinstance(event, Message) and event.sender != "you":
                await self.channel.seen(event)

        self._caught_up.set()

    def _note(self, event: Event) -> None:
        match event:
            case Message(sender="peer"):
                self._theirs.append(event)
            case Reassigned():
                self._theirs.clear()
            case ConnectionChanged(state=ChannelState.ATTACHED):
                self._caught_up.set()

    async def all_answered(self) -> int:
        """Wait until it is known what became of every post; give how many were not accepted."""
        with contextlib.suppress(ChannelClosed):
            await self.channel.wait_attached()
        refused = 0
        for delivery in self._deliveries:
            try:
                await delivery.accepted()
            except (PostRefused, HandedBack, ChannelClosed):
                refused += 1
        if self._reports:
            await asyncio.wait(self._reports)
        return refused

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[asyncio.Task[None], asyncio.Task[Any]]]:
        """Connected, with a task that shows events and one that ends at a signal to leave."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._asked_to_leave.set)
        async with self.channel:
            showing = asyncio.create_task(self.show_events())
            leaving = asyncio.create_task(self._asked_to_leave.wait())
            try:
                yield showing, leaving
            finally:
                if self._reports and not leaving.done():
                    await asyncio.wait(self._reports, timeout=_LAST_WORDS_S)
                await _ended(leaving)
                await _ended(showing)
                for reporting in self._reports:
                    await _ended(reporting)

    async def went_well(self) -> bool:
        """Say what was not accepted. To be asked when the channel has been left."""
        lost = await self.all_answered()
        if lost:
            err.print(f"relay: {count_of(lost, 'message')} not accepted")
        closed = self.channel.closed
        return not lost and (closed is None or closed.reason in _ORDERLY)


async def _ended(task: asyncio.Task[Any]) -> None:
    """End a task; raise what it has failed with."""
    task.cancel()
    await asyncio.wait((task,))
    if not task.cancelled():
        task.result()


async def _at_terminal(channel: Channel) -> bool:
    screen = Screen()
    chat = _Chat(channel, screen)
    with screen.on_terminal():
        async with chat.running() as (showing, leaving):
            keys = asyncio.create_task(_take_keys(chat, screen))
            await asyncio.wait((showing, leaving, keys), return_when=asyncio.FIRST_COMPLETED)
            await _ended(keys)
            answering = asyncio.create_task(chat.all_answered())
            await asyncio.wait(
                (answering, showing, leaving),
                timeout=_LAST_WORDS_S, return_when=asyncio.FIRST_COMPLETED,
            )  # fmt: skip
            await _ended(answering)
    return await chat.went_well()


async def _take_keys(chat: _Chat, screen: Screen) -> None:
    """Take keys until the person leaves; tell the peer that something is being written."""
    said_at_s: float | None = None
    loop = asyncio.get_running_loop()
    async for typed in texts(sys.stdin.fileno()):
        for asked in screen.editor.feed(typed):
            if isinstance(asked, Leave):
                return
            said_at_s = None  # the message itself says that it is written
            if not await chat.do(asked.line):
                return
        screen.changed()
        is_writing = bool(screen.editor.text) and not screen.editor.text.startswith("/")
        if is_writing and (said_at_s is None or loop.time() - said_at_s > _TYPING_AGAIN_S):
            said_at_s = loop.time()
            await chat.channel.typing(True)
        elif not screen.editor.text and said_at_s is not None:
            said_at_s = None
            await chat.channel.typing(False)


async def _in_pipe(channel: Channel, view: View, linger_s: float) -> bool:
    chat = _Chat(channel, view)
    async with chat.running() as (showing, leaving):
        reading = asyncio.create_task(_read(chat))
        await asyncio.wait((showing, leaving, reading), return_when=asyncio.FIRST_COMPLETED)
        at_end = reading.done()
        await _ended(reading)
        if at_end:
            answering = asyncio.create_task(chat.all_answered())
            await _until_answered(channel, answering, showing, leaving)
            if answering.done() and not reading.result():
                await asyncio.wait(
                    (showing, leaving), timeout=linger_s, return_when=asyncio.FIRST_COMPLETED
                )
            await _ended(answering)
    return await chat.went_well() and not chat.complaints


async def _read(chat: _Chat) -> bool:
    """Do what the lines of the input ask for, to its end or until one says to leave: then True."""
    async for line in lines(sys.stdin.fileno()):
        if not await chat.do(line):
            return True
    return False


async def _until_answered(
    channel: Channel, answering: asyncio.Task[int], *others: asyncio.Task[Any]
) -> None:
    """Wait for the relay's answers; give up when there has been no connection for too long."""
    loop = asyncio.get_running_loop()
    connected_at_s = loop.time()
    while True:
        done, _ = await asyncio.wait(
            (answering, *others), timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED
        )
        if done:
            return
        if channel.state in (ChannelState.ATTACHED, ChannelState.RESUMING):
            connected_at_s = loop.time()
        elif loop.time() - connected_at_s > _GIVE_UP_S:
            err.print(
                f"relay: the gateway could not be reached for {_GIVE_UP_S:.0f} s, so what was not "
                "accepted is lost. See whether the relay runs, and check --url."
            )
            return
