"""What the operators' calls take and give. As in `types`, each description is also what a caller is
told when the field is wrong.

Nothing here holds a number or a message's text: a key sees how channels and cases stand, and
evidence is read in the console alone.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ..core.caselife import CASE_ID, Answer
from ..core.casework import (
    CaseState,
    Category,
    HandReason,
    Outcome,
    SanctionKind,
    SanctionReason,
)
from ..core.ids import PARTY_ID, Role
from ..ops.notes import MAX_NOTE_CHARS
from ..ops.sanctions import MAX_HOURS, MAX_MUTE_H
from .types import AtMs, TripId

#: The most trips that one call may close. An agent's limit is lower.
MOST_CLOSED: Final = 500
PAGE_LIMIT: Final = 200

_LATEST_MS: Final = 2**53
_OPERATOR_ID: Final = r"[a-z][a-z0-9._-]{1,31}"


def _one_of(words: type[StrEnum]) -> str:
    return f"one of {', '.join(words)}."


Note = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_NOTE_CHARS,
        pattern="^[^\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]*\\Z",
        description=f"why, in your own words: 1 to {MAX_NOTE_CHARS} characters in one line, no "
        "phone number, link or address. It stays in the audit log.",
        examples=["Two passengers reported the same driver this morning."],
    ),
]
OperatorId = Annotated[
    str,
    Meta(
        pattern=rf"^{_OPERATOR_ID}\Z",
        description="an operator's id, 2 to 32 characters of a-z 0-9 . _ -, the first a letter.",
        examples=["sari"],
    ),
]
Cursor = Annotated[
    str,
    Meta(
        max_length=160,
        description="where to go on: the `cursor` of the page before, as it was given.",
    ),
]
PageLimit = Annotated[
    int, Meta(ge=1, le=PAGE_LIMIT, description=f"how many at most, 1 to {PAGE_LIMIT}.")
]
#: A filter that may be left empty.
MaybeId = Annotated[
    str,
    Meta(
        pattern=rf"^({PARTY_ID.pattern})?\Z",
        description="an id of the platform's, 1 to 64 characters of A-Z a-z 0-9 _ . : ~ -, or "
        "nothing.",
    ),
]


# --- what the calls take --------------------------------------------------------------------------


class ChannelsQuery(Struct, forbid_unknown_fields=True):
    """Which channels to list."""

    state: Annotated[
        Literal["any", "open", "grace"],
        Meta(description="any, open or grace."),
    ] = "any"
    online: Annotated[
        Literal["any", "both", "one", "none"],
        Meta(description="who is connected: any, both, one or none."),
    ] = "any"
    findings: Annotated[
        bool, Meta(description="true for those alone in which the guard has found something.")
    ] = False
    search: Annotated[
        str,
        Meta(
            pattern=rf"^({PARTY_ID.pattern})?\Z",
            description="the id of a trip or of a party, whole; a trip is found closed as well.",
        ),
    ] = ""
    cursor: Cursor = ""
    limit: PageLimit = 50


class CloseChannel(Struct, forbid_unknown_fields=True):
    """Why a channel is closed by hand. The parties are told only that it was closed."""

    reason: Annotated[HandReason, Meta(description=_one_of(HandReason))]
    note: Note


class CloseChannels(Struct, forbid_unknown_fields=True):
    """Which channels are closed by hand, and why."""

    trips: Annotated[
        list[TripId],
        Meta(
            min_length=1,
            max_length=MOST_CLOSED,
            description=f"1 to {MOST_CLOSED} trip ids; an agent may name 50.",
            examples=[["trip-7f3a"]],
        ),
    ]
    reason: Annotated[HandReason, Meta(description=_one_of(HandReason))]
    note: Note


class CasesQuery(Struct, forbid_unknown_fields=True):
    """Which cases to list."""

    state: Annotated[Literal["open", "closed", "any"], Meta(description="open, closed or any.")] = (
        "open"
    )
    assignee: Annotated[
        str,
        Meta(
            pattern=rf"^({_OPERATOR_ID}|-|@me)?\Z",
            description="an operator's id, @me for your own, - for those that nobody has, or "
            "nothing.",
        ),
    ] = ""
    category: Annotated[
        Literal[
            "", "threat", "harassment", "asked_contact", "otp_fraud", "payment_outside", "other"
        ],
        Meta(description=_one_of(Category)),
    ] = ""
    party: MaybeId = ""
    cursor: Cursor = ""
    limit: PageLimit = 50


class AssignCase(Struct, forbid_unknown_fields=True):
    """Who gets a case."""

    to: Annotated[
        str,
        Meta(
            pattern=rf"^({_OPERATOR_ID})?\Z",
            description="an operator's id; without it you take the case yourself. Giving it to "
            "somebody else needs the scope supervisor.",
            examples=["sari"],
        ),
    ] = ""


class HandOverCase(Struct, forbid_unknown_fields=True):
    """Who goes on with a case, and what they need to know."""

    to: OperatorId
    note: Note


class WithNote(Struct, forbid_unknown_fields=True):
    """An act that takes nothing but its reason."""

    note: Note


class CloseCase(Struct, forbid_unknown_fields=True):
    """What a case came to, and what the platform is to answer the reporter."""

    outcome: Annotated[Outcome, Meta(description=_one_of(Outcome))]
    note: Note
    answer: (
        Annotated[
            Answer,
            Meta(description=f"{_one_of(Answer)[:-1]}, to fit the outcome; else the usual one."),
        ]
        | UnsetType
    ) = UNSET


class SanctionsQuery(Struct, forbid_unknown_fields=True):
    """Which sanctions to list."""

    before: Annotated[
        int,
        Meta(ge=0, le=_LATEST_MS, description="go on with those older than that; 0: the newest."),
    ] = 0
    limit: PageLimit = 50


class ImposeSanction(Struct, forbid_unknown_fields=True):
    """A sanction to impose."""

    kind: Annotated[SanctionKind, Meta(description=_one_of(SanctionKind))]
    reason: Annotated[
        SanctionReason, Meta(description=f"{_one_of(SanctionReason)[:-1]}; the party is told it.")
    ]
    note: Note
    hours: (
        Annotated[
            int,
            Meta(
                ge=1,
                le=MAX_HOURS,
                description=f"for how long: 1 to {MAX_MUTE_H} hours for a mute, which needs it; up "
                f"to {MAX_HOURS} for others, which without it last until they are lifted; none "
                "for a warning.",
            ),
        ]
        | UnsetType
    ) = UNSET
    other: Annotated[
        str,
        Meta(
            pattern=rf"^({PARTY_ID.pattern})?\Z",
            description="of never_pair: the party id of the other one.",
            examples=["rider-7"],
        ),
    ] = ""
    case: Annotated[
        str,
        Meta(
            pattern=rf"^({CASE_ID.pattern})?\Z",
            description="the case that it follows from. An agent has to name one.",
            examples=["c17-0a1b2c3d"],
        ),
    ] = ""


class DecideAppeal(Struct, forbid_unknown_fields=True):
    """What becomes of a sanction that its party has appealed against."""

    lifts: Annotated[bool, Meta(description="true to lift it, false to uphold it.")]
    note: Note


class PlaceHold(Struct, forbid_unknown_fields=True):
    """Until when a trip's messages are kept from their destruction, and why."""

    until: Annotated[
        int,
        Meta(
            ge=0,
            le=_LATEST_MS,
            description="the end of the hold, in milliseconds since 1970 (UTC); in the future.",
        ),
    ]
    note: Note


