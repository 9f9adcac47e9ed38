"""What was posted, accepted and shown, by whom and to whom, and what of it must not be. Pure.

A text is posted once and by one party, so it names its post. All that happens is noted with the
time at which it was seen here, in seconds of one clock, and where the store gave one, with the
store's time. What is late may still come, so all is judged at the end.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

#: The relay cuts both parties off within a second of the answer to `end`. One more is for what
#: was under way in sockets, and for a machine that has many to serve.
SHOWN_WITHIN_S: Final = 2.0


class Wrong(StrEnum):
    """What must not happen."""

    LOST = "lost"
    """Accepted, and neither shown to the peer nor given back to its sender."""
    DOUBLED = "doubled"
    """Shown twice."""
    MISORDERED = "misordered"
    """Shown after one that its sender posted later."""
    LATE = "late"
    """Accepted or shown after the end of its pairing, or the end was undone."""
    STRAYED = "strayed"
    """Shown to somebody else than the peer, or with another text."""
    STUCK = "stuck"
    """Never answered and not given back to its sender, or the relay did not serve again in time."""


class Violation(NamedTuple):
    """`at_s` is when the post was made, or when what is wrong was seen."""

    wrong: Wrong
    at_s: float
    text: str


class Seat(NamedTuple):
    """A party in a trip."""

    trip: str
    role: str
    party: str

    @property
    def faces(self) -> str:
        return "customer" if self.role == "driver" else "driver"


@dataclass(slots=True)
class Post:
    """A post and what became of it. `serial` counts its sender's posts."""

    text: str
    seat: Seat
    epoch: int
    serial: int
    posted_s: float
    accepted_s: float | None = None
    #: The store's time of each acceptance: one that a failover lost is accepted again.
    accepted_ms: list[int] = field(default_factory=list)
    #: Whether its sender was told that it does not arrive.
    returned: bool = False
    #: To whom it was shown, and when.
    shown: list[tuple[Seat, float]] = field(default_factory=list)


@dataclass(slots=True)
class _Pairing:
    """Two parties in a trip, until one is replaced or the trip ends."""

    parties: dict[str, Seat]
    #: When the platform had the answer that it is over.
    answered_s: float | None = None
    #: From when on nothing may be accepted, by the store's clock.
    over_ms: int | None = None
    over_s: float | None = None


@dataclass(slots=True)
class Figures:
    """Counts of some span of time."""

    posted: int = 0
    accepted: int = 0
    delivered: int = 0


