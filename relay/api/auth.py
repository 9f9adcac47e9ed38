"""API keys: who may call what.

A key is `relay_<id>_<secret>` in the header `Authorization: Bearer ...` (RFC 6750). The store
keeps its hash, so whoever reads the store cannot call. Each node remembers a key that it has
looked up for a few seconds, so that a call costs no round trip for it: **a revoked key therefore
works for up to that long** (`ApiKeys(lifetime_s=...)`), and no longer.

A key for operators is one person's, and is good only while that operator may do what it is for: no
act is nobody's.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec
import structlog
from msgspec import Struct

from ..core.casework import StaffScope
from ..store.endpoint import StoreError
from ..store.keys import APIKEYS, OPERATORS
from ..store.operators import decoded
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

    @property
    def staff(self) -> StaffScope | None:
        """The scope that an operator needs to have such a key; None if it is nobody's."""
        return StaffScope(self.value) if self in (KeyScope.AGENT, KeyScope.SUPERVISOR) else None


class StoredKey(Struct):
    """A key as the store keeps it; `created_at` in milliseconds, `operator` whose it is."""

    hash: str
    scope: KeyScope
    note: str
    created_at: int
    operator: str = ""

    def __repr__(self) -> str:
        return f"StoredKey({self.scope}, ****)"


class ListedKey(Struct):
    """What may be shown of a key; `created_at` in milliseconds."""

    id: str
    scope: KeyScope
    note: str
    created_at: int
    operator: str


class Caller(NamedTuple):
    """Who calls: what the key is for, whose it is (empty for a platform's), its public id."""

    scope: KeyScope
    operator: str
    key_id: str


_decode: Final = msgspec.json.Decoder(StoredKey).decode


async def new_key(
    pipe: Pipe,
    scope: KeyScope,
    *,
    note: str,
    now_ms: int,
    random_bytes: Callable[[int], bytes],
    operator: str = "",
) -> str:
    """Make a key and give it, the only time that anybody can. Raises `StoreError`, `ValueError`."""
    while True:
        text = await draw_key(pipe, random_bytes)
        if await keep_key(pipe, text, scope, note=note, now_ms=now_ms, operator=operator):
            return text


async def draw_key(pipe: Pipe, random_bytes: Callable[[int], bytes]) -> str:
    """A key that nobody can call with before it is kept; its id is free. Raises `StoreError`."""
    while True:
        text = new_api_key(random_bytes(API_KEY_BYTES))
        # Ids are short, so two may be the same.
        if not await pipe.call("HEXISTS", APIKEYS, parse_api_key(text).id):
            return text


async def keep_key(
    pipe: Pipe, text: str, scope: KeyScope, *, note: str, now_ms: int, operator: str = ""
) -> bool:
    """From now on this key is good; False if its id was taken meanwhile.

    Raises `StoreError`, `ValueError`.
    """
    if len(note) > MAX_NOTE_CHARACTERS:
        raise ValueError(f"A note has at most {MAX_NOTE_CHARACTERS} characters; no key was made.")
    key = parse_api_key(text)
    stored = msgspec.json.encode(StoredKey(key.digest, scope, note, now_ms, operator))
    return bool(await pipe.call("HSETNX", APIKEYS, key.id, stored))


async def list_keys(pipe: Pipe) -> list[ListedKey]:
    """Every key, the oldest first; not enough to call with. Raises `StoreError`."""
    flat = await pipe.call("HGETALL", APIKEYS)
    listed = []
    for key_id, raw in zip(flat[::2], flat[1::2], strict=True):
        if stored := _stored(raw):
            listed.append(
                ListedKey(
                    key_id.decode(), stored.scope, stored.note, stored.created_at, stored.operator
                )
            )
    return sorted(listed, key=lambda key: (key.created_at, key.id))


async def has_key(pipe: Pipe, key_id: str) -> bool:
    """Whether there is a key of that id. Raises `StoreError`."""
    return bool(await pipe.call("HEXISTS", APIKEYS, key_id))


