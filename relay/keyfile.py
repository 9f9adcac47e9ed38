"""The file of a key ring.

Whoever reads the file can read every message and number whose ciphertext he also has. So it is made
with mode 0600 in a folder of mode 0700 and refused if others can read it. Keep it apart from the
store's data and its backups: a backup that holds both keeps what the destruction of keys was to
make unreadable.

Destroying a key replaces the file: the new one is complete and on disk before it takes the old
one's name, and the old one's bytes are then overwritten with zeros. That is a best effort. Flash
translation layers, copy-on-write and journaling file systems, snapshots and swap may keep old
bytes; so may the memory of a node until it has seen the change. Where that matters, keep the ring
on encrypted storage whose key can be thrown away, or on memory-backed storage (tmpfs, ramfs) filled
from a secret store at start.

What is done to a ring is told to the audit log. That is in the store, which a command on a ring may
not reach, so each change first writes a line to a journal beside the ring: who, when, which keys,
nothing secret. A running relay takes the lines over (`ops.journal`).
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shlex
import stat
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from relay.core.acts import Act
from relay.vault.ring import BadKeyRing, KeyRing

__all__ = [
    "JournalLine",
    "KeyChange",
    "KeyFile",
    "KeyFileError",
    "KeyFileExists",
    "KeyFileMissing",
    "Stamp",
    "ring_of",
    "ring_text",
]

_MAX_BYTES: Final = 16 * 1024 * 1024
_LOCK_WAIT_S: Final = 10.0
_LOCK_POLL_S: Final = 0.01

Stamp: TypeAlias = tuple[int, int, int, int]
"""What ``stat`` tells apart two versions of the file by: device, inode, modification time, size."""


class KeyFileError(Exception):
    """The key ring can't be read or written; the text says why and what to do, and shows no key."""


class KeyFileMissing(KeyFileError):
    """There is no key ring at that path."""


class KeyFileExists(KeyFileError):
    """There is a key ring at that path already; it was left as it is."""


class KeyChange(NamedTuple):
    """The ids of the keys that a change made and destroyed."""

    made: tuple[str, ...] = ()
    destroyed: tuple[str, ...] = ()


class JournalLine(NamedTuple):
    """A change of a ring, as it was about to be made; ``at`` is this machine's time in ms.

    A second line of one change has the ``outcome`` failed: it was not made.
    """

    id: str
    at: int
    by: str
    act: Act
    made: int
    destroyed: tuple[str, ...]
    outcome: str = ""


