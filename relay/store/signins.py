"""Console sessions as the store keeps them, and the count of sign-ins that did not succeed.

A session is kept under the digest of its id, so whoever reads the store can't take one over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct

from . import keys, scripts
from .endpoint import StoreError
from .store import Store


class SessionRecord(Struct, frozen=True):
    """A session: whose, of which generation of the operator's record; times in ms."""

    operator: str
    generation: int
    began_at: int
    seen_at: int


class Subject(NamedTuple):
    """What failed sign-ins are counted for, and how many make a lock."""

    digest: str
    most: int


class Failure(NamedTuple):
    """What a failed sign-in led to: whether it gets an audit entry, how many since the last that
    did have none, and for each subject whether this one locked it."""

    written: bool
    unwritten: int
    locked: tuple[bool, ...]


class CountingTerms(NamedTuple):
    """For how long failures count and a lock holds, and how many get audit entries meanwhile."""

    window_ms: int
    lock_ms: int
    most_written: int


_decode: Final = msgspec.json.Decoder(SessionRecord).decode


class SessionRecords:
    """Calls on the sessions. Every method raises `StoreError`."""

    def __init__(self, store: Store) -> None:
        self._pipe = store.pipe

    async def begin(
        self, digest: str, record: SessionRecord, *, idle_ms: int, longest_ms: int, most: int
    ) -> None:
        """Keep a new session; of an operator's sessions the `most` youngest live on."""
        index = keys.sessions(record.operator)
        # First into the list: a session that is not in it would not be found when all are ended.
        await self._pipe.call("ZADD", index, record.began_at, digest)
        await self._pipe.call("PEXPIRE", index, longest_ms)
        await self._pipe.call(
            "SET", keys.session(digest), msgspec.json.encode(record), "PX", idle_ms
        )
        await self._pipe.call("ZREMRANGEBYSCORE", index, "-inf", f"({record.began_at - longest_ms}")
        for old in await self._pipe.call("ZRANGE", index, 0, -1 - most):
            await self.end(old.decode(), record.operator)

    async def get(self, digest: str) -> SessionRecord | None:
        """A session, if it is kept."""
        raw = await self._pipe.call("GET", keys.session(digest))
        if raw is None:
            return None
        try:
            return _decode(raw)
        except msgspec.DecodeError:
            raise StoreError("a session's record is damaged") from None

    async def touch(self, digest: str, record: SessionRecord, *, idle_ms: int) -> None:
        """Keep a session for longer, unless it has been ended meanwhile."""
        raw = msgspec.json.encode(record)
        await self._pipe.call("SET", keys.session(digest), raw, "XX", "PX", idle_ms)

    async def end(self, digest: str, operator: str) -> None:
        """End a session."""
        await self._pipe.call("DEL", keys.session(digest))
        await self._pipe.call("ZREM", keys.sessions(operator), digest)

    async def of(self, operator: str) -> list[str]:
        """The digests of an operator's sessions that are kept, the oldest first."""
        listed = await self._pipe.call("ZRANGE", keys.sessions(operator), 0, -1)
        return [
            digest.decode()
            for digest in listed
            if await self._pipe.call("EXISTS", keys.session(digest.decode()))
        ]

    async def end_all(self, operator: str, *, but: str = "") -> int:
        """End an operator's sessions, `but` for one; give how many there were."""
        ended = [digest for digest in await self.of(operator) if digest != but]
        for digest in ended:
            await self.end(digest, operator)
        return len(ended)


class SignInCounts:
    """Calls on the count of failures. Every method raises `StoreError`."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def begin(
        self, subjects: Sequence[Subject], attempt: str, now_ms: int, terms: CountingTerms
    ) -> int:
        """Count an attempt as failed until it has passed; give until when they are locked, or 0."""
        return int(await self._run("begin", subjects, attempt, now_ms, terms))

    async def passed(
        self, subjects: Sequence[Subject], attempt: str, now_ms: int, terms: CountingTerms
    ) -> int:
        """Take an attempt out of the count, and all that the first subject has; give how many
        failures have no audit entry."""
        return int(await self._run("passed", subjects, attempt, now_ms, terms))

    async def forget(
        self, subjects: Sequence[Subject], attempt: str, now_ms: int, terms: CountingTerms
    ) -> None:
        """Take an attempt out of the count."""
        await self._run("forget", subjects, attempt, now_ms, terms)

    async def failed(
        self, subjects: Sequence[Subject], attempt: str, now_ms: int, terms: CountingTerms
    ) -> Failure:
        """Lock what has had as many as it may."""
        written, unwritten, *locked = await self._run("failed", subjects, attempt, now_ms, terms)
        return Failure(bool(written), int(unwritten), tuple(map(bool, locked)))

    async def _run(
        self,
        command: str,
        subjects: Sequence[Subject],
        attempt: str,
        now_ms: int,
        terms: CountingTerms,
    ) -> Any:
        flat = [part for subject in subjects for part in subject]
        return await self._store.run(
            scripts.SIGNIN, keys.SIGN_IN, command, attempt, now_ms, *terms, *flat
        )