async def revoke_key(pipe: Pipe, key_id: str) -> bool:
    """Revoke a key; False if there is none of that id. Raises `StoreError`."""
    return bool(await pipe.call("HDEL", APIKEYS, key_id))


class ApiKeys:
    """Checks the key of a call. One that was looked up is believed for `lifetime_s`."""

    def __init__(self, pipe: Pipe, *, lifetime_s: float) -> None:
        self._pipe = pipe
        self._lifetime_s = lifetime_s
        self._seen: dict[str, tuple[_Key, float]] = {}

    async def check(
        self,
        header: bytes | None,
        scopes: Collection[KeyScope],
        *,
        on_unseen: Callable[[], None] = lambda: None,
        survives_outage: bool = False,
    ) -> Caller:
        """Who calls, if the header holds a key of one of the scopes.

        `on_unseen` is called before anything is asked for a key that was not good when it was
        looked up last, and may raise what the caller is told instead. With `survives_outage` a key
        that was good when the store was last heard is believed while the store is away: nobody can
        revoke one then, and the metrics of an outage are needed during the outage. Raises
        `Problem`, `StoreError`.
        """
        try:
            key = _shown_in(header)
        except Problem:
            on_unseen()
            raise
        seen = self._seen.get(key.id)
        if seen is None or not seen[0].is_of(key):
            on_unseen()
        # The time before the question: an answer may be old when it arrives, never the reverse.
        now_s = time.monotonic()
        found: _Key | None
        if seen is not None and now_s - seen[1] < self._lifetime_s:
            found = seen[0]
        else:
            found = await self._look_up(key, now_s, survives_outage)
        if found is None or not found.is_of(key):
            raise _unauthorized('Bearer error="invalid_token"')
        stored = found.stored
        if not found.is_covered:
            raise Problem(
                Code.FORBIDDEN,
                "The API key is for operators, but belongs to none who may work with it, so "
                "nothing was done. `relay apikey new --operator` makes one for a person.",
                headers={"www-authenticate": 'Bearer error="insufficient_scope"'},
            )
        if stored.scope not in scopes:
            allowed = " or ".join(scopes)
            raise Problem(
                Code.FORBIDDEN,
                f"The API key is valid, but this call needs one of the scope {allowed}, so nothing "
                "was done. `relay apikey new` makes one.",
                headers={"www-authenticate": 'Bearer error="insufficient_scope"'},
            )
        return Caller(stored.scope, stored.operator, key.id)

    async def _look_up(self, key: ApiKey, now_s: float, survives_outage: bool) -> _Key | None:
        try:
            raw = await self._pipe.call("HGET", APIKEYS, key.id)
            stored = _stored(raw) if raw is not None else None
            found = _Key(stored, await self._is_covered(stored)) if stored is not None else None
        except StoreError:
            if survives_outage and (seen := self._seen.get(key.id)) is not None:
                return seen[0]
            raise
        if found is None:
            self._seen.pop(key.id, None)
        else:
            self._seen[key.id] = found, now_s
        return found

    async def _is_covered(self, stored: StoredKey) -> bool:
        """Whether the operator whose key this is may do what it is for; of others there is none."""
        needed = stored.scope.staff
        if needed is None:
            return True
        raw = await self._pipe.call("HGET", OPERATORS, stored.operator) if stored.operator else None
        if raw is None:
            return False
        operator = decoded(raw)
        return operator.disabled_at is None and operator.covers(needed)


class _Key(NamedTuple):
    """A key as it was looked up, and whether its operator may work with it."""

    stored: StoredKey
    is_covered: bool

    def is_of(self, key: ApiKey) -> bool:
        """Whether this is the record of the key that was shown."""
        return hmac.compare_digest(self.stored.hash, key.digest)


def _shown_in(header: bytes | None) -> ApiKey:
    """The key in a header. Raises `Problem`."""
    kind, _, text = (header or b"").partition(b" ")
    if kind.lower() != b"bearer":
        raise _unauthorized("Bearer")
    try:
        return parse_api_key(text.strip().decode("ascii", "replace"))
    except BadToken:
        raise _unauthorized('Bearer error="invalid_token"') from None


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
