"""What the calls take and give. These types validate every input and generate the OpenAPI document.

The descriptions are also what a caller is told when a field is wrong, so each says what the field
has to be. Structs that hold a phone number or a token print neither.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from ..core.body import MAX_TEXT_CHARS
from ..core.caselife import Answer as ReportAnswer
from ..core.codes import CloseReason
from ..core.frames import MAX_TEXT_BYTES
from ..core.ids import PARTY_ID, POST_ID, TRIP_ID

LONGEST_GRACE_S: Final = 3600
DEFAULT_DURATION_S: Final = 4 * 3600
LIST_LIMIT: Final = 200
EVENT_LIMIT: Final = 500
MOST_ENDED: Final = 500

_AS_ID: Final = (
    "1 to 64 characters of A-Z a-z 0-9 _ . : ~ -, of which the first is a letter or a digit."
)
_LATEST_MS: Final = 2**53
_REASONS: Final = ", ".join(CloseReason) + "."

TripId = Annotated[
    str,
    Meta(
        pattern=rf"^{TRIP_ID.pattern}\Z",
        description=f"the platform's id of the trip, {_AS_ID}",
        examples=["trip-7f3a"],
    ),
]
PartyId = Annotated[
    str,
    Meta(
        pattern=rf"^{PARTY_ID.pattern}\Z",
        description=f"the platform's own pseudonym of the person, {_AS_ID}",
        examples=["driver-19"],
    ),
]
# The vault decides which numbers are valid; the pattern is for those who read the schema.
Phone = Annotated[
    str,
    Meta(
        description="a phone number in E.164 form: a plus sign, the country code, the number. It "
        "is encrypted at once and never read again.",
        examples=["+12025550123"],
        extra_json_schema={"pattern": r"^\+[1-9][0-9]{6,14}$", "writeOnly": True},
    ),
]
# No control characters (C0, DEL, C1, line separators), nor those that turn the text's direction.
Alias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=40,
        pattern="^[^\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069]*\\Z",
        description="the name the other party sees, 1 to 40 characters, no control characters, "
        "not only white space.",
        examples=["Rani"],
    ),
]
Locale = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}\Z",
        description="the party's language as a short BCP 47 tag, such as id or en-SG.",
        examples=["id"],
    ),
]
Epoch = Annotated[
    int,
    Meta(ge=1, le=_LATEST_MS, description="the pairing of parties, a count from 1.", examples=[1]),
]
AtMs = Annotated[
    int, Meta(ge=0, le=_LATEST_MS, description="a time in milliseconds since 1970 (UTC).")
]
DurationS = Annotated[
    int,
    Meta(
        ge=1,
        le=_LATEST_MS,
        description="after how many seconds the channel closes by itself: at least 1, at most the "
        "longest trip this relay is set to. Without it four hours, or that if it is less.",
        examples=[7200],
    ),
]
RetentionS = Annotated[
    int,
    Meta(
        ge=0,
        le=_LATEST_MS,
        description="for how many seconds the messages are kept after the close: 0 destroys them "
        "at once; at most what this relay is set to.",
        examples=[0],
    ),
]
ReportWindowS = Annotated[
    int,
    Meta(
        ge=0,
        le=_LATEST_MS,
        description="for how many seconds after the close a party can still report a message; at "
        "most what this relay is set to.",
        examples=[0],
    ),
]
RequestedAt = Annotated[
    int,
    Meta(
        ge=0,
        le=_LATEST_MS,
        description="when the platform decided to open the trip, in milliseconds since 1970 (UTC): "
        "the same in every repeat, and not more than five minutes ahead of the relay's clock. It "
        "is what lets a very late repeat be refused.",
    ),
]
Policy = Annotated[
    dict[
        Literal[
            "number", "link", "email", "handle", "account", "otp_request", "otp_code",
            "call_forward", "solicit",
        ],
        Literal["redact", "block", "warn", "off"],
    ],
    Meta(
        description="what the guard does with each class of finding: a map from number, link, "
        "email, handle, account, otp_request, otp_code, call_forward or solicit to redact, block, "
        "warn or off. Classes that are left out keep the relay's defaults. The parties' own "
        "numbers are taken out whatever it says.",
        examples=[{"account": "warn", "solicit": "off"}],
    ),
]  # fmt: skip
Allow = Annotated[
    list[
        Annotated[
            str, Meta(min_length=1, max_length=64, description="a string of 1 to 64 characters.")
        ]
    ],
    Meta(
        max_length=32,
        description="at most 32 strings that the guard lets through in this trip: pickup PIN, "
        "order id, plate, fare, digits of the address; at most 160 digits over the whole trip. It "
        "never lets a party's number through.",
        examples=[["B 1234 XYZ", "4821"]],
    ),
]


class Secretive(Struct):
    """A struct that holds a phone number or a token, and so never prints its fields."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(****)"

    def __rich_repr__(self) -> Any:
        return iter(())


