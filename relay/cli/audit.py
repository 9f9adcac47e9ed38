"""`relay audit`: read, check and export the audit log.

Works on the store itself, so it is run on the relay's host; an export is checked anywhere.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from ..keyfile import KeyFileError
from ..ops.audit import Audit, AuditEntry, public_keys
from ..ops.audit_file import BadExport, checkpoints_in, verify_export
from ..settings import Settings
from ..store.audit import AuditLog
from ..store.pipe import Pipe
from ..store.store import Store
from ..vault.chain import MAX_FAULTS, Fault, Flaw, Verdict
from ..vault.checkpoints import Checkpoint
from ..vault.ring import KeyRing
from . import host
from .options import AsJson, Config, Data, Redis, group
from .output import MISUSED, REFUSED, err, fail, out, print_json
from .words import count_of, moment, visible

app = group("Read, check and export the audit log.")

_WORDS: Final[dict[Flaw, str]] = {
    Flaw.EDITED: "does not follow from the one before: it was edited, or that one was",
    Flaw.REMOVED: "removed",
    Flaw.INSERTED: "inserted: what stands there is not of this log",
    Flaw.REORDERED: "reordered: not in its place",
    Flaw.CUT: "cut off from the end",
    Flaw.REWRITTEN: "rewritten: a signed checkpoint saw another log there",
    Flaw.FORGED: "a checkpoint that names it was not signed by this relay",
}


@app.command()
def verify(
    checkpoints: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="JSON lines that hold checkpoints: the relay's log, or events it sent; repeatable",
        ),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="check this export instead of the store's log"),
    ] = None,
    public_key: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID:KEY", help="for --file, as `relay audit public-key` prints it; repeatable"
        ),
    ] = None,
    as_json: AsJson = False,
    redis: Redis = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Check that nothing in the audit log was altered, and say where if it was (exit code 1).

    Give the checkpoints that left this machine: who can write to the store can delete those in it,
    but not the copies in your logs.
    """
    known = [one for path in checkpoints or () for one in checkpoints_in(_lines(path))]
    if file is not None:
        try:
            verdict = verify_export(_lines(file), known, _given_keys(public_key or ()))
        except BadExport as error:
            fail(str(error))
    elif public_key:
        fail("--public-key is for --file; the store's log is checked with the ring", MISUSED)
    else:
        verdict = _verify_store(known, redis, data, config)
    _tell(verdict, as_json=as_json)
    if verdict.faults:
        raise typer.Exit(REFUSED)


def _verify_store(
    known: Iterable[Checkpoint], redis: str | None, data: str | None, config: Path | None
) -> Verdict:
    where = host.settings({"redis": redis, "data": data}, config)
    _must_exist(where)
    ring = _keys(where)
    return host.on_store(where, lambda pipe: _audit(pipe, ring).verify(known))


def _tell(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "sound": not verdict.faults,
                "first": verdict.first,
                "entries": verdict.entries,
                "last": verdict.last,
                "proven_until": verdict.proven_until,
                "unproven_checkpoints": verdict.unproven,
                "withheld": verdict.withheld,
                "unbound": verdict.unbound,
                "faults": [
                    {"n": one.n, "until": one.until, "flaw": one.flaw} for one in verdict.faults
                ],
            }
        )
        return
    for fault in verdict.faults:
        out.print(_line_of(fault))
    if len(verdict.faults) == MAX_FAULTS:
        err.print(f"relay: only the first {MAX_FAULTS} are shown")
    if verdict.unproven:
        err.print(
            f"relay: {count_of(verdict.unproven, 'checkpoint')} could not be checked, because the "
            "key is not known here"
        )
    proven = (
        f"signed checkpoints vouch for entries {verdict.first} to {verdict.proven_until}"
        if verdict.proven_until
        else "no signed checkpoint vouches for it"
    )
    if verdict.faults:
        err.print(f"relay: the audit log was tampered with or damaged; {proven}")
    else:
        err.print(f"relay: the log is unbroken, entry {verdict.last} is the last; {proven}")
    if verdict.withheld:
        err.print(
            f"relay: {count_of(verdict.withheld, 'line')} with a hash alone: what was written "
            "there was kept from who exported it; `relay audit export` on the relay's host has all"
        )
    if verdict.unbound:
        err.print(
            f"relay: what stands before entry {verdict.unbound + 1}, back to the last checkpoint, "
            "whoever had this file could have written anew: of that entry there is a hash alone, "
            "and no checkpoint says what led to it; an export made now has one"
        )
    if verdict.first > 1:
        err.print(f"relay: entries 1 to {verdict.first - 1} are not in this file")


