"""A case's life as a table: what each act does in each state, and who may do it.

        report          assign                close
    ────────────► NEW ─────────► ASSIGNED ─────────────► CLOSED
                   ▲  (again)  ◄──┘ hand over               │
                   └──────────────── reopen (appeal) ───────┘

A case that is opened again after an appeal begins anew, without the person who closed it.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from .casework import CaseState, Outcome

#: A case's name: the partition of its trip, so that the name alone says where it is kept.
CASE_ID: Final = re.compile(r"c([0-9]{1,3})-[0-9a-f]{8}")

MAX_NOTES: Final = 100
#: So many more for the notes that go with a step, so that a case full of notes still goes on.
MAX_STEP_NOTES: Final = 100


class CaseAct(StrEnum):
    """What can be done with a case."""

    ASSIGN = "assign"
    HAND_OVER = "hand_over"
    NOTE = "note"
    READ = "read"  # its evidence
    CLOSE = "close"
    REOPEN = "reopen"


class Right(StrEnum):
    """Who may do an act, apart from which state the case is in."""

    ANYONE = "anyone"
    ASSIGNEE = "assignee"
    ASSIGNEE_OR_SUPERVISOR = "assignee_or_supervisor"
    SUPERVISOR = "supervisor"


#: The state that follows; an act that is missing does nothing in that state.
TABLE: Final[dict[CaseState, dict[CaseAct, CaseState]]] = {
    CaseState.NEW: {
        CaseAct.ASSIGN: CaseState.ASSIGNED,
        CaseAct.NOTE: CaseState.NEW,
    },
    CaseState.ASSIGNED: {
        CaseAct.ASSIGN: CaseState.ASSIGNED,
        CaseAct.HAND_OVER: CaseState.ASSIGNED,
        CaseAct.NOTE: CaseState.ASSIGNED,
        CaseAct.READ: CaseState.ASSIGNED,
        CaseAct.CLOSE: CaseState.CLOSED,
    },
    CaseState.CLOSED: {
        CaseAct.NOTE: CaseState.CLOSED,
        CaseAct.REOPEN: CaseState.NEW,
    },
}

#: Who may do what. Supervisors too read evidence only of a case that is theirs.
RIGHTS: Final[dict[CaseAct, Right]] = {
    CaseAct.ASSIGN: Right.ANYONE,  # to oneself, a case that is nobody's; else a supervisor
    CaseAct.HAND_OVER: Right.ASSIGNEE_OR_SUPERVISOR,
    CaseAct.NOTE: Right.ASSIGNEE_OR_SUPERVISOR,
    CaseAct.READ: Right.ASSIGNEE,
    CaseAct.CLOSE: Right.ASSIGNEE,
    CaseAct.REOPEN: Right.SUPERVISOR,
}


class Answer(StrEnum):
    """What the reporter is told. Words of the platform's own: staff write nothing to a party."""

    ACTION_TAKEN = "action_taken"
    PASSED_ON = "passed_on"  # to those at the platform who can do more
    NOT_ENOUGH = "not_enough"  # to act on; a later report will find this one
    NO_BREACH = "no_breach"
    ALREADY_HANDLED = "already_handled"


#: The answers that fit an outcome; the first is the usual one.
ANSWERS: Final[dict[Outcome, tuple[Answer, ...]]] = {
    Outcome.UPHELD: (Answer.ACTION_TAKEN, Answer.PASSED_ON),
    Outcome.UNPROVEN: (Answer.NOT_ENOUGH, Answer.PASSED_ON),
    Outcome.UNFOUNDED: (Answer.NO_BREACH,),
    Outcome.DUPLICATE: (Answer.ALREADY_HANDLED,),
}


def step(state: CaseState, act: CaseAct) -> CaseState | None:
    """The state after `act` in `state`, or None if it does nothing there."""
    return TABLE[state].get(act)