# --- what the calls take --------------------------------------------------------------------------


class PartyInput(Secretive, forbid_unknown_fields=True):
    """One of the two people of a trip."""

    party_id: PartyId
    phone: Phone
    alias: Alias
    locale: Locale = "id"


class OpenTrip(Secretive, forbid_unknown_fields=True, kw_only=True):
    """A trip to open. Neither phone number may stand in any other field."""

    trip_id: TripId
    driver: Annotated[PartyInput, Meta(description="the driver, an object.")]
    customer: Annotated[PartyInput, Meta(description="the customer, an object.")]
    requested_at: RequestedAt
    max_duration_s: DurationS | UnsetType = UNSET
    retention_s: RetentionS = 0
    report_window_s: ReportWindowS = 0
    policy: Policy = {}
    allow: Allow = []


class ChangeTrip(Struct, forbid_unknown_fields=True):
    """What to change; a field that is left out stays as it is."""

    deadline: (
        Annotated[
            int,
            Meta(
                ge=0,
                le=_LATEST_MS,
                description="when the channel closes by itself, in milliseconds since 1970 (UTC); "
                "in the future, and not after the longest time a trip of this relay may last.",
            ),
        ]
        | UnsetType
    ) = UNSET
    allow: Allow | UnsetType = UNSET
    policy: Policy | UnsetType = UNSET


EndReason = Literal["completed", "cancelled", "no_show", "safety", "other"]


class EndTrips(Struct, forbid_unknown_fields=True):
    """Trips that are over, as the platform knows."""

    trip_ids: Annotated[list[TripId], Meta(min_length=1, max_length=MOST_ENDED)]
    reason: Annotated[
        EndReason,
        Meta(description="one of completed, cancelled, no_show, safety, other."),
    ] = "completed"


class EndTrip(Struct, forbid_unknown_fields=True):
    """How a trip ends."""

    grace_s: Annotated[
        int,
        Meta(
            ge=0,
            le=LONGEST_GRACE_S,
            description=f"for how many seconds the parties can still write, 0 to "
            f"{LONGEST_GRACE_S}. It only ever shortens the time that is left.",
        ),
    ] = 0
    reason: Annotated[
        EndReason,
        Meta(description="one of completed, cancelled, no_show, safety, other."),
    ] = "completed"


class ReassignParty(Secretive, forbid_unknown_fields=True):
    """Who takes a role over, and which pairing the caller knows."""

    epoch: Epoch
    party_id: PartyId
    phone: Phone
    alias: Alias
    locale: Locale = "id"


class RenewToken(Struct, forbid_unknown_fields=True):
    """Whose token, and whether the older ones die."""

    party_id: PartyId
    revoke: Annotated[
        bool, Meta(description="true to kill the party's older tokens and cut its connection.")
    ] = False


