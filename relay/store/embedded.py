"""The embedded store: keeps one Valkey server running on a data folder.

However many relay processes use a folder, and however they end, there is at most one server on
it, and every write that it answered is there when it runs again (`durable`).

One relay *owns* the server: the one that holds the folder's relay lock (`data_folder`). It starts
the server, and starts it again, with a growing delay, when it dies (with `appendfsync always` a
full disk makes it exit). Other relays *attach*: they use the same socket and try for the lock
until its holder has ended; then they own the folder and start a server themselves.

A relay that is killed takes its server along by the server's death signal. Where that does not
come through, because the server is stopped or the system is not Linux, the next owner asks the
orphan to shut down, and KILLs it if it has been silent for ten seconds. Outside Linux, then, an
orphan stays until another relay uses its folder, and a stopped one must be ended by hand.
"""

import asyncio
import enum
import signal
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from relay.store import server_process
from relay.store.data_folder import DataFolder
from relay.store.server_process import Answer, EmbeddedServerError

__all__ = ["EmbeddedServer", "EmbeddedServerError", "ServerState"]

_BACKOFF_MIN_S = 0.05
_BACKOFF_MAX_S = 5.0
_BACKOFF_RESET_S = 5.0
_ORPHAN_SILENCE_S = 10.0
_TERM_LIMIT_S = 10.0
_STARTING_POLL_S = 0.005
_RUNNING_POLL_S = 0.05
_LOCK_POLL_S = 0.15

log: structlog.typing.FilteringBoundLogger = structlog.get_logger("relay.store.embedded")


class ServerState(enum.StrEnum):
    """What can be expected of the store just now."""

    STOPPED = "stopped"
    """Not started by `start`, or stopped by `stop`."""
    STARTING = "starting"
    """It has not been ready yet."""
    READY = "ready"
    """It takes commands."""
    DOWN = "down"
    """It was ready and is not now; it is being brought back."""


