"""One connection's conversation as a table, for both of its ends.

The gateway and the SDK drive the same `Session`, one as `Side.RELAY` and one as `Side.APP`, so
neither can be judged more kindly. The table is total by rule: an op that its sender may never say
is unknown; one that is known but absent from the current state is out of turn.

Standard library only: the SDK shares this file and nothing else of the relay.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final


class Side(Enum):
    """Which end of a connection speaks."""

    APP = auto()
    RELAY = auto()


class State(Enum):
    """How far a connection has come."""

    NEW = auto()  # the socket is open, nothing was said
    ATTACHING = auto()  # the app has shown its token
    REPLAYING = auto()  # attached; what was missed is on its way
    LIVE = auto()  # all that was missed has been replayed
    ATTACHING_TO_REPORT = auto()  # the app has shown its token and wants to report, nothing else
    REPORTING = auto()  # attached for that
    CLOSED = auto()  # the relay said `closed`; only the close frame follows


class ProtocolError(Exception):
    """An op that does not belong here.

    `unknown` tells an op that nobody of that side ever says from one that came out of turn.
    """

    def __init__(self, op: str, *, unknown: bool) -> None:
        super().__init__("unknown op" if unknown else f"{op} is out of turn")
        self.unknown = unknown


class LocalProtocolError(ProtocolError):
    """We were about to say what we may not: a bug of ours."""


class RemoteProtocolError(ProtocolError):
    """The other end said what it may not."""


_WHILE_ATTACHED = ("post", "got", "seen", "typing", "report", "ping")
_PUSHES = (
    "message", "accepted", "refused", "unsure", "reported", "not_reported", "got", "seen", "typing",
    "presence", "state", "reassigned", "error", "pong",
)  # fmt: skip
_EARLY = ("error", "pong", "refused", "not_reported")


def _stay(state: State, ops: tuple[str, ...]) -> dict[str, State]:
    return dict.fromkeys(ops, state)


#: What each side may say in each state, and the state that follows.
TRANSITIONS: Final[dict[Side, dict[State, dict[str, State]]]] = {
    Side.APP: {
        State.NEW: {"attach": State.ATTACHING},
        State.ATTACHING: _stay(State.ATTACHING, ("ping",)),
        State.REPLAYING: _stay(State.REPLAYING, _WHILE_ATTACHED),
        State.LIVE: _stay(State.LIVE, _WHILE_ATTACHED),
        State.ATTACHING_TO_REPORT: _stay(State.ATTACHING_TO_REPORT, ("ping",)),
        State.REPORTING: _stay(State.REPORTING, ("report", "ping")),
        # What was on its way when the channel closed is read and left alone.
        State.CLOSED: _stay(State.CLOSED, ("attach", *_WHILE_ATTACHED)),
    },
    Side.RELAY: {
        State.NEW: _stay(State.NEW, ("error",)) | {"closed": State.CLOSED},
        State.ATTACHING: _stay(State.ATTACHING, _EARLY)
        | {"attached": State.REPLAYING, "closed": State.CLOSED},
        State.REPLAYING: _stay(State.REPLAYING, _PUSHES)
        | {"replayed": State.LIVE, "closed": State.CLOSED},
        State.LIVE: _stay(State.LIVE, _PUSHES) | {"closed": State.CLOSED},
        State.ATTACHING_TO_REPORT: _stay(State.ATTACHING_TO_REPORT, _EARLY)
        | {"attached": State.REPORTING, "closed": State.CLOSED},
        State.REPORTING: _stay(State.REPORTING, ("replayed", "reported", *_EARLY))
        | {"closed": State.CLOSED},
        State.CLOSED: {},
    },
}

#: Every op that a side ever says.
OPS: Final[dict[Side, frozenset[str]]] = {
    side: frozenset(op for moves in table.values() for op in moves)
    for side, table in TRANSITIONS.items()
}

_OTHER: Final = {Side.APP: Side.RELAY, Side.RELAY: Side.APP}


class Session:
    """The state of one connection, seen from `side`.

    Call `send(op)` before an op goes out and `receive(op)` when one has come in, and
    `only_to_report` after an `attach` that asks for no more than that.
    """

    __slots__ = ("_ours", "_side", "_theirs", "state")

    state: State
    #: What follows each op that we and the other end may say now.
    _ours: dict[str, State]
    _theirs: dict[str, State]

    def __init__(self, side: Side) -> None:
        self._side = side
        self._turn(State.NEW)

    def _turn(self, state: State) -> None:
        self.state = state
        self._ours = TRANSITIONS[self._side][state]
        self._theirs = TRANSITIONS[_OTHER[self._side]][state]

    def send(self, op: str) -> None:
        """Note that we say `op`. Raises `LocalProtocolError`, and nothing has changed then."""
        following = self._ours.get(op)
        if following is None:
            raise LocalProtocolError(op, unknown=op not in OPS[self._side])
        if following is not self.state:
            self._turn(following)

    def receive(self, op: str) -> None:
        """Note that the other end said `op`. Raises `RemoteProtocolError`, changing nothing."""
        following = self._theirs.get(op)
        if following is None:
            raise RemoteProtocolError(op, unknown=op not in OPS[_OTHER[self._side]])
        if following is not self.state:
            self._turn(following)

    def only_to_report(self) -> None:
        """Note that the `attach` before asked to report only: nothing else can follow."""
        if self.state is State.ATTACHING:
            self._turn(State.ATTACHING_TO_REPORT)
