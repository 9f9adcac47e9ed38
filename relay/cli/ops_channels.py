"""`relay ops list|show|close`: channels as an operator sees them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from rich.cells import cell_len

from ..core.casework import HandReason
from ..core.ids import Role
from .api import Api, ApiError, ops_path
from .calling import api_of, called
from .ops_lines import at, left, say, say_table, since, someone
from .ops_options import Most, Note, TripId, Yes, pages, sure
from .options import DEFAULT_URL, ApiKeyFile, ApiUrl, AsJson
from .output import MISUSED, REFUSED, err, fail, out, print_json
from .words import clipped, count_of, visible

_MAX_FILE_BYTES: Final = 1024 * 1024

_OUTCOMES: Final = {
    "closed": "closed",
    "already": "was closed already",
    "not_found": "is no trip that the relay knows",
    "failed": "could not be closed; try this one again",
}
_FOR_GOOD: Final = (
    "that is not undone; if it was a mistake, the platform opens a new trip, with a new trip id"
)
_GOOD: Final = ("closed", "already")


def list_(
    state: Annotated[
        Literal["any", "open", "grace"], typer.Option(help="the channel's state")
    ] = "any",
    online: Annotated[
        Literal["any", "both", "one", "none"], typer.Option(help="how many parties are connected")
    ] = "any",
    findings: Annotated[
        bool, typer.Option("--findings", help="only where the guard has found something")
    ] = False,
    search: Annotated[
        str, typer.Option(metavar="ID", help="the id of a trip or of a party, whole")
    ] = "",
    most: Most = 50,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List the open channels, the newest first."""
    query = {"state": state, "online": online, "findings": str(findings).lower(), "search": search}
    channels, last = pages(api_of(url, api_key_file), "channels", query, "channels", most)
    if as_json:
        print_json({"channels": channels, "open": last["open"]})
        return
    say_table(
        ("TRIP", "STATE", "OPEN FOR", "LEFT", "MESSAGES", "FOUND", "DRIVER", "CUSTOMER", "MARKS"),
        [
            (
                found["trip_id"], found["state"], since(found["opened_at"]),
                left(found["deadline"]), found["messages"], found["findings"],
                someone(found["driver"]), someone(found["customer"]), _marks(found),
            )
            for found in channels
        ],
    )  # fmt: skip
    err.print(f"relay: {len(channels)} shown, {last['open']} open")


def show(
    trip: TripId,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """See a channel and what happened to it."""
    found = called(api_of(url, api_key_file), "GET", ops_path("channels", trip))
    if as_json:
        print_json(found)
        return
    say("trip", found["trip_id"])
    say("state", _state(found))
    say("epoch", found["epoch"])
    say("opened", at(found["opened_at"]))
    say("messages", found["messages"])
    for role in Role:
        if found[role]:
            say(role, someone(found[role]))
            if by_class := found["findings_by_class"].get(role):
                say("  found", ", ".join(f"{name} {n}" for name, n in by_class.items()))
            if lost := found["undelivered"].get(role):
                say("  lost", f"{count_of(lost, 'message')} of it never arrived")
    if marks := _marks(found):
        say("marks", marks)
    if found["cases"]:
        say("cases", ", ".join(found["cases"]))
    out.print()
    say_table(
        ("AT", "WHAT", "WHO", "DETAIL"),
        [(at(one["at"]), one["kind"], one["role"] or "", _step(one)) for one in found["timeline"]],
    )


def close(
    reason: Annotated[HandReason, typer.Option(help="for the audit log; no party is told it")],
    note: Note,
    trips: Annotated[
        list[str] | None, typer.Argument(metavar="TRIP...", help="the platform's trip ids")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="take more trip ids from here, one a line; - is standard input"
        ),
    ] = None,
    yes: Yes = False,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Close channels by hand, for good.

    Their parties are told no more than that it is closed. An agent closes at most 50 at once, a
    supervisor 500. A close is not undone: after a mistake the platform opens a new trip, with a
    new id.
    """
    named = list(dict.fromkeys([*(trips or []), *_named_in(file)]))
    if not named:
        fail("name the trips whose channels are to be closed", MISUSED)
    api = api_of(url, api_key_file)
    what = clipped(named[0], 64) if len(named) == 1 else f"these {len(named)} channels"
    sure(f"Close {what} for good, because of {reason}?", yes=yes)
    if len(named) == 1:
        _close_one(api, named[0], reason, note, as_json=as_json)
    else:
        _close_several(api, named, reason, note, as_json=as_json)


def _close_one(api: Api, trip: str, reason: HandReason, note: str, *, as_json: bool) -> None:
    body = {"reason": reason, "note": note}
    closed = called(api, "POST", ops_path("channels", trip, "close"), body)
    if as_json:
        print_json(closed)
        return
    say("trip", closed["trip_id"])
    say("state", f"closed since {at(closed['closed_at'])}")
    err.print(f"relay: {_FOR_GOOD}")


def _close_several(
    api: Api, trips: list[str], reason: HandReason, note: str, *, as_json: bool
) -> None:
    body = {"trips": trips, "reason": reason, "note": note}
    results: list[dict[str, Any]] = []
    failure, width = "", max(cell_len(visible(trip)) for trip in trips)
    try:
        for one in api.lines("POST", ops_path("closings"), body):
            results.append(one)
            if not as_json:
                place = f"{len(results):>{len(str(len(trips)))}}/{len(trips)}"
                name = visible(one["trip_id"])
                outcome = visible(_OUTCOMES.get(one["outcome"], one["outcome"]))
                out.print(f"{place}  {name}{' ' * (width - cell_len(name))}  {outcome}")
    except ApiError as error:
        failure = str(error)
    if as_json and (results or not failure):
        print_json({"results": results})
    good = sum(one["outcome"] in _GOOD for one in results)
    if failure and results:
        fail(f"after {len(results)} of {len(trips)}: {failure}")
    if failure:
        fail(failure)
    if not as_json or good < len(trips):
        err.print(f"relay: {good} of {len(trips)} closed; {_FOR_GOOD}")
    if good < len(trips):
        raise typer.Exit(REFUSED)


def _named_in(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        if file == Path("-"):
            raw = sys.stdin.buffer.read(_MAX_FILE_BYTES)
        else:
            with file.open("rb") as stream:
                raw = stream.read(_MAX_FILE_BYTES)
    except OSError as error:
        fail(f"{file} cannot be read ({error.strerror})", MISUSED)
    return raw.decode("utf-8", "replace").split()


def _state(found: dict[str, Any]) -> str:
    if found["state"] == "closed":
        why = ", ".join(dict.fromkeys(filter(None, (found["reason"], found["detail"]))))
        return f"closed since {at(found['closed_at'])}{f' ({why})' if why else ''}"
    return f"{found['state']} until {at(found['deadline'])} ({left(found['deadline'])})"


def _step(step: dict[str, Any]) -> str:
    detail: str = step["detail"]
    is_time = step["kind"] in ("deadline", "grace", "held") and detail.isdecimal()
    return f"until {at(int(detail))}" if is_time else detail


def _marks(found: dict[str, Any]) -> str:
    """What is special about a channel."""
    marks = [f"{role} muted" for role in found["muted"]]
    return ", ".join([*marks, "legal hold"] if found["held"] else marks)