class EmbeddedServer:
    """A Valkey server on `folder`, shared with every other process that uses the same folder.

    `durable`: an answered write is on disk (append-only file, `appendfsync always`); otherwise
    nothing is kept on disk. The process that starts the server decides: all that use one folder
    must say the same.

    `on_state` is called with each new state, from the event loop; it must not block or raise.

    Call `start` from an event loop in the main thread: the server's death signal is tied to the
    thread that forked it, so it dies with a shorter-lived one. A process forked (not spawned) from
    this one inherits the relay lock and keeps it while it lives.
    """

    def __init__(
        self,
        folder: Path,
        *,
        durable: bool,
        on_state: Callable[[ServerState], None] | None = None,
    ) -> None:
        self._given_folder = folder
        self._durable = durable
        self._on_state = on_state
        self._state = ServerState.STOPPED
        self._owned = False
        self._has_been_ready = False
        self._heard_at_s = 0.0
        self._socket_path: Path | None = None
        self._folder: DataFolder | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def state(self) -> ServerState:
        """As last seen. Once ready, the owner looks whether the process lives (20 times a second),
        an attached process whether it answers (7 times): a server that hangs is still READY to
        its owner.
        """
        return self._state

    @property
    def owned(self) -> bool:
        """Whether this process keeps the server running; False while attached to another's."""
        return self._owned

    @property
    def socket_path(self) -> Path:
        """Where the server listens; stays the same when the server or its owner changes.

        (But for a folder with a very long path: read it again when a connection was lost.)
        Raises EmbeddedServerError before `start`.
        """
        if self._socket_path is None:
            message = "The embedded store has no socket before it is started."
            raise EmbeddedServerError(message)
        return self._socket_path

    @property
    def url(self) -> str:
        """The socket as a `unix://` URL, the path percent-encoded."""
        return "unix://" + urllib.parse.quote(str(self.socket_path))

    async def start(self, *, silence_limit_s: float = 30.0) -> None:
        """Own or attach; returns once the server takes commands.

        `silence_limit_s`: how long to wait without any sign of life. A server that answers that
        it is loading its data is waited for as long as it takes.

        Raises EmbeddedServerError: no server for this platform, a folder that can't be used, a
        server that exits at once, or silence. Nothing is left running then.
        """
        if self._task is not None:
            message = "already started"
            raise RuntimeError(message)
        program = server_process.find_program()
        self._folder = DataFolder(self._given_folder)
        self._set_state(ServerState.STARTING)
        self._task = asyncio.create_task(self._run(self._folder, program), name="embedded store")
        try:
            await self._until_ready(self._task, self._folder, silence_limit_s)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """End the server if it is ours (its data stays) or detach from another's. Idempotent.

        Returns when the server is gone: TERM first, KILL after ten seconds.
        """
        task = self._task
        if task is None:
            return
        if not task.done() and not task.cancelling():
            task.cancel()
        await asyncio.wait({task})
        if self._task is task:  # else another call of `stop` was waiting too
            self._task = None
            if self._folder is not None:
                self._folder.close()
            self._owned = self._has_been_ready = False
            self._set_state(ServerState.STOPPED)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def _until_ready(
        self, task: asyncio.Task[None], folder: DataFolder, silence_limit_s: float
    ) -> None:
        now_s = asyncio.get_running_loop().time
        self._heard_at_s = now_s()
        while self._state is not ServerState.READY:
            if task.done():
                task.result()  # raises why
            if now_s() - self._heard_at_s > silence_limit_s:
                raise EmbeddedServerError(
                    f"The embedded store on {folder.path} did not answer for {silence_limit_s:g} s."
                    f" See {folder.path / server_process.LOG_NAME}, and whether another process"
                    " that uses this folder hangs."
                )
            await asyncio.sleep(_STARTING_POLL_S)

    async def _run(self, folder: DataFolder, program: Path) -> None:
        try:
            await self._attach(folder)
            self._owned = True
            await self._outlast_orphan(folder)
            try:
                await self._keep_running(folder, program)
            finally:
                folder.remove_socket()
        except EmbeddedServerError:
            raise
        except Exception:
            log.exception("embedded store is no longer supervised", folder=str(folder.path))
            raise

    async def _attach(self, folder: DataFolder) -> None:
        """Use the server of the relay that holds the lock, until the lock is ours."""
        attached = False
        while not folder.try_relay_lock():
            socket_path = folder.socket_path()
            if socket_path is not None:
                self._socket_path = socket_path
                self._hear(await server_process.ping(socket_path))
            if not attached:
                attached = True
                log.info("embedded store belongs to another relay", folder=str(folder.path))
            await asyncio.sleep(_LOCK_POLL_S)
        if self._state is ServerState.READY:
            self._set_state(ServerState.DOWN)  # its owner is gone, so it is going

    async def _outlast_orphan(self, folder: DataFolder) -> None:
        """Wait until the server of a dead owner is gone; help where it doesn't go."""
        now_s = asyncio.get_running_loop().time
        heard_at_s = now_s()
        while not folder.try_server_lock():
            socket_path = folder.socket_path()
            answer = await server_process.ping(socket_path) if socket_path else Answer.SILENT
            if socket_path and answer is not Answer.SILENT:
                heard_at_s = now_s()
                await server_process.ask_to_shut_down(socket_path)
            elif now_s() - heard_at_s > _ORPHAN_SILENCE_S:
                heard_at_s = now_s()
                killed = server_process.kill_holders(folder.server_lock_fd)
                log.warning("embedded store left over and silent", killed_pids=killed)
            await asyncio.sleep(_STARTING_POLL_S)

    async def _keep_running(self, folder: DataFolder, program: Path) -> None:
        """Start the server whenever it doesn't run. For the holder of both locks."""
        now_s = asyncio.get_running_loop().time
        delay_s = _BACKOFF_MIN_S
        while True:
            began_s = now_s()
            try:
                end = await self._run_once(folder, program)
            except OSError as error:  # no process, no memory, no temporary folder
                end = str(error)
            if not self._has_been_ready:
                raise EmbeddedServerError(
                    f"The embedded store on {folder.path} does not start ({end}):"
                    f" {server_process.last_log_line(folder.path)!r}."
                    f" See {folder.path / server_process.LOG_NAME}."
                )
            self._set_state(ServerState.DOWN)
            if now_s() - began_s > _BACKOFF_RESET_S:
                delay_s = _BACKOFF_MIN_S
            log.warning(
                "embedded store died",
                end=end,
                last_log_line=server_process.last_log_line(folder.path),
                retry_in_s=delay_s,
            )
            await asyncio.sleep(delay_s)
            delay_s = min(2 * delay_s, _BACKOFF_MAX_S)

    async def _run_once(self, folder: DataFolder, program: Path) -> str:
        """Start the server and stay until it has ended; returns how it did."""
        socket_path = self._socket_path = folder.place_socket()
        folder.note(server_pid=None, socket_path=socket_path)
        process = server_process.spawn(
            program,
            folder.path,
            socket_path,
            durable=self._durable,
            lock_fd=folder.server_lock_fd,
        )
        try:
            folder.note(server_pid=process.pid, socket_path=socket_path)
            while process.poll() is None:
                if self._state is ServerState.READY:
                    await asyncio.sleep(_RUNNING_POLL_S)
                else:
                    self._hear(await server_process.ping(socket_path))
                    await asyncio.sleep(_STARTING_POLL_S)
            return _how_it_ended(process.returncode)
        finally:
            await server_process.end(process, socket_path, limit_s=_TERM_LIMIT_S)

    def _hear(self, answer: Answer) -> None:
        if answer is not Answer.SILENT:
            self._heard_at_s = asyncio.get_running_loop().time()
        if answer is Answer.READY:
            self._set_state(ServerState.READY)
        elif self._state is ServerState.READY:
            self._set_state(ServerState.DOWN)

    def _set_state(self, state: ServerState) -> None:
        if state is self._state:
            return
        self._state = state
        if state is ServerState.READY:
            self._has_been_ready = True
            log.info("embedded store ready", socket=str(self._socket_path), owned=self._owned)
        if self._on_state is not None:
            self._on_state(state)


def _how_it_ended(returncode: int) -> str:
    if returncode < 0:
        return signal.Signals(-returncode).name
    return f"exit code {returncode}"
