"""Where an app keeps what it remembers between two runs.

The state holds the texts of posts that the peer has not confirmed, so keep it as private as the
conversation: `FileStorage` writes with mode 0600. It never holds a token.

One storage belongs to one party of one trip, and to one running channel at a time.
"""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path
from typing import Protocol


class Storage(Protocol):
    """Where the state is kept, as bytes whose meaning is the SDK's affair.

    `save` returns when the bytes would survive the end of the process; it replaces them as a
    whole. Any exception of `load` ends `connect`; one of `save` makes `post` fail and is
    otherwise only logged. The SDK never calls `save` twice at a time.
    """

    async def load(self) -> bytes | None: ...

    async def save(self, data: bytes) -> None: ...


class MemoryStorage:
    """Remembers while the process lives, so that a channel can be opened again."""

    def __init__(self) -> None:
        self._data: bytes | None = None

    async def load(self) -> bytes | None:
        return self._data

    async def save(self, data: bytes) -> None:
        self._data = data


class FileStorage:
    """One file, mode 0600, replaced as a whole and synced. Its folder must exist.

    The file holds message texts in clear: put it where only the app can read, keep it out of
    backups, delete it when the trip's record is no longer needed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        # A cancelled `save` leaves its thread at work or waiting: what it writes must be whole, and
        # must not replace what was saved after it. A lock lets in whom it likes, so saves have
        # numbers.
        self._writing = threading.Lock()
        self._asked = self._written = 0

    async def load(self) -> bytes | None:
        return await asyncio.to_thread(self._read)

    async def save(self, data: bytes) -> None:
        self._asked += 1
        await asyncio.to_thread(self._write, data, self._asked)

    def _read(self) -> bytes | None:
        try:
            return self._path.read_bytes()
        except FileNotFoundError:
            return None

    def _write(self, data: bytes, number: int) -> None:
        # A fixed name: what a killed process left is overwritten, never left lying about.
        new = self._path.with_name(self._path.name + ".new")
        with self._writing:
            if number < self._written:
                return  # a later one is there already
            new.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
            with open(os.open(new, flags, 0o600), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self._path)
            self._written = number
            if os.name == "posix":
                folder = os.open(self._path.parent, os.O_RDONLY)
                try:
                    os.fsync(folder)
                finally:
                    os.close(folder)
