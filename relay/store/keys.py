"""Every key and channel name in the store.

A trip belongs to one of 256 partitions, and the partition is the hash tag: all keys of a trip, its
partition's deadlines and its partition's index share a slot, so one script changes them together.

| key | type | holds | goes |
|---|---|---|---|
| `{pN}:trip:<trip>` | hash | the channel's record, see scripts/prelude.lua | `record` in `due` |
| `{pN}:log:<trip>:<epoch>` | stream | the open log: the permission to post | close, reassign |
| `{pN}:kept:<trip>:<epoch>` | stream | a log in its retention | `messages` in `due` |
| `{pN}:due` | sorted set | `close:`, `messages:`, `record:`, `case:`, `events:`, by when | swept |
| `{pN}:open` | sorted set | trips whose channel is open, by when it was opened | close |
| `{pN}:line:<trip>` | list | what happened to a channel, for the operators | `record` in `due` |
| `{pN}:events` | stream | what the platform is told | acknowledged |
| `{pN}:case:<case>` | hash | a report and what became of it | `case` in `due` |
| `{pN}:cases` | sorted set | open cases, by when they are due | closed |
| `{pN}:cases_done` | sorted set | closed cases, by when they were closed | `case` in `due` |
| `{pN}:notices` | sorted set | trip and party to be told of a reading, by when | told |
| `{pN}:notices_held` | hash | the same → JSON of what was read | told |
| `{pN}:alarms` | hash | alarm id → JSON; N is that of the word `watch` | 90 days after it is seen |
| `{pN}:watch:<operator>:<what>` | sorted set | what an operator opened, in a window | with it |
| `{pN}:watch_n` | string | a count that makes names for these | |
| `{pN}:control` | sharded pub/sub | what happened to channels: closed, reassigned, ... | |
| `{pN}:sanctioned:<trip>` | string | a mark: who may come in was sanctioned, restricted | a day |
| `{pN}:trips_of:<party>` | sorted set | a party's trips, by when their records are gone | then |
| `{pN}:sanctions:<party>` | hash | sanction id → JSON | a year after each has ended |
| `{pN}:restricted:<party>` | string | since when its data may not be used | `--off` |
| `relay:sanctions` | sorted set | party and sanction, by when it was imposed | with that |
| `relay:sanctions:pending` | sorted set | party and sanction not carried out yet | done |
| `relay:holds` | hash | trip → JSON of its legal hold | released, ended |
| `relay:privacy` | hash | request id → JSON of what a party asked of its data | two years after |
| `relay:audit` | stream | the audit log: a hash and an entry each, the id is its number | never |
| `relay:audit:checkpoints` | stream | signed checkpoints of it | never |
| `relay:audit:signing` | string | a worker has lately made, or looked for, a checkpoint | in time |
| `{relay:audit}:lines` | set | lines of key rings' journals that the log holds | never |
| `relay:schema` | string | the shape of all this, a number | never |
| `relay:apikeys` | hash | key id → hash, scope and whose | `apikey revoke`, `operator disable` |
| `relay:operators` | hash | operator id → JSON: scope, password hash, sealed TOTP secret | never |
| `relay:operators:seen` | hash | operator id → when last seen, in ms | never |
| `relay:enrolment:<digest>` | string | the operator whom a one-time code is for | used, or a day |
| `relay:session:<digest>` | string | whose console session, since when | sign-out, half an hour |
| `relay:sessions:<operator>` | sorted set | digests of sessions, by when they began | 8 hours |
| `{signin}:tried:<digest>` | sorted set | sign-ins that did not succeed, by when | 15 minutes |
| `{signin}:failing:<digest>` | string | one has failed that has an audit entry | 15 minutes |
| `{signin}:locked:<digest>` | string | until when no sign-in is looked at | then |
| `{signin}:written`, `{signin}:unwritten` | string | failures with an audit entry, without | soon |
| `relay:nodes` | sorted set | living nodes by their last heartbeat | a dead node's after seconds |
| `relay:inbox:<node>` | sharded pub/sub | messages for parties attached to that node | |
| `{pN}:fence` | string | nothing: written before asking how far writes have got | at once |
| `{pN}:probe:<node>` | sharded pub/sub | from a node to itself: its subscription lives | |
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import Final

PARTITIONS: Final = 256

APIKEYS: Final = "relay:apikeys"
OPERATORS: Final = "relay:operators"
OPERATORS_SEEN: Final = "relay:operators:seen"
SIGN_IN: Final = "{signin}:"
NODES: Final = "relay:nodes"
SANCTIONS: Final = "relay:sanctions"
SANCTIONS_PENDING: Final = "relay:sanctions:pending"
AUDIT: Final = "relay:audit"
AUDIT_CHECKPOINTS: Final = "relay:audit:checkpoints"
AUDIT_SIGNING: Final = "relay:audit:signing"
HOLDS: Final = "relay:holds"
PRIVACY: Final = "relay:privacy"
SCHEMA: Final = "relay:schema"


def partition(trip: str) -> int:
    """The partition of a trip: stable for ever, evenly spread (CRC-16/XMODEM)."""
    return crc_hqx(trip.encode(), 0) % PARTITIONS


def tag(number: int) -> str:
    """The hash tag that keeps a partition's keys in one slot."""
    return f"{{p{number}}}"


def trip(trip: str) -> str:
    return f"{tag(partition(trip))}:trip:{trip}"


def log(trip: str, epoch: int) -> str:
    return f"{tag(partition(trip))}:log:{trip}:{epoch}"


def due(number: int) -> str:
    return f"{tag(number)}:due"


def open_index(number: int) -> str:
    return f"{tag(number)}:open"


def line(trip: str) -> str:
    return f"{tag(partition(trip))}:line:{trip}"


def kept(trip: str, epoch: int) -> str:
    return f"{tag(partition(trip))}:kept:{trip}:{epoch}"


def events(number: int) -> str:
    return f"{tag(number)}:events"


def case(number: int, case: str) -> str:
    return f"{tag(number)}:case:{case}"


def cases(number: int) -> str:
    return f"{tag(number)}:cases"


def notices(number: int) -> str:
    return f"{tag(number)}:notices"


def alarms() -> str:
    return f"{tag(partition('watch'))}:alarms"


def control(number: int) -> str:
    return f"{tag(number)}:control"


def sanctioned(trip: str) -> str:
    return f"{tag(partition(trip))}:sanctioned:{trip}"


def trips_of(party: str) -> str:
    return f"{tag(partition(party))}:trips_of:{party}"


def sanctions(party: str) -> str:
    return f"{tag(partition(party))}:sanctions:{party}"


def restricted(party: str) -> str:
    return f"{tag(partition(party))}:restricted:{party}"


def enrolment(digest: str) -> str:
    return f"relay:enrolment:{digest}"


def session(digest: str) -> str:
    return f"relay:session:{digest}"


def sessions(operator: str) -> str:
    return f"relay:sessions:{operator}"


def inbox(node: str) -> str:
    return f"relay:inbox:{node}"


def probe(number: int, node: str) -> str:
    return f"{tag(number)}:probe:{node}"


def fence(trip: str) -> str:
    return f"{tag(partition(trip))}:fence"
