"""`relay privacy`: what a party asks of its data, done on the relay's host.

Works on the store itself, so it needs no key; every request and what became of it is in the audit
log under the name of this machine's user.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any, TypeAlias, TypeVar

import typer

from ..ops.actor import Actor
from ..ops.desk import desk_of
from ..ops.privacy import Privacy, Request, Wish
from ..ops.refusals import Refused
from ..settings import Settings
from ..store.pipe import Pipe
from ..store.store import Store
from ..vault.ring import KeyRing
from . import host
from .options import AsJson, Config, Data, Redis, group
from .output import MISUSED, REFUSED, err, fail, out, print_json
from .words import count_of, duration, moment, visible

app = group("Export, erase or restrict a party's data when it asks for that.")

T = TypeVar("T")

Party: TypeAlias = Annotated[str, typer.Option("--party", metavar="ID", help="the party's id")]


@app.command()
def export(
    party: Party, as_json: AsJson = False, redis: Redis = None, data: Data = None,
    config: Config = None,
) -> None:  # fmt: skip
    """Show what the relay holds of a party; with --json as the document to hand over.

    It holds no number, no message and nothing of anybody else. What the document shows may be told
    to the party, and to nobody else.
    """
    where = _where(redis, data, config)
    found = _done(where, lambda privacy, by: privacy.export(by, party))
    if as_json:
        print_json(found)
        return
    for trip in found["trips"]:
        kept = count_of(trip["messages_kept"], "message")
        opened = moment(trip["opened_at"]) if trip["opened_at"] else "-"
        out.print(f"trip  {trip['trip']}  {trip['role']:<8}  {trip['state']:<6}  {opened}  {kept}")
    for sanction in found["sanctions"]:
        ends = moment(sanction["until"]) if sanction["until"] else "without end"
        ended = "lifted" if sanction["lifted_at"] else ends
        out.print(f"sanction  {sanction['kind']:<10}  {sanction['reason']:<15}  {ended}")
    for report in found["reports"]:
        out.print(f"report  {report['case']}  {report['category']:<15}  {report['state']}")
    number = "is held while a trip runs" if found["number_held"] else "is not held"
    err.print(
        f"relay: {count_of(len(found['trips']), 'trip')}; the number {number} and is never shown; "
        "--json gives all of it"
    )


@app.command()
def erase(
    party: Party,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: AsJson = False,
    redis: Redis = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Erase a party from its closed trips, with their messages, for good.

    What has to stay is named: open trips, legal holds, open cases, ids that the other party may
    still need for a report, sanctions in force, the audit log. Where something can be erased later
    the request stays open and the exit code is 1. All of that is for you; tell the party only what
    the last line says, or it learns of a report or a hold.
    """
    where = _where(redis, data, config)
    if not yes:
        if not sys.stdin.isatty():
            fail("nobody can be asked here; nothing was erased. Add --yes if it is meant", MISUSED)
        if not typer.confirm("Erase this party's closed trips and their messages?", err=True):
            fail("nothing was erased")
    found = _done(where, lambda privacy, by: privacy.erase(by, party))
    if as_json:
        print_json(found)
    else:
        err.print(
            f"relay: {count_of(found['trips_erased'], 'trip')} and "
            f"{count_of(found['sanctions_erased'], 'sanction')} erased"
        )
        for stays in found["stays"].values():
            err.print(f"relay: {stays['count']} stay: {stays['why']}")
        err.print(f"relay: the party may be told: {found['told']}")
    if not found["complete"]:
        raise typer.Exit(REFUSED)


@app.command()
def restrict(
    party: Party,
    off: Annotated[bool, typer.Option("--off", help="end the restriction")] = False,
    redis: Redis = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Restrict the use of a party's data: no trip opens with it, and nobody reads its messages.

    Channels that are open stay so; end their trips if they should not.
    """
    where = _where(redis, data, config)
    _done(where, lambda privacy, by: privacy.restrict(by, party, on=not off))
    err.print(f"relay: the party is {'no longer ' if off else ''}restricted")


@app.command()
def request(
    party: Party,
    wish: Annotated[Wish, typer.Option("--wish", help="what the party asks for")],
    received: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d", "%Y-%m-%d %H:%M"],
            help="when it reached you, in this machine's time zone; now if it is left out",
        ),
    ] = None,
    redis: Redis = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """Write a request down, so that its limit of 3 x 24 hours counts from when it was received."""
    where = _where(redis, data, config)
    at_ms = int(received.timestamp() * 1000) if received is not None else None
    found = _done(where, lambda privacy, by: privacy.request(by, party, wish, received_at=at_ms))
    err.print(f"relay: request {found.id}, to be done by {moment(found.due_at)}")


@app.command()
def requests(
    open_only: Annotated[
        bool, typer.Option("--open", help="only what is still to be done")
    ] = False,
    as_json: AsJson = False,
    redis: Redis = None,
    data: Data = None,
    config: Config = None,
) -> None:
    """List the requests, how old they are and how much of their limit is left."""
    where = _where(redis, data, config)
    found = _done(where, lambda privacy, _: privacy.requests(open_only=open_only))
    if as_json:
        print_json([_plain(one) for one in found])
        return
    for one in found:
        out.print(_line(one, _now_ms()).rstrip())
    late = sum(one.done_at is None and one.due_at <= _now_ms() for one in found)
    err.print(f"relay: {count_of(len(found), 'request')}" + (f", {late} overdue" if late else ""))


def _plain(one: Request) -> dict[str, Any]:
    return {
        "id": one.id, "party": one.party, "wish": one.wish.value, "received_at": one.received_at,
        "due_at": one.due_at, "done_at": one.done_at, "outcome": one.outcome,
    }  # fmt: skip


def _line(one: Request, now_ms: int) -> str:
    if one.done_at is not None:
        stand = f"done {moment(one.done_at)}"
    elif one.due_at <= now_ms:
        stand = f"OVERDUE by {duration((now_ms - one.due_at) / 1000)}"
    else:
        stand = f"{duration((one.due_at - now_ms) / 1000)} left"
    age = duration((now_ms - one.received_at) / 1000)
    return (
        f"{one.id}  {one.wish.value:<10}  {one.party}  {age} old  {stand}  {visible(one.outcome)}"
    )


# --- on the host ----------------------------------------------------------------------------------


def _where(redis: str | None, data: str | None, config: Any) -> Settings:
    where = host.settings({"redis": redis, "data": data}, config, with_keys=False)
    if not where.redis and not where.folder.is_dir():
        fail(
            f"there is no data folder {where.folder}, so nothing is held of anybody; "
            "name the one that `relay serve` uses with --data"
        )
    return where


def _done(where: Settings, work: Callable[[Privacy, Actor], Awaitable[T]]) -> T:
    """Do `work`; a refusal becomes one line."""

    async def on_pipe(pipe: Pipe) -> T:
        # No key is needed: nothing that is sealed is opened here.
        desk = desk_of(
            Store(pipe), ring=KeyRing, now_ms=_now_ms, random_bytes=os.urandom,
            limits=where.desk_limits,
        )  # fmt: skip
        return await work(desk.privacy, host.person())

    try:
        return host.on_store(where, on_pipe)
    except Refused as refusal:
        fail(refusal.detail)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
