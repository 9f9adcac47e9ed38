"""The key ring: keys that each serve one purpose for one span of time, and are then destroyed.

Deleting a record leaves copies in append-only files, replicas and backups. Destroying the key of
its span makes every copy unreadable, so the span bounds how long anything can outlive its purpose:

==========  ======  ==========================================================================
purpose     span    a key may be destroyed
==========  ======  ==========================================================================
numbers     1 hour  once the longest trip opened in its span is over
messages    1 day   once that trip is over and its messages have been kept for the longest time
reports     90 days never by itself: its tags prove what was said long after the message is gone
evidence    7 days  once what it sealed for a case has been kept for the longest time
staff       90 days never by itself: it seals what operators sign in with, and signs their cookies
audit       90 days never by itself: it signs how far the audit log had come
==========  ======  ==========================================================================

Those of 90 days have spans too, though nothing they make has to become unreadable: a stolen one
forges only what is of its quarter, and at four a year all the older ones can be kept.

A ring that was written before there were keys for evidence, staff and audit is read as having none
of them; extending it makes them.

Keys are made ahead of time. A node takes the key whose span covers the store's time; where there is
none it refuses (``KeyUnavailable``) rather than stretch an old one. Spans start at multiples of
their length in Unix time, so rings that were extended at different moments agree on them.
"""

from __future__ import annotations

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import StrEnum
from itertools import pairwise
from typing import Any, Final, Literal, NamedTuple, TypeAlias, TypeGuard, final

from relay.vault.opaque import Opaque

__all__ = [
    "KEY_BYTES",
    "SPAN_MS",
    "BadKeyRing",
    "Key",
    "KeyRing",
    "KeyRow",
    "KeyState",
    "KeyUnavailable",
    "Purpose",
]

KEY_BYTES: Final = 32
KEY_ID: Final = re.compile(r"[0-9a-f]{8}")
VERSION: Final = 1
_LATEST_MS: Final = 2**53  # what every JSON reader keeps exact
_HOUR_MS: Final = 3_600_000

KeyState: TypeAlias = Literal["future", "current", "past", "due"]


class Purpose(StrEnum):
    """What a key is for; no key serves two."""

    NUMBERS = "numbers"
    MESSAGES = "messages"
    REPORTS = "reports"
    EVIDENCE = "evidence"
    STAFF = "staff"
    AUDIT = "audit"


#: What the documents of the first rings already held; the rest may be missing in one.
_FIRST: Final = (Purpose.NUMBERS, Purpose.MESSAGES, Purpose.REPORTS)


SPAN_MS: Final[Mapping[Purpose, int]] = {
    Purpose.NUMBERS: _HOUR_MS,
    Purpose.MESSAGES: 24 * _HOUR_MS,
    Purpose.REPORTS: 90 * 24 * _HOUR_MS,
    Purpose.EVIDENCE: 7 * 24 * _HOUR_MS,
    Purpose.STAFF: 90 * 24 * _HOUR_MS,
    Purpose.AUDIT: 90 * 24 * _HOUR_MS,
}


class KeyUnavailable(Exception):
    """The key that is needed isn't in the ring: refuse what was asked, do not go on without it."""


class BadKeyRing(ValueError):
    """The keys do not make a ring; the text names the field and never shows secret bytes."""


class KeyRow(NamedTuple):
    """What may be shown of a key."""

    id: str
    purpose: str
    from_ms: int
    until_ms: int
    state: KeyState