class PostSystemMessage(Secretive, forbid_unknown_fields=True):
    """A message from the platform."""

    id: Annotated[
        str,
        Meta(
            pattern=rf"^{POST_ID.pattern}\Z",
            description="the message's id, 1 to 36 characters of A-Z a-z 0-9 _ -; the same in "
            "every repeat.",
            examples=["pickup-moved"],
        ),
    ]
    text: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=MAX_TEXT_CHARS,
                description=f"1 to {MAX_TEXT_CHARS} characters, {MAX_TEXT_BYTES} bytes of UTF-8 at "
                "most, not only white space, no control characters but line feed and tab. It goes "
                "through the guard.",
                examples=["The pick-up point has moved to gate 3."],
            ),
        ]
        | UnsetType
    ) = UNSET
    template: (
        Annotated[
            Literal[
                "driver_arrived",
                "trip_started",
                "trip_ending",
                "pickup_changed",
                "fare_changed",
                "stay_safe",
            ],
            Meta(
                description="in place of a text, a sentence that each party gets in its own "
                "language: driver_arrived, trip_started, trip_ending, pickup_changed, fare_changed "
                "or stay_safe.",
            ),
        ]
        | UnsetType
    ) = UNSET
    to: Annotated[
        Literal["both", "driver", "customer"],
        Meta(description="who gets it: both, driver or customer."),
    ] = "both"


class ListQuery(Struct, forbid_unknown_fields=True):
    """Which trips to list."""

    state: Annotated[
        Literal["open"],
        Meta(description="open: trips whose channel is not closed, those in their grace included."),
    ] = "open"
    cursor: Annotated[
        str,
        Meta(
            max_length=128,
            description="where to go on: the `cursor` of the page before, as it was given.",
        ),
    ] = ""
    limit: Annotated[
        int,
        Meta(ge=1, le=LIST_LIMIT, description=f"how many trips at most, 1 to {LIST_LIMIT}."),
    ] = 50


class EventsQuery(Struct, forbid_unknown_fields=True):
    """How many events to give."""

    limit: Annotated[
        int,
        Meta(ge=1, le=EVENT_LIMIT, description=f"how many events at most, 1 to {EVENT_LIMIT}."),
    ] = 100


class AcknowledgeEvents(Struct, forbid_unknown_fields=True):
    """Which events have arrived."""

    ids: Annotated[
        list[Annotated[str, Meta(max_length=64, description="the `id` of an event.")]],
        Meta(
            max_length=EVENT_LIMIT,
            description=f"the `id` of each event that has arrived, at most {EVENT_LIMIT}.",
            examples=[["17-1732258800000-0"]],
        ),
    ]


# --- what the calls give --------------------------------------------------------------------------

Token = Annotated[
    str,
    Meta(
        description="the party's secret for its app, which shows it to the gateway in its first "
        "frame. It cannot be asked for again; a fresh one can.",
        extra_json_schema={"readOnly": True},
    ),
]
GatewayUrl = Annotated[str, Meta(description="where the parties' apps connect.")]


class Admission(Secretive):
    """A party and the token for its app."""

    party_id: str
    token: Token


class TripOpened(Secretive):
    """An open channel."""

    trip_id: str
    state: Literal["open", "grace"]
    epoch: int
    deadline: AtMs
    gateway_url: GatewayUrl
    driver: Admission
    customer: Admission


KeptOn = Annotated[
    Literal["replicated", "local"],
    Meta(
        description="replicated: a replica of the store has it too. local: the store has no "
        "replica, or none that said so in time; a failover in the next moments may forget it until "
        "a node says it again. Repeat the call to ask again."
    ),
]


class TripEnded(Struct):
    """How a channel stands after `end`."""

    trip_id: str
    state: Literal["grace", "closed"]
    closed_at: AtMs | None
    deadline: AtMs | None
    kept: KeptOn


class TripsEnded(Struct):
    """How channels stand after `end` without a grace, in the order in which they were named."""

    trips: list[TripEnded]


