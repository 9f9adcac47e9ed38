"""Whether each message went the way that is promised, found out while the load runs.

A `Stream` is what one party says to another while they sit opposite each other: one epoch, one
direction. It is told what both apps see. What breaks a promise is a violation:

- `lost`: accepted, and neither delivered nor named as undelivered when the channel closed; or not
  delivered to an app that was there and waited for it long enough
- `doubled`: stored or delivered twice, or accepted at one position and delivered at another; but
  not if it was posted again, for then an app drops what it has
- `reordered`: delivered before an earlier one, in the log's order or in the sender's
- `late`: accepted although it was posted after the end of the trip had been answered
- `leaked`: a number came out, in a message or anywhere else in a frame
- `altered`: another text than the sender was told that the peer sees, or one nobody wrote here
- `uncut`: a party is still attached long after the end of its trip was answered
- `gone`: when the load was over, the relay did not answer any more
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from typing import Final

from .texts import Text, gives_away

KINDS: Final = ("lost", "doubled", "reordered", "late", "leaked", "altered", "uncut", "gone")
_SHOWN: Final = 20


class Violations:
    """Counts by kind, and where the first ones were. Never a text or a number."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: list[str] = []

    def add(self, kind: str, where: str) -> None:
        assert kind in KINDS
        self.counts[kind] += 1
        if len(self.examples) < _SHOWN:
            self.examples.append(f"{kind}: {where}")


class Sent:
    """A message under way: gone from here once it is accepted and delivered."""

    __slots__ = (
        "accepted_pos", "delivered_pos", "delivered_text", "intended_s", "is_late",
        "is_out_of_turn", "is_repeated", "number", "seen", "text",
    )  # fmt: skip

    def __init__(self, text: str, number: str, intended_s: float, is_late: bool) -> None:
        self.text = text
        self.number = number
        #: When the person wanted to send it, by this machine's monotonic clock.
        self.intended_s = intended_s
        self.is_late = is_late
        #: Posted more than once, so that it may come after younger ones.
        self.is_out_of_turn = False
        #: Posted when it may have been stored already.
        self.is_repeated = False
        self.accepted_pos = ""
        #: What the peer sees, as the sender was told.
        self.seen = text
        self.delivered_pos = ""
        self.delivered_text = ""