@final
class Key(Opaque):
    """32 secret bytes that seal for one purpose in ``from_ms <= now_ms < until_ms`` (Unix time).

    What it has sealed can be opened for as long as it is in the ring. Raises ``BadKeyRing``.
    """

    __slots__ = ("from_ms", "id", "material", "purpose", "until_ms")

    id: str
    purpose: Purpose
    from_ms: int
    until_ms: int
    material: bytes

    def __init__(
        self, key_id: str, purpose: Purpose, from_ms: int, until_ms: int, material: bytes
    ) -> None:
        problem = _key_problem(key_id, purpose, from_ms, until_ms, material)
        if problem:
            del material  # a traceback that prints local variables must not show it
            raise BadKeyRing(problem)
        object.__setattr__(self, "id", key_id)
        object.__setattr__(self, "purpose", purpose)
        object.__setattr__(self, "from_ms", from_ms)
        object.__setattr__(self, "until_ms", until_ms)
        object.__setattr__(self, "material", material)

    def _public(self) -> str:
        return f"{self.id} {self.purpose} {self.from_ms}..{self.until_ms}"

    def covers(self, at_ms: int) -> bool:
        """Whether the key seals at that time."""
        return self.from_ms <= at_ms < self.until_ms

    def due_at_ms(
        self, longest_trip_ms: int, longest_retention_ms: int, longest_evidence_ms: int
    ) -> int | None:
        """When nothing it has made is needed any more; None if that may be for ever."""
        if self.purpose is Purpose.NUMBERS:
            return self.until_ms + longest_trip_ms
        if self.purpose is Purpose.MESSAGES:
            return self.until_ms + longest_trip_ms + longest_retention_ms
        if self.purpose is Purpose.EVIDENCE:
            return self.until_ms + longest_evidence_ms
        return None


