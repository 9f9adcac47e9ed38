"""The guard of one trip, made of what the store holds: its numbers, its policy, what it allows."""

from __future__ import annotations

from typing import Final, NamedTuple

from .core.ids import Role
from .guard.guard import Guard
from .guard.policy import Policy
from .guard.window import GONE
from .store.records import GuardRecord
from .store.store import Store
from .vault.numbers import SealedNumber, guarding
from .vault.ring import KeyRing

#: Calling codes of the countries whose numbers and words the guard knows well.
_COUNTRIES: Final = {"60": "MY", "62": "ID", "63": "PH", "65": "SG", "66": "TH", "84": "VN"}


class TripGuard(NamedTuple):
    """A guard and the version of the trip's rules by which it goes. `aliases` are what each party
    is called, by the letter of its role; `masks_before` is for a new `Memory`."""

    guard: Guard
    rules: int
    aliases: tuple[tuple[str, str], ...]
    masks_before: dict[str, int]


async def trip_guard(
    store: Store, ring: KeyRing, trip: str, policy: Policy | None = None
) -> TripGuard | None:
    """The guard of an open trip, or None; without a `policy` it goes by the trip's.

    It holds the parties' numbers and tells no digit of them; let go of it when the channel closes.
    Raises `StoreError`, `KeyUnavailable` or `Unreadable`.
    """
    record = await store.guard_record(trip)
    if record is None:
        return None
    sealed = [
        SealedNumber(phone, trip, epoch, role) for role, (phone, epoch) in record.phones.items()
    ]
    policy = policy or Policy(record.policy)
    guard = guarding(ring, sealed, lambda numbers: _guard(record, numbers, policy))
    aliases = tuple((role.letter, alias) for role, alias in record.aliases.items())
    masks_before = {**record.masks_before, GONE: record.masks_gone}
    return TripGuard(guard, record.rules, aliases, masks_before)


def _guard(record: GuardRecord, numbers: tuple[str, ...], policy: Policy) -> Guard:
    # Trips do not cross borders, and the driver is at home where the trip is.
    driver = numbers[list(record.phones).index(Role.DRIVER)]
    country = _COUNTRIES.get(driver[:2], "")
    return Guard(country, numbers, record.allow, policy)
