"""The second factor: time-based one-time codes (RFC 6238), as authenticator apps make them."""

from __future__ import annotations

import base64
import hmac
import re
from typing import Final

import pyotp

SECRET_BYTES: Final = 20

_STEP_MS: Final = 30_000
#: A code of the step before or after is taken too: clocks differ, and people take their time.
_STEPS_AROUND: Final = (-1, 0, 1)
_CODE: Final = re.compile(r"[0-9]{6}")
_ISSUER: Final = "Trip relay"


def text_of(secret: bytes) -> str:
    """A secret in base32, as an app takes it by hand."""
    return base64.b32encode(secret).decode()


def uri_of(secret: bytes, operator: str) -> str:
    """The address that a QR code holds for the app."""
    return pyotp.TOTP(text_of(secret)).provisioning_uri(name=operator, issuer_name=_ISSUER)


def step_of(secret: bytes, code: str, now_ms: int) -> int | None:
    """The time step whose code this is, or None. Takes as long either way."""
    shown = code if _CODE.fullmatch(code) else "------"
    app, now = pyotp.TOTP(text_of(secret)), now_ms // _STEP_MS
    found = None
    for step in (now + around for around in _STEPS_AROUND):
        if hmac.compare_digest(app.generate_otp(step), shown):
            found = step
    return found
