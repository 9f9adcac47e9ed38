"""Channels made in the store itself, as the platform's calls make them, and messages in them."""

from __future__ import annotations

import os

from relay.core.body import Body, pack_body
from relay.core.ids import Role
from relay.ops.sanctions import Sanctions
from relay.store import keys
from relay.store.records import PartyRecord
from relay.store.store import Store
from relay.vault.envelope import NONCE_BYTES, DataKey, MessageCipher, unwrap, wrap
from relay.vault.numbers import PhoneNumber, seal_number
from relay.vault.ring import KEY_BYTES, KeyRing, Purpose

PHONES = {Role.DRIVER: "+6281234567890", Role.CUSTOMER: "+6285711122233"}


async def open_channel(
    store: Store,
    ring: KeyRing,
    now_ms: int,
    trip: str,
    driver: str = "drv-1",
    customer: str = "cus-1",
    *,
    sanctions: Sanctions | None = None,
    retention_s: int = 86400,
    report_window_s: int = 0,
    mark: bytes = b"",
) -> str:
    """Open a channel; give what came of it: a refusal of the sanctions or the store's outcome."""
    bars = b"[]"
    if sanctions is not None:
        standing = await sanctions.standing([driver, customer], trip=trip)
        if standing.refusal:
            return standing.refusal
        bars = standing.bars({Role.DRIVER: driver, Role.CUSTOMER: customer})
    number_key = ring.current(Purpose.NUMBERS, now_ms)

    def record(role: Role, party: str) -> PartyRecord:
        sealed = seal_number(
            number_key, PhoneNumber(PHONES[role]), trip=trip, epoch=1, role=role,
            nonce=os.urandom(NONCE_BYTES),
        )  # fmt: skip
        return PartyRecord(party, f"Alias-{role}", "id", sealed, f"digest-{role}")

    opened = await store.open(
        trip, requested_at=now_ms, max_duration_s=3600, longest_trip_s=7200, token_ttl_s=3600,
        retention_s=retention_s, report_window_s=report_window_s, policy=b"{}", allow=b"[]",
        messages_key=wrap(
            ring.current(Purpose.MESSAGES, now_ms), DataKey(os.urandom(KEY_BYTES)), trip=trip,
            nonce=os.urandom(NONCE_BYTES),
        ),
        bars=bars, mark=mark, driver=record(Role.DRIVER, driver),
        customer=record(Role.CUSTOMER, customer),
    )  # fmt: skip
    return opened.outcome


async def say(store: Store, ring: KeyRing, trip: str, role: Role, text: str, name: str) -> str:
    """Post a text as a party; give the outcome."""
    _, epoch, wrapped = await store.messages_key(trip)
    cipher = MessageCipher(unwrap(ring, wrapped, trip=trip), trip=trip, epoch=epoch)
    sealed = cipher.seal(role.value, name, pack_body(Body("text", text)), os.urandom(NONCE_BYTES))
    outcome, _, _ = await store.post(
        trip, epoch=epoch, sender=role.letter, post_id=name, sealed=sealed, masked=False, after=None
    )
    return outcome


async def a_case(
    store: Store, reporter: str, reported: str, trip: str = "t-1", *, state: str = "assigned"
) -> str:
    """File a case of a trip's as a report from the app becomes one; give its id."""
    number = keys.partition(trip)
    case = f"c{number}-0a1b2c3d"
    await store.pipe.call(
        "HSET", keys.case(number, case), "trip", trip, "epoch", 1, "category", "harassment",
        "priority", 2, "state", state, "created", 1, "due", 2, "assignee", "budi",
        "reporter_role", "customer", "reporter_party", reporter, "reported_role", "driver",
        "reported_party", reported, "version", 1,
    )  # fmt: skip
    done = state == "closed"
    queue = f"{keys.tag(number)}:cases_done" if done else keys.cases(number)
    await store.pipe.call("ZADD", queue, 2, case)
    await store.pipe.call("HSET", keys.trip(trip), f"report.{reporter}.r1", case)
    return case
