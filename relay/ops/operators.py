"""Who works here: operators, how they are made, and how they enrol.

Nobody but the person ever has both factors. Who adds an operator gets a one-time code and hands it
on; the person opens the console with it, chooses a password, and scans a secret that is drawn when
the code is shown. Each time the code is shown another is drawn, and the one before is void. So who
has used the code before knows a secret that will not be taken, and who uses it later stops the
person's own page, which is noticed.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import msgspec

from ..core.acts import Act
from ..core.casework import StaffScope
from ..guard.names import holds_contact
from ..store.operators import OperatorRecord, OperatorRecords
from ..store.signins import SessionRecords
from ..vault.envelope import NONCE_BYTES, Unreadable
from ..vault.ring import KeyRing, Purpose
from ..vault.staff import open_totp, seal_totp
from . import totp
from .actor import Actor
from .audit import Audit
from .passwords import Passwords, check_new_password
from .refusals import OpsCode, Refused

OPERATOR_ID: Final = re.compile(r"[a-z][a-z0-9._-]{1,31}")
MAX_NAME_CHARS: Final = 64
ENROLMENT_H: Final = 24
LOCALES: Final = ("en", "id")

_TICKET_MIN: Final = 30
_CODE_BYTES: Final = 15
_NOT_PRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
#: How often a change is tried when another came in between.
_TRIES: Final = 20


@dataclass(frozen=True, slots=True)
class Operator:
    """An operator as others may see it. Times in ms; `locale` is empty until it is chosen."""

    id: str
    name: str
    scope: StaffScope
    disabled: bool
    enrolled: bool
    locale: str
    created_at: int
    last_seen_at: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Enrolment:
    """What the page of an enrolment shows; `ticket` is what it goes on with instead of the code."""

    operator_id: str
    name: str
    totp_secret: str
    otpauth_uri: str
    ticket: str


class Operators:
    """Calls on operators. Acts raise `Refused` and `StoreError`."""

    def __init__(
        self,
        records: OperatorRecords,
        sessions: SessionRecords,
        audit: Audit,
        passwords: Passwords,
        *,
        ring: Callable[[], KeyRing],
        now_ms: Callable[[], int],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._records = records
        self._sessions = sessions
        self._audit = audit
        self._passwords = passwords
        self._ring = ring
        self._now_ms = now_ms
        self._random_bytes = random_bytes

    # --- to see -----------------------------------------------------------------------------------

    async def get(self, operator: str) -> Operator | None:
        """One operator."""
        record = await self._records.get(operator) if OPERATOR_ID.fullmatch(operator) else None
        return shown(record) if record else None

    async def listed(self) -> list[Operator]:
        """Every operator, by id."""
        seen = await self._records.seen()
        return [shown(record, seen.get(record.id)) for record in await self._records.all()]

    # --- to make and unmake -----------------------------------------------------------------------

    async def add(self, by: Actor, operator: str, name: str, scope: StaffScope) -> str:
        """Add an operator; give the one-time code with which the person enrols."""
        _may(by)
        name = _checked_name(operator, name)
        if await self._records.get(operator) is not None:
            raise _is_there()
        now_ms, code = self._now_ms(), self._new_code()
        record = OperatorRecord(
            operator, name, scope, now_ms,
            enrolment=_digest(code), enrolment_until=now_ms + ENROLMENT_H * 3_600_000,
        )  # fmt: skip
        details = {"operator": operator, "scope": scope.value}
        await self._audit.record(by, Act.OPERATOR_ADD, details=details)
        await self._records.point_enrolment(record.enrolment, operator, ENROLMENT_H * 3_600_000)
        if not await self._records.replace(None, record):
            await self._audit.record(by, Act.OPERATOR_ADD, outcome="conflict", details=details)
            raise _is_there()
        return code

    async def reset(self, by: Actor, operator: str) -> str:
        """End an operator's sessions and void both factors; give a new code to enrol with.

        A disabled operator can work again after that.
        """
        _may(by)
        await self._existing(operator)
        now_ms, code = self._now_ms(), self._new_code()
        await self._audit.record(by, Act.OPERATOR_RESET, details={"operator": operator})
        await self._records.point_enrolment(_digest(code), operator, ENROLMENT_H * 3_600_000)
        await self._change(
            operator,
            lambda record: msgspec.structs.replace(
                _without_ticket(record),
                generation=record.generation + 1, disabled_at=None, enrolled_at=None, password="",
                totp=b"",
                enrolment=_digest(code), enrolment_until=now_ms + ENROLMENT_H * 3_600_000,
            ),
        )  # fmt: skip
        await self._sessions.end_all(operator)
        return code

    async def disable(self, by: Actor, operator: str) -> None:
        """End an operator's sessions and personal API keys at once; only `reset` undoes it."""
        _may(by)
        await self._existing(operator)
        now_ms = self._now_ms()
        await self._audit.record(by, Act.OPERATOR_DISABLE, details={"operator": operator})
        await self._change(
            operator,
            lambda record: msgspec.structs.replace(
                _without_ticket(record),
                generation=record.generation + 1, disabled_at=record.disabled_at or now_ms,
                enrolled_at=None, password="", totp=b"",
            ),
        )  # fmt: skip
        await self._sessions.end_all(operator)
        await self._records.drop_keys(operator)

    async def set_scope(self, by: Actor, operator: str, scope: StaffScope) -> None:
        """Give an operator another scope; sessions end, and keys that are now too good."""
        _may(by)
        record = await self._existing(operator)
        if record.scope is scope:
            raise Refused(
                OpsCode.CONFLICT,
                f"This operator has the scope {scope} already, so nothing was changed.",
            )
        details = {"operator": operator, "scope": scope.value}
        await self._audit.record(by, Act.OPERATOR_SCOPE, details=details)
        await self._change(
            operator,
            lambda record: msgspec.structs.replace(
                record, generation=record.generation + 1, scope=scope
            ),
        )
        await self._sessions.end_all(operator)
        if scope is StaffScope.AGENT:
            await self._records.drop_keys(operator, of=(StaffScope.SUPERVISOR,))

    async def set_locale(self, operator: str, locale: str) -> None:
        """Keep the language in which an operator reads the console."""
        if locale not in LOCALES:
            raise Refused(
                OpsCode.INVALID,
                f"The console speaks {' and '.join(LOCALES)}. Nothing was changed; choose one.",
                field="locale",
            )
        await self._change(operator, lambda record: msgspec.structs.replace(record, locale=locale))

    # --- to enrol ---------------------------------------------------------------------------------

    async def begin_enrolment(self, code: str) -> Enrolment:
        """Draw a second factor for the operator whose code this is, and give what its page shows.

        With a page's ticket instead of the code, the same factor again. Raises `KeyUnavailable`.
        """
        record, kind = await self._enrolling(code)
        ticket, secret = code, b""
        if kind == "ticket":
            secret = self._opened(record)
        else:
            ticket, secret = self._new_code(), self._random_bytes(totp.SECRET_BYTES)
            offered = msgspec.structs.replace(
                record,
                totp_offered=self._sealed(record.id, secret),
                ticket=_digest(ticket),
                ticket_until=self._now_ms() + _TICKET_MIN * 60_000,
            )
            await self._records.point_enrolment(offered.ticket, record.id, _TICKET_MIN * 60_000)
            if not await self._records.replace(record, offered):
                raise _no_code()
        return Enrolment(
            record.id, record.name, totp.text_of(secret), totp.uri_of(secret, record.id), ticket
        )

    async def enrol(self, ticket: str, password: str, totp_code: str, address: str = "") -> None:
        """Finish: from now on the operator signs in with this password and the secret's codes.

        Raises `KeyUnavailable`.
        """
        record, kind = await self._enrolling(ticket)
        if kind != "ticket":
            raise _no_code()
        check_new_password(password, names=(record.id, record.name))
        now_ms = self._now_ms()
        step = totp.step_of(self._opened(record), totp_code, now_ms)
        if step is None:
            raise Refused(
                OpsCode.INVALID,
                "This code is not the one that the app shows now, so nothing was saved. Scan the "
                "picture again, see that the phone's clock is right, and type the next code.",
                field="code",
            )
        enrolled = msgspec.structs.replace(
            _without_ticket(record),
            enrolment="", enrolment_until=0, enrolled_at=now_ms, totp=record.totp_offered,
            totp_step=step, generation=record.generation + 1,
            password=await self._passwords.hash(password),
        )  # fmt: skip
        who = Actor(record.id, record.scope, "console", address)
        await self._audit.record(who, Act.OPERATOR_ENROL)
        if not await self._records.replace(record, enrolled):
            raise _no_code()

    async def _enrolling(self, code: str) -> tuple[OperatorRecord, Literal["code", "ticket"]]:
        """Whose code or ticket this is, if it still holds. Raises `Refused`."""
        digest, now_ms = _digest(code), self._now_ms()
        record = await self._records.enrolling(digest)
        if record is not None and record.disabled_at is None and now_ms < record.enrolment_until:
            if digest == record.enrolment:
                return record, "code"
            if digest == record.ticket and now_ms < record.ticket_until:
                return record, "ticket"
        raise _no_code()

    def _sealed(self, operator: str, secret: bytes) -> bytes:
        key = self._ring().current(Purpose.STAFF, self._now_ms())
        return seal_totp(key, secret, operator=operator, nonce=self._random_bytes(NONCE_BYTES))

    def _opened(self, record: OperatorRecord) -> bytes:
        try:
            return open_totp(self._ring(), record.totp_offered, operator=record.id)
        except Unreadable:
            raise _no_code() from None

    # --- records ----------------------------------------------------------------------------------

    def _new_code(self) -> str:
        """24 characters in groups, of an alphabet without case: read out, typed, never guessed."""
        text = base64.b32encode(self._random_bytes(_CODE_BYTES)).decode().lower()
        return "-".join(text[at : at + 4] for at in range(0, len(text), 4))

    async def _existing(self, operator: str) -> OperatorRecord:
        record = await self._records.get(operator) if OPERATOR_ID.fullmatch(operator) else None
        if record is None:
            raise Refused(
                OpsCode.NOT_FOUND,
                "There is no operator of that id, so nothing was done. `relay operator list` shows "
                "the ids.",
            )
        return record

    async def _change(
        self, operator: str, change: Callable[[OperatorRecord], OperatorRecord]
    ) -> None:
        for _ in range(_TRIES):
            before = await self._existing(operator)
            if await self._records.replace(before, change(before)):
                return
        raise Refused(
            OpsCode.CONFLICT,
            "Others kept changing this operator at the same time, so it is not known to have been "
            "done. Try again.",
        )


