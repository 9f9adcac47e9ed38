"""Classes of findings, what may be done about each, and what is done by default."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class FindingClass(StrEnum):
    """What a message carries or asks for; the names by which a policy knows them.

    The parties' own numbers have no class of their own. They are told as `number`, like any other,
    so that no answer says whether digits that were tried are right.
    """

    NUMBER = "number"
    LINK = "link"
    EMAIL = "email"
    HANDLE = "handle"
    ACCOUNT = "account"
    OTP_REQUEST = "otp_request"
    OTP_CODE = "otp_code"
    CALL_FORWARD = "call_forward"
    SOLICIT = "solicit"


class Action(StrEnum):
    """What is done with a message; from the mildest to the strongest."""

    OFF = "off"
    WARN = "warn"
    REDACT = "redact"
    BLOCK = "block"


_DEFAULTS: Final = {
    FindingClass.NUMBER: Action.REDACT,
    FindingClass.LINK: Action.REDACT,
    FindingClass.EMAIL: Action.REDACT,
    FindingClass.HANDLE: Action.REDACT,
    FindingClass.ACCOUNT: Action.REDACT,
    FindingClass.OTP_REQUEST: Action.WARN,
    FindingClass.OTP_CODE: Action.REDACT,
    FindingClass.CALL_FORWARD: Action.BLOCK,
    FindingClass.SOLICIT: Action.WARN,
}


class Policy:
    """The action of each class; a class that is not named keeps its default.

    No policy reaches the parties' own numbers: they are redacted whatever `number` says. Asking for
    a code and proposing to leave the app hold nothing that could be taken out, so `redact` warns.
    Raises `ValueError` for a class or an action that there isn't.
    """

    __slots__ = ("_actions",)

    def __init__(self, actions: Mapping[str, str] | None = None) -> None:
        self._actions = dict(_DEFAULTS)
        for name, action in (actions or {}).items():
            try:
                self._actions[FindingClass(name)] = Action(action)
            except ValueError:
                raise ValueError(
                    f"A guard policy maps classes of findings ({', '.join(FindingClass)}) to off, "
                    "warn, redact or block."
                ) from None

    def action(self, finding_class: FindingClass) -> Action:
        """What is done about a class."""
        return self._actions[finding_class]

    def __repr__(self) -> str:
        return f"Policy({ {str(k): str(v) for k, v in self._actions.items()} })"


DEFAULT_POLICY: Final = Policy()
