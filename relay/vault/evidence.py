"""Evidence: what a case keeps of a channel, sealed under a key that is destroyed on time.

AES-256-GCM. Sealed evidence is ``key id (4 bytes) + nonce (12) + ciphertext and tag (16 more than
the plaintext)``. It is bound to its case: moved to another one it does not open, nor does a message
or a data key open as evidence.

It has no data key of its own: it is sealed once and outlives the key of its week by the longest
retention at most, and a key of the ring sees the cases of one week.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from relay.vault.binding import bind
from relay.vault.envelope import NONCE_BYTES, Unreadable
from relay.vault.ring import Key, KeyRing, Purpose

__all__ = ["evidence_key_id", "open_evidence", "seal_evidence"]

_KEY_ID_BYTES: Final = 4
_HEAD_BYTES: Final = _KEY_ID_BYTES + NONCE_BYTES


def seal_evidence(key: Key, plaintext: bytes, *, case: str, nonce: bytes) -> bytes:
    """Encrypt a case's evidence; 32 bytes longer than the plaintext.

    ``key`` is the current one for evidence, ``nonce`` 12 random bytes that are used once. Raises
    ``ValueError``.
    """
    if key.purpose is not Purpose.EVIDENCE:
        del plaintext
        raise ValueError(f"evidence is sealed by a key for {Purpose.EVIDENCE}")
    if len(nonce) != NONCE_BYTES:
        del plaintext
        raise ValueError(f"a nonce is {NONCE_BYTES} random bytes, used once")
    sealed = AESGCM(key.material).encrypt(nonce, plaintext, _place(key.id, case))
    return bytes.fromhex(key.id) + nonce + sealed


def evidence_key_id(sealed: bytes) -> str:
    """The id of the ring's key under which evidence was sealed."""
    return sealed[:_KEY_ID_BYTES].hex()


def open_evidence(ring: KeyRing, sealed: bytes, *, case: str) -> bytes:
    """Decrypt what ``seal_evidence`` made for that case.

    Raises ``KeyUnavailable`` if its key is no longer (or not yet) in the ring, ``Unreadable`` if
    this is not the evidence of that case.
    """
    if len(sealed) < _HEAD_BYTES:
        raise Unreadable("A case's stored evidence is cut, so it can't be read.")
    key = ring.get(Purpose.EVIDENCE, evidence_key_id(sealed))
    try:
        return AESGCM(key.material).decrypt(
            sealed[_KEY_ID_BYTES:_HEAD_BYTES], sealed[_HEAD_BYTES:], _place(key.id, case)
        )
    except InvalidTag:
        pass
    raise Unreadable("A case's stored evidence is damaged or belongs to another case.")


def _place(key_id: str, case: str) -> bytes:
    return bind("relay evidence 1", key_id, case)
