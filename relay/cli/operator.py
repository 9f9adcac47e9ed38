"""`relay operator`: who works in the console.

Works on the store itself, so it is run on the relay's host, and only there: no session of the
console, not even a supervisor's, makes operators. It never sees a password or a second factor.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeAlias, TypeVar

import typer

from ..core.casework import StaffScope
from ..ops.audit import Audit
from ..ops.operators import ENROLMENT_H, Operator, Operators
from ..ops.passwords import Passwords
from ..ops.refusals import OpsCode, Refused
from ..settings import Settings
from ..store.audit import AuditLog
from ..store.operators import OperatorRecords
from ..store.pipe import Pipe
from ..store.signins import SessionRecords
from ..store.store import Store
from ..vault.ring import KeyRing
from . import host
from .options import AsJson, Config, Data, Redis, group
from .output import MISUSED, REFUSED, err, fail, out, print_json
from .words import moment, visible

app = group("Add, reset, disable and list operators.")

T = TypeVar("T")

Id: TypeAlias = Annotated[
    str, typer.Argument(metavar="ID", help="as `relay operator list` shows it")
]
Scope: TypeAlias = Annotated[
    StaffScope,
    typer.Option(help="`supervisor` may also approve, place holds and see the audit log"),
]


@app.command()
def add(
    operator: Annotated[
        str,
        typer.Argument(metavar="ID", help="the person's own, 2 to 32 small letters and digits"),
    ],
    name: Annotated[str, typer.Option(help="as colleagues see it")],
    scope: Scope,
    redis: Redis = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Add a person; print a code to enrol with, once, alone on standard output.

    Give the code to that person and to nobody else. It holds for a day. The person opens
    /ops/enrol with it, chooses a password and sets up a second factor; you never see either.
    """
    where = _where(redis, data, config)
    code = _done(where, lambda operators: operators.add(host.person(), operator, name, scope))
    _hand_over(code, where)


@app.command()
def reset(operator: Id, redis: Redis = None, data: Data = None, config: Config = None) -> None:
    """Void an operator's password and second factor; print a code to enrol with again.

    For who has lost the phone or forgotten the password, or comes back after `disable`. Sessions
    end at once. API keys stay: see `relay apikey list` if somebody else may have had them.
    """
    where = _existing(redis, data, config)
    _hand_over(_done(where, lambda operators: operators.reset(host.person(), operator)), where)


@app.command()
def disable(operator: Id, redis: Redis = None, data: Data = None, config: Config = None) -> None:
    """Shut an operator out: sessions end at once, API keys within two seconds."""
    where = _existing(redis, data, config)
    _done(where, lambda operators: operators.disable(host.person(), operator))
    err.print("relay: the operator is disabled; `relay operator reset` would undo it")


@app.command(name="scope")
def scope_(
    operator: Id,
    scope: Annotated[StaffScope, typer.Argument(help="the new scope")],
    redis: Redis = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Give an operator another scope. Sessions end, and API keys that are now too good."""
    where = _existing(redis, data, config)
    _done(where, lambda operators: operators.set_scope(host.person(), operator, scope))
    err.print(f"relay: the operator has the scope {scope} from the next sign-in on")


@app.command(name="list")
def list_(
    as_json: AsJson = False, redis: Redis = None, data: Data = None, config: Config = None
) -> None:
    """List the operators, with when each was last seen in the console."""
    where = _existing(redis, data, config)
    operators = _done(where, lambda operators: operators.listed())
    if as_json:
        print_json([
            {
                "id": one.id, "name": one.name, "scope": one.scope, "state": _state(one),
                "locale": one.locale or None, "created_at": one.created_at,
                "last_seen_at": one.last_seen_at,
            }
            for one in operators
        ])  # fmt: skip
        return
    err.print(f"relay: {len(operators)} in {host.store_name(where)}")
    width = max((len(one.id) for one in operators), default=0)
    for one in operators:
        seen = moment(one.last_seen_at) if one.last_seen_at else "never seen"
        out.print(
            f"{one.id:<{width}}  {one.scope:<10}  {_state(one):<12}  {seen:<23}  "
            f"{visible(one.name)}"
        )


def _state(operator: Operator) -> str:
    if operator.disabled:
        return "disabled"
    return "active" if operator.enrolled else "not enrolled"


def _hand_over(code: str, where: Settings) -> None:
    err.print(
        f"relay: this code, in {host.store_name(where)}, is for that person alone and for "
        f"{ENROLMENT_H} hours, at /ops/enrol; it cannot be shown again"
    )
    out.print(code)


def _where(redis: str | None, data: str | None, config: Config) -> Settings:
    return host.settings({"redis": redis, "data": data}, config, with_keys=False)


def _existing(redis: str | None, data: str | None, config: Config) -> Settings:
    """As `_where`; does not make a data folder where somebody only wanted to look."""
    where = _where(redis, data, config)
    if not where.redis and not where.folder.is_dir():
        fail(
            f"there is no data folder {where.folder}, so there are no operators; "
            "name the one that `relay serve` uses with --data"
        )
    return where


def _done(where: Settings, work: Callable[[Operators], Awaitable[T]]) -> T:
    """Do `work`; a refusal becomes one line."""
    try:
        return host.on_store(where, lambda pipe: work(_operators(pipe)))
    except Refused as refused:
        fail(refused.detail, MISUSED if refused.code is OpsCode.INVALID else REFUSED)


def _operators(pipe: Pipe) -> Operators:
    store = Store(pipe)
    # Keys seal second factors and sign checkpoints; neither is done here.
    return Operators(
        OperatorRecords(store), SessionRecords(store),
        Audit(AuditLog(store), ring=KeyRing, now_ms=_now_ms), Passwords(random_bytes=os.urandom),
        ring=KeyRing, now_ms=_now_ms, random_bytes=os.urandom,
    )  # fmt: skip


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
