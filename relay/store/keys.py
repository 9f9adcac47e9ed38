"""Every key and channel name in the store.

A trip belongs to one of 256 partitions, and the partition is the hash tag: all keys of a trip, its
partition's deadlines and its partition's index share a slot, so one script changes them together.

| key | type | holds | goes |
|---|---|---|---|
| `{pN}:trip:<trip>` | hash | the channel's record, see scripts/prelude.lua | `record` in `due` |
| `{pN}:log:<trip>:<epoch>` | stream | the open log: the permission to post | close, reassign |
| `{pN}:kept:<trip>:<epoch>` | stream | a log in its retention | `messages` in `due` |
| `{pN}:due` | sorted set | `close:`, `messages:`, `record:` + trip, by the time it is due | swept |
| `{pN}:open` | sorted set | trips whose channel is open, in the order of their names | close |
| `{pN}:control` | sharded pub/sub | what happened to channels: closed, reassigned, ... | |
| `relay:apikeys` | hash | key id → hash and scope | `apikey revoke` |
| `relay:nodes` | sorted set | living nodes by their last heartbeat | a dead node's after seconds |
| `relay:inbox:<node>` | sharded pub/sub | messages for parties attached to that node | |
"""

from __future__ import annotations

from binascii import crc_hqx
from typing import Final

PARTITIONS: Final = 256

APIKEYS: Final = "relay:apikeys"
NODES: Final = "relay:nodes"


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


def control(number: int) -> str:
    return f"{tag(number)}:control"


def inbox(node: str) -> str:
    return f"relay:inbox:{node}"
