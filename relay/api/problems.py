"""Errors as problem documents (RFC 9457), from a closed set of codes.

A problem names the wrong field and never what stood in it: the value may be a phone number, and an
answer is copied into logs and tickets by whoever gets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from ..core.lifecycle import Refusal
from ..ops.refusals import Refused

MEDIA_TYPE: Final = "application/problem+json"

#: After how long a call that failed for the moment may be repeated.
RETRY_AFTER_S: Final = 1


class Code(StrEnum):
    """What went wrong, in one stable word that programs may rely on."""

    MALFORMED = "malformed"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_ALLOWED = "not_allowed"
    NOT_FOUND = "not_found"
    NO_TRIP = "no_trip"
    METHOD = "method"
    CHANGED = "changed"
    CLOSED = "closed"
    ENDING = "ending"
    PAIRED = "paired"
    PARTY = "party"
    NEVER_PAIR = "never_pair"
    SUSPENDED = "suspended"
    RESTRICTED = "restricted"
    CONFLICT = "conflict"
    GONE = "gone"
    EPOCH = "epoch"
    TOO_LARGE = "too_large"
    MEDIA_TYPE = "media_type"
    INVALID = "invalid"
    PHONE = "phone"
    NUMBER_IN_FIELD = "number_in_field"
    CONTACT_IN_FIELD = "contact_in_field"
    PAST = "past"
    CEILING = "ceiling"
    LOCKED = "locked"
    TOO_MANY = "too_many"
    RATE = "rate"
    INTERNAL = "internal"
    STORE_UNAVAILABLE = "store_unavailable"
    KEYS_UNAVAILABLE = "keys_unavailable"
    GUARD_UNAVAILABLE = "guard_unavailable"
    BUSY = "busy"
    OVERLOADED = "overloaded"
    NOT_READY = "not_ready"


#: The status and the title of each code. A code has one status; a status may have several codes.
MEANING: Final[dict[Code, tuple[int, str]]] = {
    Code.MALFORMED: (400, "The body is not JSON"),
    Code.UNAUTHORIZED: (401, "A valid API key is needed"),
    Code.FORBIDDEN: (403, "The API key has another scope"),
    Code.NOT_ALLOWED: (403, "This person may not do that, or not this way"),
    Code.NOT_FOUND: (404, "There is nothing at this address"),
    Code.NO_TRIP: (404, "There is no such trip"),
    Code.METHOD: (405, "This address does not take that method"),
    Code.CHANGED: (409, "The trip has other parties now"),
    Code.CLOSED: (409, "The trip's channel is closed"),
    Code.ENDING: (409, "The trip has ended"),
    Code.PAIRED: (409, "That party already sits opposite"),
    Code.PARTY: (409, "Another party has this role now"),
    Code.NEVER_PAIR: (409, "These two are never to be paired again"),
    Code.SUSPENDED: (409, "A party is suspended"),
    Code.RESTRICTED: (409, "A party's data may not be processed"),
    Code.CONFLICT: (409, "Something else happened first"),
    Code.GONE: (410, "It was destroyed on schedule"),
    Code.EPOCH: (412, "The parties have changed since"),
    Code.TOO_LARGE: (413, "The body is too large"),
    Code.MEDIA_TYPE: (415, "The body must be JSON"),
    Code.INVALID: (422, "A field is not as it has to be"),
    Code.PHONE: (422, "A phone number cannot be used"),
    Code.NUMBER_IN_FIELD: (422, "A phone number stands in another field"),
    Code.CONTACT_IN_FIELD: (422, "A field that a party sees holds a contact"),
    Code.PAST: (422, "The deadline has passed already"),
    Code.CEILING: (422, "The deadline is too late"),
    Code.LOCKED: (423, "Locked after too many failures"),
    Code.TOO_MANY: (429, "Too many"),
    Code.RATE: (429, "Too many calls in a short time"),
    Code.INTERNAL: (500, "The relay failed"),
    Code.STORE_UNAVAILABLE: (503, "The store does not answer"),
    Code.KEYS_UNAVAILABLE: (503, "An encryption key is missing"),
    Code.GUARD_UNAVAILABLE: (503, "The guard failed"),
    Code.BUSY: (503, "The trip is changing just now"),
    Code.OVERLOADED: (503, "Too many calls at once"),
    Code.NOT_READY: (503, "This node is not ready"),
}


class ProblemDocument(Struct, omit_defaults=True, rename={"kind": "type"}):
    """An error (RFC 9457)."""

    kind: Annotated[str, Meta(description="`urn:relay:problem:` and the code.")]
    title: Annotated[str, Meta(description="What the code means, always the same text.")]
    status: int
    detail: Annotated[
        str, Meta(description="What happened, what that means and what to do; for people.")
    ]
    code: Annotated[Code, Meta(description="What went wrong, for programs.")]
    field: Annotated[str, Meta(description="The path of the field that is wrong.")] | None = None
    problems: (
        Annotated[list[str], Meta(description="Of `not_ready`: what this node waits for.")] | None
    ) = None


_encode: Final = msgspec.json.Encoder().encode


class Problem(Exception):
    """An error that is told to the caller. `detail` must hold nothing that the caller sent."""

    def __init__(
        self,
        code: Code,
        detail: str,
        *,
        field: str | None = None,
        headers: Mapping[str, str] | None = None,
        problems: list[str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.field = field
        self.problems = problems
        self.headers = dict(headers or {})
        if self.status == 503:
            self.headers.setdefault("retry-after", str(RETRY_AFTER_S))

    @property
    def status(self) -> int:
        return MEANING[self.code][0]

    def document(self) -> bytes:
        """The body of the answer."""
        status, title = MEANING[self.code]
        return _encode(
            ProblemDocument(
                f"urn:relay:problem:{self.code}", title, status, self.detail, self.code,
                self.field, self.problems,
            )
        )  # fmt: skip


def invalid(field: str, detail: str) -> Problem:
    """A field whose content is not as it has to be."""
    return Problem(Code.INVALID, f"`{field}` {detail} Nothing was changed.", field=field)


def not_found() -> Problem:
    return Problem(
        Code.NOT_FOUND,
        "There is nothing at this address. /openapi.json lists every call.",
    )


def no_trip() -> Problem:
    return Problem(
        Code.NO_TRIP,
        "The relay knows no trip of this id: it was never opened, or it was closed so long ago "
        "that its record is gone. Check the id.",
    )


def refused(refusal: str) -> Problem:
    """The problem for a refusal of the lifecycle's, as the scripts return it."""
    match Refusal(refusal):
        case Refusal.UNKNOWN:
            return no_trip()
        case Refusal.ENDING:
            return Problem(
                Code.ENDING,
                "The trip has ended and only the rest of its grace remains, so nothing was "
                "changed. A new trip needs a new id.",
            )
        case Refusal.CLOSED:
            return Problem(
                Code.CLOSED,
                "The channel of this trip is closed for good, so nothing was changed. "
                "A new trip needs a new id.",
            )


def of_refused(refusal: Refused, *, of_trip: bool) -> Problem:
    """The problem for an act that was not done; `of_trip` if the call names a trip."""
    code, headers = Code(refusal.code), {}
    if code is Code.NOT_FOUND and of_trip:
        code = Code.NO_TRIP
    if code is Code.NOT_ALLOWED:
        headers = {"www-authenticate": 'Bearer error="insufficient_scope"'}
    return Problem(code, refusal.detail, field=refusal.field or None, headers=headers)