class KeyFile:
    """A key ring in a file that several processes may use and change at once.

    Every change is made under a lock on ``<path>.lock`` and from what the file then holds, so two
    that rotate at once lose no key. Readers take no lock and see the old ring or the new one,
    nothing between. Every method raises ``KeyFileError``. ``by`` is who changes it, as the audit
    log names him.
    """

    __slots__ = ("by", "path")

    def __init__(self, path: str | os.PathLike[str], *, by: str = "relay") -> None:
        self.path = Path(path)
        self.by = by

    def __repr__(self) -> str:
        return f"KeyFile({str(self.path)!r})"

    def read(self) -> KeyRing:
        """The ring in the file. Raises ``KeyFileMissing``; refuses a file that others can read."""
        return self.load()[0]

    def stamp(self) -> Stamp:
        """What tells this version of the file from another, without reading it."""
        with self._errors("read"):
            return _stamp(os.stat(self.path))

    def load(self) -> tuple[KeyRing, Stamp]:
        """The ring in the file, and the stamp of the version that was read. Raises as ``read``."""
        while True:
            with self._errors("read"):
                # Not blocking: a named pipe in the file's place must not hang the node.
                file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
                try:
                    self._check(os.fstat(file))
                    ring, problem = ring_of(_read_all(file))
                    opened, now = os.fstat(file), os.stat(self.path)
                finally:
                    os.close(file)
            # Whoever replaces the file overwrites the old one after that. As long as the path still
            # leads to what was opened, what was read is whole.
            if (opened.st_dev, opened.st_ino) == (now.st_dev, now.st_ino):
                break
        if ring is None:
            raise KeyFileError(
                f"The key ring {self.path} is damaged ({problem}), so nothing can be encrypted or "
                "read. Put back a copy if you keep one; its keys can't be made again."
            )
        return ring, _stamp(opened)

    def create(self, now_ms: int, ahead_ms: int) -> KeyChange:
        """Make the file with the keys of ``ahead_ms`` from now. Raises ``KeyFileExists``."""
        with self._errors("created"):
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._locked() as target:
                if os.path.lexists(target):
                    raise KeyFileExists(
                        f"There is a key ring at {self.path} already; it was left as it is. "
                        "Use `relay keyring rotate` to add keys to it."
                    )
                ring = KeyRing().extended(now_ms, ahead_ms, os.urandom)
                self._replace(target, ring, _change(KeyRing(), ring), Act.KEYRING_NEW)
        return _change(KeyRing(), ring)

    def update(self, change: Callable[[KeyRing], KeyRing]) -> KeyChange:
        """Replace the ring by what ``change`` makes of it, unless that is the very same ring."""
        with self._errors("changed"), self._locked() as target:
            before = self.read()
            after = change(before)
            done = _change(before, after)
            if after is not before:
                self._replace(target, after, done, Act.KEYRING_ROTATE)
        return done

    def rotate(self, now_ms: int, ahead_ms: int) -> KeyChange:
        """Make the keys that are missing until ``ahead_ms`` from now. Those there are stay."""
        return self.update(lambda ring: ring.extended(now_ms, ahead_ms, os.urandom))

    def retire(self, key_ids: Collection[str]) -> KeyChange:
        """Destroy those keys, needed or not: what they sealed can never be read again.

        Raises ``KeyUnavailable``, and destroys none, if one of them isn't in the ring.
        """
        return self.update(lambda ring: ring.without(key_ids))

    def retire_due(
        self,
        now_ms: int,
        longest_trip_ms: int,
        longest_retention_ms: int,
        longest_evidence_ms: int,
    ) -> KeyChange:
        """Destroy every key whose purpose has passed."""
        longest = longest_trip_ms, longest_retention_ms, longest_evidence_ms
        return self.update(lambda ring: ring.without_due(now_ms, *longest))

    def journal(self) -> list[JournalLine]:
        """What was done to the ring and is not known to be in the audit log yet, in order."""
        try:
            with open(f"{os.path.realpath(self.path)}.journal", "rb") as stream:
                return _journal_of(stream.read(_MAX_BYTES))
        except FileNotFoundError:
            return []
        except OSError as error:
            problem = error.errno
        raise KeyFileError(
            f"The journal beside the key ring {self.path} could not be read "
            f"({os.strerror(problem or 0)}), so what was done to the ring is not in the audit log "
            "yet. Check its owner and its mode."
        )

    def drop_from_journal(self, ids: Collection[str]) -> None:
        """Forget those lines, which are in the audit log now."""
        with self._errors("noted"), self._locked() as target:
            left = [line for line in self.journal() if line.id not in ids]
            _destroy(f"{target}.journal.new")
            if left:
                _write_new(f"{target}.journal.new", b"".join(map(_journal_text, left)))
                os.rename(f"{target}.journal.new", f"{target}.journal")
            else:
                with suppress(FileNotFoundError):
                    os.unlink(f"{target}.journal")
            _sync_folder(os.path.dirname(target))

    def _note(self, target: str, change: KeyChange, making: Act, outcome: str = "") -> None:
        """Write to the journal what is done. The lock is held."""
        at_ms = time.time_ns() // 1_000_000
        lines = []
        if change.made:
            name = os.urandom(8).hex()
            lines.append(JournalLine(name, at_ms, self.by, making, len(change.made), (), outcome))
        if change.destroyed:
            name, gone = os.urandom(8).hex(), change.destroyed
            lines.append(JournalLine(name, at_ms, self.by, Act.KEYRING_RETIRE, 0, gone, outcome))
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        with open(os.open(f"{target}.journal", flags, 0o600), "ab") as stream:
            os.fchmod(stream.fileno(), 0o600)
            # It begins a line of its own, because a crash may have left half of one.
            stream.write(b"\n" + b"".join(map(_journal_text, lines)))
            stream.flush()
            os.fsync(stream.fileno())
        _sync_folder(os.path.dirname(target))

    def _check(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise KeyFileError(f"The key ring {self.path} is not a file. Name the file itself.")
        if found.st_mode & 0o077:
            raise KeyFileError(
                f"The key ring {self.path} is open to other users of this machine (mode "
                f"{stat.S_IMODE(found.st_mode):04o}), so it is not used. Close it with "
                f"`chmod 600 {shlex.quote(str(self.path))}`. If others may have read it, its keys "
                "are no longer secret: make new ones and retire these when their trips are over."
            )
        if found.st_size > _MAX_BYTES:
            raise KeyFileError(f"The key ring {self.path} is too large to be one.")

    def _replace(self, target: str, ring: KeyRing, change: KeyChange, making: Act) -> None:
        """Put a new file in the old one's place, once that is in the journal. The lock is held."""
        self._note(target, change, making)
        try:
            self._put(target, ring)
        except OSError:
            with suppress(OSError):
                self._note(target, change, making, "failed")
            raise

    def _put(self, target: str, ring: KeyRing) -> None:
        fresh = f"{target}.new"
        _destroy(fresh)  # what a crash may have left
        try:
            _write_new(fresh, ring_text(ring).encode("ascii") + b"\n")
            old = _open_old(target)
            try:
                os.rename(fresh, target)
                _sync_folder(os.path.dirname(target))
                if old is not None:
                    _zero(old)
            finally:
                if old is not None:
                    os.close(old)
        except OSError:
            _destroy(fresh)
            raise

    @contextmanager
    def _locked(self) -> Iterator[str]:
        """Hold the lock; gives the path of the file itself, where ``path`` is a symbolic link."""
        target = os.path.realpath(self.path)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        # The lock file stays: to delete it would let two hold "the" lock on two files of one name.
        lock = os.open(f"{target}.lock", flags, 0o600)
        try:
            deadline = time.monotonic() + _LOCK_WAIT_S
            while not _try_lock(lock):
                if time.monotonic() > deadline:
                    raise KeyFileError(
                        f"Another process has kept the lock {target}.lock for "
                        f"{_LOCK_WAIT_S:.0f} s, so the key ring was not changed. Find it with "
                        "`fuser`, end it, and try again."
                    )
                time.sleep(_LOCK_POLL_S)
            yield target
        finally:
            os.close(lock)

    @contextmanager
    def _errors(self, done: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            problem: KeyFileError = KeyFileMissing(
                f"There is no key ring at {self.path}. Make one with `relay keyring new`, or name "
                "the one you have."
            )
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else type(error).__name__
            problem = KeyFileError(
                f"The key ring {self.path} could not be {done}: {reason}. Check its folder, its "
                "owner and the space on its disk."
            )
        else:
            return
        raise problem


def ring_text(ring: KeyRing) -> str:
    """The ring with its secret bytes as one line of JSON: what the file and the variable hold."""
    return json.dumps(ring.to_document(), separators=(",", ":"))


def _change(before: KeyRing, after: KeyRing) -> KeyChange:
    return KeyChange(
        made=tuple(key.id for key in after if key.id not in before),
        destroyed=tuple(key.id for key in before if key.id not in after),
    )


def ring_of(text: str | bytes) -> tuple[KeyRing | None, str]:
    """The ring of a JSON text, or what is wrong with it.

    Returned, not raised: neither this frame nor the decoder's error, both of which hold the text,
    must come into a traceback.
    """
    try:
        return KeyRing.from_document(json.loads(text)), ""
    except BadKeyRing as error:
        return None, str(error)
    except (ValueError, RecursionError):
        return None, "it is not JSON"


def _journal_text(line: JournalLine) -> bytes:
    return json.dumps(line._asdict()).encode("ascii") + b"\n"


def _journal_of(text: bytes) -> list[JournalLine]:
    """The lines of a journal; what a crash has cut off is none, and was not done."""
    found = []
    for raw in text.splitlines():
        try:
            one = JournalLine(**json.loads(raw))
            found.append(one._replace(act=Act(one.act), destroyed=tuple(one.destroyed)))
        except (ValueError, TypeError):
            continue
    return found


def _stamp(found: os.stat_result) -> Stamp:
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _read_all(file: int) -> bytes:
    with open(file, "rb", closefd=False) as stream:
        return stream.read(_MAX_BYTES)


def _write_new(path: str, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    file = os.open(path, flags, 0o600)
    with open(file, "wb") as stream:
        os.fchmod(file, 0o600)
        stream.write(content)
        stream.flush()
        os.fsync(file)


def _open_old(path: str) -> int | None:
    try:
        return os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None


def _zero(file: int) -> None:
    os.pwrite(file, bytes(os.fstat(file).st_size), 0)
    os.fsync(file)


def _destroy(path: str) -> None:
    """Overwrite and delete a file that nobody else reads."""
    file = _open_old(path)
    if file is not None:
        try:
            _zero(file)
        finally:
            os.close(file)
        os.unlink(path)


def _sync_folder(path: str) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _try_lock(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True
