"""Signed checkpoints of the audit log: how far it had come, and the hash it had there.

Who can write to the store can rewrite the whole log, hashes included, or cut its end. He can't make
a checkpoint: those are signed (Ed25519, RFC 8032) by a key that is derived from an audit key of the
ring, and copies of them leave the machine. Anybody who has the public key can check one.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from relay.vault.binding import bind
from relay.vault.ring import KEY_BYTES, KEY_ID, Key, Purpose

__all__ = ["Checkpoint", "checkpoint_of", "is_genuine", "public_key", "sign_checkpoint"]

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_SIGNATURE: Final = re.compile(r"[A-Za-z0-9_-]{86}")
_PUBLIC_KEY: Final = re.compile(r"[0-9a-f]{64}")


class Checkpoint(NamedTuple):
    """The log's entry ``n`` had this ``hash`` (hexadecimal) at ``at`` (Unix milliseconds)."""

    n: int
    hash: str
    at: int
    key_id: str
    signature: str


def sign_checkpoint(key: Key, *, n: int, hash_: bytes, at_ms: int) -> Checkpoint:
    """A checkpoint under an audit key. Raises ``ValueError``."""
    signature = _private(key).sign(_statement(n, hash_.hex(), at_ms, key.id))
    return Checkpoint(n, hash_.hex(), at_ms, key.id, _base64url(signature))


def public_key(key: Key) -> str:
    """What checks an audit key's checkpoints: 64 hexadecimal digits, for anybody."""
    return _private(key).public_key().public_bytes_raw().hex()


def is_genuine(checkpoint: Checkpoint, public: str) -> bool:
    """Whether the checkpoint was signed by the key with that public key, as it stands."""
    if not _PUBLIC_KEY.fullmatch(public):
        return False
    try:
        signature = base64.b64decode(checkpoint.signature + "==", altchars=b"-_", validate=True)
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public)).verify(
            signature, _statement(checkpoint.n, checkpoint.hash, checkpoint.at, checkpoint.key_id)
        )
    except (InvalidSignature, ValueError, binascii.Error):
        return False
    return True


def checkpoint_of(fields: Mapping[str, object]) -> Checkpoint | None:
    """The checkpoint that a record or a log line holds among its fields; None if it holds none."""
    n, at = fields.get("n"), fields.get("at")
    hash_, key_id, signature = (fields.get(name) for name in ("hash", "key_id", "signature"))
    if type(n) is not int or type(at) is not int or n < 1:
        return None
    if not (isinstance(hash_, str) and _HASH.fullmatch(hash_)):
        return None
    if not (isinstance(key_id, str) and KEY_ID.fullmatch(key_id)):
        return None
    if not (isinstance(signature, str) and _SIGNATURE.fullmatch(signature)):
        return None
    return Checkpoint(n, hash_, at, key_id, signature)


def _private(key: Key) -> Ed25519PrivateKey:
    if key.purpose is not Purpose.AUDIT:
        raise ValueError(f"a checkpoint is signed by a key for {Purpose.AUDIT}")
    label = bind("relay audit seed 1", key.id)
    return Ed25519PrivateKey.from_private_bytes(
        HKDF(SHA256(), KEY_BYTES, None, label).derive(key.material)
    )


def _statement(n: int, hash_: str, at_ms: int, key_id: str) -> bytes:
    return bind("relay audit checkpoint 1", n, hash_, at_ms, key_id)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