def shown(record: OperatorRecord, last_seen_at: int | None = None) -> Operator:
    """What may be shown of an operator's record."""
    return Operator(
        record.id, record.name, record.scope, record.disabled_at is not None,
        record.enrolled_at is not None, record.locale, record.created_at, last_seen_at,
    )  # fmt: skip


def _may(by: Actor) -> None:
    """Operators are made and unmade on the relay's host alone: no session is worth that much."""
    if by.via != "host":
        raise Refused(
            OpsCode.NOT_ALLOWED,
            "Operators are added, reset and disabled on the relay's host, so nothing was done. "
            "Ask whoever runs it for `relay operator`.",
        )


def _checked_name(operator: str, name: str) -> str:
    if not OPERATOR_ID.fullmatch(operator):
        raise Refused(
            OpsCode.INVALID,
            "An operator's id has 2 to 32 characters: small letters, digits, dots, hyphens and "
            "underscores, a letter first. No operator was added.",
            field="id",
        )
    name = " ".join(name.split(" ")).strip()
    if not 0 < len(name) <= MAX_NAME_CHARS or _NOT_PRINTABLE.search(name):
        raise Refused(
            OpsCode.INVALID,
            f"A name has 1 to {MAX_NAME_CHARS} characters in one line. No operator was added.",
            field="name",
        )
    if holds_contact(name) or holds_contact(operator):
        raise Refused(
            OpsCode.INVALID,
            "The id or name seems to hold a phone number, an address or an account, and both are "
            "written into the audit log, so no operator was added. Take another.",
            field="name",
        )
    return name


def _without_ticket(record: OperatorRecord) -> OperatorRecord:
    return msgspec.structs.replace(record, ticket="", ticket_until=0, totp_offered=b"")


def _digest(code: str) -> str:
    """Of a code as people type it: in any case, with or without its hyphens."""
    plain = "".join(code.replace("-", " ").split()).lower()
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _is_there() -> Refused:
    return Refused(
        OpsCode.CONFLICT,
        "There is an operator of that id already, so none was added. `relay operator reset` gives "
        "it a new code.",
    )


def _no_code() -> Refused:
    return Refused(
        OpsCode.INVALID,
        f"This code does not hold: it was used, is older than {ENROLMENT_H} hours, was opened on "
        "another page since, or is mistyped. Nothing was saved. Open this page again with the code "
        "you were given; if that does not help, ask for a new one, and say so if nobody but you "
        "should have had the old one.",
        field="enrolment",
    )
