"""What the relay's frames say, as the values the application gets. Pure.

Each function raises `wire.BadFrame` where a field is missing or of the wrong type.
"""

from __future__ import annotations

from .events import (
    Accepted,
    Attached,
    Finding,
    Message,
    Presence,
    Problem,
    StateChanged,
    Typing,
)
from .frames import Frame, field, inner, maps, optional, strings
from .pace import Limits


def attached(frame: Frame) -> tuple[Attached, Limits]:
    """The `attached` frame, but for receipts and `lost`."""
    peer = inner(frame, "peer")
    told = Attached(
        trip=field(frame, "trip", str),
        role=field(frame, "role", str),
        epoch=field(frame, "epoch", int),
        state=field(frame, "state", str),
        deadline_ms=field(frame, "deadline", int),
        alias=field(peer, "alias", str),
        online=field(peer, "online", bool),
    )
    return told, Limits.read(inner(frame, "limits"))


def peer_receipts(frame: Frame) -> tuple[str | None, str | None]:
    """How far the peer is, out of `attached`: (got, seen)."""
    peer = inner(frame, "peer")
    return optional(peer, "got", str), optional(peer, "seen", str)


def message(frame: Frame, epoch: int) -> Message:
    """A `message` frame."""
    return Message(
        epoch=epoch,
        pos=field(frame, "pos", str),
        id=field(frame, "id", str),
        sender=field(frame, "from", str),
        at_ms=field(frame, "at", int),
        kind=field(frame, "kind", str),
        text=field(frame, "text", str),
        tag=field(frame, "tag", str),
        lat=optional(frame, "lat", float),
        lon=optional(frame, "lon", float),
        key=optional(frame, "key", str),
        notices=tuple(strings(frame, "notices")),
    )


def accepted(frame: Frame) -> Accepted:
    """An `accepted` frame."""
    return Accepted(
        id=field(frame, "id", str),
        pos=field(frame, "pos", str),
        at_ms=field(frame, "at", int),
        tag=field(frame, "tag", str),
        text=optional(frame, "text", str),
        findings=findings(frame),
    )


def findings(frame: Frame) -> tuple[Finding, ...]:
    """What the guard found, out of `accepted` or `refused`."""
    return tuple(
        Finding(
            field(one, "class", str),
            optional(one, "rule", str) or "",
            optional(one, "length", int) or 0,
        )
        for one in maps(frame, "findings")
    )


def typing(frame: Frame) -> Typing:
    return Typing(field(frame, "on", bool))


def presence(frame: Frame) -> Presence:
    return Presence(field(frame, "online", bool))


def state(frame: Frame) -> StateChanged:
    return StateChanged(field(frame, "state", str), field(frame, "deadline", int))


def problem(frame: Frame) -> Problem:
    return Problem(field(frame, "code", str), field(frame, "message", str))
