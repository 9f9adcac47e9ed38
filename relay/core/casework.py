"""The words of the operators' work: why a channel is closed, what is reported, what follows.

Closed sets, so that records can be counted and a stored word is never a person's own.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple


class HandReason(StrEnum):
    """Why an operator closes a channel. The parties are told only that it was closed."""

    SAFETY = "safety"
    HARASSMENT = "harassment"
    FRAUD = "fraud"
    IMPERSONATION = "impersonation"
    WRONG_PARTIES = "wrong_parties"
    PLATFORM_REQUEST = "platform_request"
    TECHNICAL = "technical"


class Category(StrEnum):
    """What a party reports."""

    THREAT = "threat"
    HARASSMENT = "harassment"
    ASKED_CONTACT = "asked_contact"
    OTP_FRAUD = "otp_fraud"
    PAYMENT_OUTSIDE = "payment_outside"
    OTHER = "other"


class Urgency(NamedTuple):
    """How soon a report has to be dealt with. `priority` 1 comes first; `alarms` means at once."""

    priority: int
    limit_s: int
    alarms: bool = False


URGENCY: Final[dict[Category, Urgency]] = {
    Category.THREAT: Urgency(1, 15 * 60, alarms=True),
    Category.HARASSMENT: Urgency(2, 4 * 3600),
    Category.OTP_FRAUD: Urgency(2, 4 * 3600),
    Category.ASKED_CONTACT: Urgency(3, 24 * 3600),
    Category.PAYMENT_OUTSIDE: Urgency(3, 24 * 3600),
    Category.OTHER: Urgency(4, 72 * 3600),
}


class CaseState(StrEnum):
    """How far a case has come."""

    NEW = "new"
    ASSIGNED = "assigned"
    CLOSED = "closed"


class Outcome(StrEnum):
    """What a case came to; the reporter's answer follows from it."""

    UPHELD = "upheld"
    UNPROVEN = "unproven"
    UNFOUNDED = "unfounded"
    DUPLICATE = "duplicate"


class Proof(StrEnum):
    """What the report tag says of a reported message, or the log while it is there."""

    PROVEN = "proven"  # the relay delivered this very text there
    FORGED = "forged"  # it did not: the text, place or sender was altered or made up
    UNKNOWN = "unknown"  # nothing is left that could tell: no tag or its key, and no log


class ReadingPurpose(StrEnum):
    """Why evidence is opened."""

    ASSESS = "assess_report"
    APPEAL = "appeal"
    LEGAL = "legal_request"
    SUPERVISION = "supervision"


class SanctionKind(StrEnum):
    """What can be imposed on a party."""

    WARN = "warn"  # told so in the channel
    MUTE = "mute"  # quick replies only
    SUSPEND = "suspend"  # no channel at all
    NEVER_PAIR = "never_pair"  # no channel with that other party again


class SanctionReason(StrEnum):
    """Why a sanction is imposed; the party is told this much."""

    THREAT = "threat"
    HARASSMENT = "harassment"
    CONTACT_SHARING = "contact_sharing"
    FRAUD = "fraud"
    SAFETY = "safety"


class StaffScope(StrEnum):
    """What an operator may do."""

    AGENT = "agent"
    SUPERVISOR = "supervisor"
