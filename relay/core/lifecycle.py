"""A channel's life as a table: what each command does in each state.

The store's scripts run this very table (they get it as Lua, see `store.scripts`), so there is one
place that says what may happen to a channel, and no node can have another opinion.

        open            end with grace       end, deadline, close
    ──────────► OPEN ─────────────────► GRACE ─────────────────────► CLOSED
    ABSENT        └──────────── end, deadline, close ─────────────────►┘ ▲
      └─────────────── end (it overtook its open) ──────────────────────┘

CLOSED is final. Its record stays as a tombstone for as long as an `open` could still be repeated.
`close` is an operator's. To bar a party, to report and to hold what was said for the law change
what a state allows, never the state.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    """Where a channel is in its life."""

    ABSENT = "absent"
    OPEN = "open"
    GRACE = "grace"
    CLOSED = "closed"


class Command(StrEnum):
    """What can be asked of a channel."""

    OPEN = "open"
    ATTACH = "attach"
    POST = "post"
    RECEIPT = "receipt"
    END = "end"
    END_LATER = "end_later"
    REASSIGN = "reassign"
    TOKEN = "token"
    CHANGE = "change"
    EXPIRE = "expire"
    CLOSE = "close"
    BAR = "bar"
    REPORT = "report"
    HOLD = "hold"


class Refusal(StrEnum):
    """Why a command did nothing. No value is also a state's: the scripts tell them apart by it."""

    UNKNOWN = "no_trip"  # there is no such trip
    ENDING = "is_ending"  # the trip has ended; only the rest of its grace remains
    CLOSED = "is_closed"  # the channel is closed


def _all(outcome: State | Refusal) -> dict[Command, State | Refusal]:
    return dict.fromkeys(Command, outcome)


#: The state that follows, or why nothing does. Total: every state has every command.
TABLE: Final[dict[State, dict[Command, State | Refusal]]] = {
    State.ABSENT: _all(Refusal.UNKNOWN)
    | {
        Command.OPEN: State.OPEN,
        Command.END: State.CLOSED,
        Command.END_LATER: State.CLOSED,
    },
    State.OPEN: _all(State.OPEN)
    | {
        Command.END: State.CLOSED,
        Command.END_LATER: State.GRACE,
        Command.EXPIRE: State.CLOSED,
        Command.CLOSE: State.CLOSED,
    },
    State.GRACE: _all(State.GRACE)
    | {
        Command.END: State.CLOSED,
        Command.EXPIRE: State.CLOSED,
        Command.CLOSE: State.CLOSED,
        Command.REASSIGN: Refusal.ENDING,
        Command.CHANGE: Refusal.ENDING,
    },
    State.CLOSED: _all(Refusal.CLOSED)
    | {
        Command.END: State.CLOSED,
        Command.END_LATER: State.CLOSED,
        Command.EXPIRE: State.CLOSED,
        Command.REPORT: State.CLOSED,
        Command.HOLD: State.CLOSED,
    },
}


def step(state: State, command: Command) -> State | Refusal:
    """The state after `command` in `state`, or the reason why it does nothing."""
    return TABLE[state][command]
