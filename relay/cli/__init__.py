"""The command line: parses and prints, nothing else.

Exit codes: 0 done · 1 the relay or the store said no, or cannot be reached · 2 the command was called
wrongly · 3 cannot start with these settings. `--json` on every command that reads.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from . import serve

app = typer.Typer(
    name="relay",
    help="A masked channel between a driver and a customer, open exactly while their trip runs.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command(name="serve")(serve.serve)


@app.command(name="_worker", hidden=True)
def _worker(descriptor: Annotated[int, typer.Argument()]) -> None:
    from .. import worker

    raise typer.Exit(worker.main(descriptor))


def main() -> None:
    """Entry point of `relay`."""
    try:
        app()
    except BrokenPipeError:
        # Whoever read our output has gone, as `| head` does; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