class AuditQuery(Struct, forbid_unknown_fields=True):
    """Which entries of the audit log to list."""

    before: Annotated[
        int,
        Meta(ge=0, le=_LATEST_MS, description="go on before this number; 0 for the newest."),
    ] = 0
    actor: Annotated[
        str,
        Meta(
            pattern=r"^([a-z][A-Za-z0-9._:-]{0,63})?\Z",
            description="whose acts: an operator's id, host:NAME, relay, or nothing.",
        ),
    ] = ""
    act: Annotated[
        str, Meta(pattern=r"^([a-z_.]{1,40})?\Z", description="which acts, such as case.close.")
    ] = ""
    party: MaybeId = ""
    trip: MaybeId = ""
    case: Annotated[
        str, Meta(pattern=rf"^({CASE_ID.pattern})?\Z", description="a case's id, or nothing.")
    ] = ""
    limit: PageLimit = 50


# --- what the calls give --------------------------------------------------------------------------


class ChannelParty(Struct):
    """A party as staff may see it: a pseudonym and the name that the other party sees."""

    party_id: str
    alias: str
    online: bool


class Channel(Struct):
    """How a channel stands: no number, no text."""

    trip_id: str
    state: Literal["open", "grace", "closed"]
    opened_at: AtMs | None
    deadline: AtMs | None
    epoch: int
    messages: Annotated[int, Meta(description="in the log of this epoch.")]
    driver: ChannelParty | None
    customer: ChannelParty | None
    findings: Annotated[int, Meta(description="how often the guard has found something.")]
    muted: Annotated[list[str], Meta(description="the roles that may send quick replies alone.")]
    held: Annotated[bool, Meta(description="whether a legal hold keeps its messages.")]


class ChannelList(Struct):
    """A page of channels, the newest first."""

    channels: list[Channel]
    open: Annotated[int, Meta(description="how many channels are open altogether.")]
    cursor: Annotated[
        str | None, Meta(description="for the next page; null if this is the last one.")
    ]


class ChannelEvent(Struct):
    """Something that happened in a channel; never what was written."""

    at: AtMs
    kind: str
    role: Annotated[Role | None, Meta(description="whose, if it is about one of the two.")]
    detail: Annotated[
        str,
        Meta(description="of deadline, grace and held: until when, in milliseconds since 1970."),
    ]