def _line_of(fault: Fault) -> str:
    which = f"entry {fault.n}"
    if fault.until > fault.n:
        which = f"entries {fault.n} to {fault.until}"
    return f"{which}: {_WORDS[fault.flaw]}"


@app.command()
def export(
    first: Annotated[int, typer.Option("--from", min=1, help="number of the first entry")] = 1,
    redis: Redis = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Write the log as JSON lines to standard output, to keep it and check it elsewhere.

    That it was exported is in the log, and in the export.
    """
    where = host.settings({"redis": redis, "data": data}, config, with_keys=False)
    _must_exist(where)

    async def write(pipe: Pipe) -> int:
        count = 0
        async for line in await _audit(pipe, KeyRing()).export(host.person(), first=first):
            sys.stdout.write(line.decode() + "\n")
            count += 1
        return count

    count = host.on_store(where, write)
    sys.stdout.flush()
    err.print(f"relay: {count_of(count, 'line')} from {host.store_name(where)}")


@app.command(name="list")
def list_(
    actor: Annotated[str, typer.Option(help="who: an operator, host:NAME, relay")] = "",
    act: Annotated[str, typer.Option(help="what, for example channel.close")] = "",
    party: Annotated[str, typer.Option(help="a party's id")] = "",
    trip: Annotated[str, typer.Option(help="a trip's id")] = "",
    case: Annotated[str, typer.Option(help="a case's id")] = "",
    before: Annotated[
        int | None, typer.Option(min=1, help="only entries with a lower number")
    ] = None,
    count: Annotated[int, typer.Option(min=1, max=10_000, help="how many")] = 50,
    as_json: AsJson = False,
    redis: Redis = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """List the newest entries, the newest first."""
    where = host.settings({"redis": redis, "data": data}, config, with_keys=False)
    _must_exist(where)
    entries = host.on_store(
        where,
        lambda pipe: _audit(pipe, KeyRing()).page(
            before=before, count=count, actor=actor, act=act, party=party, trip=trip, case=case
        ),
    )
    if as_json:
        print_json([msgspec.to_builtins(entry) for entry in entries])
        return
    for entry in entries:
        out.print(_row(entry))


def _row(entry: AuditEntry) -> str:
    about = [
        f"{name} {value}"
        for name, value in (
            ("trip", entry.trip), ("case", entry.case), ("party", entry.party),
            ("reason", entry.reason), ("outcome", entry.outcome),
            *((name, value) for name, value in entry.details.items() if name != "keys"),
            ("from", entry.address), ("note", entry.note),
        )
        if value != ""
    ]  # fmt: skip
    row = f"{entry.n:>6}  {moment(entry.at)}  {entry.actor}  {entry.act}  {', '.join(about)}"
    return visible(row.rstrip())


@app.command(name="public-key")
def public_key_(
    as_json: AsJson = False, redis: Redis = None, data: Data = None, config: Config = None
) -> None:
    """Print the public keys that check the checkpoints, one a line: the key's id, a colon, the key.

    Keep them where the relay's host can't change them.
    """
    found = public_keys(_keys(host.settings({"redis": redis, "data": data}, config)))
    if as_json:
        print_json(found)
        return
    for key_id, key in found.items():
        out.print(f"{key_id}:{key}")


def _audit(pipe: Pipe, ring: KeyRing) -> Audit:
    return Audit(AuditLog(Store(pipe)), ring=lambda: ring, now_ms=_now_ms)


def _keys(where: Settings) -> KeyRing:
    try:
        return host.key_ring(where)[0]
    except KeyFileError as error:
        fail(str(error))


def _given_keys(given: Iterable[str]) -> dict[str, str]:
    keys = {}
    for text in given:
        key_id, colon, key = text.partition(":")
        if not colon or len(key_id) != 8 or len(key) != 64:
            fail("a public key is ID:KEY, as `relay audit public-key` prints it", MISUSED)
        keys[key_id] = key
    return keys


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()
    except OSError as error:
        fail(f"{path} cannot be read ({error.strerror}); name a file that can", MISUSED)


def _must_exist(where: Settings) -> None:
    """Refuse to make a data folder where somebody only wanted to look."""
    if not where.redis and not where.folder.is_dir():
        fail(
            f"there is no data folder {where.folder}, so there is no audit log; "
            "name the one that `relay serve` uses with --data"
        )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
