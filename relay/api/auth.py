"""API keys: who may call what.

A key is `relay_<id>_<secret>` in the header `Authorization: Bearer ...` (RFC 6750). The store
keeps its hash, so whoever reads the store cannot call. Each node remembers a key that it has
looked up for a few seconds, so that a call costs no round trip for it: **a revoked key therefore
works for up to that long** (`ApiKeys(lifetime_s=...)`), and no longer.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Final

import msgspec
import structlog
from msgspec import Struct

from ..store.endpoint import StoreError
from ..store.keys import APIKEYS
from ..store.pipe import Pipe
from ..vault.tokens import API_KEY_BYTES, ApiKey, BadToken, new_api_key, parse_api_key
from .problems import Code, Problem

log = structlog.get_logger(__name__)

MAX_NOTE_CHARACTERS: Final = 200


class KeyScope(StrEnum):
    """What a key is for."""

    PLATFORM = "platform"
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    METRICS = "metrics"


class StoredKey(Struct):
    """A key as the store keeps it; `created_at` in milliseconds."""

    hash: str
    scope: KeyScope
    note: str
    created_at: int

    def __repr__(self) -> str:
        return f"StoredKey({self.scope}, ****)"


class ListedKey(Struct):
    """What may be shown of a key; `created_at` in milliseconds."""

    id: str
    scope: KeyScope
    note: str
    created_at: int


_decode: Final = msgspec.json.Decoder(StoredKey).decode


async def new_key(
    pipe: Pipe,
    scope: KeyScope,
    *,
    note: str,
    now_ms: int,
    random_bytes: Callable[[int], bytes],
) -> str:
    """Make a key and give it, the only time that anybody can. Raises `StoreError`, `ValueError`."""
    if len(note) > MAX_NOTE_CHARACTERS:
        raise ValueError(f"A note has at most {MAX_NOTE_CHARACTERS} characters; no key was made.")
    while True:
        text = new_api_key(random_bytes(API_KEY_BYTES))
        key = parse_api_key(text)
        stored = msgspec.json.encode(StoredKey(key.digest, scope, note, now_ms))
        # Ids are short, so two may be the same: the one that is there stays as it is.
        if await pipe.call("HSETNX", APIKEYS, key.id, stored):
            return text


async def list_keys(pipe: Pipe) -> list[ListedKey]:
    """Every key, the oldest first; not enough to call with. Raises `StoreError`."""
    flat = await pipe.call("HGETALL", APIKEYS)
    listed = []
    for key_id, raw in zip(flat[::2], flat[1::2], strict=True):
        if stored := _stored(raw):
            listed.append(ListedKey(key_id.decode(), stored.scope, stored.note, stored.created_at))
    return sorted(listed, key=lambda key: (key.created_at, key.id))


async def revoke_key(pipe: Pipe, key_id: str) -> bool:
    """Revoke a key; False if there is none of that id. Raises `StoreError`."""
    return bool(await pipe.call("HDEL", APIKEYS, key_id))


class ApiKeys:
    """Checks the key of a call. One that was looked up is believed for `lifetime_s`."""

    def __init__(self, pipe: Pipe, *, lifetime_s: float) -> None:
        self._pipe = pipe
        self._lifetime_s = lifetime_s
        self._seen: dict[str, tuple[StoredKey, float]] = {}

    async def check(
        self, header: bytes | None, scopes: Collection[KeyScope], *, survives_outage: bool = False
    ) -> None:
        """Return if the header holds a key of one of the scopes.

        With `survives_outage` a key that was good when the store was last heard is believed while
        the store is away: nobody can revoke one then, and the metrics of an outage are needed
        during the outage. Raises `Problem`, `StoreError`.
        """
        if header is None:
            raise _unauthorized("Bearer")
        kind, _, text = header.partition(b" ")
        if kind.lower() != b"bearer":
            raise _unauthorized("Bearer")
        try:
            key = parse_api_key(text.strip().decode("ascii", "replace"))
        except BadToken:
            raise _unauthorized('Bearer error="invalid_token"') from None
        stored = await self._look_up(key, survives_outage)
        if stored is None or not hmac.compare_digest(stored.hash, key.digest):
            raise _unauthorized('Bearer error="invalid_token"')
        if stored.scope not in scopes:
            allowed = " or ".join(scopes)
            raise Problem(
                Code.FORBIDDEN,
                f"The API key is valid, but this call needs one of the scope {allowed}, so nothing "
                "was done. `relay apikey new` makes one.",
                headers={"www-authenticate": 'Bearer error="insufficient_scope"'},
            )

    async def _look_up(self, key: ApiKey, survives_outage: bool) -> StoredKey | None:
        # The time before the question: an answer may be old when it arrives, never the reverse.
        now_s = asyncio.get_running_loop().time()
        seen = self._seen.get(key.id)
        if seen is not None and now_s - seen[1] < self._lifetime_s:
            return seen[0]
        try:
            raw = await self._pipe.call("HGET", APIKEYS, key.id)
        except StoreError:
            if survives_outage and seen is not None:
                return seen[0]
            raise
        stored = _stored(raw) if raw is not None else None
        if stored is None:
            self._seen.pop(key.id, None)
        else:
            self._seen[key.id] = stored, now_s
        return stored


def _stored(raw: bytes) -> StoredKey | None:
    try:
        return _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        log.error("api_key_unreadable")
        return None


def _unauthorized(challenge: str) -> Problem:
    return Problem(
        Code.UNAUTHORIZED,
        "This call needs a valid API key in the header `Authorization: Bearer "
        "relay_<id>_<secret>`; nothing was done. `relay apikey new` makes one.",
        headers={"www-authenticate": challenge},
    )
