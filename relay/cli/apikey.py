"""`relay apikey`: who may call the API.

Works on the store itself, so it is run on the relay's host and needs no key.
"""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

from ..api import auth
from ..api.auth import KeyScope
from ..core.acts import Act
from ..ops.audit import Audit
from ..settings import Settings
from ..store.audit import AuditLog
from ..store.operators import OperatorRecords
from ..store.pipe import Pipe
from ..store.store import Store
from ..vault.ring import KeyRing
from ..vault.tokens import parse_api_key
from . import host
from .options import AsJson, Config, Data, Redis, group
from .output import MISUSED, err, fail, out, print_json
from .words import moment, visible

app = group("Make, list and revoke API keys.")

T = TypeVar("T")


class _NoKey(Exception):
    """Why no key was made, in words for the person."""


@app.command()
def new(
    scope: Annotated[KeyScope, typer.Option(help="what the key is for")],
    operator: Annotated[
        str, typer.Option(metavar="ID", help="whose it is, with the scope agent or supervisor")
    ] = "",
    note: Annotated[str, typer.Option(help="what it is for, for `list`; never a secret")] = "",
    redis: Redis = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Make a key and print it, this once, alone on standard output.

    A scope `platform` opens and ends trips, `metrics` reads /metrics. One with the scope `agent` or
    `supervisor` is one operator's own, for scripts: what is done with it is done by that person,
    and it opens no evidence. Keep the key in a file of mode 0600: `relay apikey new ... > key`
    after `umask 077`.
    """
    if len(note) > auth.MAX_NOTE_CHARACTERS:
        fail(f"a note has at most {auth.MAX_NOTE_CHARACTERS} characters; no key was made", MISUSED)
    if scope.staff is not None and not operator:
        fail(
            f"a key with the scope {scope} is one person's, so say whose with --operator ID; no "
            "key was made (`relay operator list` shows the ids)",
            MISUSED,
        )
    if scope.staff is None and operator:
        fail(
            f"a key with the scope {scope} is no operator's; leave out --operator, or take another "
            "scope. No key was made",
            MISUSED,
        )
    where = host.settings({"redis": redis, "data": data}, config, with_keys=False)
    key = _on_store(where, lambda pipe: _make(pipe, scope, operator, note))
    whose = f" of {operator}" if operator else ""
    err.print(
        f"relay: key {parse_api_key(key).id}{whose} with the scope {scope}, in "
        f"{host.store_name(where)}; it cannot be shown again"
    )
    out.print(key)


async def _make(pipe: Pipe, scope: KeyScope, operator: str, note: str) -> str:
    """The new key, once it is in the audit log and good. Raises `_NoKey`, `StoreError`."""
    if scope.staff is not None:
        record = await OperatorRecords(Store(pipe)).get(operator)
        if record is None:
            raise _NoKey(
                "there is no operator of that id, so no key was made; `relay operator list` shows "
                "the ids"
            )
        if record.disabled_at is not None:
            raise _NoKey("this operator is disabled, so no key was made")
        if not record.covers(scope.staff):
            raise _NoKey(
                f"this operator has the scope {record.scope}, which a key with the scope {scope} "
                "would exceed, so none was made; `relay operator scope` gives another"
            )
    audit = _audit(pipe)
    while True:
        text = await auth.draw_key(pipe, os.urandom)
        details = {"key": parse_api_key(text).id, "scope": scope.value}
        if operator:
            details["operator"] = operator
        await audit.record(host.person(), Act.APIKEY_NEW, details=details)
        if await auth.keep_key(pipe, text, scope, note=note, now_ms=_now_ms(), operator=operator):
            return text
        await audit.record(host.person(), Act.APIKEY_NEW, outcome="conflict", details=details)


@app.command(name="list")
def list_(
    as_json: AsJson = False, redis: Redis = None, data: Data = None, config: Config = None
) -> None:
    """List the keys: ids, scopes and notes, not enough to call with."""
    where = host.settings({"redis": redis, "data": data}, config, with_keys=False)
    _must_exist(where)
    keys = host.on_store(where, auth.list_keys)
    if as_json:
        print_json([
            {
                "id": key.id, "scope": key.scope, "operator": key.operator or None,
                "note": key.note, "created_at": key.created_at,
            }
            for key in keys
        ])  # fmt: skip
        return
    err.print(f"relay: {len(keys)} in {host.store_name(where)}")
    width = max((len(key.operator) for key in keys), default=0)
    for key in keys:
        whose = f"{visible(key.operator):<{width}}  " if width else ""
        out.print(
            f"{key.id}  {key.scope:<10}  {whose}{moment(key.created_at)}  "
            f"{visible(key.note)}".rstrip()
        )


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="as `relay apikey list` shows it")],
    redis: Redis = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Revoke a key. Nodes notice within two seconds."""
    where = host.settings({"redis": redis, "data": data}, config, with_keys=False)
    _must_exist(where)
    if not _on_store(where, lambda pipe: _revoke(pipe, key_id)):
        fail(
            f"{host.store_name(where)} has no key of that id, so none was revoked; "
            "`relay apikey list` shows the ids"
        )
    err.print("relay: the key is revoked; nodes notice within two seconds")


async def _revoke(pipe: Pipe, key_id: str) -> bool:
    """Whether there was such a key, which is then in the audit log and gone."""
    if not await auth.has_key(pipe, key_id):
        return False
    audit, details = _audit(pipe), {"key": key_id}
    await audit.record(host.person(), Act.APIKEY_REVOKE, details=details)
    if await auth.revoke_key(pipe, key_id):
        return True
    await audit.record(host.person(), Act.APIKEY_REVOKE, outcome="not_found", details=details)
    return False


def _on_store(where: Settings, work: Callable[[Pipe], Awaitable[T]]) -> T:
    try:
        return host.on_store(where, work)
    except _NoKey as reason:
        fail(str(reason))


def _audit(pipe: Pipe) -> Audit:
    # Keys are needed for checkpoints alone, and those are the running relay's.
    return Audit(AuditLog(Store(pipe)), ring=KeyRing, now_ms=_now_ms)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _must_exist(where: Settings) -> None:
    """Refuse to make a data folder where somebody only wanted to look."""
    if not where.redis and not where.folder.is_dir():
        fail(
            f"there is no data folder {where.folder}, so there are no keys; "
            "name the one that `relay serve` uses with --data"
        )
