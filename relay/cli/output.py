"""How the command line speaks: results on standard output, everything else on standard error."""

from __future__ import annotations

import json
import sys
from typing import Any, Final, NoReturn

import typer
from rich.console import Console

REFUSED: Final = 1
MISUSED: Final = 2
CANNOT_START: Final = 3

out: Final = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
err: Final = Console(stderr=True, highlight=False, soft_wrap=True, markup=False, emoji=False)


def fail(text: str, code: int = REFUSED) -> NoReturn:
    """Say in one line why it did not work, and leave."""
    err.print(f"relay: {text}", markup=False)
    raise typer.Exit(code)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")
