"""What the operators' commands print: aligned tables, named lines, spans of time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from rich.cells import cell_len

from .output import out
from .words import duration, moment, visible

_GAP: Final = "  "


def say_table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their heads, each column as wide as its widest cell.

    Columns of numbers are set flush right. Nothing is printed if there are no rows. What others
    wrote is harmless in it, as by `visible`.
    """
    if not rows:
        return
    cells = [list(heads), *([visible(str(cell)) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    right = [all(isinstance(cell, int) for cell in column) for column in zip(*rows, strict=True)]
    for row in cells:
        line = _GAP.join(
            _padded(cell, width, right=flush)
            for cell, width, flush in zip(row, widths, right, strict=True)
        )
        out.print(line.rstrip())


def say(name: str, value: object) -> None:
    """Print one named line."""
    out.print(f"{name:<11} {visible(str(value))}".rstrip())


def since(at_ms: int | None) -> str:
    """How long ago that was."""
    return duration(time.time() - at_ms / 1000) if at_ms else ""


def left(at_ms: int | None) -> str:
    """How long it is until then; `over` if that is past."""
    if at_ms is None:
        return ""
    left_s = at_ms / 1000 - time.time()
    return duration(left_s) if left_s > 0 else "over"


def at(at_ms: int | None) -> str:
    """A time as a person says it, nothing if there is none."""
    return moment(at_ms) if at_ms else ""


def someone(party: dict[str, Any] | None) -> str:
    """A party of a channel: who it is, its name, whether it is there."""
    if party is None:
        return ""
    return f"{party['party_id']} {party['alias']}, {'online' if party['online'] else 'offline'}"


def _padded(cell: str, width: int, *, right: bool) -> str:
    # By what a terminal shows: a name may hold characters that take two columns, or none.
    space = " " * (width - cell_len(cell))
    return space + cell if right else cell + space
