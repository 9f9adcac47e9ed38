"""What the store's replies say, taken apart, and the places and times of a log's entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, TypeAlias

import msgspec
from msgspec import Struct

from ..core.ids import Role

ROLE_OF: Final = {"d": Role.DRIVER, "c": Role.CUSTOMER}
_PAIRS: Final = msgspec.json.Decoder(list[tuple[str, str]])

Landmark: TypeAlias = tuple[bytes, str]
"""An entry by which a log is known again: its id, and that of its message. An entry's id is a time
and a count, so two stores that both take writes for a moment may give it twice."""

#: No entry's.
NOWHERE: Final[Landmark] = b"", ""


@dataclass(frozen=True, slots=True)
class PartyRecord:
    """A party as the store keeps it; `phone` is sealed and never read again."""

    party: str
    alias: str
    locale: str
    phone: bytes
    token_digest: str


@dataclass(frozen=True, slots=True)
class Opened:
    """`outcome`: opened, repeated, changed, raced or is_closed."""

    outcome: str
    epoch: int = 0
    deadline: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    state: str
    closed_at: int | None
    deadline: int | None


class Seat(Struct, frozen=True):
    """Which connection holds a party's seat."""

    node: str
    connection: str

    @classmethod
    def parse(cls, raw: bytes | None) -> Seat | None:
        if not raw:
            return None
        node, connection, *_ = raw.decode().split(" ")
        return cls(node, connection)


class Attachment(Struct, frozen=True):
    """All that a node needs to serve a party it has just seated.

    `page`: what follows `after` in the log, as `Store.read_log` gives it.
    """

    role: Role
    epoch: int
    state: str
    deadline: int
    messages_key: bytes
    n: int
    head: Landmark
    peer_alias: str
    peer_seat: Seat | None
    peer_got: str | None
    peer_seen: str | None
    got: str | None
    replaced: Seat | None
    since_last_s: float | None
    after: str
    lost: list[str]
    undelivered: list[str]
    locale: str
    bars: bytes
    page: list[Any]


@dataclass(frozen=True, slots=True)
class ReportOnly:
    """Who may report. `until`: the end of the report window in ms, 0 while the channel is open.

    `epoch` is the last one in which the party sat there.
    """

    role: Role
    party: str
    epoch: int
    until: int
    state: str
    peer_alias: str
    locale: str


@dataclass(frozen=True, slots=True)
class NotAttached:
    """`why`: token, expired, older, or is_closed and gone, each with what the party is told."""

    why: str
    role: Role | None = None
    reason: str = ""
    undelivered: tuple[str, ...] = ()


class Glance(Struct, frozen=True):
    """What a node checks its attached channels against. `at` is when the store was asked, in ms of
    its own clock."""

    at: int
    n: int
    state: str | None
    epoch: int
    deadline: int
    reason: str
    aliases: dict[Role, str]
    got: dict[Role, str]
    seen: dict[Role, str]
    seats: dict[Role, Seat | None]
    undelivered: dict[Role, list[tuple[str, str]]]
    rules: int
    bars: bytes
    #: Which of the entries that were asked about are not in the log.
    lost: frozenset[Landmark]


@dataclass(frozen=True, slots=True, repr=False)
class GuardRecord:
    """What a trip's guard is made of. `phones` are sealed, with the epoch each party came in.

    `masks_before`: how many messages of each sender, by its letter, had digits taken out in earlier
    epochs; `masks_gone` those of parties that were replaced.
    """

    epoch: int
    rules: int
    policy: dict[str, str]
    allow: list[str]
    phones: dict[Role, tuple[bytes, int]]
    aliases: dict[Role, str]
    masks_before: dict[str, int]
    masks_gone: int


class After(NamedTuple):
    """The last entry of a log, as a condition for the next: how many there are, whose, its id."""

    n: int
    sender: str
    post_id: str


@dataclass(frozen=True, slots=True)
class TripView:
    """A channel as the platform may see it: no number, no text."""

    trip: str
    state: str
    reason: str
    detail: str
    epoch: int
    opened_at: int | None
    deadline: int | None
    closed_at: int | None
    messages: int
    parties: dict[Role, PartyView]


@dataclass(frozen=True, slots=True)
class PartyView:
    party: str
    online: bool
    undelivered: int


def position(entry_id: bytes) -> str:
    """A stream id as the wire's position: fixed width, so that positions compare as strings."""
    text = entry_id.decode()
    if len(text) == 15 and text[13] == "-":  # as nearly all are
        return f"{text[:14]}000{text[14]}"
    ms, _, seq = text.partition("-")
    return f"{ms:0>13}-{seq:0>4}"


def time_ms(entry_id: bytes) -> int:
    """When the store took an entry, by its own clock."""
    return int(entry_id.partition(b"-")[0])


def batched(flat: Sequence[Any]) -> Iterator[tuple[Any, Any]]:
    """The pairs of a flat reply, such as WITHSCORES and HGETALL give."""
    return zip(flat[::2], flat[1::2], strict=True)


def pairs(raw: str | bytes | None) -> list[tuple[str, str]]:
    """(id, position) of undelivered messages, as the scripts write them."""
    return _PAIRS.decode(raw) if raw else []
