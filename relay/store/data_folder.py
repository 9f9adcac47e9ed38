"""The data folder of an embedded store: private, locked, with a place for the socket.

Two locks (flock) say who has the folder. Neither file is ever removed: a lock belongs to the file
behind the name, and removing the name would let two processes hold "the" lock.

- `relay.lock` is held by the relay process that keeps the server running, and by nothing else. To
  get it is to know that this relay is gone; no process id has to be trusted, which may have been
  given to another program or belong to another container. Its content, JSON with `relay_pid`,
  `server_pid` and `socket`, is for people, and tells other relays where the socket is.
- `server.lock` is taken by that relay and inherited by the server. So it is free only when the
  relay *and* its server are gone, even if the relay was killed and the server still writes.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import stat
import tempfile
from pathlib import Path

from relay.store.server_process import EmbeddedServerError

# A Unix socket's address has room for 107 bytes on Linux and 103 on macOS.
_SOCKET_PATH_MAX_BYTES = 103
_RELAY_LOCK, _SERVER_LOCK, _SOCKET = "relay.lock", "server.lock", "valkey.sock"


class DataFolder:
    """An open data folder; holds the descriptors of its two locks until `close`.

    Raises EmbeddedServerError if `folder` can't be one. A missing folder is made, one that others
    may read is made private (0700).
    """

    def __init__(self, folder: Path) -> None:
        self._open = contextlib.ExitStack()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path = folder.resolve()
            _make_private(self.path)
            self._relay_lock_fd = self._open_lock(_RELAY_LOCK)
            self.server_lock_fd = self._open_lock(_SERVER_LOCK)
        except (FileExistsError, NotADirectoryError):
            self._open.close()
            raise EmbeddedServerError(
                f"The data folder {folder} can't be made: a file of that name is in the way."
                " Give the path of a folder, or move the file."
            ) from None
        except OSError as error:
            self._open.close()
            raise EmbeddedServerError(
                f"The data folder {folder} can't be used: {error.strerror}."
                " Give a folder that belongs to the user who runs the relay."
            ) from None

    def _open_lock(self, name: str) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        fd = os.open(self.path / name, flags, 0o600)
        self._open.callback(os.close, fd)
        return fd

    def try_relay_lock(self) -> bool:
        """Become the relay that keeps this folder's server, unless another one is."""
        return _try_lock(self._relay_lock_fd)

    def try_server_lock(self) -> bool:
        """Get the right to start a server on this folder, unless one still runs."""
        return _try_lock(self.server_lock_fd)

    def socket_path(self) -> Path | None:
        """Where the server of this folder listens; None if that isn't known yet.

        It is in the folder, or, if that path is too long for a Unix socket, where `relay.lock`
        says: a private folder among the temporary ones, whose name is derived from this folder's
        so that a copy of the folder, lock file and all, does not lead to the original's server.
        """
        beside = self.path / _SOCKET
        if len(os.fsencode(beside)) <= _SOCKET_PATH_MAX_BYTES:
            return beside
        try:
            noted = Path(json.loads(os.pread(self._relay_lock_fd, 4096, 0))["socket"])
        except (ValueError, KeyError, TypeError):  # new, or being written
            return None
        return noted if noted.parent.name.startswith(self._temporary_prefix()) else None

    def place_socket(self) -> Path:
        """A path for the server's socket: the same as before, wherever that is possible.

        A socket that a dead server left there is no obstacle: the new one replaces it. For the
        holder of both locks. Raises OSError if no temporary folder can be made.
        """
        path = self.socket_path()
        if path is None or not (path.parent == self.path or _make_or_own(path.parent)):
            path = Path(_short_temporary_folder(self._temporary_prefix()), _SOCKET)
        return path

    def remove_socket(self) -> None:
        """Undo `place_socket`, whether or not the server has removed its socket by itself."""
        path = self.socket_path()
        if path is None:
            return
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
            if path.parent != self.path:
                path.parent.rmdir()

    def note(self, *, server_pid: int | None, socket_path: Path) -> None:
        """Write into `relay.lock` who holds it. For its holder."""
        note = {"relay_pid": os.getpid(), "server_pid": server_pid, "socket": str(socket_path)}
        content = json.dumps(note).encode() + b"\n"
        os.pwrite(self._relay_lock_fd, content, 0)
        os.ftruncate(self._relay_lock_fd, len(content))

    def close(self) -> None:
        """Let go of both locks. The server's copy of its own, if one still runs, keeps holding."""
        self._open.close()

    def _temporary_prefix(self) -> str:
        return f"relay-{hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]}-"


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        raise EmbeddedServerError(
            f"The file system of the data folder has no file locks ({error.strerror}), so nothing"
            " would keep two servers off the same data. Give a folder on a local disk."
        ) from None
    return True


def _make_private(folder: Path) -> None:
    if folder.stat().st_mode & 0o077 == 0:
        return
    # Only a folder that is ours: nobody who gives /tmp or /etc by mistake wants it shut to others.
    names = set(os.listdir(folder))
    if names and not names & {_RELAY_LOCK, "appendonlydir"}:
        raise EmbeddedServerError(
            f"The data folder {folder} can be read by other users and has other files in it."
            " Give a folder of its own, or, if it is the right one, run chmod 700 on it."
        )
    folder.chmod(0o700)


def _make_or_own(folder: Path) -> bool:
    """Make `folder`, or see that only this user can get at it: anyone can take a name in /tmp."""
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        found = folder.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()
        return ours and found.st_mode & 0o077 == 0
    except OSError:
        return False
    return True


def _short_temporary_folder(prefix: str) -> str:
    longest = _SOCKET_PATH_MAX_BYTES - len(prefix) - len("/" + "12345678" + "/" + _SOCKET)
    place = tempfile.gettempdir()
    if len(os.fsencode(place)) > longest:
        place = "/tmp"  # noqa: S108 - mkdtemp makes a new folder there, of mode 0700
    return tempfile.mkdtemp(prefix=prefix, dir=place)
