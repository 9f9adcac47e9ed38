"""Reports from the apps: taken one at a time from each, and answered.

What becomes of a report is in `ops.reports`. Whoever is attached for reports only holds no seat and
hears nothing of the channel; the peer hears nothing of any of it.
"""

from __future__ import annotations

from typing import Final

import structlog

from ..core.codes import CloseCode, NotReportedCode
from ..core.frames import Report, Reported
from ..ops.reports import NotTaken, Reporter, Reports
from ..store.endpoint import StoreError
from ..store.records import NotAttached
from ..vault.ring import KeyUnavailable
from .connection import Connection
from .node import Node

log = structlog.get_logger(__name__)

_RETRY_MS: Final = 1000

_EXPLAINED: Final = {
    NotReportedCode.MALFORMED: "The items are of several epochs, or the note is too long or holds "
    "control characters.",
    NotReportedCode.TOO_MANY: "Too many reports; those before are being looked at.",
    NotReportedCode.CLOSED: "The time for reports of this trip is over.",
    NotReportedCode.STORE_AWAY: "The report was not taken because the store is away; try again.",
    NotReportedCode.KEY_AWAY: "The report was not taken because it cannot be encrypted; try again.",
}

#: Tokens that were good when the connection was attached.
_REFUSALS: Final = {"token": CloseCode.BAD_TOKEN, "expired": CloseCode.TOKEN_EXPIRED}


def report(node: Node, reports: Reports, connection: Connection, frame: Report) -> None:
    """Take a report from an app that is attached, with a seat or for reports only."""
    if connection.reporting:
        words = "Wait for the answer to the report before this one."
        connection.not_reported(frame.id, NotReportedCode.TOO_MANY, words, _RETRY_MS)
        return
    connection.reporting = True
    node.spawn(_take(node, reports, connection, frame))


async def _take(node: Node, reports: Reports, connection: Connection, frame: Report) -> None:
    try:
        by = await _reporter(node, connection)
        if isinstance(by, NotAttached):
            if by.why in _REFUSALS:
                node.close(connection, _REFUSALS[by.why])
            refusal: NotTaken | None = NotTaken(NotReportedCode.CLOSED)
        else:
            refusal = await reports.take(by, frame)
    except StoreError as error:
        # Perhaps it was stored and the answer got lost; sent again, it is found by its id.
        log.warning("report_not_taken", error=type(error).__name__)
        refusal = NotTaken(NotReportedCode.STORE_AWAY, _RETRY_MS)
    except KeyUnavailable:
        log.warning("report_not_taken", error="KeyUnavailable")
        refusal = NotTaken(NotReportedCode.KEY_AWAY, _RETRY_MS)
    finally:
        connection.reporting = False
    if refusal is None:
        node.counts.reports[frame.category] += 1
        connection.send(Reported(frame.id))
    else:
        code, wait_ms = refusal
        connection.not_reported(frame.id, code, _EXPLAINED[code], wait_ms)


async def _reporter(node: Node, connection: Connection) -> Reporter | NotAttached:
    channel, role, token = connection.channel, connection.role, connection.reporter
    if token is None:
        assert channel is not None and role is not None
        return Reporter(channel.trip, role, channel.epoch, connection.locale)
    # Asked anew each time: such a connection is not told when its token or the window is over.
    seat = await node.store.report_only(token.trip, digest=token.digest)
    if isinstance(seat, NotAttached):
        return seat
    return Reporter(token.trip, seat.role, seat.epoch, seat.locale)
