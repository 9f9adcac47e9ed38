"""A staff office for tests: the services, and operators who have enrolled as people do."""

from __future__ import annotations

import os
from dataclasses import dataclass

import pyotp

from relay.core.casework import StaffScope
from relay.ops.actor import Actor
from relay.ops.audit import Audit, AuditEntry
from relay.ops.lockout import Lockout
from relay.ops.operators import Operators
from relay.ops.passwords import Passwords
from relay.ops.sessions import Sessions, SignedIn
from relay.store.audit import AuditLog
from relay.store.operators import OperatorRecords
from relay.store.signins import SessionRecords, SignInCounts
from relay.store.store import Store
from relay.vault.ring import KeyRing

from .conftest import Clock

HOST = Actor("host:root", StaffScope.SUPERVISOR, "host")
PASSWORD = "kelapa muda di pagi hari"
HOME = "192.0.2.7"
ELSEWHERE = "198.51.100.1"


@dataclass
class Person:
    """An operator with a phone that shows codes."""

    id: str
    secret: str
    password: str = PASSWORD

    def code(self, at_ms: int) -> str:
        return pyotp.TOTP(self.secret).generate_otp(at_ms // 30_000)


class Office:
    """Operators and sessions over one store; `ring` and `clock` can be set."""

    def __init__(self, store: Store, ring: KeyRing, clock: Clock) -> None:
        self.ring = ring
        self.clock = clock
        self.store = store
        self.records = OperatorRecords(store)
        self.audit = Audit(AuditLog(store), ring=lambda: self.ring, now_ms=clock)
        # The cheapest that argon2 allows, where a test is not about its cost.
        self.passwords = Passwords(random_bytes=os.urandom, time_cost=1, memory_kib=8)
        self.operators = Operators(
            self.records, SessionRecords(store), self.audit, self.passwords,
            ring=lambda: self.ring, now_ms=clock, random_bytes=os.urandom,
        )  # fmt: skip
        self.sessions = self.sessions_with(self.passwords)

    def sessions_with(self, passwords: Passwords) -> Sessions:
        return Sessions(
            SessionRecords(self.store), self.records, self.audit, passwords,
            Lockout(SignInCounts(self.store), random_bytes=os.urandom),
            ring=lambda: self.ring, now_ms=self.clock, random_bytes=os.urandom,
        )  # fmt: skip

    async def enrolled(self, operator: str, scope: StaffScope = StaffScope.AGENT) -> Person:
        """An operator who has been added and has enrolled; the clock goes on to the next code."""
        code = await self.operators.add(HOST, operator, operator.title(), scope)
        return await self.enrol(operator, code)

    async def enrol(self, operator: str, code: str) -> Person:
        page = await self.operators.begin_enrolment(code)
        person = Person(operator, page.totp_secret)
        await self.operators.enrol(page.ticket, PASSWORD, person.code(self.clock()))
        self.clock.advance(30_000)
        return person

    async def sign_in(self, person: Person, address: str = HOME) -> SignedIn:
        """Sign in with the next code."""
        self.clock.advance(30_000)
        code = person.code(self.clock())
        return await self.sessions.sign_in(person.id, person.password, code, address)

    async def acts(self) -> list[AuditEntry]:
        """What was written down, the oldest first."""
        return (await self.audit.page(count=1000))[::-1]
