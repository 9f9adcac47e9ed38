"""A command on a pseudo terminal, as a person has it before him."""

from __future__ import annotations

import asyncio
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from typing import Any

from .commands import CLEAN

# The terminal has to be the controlling one, for whoever asks on /dev/tty.
_BECOME = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
_ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Terminal:
    """Use with `async with`; `shown` is all that was written, `picture` the last full one."""

    def __init__(
        self, *words: object, columns: int = 100, rows: int = 24, **environment: str
    ) -> None:
        relay = [sys.executable, "-W", "error", "-m", "relay", *map(str, words)]
        self._words = [sys.executable, "-c", _BECOME, *relay]
        self._environment = {**CLEAN, "TERM": "xterm-256color", **environment}
        self._size = struct.pack("HHHH", rows, columns, 0, 0)
        self._raw = b""
        self.process: subprocess.Popen[bytes] = None  # type: ignore[assignment]

    async def __aenter__(self) -> Terminal:
        self._ours, self._theirs = pty.openpty()
        fcntl.ioctl(self._theirs, termios.TIOCSWINSZ, self._size)
        self.mode = termios.tcgetattr(self._theirs)
        self.process = subprocess.Popen(
            self._words, stdin=self._theirs, stdout=self._theirs, stderr=self._theirs,
            env=self._environment, start_new_session=True,
        )  # fmt: skip
        os.set_blocking(self._ours, False)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)
        os.close(self._theirs)

    def _read(self) -> None:
        try:
            while data := os.read(self._ours, 65536):
                self._raw += data
        except (BlockingIOError, OSError):
            pass

    @property
    def shown(self) -> str:
        self._read()
        return _ESCAPE.sub("", self._raw.decode(errors="replace"))

    @property
    def raw(self) -> str:
        self._read()
        return self._raw.decode(errors="replace")

    @property
    def picture(self) -> str:
        """What stands on the screen: each picture is drawn from its first corner on."""
        return _ESCAPE.sub("", self.raw[self.raw.rfind("\x1b[H") :])

    def row(self, text: str) -> str:
        """The row of the picture that holds this text; nothing if there is none (yet)."""
        rows = [row.rstrip() for row in self.picture.splitlines() if text in row]
        return rows[0] if rows else ""

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    async def until(self, condition: Any, what: str, within_s: float = 15.0) -> None:
        try:
            async with asyncio.timeout(within_s):
                while not condition():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(
                f"not within {within_s} s: {what}; shown: {self.picture}"
            ) from None

    async def shows(self, text: str) -> None:
        await self.until(lambda: text in self.picture, f"{text!r} is shown")

    async def ended(self) -> int:
        await self.until(lambda: self.process.poll() is not None, "it ends")
        code = self.process.returncode
        assert code is not None
        return code

    def mode_now(self) -> list[Any]:
        return termios.tcgetattr(self._theirs)
