"""The key ring as a running node sees it: of a file that it follows, or of the environment."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from typing import Final

from .keyfile import KeyChange, KeyFile, KeyFileError, KeyFileMissing, Stamp, ring_of
from .vault.ring import KeyRing

VARIABLE: Final = "RELAY_KEYRING"


class LiveRing:
    """The key ring as a running node sees it: of a file, or of the environment."""

    __slots__ = ("_file", "_ring", "_stamp", "source")

    source: str
    """Where it is from, for people: a path or the variable's name."""

    def __init__(
        self,
        ring: KeyRing,
        source: str,
        file: KeyFile | None = None,
        stamp: Stamp | None = None,
    ) -> None:
        self._ring = ring
        self._file = file
        self._stamp = stamp
        self.source = source

    @classmethod
    def of_file(cls, file: KeyFile) -> LiveRing:
        """The ring of a file, which follows its changes. Raises ``KeyFileError``."""
        ring, stamp = file.load()
        return cls(ring, str(file.path), file, stamp)

    @classmethod
    def of_environment(cls, environment: Mapping[str, str]) -> LiveRing:
        """The ring of ``RELAY_KEYRING``: its JSON, plain or in base64. It stays as it is.

        A process's environment can be read by its user's other processes and is passed to its
        children, and Linux allows 128 KiB a variable: a month of keys, in base64. Prefer the file.

        Raises ``KeyFileError``; ``KeyFileMissing`` if the variable is not set.
        """
        ring, problem = None, "missing"
        if VARIABLE in environment:
            ring, problem = ring_of(_plain(environment[VARIABLE].strip()))
        del environment  # a traceback that prints local variables must not show it
        if ring is not None:
            return cls(ring, VARIABLE)
        if problem == "missing":
            raise KeyFileMissing(
                f"{VARIABLE} is not set. Set it to what `relay keyring new` prints, or name a file."
            )
        raise KeyFileError(
            f"{VARIABLE} does not hold a key ring ({problem}), so the relay can't encrypt or read "
            "anything. Set it to what `relay keyring new` prints, plain or in base64."
        )

    def __repr__(self) -> str:
        return f"LiveRing({self.source!r}, {self._ring!r})"

    @property
    def ring(self) -> KeyRing:
        """The ring as last read. Take it anew for each use."""
        return self._ring

    def reload_if_changed(self) -> bool:
        """Read the file again if another process has replaced it; costs one ``stat`` if not.

        Returns whether the ring is another now. Raises ``KeyFileError`` each time until the file is
        in order again; the ring last read stays in use, which shows nobody anything new, but keys
        that were meant to be destroyed are still in it: the node should report that it isn't ready.
        """
        if self._file is None:
            return False
        if self._file.stamp() == self._stamp:
            return False
        self._ring, self._stamp = self._file.load()
        return True

    def maintain(
        self,
        now_ms: int,
        *,
        ahead_ms: int,
        longest_trip_ms: int,
        longest_retention_ms: int,
        longest_evidence_ms: int,
    ) -> KeyChange:
        """Make the keys of the time ahead and destroy those that are due; for a ring the node owns.

        Writes only if there is something to change, so it may be called every minute and by every
        worker. Destruction can't be undone: ``now_ms`` must be the time by which trips are opened
        and closed.

        Raises ``KeyFileError``, also for a ring from the environment, which only its owner can
        change.
        """
        if self._file is None:
            raise KeyFileError(
                f"The key ring in {VARIABLE} can't be changed from here. Rotate it where it is "
                "kept and start the relay again, or use a file."
            )

        def maintained(ring: KeyRing) -> KeyRing:
            kept = ring.without_due(
                now_ms, longest_trip_ms, longest_retention_ms, longest_evidence_ms
            )
            return kept.extended(now_ms, ahead_ms, os.urandom)

        self.reload_if_changed()
        if maintained(self._ring) is self._ring:
            return KeyChange()
        change = self._file.update(maintained)
        self._ring, self._stamp = self._file.load()
        return change


def _plain(text: str) -> str | bytes:
    if text.startswith("{"):
        return text
    packed = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except ValueError:
        return ""
