"""Secrets on their way into a command and out of it: files, the environment, asked without echo.

Never the command line: every user of the machine can read that.
"""

from __future__ import annotations

import getpass
import os
import stat
import sys
from pathlib import Path
from typing import Final

from .output import MISUSED, err, fail

_MAX_BYTES: Final = 4096


def secret(what: str, *, option: str, file: Path | None, variable: str, ask: bool = False) -> str:
    """The secret in `file`, else in the environment, else (with `ask`, on a terminal) asked for.

    `what` names it and `option` is how its file is given, for the message if there is none.
    """
    if file is not None:
        return _from_file(what, file)
    given = os.environ.get(variable, "").strip()
    if not given and ask and sys.stdin.isatty():
        given = asked(what)
    if not given:
        fail(
            f"there is no {what}: name a file that holds it with {option}, or set {variable}. "
            "It is never taken from the command line, which other users of this machine can read.",
            MISUSED,
        )
    return given


def asked(what: str) -> str:
    """Ask on the terminal, without echo."""
    try:
        return getpass.getpass(f"{what}: ").strip()
    except EOFError:
        return ""


def _from_file(what: str, file: Path) -> str:
    try:
        with file.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            raw = stream.read(_MAX_BYTES + 1)
    except OSError as error:
        fail(f"the file {file} of the {what} cannot be read ({error.strerror})", MISUSED)
    if stat.S_ISREG(mode) and mode & stat.S_IRWXO:
        err.print(
            f"relay: every user of this machine can read {file}; `chmod 600` it", markup=False
        )
    lines = [] if len(raw) > _MAX_BYTES else raw.decode("ascii", "replace").split()
    if len(lines) != 1:
        fail(f"the file {file} does not hold one {what} and nothing else", MISUSED)
    return lines[0]


def write_secret(file: Path, text: str) -> None:
    """Write a file of mode 0600 in place of what was there. Raises `OSError`."""
    fresh = file.with_name(f"{file.name}.new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "w", encoding="ascii") as stream:
        stream.write(text + "\n")
    fresh.replace(file)
