"""`relay trip`: the platform's calls by hand, over the HTTP API.

Phone numbers are never taken from the command line, which every user of the machine can read and
which shells keep in their history.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import urlencode

import typer

from ..api.types import EndReason
from ..core.ids import Role
from .api import trip_path
from .calling import api_of, called
from .confidential import asked, write_secret
from .options import DEFAULT_URL, ApiKeyFile, ApiUrl, AsJson, group
from .output import MISUSED, err, fail, out, print_json
from .words import count_of, duration, moment, visible

app = group("Open, watch and end trips over the relay's HTTP API.")

_MAX_BODY_BYTES: Final = 64 * 1024
_LIST_LIMIT: Final = 200

TripId: TypeAlias = Annotated[str, typer.Argument(metavar="TRIP", help="the platform's trip id")]
RoleOf: TypeAlias = Annotated[Role, typer.Argument(metavar="ROLE", help="driver or customer")]
TokenFolder: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="write each token to a file of its own (mode 0600) there, instead of printing it",
    ),
]
BodyFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--file",
        metavar="FILE",
        help="the call's JSON body or a part of it, - for standard input; options win over it",
    ),
]
Party: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="PARTY_ID[:ALIAS]",
        help="the platform's pseudonym of the person, and the name that the other party sees; "
        "an id with a colon in it needs --file",
    ),
]


@app.command(name="open")
def open_(
    trip: Annotated[
        str | None, typer.Argument(metavar="TRIP", help="the platform's trip id")
    ] = None,
    driver: Party = None,
    customer: Party = None,
    max_duration_s: Annotated[
        int | None, typer.Option(metavar="S", help="after which the channel closes by itself")
    ] = None,
    retention_s: Annotated[
        int | None,
        typer.Option(metavar="S", help="how long messages are kept after the close; else 0"),
    ] = None,
    report_window_s: Annotated[
        int | None, typer.Option(metavar="S", help="how long a party can report after the close")
    ] = None,
    file: BodyFile = None,
    phones_stdin: Annotated[
        bool,
        typer.Option(
            "--phones-stdin",
            help="take the phones from two lines of standard input: the driver's, the customer's",
        ),
    ] = False,
    token_folder: TokenFolder = None,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Open a trip's channel and get a token for each party's app.

    There is no option for the phone numbers, because other users can read the command line. They
    are asked for without echo, or come from --phones-stdin, or stand in the JSON of --file:

    \b
      {"trip_id": "trip-1",
       "driver": {"party_id": "d-19", "alias": "Budi", "phone": "+62..."},
       "customer": {"party_id": "c-7", "alias": "Rani", "phone": "+62..."}}

    Tokens are printed on standard output, or written to files with --token-folder.
    """
    if phones_stdin and file == Path("-"):
        fail("standard input holds either the body (--file -) or the phones", MISUSED)
    api = api_of(url, api_key_file)
    body = _body_of(file)
    given = {
        "trip_id": trip,
        "max_duration_s": max_duration_s,
        "retention_s": retention_s,
        "report_window_s": report_window_s,
    }
    body.update({name: value for name, value in given.items() if value is not None})
    body.setdefault("requested_at", time.time_ns() // 1_000_000)
    if "trip_id" not in body:
        fail("name the trip to open", MISUSED)
    for role, named in ((Role.DRIVER, driver), (Role.CUSTOMER, customer)):
        body[role] = _party(body.get(role), named, role, f"--{role}")
    _fill_phones([(body[role], role) for role in Role], phones_stdin, "--phones-stdin")
    opened = called(api, "POST", "/v1/trips", body)
    for role in Role:
        _put_token(opened[role], token_folder, opened["trip_id"], role)
    if as_json:
        print_json(opened)
        return
    _say_state(opened)
    _say("gateway", opened["gateway_url"])
    for role in Role:
        _say_token(role, opened[role])


@app.command()
def show(
    trip: TripId,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """See how a trip's channel stands: never a number, never a text."""
    found = called(api_of(url, api_key_file), "GET", trip_path(trip))
    if as_json:
        print_json(found)
        return
    _say_state(found)
    _say("epoch", found["epoch"])
    if found["opened_at"] is not None:
        _say("opened", moment(found["opened_at"]))
    _say("messages", found["messages"])
    for role in Role:
        if party := found[role]:
            lost = party["undelivered"]
            never = f", {count_of(lost, 'message')} of it never arrived" if lost else ""
            online = "online" if party["online"] else "offline"
            _say(role, f"{party['party_id']}, {online}{never}")


@app.command(name="list")
def list_(
    url: ApiUrl = DEFAULT_URL, api_key_file: ApiKeyFile = None, as_json: AsJson = False
) -> None:
    """List the trips whose channel is open."""
    api = api_of(url, api_key_file)
    trips: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        query = {"limit": str(_LIST_LIMIT)} | ({"cursor": cursor} if cursor else {})
        page = called(api, "GET", f"/v1/trips?{urlencode(query)}")
        cursor = page["cursor"]
        trips += page["trips"]
        if not as_json:
            for found in page["trips"]:
                _say_row(found)
    if as_json:
        print_json({"trips": trips})
    else:
        err.print(f"relay: {len(trips)} open")


@app.command()
def end(
    trip: TripId,
    grace_s: Annotated[
        int, typer.Option(metavar="S", help="for how long the parties can still write")
    ] = 0,
    reason: Annotated[EndReason, typer.Option(help="for the trip's record")] = "completed",
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """End a trip. With a grace of 0 nothing is accepted any more when this returns."""
    body = {"grace_s": grace_s, "reason": reason}
    ended = called(api_of(url, api_key_file), "POST", trip_path(trip, "end"), body)
    if as_json:
        print_json(ended)
        return
    _say_state(ended)


@app.command()
def reassign(
    trip: TripId,
    role: RoleOf,
    party: Party = None,
    epoch: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="the pairing you know, as `relay trip show` tells; if it is another by now, "
            "nothing is changed",
        ),
    ] = None,
    file: BodyFile = None,
    phone_stdin: Annotated[
        bool,
        typer.Option("--phone-stdin", help="take the phone from one line of standard input"),
    ] = False,
    token_folder: TokenFolder = None,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Give a role to another party; the old one is cut off at once.

    The new party's phone number is asked for without echo, or comes from --phone-stdin, or stands
    in the JSON of --file. There is no option for it: other users can read the command line.
    """
    if phone_stdin and file == Path("-"):
        fail("standard input holds either the body (--file -) or the phone", MISUSED)
    api = api_of(url, api_key_file)
    body = _party(_body_of(file), party, role, "--party")
    if epoch is not None:
        body["epoch"] = epoch
    if "epoch" not in body:
        fail("say with --epoch which pairing is to change; `relay trip show` tells it", MISUSED)
    _fill_phones([(body, role)], phone_stdin, "--phone-stdin")
    seated = called(api, "PUT", trip_path(trip, "parties", role), body)
    _put_token(seated, token_folder, seated["trip_id"], role)
    if as_json:
        print_json(seated)
        return
    _say("trip", seated["trip_id"])
    _say("epoch", seated["epoch"])
    _say("gateway", seated["gateway_url"])
    _say_token(role, seated)


@app.command()
def token(
    trip: TripId,
    role: RoleOf,
    party: Annotated[str, typer.Option(metavar="PARTY_ID", help="who has the role, as a check")],
    revoke: Annotated[
        bool, typer.Option("--revoke", help="kill the party's older tokens, cut its connection")
    ] = False,
    token_folder: TokenFolder = None,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Get a fresh token for a party's app."""
    body = {"party_id": party, "revoke": revoke}
    path = trip_path(trip, "parties", role, "token")
    renewed = called(api_of(url, api_key_file), "POST", path, body)
    _put_token(renewed, token_folder, renewed["trip_id"], role)
    if as_json:
        print_json(renewed)
        return
    _say("trip", renewed["trip_id"])
    _say("gateway", renewed["gateway_url"])
    _say_token(role, renewed)


# --- what goes in ---------------------------------------------------------------------------------


def _body_of(file: Path | None) -> dict[str, Any]:
    if file is None:
        return {}
    source = "standard input" if file == Path("-") else str(file)
    try:
        if file == Path("-"):
            raw = sys.stdin.buffer.read(_MAX_BODY_BYTES + 1)
        else:
            with file.open("rb") as stream:
                raw = stream.read(_MAX_BODY_BYTES + 1)
    except OSError as error:
        fail(f"{source} cannot be read ({error.strerror})", MISUSED)
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        fail(f"{source} does not hold a JSON object (at most 64 KiB)", MISUSED)
    return body


def _party(known: Any, named: str | None, role: Role, option: str) -> dict[str, Any]:
    """A party of the call's body: what the file says, and over it what the option says."""
    if known is not None and not isinstance(known, dict):
        fail(f"`{role}` in the JSON must be an object", MISUSED)
    party = dict(known or {})
    if named is not None:
        party_id, colon, alias = named.partition(":")
        party["party_id"] = party_id
        if colon:
            party["alias"] = alias
    if "party_id" not in party:
        fail(f"say who the {role} is, with {option} PARTY_ID[:ALIAS] or in --file", MISUSED)
    party.setdefault("alias", role.capitalize())
    return party


def _fill_phones(parties: list[tuple[dict[str, Any], Role]], stdin: bool, option: str) -> None:
    """Put a phone into each party that has none."""
    if stdin:
        for party, role in parties:
            party["phone"] = sys.stdin.readline().strip()
            if not party["phone"]:
                fail(f"{option}: standard input has no line with the {role}'s phone", MISUSED)
        return
    for party, role in parties:
        if "phone" in party:
            continue
        if not sys.stdin.isatty():
            fail(
                f"the {role}'s phone is missing, and there is no terminal to ask for it: "
                f"use {option}, or --file",
                MISUSED,
            )
        party["phone"] = asked(f"{role.capitalize()}'s phone (+ and country code)")
        if not party["phone"]:
            fail(f"the {role}'s phone was not given", MISUSED)


# --- what comes out -------------------------------------------------------------------------------


def _put_token(holder: dict[str, Any], folder: Path | None, trip: str, role: Role) -> None:
    """Move a token out of the answer into a file, if a folder was named."""
    if folder is None:
        return
    file = folder / f"{trip}.{role}.token"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secret(file, holder["token"])
    except OSError as error:
        fail(
            f"the call was done, but {file} cannot be written ({error.strerror}); "
            "repair that and get fresh tokens with `relay trip token`"
        )
    del holder["token"]
    holder["token_file"] = str(file)


def _say(name: str, value: object) -> None:
    out.print(f"{name:<9} {visible(str(value))}")


def _say_token(role: Role, holder: dict[str, Any]) -> None:
    _say(role, holder["party_id"])
    if "token_file" in holder:
        _say("token", f"in {holder['token_file']}")
    else:
        _say("token", holder["token"])


def _say_state(found: dict[str, Any]) -> None:
    _say("trip", found["trip_id"])
    _say("state", _state(found))


def _state(found: dict[str, Any]) -> str:
    state: str = found["state"]
    if state == "closed":
        why = ", ".join(dict.fromkeys(filter(None, (found.get("reason"), found.get("detail")))))
        at = f" since {moment(found['closed_at'])}" if found.get("closed_at") else ""
        return f"closed{at}{f' ({why})' if why else ''}"
    if found["deadline"] is None:
        return state
    left_s = found["deadline"] / 1000 - time.time()
    return f"{state} until {moment(found['deadline'])} ({duration(left_s)})"


def _say_row(found: dict[str, Any]) -> None:
    online = [role.value for role in Role if found[role] and found[role]["online"]]
    shown = (
        f"{found['trip_id']}  {_state(found)}  {count_of(found['messages'], 'message')}  "
        f"online: {', '.join(online) or 'nobody'}"
    )
    out.print(visible(shown))
