"""`relay guard`: what the guard makes of messages, how good it is, and why it decides as it does.

Works on texts alone: no relay, no store, and nothing of what is read is kept.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from ..guard import Guard
from . import guard_eval, guard_explain, guard_scan
from .confidential import asked
from .options import AsJson, group
from .output import MISUSED, REFUSED, err, fail

app = group("Try the guard on messages: screen them, measure it, see why.")

_OWN_DIGITS: Final = range(8, 16)

Country: TypeAlias = Annotated[
    str, typer.Option(metavar="CC", help="where the trip is: two letters, as in ISO 3166")
]
Own: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NUMBER",
        help="a party's own number, of which nothing may arrive; can be repeated. Other users can "
        "read the command line: for a real number write - and be asked for it without echo",
    ),
]
Allow: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="VALUE",
        help="what the platform has declared as known (pickup PIN, order id, plate); can be "
        "repeated",
    ),
]


@app.command()
def scan(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="else standard input")
    ] = None,
    country: Country = "ID",
    own: Own = None,
    allow: Allow = None,
) -> None:
    """Screen messages, one a line; write what becomes of each as one JSON object a line.

    A line is a trip of its own. " ||| " parts its successive messages, and "D> " or "C> " at the
    beginning of one says that the driver or the customer sends it (else the driver does).

    An object holds `action` (off: nothing is done; warn, redact, block, or refused), `findings`
    (class, rule, length of what was found) and `delivered` (the text that arrives, null if none
    does). For several messages each is a list, in the same order.

    A message that can't be taken, as the relay would refuse it too, has the action `refused`, and
    standard error says why. Exit code 1 then, 0 otherwise, whatever was found.
    """
    if guard_scan.scan(file, _guard(country, own, allow)):
        raise typer.Exit(REFUSED)


@app.command(name="eval")
def eval_(
    file: Annotated[Path, typer.Argument(metavar="FILE.tsv", help="the list of cases")],
    as_json: AsJson = False,
) -> None:
    """Measure recall, false alarms and speed on a list of cases.

    The list is a table parted by tabs. Its first line names the columns: text, language, kind,
    label (`stop` or 1: has to be stopped; `pass` or 0: has to be left alone), and if known target
    (the number, handle or code that must not arrive), own (1: the target is a party's own number)
    and allow (declared values, parted by a bar, comma or semicolon). In text, " ||| " parts the
    messages of a session, "D> " and "C> " name the sender.

    A case counts as stopped by what arrives, not by what was found: no six digits in a row of the
    number in any reading (of a session no more than six in order), no contact, no code; for a
    request, that a warning is shown. The judge reads with tables of its own beside the guard's. A
    case that arrives unchanged was not stopped.

    Without a target, all digits that can be read in the case are taken for the number, which is
    stricter; of contacts, whatever looks like an address or a name with digits in it.
    """
    guard_eval.evaluate(file, as_json=as_json)


@app.command()
def explain(
    text: Annotated[str, typer.Argument(metavar="TEXT", help="or - for standard input")],
    country: Country = "ID",
    own: Own = None,
    allow: Allow = None,
    as_json: AsJson = False,
) -> None:
    """Show step by step why the guard does with a message what it does.

    TEXT is as a line of `relay guard scan`: with " ||| " it is a session, explained message by
    message. A real message belongs to standard input, because other users can read the command
    line.
    """
    guard = _guard(country, own, allow)
    line = sys.stdin.read() if text == "-" else text
    guard_explain.explain(line, guard, as_json=as_json)


def _guard(country: str, own: list[str] | None, allow: list[str] | None) -> Guard:
    if len(country) != 2 or not (country.isascii() and country.isalpha()):
        fail("--country takes two letters, as ID or MY", MISUSED)
    numbers = [_number(one) for one in own or ()]
    return Guard(country.upper(), numbers, allow or ())


def _number(given: str) -> str:
    """A number of --own; `-` asks for it."""
    if given == "-":
        if not _has_terminal():
            fail("--own -: there is no terminal on which to ask for the number", MISUSED)
        given = asked("Number (+ and country code)")
    elif err.is_terminal:
        err.print("relay: other users of this machine can read the number in --own")
    digits = given.translate(dict.fromkeys(map(ord, "+-. ()")))
    if not (digits.isascii() and digits.isdecimal() and len(digits) in _OWN_DIGITS):
        fail("--own takes a phone number: + and its country code, 8 to 15 digits", MISUSED)
    return "+" + digits


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
    except OSError:
        return False
    return True
