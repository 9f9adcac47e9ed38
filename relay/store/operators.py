"""Operators as the store keeps them, the one-time codes they enrol with, and whose keys are whose.

A record is one JSON text, replaced only if it still is what the caller read. So what two do at once
to an operator can't mix, and a second factor that was accepted once can't be accepted again.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import msgspec
from msgspec import Struct

from ..core.casework import StaffScope
from . import keys, scripts
from .endpoint import StoreError
from .store import Store


class OperatorRecord(Struct, frozen=True, omit_defaults=True):
    """An operator. Times in ms.

    `generation` is another after each act that must end the operator's sessions: each is of one
    generation. `password` is an argon2id hash, `totp` the sealed secret of the second factor,
    `totp_step` the last of its time steps that was accepted. While the operator enrols, `enrolment`
    is the one-time code's digest, `ticket` that of the page on which it goes on, and `totp_offered`
    the secret, sealed, that this page shows.
    """

    id: str
    name: str
    scope: StaffScope
    created_at: int
    generation: int = 0
    locale: str = ""
    disabled_at: int | None = None
    enrolled_at: int | None = None
    password: str = ""
    totp: bytes = b""
    totp_step: int = 0
    enrolment: str = ""
    enrolment_until: int = 0
    ticket: str = ""
    ticket_until: int = 0
    totp_offered: bytes = b""

    def __repr__(self) -> str:
        return f"OperatorRecord({self.id}, {self.scope}, ****)"

    @property
    def may_sign_in(self) -> bool:
        return self.enrolled_at is not None and self.disabled_at is None

    def covers(self, needed: StaffScope) -> bool:
        """Whether the operator may do what needs that scope."""
        return self.scope is StaffScope.SUPERVISOR or needed is StaffScope.AGENT


class _Owned(Struct):
    """Whose an API key is and what for; the rest of its record is of no interest here."""

    scope: str = ""
    operator: str = ""


_decode: Final = msgspec.json.Decoder(OperatorRecord).decode
_owned: Final = msgspec.json.Decoder(_Owned).decode


def decoded(raw: bytes) -> OperatorRecord:
    """The record of a field of `keys.OPERATORS`. Raises `StoreError`."""
    try:
        return _decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise StoreError("an operator's record is damaged") from None


class OperatorRecords:
    """Calls on the records. Every method raises `StoreError`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pipe = store.pipe

    async def get(self, operator: str) -> OperatorRecord | None:
        """An operator's record."""
        raw = await self._pipe.call("HGET", keys.OPERATORS, operator)
        return decoded(raw) if raw is not None else None

    async def all(self) -> list[OperatorRecord]:
        """Every operator, by id."""
        raw = await self._pipe.call("HVALS", keys.OPERATORS)
        return sorted(map(decoded, raw), key=lambda record: record.id)

    async def replace(self, before: OperatorRecord | None, after: OperatorRecord) -> bool:
        """Store a record in the place of the one that was read; False if another is there now."""
        was = msgspec.json.encode(before) if before is not None else b""
        stored = await self._store.run(
            scripts.OPERATOR, keys.OPERATORS, after.id, was, msgspec.json.encode(after)
        )
        return bool(stored)

    # --- enrolment --------------------------------------------------------------------------------

    async def point_enrolment(self, digest: str, operator: str, lifetime_ms: int) -> None:
        """Note whom a code is for. Whether it still holds is in the operator's record."""
        await self._pipe.call("SET", keys.enrolment(digest), operator, "PX", lifetime_ms)

    async def enrolling(self, digest: str) -> OperatorRecord | None:
        """The record of the operator whom a code is, or was, for."""
        operator = await self._pipe.call("GET", keys.enrolment(digest))
        return await self.get(operator.decode()) if operator else None

    # --- when last seen ---------------------------------------------------------------------------

    async def saw(self, operator: str, at_ms: int) -> None:
        """Note that an operator did something."""
        await self._pipe.call("HSET", keys.OPERATORS_SEEN, operator, at_ms)

    async def seen(self) -> dict[str, int]:
        """When each operator was last seen, in ms."""
        flat = await self._pipe.call("HGETALL", keys.OPERATORS_SEEN)
        return {name.decode(): int(at) for name, at in zip(flat[::2], flat[1::2], strict=True)}

    # --- personal API keys ------------------------------------------------------------------------

    async def drop_keys(self, operator: str, *, of: Collection[str] = tuple(StaffScope)) -> int:
        """Revoke an operator's API keys of these scopes; give how many there were."""
        flat = await self._pipe.call("HGETALL", keys.APIKEYS)
        gone = []
        for key_id, raw in zip(flat[::2], flat[1::2], strict=True):
            try:
                key = _owned(raw)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue  # it lets nobody in either
            if key.operator == operator and key.scope in of:
                gone.append(key_id)
        return int(await self._pipe.call("HDEL", keys.APIKEYS, *gone)) if gone else 0
