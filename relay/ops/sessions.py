"""Signing in to the console, and the sessions that follow.

A wrong id, a wrong password and a wrong code get the same answer after the same work, a disabled
operator too: nobody learns which it was. A session lives in the store, so that it ends everywhere
at once; the operator's record is looked at in each request, so that a session which was being made
while its operator was disabled does not live either.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog

from ..core.acts import Act
from ..core.casework import StaffScope
from ..store.operators import OperatorRecord, OperatorRecords
from ..store.signins import SessionRecord, SessionRecords
from ..vault.envelope import Unreadable
from ..vault.ring import Key, KeyRing, KeyUnavailable, Purpose
from ..vault.staff import SESSION_ID_BYTES, open_totp, sign_cookie, verify_cookie
from . import totp
from .actor import Actor
from .audit import Audit
from .lockout import Attempt, Lockout
from .operators import OPERATOR_ID, Operator, shown
from .passwords import Passwords
from .refusals import OpsCode, Refused

log = structlog.get_logger(__name__)

IDLE_LIMIT_S: Final = 30 * 60
LONGEST_S: Final = 8 * 3600
MOST_SESSIONS: Final = 5

_IDLE_MS: Final = IDLE_LIMIT_S * 1000
_LONGEST_MS: Final = LONGEST_S * 1000
#: A session that was prolonged this lately is not prolonged again.
_TOUCH_MS: Final = 10_000
#: Who tries is written down as this if there is no such operator: what was typed in the wrong field
#: may be a password.
_NOBODY: Final = "unknown"
_TRIES: Final = 10
#: Stands in for a secret where there is none, for the same work.
_NO_SECRET: Final = b"\0" * totp.SECRET_BYTES


@dataclass(frozen=True, slots=True, repr=False)
class Session:
    """Somebody who is signed in. `id` is not enough to get in with; times in ms."""

    id: str
    operator: Operator
    csrf: str
    address: str
    began_at: int
    expires_at: int

    @property
    def actor(self) -> Actor:
        return Actor(self.operator.id, self.operator.scope, "console", self.address)


@dataclass(frozen=True, slots=True, repr=False)
class SignedIn:
    """A new session, and the cookie that is the only key to it."""

    cookie: str
    session: Session


class Sessions:
    """Lets operators in and out. Methods raise `StoreError`."""

    def __init__(
        self,
        records: SessionRecords,
        operators: OperatorRecords,
        audit: Audit,
        passwords: Passwords,
        lockout: Lockout,
        *,
        ring: Callable[[], KeyRing],
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._records = records
        self._operators = operators
        self._audit = audit
        self._passwords = passwords
        self._lockout = lockout
        self._ring = ring
        self._now_ms = now_ms
        self._random_bytes = random_bytes

    # --- in ---------------------------------------------------------------------------------------

    async def sign_in(
        self, operator_id: str, password: str, totp_code: str, address: str
    ) -> SignedIn:
        """Begin a session. Raises `Refused` (not_allowed, locked, too_many), `KeyUnavailable`."""
        operator_id = operator_id.strip().lower()
        key = self._ring().current(Purpose.STAFF, self._now_ms())
        attempt = await self._lockout.begin(operator_id, address, self._now_ms())
        try:
            known, proven = await self._prove(operator_id, password, totp_code)
        except (Refused, KeyUnavailable):
            await attempt.forget()
            raise
        if proven is None:
            await self._write_failure(known, attempt, address)
            raise Refused(
                OpsCode.NOT_ALLOWED,
                "The id, the password or the code is wrong, so you are not signed in. Try again. A "
                "code is taken once: if it was used, wait for the app to show the next one.",
            )
        return await self._begin(proven, key, attempt, address)

    async def _prove(
        self, operator_id: str, password: str, totp_code: str
    ) -> tuple[OperatorRecord | None, OperatorRecord | None]:
        """Who that is, if there is such an operator; and its record if both factors are right."""
        known = (
            await self._operators.get(operator_id) if OPERATOR_ID.fullmatch(operator_id) else None
        )
        usable = known if known is not None and known.may_sign_in else None
        is_right = await self._passwords.verify(usable.password if usable else "", password)
        secret = self._secret_of(usable) if usable is not None else _NO_SECRET
        step = totp.step_of(secret, totp_code, self._now_ms())
        if usable is None or not is_right or step is None:
            return known, None
        return known, await self._accept(usable, password, step)

    async def _accept(
        self, usable: OperatorRecord, password: str, step: int
    ) -> OperatorRecord | None:
        """Use the time step up, so that its code is never taken again; None if it was."""
        fresh = ""
        if self._passwords.is_outdated(usable.password):
            fresh = await self._passwords.hash(password)
        before: OperatorRecord | None = usable
        for _ in range(_TRIES):
            if (
                before is None
                or not before.may_sign_in
                or before.generation != usable.generation
                or before.totp_step >= step
            ):
                return None
            after = msgspec.structs.replace(
                before, totp_step=step, password=fresh or before.password
            )
            if await self._operators.replace(before, after):
                return after
            before = await self._operators.get(usable.id)
        return None

    def _secret_of(self, record: OperatorRecord) -> bytes:
        try:
            return open_totp(self._ring(), record.totp, operator=record.id)
        except Unreadable:
            log.error("operator_totp_unreadable", operator=record.id)
            return self._random_bytes(totp.SECRET_BYTES)

    async def _write_failure(
        self, known: OperatorRecord | None, attempt: Attempt, address: str
    ) -> None:
        """Count a failure. The first of a row and what is locked have entries; the others are a
        number in the next one, so that no flood fills the audit log."""
        failure = await attempt.failed()
        if not failure.written:
            return
        who = Actor(
            known.id if known else _NOBODY, known.scope if known else StaffScope.AGENT, "console",
            address,
        )  # fmt: skip
        details: dict[str, str | int] = {}
        if failure.unwritten:
            details["more_failures"] = failure.unwritten
        if failure.locked:
            details["locked"] = failure.locked
        act = Act.SIGNIN_LOCKED if failure.locked else Act.SIGNIN_FAILED
        await self._audit.record(who, act, outcome="refused", details=details)

    async def _begin(
        self, operator: OperatorRecord, key: Key, attempt: Attempt, address: str
    ) -> SignedIn:
        unwritten = await attempt.passed()
        await self._audit.record(
            Actor(operator.id, operator.scope, "console", address), Act.SIGNIN,
            details={"more_failures": unwritten} if unwritten else {},
        )  # fmt: skip
        session_id, now_ms = self._random_bytes(SESSION_ID_BYTES), self._now_ms()
        record = SessionRecord(operator.id, operator.generation, now_ms, now_ms)
        await self._records.begin(
            _digest(session_id), record,
            idle_ms=_IDLE_MS, longest_ms=_LONGEST_MS, most=MOST_SESSIONS,
        )  # fmt: skip
        await self._operators.saw(operator.id, now_ms)
        return SignedIn(
            sign_cookie(key, session_id), _session(session_id, record, operator, address)
        )

    # --- meanwhile --------------------------------------------------------------------------------

    async def session(self, cookie: str, address: str, *, touch: bool = True) -> Session | None:
        """Who comes with this cookie from this address; None if nobody is signed in with it.

        Without `touch` it does not count as activity: a page that asks by itself keeps nobody
        signed in.
        """
        session_id = verify_cookie(self._ring(), cookie)
        if session_id is None:
            return None
        digest = _digest(session_id)
        record = await self._records.get(digest)
        if record is None:
            return None
        now_ms = self._now_ms()
        operator = await self._operators.get(record.operator)
        if (
            now_ms >= _expires_at(record)
            or operator is None
            or not operator.may_sign_in
            or operator.generation != record.generation
        ):
            await self._records.end(digest, record.operator)
            return None
        if touch and now_ms - record.seen_at >= _TOUCH_MS:
            record = msgspec.structs.replace(record, seen_at=now_ms)
            idle_ms = max(1, min(_IDLE_MS, record.began_at + _LONGEST_MS - now_ms))
            await self._records.touch(digest, record, idle_ms=idle_ms)
            await self._operators.saw(operator.id, now_ms)
        return _session(session_id, record, operator, address)

    async def count(self, operator_id: str) -> int:
        """How many sessions an operator has."""
        return len(await self._records.of(operator_id))

    # --- out --------------------------------------------------------------------------------------

    async def sign_out(self, session: Session) -> None:
        """End a session everywhere."""
        await self._audit.record(session.actor, Act.SIGNOUT)
        await self._records.end(session.id, session.operator.id)

    async def sign_out_others(self, session: Session) -> int:
        """End all sessions of the person but this one; give how many there were."""
        await self._audit.record(session.actor, Act.SIGNOUT, details={"sessions": "others"})
        return await self._records.end_all(session.operator.id, but=session.id)


def _session(
    session_id: bytes, record: SessionRecord, operator: OperatorRecord, address: str
) -> Session:
    return Session(
        _digest(session_id), shown(operator, record.seen_at), _csrf(session_id), address,
        record.began_at, _expires_at(record),
    )  # fmt: skip


def _expires_at(record: SessionRecord) -> int:
    return min(record.seen_at + _IDLE_MS, record.began_at + _LONGEST_MS)


def _digest(session_id: bytes) -> str:
    return hashlib.sha256(session_id).hexdigest()[:32]


def _csrf(session_id: bytes) -> str:
    """What a form of this session carries. Made of the id, which is in no form and in no store."""
    mac = hmac.digest(session_id, b"relay csrf 1", "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
