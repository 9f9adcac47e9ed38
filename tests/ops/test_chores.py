"""What a relay does by itself for the operators' side while it runs."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from relay import worker
from relay.core.casework import ReadingPurpose, SanctionKind, SanctionReason, StaffScope
from relay.ops.actor import Actor
from relay.ops.chores import keep_doing
from relay.ops.desk import Desk, desk_of
from relay.order import Order
from relay.rig.waiting import until
from relay.settings import Settings
from relay.store import keys
from relay.store.endpoint import StoreError
from relay.store.store import Store
from relay.vault.ring import KeyRing
from relay.worker import Worker
from tests.conftest import ROOMY
from tests.support.desk import desk_on
from tests.support.party import Party
from tests.support.relay import RelayProcess

from .conftest import Clock

_LONG_AGO_MS = 60_000


async def test_a_worker_does_each_of_its_chores(
    store: Store, ring: KeyRing, clock: Clock, actor: Callable[..., Actor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """The log's end is signed, who is to be told is told, what another has left is carried out."""
    monkeypatch.setattr(worker, "_NOTICES_S", 0.02)
    monkeypatch.setattr(worker, "_SANCTIONS_S", 0.02)
    desk = desk_of(
        store, ring=lambda: ring, now_ms=clock, random_bytes=os.urandom,
        limits=Settings(notice_delay_s=1).desk_limits,
    )  # fmt: skip
    await desk.notices.schedule(
        trip="trip-1", case="c1-00000000", purpose=ReadingPurpose.LEGAL, parties=["cus-1"]
    )
    # The night is over.
    due = keys.notices(keys.partition("trip-1"))
    await store.pipe.call("ZADD", due, clock() - 1, "trip-1 cus-1")
    await left_undone(desk, actor("sri", "supervisor"), "drv-1", clock() - _LONG_AGO_MS)
    mine, other = socket.socketpair()
    chores = Worker(Order(Settings(audit_checkpoint_s=1), "", None), mine)._chores(desk)
    doing = asyncio.create_task(keep_doing(chores))
    try:
        for kind in ("evidence.read", "sanction.imposed", "audit.checkpoint"):
            await until(lambda kind=kind: told(desk, kind), f"{kind} is told", 5)  # type: ignore[misc]
    finally:
        doing.cancel()
        with suppress(asyncio.CancelledError):
            await doing
        mine.close()
        other.close()


async def test_a_running_relay_does_them(tmp_path: Path) -> None:
    """In its own processes, as it was set: a checkpoint leaves the machine both ways."""
    async with (
        RelayProcess(tmp_path, **ROOMY, audit_checkpoint_s=1) as relay,
        desk_on(relay) as desk,
    ):
        tokens = await relay.open_trip("left-1")
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        sri = Actor("sri", StaffScope.SUPERVISOR, "console")
        await left_undone(desk, sri, "drv-1", int(time.time() * 1000) - _LONG_AGO_MS)
        assert (await driver.hear("closed", within_s=15))["reason"] == "closed"
        (first, *_) = await until(
            lambda: told(desk, "audit.checkpoint"), "the platform hears of a checkpoint"
        )
        logged = await until(
            lambda: [
                line for line in relay.log.read_text().splitlines() if str(first["hash"]) in line
            ],
            "the log holds it as well",
        )
        assert "audit_checkpoint" in logged[0] and str(first["signature"]) in logged[0]


async def told(desk: Desk, kind: str) -> list[dict[str, str | int]]:
    """What the platform hears of this kind."""
    return [event for event in (await desk.events.waiting(100)).events if event["kind"] == kind]


async def left_undone(desk: Desk, by: Actor, party: str, at_ms: int) -> None:
    """A sanction whose node died at that time, before it was carried out."""

    async def dies(*_: object) -> None:
        raise StoreError("away")

    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(desk.sanctions, "_enforce", dies)
        with pytest.raises(StoreError):
            await desk.sanctions.impose(
                by, party, SanctionKind.SUSPEND, SanctionReason.FRAUD, note="reported twice"
            )
    (sanction,) = await desk.sanctions.of(party)
    await desk.parties.pend(party, sanction.id, at_ms)
