"""What a log holds, opened for evidence: in order, without what was refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import structlog

from ..core.bars import Bars
from ..core.body import Body, unpack_body
from ..store.records import ROLE_OF, position, time_ms
from ..vault.binding import Sender
from ..vault.envelope import MessageCipher, Unreadable

log = structlog.get_logger(__name__)


class Said(NamedTuple):
    """A message of the log; `at` in ms of the store's clock."""

    pos: str
    id: str
    sender: Sender
    at: int
    body: Body


def opened(
    entries: Iterable[Any], cipher: MessageCipher, *, deadline: int, bars: Bars
) -> Iterator[Said]:
    """The messages among a log's entries, as the store gives them.

    What came after the deadline or from a party that was stopped lies there and was refused. An
    entry that is damaged is passed over and logged.
    """
    for entry, fields in entries:
        post_id, letter = fields[1].decode(), fields[2].decode()
        at = time_ms(entry)
        if letter[0] not in "dcs" or at >= deadline:
            continue  # the first entry only makes the log exist
        sender: Sender = ROLE_OF.get(letter) or "system"
        try:
            body = unpack_body(cipher.open(sender, post_id, fields[3]))
        except (Unreadable, ValueError):
            log.error("an entry of a log cannot be read")
            continue
        if not bars.stops(letter, at, body.kind):
            yield Said(position(entry), post_id, sender, at, body)