class Stream:
    """The messages of one party to one peer. `name` is shown with a violation."""

    __slots__ = (
        "_delivered_number",
        "_given_up",
        "_issued",
        "_last_pos",
        "_name",
        "_refused",
        "_repeated",
        "_settled",
        "_violations",
        "has_ended",
        "under_way",
    )  # fmt: skip

    def __init__(self, name: str, violations: Violations, issued: int = 0) -> None:
        self._name = name
        self._violations = violations
        self._issued = issued
        self._last_pos = ""
        self._delivered_number = 0
        self._refused: set[str] = set()
        self._repeated: set[str] = set()
        self._given_up: set[str] = set()
        #: By id, in the order in which they were posted.
        self.under_way: dict[str, Sent] = {}
        #: The end of the trip was answered; nothing posted from now on may be accepted.
        self.has_ended = False
        self._settled: asyncio.Future[None] | None = None

    def post(self, text: Text, intended_s: float) -> str:
        """Note a message that is about to be posted; give its id."""
        self._issued += 1
        name = str(self._issued)
        self.under_way[name] = Sent(text.text, text.number, intended_s, self.has_ended)
        return name

    def repeat(self, name: str) -> str:
        """Note that a message is posted again which may be stored; give its text."""
        sent = self.under_way[name]
        sent.is_out_of_turn = sent.is_repeated = True
        self._repeated.add(name)
        return sent.text

    def retry(self, name: str) -> Sent:
        """Note that a message is posted once more that was refused for a while; give it."""
        sent = self.under_way[name]
        sent.is_out_of_turn = True
        return sent

    def accepted(self, name: str, pos: str, seen: str | None) -> Sent | None:
        """The sender was told that it is stored; give it if this is the first time."""
        sent = self.under_way.get(name)
        if sent is None:
            if name in self._refused or not self._is_issued(name):
                self._wrong("altered", name)
            return None
        if seen is not None:
            sent.seen = seen
        if sent.accepted_pos:
            if sent.accepted_pos != pos:
                self._came_twice(name)
            return None
        sent.accepted_pos = pos
        if sent.is_late:
            self._wrong("late", name)
        if sent.delivered_pos:
            self._done(name, sent)
        return sent

    def refused(self, name: str) -> None:
        """The sender was told, for good, that it is not stored."""
        self._refused.add(name)
        sent = self.under_way.get(name)
        if sent is not None and sent.delivered_pos:
            self._wrong("altered", name)
        self._forget(name)

    def delivered(self, name: str, pos: str, text: str) -> Sent | None:
        """The peer's app got it; give it if this is the first time."""
        sent = self.under_way.get(name)
        if sent is None and not self._is_issued(name):
            self._wrong("altered", name)
            return None
        if sent is None or sent.delivered_pos:
            self._came_twice(name)
            return None
        if pos <= self._last_pos:
            self._wrong("reordered", name)
        self._last_pos = max(pos, self._last_pos)
        number = int(name)
        if number < self._delivered_number and not sent.is_out_of_turn:
            self._wrong("reordered", name)
        elif not sent.is_out_of_turn:
            self._delivered_number = number
        if sent.number and gives_away(text, sent.number):
            self._wrong("leaked", name)
        sent.delivered_pos, sent.delivered_text = pos, text
        if sent.accepted_pos:
            self._done(name, sent)
        return sent

    def undelivered(self, names: list[str]) -> None:
        """The sender was told at the close that these did not arrive."""
        self._given_up.update(names)
        for name in names:
            self._forget(name)

    def overdue(self) -> None:
        """The peer's app was there for long enough: what is accepted and did not come is lost, even
        if the close names it."""
        for name in self.pending():
            if not self.under_way[name].delivered_pos:
                self._wrong("lost", name)
                self.undelivered([name])

    def replayed(self, missed: Iterable[tuple[str, Sent]], at_s: float) -> Stream:
        """The same stream as it has to come to an app that has missed these messages, and asks for
        them at that moment."""
        again = Stream(self._name, self._violations, self._issued)
        for name, sent in missed:
            owed = Sent(sent.text, sent.number, at_s, is_late=False)
            owed.accepted_pos, owed.seen = sent.accepted_pos, sent.seen
            again.under_way[name] = owed
        return again

    def followed_by(self) -> Stream:
        """The stream of the same party to the next peer; it uses no id again."""
        return Stream(self._name, self._violations, self._issued)

    @property
    def owed(self) -> int:
        """Messages that the sender knows to be stored and the peer does not have, or the other way
        round, or that nobody knows of yet."""
        return len(self.under_way)

    async def nothing_owed(self, within_s: float) -> bool:
        """Wait until nothing is under way; False if something still is after that time."""
        if self.under_way:
            self._settled = asyncio.get_running_loop().create_future()
            try:
                await asyncio.wait_for(self._settled, within_s)
            except TimeoutError:
                return False
        return True

    def unanswered(self) -> list[str]:
        """Those that may be stored or not, oldest first."""
        return [name for name, sent in self.under_way.items() if not sent.accepted_pos]

    def pending(self) -> list[str]:
        """Those that are accepted and that the peer does not have, oldest first."""
        return [name for name, sent in self.under_way.items() if sent.accepted_pos]

    def close(self) -> None:
        """Nothing will come any more: what is accepted and did not arrive is lost."""
        for name in self.pending():
            if not self.under_way[name].delivered_pos:
                self._wrong("lost", name)
        self.under_way.clear()

    def _done(self, name: str, sent: Sent) -> None:
        if sent.accepted_pos != sent.delivered_pos:
            self._came_twice(name)
        elif sent.delivered_text != sent.seen:
            self._wrong("altered", name)
        self._forget(name)

    def _came_twice(self, name: str) -> None:
        # A post that was on its way when the connection broke may be stored beside its repetition;
        # and what nobody had confirmed at the close may have been on the last yard to the peer.
        if name not in self._repeated and name not in self._given_up:
            self._wrong("doubled", name)

    def _forget(self, name: str) -> None:
        self.under_way.pop(name, None)
        if not self.under_way and self._settled is not None and not self._settled.done():
            self._settled.set_result(None)

    def _is_issued(self, name: str) -> bool:
        return name.isascii() and name.isdigit() and 0 < int(name) <= self._issued

    def _wrong(self, kind: str, name: str) -> None:
        self._violations.add(kind, f"{self._name}, message {name[:12]}")