class ChannelDetail(Channel):
    """Everything that may be known of a channel."""

    reason: Annotated[str, Meta(description="why it closed, as its parties were told.")]
    detail: Annotated[str, Meta(description="why it closed, as staff and the platform know it.")]
    closed_at: AtMs | None
    timeline: list[ChannelEvent]
    findings_by_class: Annotated[
        dict[str, dict[str, int]], Meta(description="by role: how often the guard found what.")
    ]
    undelivered: Annotated[
        dict[str, int], Meta(description="by role: how many of its messages never arrived.")
    ]
    cases: list[str]


class ChannelClosed(Struct):
    """A channel that was closed by hand. That is not undone; a new trip needs a new id."""

    trip_id: str
    closed_at: AtMs


class ChannelClosing(Struct):
    """What became of one of the channels to close. One line for each, in their order."""

    trip_id: str
    outcome: Annotated[
        Literal["closed", "already", "not_found", "failed"],
        Meta(description="already: it was closed before; failed: try this one again."),
    ]


class Case(Struct):
    """A case: what was reported, how far it has come, and how sure the reported messages are."""

    case_id: str
    trip_id: str
    epoch: int
    category: Category
    priority: Annotated[int, Meta(description="1 comes first.")]
    state: CaseState
    created_at: AtMs
    due_at: AtMs
    overdue: bool
    assignee: Annotated[str | None, Meta(description="the operator who works on it.")]
    reporter_role: str
    reporter_party: str
    reported_role: str
    reported_party: str
    items: Annotated[int, Meta(description="how many messages were reported.")]
    proven: Annotated[int, Meta(description="of them, those that were delivered just so.")]
    forged: Annotated[int, Meta(description="of them, those that were not.")]
    outcome: Outcome | None
    has_evidence: Annotated[bool, Meta(description="it is read in the console alone.")]


class CaseList(Struct):
    """A page of cases, the most urgent first."""

    cases: list[Case]
    counts: Annotated[dict[str, int], Meta(description="how many there are, by state.")]
    cursor: Annotated[
        str | None, Meta(description="for the next page; null if this is the last one.")
    ]


class CaseNote(Struct):
    """What an operator noted."""

    at: AtMs
    by: str
    text: str


class CaseEvent(Struct):
    """Who did what with a case."""

    at: AtMs
    by: str
    what: str


class CaseDetail(Case):
    """Everything about a case but its evidence."""

    notes: list[CaseNote]
    history: list[CaseEvent]
    evidence_until: Annotated[
        AtMs | None, Meta(description="when its evidence is destroyed; null if there is none.")
    ]
    answer: Annotated[str, Meta(description="what the reporter is answered; empty so far.")]


class Sanction(Struct):
    """What was imposed on a party."""

    sanction_id: str
    party_id: str
    kind: SanctionKind
    reason: SanctionReason
    by: str
    at: AtMs
    until: AtMs | None
    case_id: str
    note: str
    other: Annotated[str, Meta(description="of never_pair: the other party.")]
    appeal: Annotated[str, Meta(description="open, upheld or lifted; empty if there is no appeal.")]
    lifted_at: AtMs | None


class SanctionList(Struct):
    """Sanctions, the newest first; those that have ended are among them for a year."""

    sanctions: list[Sanction]


class Hold(Struct):
    """A legal hold: a trip's messages are kept until then. Numbers never are."""

    trip_id: str
    until: AtMs
    by: str
    at: AtMs
    note: str


class HoldReleased(Struct):
    """A trip whose messages are destroyed when their own time is over."""

    trip_id: str


class HoldList(Struct):
    """The holds that stand."""

    holds: list[Hold]


class AuditEntry(Struct):
    """One entry of the audit log."""

    n: Annotated[int, Meta(description="its number; they are without gaps.")]
    at: AtMs
    actor: str
    scope: str
    via: str
    address: str
    act: str
    trip_id: str
    case_id: str
    party_id: str
    reason: str
    note: str
    outcome: str
    details: dict[str, str | int]


class AuditPage(Struct):
    """Entries of the audit log, the newest first."""

    entries: list[AuditEntry]
    before: Annotated[
        int | None, Meta(description="for the next page; null if this is the last one.")
    ]


class Alarm(Struct):
    """An operator has opened more than is usual."""

    alarm_id: str
    at: AtMs
    operator: str
    kind: Annotated[
        str, Meta(description="cases_per_hour, cases_per_day, readings_per_hour or same_party.")
    ]
    count: int
    party_id: str
    seen_by: Annotated[str | None, Meta(description="the supervisor who has looked into it.")]


class AlarmList(Struct):
    """The alarms but your own, those that nobody has looked into first."""

    alarms: list[Alarm]


class AlarmSeen(Struct):
    """An alarm that you have looked into."""

    alarm_id: str
