"""What the operators' commands have in common: options, pages, and asking whether one is sure."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import urlencode

import typer

from .api import Api, ops_path
from .calling import called
from .output import MISUSED, fail

_PAGE: Final = 200

TripId: TypeAlias = Annotated[str, typer.Argument(metavar="TRIP", help="the platform's trip id")]
CaseId: TypeAlias = Annotated[
    str, typer.Argument(metavar="CASE", help="as `relay ops cases` shows it")
]
PartyId: TypeAlias = Annotated[
    str, typer.Argument(metavar="PARTY_ID", help="the platform's pseudonym of the person")
]
SanctionId: TypeAlias = Annotated[
    str, typer.Argument(metavar="SANCTION", help="as `relay ops sanctions` shows it")
]
Operator: TypeAlias = Annotated[
    str, typer.Argument(metavar="OPERATOR", help="the other operator's id")
]
Note: TypeAlias = Annotated[
    str,
    typer.Option(
        metavar="TEXT",
        help="why, in your own words and in one line; no phone number, link or address",
    ),
]
Most: TypeAlias = Annotated[
    int, typer.Option("--most", metavar="N", min=0, help="how many at most; 0 for all")
]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", help="do not ask whether you are sure")]


def pages(
    api: Api, what: str, query: dict[str, str], member: str, most: int
) -> tuple[list[Any], dict[str, Any]]:
    """What stands in `member` of the pages at `/v1/ops/<what>`, and the last page itself."""
    found: list[Any] = []
    given = {name: value for name, value in query.items() if value}
    while True:
        given["limit"] = str(min(_PAGE, most - len(found)) if most else _PAGE)
        page = called(api, "GET", f"{ops_path(what)}?{urlencode(given)}")
        found += page[member]
        if page["cursor"] is None or (most and len(found) >= most):
            return found, page
        given["cursor"] = page["cursor"]


def sure(question: str, *, yes: bool) -> None:
    """Ask a person, unless `--yes` has answered; leave if they are not."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail("this cannot be undone and there is no terminal to ask you; say --yes", MISUSED)
    if not typer.confirm(question, err=True):
        fail("nothing was done")
