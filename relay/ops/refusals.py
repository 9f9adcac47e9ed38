"""Why an act of an operator's was not done, in words for the person."""

from __future__ import annotations

from enum import StrEnum


class OpsCode(StrEnum):
    """What kept an act from being done, in one stable word."""

    NOT_ALLOWED = "not_allowed"  # needs another scope, or may not be done this way
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"  # something else happened first
    INVALID = "invalid"
    TOO_MANY = "too_many"
    LOCKED = "locked"
    GONE = "gone"  # destroyed on schedule


class Refused(Exception):
    """An act that was not done. `detail` says what happened, what it means and what to do, and
    quotes nothing that anybody typed."""

    def __init__(self, code: OpsCode, detail: str, *, field: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.field = field