class Account:
    """Of one run."""

    def __init__(self) -> None:
        self.posts: dict[str, Post] = {}
        self._unsettled: dict[str, Post] = {}
        self._serials: Counter[Seat] = Counter()
        self._pairings: dict[tuple[str, int], _Pairing] = {}
        self._shown: defaultdict[Seat, list[str]] = defaultdict(list)
        self._seen: list[Violation] = []
        self._closed: dict[Seat, tuple[str, float]] = {}
        #: When the network to apps was held: what was given to it in time arrives late then.
        self.held: list[tuple[float, float]] = []

    # --- what happens -----------------------------------------------------------------------------

    def paired(self, epoch: int, driver: Seat, customer: Seat) -> None:
        """Two parties may talk from now on."""
        self._pairings.setdefault(
            (driver.trip, epoch), _Pairing({"driver": driver, "customer": customer})
        )

    def over(self, trip: str, epoch: int, *, answered_s: float, over_ms: int | None) -> None:
        """The platform was answered that a pairing is over, from `over_ms` of the store's time."""
        pairing = self._pairings[trip, epoch]
        if pairing.answered_s is None or answered_s < pairing.answered_s:
            pairing.answered_s = pairing.over_s = answered_s
        if over_ms is not None:
            pairing.over_ms = min(over_ms, pairing.over_ms or over_ms)

    def began_anew(self, trip: str, epoch: int) -> None:
        """A failover forgot that a trip was opened, and it was opened again: with another end."""
        pairing = self._pairings[trip, epoch]
        if pairing.answered_s is None:
            pairing.over_ms = pairing.over_s = None

    def ends(self, trip: str, epoch: int, *, deadline_ms: int, deadline_s: float) -> None:
        """A pairing will be over at a time of the store's clock, which is about `deadline_s`."""
        pairing = self._pairings[trip, epoch]
        pairing.over_ms = min(deadline_ms, pairing.over_ms or deadline_ms)
        if pairing.over_s is None or deadline_s < pairing.over_s:
            pairing.over_s = deadline_s

    def next_serial(self, seat: Seat) -> int:
        """The number of the next post of a party."""
        return self._serials[seat]

    def posted(self, text: str, seat: Seat, epoch: int, now_s: float) -> Post:
        if text in self.posts:
            raise ValueError("a text is posted once")
        post = self.posts[text] = Post(text, seat, epoch, self._serials[seat], now_s)
        self._serials[seat] += 1
        self._unsettled[text] = post
        return post

    def accepted(self, post: Post, at_ms: int, now_s: float) -> None:
        if post.accepted_s is None:
            post.accepted_s = now_s
        post.accepted_ms.append(at_ms)
        self._look_at(post)

    def returned(self, post: Post) -> None:
        """Its sender is told that it does not arrive, or may not have."""
        post.returned = True
        self._look_at(post)

    def _look_at(self, post: Post) -> None:
        if post.returned or (post.accepted_s is not None and post.shown):
            self._unsettled.pop(post.text, None)

    def shown(self, text: str, seat: Seat, now_s: float) -> Post | None:
        """An app was given a message of its peer's."""
        post = self.posts.get(text)
        if post is None:
            self.saw(Wrong.STRAYED, now_s, f"{_name(seat)} was shown a text that nobody posted")
            return None
        post.shown.append((seat, now_s))
        self._shown[seat].append(text)
        self._look_at(post)
        return post

    def closed(self, seat: Seat, reason: str, now_s: float) -> None:
        """A party's app was told that it is over."""
        self._closed[seat] = reason, now_s

    def saw(self, wrong: Wrong, now_s: float, text: str) -> None:
        """Note what is wrong whatever comes later."""
        self._seen.append(Violation(wrong, now_s, text))

    # --- what is to be said of it -----------------------------------------------------------------

    def is_settled(self, trip: str = "") -> bool:
        """Whether nothing more has to become of what was posted (in one trip)."""
        return not any(not trip or post.seat.trip == trip for post in self._unsettled.values())

    def violations(self) -> list[Violation]:
        """All that is wrong, once everything has had the time to arrive; oldest first."""
        found = [*self._seen, *self._misordered()]
        for post in self.posts.values():
            found += self._wrongs_of(post)
        return sorted(found, key=lambda one: one.at_s)

    def figures(self, from_s: float = float("-inf"), until_s: float = float("inf")) -> Figures:
        """Of what was posted in a span of time."""
        found = Figures()
        for post in self.posts.values():
            if from_s <= post.posted_s < until_s:
                found.posted += 1
                found.accepted += post.accepted_s is not None
                found.delivered += bool(post.shown)
        return found

    def delays_s(self, *times_s: tuple[float, float]) -> list[float]:
        """How long each message took to be shown that was posted in one of these spans of time, the
        shortest first."""
        return sorted(
            post.shown[0][1] - post.posted_s
            for post in self.posts.values()
            if post.shown and any(begin <= post.posted_s < end for begin, end in times_s)
        )

    def _wrongs_of(self, post: Post) -> Iterator[Violation]:
        pairing = self._pairings[post.seat.trip, post.epoch]
        peer = pairing.parties[post.seat.faces]
        name = f"{_name(post.seat)}'s number {post.serial}"
        times_s = [at_s for seat, at_s in post.shown if seat == peer]
        for seat, _ in post.shown:
            if seat != peer:
                words = f"{name} was shown to {_name(seat)}"
                yield Violation(Wrong.STRAYED, post.posted_s, words)
        if len(times_s) > 1:
            yield Violation(Wrong.DOUBLED, post.posted_s, f"{name} was shown {len(times_s)} times")
        if post.accepted_s is not None and not times_s and not post.returned:
            words = f"{name} was accepted and not shown ({self._story(post, peer)})"
            yield Violation(Wrong.LOST, post.posted_s, words)
        if post.accepted_s is None and not post.returned:
            words = f"{name} was never answered ({self._story(post, peer)})"
            yield Violation(Wrong.STUCK, post.posted_s, words)
        yield from self._late(post, pairing, name)

    def _story(self, post: Post, peer: Seat) -> str:
        """When what else happened, in seconds after the post was made."""
        told = [f"of epoch {post.epoch}"]
        if post.accepted_s is not None:
            told.append(f"accepted after {post.accepted_s - post.posted_s:.2f} s")
        pairing = self._pairings[post.seat.trip, post.epoch]
        if pairing.over_s is not None:
            told.append(f"the end was due after {pairing.over_s - post.posted_s:.2f} s")
        for who, seat in (("its sender", post.seat), ("the peer", peer)):
            if seat in self._closed:
                reason, at_s = self._closed[seat]
                told.append(f"{who} was told `{reason}` after {at_s - post.posted_s:.2f} s")
            else:
                told.append(f"{who} was not told of an end")
        return ", ".join(told)

    def _late(self, post: Post, pairing: _Pairing, name: str) -> Iterator[Violation]:
        after_s = pairing.answered_s
        if after_s is not None and post.accepted_s is not None and post.posted_s > after_s:
            words = f"{name} was posted after the end was answered, and accepted"
            yield Violation(Wrong.LATE, post.posted_s, words)
        elif pairing.over_ms is not None and any(
            at_ms > pairing.over_ms for at_ms in post.accepted_ms
        ):
            words = f"{name} was accepted after the end by the store's clock"
            yield Violation(Wrong.LATE, post.posted_s, words)
        if pairing.over_s is None:
            return
        last_s = pairing.over_s + SHOWN_WITHIN_S
        if any(at_s > last_s and not self._was_held(at_s) for _, at_s in post.shown):
            words = f"{name} was shown over {SHOWN_WITHIN_S:.0f} s after the end"
            yield Violation(Wrong.LATE, post.posted_s, words)

    def _was_held(self, at_s: float) -> bool:
        """Whether the network to an app may have kept until now what it was given in time."""
        return any(began_s <= at_s <= ended_s + SHOWN_WITHIN_S for began_s, ended_s in self.held)

    def _misordered(self) -> Iterator[Violation]:
        for seat, texts in self._shown.items():
            newest: dict[tuple[Seat, int], int] = {}
            for text in dict.fromkeys(texts):  # what is shown twice is told elsewhere
                post = self.posts[text]
                line = post.seat, post.epoch
                if post.serial < newest.get(line, -1):
                    words = (
                        f"{_name(post.seat)}'s number {post.serial} was shown to {_name(seat)} "
                        f"after number {newest[line]}"
                    )
                    yield Violation(Wrong.MISORDERED, post.posted_s, words)
                newest[line] = max(newest.get(line, -1), post.serial)


def _name(seat: Seat) -> str:
    return f"{seat.trip}'s {seat.role} ({seat.party})"
