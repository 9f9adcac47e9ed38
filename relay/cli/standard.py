"""The standard streams: nothing that is on them stops a command, and what is missing is told."""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any


class OutputFailed(Exception):
    """Standard output takes no more. Not an `OSError`: no command shall take it for its relay or
    for a file of its own."""

    def __init__(self, error: OSError) -> None:
        super().__init__(error.strerror)
        self.has_reader = error.errno != errno.EPIPE


class _Output(io.FileIO):
    """A file that nobody but `main` is told of when it can't be written."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            raise OutputFailed(error) from None


def prepare() -> None:
    """To be called before anything is written."""
    if sys.stdout is None:
        # Closed by whoever started us. For reading only, so that to write there fails.
        os.dup2(os.open(os.devnull, os.O_RDONLY), 1)
    if sys.stderr is None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
    told: Any = sys.stdout or sys.stderr
    file: Any = _Output(1, "w", closefd=False)
    # What others wrote must not stop a command because this terminal can't show it.
    sys.stdout = io.TextIOWrapper(
        file if told.write_through else io.BufferedWriter(file),
        told.encoding,
        "backslashreplace",
        line_buffering=file.isatty(),
        write_through=told.write_through,
    )
    sys.stderr.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def unwritten(failed: OutputFailed) -> None:
    """Say that results are missing, where there is anybody to tell: whoever reads no more of our
    output, as `| head` does, knows it."""
    if failed.has_reader:
        sys.stderr.write(
            f"relay: standard output cannot be written ({failed}): results are missing, and the "
            "command may have ended before it was done. Make room, or send its output elsewhere\n"
        )
    # What is still kept to be written goes nowhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
