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
from collections.abc import Callable

from ..core.phrases import QUICK_REPLIES
from .channel import Channel
from .connection import TokenSource
from .delivery import Delivery
from .errors import (
    AttachRefused,
    ChannelClosed,
    HandedBack,
    OutboxFull,
    PostRefused,
    RelayError,
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
from .storage import FileStorage, MemoryStorage, Storage
from .wire import check_url

__all__ = [
    "QUICK_REPLIES",
    "Accepted",
    "AttachRefused",
    "Attached",
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
    "StateChanged",
    "Storage",
    "StorageError",
    "Typing",
    "connect",
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
