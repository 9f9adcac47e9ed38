"""The Python SDK: one party's side of a trip's channel.

    async with connect(url, token, storage=FileStorage("trip-17.relay")) as channel:
        delivery = await channel.post("I am at the gate")
        async for event in channel:
            match event:
                case Message(sender="peer", text=text, notices=notices):
                    print(text, *notices, sep="\n")
                case Closed(reason=reason):
                    print("over:", reason)

Needs `websockets` and `msgpack`. It reconnects, resumes, repeats what may not have arrived and
drops what came before, so that each message comes once and in order; PROTOCOL.md tells how. Use a
`wss://` address in production: the token crosses the connection.
"""

from __future__ import annotations

import random
import ssl
import uuid
from collections.abc import Callable, Sequence

from ..core.casework import Category
from ..core.phrases import QUICK_REPLIES
from .channel import Channel
from .connection import Token, TokenSource
from .delivery import Delivery
from .errors import (
    AttachRefused,
    ChannelClosed,
    HandedBack,
    OutboxFull,
    PostRefused,
    RelayError,
    ReportRefused,
    StorageError,
)
from .events import (
    Accepted,
    Attached,
    ChannelState,
    Closed,
    ConnectionChanged,
    Event,
    Finding,
    Message,
    PeerGot,
    PeerSeen,
    Post,
    Presence,
    Problem,
    Reassigned,
    Refused,
    StateChanged,
    Typing,
)
from .reporting import send_report
from .reports import report_frame
from .storage import FileStorage, MemoryStorage, Storage
from .wire import check_url

__all__ = [
    "QUICK_REPLIES",
    "Accepted",
    "AttachRefused",
    "Attached",
    "Category",
    "Channel",
    "ChannelClosed",
    "ChannelState",
    "Closed",
    "ConnectionChanged",
    "Delivery",
    "Event",
    "FileStorage",
    "Finding",
    "HandedBack",
    "MemoryStorage",
    "Message",
    "OutboxFull",
    "PeerGot",
    "PeerSeen",
    "Post",
    "PostRefused",
    "Presence",
    "Problem",
    "Reassigned",
    "Refused",
    "RelayError",
    "ReportRefused",
    "StateChanged",
    "Storage",
    "StorageError",
    "Typing",
    "connect",
    "report",
]


def connect(
    url: str,
    token: TokenSource,
    *,
    storage: Storage | None = None,
    app: str = "",
    auto_got: bool = True,
    in_flight: int = 1,
    tls: ssl.SSLContext | None = None,
    rng: Callable[[], float] = random.random,
) -> Channel:
    """A party's channel, to be used with `async with`.

    It connects in the background, so entering succeeds without a network; posts wait in the outbox.

    `url` is the gateway's address (`wss://host/v1/channel`). `token` is the party's token, or a
    callable, plain or async, that fetches one: only then an expired token can be replaced.
    `storage` keeps position and outbox between runs; without one both end with the process, and
    the next run is given all messages again. `app` is the app's name and version, for the
    operators' statistics.

    With `auto_got` off, call `Channel.got` when a message is stored or shown. `in_flight` is how
    many posts may be unanswered at a time, up to what the relay allows. With one, posts keep their
    order whatever happens, but for quick replies, which pass texts that wait for the relay's guard;
    with more they are faster on a slow network, but one that the relay
    puts off can end up behind younger ones that were on their way. `tls` replaces the default TLS
    context of a `wss://` address. `rng` draws the jitter of the delays, from [0, 1).

    Raises `ValueError` for an `url` that is no WebSocket address. Entering raises what
    `storage.load` raises, or `StorageError` if that is no state of this SDK.
    """
    is_secure = check_url(url)
    if tls is not None and not is_secure:
        words = "a TLS context needs an address that begins with wss://"
        raise ValueError(words)
    if in_flight < 1:
        words = "at least one post must be allowed in flight"
        raise ValueError(words)
    return Channel(
        url,
        token,
        MemoryStorage() if storage is None else storage,
        app=app,
        auto_got=auto_got,
        in_flight=in_flight,
        tls=tls,
        rng=rng,
    )


async def report(
    url: str,
    token: TokenSource,
    category: Category | str,
    *,
    note: str = "",
    messages: Sequence[Message] = (),
    block: bool = False,
    report_id: str | None = None,
    tls: ssl.SSLContext | None = None,
    rng: Callable[[], float] = random.random,
) -> None:
    """Report the other party of a trip without a channel: after the close, or beside one.

    `messages` are as the channel gave them, kept by the app. `report_id` makes it the same report
    if an app that was killed sends it again (a random id if left out). The rest is as in `connect`
    and `Channel.report`, also what it raises: `ReportRefused`, `AttachRefused`, `ValueError`. It
    tries until the relay has answered; bound it with `asyncio.timeout`.
    """
    check_url(url)
    frame = report_frame(report_id or str(uuid.uuid4()), category, note, messages, block=block)
    await send_report(url, Token(token), frame, tls=tls, rng=rng)