@final
class KeyRing(Opaque):
    """Keys of all purposes, by id and by time. Immutable: every change gives another ring.

    ``KeyRing()`` is empty. Raises ``BadKeyRing`` if two keys share an id or material (destroying
    one of them would not destroy the other), or if two spans of one purpose overlap.
    """

    __slots__ = ("_by_id", "_rings", "_starts")

    _by_id: Mapping[str, Key]
    _rings: Mapping[Purpose, tuple[Key, ...]]
    _starts: Mapping[Purpose, tuple[int, ...]]

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        ordered = sorted(keys, key=lambda key: key.from_ms)
        by_id = {key.id: key for key in ordered}
        if len(by_id) != len(ordered):
            raise BadKeyRing("id: two keys have the same id")
        if len({key.material for key in ordered}) != len(ordered):
            raise BadKeyRing("key: two keys are made of the same bytes")
        rings = {
            purpose: tuple(key for key in ordered if key.purpose is purpose) for purpose in Purpose
        }
        for ring in rings.values():
            for earlier, later in pairwise(ring):
                if later.from_ms < earlier.until_ms:
                    raise BadKeyRing(f"from_ms: {later} starts before {earlier} ends")
        object.__setattr__(self, "_by_id", by_id)
        object.__setattr__(self, "_rings", rings)
        object.__setattr__(
            self,
            "_starts",
            {purpose: tuple(key.from_ms for key in ring) for purpose, ring in rings.items()},
        )

    def _public(self) -> str:
        rings = [
            f"{purpose}: {len(ring)} keys {ring[0].id}..{ring[-1].id} "
            f"{ring[0].from_ms}..{ring[-1].until_ms}"
            for purpose, ring in self._rings.items()
            if ring
        ]
        return "; ".join(rings) or "empty"

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[Key]:
        """All keys, by purpose and then by time."""
        for ring in self._rings.values():
            yield from ring

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._by_id

    def current(self, purpose: Purpose, now_ms: int) -> Key:
        """The key that seals at ``now_ms``. Raises ``KeyUnavailable``."""
        index = bisect_right(self._starts[purpose], now_ms) - 1
        if index >= 0 and now_ms < (key := self._rings[purpose][index]).until_ms:
            return key
        raise KeyUnavailable(
            f"No key for {purpose} covers the present time, so what needs one is refused. Make new "
            "keys with `relay keyring rotate`, and check the store's clock."
        )

    def get(self, purpose: Purpose, key_id: str) -> Key:
        """The key of that id, to open what it sealed. Raises ``KeyUnavailable``."""
        key = self._by_id.get(key_id)
        if key is not None and key.purpose is purpose:
            return key
        raise KeyUnavailable(
            f"The key that made this is not among the keys for {purpose}, so it can't be read "
            "here: it was destroyed when its time was over, or this node has another key ring."
        )

    def purpose_of(self, key_id: str) -> Purpose | None:
        """What the key of that id is for; None if it isn't in the ring."""
        key = self._by_id.get(key_id)
        return None if key is None else key.purpose

    def extended(self, now_ms: int, ahead_ms: int, random_bytes: Callable[[int], bytes]) -> KeyRing:
        """A ring that covers every instant of ``now_ms .. now_ms + ahead_ms`` for every purpose.

        The keys there are stay as they are; gaps are filled. Returns ``self`` if there is none.
        ``random_bytes(n)`` gives n secret random bytes (``os.urandom``); a source that repeats
        itself raises ``BadKeyRing``.
        """
        made: list[Key] = []
        for purpose, ring in self._rings.items():
            for from_ms, until_ms in _gaps(ring, SPAN_MS[purpose], now_ms, now_ms + ahead_ms):
                key_id = self._unused_id(random_bytes, made)
                made.append(Key(key_id, purpose, from_ms, until_ms, random_bytes(KEY_BYTES)))
        return KeyRing([*self, *made]) if made else self

    def due(
        self,
        now_ms: int,
        longest_trip_ms: int,
        longest_retention_ms: int,
        longest_evidence_ms: int,
    ) -> tuple[Key, ...]:
        """The keys whose purpose has passed: nothing they sealed is needed any more."""
        longest = longest_trip_ms, longest_retention_ms, longest_evidence_ms
        return tuple(
            key
            for key in self
            if (at_ms := key.due_at_ms(*longest)) is not None and at_ms <= now_ms
        )

    def without(self, key_ids: Collection[str]) -> KeyRing:
        """A ring without those keys. Raises ``KeyUnavailable`` if one of them isn't in this one."""
        if any(key_id not in self._by_id for key_id in key_ids):
            raise KeyUnavailable(
                "There is no key with such an id in the ring, so none was destroyed. "
                "`relay keyring list` shows the ids."
            )
        return KeyRing([key for key in self if key.id not in key_ids]) if key_ids else self

    def without_due(
        self,
        now_ms: int,
        longest_trip_ms: int,
        longest_retention_ms: int,
        longest_evidence_ms: int,
    ) -> KeyRing:
        """A ring without the keys whose purpose has passed; this one if there are none."""
        longest = longest_trip_ms, longest_retention_ms, longest_evidence_ms
        return self.without({key.id for key in self.due(now_ms, *longest)})

    def rows(
        self,
        now_ms: int,
        longest_trip_ms: int,
        longest_retention_ms: int,
        longest_evidence_ms: int,
    ) -> list[KeyRow]:
        """What may be shown of each key, by purpose and time."""
        longest = longest_trip_ms, longest_retention_ms, longest_evidence_ms
        due = {key.id for key in self.due(now_ms, *longest)}

        def state(key: Key) -> KeyState:
            if key.id in due:
                return "due"
            if key.covers(now_ms):
                return "current"
            return "future" if now_ms < key.from_ms else "past"

        return [
            KeyRow(key.id, key.purpose.value, key.from_ms, key.until_ms, state(key)) for key in self
        ]

    def to_document(self) -> dict[str, Any]:
        """The ring with its secret bytes, ready for JSON: about 120 bytes of text a key."""
        return {
            "version": VERSION,
            **{
                purpose.value: [
                    {
                        "id": key.id,
                        "from_ms": key.from_ms,
                        "until_ms": key.until_ms,
                        "key": _base64url(key.material),
                    }
                    for key in ring
                ]
                for purpose, ring in self._rings.items()
            },
        }

    @classmethod
    def from_document(cls, document: object) -> KeyRing:
        """The ring of a document that ``to_document`` made. Raises ``BadKeyRing``."""
        keys, problem = _keys_of(document)
        del document  # a traceback that prints local variables must not show it
        if problem:
            raise BadKeyRing(problem)
        return cls(keys)

    def _unused_id(self, random_bytes: Callable[[int], bytes], made: list[Key]) -> str:
        taken = self._by_id.keys() | {key.id for key in made}
        for _ in range(8):
            key_id = random_bytes(4).hex()
            if key_id not in taken:
                return key_id
        raise BadKeyRing("id: the source of random bytes repeats itself, so no key can be made")


