"""Which messages are new, and how far this device has come. Pure.

A message comes again when the relay replays what follows an old position, replays everything
because its store lost that position or a whole reassignment, or when the sender posts again what
the store lost. So each is known by its key (epoch, sender and id), not by its position.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from .frames import Frame

#: How many keys are remembered. Two kinds can come again: what is in the log, at most 2,000
#: messages for one pairing, and what the store lost while its sender still keeps it. A key that
#: comes again counts as new in this order, so one is forgotten only when 4,096 others came after
#: it: more than a full log, and as many lost as another full log would hold.
MAX_KNOWN: Final = 4096


def key_of(epoch: int, sender: str, message_id: str) -> str:
    """What identifies a message within a trip: another party may use the same ids."""
    return f"{epoch}/{sender}/{message_id}"


def _id_of(key: str) -> str:
    return key.split("/", 2)[2]


@dataclass(slots=True)
class _Arrival:
    """A message that waits for the application, or (`key` None) the repetition of a known one."""

    key: str | None
    id: str
    pos: str
    fresh: bool = True  # came on the present connection, so its position is in the present log
    done: bool = False


class Inbox:
    """The receiving half of a channel.

    The application takes messages in order; a repetition counts as taken with those before it.
    Its position matters all the same: a sender who posted again waits for a `got` of the new one.
    """

    def __init__(
        self, after: str | None, after_id: str | None, seen: str | None, known: Iterable[str]
    ) -> None:
        self.after = after
        #: The message there: after a failover another one may have its place.
        self.after_id = after_id
        self.seen = seen
        #: Where each came from first on this connection; None if it came on an earlier one.
        self._known: OrderedDict[str, str | None] = OrderedDict.fromkeys(known)
        self._line: deque[_Arrival] = deque()
        self._waiting: dict[str, _Arrival] = {}
        self._begin()

    def _begin(self) -> None:
        self._started_after = self.after
        self._rewound = False
        self._got_due: str | None = None
        self._high = ""  # the last position taken that came on this connection
        self._seen_due: str | None = None

    def known(self) -> list[str]:
        """The keys to remember: what the application has not taken must come again."""
        return [key for key in self._known if key not in self._waiting]

    def attach(self) -> None:
        """Note that a new connection asks for what follows `after`."""
        # All that waits follows `after` and will be replayed, where the log still holds it.
        self._line = deque(arrival for arrival in self._line if arrival.key is not None)
        for arrival in self._line:
            arrival.fresh = False
        self._known = OrderedDict.fromkeys(self._known)
        self._begin()

    def restart(self, epoch: int) -> None:
        """Begin another pairing's log: the next one's, or again an earlier one's, because a store
        that failed over has forgotten the reassignment. Of that one the messages are known."""
        self.after = self.after_id = self.seen = None
        self._known = OrderedDict.fromkeys(
            key for key in self._known if int(key.partition("/")[0]) <= epoch
        )
        self._line.clear()
        self._waiting.clear()
        self._begin()

    def remember(self, key: str, pos: str | None = None) -> None:
        """Know a message that the application has by another way (its own, accepted)."""
        self._known[key] = self._known.get(key) or pos
        self._known.move_to_end(key)
        while len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)

    def arrived(self, key: str, pos: str) -> bool:
        """Note a message. True if the application does not have it."""
        if self._started_after is not None and pos <= self._started_after and not self._rewound:
            self._rewound = True  # the log does not hold `after`: all of it comes
            self.seen = self._seen_due = None
        new = key not in self._known
        self.remember(key, pos)
        waiting = self._waiting.get(key)
        if new:
            arrival = self._waiting[key] = _Arrival(key, _id_of(key), pos)
            self._line.append(arrival)
        elif waiting is not None and waiting.pos == pos:
            waiting.fresh = True
        else:
            self._line.append(_Arrival(None, _id_of(key), pos))
            self._advance()
        return new

    def replayed(self) -> None:
        """Note that the replay is complete.

        A `seen` that was on its way when the last connection dropped is repeated, unless the log
        was found to lack that position: it could then stand for messages not yet received. A `got`
        is not: a replay that brings nothing does not show that the log holds `after`. The relay
        knows, and takes an `after` that the log holds for a `got`.
        """
        self._seen_due = self._seen_due or self.seen

    def take(self, pos: str) -> bool:
        """Note that the application has processed everything up to the message at `pos`."""
        if not any(arrival.key is not None and arrival.pos == pos for arrival in self._line):
            return False
        for arrival in self._line:
            arrival.done = True
            if arrival.key is not None and arrival.pos == pos:
                break
        self._advance()
        return True

    def _advance(self) -> None:
        while self._line and (self._line[0].done or self._line[0].key is None):
            arrival = self._line.popleft()
            if arrival.key is not None:
                del self._waiting[arrival.key]
            if arrival.fresh and arrival.pos > self._high:
                self._high = self.after = self._got_due = arrival.pos
                self.after_id = arrival.id

    def saw(self, key: str, pos: str) -> bool:
        """Note that the person has read everything up to a message that came from `pos`.

        False if that is no news.
        """
        if self.seen is not None and pos <= self.seen:
            return False
        taken = self.take(pos)
        was_there = not self._rewound and pos <= (self._started_after or "")
        if not was_there and self._known.get(key) != pos:
            return taken  # the log has lost that place; the message is, or will be, at another
        self.seen = self._seen_due = pos
        return True

    def due(self, epoch: int | None) -> list[Frame]:
        """The receipts to send now, which count as sent from here on."""
        frames: list[Frame] = []
        if self._seen_due is not None:
            frames.append({"op": "seen", "pos": self._seen_due, "epoch": epoch})
        if self._got_due is not None and self._got_due > (self._seen_due or ""):
            frames.append({"op": "got", "pos": self._got_due, "epoch": epoch})
        self._got_due = self._seen_due = None
        return frames

    @property
    def is_due(self) -> bool:
        """Tell whether `due` has something to say."""
        return self._got_due is not None or self._seen_due is not None
