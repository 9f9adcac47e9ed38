"""The services around cases over a real store, and cases as real reports make them."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from relay.core.casework import Category
from relay.core.frames import Report, ReportedItem
from relay.core.ids import Role
from relay.ops.audit import Audit, AuditEntry
from relay.ops.cases import Cases
from relay.ops.evidence import Evidence
from relay.ops.notices import Notices
from relay.ops.reports import Reporter, Reports
from relay.ops.watch import Watch, WatchLimits
from relay.store import keys
from relay.store.audit import AuditLog
from relay.store.cases import CaseRecords
from relay.store.events import Event, Events
from relay.store.oversight import Oversight
from relay.store.parties import Parties
from relay.store.records import position
from relay.store.reporting import ReportRecords
from relay.store.store import Store
from relay.vault.ring import KeyRing

from .channels import open_channel, say

#: Texts of the test's trips, by the post's id; the reported party is the driver.
SAID = [
    ("m1", Role.CUSTOMER, "I am at the gate"),
    ("m2", Role.DRIVER, "You look lovely on your picture"),
    ("m3", Role.CUSTOMER, "Please just drive"),
    ("m4", Role.DRIVER, "I will find out where you live"),
]
DAY_MS = 24 * 3600 * 1000


class Person(NamedTuple):
    """What the cases ask of an operator."""

    disabled: bool


class People:
    """The operators there are."""

    def __init__(self) -> None:
        self.known = {name: Person(False) for name in ("ayu", "budi", "dewi", "sri", "tono")}
        self.known["gone"] = Person(True)

    async def get(self, operator: str) -> Person | None:
        return self.known.get(operator)


@dataclass
class Bureau:
    """Everything that has to do with cases, of one store."""

    store: Store
    ring: Callable[[], KeyRing]
    clock: Callable[[], int]
    audit: Audit
    records: CaseRecords
    watch: Watch
    notices: Notices
    cases: Cases
    evidence: Evidence
    reports: Reports
    events: Events
    parties: Parties

    async def trip(self, trip: str, *, retention_s: int = 86400, window_s: int = 86400) -> None:
        """A trip with a short talk in it."""
        ring, now_ms = self.ring(), self.clock()
        outcome = await open_channel(
            self.store, ring, now_ms, trip, retention_s=retention_s, report_window_s=window_s
        )
        assert outcome == "opened"
        for name, role, text in SAID:
            assert await say(self.store, ring, trip, role, text, name) == "stored"

    async def report(
        self,
        trip: str,
        *,
        category: Category = Category.HARASSMENT,
        name: str = "r1",
        posts: tuple[str, ...] = ("m4",),
        role: Role = Role.CUSTOMER,
        note: str = "I am afraid of him",
    ) -> str:
        """Report some of what was said; give the case."""
        before = set(await Oversight(self.store).cases_of(trip))
        said = {post: (who, text) for post, who, text in SAID}
        items = []
        for entry, fields in await self.store.log_page(trip, 1, b"0-0", 100):
            post = fields[1].decode()
            if post in posts:
                who, text = said[post]
                sender = "you" if who is role else "peer"
                items.append(ReportedItem(1, position(entry), post, sender, text))
        reporter = Reporter(trip, role, 1, "en")
        refusal = await self.reports.take(
            reporter, Report(name, category, note or None, items=items)
        )
        assert refusal is None
        (case,) = set(await Oversight(self.store).cases_of(trip)) - before
        return case

    async def case(self, trip: str, **options: object) -> str:
        """A trip that was talked in and the case of its report."""
        await self.trip(trip)
        return await self.report(trip, **options)  # type: ignore[arg-type]

    async def taken(self, trip: str, by: object, **options: object) -> str:
        """A case that somebody has taken."""
        case = await self.case(trip, **options)
        await self.cases.assign(by, case, by.id)  # type: ignore[attr-defined, arg-type]
        return case

    async def approved(self, by: object, case: str) -> int:
        """Allow the reading beyond the evidence that the case's page shows; give until when."""
        found = await self.cases.detail(case)
        request = found.widening.request if found is not None and found.widening else 0
        return await self.evidence.approve_widening(by, case, request)  # type: ignore[arg-type]

    async def entries(self, case: str = "", act: str = "") -> list[AuditEntry]:
        """The audit log's entries, the oldest first."""
        return (await self.audit.page(count=500, case=case, act=act))[::-1]

    async def told(self, kind: str) -> list[Event]:
        """What the platform was told."""
        page = await self.events.waiting(500)
        assert not page.more
        return [event for event in page.events if event["kind"] == kind]

    async def set_fields(self, case: str, **fields: int) -> None:
        """Let time pass for a case: its record's times are the store's, whose clock none can set."""
        number = int(case[1:].partition("-")[0])
        for name, value in fields.items():
            await self.store.pipe.call(
                "HSET", keys.case(number, case), name.replace("__", "."), value
            )

    async def full(self, is_full: bool) -> None:
        """Let the store refuse every write that takes room."""
        await self.store.pipe.call("CONFIG", "SET", "maxmemory", "1" if is_full else "0")


def bureau_of(
    store: Store,
    ring: KeyRing | Callable[[], KeyRing],
    clock: Callable[[], int],
    limits: WatchLimits | None = None,
) -> Bureau:
    """Put the services of a store together."""
    current = ring if callable(ring) else lambda: ring
    records, parties = CaseRecords(store), Parties(store, longest_record_s=30 * 86400)
    audit = Audit(AuditLog(store), ring=current, now_ms=clock)
    watch = Watch(store, audit, limits or WatchLimits())
    notices = Notices(store, now_ms=clock)

    return Bureau(
        store, current, clock, audit, records, watch, notices,
        Cases(records, audit, People(), watch, now_ms=clock),
        Evidence(records, audit, watch, notices, parties, ring=current, now_ms=clock),
        Reports(
            ReportRecords(store), ring=current, now_ms=clock,
            random_bytes=os.urandom, evidence_retention_s=10 * 86400,
        ),
        Events(store), parties,
    )  # fmt: skip