def _gaps(
    ring: tuple[Key, ...], span_ms: int, now_ms: int, until_ms: int
) -> Iterator[tuple[int, int]]:
    """The spans to add so that the ring covers ``now_ms`` to ``until_ms``, both included."""
    at_ms = now_ms - now_ms % span_ms
    covered = [(key.from_ms, key.until_ms) for key in ring]
    for start_ms, end_ms in [*covered, (_LATEST_MS, _LATEST_MS)]:
        while at_ms < start_ms and at_ms <= until_ms:
            gap_end_ms = min(at_ms - at_ms % span_ms + span_ms, start_ms)
            if gap_end_ms > now_ms:
                yield at_ms, gap_end_ms
            at_ms = gap_end_ms
        at_ms = max(at_ms, end_ms)


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _material(text: object) -> bytes:
    """The bytes of their one base64url text, or none."""
    if isinstance(text, str) and len(text) == 43 and text.isascii():
        try:
            data = base64.b64decode(text + "=", altchars=b"-_", validate=True)
        except binascii.Error:
            return b""
        if _base64url(data) == text:
            return data
    return b""


def _is_time(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= _LATEST_MS


def _key_problem(
    key_id: object, purpose: Purpose, from_ms: object, until_ms: object, material: object
) -> str:
    """What is wrong with a key, as ``field: text``; nothing if it is right."""
    if not (isinstance(key_id, str) and KEY_ID.fullmatch(key_id)):
        return "id: must be 8 hexadecimal digits in lower case"
    if not _is_time(from_ms) or not _is_time(until_ms):
        field = "until_ms" if _is_time(from_ms) else "from_ms"
        return f"{field}: must be a time in whole milliseconds since 1970"
    if not 0 < until_ms - from_ms <= SPAN_MS[purpose]:
        return (
            f"until_ms: must be after from_ms, by at most {SPAN_MS[purpose]} ms for {purpose}: "
            "a longer span would keep data readable longer than promised"
        )
    if not (isinstance(material, bytes) and len(material) == KEY_BYTES):
        return f"key: must be {KEY_BYTES} bytes, in a document as 43 characters of base64url"
    return ""


def _keys_of(document: object) -> tuple[list[Key], str]:
    """The keys of a document, and what is wrong with it: returned, so that no frame shows it."""
    keys: list[Key] = []
    if not isinstance(document, dict):
        return keys, "the document: must be a JSON object"
    if type(document.get("version")) is not int or document["version"] != VERSION:
        return keys, f"version: must be {VERSION}; another version of the relay wrote this"
    if not {"version", *_FIRST} <= document.keys() <= {"version", *Purpose}:
        later = [purpose for purpose in Purpose if purpose not in _FIRST]
        return keys, (
            f"the document: must have version, {', '.join(_FIRST)}, may have {', '.join(later)}, "
            "and nothing else"
        )
    for purpose in Purpose:
        entries = document.get(purpose.value, [])
        if not isinstance(entries, list):
            return keys, f"{purpose}: must be a list of keys"
        for index, entry in enumerate(entries):
            where = f"{purpose}[{index}]"
            if not isinstance(entry, dict) or entry.keys() != {"id", "from_ms", "until_ms", "key"}:
                return keys, f"{where}: must have id, from_ms, until_ms, key and nothing else"
            key_id, from_ms, until_ms = entry["id"], entry["from_ms"], entry["until_ms"]
            material = _material(entry["key"])
            if problem := _key_problem(key_id, purpose, from_ms, until_ms, material):
                return keys, f"{where}.{problem}"
            keys.append(Key(key_id, purpose, from_ms, until_ms, material))
    return keys, ""
