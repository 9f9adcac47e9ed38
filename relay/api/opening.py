"""Why a trip is not opened, or a party not seated, though the request's types are right.

A number in a field that others read, a name that tells how to reach somebody, times beyond what
this relay is set to, what an operator has decided. Each check raises the `Problem` to answer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec
import structlog
from msgspec import UNSET

from ..guard.names import MAX_NAME_DIGITS, holds_contact
from ..guard.normalise import fold
from ..vault.numbers import InvalidPhone, PhoneNumber
from .fields import strings
from .limits import Limits
from .problems import Code, Problem, invalid
from .types import DEFAULT_DURATION_S, OpenTrip

_AHEAD_MS: Final = 5 * 60 * 1000
#: Enough for a PIN, an order, a plate, an address and a few fares.
_MOST_ALLOWED_DIGITS: Final = 160

_strings: Final = msgspec.json.Decoder(list[str]).decode

log = structlog.get_logger(__name__)


def check_opening(body: OpenTrip, limits: Limits, now_ms: int) -> int:
    """Check what the types cannot; give the trip's duration in seconds. Raises `Problem`."""
    duration_s = body.max_duration_s
    if duration_s is UNSET:
        duration_s = min(DEFAULT_DURATION_S, limits.longest_trip_s)
    for name, given_s, most_s in (
        ("max_duration_s", duration_s, limits.longest_trip_s),
        ("retention_s", body.retention_s, limits.longest_retention_s),
        ("report_window_s", body.report_window_s, limits.longest_report_window_s),
    ):
        if given_s > most_s:
            raise invalid(name, f"is more than the {most_s} s that this relay is set to.")
    if body.requested_at > now_ms + _AHEAD_MS:
        raise invalid(
            "requested_at",
            "is more than five minutes in the future by the relay's clock. It must be the time "
            "when the platform decided to open the trip, in milliseconds since 1970.",
        )
    if body.driver.party_id == body.customer.party_id:
        raise invalid("customer.party_id", "is the driver's: a trip needs two parties.")
    if body.driver.phone == body.customer.phone:
        raise invalid("customer.phone", "is the driver's: a trip needs two phones.")
    return duration_s


def checked_alias(alias: str, path: str) -> str:
    """The name that the other party sees. Raises `Problem` if it is none or holds a contact."""
    alias = alias.strip()
    if not alias:
        raise invalid(path, "is only white space. It is the name the other sees.")
    try:
        is_contact = holds_contact(alias)
    except Exception as error:  # noqa: BLE001 - whatever fails, the name must not pass
        log.error("guard_failed", error=type(error).__name__)
        raise Problem(
            Code.GUARD_UNAVAILABLE,
            f"`{path}` could not be checked, so nothing was changed. Try again.",
        ) from None
    if is_contact:
        raise Problem(
            Code.CONTACT_IN_FIELD,
            f"`{path}` holds a phone number, more than {MAX_NAME_DIGITS} digits, a link, "
            "an address or a handle, and the other party would see it. Nothing was changed. "
            "Send the name alone.",
            field=path,
        )
    return alias


def checked_phone(text: str, path: str) -> PhoneNumber:
    """The number that this text is. Raises `Problem`."""
    try:
        return PhoneNumber(text)
    except InvalidPhone as error:
        raise Problem(Code.PHONE, str(error), field=path) from None


def allowed_with(before: bytes, allow: list[str]) -> list[str]:
    """All that was ever allowed in a trip. Raises `Problem` if that is too much.

    What is allowed passes without being counted, so somebody who may change it could find out by
    trying which digits are a party's.
    """
    ever = sorted({*_strings(before or b"[]"), *allow})
    if sum(char.isdigit() for value in ever for char in fold(value).text) > _MOST_ALLOWED_DIGITS:
        raise invalid(
            "allow",
            f"holds, together with what it held before, more than {_MOST_ALLOWED_DIGITS} digits, "
            "the most that one trip may declare.",
        )
    return ever


def check_absent(body: Any, *phones: PhoneNumber) -> None:
    """Raise `Problem` if a number stands in any field but a phone's own."""
    for path, text in strings(body):
        for phone in phones:
            if phone.stands_in(text) and path.rpartition(".")[2] != "phone":
                raise number_in(path)


def number_in(path: str) -> Problem:
    """The answer where a number stands in that field."""
    return Problem(
        Code.NUMBER_IN_FIELD,
        f"One of the phone numbers stands in `{path}`, where others could read it, so nothing was "
        "changed. Use names and ids that hold no phone number.",
        field=path,
    )


def no_channel(refusal: str) -> Problem:
    """Why two parties get no channel between them."""
    refuse = _REFUSED[refusal]
    return refuse()


_REFUSED: Final[dict[str, Callable[[], Problem]]] = {
    "suspended": lambda: Problem(
        Code.SUSPENDED,
        "One of the parties is suspended by an operator, so the relay gives it no channel and "
        "nothing was changed. The event `sanction.imposed` said which and until when.",
    ),
    "never_pair": lambda: Problem(
        Code.NEVER_PAIR,
        "An operator has decided that these two parties are never to share a channel again, so "
        "nothing was changed. Give the trip to another driver.",
    ),
    "restricted": lambda: Problem(
        Code.RESTRICTED,
        "The processing of one party's data is restricted at its own request, so nothing was "
        "changed. `relay privacy restrict --off` ends that.",
    ),
}
