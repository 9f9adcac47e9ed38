"""`relay ops cases|case|take|note|handover|answer|reopen`: what was reported, and what comes of it.

Evidence is not among it: it is read in the console alone, by whoever works on the case.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ..core.caselife import ANSWERS, Answer
from ..core.casework import Category, Outcome
from .api import ops_path
from .calling import api_of, called
from .ops_lines import at, left, say, say_table, since
from .ops_options import CaseId, Most, Note, Operator, pages
from .options import DEFAULT_URL, ApiKeyFile, ApiUrl, AsJson
from .output import err, out, print_json


def cases(
    state: Annotated[
        Literal["open", "closed", "any"], typer.Option(help="how far they have come")
    ] = "open",
    mine: Annotated[bool, typer.Option("--mine", help="only those that you work on")] = False,
    free: Annotated[bool, typer.Option("--free", help="only those that nobody works on")] = False,
    category: Annotated[
        Category | None, typer.Option(help="only what was reported as this")
    ] = None,
    party: Annotated[
        str, typer.Option(metavar="PARTY_ID", help="only those by or about this party")
    ] = "",
    most: Most = 50,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """List the cases, the most urgent first."""
    query = {
        "state": state,
        "assignee": "@me" if mine else "-" if free else "",
        "category": category or "",
        "party": party,
    }
    found, last = pages(api_of(url, api_key_file), "cases", query, "cases", most)
    if as_json:
        print_json({"cases": found, "counts": last["counts"]})
        return
    say_table(
        ("CASE", "PRIO", "REPORTED", "STATE", "AGE", "TIME LEFT", "WHO", "TRIP", "ABOUT", "PROOF"),
        [
            (
                one["case_id"], one["priority"], one["category"], one["state"],
                since(one["created_at"]), _time_left(one), one["assignee"] or "nobody",
                one["trip_id"], one["reported_party"], _proof(one),
            )
            for one in found
        ],
    )  # fmt: skip
    counts = ", ".join(f"{number} {name}" for name, number in last["counts"].items() if number)
    err.print(f"relay: {len(found)} shown{f'; {counts}' if counts else ''}")


def case(
    case_id: CaseId,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """See a case and its history, without its evidence."""
    found = called(api_of(url, api_key_file), "GET", ops_path("cases", case_id))
    _say_case(found, as_json=as_json)


def take(
    case_id: CaseId,
    to: Annotated[
        str,
        typer.Option("--for", metavar="OPERATOR", help="give it to another; needs a supervisor"),
    ] = "",
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Take a case to work on it."""
    _act(url, api_key_file, case_id, "assign", {"to": to}, as_json=as_json)


def note(
    case_id: CaseId,
    text: Annotated[
        str,
        typer.Argument(metavar="TEXT", help="in one line; no phone number, link or address"),
    ],
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Add a note to a case."""
    _act(url, api_key_file, case_id, "notes", {"note": text}, as_json=as_json, again=False)


def handover(
    case_id: CaseId,
    to: Operator,
    note: Note,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Hand your case over to another operator."""
    _act(url, api_key_file, case_id, "handover", {"to": to, "note": note}, as_json=as_json)


def answer(
    case_id: CaseId,
    outcome: Annotated[Outcome, typer.Option(help="what the case came to")],
    note: Note,
    reply: Annotated[
        Answer | None,
        typer.Option("--answer", help="what the reporter is answered, if not the usual"),
    ] = None,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Close a case with an outcome and an answer."""
    body = {"outcome": outcome, "answer": reply or ANSWERS[outcome][0], "note": note}
    _act(url, api_key_file, case_id, "close", body, as_json=as_json)


def reopen(
    case_id: CaseId,
    note: Note,
    url: ApiUrl = DEFAULT_URL,
    api_key_file: ApiKeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Open a closed case again; needs a supervisor."""
    _act(url, api_key_file, case_id, "reopen", {"note": note}, as_json=as_json)


def _act(
    url: str, key_file: Path | None, case_id: str, act: str, body: dict[str, Any], *,
    as_json: bool, again: bool = True,
) -> None:  # fmt: skip
    """Do one act on a case, which may be done `again`, and show how it stands then."""
    path = ops_path("cases", case_id, act)
    found = called(api_of(url, key_file), "POST", path, body, repeatable=again)
    _say_case(found, as_json=as_json)


def _say_case(found: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    say("case", found["case_id"])
    say("state", found["state"] + (f" ({found['outcome']})" if found["outcome"] else ""))
    say("reported", f"{found['category']}, priority {found['priority']}, {at(found['created_at'])}")
    if found["state"] != "closed":
        say("time left", _time_left(found))
    say("who", found["assignee"] or "nobody")
    say("trip", f"{found['trip_id']}, epoch {found['epoch']}")
    say("by", f"{found['reporter_party']} ({found['reporter_role']})")
    say("about", f"{found['reported_party']} ({found['reported_role']})")
    say("messages", _proof(found))
    if found["has_evidence"]:
        say("evidence", f"in the console, until {at(found['evidence_until'])}")
    if found["answer"]:
        say("answer", found["answer"])
    for heads, rows in (
        (("AT", "BY", "NOTE"), [(one["at"], one["by"], one["text"]) for one in found["notes"]]),
        (("AT", "BY", "DID"), [(one["at"], one["by"], one["what"]) for one in found["history"]]),
    ):
        if rows:
            out.print()
        say_table(heads, [(at(when), *rest) for when, *rest in rows])


def _time_left(found: dict[str, Any]) -> str:
    if found["state"] == "closed":
        return ""
    return f"OVERDUE {since(found['due_at'])}" if found["overdue"] else left(found["due_at"])


def _proof(found: dict[str, Any]) -> str:
    """How sure the reported messages are."""
    if not found["items"]:
        return "none named"
    proven, forged = found["proven"], found["forged"]
    unknown = found["items"] - proven - forged
    parts = ((proven, "proven"), (forged, "FORGED"), (unknown, "unknown"))
    return ", ".join(f"{number} {what}" for number, what in parts if number)