class PartyState(Struct):
    """A party as the platform may see it."""

    party_id: str
    online: Annotated[bool, Meta(description="whether a connection of this party is attached.")]
    undelivered: Annotated[
        int, Meta(description="once closed: how many of its messages never arrived.")
    ]


class Trip(Struct):
    """A channel as the platform may see it: no number, no text."""

    trip_id: str
    state: Literal["open", "grace", "closed"]
    reason: Annotated[
        str | None,
        Meta(description="why the channel closed, as its parties were told: " + _REASONS),
    ]
    detail: Annotated[
        str | None, Meta(description="the `reason` that `end` gave; `expired` after the deadline.")
    ]
    epoch: Annotated[
        int, Meta(description="the pairing of parties; 0 if the end came before the open.")
    ]
    opened_at: AtMs | None
    deadline: AtMs | None
    closed_at: AtMs | None
    messages: Annotated[
        int, Meta(description="in the log of this epoch; 0 once the channel is closed.")
    ]
    driver: PartyState | None
    customer: PartyState | None


class TripList(Struct):
    """A page of trips, in an order that stays the same."""

    trips: list[Trip]
    cursor: Annotated[
        str | None, Meta(description="for the next page; null if this is the last one.")
    ]


class PartyAdmitted(Secretive):
    """A party that has the role now, and the token for its app."""

    trip_id: str
    epoch: int
    party_id: str
    token: Token
    gateway_url: GatewayUrl
    kept: KeptOn


class TokenRenewed(Secretive):
    """A fresh token."""

    trip_id: str
    party_id: str
    token: Token
    gateway_url: GatewayUrl
    kept: KeptOn


class SystemMessage(Struct):
    """A stored message of the platform's."""

    trip_id: str
    epoch: int
    id: str
    pos: Annotated[str, Meta(description="its place in the log.")]
    at: AtMs


EventFields = Annotated[
    dict[str, Any],
    Meta(
        description="`id`, `kind` and `at` (ms), and by kind: "
        "`channel.closed` {trip, detail}: an operator closed it, `detail` says why; "
        "`report.received` {case, trip, category, priority, alarm, party, reported}: a party "
        "reported the other, with `alarm` look at once; "
        "`case.answered` {case, trip, party, outcome, answer}: what to tell the party that "
        "reported; `answer` is one of " + ", ".join(ReportAnswer) + "; "
        "`evidence.read` {trip, party, purposes, read_on}: tell the party that staff read messages "
        "of that trip, for which purposes, first on which day; "
        "`sanction.imposed`, `sanction.lifted` {sanction, party, sanction_kind, reason, "
        "imposed_at, until?, case?, other?}: outside the relay it is the platform that acts on it; "
        "`watch.alarm` {operator, alarm, count, party}: a member of staff opens unusually much; "
        "`audit.checkpoint`: keep it, it proves later what the audit log held; "
        "`privacy.*` {party, ...}. Pass over a kind that you do not know. None holds a text or a "
        "number.",
        examples=[
            {
                "id": "17-1767225600000-0",
                "kind": "case.answered",
                "at": 1767225600000,
                "case": "c17-0a1b2c3d",
                "trip": "trip-7f3a",
                "party": "rider-7",
                "outcome": "upheld",
                "answer": "action_taken",
            }
        ],
        extra_json_schema={
            "required": ["id", "kind", "at"],
            "properties": {
                "id": {"type": "string"},
                "kind": {"type": "string"},
                "at": {"type": "integer"},
            },
        },
    ),
]


class EventList(Struct):
    """What has happened and is not acknowledged, the oldest first."""

    events: list[EventFields]
    more: Annotated[
        bool, Meta(description="whether others wait; there may be fewer here than `limit` then.")
    ]


class EventsAcknowledged(Struct):
    """How many events this call deleted."""

    acknowledged: int


class Alive(Struct):
    """The process runs."""

    live: bool = True


class Ready(Struct):
    """The node serves."""

    ready: bool = True
