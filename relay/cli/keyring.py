"""`relay keyring`: the keys under which numbers and messages are sealed.

An embedded relay keeps its own ring. These commands are for a ring that several relays share, and
for whoever wants to destroy a key before its time. What they do comes into the audit log: at once
where the store can be asked, else by way of the ring's journal when a relay runs on it.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from ..keyfile import KeyFile, KeyFileError, ring_text
from ..live_ring import VARIABLE
from ..ops.audit import Audit
from ..ops.journal import take_over_journal
from ..settings import Settings
from ..store.access import pipe_to
from ..store.audit import AuditLog
from ..store.endpoint import StoreError
from ..store.store import Store
from ..vault.ring import KeyRing, KeyRow, KeyUnavailable, Purpose
from . import host
from .options import AsJson, Config, Data, group
from .output import MISUSED, err, fail, out, print_json
from .words import count_of, moment

app = group("Make, rotate, retire and list the keys that seal data.")

_DAY_MS: Final = 86_400_000
_REPLY_TIMEOUT_S: Final = 2.0
_MAX_VARIABLE_BYTES: Final = 128 * 1024

File: TypeAlias = Annotated[
    Path | None,
    typer.Option("--file", metavar="FILE", help="the key ring; without it that of `relay serve`"),
]
Days: TypeAlias = Annotated[
    int,
    typer.Option(
        min=1, max=366,
        help="for how many days from now there will be keys; without new ones no trip opens then",
    ),
]  # fmt: skip


@app.command()
def new(
    file: File = None,
    print_: Annotated[
        bool, typer.Option("--print", help=f"write the ring to standard output, for {VARIABLE}")
    ] = False,
    days: Days = 30,
    data: Data = None,
    config: Config = None,
) -> None:
    """Make a key ring, in a file of mode 0600 or for the environment.

    Keep it apart from the store's data and its backups: a backup that holds both keeps readable
    what the destruction of a key is to make unreadable.
    """
    if print_:
        if file is not None:
            fail("give --file or --print, not both", MISUSED)
        _print_new(days)
        return
    ring = _ring(file, data, config)
    try:
        change = ring.create(_now_ms(), days * _DAY_MS)
    except KeyFileError as error:
        fail(str(error))
    err.print(
        f"relay: {count_of(len(change.made), 'key')} for {count_of(days, 'day')} in {ring.path}; "
        "`relay keyring rotate` makes the next ones"
    )
    _write_down(ring, data, config)


def _print_new(days: int) -> None:
    ring = KeyRing().extended(_now_ms(), days * _DAY_MS, os.urandom)
    text = ring_text(ring)
    if len(VARIABLE) + 2 + len(text) > _MAX_VARIABLE_BYTES:
        fail(
            f"the keys of {days} days do not fit into one variable of the environment "
            "(128 KiB on Linux); take fewer days, or --file",
            MISUSED,
        )
    err.print(
        f"relay: {count_of(len(ring), 'key')} for {count_of(days, 'day')}; set {VARIABLE} to this "
        "on every node, and to a new ring before they are used up"
    )
    out.print(text)


@app.command()
def rotate(file: File = None, days: Days = 30, data: Data = None, config: Config = None) -> None:
    """Make the keys that are missing for the days ahead. Those there are stay.

    Running relays see the change within seconds. Run it every day, with `retire --due`.
    """
    ring = _ring(file, data, config)
    try:
        change = ring.rotate(_now_ms(), days * _DAY_MS)
    except KeyFileError as error:
        fail(str(error))
    err.print(f"relay: {count_of(len(change.made), 'key')} made in {ring.path}")
    _write_down(ring, data, config)


@app.command()
def retire(
    key_ids: Annotated[list[str] | None, typer.Argument(metavar="KEY_ID")] = None,
    due: Annotated[bool, typer.Option("--due", help="every key whose purpose has passed")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    file: File = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Destroy keys, so that nothing they sealed can ever be read again, in any copy.

    --due takes those that no trip and no kept message needs any more. A key that is named is
    destroyed even if it is needed: its open trips then carry no messages.
    """
    if bool(key_ids) == due:
        fail("name the keys to destroy, or give --due", MISUSED)
    settings = _settings(file, data, config)
    path, by = settings.ring_path, host.person().id
    spans_ms = host.longest_ms(settings)
    try:
        _refuse_environment(settings)
        ring, now_ms = KeyFile(path).read(), _now_ms()
        chosen = [key.id for key in ring.due(now_ms, *spans_ms)] if due else [*(key_ids or ())]
        ring.without(chosen)
        if not chosen:
            err.print(f"relay: no key of {path} is due")
            return
        if not yes:
            _ask([row for row in ring.rows(now_ms, *spans_ms) if row.id in chosen], path)
        changed = KeyFile(path, by=by)
        change = changed.retire(chosen)
    except (KeyFileError, KeyUnavailable) as error:
        fail(str(error))
    err.print(f"relay: {count_of(len(change.destroyed), 'key')} destroyed in {path}")
    _write_down(changed, data, config)


