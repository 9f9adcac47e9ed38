"""What an application posts and what it is told. Plain values; nothing here acts.

No `repr` shows a text, a place or which quick reply it is: these values end up in logs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final, TypeAlias

from ..core.phrases import QUICK_REPLIES

#: What fits into a frame of 16 KiB whatever the relay's own limit is. A longer one would cost the
#: connection.
MAX_TEXT_BYTES: Final = 16_000

_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")


class ChannelState(StrEnum):
    """How the channel stands, for the application's display."""

    CONNECTING = "connecting"
    """A connection is being opened and attached."""
    RESUMING = "resuming"
    """Attached; the relay replays what was missed."""
    ATTACHED = "attached"
    """Attached and up to date."""
    SUSPENDED = "suspended"
    """No connection; the next try comes after a delay. Posts wait in the outbox."""
    CLOSED = "closed"
    """Over; `Channel.closed` tells why."""


@dataclass(frozen=True, slots=True)
class Post:
    """A message of this app: the identity it got here, and its content as the person meant it."""

    id: str
    text: str | None = field(repr=False)
    kind: str = "text"
    lat: float | None = field(default=None, repr=False)
    lon: float | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)

    def check(self) -> None:
        """Raise `ValueError` for what no relay can take. It does not repeat the content."""
        if self.kind == "quick":
            if self.key not in QUICK_REPLIES:
                words = f"there is no such quick reply; use one of {', '.join(QUICK_REPLIES)}"
                raise ValueError(words)
            return
        if self.kind == "location":
            place = (self.lat, 90.0), (self.lon, 180.0)
            if not all(value is not None and abs(value) <= limit for value, limit in place):
                words = "a place has a latitude of -90 to 90 and a longitude of -180 to 180 degrees"
                raise ValueError(words)
            if not self.text:
                return
        text = self.text or ""
        if not text.strip():
            words = "the text is empty"
        elif _CONTROL.search(text):
            words = "the text holds a control character other than line feed and tab"
        elif _SURROGATE.search(text):
            words = "the text holds half a character and cannot be written as UTF-8"
        elif len(text.encode()) > MAX_TEXT_BYTES:
            words = f"the text is longer than {MAX_TEXT_BYTES} bytes"
        else:
            return
        raise ValueError(words)

    def altered(self, message: Message) -> str | None:
        """The text of this post's `message`, if that is not what was posted.

        What the relay fills in (a quick reply's sentence, the coordinates of a place without a
        label) is no alteration.
        """
        if message.kind == self.kind and not self.text:
            return None
        return None if message.text == self.text else message.text


@dataclass(frozen=True, slots=True)
class Finding:
    """That the relay's guard found something in a post: never what.

    `finding_class` is `number`, `link`, `email`, `handle`, `account`, `otp_request`, `otp_code`,
    `call_forward`, `solicit`, or one of a later version. `rule` names what recognised it; `length`
    is how many characters of the posted text it spans, 0 if it is not in particular ones.
    """

    finding_class: str
    rule: str
    length: int


@dataclass(frozen=True, slots=True)
class Message:
    """A message out of the channel's log; each comes once, in the order of the log.

    `sender` is `peer`, `you` (posted by this party on another install, or before this one
    remembered anything) or `system`. For a `kind` you do not know show `text`. Keep `tag` with the
    message: it proves that the relay delivered this text.

    Show `notices`, hints for the person's safety, with the message. `key` names the sentence of a
    quick reply or of a message of the platform's; `text` is that sentence in this party's language.
    """

    epoch: int
    pos: str
    id: str
    sender: str
    at_ms: int
    kind: str
    text: str = field(repr=False)
    tag: str = field(repr=False)
    lat: float | None = field(default=None, repr=False)
    lon: float | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    notices: tuple[str, ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The relay has stored the post. The peer will get it while the channel is open.

    `text` is the message as the peer sees it, if the relay's guard changed it, and `findings` say
    why; a finding without a `text` was let through, with a hint to the peer. Tell the person. If
    the answer was lost with a connection, `text` is known from the log, `findings` from nowhere.

    A second one for the same id has a new `pos` and `tag`: the store had lost the message (a
    failover) and the SDK posted it again, as it was written.
    """

    id: str
    pos: str
    at_ms: int
    tag: str = field(repr=False)
    text: str | None = field(default=None, repr=False)
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class Refused:
    """The relay will not carry the post; this is final. `message` is for people.

    `findings` tell what the guard does not let through where `code` is `blocked`.
    """

    id: str
    code: str
    message: str
    post: Post
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class PeerGot:
    """The peer's device has everything up to `pos`; `ids` are the posts this newly confirms."""

    pos: str
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PeerSeen:
    """The person opposite has read everything up to `pos`."""

    pos: str


@dataclass(frozen=True, slots=True)
class Typing:
    """The peer is typing, or has stopped.

    Forget it at the peer's next message, when the peer goes offline, or after 10 s.
    """

    on: bool


@dataclass(frozen=True, slots=True)
class Presence:
    """The peer attached or dropped."""

    online: bool


@dataclass(frozen=True, slots=True)
class StateChanged:
    """`grace`: the trip has ended and the channel closes at `deadline_ms`; `open`: it moved;
    `suspended`: nothing comes through for now, until `open` or `grace` comes."""

    state: str
    deadline_ms: int


@dataclass(frozen=True, slots=True)
class Attached:
    """A connection is attached. Comes at each connection; `state` is `open` or `grace`."""

    trip: str
    role: str
    epoch: int
    state: str
    deadline_ms: int
    alias: str
    online: bool

    def after(self, event: Event) -> Attached:
        """The same as it stands after `event`."""
        match event:
            case Reassigned():
                online = self.online and event.epoch == self.epoch
                return replace(self, epoch=event.epoch, alias=event.alias, online=online)
            case StateChanged():
                return replace(self, state=event.state, deadline_ms=event.deadline_ms)
            case Presence():
                return replace(self, online=event.online)
        return self


@dataclass(frozen=True, slots=True)
class Reassigned:
    """Another party sits opposite now, and the log starts anew.

    `undelivered` is no longer in the outbox and reaches nobody: ask the person before posting it
    to the new peer. One whose answer was still on its way may have reached the earlier peer.
    """

    epoch: int
    alias: str
    undelivered: tuple[Post, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """The relay did not act on a frame of ours; the connection stays. A matter for logs."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """`Channel.state` changed. `retry_in_s` and `cause` are told when it is `SUSPENDED`."""

    state: ChannelState
    retry_in_s: float | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """The last event.

    `reason` is one of the channel's (`ended`, `expired`, `closed`, `reassigned`), or why this app
    has to stop while the channel may live on (`taken_over`, `bad_token`, `token_expired`,
    `bad_frame`, `unsupported`, ...; `left` if the application itself left). `code` is the close
    code, where there is one.

    `undelivered`: posts that are no longer in the outbox and will reach nobody from now on; one
    whose answer or receipt was still on its way, or was lost with the relay's store, may have
    arrived. `undelivered_ids`: ids that the relay reports beyond these, posted by an install whose
    outbox this is not. `kept`: posts that stay in the storage, for the next `connect` with it.
    """

    reason: str
    code: int | None
    undelivered: tuple[Post, ...] = ()
    undelivered_ids: tuple[str, ...] = ()
    kept: tuple[Post, ...] = ()


Event: TypeAlias = (
    Message
    | Accepted
    | Refused
    | PeerGot
    | PeerSeen
    | Typing
    | Presence
    | StateChanged
    | Attached
    | Reassigned
    | Problem
    | ConnectionChanged
    | Closed
)
