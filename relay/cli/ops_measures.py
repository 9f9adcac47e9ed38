"""`relay ops sanction|sanctions|lift|appeal|decide|hold|holds|release`: measures, and their end."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from ..core.casework import SanctionKind, SanctionReason
from .api import ops_path
from .calling import api_of, called
from .ops_lines import at, left, say, say_table
from .ops_options import Note, PartyId, SanctionId, TripId, Yes, sure
from .options import DEFAULT_URL, ApiKeyFile, ApiUrl, AsJson
from .output import err, print_json
from .words import clipped

_DAY_MS: Final = 86_400_000


def sanctions(
    party: Annotated[
        str | None, typer.Argument(metavar="[PARTY_ID]", help="only those of this party")
    ] = None,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List a party's sanctions, or the newest of all."""
    path = ops_path("sanctions") if party is None else ops_path("parties", party, "sanctions")
    found = called(api_of(url, api_key_file), "GET", path)
    if as_json:
        print_json(found)
        return
    rows = found["sanctions"]
    say_table(
        ("SANCTION", "PARTY", "WHAT", "REASON", "SINCE", "TIME LEFT", "BY", "CASE", "APPEAL"),
        [
            (
                one["sanction_id"], one["party_id"], _what(one), one["reason"], at(one["at"]),
                _time_left(one), one["by"], one["case_id"], one["appeal"],
            )
            for one in rows
        ],
    )  # fmt: skip
    err.print(f"relay: {len(rows)} shown")


def sanction(
    party: PartyId,
    kind: Annotated[SanctionKind, typer.Argument(metavar="KIND", help=" or ".join(SanctionKind))],
    reason: Annotated[SanctionReason, typer.Option(help="the party is told it")],
    note: Note,
    hours: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="for how long; a mute needs it, a warning has none"),
    ] = None,
    other: Annotated[
        str, typer.Option(metavar="PARTY_ID", help="of never_pair: the other of the two")
    ] = "",
    case: Annotated[
        str, typer.Option(metavar="CASE", help="the case it follows from; an agent needs one")
    ] = "",
    yes: Yes = False,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Impose a sanction on a party.

    It holds at once, in channels that are open now as well.
    """
    body: dict[str, Any] = {"kind": kind, "reason": reason, "note": note}
    if hours is not None:
        body["hours"] = hours
    body |= {name: value for name, value in (("other", other), ("case", case)) if value}
    api = api_of(url, api_key_file)
    sure(f"Impose {kind} on {clipped(party, 64)}, because of {reason}?", yes=yes)
    path = ops_path("parties", party, "sanctions")
    found = called(api, "POST", path, body, repeatable=False)
    _say_sanction(found, as_json=as_json)


def lift(
    party: PartyId,
    sanction_id: SanctionId,
    note: Note,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Lift a sanction before its time.

    An agent lifts only what he imposed himself.
    """
    _act(url, api_key_file, (party, sanction_id, "lift"), {"note": note}, as_json=as_json)


def appeal(
    party: PartyId,
    sanction_id: SanctionId,
    note: Note,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Write down that a party objects to a sanction.

    It holds until a supervisor has decided.
    """
    _act(url, api_key_file, (party, sanction_id, "appeal"), {"note": note}, as_json=as_json)


def decide(
    party: PartyId,
    sanction_id: SanctionId,
    lifts: Annotated[
        bool, typer.Option("--lift/--uphold", help="whether the sanction ends or stays")
    ],
    note: Note,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Decide an appeal; needs another supervisor.

    Whoever imposed the sanction does not decide.
    """
    body = {"lifts": lifts, "note": note}
    _act(url, api_key_file, (party, sanction_id, "decide"), body, as_json=as_json)


def holds(
    url: ApiUrl = DEFAULT_URL, api_key_file: ApiKeyFile = None, as_json: AsJson = False
) -> None:
    """List the legal holds; needs a supervisor."""
    found = called(api_of(url, api_key_file), "GET", ops_path("holds"))
    if as_json:
        print_json(found)
        return
    say_table(
        ("TRIP", "UNTIL", "TIME LEFT", "BY", "NOTE"),
        [
            (one["trip_id"], at(one["until"]), left(one["until"]), one["by"], one["note"])
            for one in found["holds"]
        ],
    )
    err.print(f"relay: {len(found['holds'])} shown")


def hold(
    trip: TripId,
    days: Annotated[int, typer.Option(metavar="N", min=1, help="for how long from now")],
    note: Note,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Keep a trip's messages; needs a supervisor.

    They are not destroyed on schedule then. Numbers are, whatever happens.
    """
    body = {"until": time.time_ns() // 1_000_000 + days * _DAY_MS, "note": note}
    found = called(api_of(url, api_key_file), "PUT", ops_path("holds", trip), body)
    if as_json:
        print_json(found)
        return
    say("trip", found["trip_id"])
    say("held until", at(found["until"]))


def release(
    trip: TripId,
    note: Note,
    yes: Yes = False,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """End a legal hold; needs a supervisor.

    The messages are destroyed if their time is over.
    """
    api = api_of(url, api_key_file)
    sure(f"Let the messages of {clipped(trip, 64)} be destroyed when their time is over?", yes=yes)
    found = called(api, "POST", ops_path("holds", trip, "release"), {"note": note})
    if as_json:
        print_json(found)
        return
    say("trip", found["trip_id"])
    say("hold", "ended")


def _act(
    url: str, key_file: Path | None, which: tuple[str, str, str], body: dict[str, Any], *,
    as_json: bool,
) -> None:  # fmt: skip
    """Do one act on a party's sanction and show how it stands then."""
    party, sanction_id, act = which
    path = ops_path("parties", party, "sanctions", sanction_id, act)
    _say_sanction(called(api_of(url, key_file), "POST", path, body), as_json=as_json)


def _say_sanction(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    say("sanction", found["sanction_id"])
    say("party", found["party_id"])
    say("what", _what(found))
    say("reason", found["reason"])
    say("since", at(found["at"]))
    say("time left", _time_left(found))
    if found["case_id"]:
        say("case", found["case_id"])
    if found["appeal"]:
        say("appeal", found["appeal"])


def _what(found: dict[str, Any]) -> str:
    return f"{found['kind']} with {found['other']}" if found["other"] else str(found["kind"])


def _time_left(found: dict[str, Any]) -> str:
    if found["lifted_at"] is not None:
        return "lifted"
    if found["kind"] == SanctionKind.WARN:
        return "given"
    return left(found["until"]) if found["until"] is not None else "until lifted"
