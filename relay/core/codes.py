"""The closed sets of codes that cross the wire, and what each advises.

A close code's range is its advice, so an app built today treats a code of tomorrow rightly:
4000-4499 reconnect, 4500-4999 stop. Codes below 4000 are those of RFC 6455, section 7.4.1.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum


class CloseCode(IntEnum):
    """Why the relay ends a connection."""

    NORMAL = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    INVALID_TEXT = 1007
    MESSAGE_TOO_BIG = 1009
    INTERNAL_ERROR = 1011

    DRAINING = 4000
    SLOW_READER = 4001
    SILENT = 4002
    STORE_AWAY = 4003
    TOO_MANY = 4004
    TOKEN_EXPIRED = 4100

    CHANNEL_CLOSED = 4500
    TAKEN_OVER = 4501
    REASSIGNED = 4502
    BAD_TOKEN = 4503
    BAD_FRAME = 4504
    UNSUPPORTED = 4505


#: RFC 6455 codes after which the same app would only fail again.
_FINAL_RFC_CODES = frozenset({1002, 1003, 1007, 1009, 1010})


def may_reconnect(code: int) -> bool:
    """Tell whether an app whose connection ended with `code` should connect again."""
    if code >= 4500:
        return False
    return code not in _FINAL_RFC_CODES


def may_be_sent(code: int) -> bool:
    """Tell whether a close frame may carry `code` (RFC 6455 section 7.4 and the IANA registry)."""
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def close_reason(code: CloseCode, retry_after_ms: int = 0) -> str:
    """The text of a close frame: the code's name, and how long to wait where that is known."""
    name = code.name.lower()
    return f"{name};retry_after_ms={retry_after_ms}" if retry_after_ms else name


def advised_delay_ms(reason: str) -> int | None:
    """The delay that a close frame's reason advises, or None."""
    _, found, value = reason.partition(";retry_after_ms=")
    return int(value) if found and value.isascii() and value.isdigit() else None


class CloseReason(StrEnum):
    """Why a channel closed, as its parties are told."""

    ENDED = "ended"
    EXPIRED = "expired"
    CLOSED = "closed"
    REASSIGNED = "reassigned"


class RefusedCode(StrEnum):
    """Why a post is certainly not stored."""

    CLOSED = "closed"
    REASSIGNED = "reassigned"
    MALFORMED = "malformed"
    UNSUPPORTED_KIND = "unsupported_kind"
    TOO_LONG = "too_long"
    CHANNEL_FULL = "channel_full"
    NOT_ATTACHED = "not_attached"
    TOO_MANY = "too_many"
    IN_FLIGHT = "in_flight"
    STORE_AWAY = "store_away"
    KEY_AWAY = "key_away"
    GUARD_AWAY = "guard_away"
    BLOCKED = "blocked"
    MUTED = "muted"


class NotReportedCode(StrEnum):
    """Why a report was not taken: nothing of it is stored."""

    MALFORMED = "malformed"
    NOT_ATTACHED = "not_attached"
    TOO_MANY = "too_many"
    CLOSED = "closed"
    STORE_AWAY = "store_away"
    KEY_AWAY = "key_away"


class ErrorCode(StrEnum):
    """Why a frame other than a post or a report was not acted on; the socket stays open."""

    UNKNOWN_OP = "unknown_op"
    BAD_FIELD = "bad_field"
    OUT_OF_TURN = "out_of_turn"
    TOO_MANY = "too_many"