def _ask(rows: list[KeyRow], path: Path) -> None:
    for row in rows:
        err.print(_line(row))
    if not sys.stdin.isatty():
        fail("nobody can be asked here; nothing was destroyed. Add --yes if it is meant", MISUSED)
    question = f"Destroy {count_of(len(rows), 'key')} in {path} for good?"
    if not typer.confirm(question, err=True):
        fail("nothing was destroyed")


@app.command(name="list")
def list_(
    as_json: AsJson = False, file: File = None, data: Data = None, config: Config = None
) -> None:
    """List the keys: ids, purposes and times, never their secret bytes."""
    settings = _settings(file, data, config)
    try:
        ring, source = host.key_ring(settings)
    except KeyFileError as error:
        fail(str(error))
    rows = ring.rows(_now_ms(), *host.longest_ms(settings))
    if as_json:
        print_json([row._asdict() for row in rows])
        return
    for row in rows:
        out.print(_line(row))
    for purpose in Purpose:
        own = [row for row in rows if row.purpose == purpose]
        until = f"the last until {moment(own[-1].until_ms)}" if own else "so none can be sealed"
        dues = sum(row.state == "due" for row in own)
        due = f", {dues} due to be retired" if dues else ""
        err.print(f"relay: {purpose}: {count_of(len(own), 'key')}, {until}{due}")
    err.print(f"relay: from {source}")


def _line(row: KeyRow) -> str:
    times = f"{moment(row.from_ms)} - {moment(row.until_ms)}"
    return f"{row.id}  {row.purpose:<8}  {times}  {row.state}"


def _write_down(ring: KeyFile, data: str | None, config: Path | None) -> None:
    """Bring what was done into the audit log, or say how it will get there. Starts no store."""
    try:
        where = _store_of(ring, data, config)
        if not ring.journal() or (where and asyncio.run(_taken_over(ring, where))):
            return
    except (StoreError, KeyFileError, typer.Exit):
        pass
    err.print(
        f"relay: noted in {ring.path}.journal; a relay that runs on this ring takes it into the "
        "audit log"
    )


def _store_of(ring: KeyFile, data: str | None, config: Path | None) -> Settings | None:
    """Where the audit log of the relays on this ring is; None if that is not known here."""
    where = host.settings({"data": data}, config, with_keys=False)
    if where.redis:
        return where
    own = host.settings({"data": data}, config).ring_path
    return where if own.resolve() == ring.path.resolve() else None


async def _taken_over(ring: KeyFile, where: Settings) -> bool:
    url = await host.running_store(where)
    if url is None:
        return False
    async with pipe_to(url, name="relay-cli", reply_timeout_s=_REPLY_TIMEOUT_S) as pipe:
        audit = Audit(AuditLog(Store(pipe)), ring=KeyRing, now_ms=_now_ms)
        await take_over_journal(audit, ring)
    return True


def _settings(file: Path | None, data: str | None, config: Path | None) -> Settings:
    named = None if file is None else str(file)
    return host.settings({"keyring_file": named, "data": data}, config)


def _ring(file: Path | None, data: str | None, config: Path | None) -> KeyFile:
    by = host.person().id
    if file is not None:
        return KeyFile(file, by=by)
    settings = _settings(file, data, config)
    _refuse_environment(settings)
    return KeyFile(settings.ring_path, by=by)


def _refuse_environment(settings: Settings) -> None:
    if host.ring_is_in_environment(settings):
        fail(
            f"the key ring is in {VARIABLE} and can't be changed from here; "
            "name a file with --file, or change it where it is kept"
        )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
