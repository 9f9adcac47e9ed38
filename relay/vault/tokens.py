"""Party tokens and API keys: random secrets that are stored only as hashes.

A party's token is ``<secret>.<d|c>.<trip id>``; it names its trip and side, so that no index from
tokens to trips is needed, and the digest is of the whole text, so that neither can be changed. An
API key is ``relay_<id>_<secret>``; its id may be shown, in lists and in the audit log.

A secret is 128 random bits in 22 characters of base64url. Nobody can try 2^128 of them, so a plain
hash protects a stolen list as well as a slow one would (those are for passwords, which people
choose) and costs a microsecond instead of a tenth of a second for each request. Half of SHA-256 is
kept: 128 bits again.
"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Final, NamedTuple

from relay.core.ids import TRIP_ID, Role

__all__ = [
    "API_KEY_BYTES",
    "PARTY_TOKEN_BYTES",
    "ApiKey",
    "BadToken",
    "PartyToken",
    "new_api_key",
    "new_party_token",
    "parse_api_key",
    "parse_party_token",
]

PARTY_TOKEN_BYTES: Final = 16
API_KEY_BYTES: Final = 20
_API_KEY_ID_BYTES: Final = 4

_RANDOM: Final = r"[A-Za-z0-9_-]{22}"
_PARTY_TOKEN: Final = re.compile(rf"{_RANDOM}\.([dc])\.({TRIP_ID.pattern})")
_API_KEY: Final = re.compile(rf"relay_([0-9a-f]{{8}})_{_RANDOM}")
_ROLES: Final[dict[str, Role]] = {role.letter: role for role in Role}


class BadToken(ValueError):
    """The text hasn't the form of a token or key. Says so without any of it."""


class PartyToken(NamedTuple):
    """What a party's token says, and the digest to compare with the stored one; nothing secret."""

    trip: str
    role: Role
    digest: str


class ApiKey(NamedTuple):
    """What an API key says, and the digest to compare with the stored one; nothing secret."""

    id: str
    digest: str


def new_party_token(trip: str, role: Role, random_bytes: bytes) -> str:
    """A party's token, made of 16 secret random bytes. Raises ``ValueError``."""
    if len(random_bytes) != PARTY_TOKEN_BYTES:
        del random_bytes  # a traceback that prints local variables must not show them
        raise ValueError(f"a party's token is made of {PARTY_TOKEN_BYTES} random bytes")
    if not TRIP_ID.fullmatch(trip):
        del random_bytes
        raise ValueError("a party's token needs a valid trip id")
    return f"{_base64url(random_bytes)}.{role.letter}.{trip}"


def parse_party_token(text: str) -> PartyToken:
    """What a token says; the stored digest says if it is genuine. Raises ``BadToken``."""
    if match := _PARTY_TOKEN.fullmatch(text):
        return PartyToken(match[2], _ROLES[match[1]], _digest(text))
    del text, match
    raise BadToken(
        "This is not a channel token, so the channel stays closed to it. "
        "Use the token exactly as the platform's backend received it when it opened the trip."
    )


def new_api_key(random_bytes: bytes) -> str:
    """An API key of 20 random bytes: 4 for its public id, 16 secret. Raises ``ValueError``."""
    if len(random_bytes) != API_KEY_BYTES:
        del random_bytes
        raise ValueError(f"an API key is made of {API_KEY_BYTES} random bytes")
    key_id, secret = random_bytes[:_API_KEY_ID_BYTES], random_bytes[_API_KEY_ID_BYTES:]
    return f"relay_{key_id.hex()}_{_base64url(secret)}"


def parse_api_key(text: str) -> ApiKey:
    """What an API key says; the stored digest says if it is genuine. Raises ``BadToken``."""
    if match := _API_KEY.fullmatch(text):
        return ApiKey(match[1], _digest(text))
    del text, match
    raise BadToken(
        "This is not an API key, so the request was refused. "
        "A key looks like relay_<id>_<secret>; `relay apikey new` makes one."
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
