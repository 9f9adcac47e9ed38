"""How often a sign-in may fail, so that nobody gets to try passwords or codes.

Counted for an operator from one address, for an operator from anywhere, and for an address whoever
it tries. Each has its own limit, so that somebody who tries from elsewhere does not at once lock
out the right person. Which operator there is makes no difference: names are counted as they are
given, so a lock tells nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final, NamedTuple

from ..store.signins import CountingTerms, SignInCounts, Subject
from .refusals import OpsCode, Refused

MOST_BY_OPERATOR_AND_ADDRESS: Final = 5
MOST_BY_OPERATOR: Final = 20
MOST_BY_ADDRESS: Final = 50

_WINDOW_MIN: Final = 15
_LOCK_MIN: Final = 15
#: Entries in the audit log in a window, however many sign-ins fail. The rest is counted.
_MOST_WRITTEN: Final = 100
_TERMS: Final = CountingTerms(_WINDOW_MIN * 60_000, _LOCK_MIN * 60_000, _MOST_WRITTEN)
_SUBJECTS: Final = ("operator and address", "operator", "address")
_ATTEMPT_BYTES: Final = 8


class WrongSignIn(NamedTuple):
    """What a failure led to: whether it is to be written down, how many before it were not, and
    what it locked, in words."""

    written: bool
    unwritten: int
    locked: str


class Lockout:
    """Counts the failures of all nodes. Methods raise `StoreError`."""

    def __init__(self, counts: SignInCounts, *, random_bytes: Callable[[int], bytes]) -> None:
        self._counts = counts
        self._random_bytes = random_bytes

    async def begin(self, operator: str, address: str, now_ms: int) -> Attempt:
        """Let an attempt begin, which counts as failed until it has passed. Raises `Refused`."""
        subjects = _subjects(operator, address)
        name = self._random_bytes(_ATTEMPT_BYTES).hex()
        if await self._counts.begin(subjects, name, now_ms, _TERMS):
            raise Refused(
                OpsCode.LOCKED,
                f"Too many sign-ins failed, so for up to {_LOCK_MIN} minutes none is looked at, "
                "not even a right one. Wait, and try again; if it was not you who failed, tell a "
                "supervisor.",
            )
        return Attempt(self._counts, subjects, name, now_ms)


class Attempt:
    """One sign-in under way."""

    __slots__ = ("_counts", "_name", "_now_ms", "_subjects")

    def __init__(
        self, counts: SignInCounts, subjects: tuple[Subject, ...], name: str, now_ms: int
    ) -> None:
        self._counts = counts
        self._subjects = subjects
        self._name = name
        self._now_ms = now_ms

    async def passed(self) -> int:
        """It was right; give how many failures have no audit entry."""
        return await self._counts.passed(self._subjects, self._name, self._now_ms, _TERMS)

    async def forget(self) -> None:
        """It could not be judged, so it does not count."""
        await self._counts.forget(self._subjects, self._name, self._now_ms, _TERMS)

    async def failed(self) -> WrongSignIn:
        """It was wrong."""
        failure = await self._counts.failed(self._subjects, self._name, self._now_ms, _TERMS)
        locked = [what for what, is_now in zip(_SUBJECTS, failure.locked, strict=True) if is_now]
        return WrongSignIn(failure.written, failure.unwritten, ", ".join(locked))


def _subjects(operator: str, address: str) -> tuple[Subject, ...]:
    place = _place(address)
    return (
        Subject(_digest("both", operator, place), MOST_BY_OPERATOR_AND_ADDRESS),
        Subject(_digest("operator", operator), MOST_BY_OPERATOR),
        Subject(_digest("address", place), MOST_BY_ADDRESS),
    )


def _place(address: str) -> str:
    """Where somebody is: of IPv6 the network, for one machine has 2^64 addresses in it."""
    try:
        network: IPv4Network | IPv6Network = ip_network(address)
        if isinstance(network, IPv6Network):
            if mapped := network.network_address.ipv4_mapped:
                return str(mapped)
            network = network.supernet(new_prefix=64)
        return str(network.network_address)
    except ValueError:
        return ""


def _digest(*parts: str) -> str:
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:32]
