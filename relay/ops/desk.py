"""All of the operators' work, put together once for a node or for a command on the host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..store.audit import AuditLog
from ..store.cases import CaseRecords
from ..store.events import Events
from ..store.operators import OperatorRecords
from ..store.oversight import Oversight
from ..store.parties import Parties
from ..store.scripts import TOMBSTONE_S
from ..store.signins import SessionRecords, SignInCounts
from ..store.store import Store
from ..vault.ring import KeyRing
from .audit import Audit
from .cases import Cases
from .channels import Channels
from .evidence import Evidence
from .holds import Holds
from .limits import DeskLimits
from .lockout import Lockout
from .notices import Notices
from .operators import Operators
from .passwords import Passwords
from .privacy import Privacy
from .sanctions import Sanctions
from .sessions import Sessions
from .watch import Watch

#: How late a record is swept at the very latest; a party's index must not forget it before.
_SWEEP_S: Final = 24 * 3600


@dataclass(frozen=True, slots=True, repr=False)
class Desk:
    """Every service of the operators' side."""

    audit: Audit
    cases: Cases
    channels: Channels
    events: Events
    evidence: Evidence
    holds: Holds
    notices: Notices
    operators: Operators
    parties: Parties
    privacy: Privacy
    sanctions: Sanctions
    sessions: Sessions
    watch: Watch


def desk_of(
    store: Store,
    *,
    ring: Callable[[], KeyRing],
    now_ms: Callable[[], int],
    random_bytes: Callable[[int], bytes],
    limits: DeskLimits,
) -> Desk:
    """Put the services of one store together.

    `ring` gives the key ring of the moment, `now_ms` the store's time, `random_bytes(n)` n secret
    random bytes.
    """
    events, oversight = Events(store), Oversight(store)
    parties = Parties(store, longest_record_s=limits.record_s + TOMBSTONE_S + _SWEEP_S)
    audit = Audit(AuditLog(store), ring=ring, now_ms=now_ms)
    passwords = Passwords(random_bytes=random_bytes)
    sittings, staff = SessionRecords(store), OperatorRecords(store)
    operators = Operators(
        staff, sittings, audit, passwords, ring=ring, now_ms=now_ms, random_bytes=random_bytes
    )
    watch = Watch(store, audit, limits.watch)
    notices = Notices(store, now_ms=now_ms, delay_s=limits.notice_delay_s)
    records = CaseRecords(store)
    return Desk(
        audit=audit,
        cases=Cases(records, audit, operators, watch, now_ms=now_ms),
        channels=Channels(oversight, parties, audit, now_ms=now_ms),
        events=events,
        evidence=Evidence(records, audit, watch, notices, parties, ring=ring, now_ms=now_ms),
        holds=Holds(
            store, parties, audit, ring=ring, now_ms=now_ms, random_bytes=random_bytes,
            longest_hold_s=limits.evidence_s,
        ),
        notices=notices,
        operators=operators,
        parties=parties,
        privacy=Privacy(
            store, parties, records, audit, events, now_ms=now_ms, random_bytes=random_bytes
        ),
        sanctions=Sanctions(
            store, parties, records, audit, events, ring=ring, now_ms=now_ms,
            random_bytes=random_bytes,
        ),
        sessions=Sessions(
            sittings, staff, audit, passwords,
            Lockout(SignInCounts(store), random_bytes=random_bytes),
            ring=ring, now_ms=now_ms, random_bytes=random_bytes,
        ),
        watch=watch,
    )  # fmt: skip
