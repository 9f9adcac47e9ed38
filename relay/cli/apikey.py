"""`relay apikey`: who may call the API.

Works on the store itself, so it is run on the relay's host and needs no key.
"""

from __future__ import annotations

import os
import time
from typing import Annotated

import typer

from ..api import auth
from ..api.auth import KeyScope
from ..settings import Settings
from ..vault.tokens import parse_api_key
from . import host
from .options import AsJson, Config, Data, Redis, group
from .output import MISUSED, err, fail, out, print_json
from .words import moment, visible

app = group("Make, list and revoke API keys.")


@app.command()
def new(
    scope: Annotated[KeyScope, typer.Option(help="what the key is for")],
    note: Annotated[str, typer.Option(help="whose it is, for `list`; never a secret")] = "",
    redis: Redis = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Make a key and print it, this once, alone on standard output.

    A scope `platform` opens and ends trips, `metrics` reads /metrics, `agent` and `supervisor` are
    for operators. Keep the key in a file of mode 0600: `relay apikey new ... > key` after
    `umask 077`.
    """
    if len(note) > auth.MAX_NOTE_CHARACTERS:
        fail(f"a note has at most {auth.MAX_NOTE_CHARACTERS} characters; no key was made", MISUSED)
    where = host.settings({"redis": redis, "data": data}, config, with_keys=False)
    key = host.on_store(
        where,
        lambda pipe: auth.new_key(
            pipe, scope, note=note, now_ms=time.time_ns() // 1_000_000, random_bytes=os.urandom
        ),
    )
    err.print(
        f"relay: key {parse_api_key(key).id} with the scope {scope}, in {host.store_name(where)}; "
        "it cannot be shown again"
    )
    out.print(key)


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
            {"id": key.id, "scope": key.scope, "note": key.note, "created_at": key.created_at}
            for key in keys
        ])  # fmt: skip
        return
    err.print(f"relay: {len(keys)} in {host.store_name(where)}")
    for key in keys:
        out.print(
            f"{key.id}  {key.scope:<10}  {moment(key.created_at)}  {visible(key.note)}".rstrip()
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
    if not host.on_store(where, lambda pipe: auth.revoke_key(pipe, key_id)):
        fail(
            f"{host.store_name(where)} has no key of that id, so none was revoked; "
            "`relay apikey list` shows the ids"
        )
    err.print("relay: the key is revoked; nodes notice within two seconds")


def _must_exist(where: Settings) -> None:
    """Refuse to make a data folder where somebody only wanted to look."""
    if not where.redis and not where.folder.is_dir():
        fail(
            f"there is no data folder {where.folder}, so there are no keys; "
            "name the one that `relay serve` uses with --data"
        )
