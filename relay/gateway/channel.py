"""What a node knows of a channel while one of its parties is attached here."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from ..core.body import Body, unpack_body
from ..core.frames import Message
from ..core.ids import Role
from ..store.store import ROLE_OF, LogWriter, position, time_ms
from ..vault.binding import Sender
from ..vault.envelope import DataKey, MessageCipher, Unreadable
from ..vault.tags import ReportTags, channel_place
from .connection import Connection

if TYPE_CHECKING:
    from .posting import Pending

#: What a stored message that is damaged raises when it is opened.
UNREADABLE: Final = (Unreadable, ValueError, struct.error)


class Entry(NamedTuple):
    """One message of the log. `sender` is the letter it is stored under; see `addressed_to`."""

    id: bytes
    sender: str
    post_id: str
    body: Body
    tag: str

    def addressed_to(self, role: Role) -> bool:
        """Whether `role` is to be shown it: what a party wrote and, of the platform's messages,
        those for both or for this role."""
        return self.sender[0] != "s" or self.sender in ("s", "s" + role.letter)

    def frame_for(self, role: Role) -> Message:
        """The message as `role` is told."""
        if self.sender[0] == "s":
            sender = "system"
        else:
            sender = "you" if self.sender == role.letter else "peer"
        kind, text, lat, lon = self.body
        return Message(
            position(self.id),
            self.post_id,
            sender,
            time_ms(self.id),
            kind,
            text,
            self.tag,
            lat,
            lon,
        )


class Channel:
    """A channel as this node serves it: who is attached, and how to read and write its log."""

    __slots__ = (
        "_data_key", "cipher", "connections", "deadline", "epoch", "got", "key_id",
        "key_present", "locations", "online", "place", "seen", "state", "told", "trip",
        "without_log", "writer",
    )  # fmt: skip

    def __init__(
        self, trip: str, epoch: int, state: str, deadline: int, data_key: DataKey, key_id: str
    ) -> None:
        self.trip = trip
        self.state = state
        self.deadline = deadline
        self.connections: dict[Role, Connection] = {}
        #: The other nodes at which a party of this channel is attached.
        self.locations: dict[Role, str] = {}
        self.online: dict[Role, bool] = {}
        self.got: dict[Role, str] = {}
        self.seen: dict[Role, str] = {}
        #: What of `got` and `seen` the peer has been told.
        self.told: dict[Role, tuple[str, str]] = {}
        #: Posts that found no log to be written to, until it is known why.
        self.without_log: list[Pending] = []
        self._data_key = data_key
        #: The ring's key that wraps this channel's, and whether the ring still has it.
        self.key_id = key_id
        self.key_present = True
        self.begin_epoch(epoch)

    def begin_epoch(self, epoch: int) -> None:
        """Turn to the log of `epoch`; nothing of the one before stays."""
        self.epoch = epoch
        self.cipher = MessageCipher(self._data_key, trip=self.trip, epoch=epoch)
        self.writer = LogWriter(self.trip, epoch)
        self.place = channel_place(self.trip, epoch)
        self.got.clear()
        self.seen.clear()
        self.told.clear()

    def entry(
        self, entry_id: bytes, sender: str, post_id: str, sealed: bytes, tags: ReportTags
    ) -> Entry:
        """Open a message as the log holds it. Raises `Unreadable`."""
        author: Sender = ROLE_OF.get(sender) or "system"
        body = unpack_body(self.cipher.open(author, post_id, sealed))
        tag = tags.sign(self.place, position(entry_id), post_id, author, body.text)
        return Entry(entry_id, sender, post_id, body, tag)
