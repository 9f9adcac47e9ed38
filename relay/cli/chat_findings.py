"""What the relay's guard found in a message, in a person's words. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..client import Finding

WORDS: Final = {
    "number": "a number",
    "link": "a link",
    "email": "an e-mail address",
    "handle": "a name in another app",
    "account": "a bank or wallet account",
    "otp_request": "a request for a one-time code",
    "otp_code": "a one-time code",
    "call_forward": "a call-forwarding code",
    "solicit": "a proposal to leave the app",
}


def in_words(findings: Iterable[Finding]) -> str:
    """`a number, a link`: each class once. Empty if there is none."""
    classes = dict.fromkeys(finding.finding_class for finding in findings)
    return ", ".join(
        WORDS.get(name, "something that this version does not know") for name in classes
    )
