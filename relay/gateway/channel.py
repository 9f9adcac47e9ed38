"""What a node knows of a channel while one of its parties is attached here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ..core.bars import NO_BARS, Bars
from ..core.body import Body, unpack_body
from ..core.ids import Role
from ..store.log_writer import LogWriter
from ..store.records import ROLE_OF, position, time_ms
from ..vault.binding import Sender
from ..vault.envelope import DataKey, MessageCipher
from ..vault.tags import ReportTags, channel_place
from .connection import Connection
from .entry import Entry
from .screening import Screening

if TYPE_CHECKING:
    from .lease import Lease
    from .posting import Pending


class Channel:
    """A channel as this node serves it: who is attached, and how to read and write its log."""

    __slots__ = (
        "_data_key", "bars", "cipher", "connections", "deadline", "epoch", "got", "key_id",
        "key_present", "lease", "locations", "online", "place", "screening", "seen", "state",
        "told", "trip", "without_log", "writer",
    )  # fmt: skip

    def __init__(
        self, trip: str, epoch: int, state: str, deadline: int, data_key: DataKey, key_id: str,
        lease: Lease,
    ) -> None:  # fmt: skip
        self.trip = trip
        #: Whether what is known of this channel still holds.
        self.lease = lease
        self.state = state
        self.deadline = deadline
        self.connections: dict[Role, Connection] = {}
        #: What the parties are stopped from.
        self.bars = NO_BARS
        #: The other nodes at which a party of this channel is attached.
        self.locations: dict[Role, str] = {}
        self.online: dict[Role, bool] = {}
        #: What the parties have said; whether it counts, the store says.
        self.got: dict[Role, str] = {}
        self.seen: dict[Role, str] = {}
        #: What the peer of each has been told of that.
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
        self.screening = Screening()
        self.got.clear()
        self.seen.clear()
        self.told.clear()

    def learn_bars(self, raw: bytes) -> None:
        """Note the bars as the store has them; it may have none."""
        if raw and raw != self.bars.raw:
            self.bars = Bars(raw)

    def entry(
        self, entry_id: bytes, sender: str, post_id: str, sealed: bytes, tags: ReportTags
    ) -> Entry:
        """Open a message as the log holds it. Raises `Unreadable`."""
        author: Sender = ROLE_OF.get(sender) or "system"
        body = unpack_body(self.cipher.open(author, post_id, sealed))
        return self.entry_of(entry_id, sender, post_id, body, tags)

    def entry_of(
        self, entry_id: bytes, sender: str, post_id: str, body: Body, tags: ReportTags
    ) -> Entry:
        """A message of the log whose body is known."""
        author: Sender = ROLE_OF.get(sender) or "system"
        pos = position(entry_id)
        sign = partial(tags.sign, self.place, pos, post_id, author)
        return Entry(entry_id, pos, time_ms(entry_id), sender, post_id, body, sign(body.text), sign)
