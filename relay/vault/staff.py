"""What operators sign in with, sealed, and the cookies of their sessions, signed.

Both are under a staff key of the ring, each under a key of its own that is derived from it
(HKDF-SHA256, RFC 5869), so that no bytes serve two algorithms.

A sealed TOTP secret is ``key id (4 bytes) + nonce (12) + ciphertext and tag`` (AES-256-GCM), bound
to its operator: put in another's place it does not open. A cookie is ``<key id>.<session id>.<
signature>``, the last two in base64url (HMAC-SHA256). The signature only keeps made-up cookies away
from the store; whether a session lives is for the store to say.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from relay.vault.binding import bind
from relay.vault.envelope import NONCE_BYTES, Unreadable
from relay.vault.ring import KEY_BYTES, Key, KeyRing, KeyUnavailable, Purpose

__all__ = ["SESSION_ID_BYTES", "open_totp", "seal_totp", "sign_cookie", "verify_cookie"]

SESSION_ID_BYTES: Final = 16

_KEY_ID_BYTES: Final = 4
_HEAD_BYTES: Final = _KEY_ID_BYTES + NONCE_BYTES
_COOKIE: Final = re.compile(r"([0-9a-f]{8})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})")


def seal_totp(key: Key, secret: bytes, *, operator: str, nonce: bytes) -> bytes:
    """Encrypt an operator's TOTP secret; 32 bytes longer. ``nonce``: 12 random bytes, used once.

    Raises ``ValueError``.
    """
    if len(nonce) != NONCE_BYTES:
        del secret  # a traceback that prints local variables must not show it
        raise ValueError(f"a nonce is {NONCE_BYTES} random bytes, used once")
    aead = AESGCM(_derived(key, "relay staff totp 1"))
    return bytes.fromhex(key.id) + nonce + aead.encrypt(nonce, secret, _place(key.id, operator))


def open_totp(ring: KeyRing, sealed: bytes, *, operator: str) -> bytes:
    """Decrypt an operator's TOTP secret, to check a code against it.

    Raises ``KeyUnavailable`` if its key isn't in the ring, ``Unreadable`` if this is not that
    operator's.
    """
    if len(sealed) < _HEAD_BYTES:
        raise Unreadable("An operator's stored second factor is cut, so it can't be read.")
    key = ring.get(Purpose.STAFF, sealed[:_KEY_ID_BYTES].hex())
    aead = AESGCM(_derived(key, "relay staff totp 1"))
    try:
        return aead.decrypt(
            sealed[_KEY_ID_BYTES:_HEAD_BYTES], sealed[_HEAD_BYTES:], _place(key.id, operator)
        )
    except InvalidTag:
        pass
    raise Unreadable("An operator's stored second factor is damaged or belongs to another.")


def sign_cookie(key: Key, session_id: bytes) -> str:
    """The cookie of a session, whose id is 16 secret random bytes. Raises ``ValueError``."""
    if len(session_id) != SESSION_ID_BYTES:
        del session_id
        raise ValueError(f"a session's id is {SESSION_ID_BYTES} random bytes")
    return f"{key.id}.{_base64url(session_id)}.{_base64url(_signature(key, session_id))}"


def verify_cookie(ring: KeyRing, text: str) -> bytes | None:
    """The session id of a cookie that the relay signed; None for any other text."""
    if (match := _COOKIE.fullmatch(text)) is None:
        return None
    try:
        key = ring.get(Purpose.STAFF, match[1])
        session_id = base64.b64decode(match[2] + "==", altchars=b"-_", validate=True)
    except (KeyUnavailable, binascii.Error):
        return None
    # Compared as text, so that a cookie has one form only.
    return session_id if hmac.compare_digest(sign_cookie(key, session_id), text) else None


def _signature(key: Key, session_id: bytes) -> bytes:
    return hmac.digest(_derived(key, "relay staff cookie 1"), session_id, "sha256")


def _derived(key: Key, label: str) -> bytes:
    """A key for one use, from a staff key."""
    if key.purpose is not Purpose.STAFF:
        raise ValueError(f"what is for operators is under a key for {Purpose.STAFF}")
    return HKDF(SHA256(), KEY_BYTES, None, bind(label, key.id)).derive(key.material)


def _place(key_id: str, operator: str) -> bytes:
    return bind("relay totp secret 1", key_id, operator)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
