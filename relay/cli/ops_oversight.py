"""`relay ops audit|alarms|acknowledge`: who did what, and who opens more than is usual."""

from __future__ import annotations

from typing import Annotated, Any, Final
from urllib.parse import urlencode

import typer

from .api import ops_path
from .calling import api_of, called
from .ops_lines import at, say_table
from .ops_options import Most, Note
from .options import DEFAULT_URL, ApiKeyFile, ApiUrl, AsJson
from .output import err, print_json

_PAGE: Final = 200


def audit(
    actor: Annotated[
        str, typer.Option(metavar="WHO", help="an operator's id, host:NAME or relay")
    ] = "",
    act: Annotated[str, typer.Option(metavar="ACT", help="such as case.close")] = "",
    party: Annotated[str, typer.Option(metavar="PARTY_ID", help="only acts about it")] = "",
    trip: Annotated[str, typer.Option(metavar="TRIP", help="only acts on it")] = "",
    case: Annotated[str, typer.Option(metavar="CASE", help="only acts on it")] = "",
    most: Most = 50,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List the audit log, the newest first; needs a supervisor."""
    api = api_of(url, api_key_file)
    query = {"actor": actor, "act": act, "party": party, "trip": trip, "case": case}
    given = {name: value for name, value in query.items() if value}
    found: list[Any] = []
    while True:
        given["limit"] = str(min(_PAGE, most - len(found)) if most else _PAGE)
        page = called(api, "GET", f"{ops_path('audit')}?{urlencode(given)}")
        found += page["entries"]
        if page["before"] is None or (most and len(found) >= most):
            break
        given["before"] = str(page["before"])
    if as_json:
        print_json({"entries": found})
        return
    say_table(
        ("N", "AT", "WHO", "HOW", "DID", "ABOUT", "WHY", "OUTCOME", "NOTE"),
        [
            (
                one["n"], at(one["at"]), one["actor"], _how(one), one["act"], _about(one),
                one["reason"], one["outcome"], one["note"],
            )
            for one in found
        ],
    )  # fmt: skip
    err.print(f"relay: {len(found)} shown; on the relay's host `relay audit verify` checks the log")


def alarms(
    url: ApiUrl = DEFAULT_URL, api_key_file: ApiKeyFile = None, as_json: AsJson = False
) -> None:
    """List who opens unusually much; needs a supervisor."""
    found = called(api_of(url, api_key_file), "GET", ops_path("alarms"))
    if as_json:
        print_json(found)
        return
    say_table(
        ("ALARM", "AT", "OPERATOR", "WHAT", "COUNT", "PARTY", "SEEN BY"),
        [
            (
                one["alarm_id"], at(one["at"]), one["operator"], one["kind"], one["count"],
                one["party_id"], one["seen_by"] or "nobody",
            )
            for one in found["alarms"]
        ],
    )  # fmt: skip
    err.print(f"relay: {len(found['alarms'])} shown")


def acknowledge(
    alarm: Annotated[str, typer.Argument(metavar="ALARM", help="as `relay ops alarms` shows it")],
    note: Note,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
) -> None:
    """Note that you looked into an alarm."""
    called(
        api_of(url, api_key_file), "POST", ops_path("alarms", alarm, "acknowledge"), {"note": note}
    )
    err.print("relay: noted")


def _how(entry: dict[str, Any]) -> str:
    return f"{entry['via']} {entry['address']}".rstrip()


def _about(entry: dict[str, Any]) -> str:
    return " ".join(filter(None, (entry["case_id"], entry["trip_id"], entry["party_id"])))
