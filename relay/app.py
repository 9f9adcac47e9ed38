"""The relay as a whole: its store, its keys and its workers, and one process that looks after them.

This parent process serves nobody itself. It starts what is missing, starts again what died, passes
questions between workers, and ends everything in the right order: the workers drain while the store
still runs. If it is killed, workers and store notice and end by themselves.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Any, Final

import structlog

from .keyfile import KeyFile, KeyFileError, KeyFileExists
from .live_ring import LiveRing
from .order import CANNOT_START, MAX_LINE_BYTES, Order, bound
from .settings import Settings
from .store.embedded import EmbeddedServer

log = structlog.get_logger(__name__)

#: Keys are made for this long ahead, so that a relay that was stopped for a day can start.
KEYS_AHEAD_MS: Final = 48 * 3600 * 1000

_MAINTAIN_S: Final = 60.0
_START_LIMIT_S: Final = 30.0
_STOP_LIMIT_S: Final = 15.0
_FIRST_RESTART_S: Final = 0.1
_LAST_RESTART_S: Final = 2.0
_ASK_TIMEOUT_S: Final = 0.5
_PORTS_LIMIT_S: Final = 2.0


class CannotStart(Exception):
    """The relay cannot run as it is set up; the text is one line that says why."""


class _Child:
    """One worker process and the socket to it."""

    def __init__(self, order: bytes) -> None:
        self._ours, theirs = socket.socketpair()
        with theirs:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "relay.worker", str(theirs.fileno())],
                stdin=subprocess.PIPE,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is for the parent, which lets its workers drain
            )
        assert self.process.stdin is not None
        with self.process.stdin as stdin:
            stdin.write(order)
        self.ready = asyncio.Event()
        self.answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._writer: asyncio.StreamWriter | None = None

    async def listen(self, on_question: Callable[[_Child, int], None]) -> None:
        """Take what the worker says until it is gone. If this is cancelled the socket stays open: a
        worker whose socket ends takes its relay for dead and does not drain."""
        reader, self._writer = await asyncio.open_connection(sock=self._ours, limit=MAX_LINE_BYTES)
        try:
            while line := await reader.readline():
                message = json.loads(line)
                if "ready" in message:
                    self.ready.set()
                elif "all" in message:
                    on_question(self, message["all"])
                elif (answer := self.answers.pop(message["to"], None)) and not answer.done():
                    answer.set_result(message)
        except ConnectionError:
            pass
        self._writer.close()
        for answer in self.answers.values():
            answer.cancel()

    def say(self, message: dict[str, Any]) -> None:
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(json.dumps(message).encode() + b"\n")

    async def end(self, limit_s: float) -> None:
        """Let the worker drain; kill it after `limit_s`."""
        if self.process.poll() is None:
            self.process.terminate()
        until_s = time.monotonic() + limit_s
        while self.process.poll() is None:
            if time.monotonic() > until_s:
                self.process.kill()
            await asyncio.sleep(0.01)
        if self._writer is not None:
            self._writer.close()


class Relay:
    """A whole relay. `durable` is whether an embedded store keeps its data on disk."""

    def __init__(self, settings: Settings, *, durable: bool = True) -> None:
        self.settings = settings
        self._durable = durable
        self._children: list[_Child] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()
        self._failed = asyncio.Event()
        self.store_url = settings.redis
        self._ring: LiveRing | None = None

    async def __aenter__(self) -> Relay:
        """Start everything; all workers serve when this returns. Raises `CannotStart`."""
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stop()

    async def _start(self) -> None:
        await self._reserve_ports()
        if not self._maintains_keys:
            self._ring = self._keys()  # it may be missing, so before anything is started
        if not self.settings.redis:
            server = EmbeddedServer(self.settings.folder, durable=self._durable)
            await self._stack.enter_async_context(server)
            self.store_url = server.url
        if self._maintains_keys:
            self._ring = self._keys()  # beside the store's data, in the folder that is private now
        ring_path = None if self._ring is None else str(self.settings.ring_path)
        order = Order(self.settings, self.store_url, ring_path).to_json()
        for _ in range(self.settings.workers):
            self._tasks.append(asyncio.create_task(self._keep_worker(order)))
        if self._maintains_keys:
            self._tasks.append(asyncio.create_task(self._maintain_keys()))
        until_s = time.monotonic() + _START_LIMIT_S
        while not (
            len(self._children) == self.settings.workers
            and all(child.ready.is_set() for child in self._children)
        ):
            if self._failed.is_set() or time.monotonic() > until_s:
                raise CannotStart("the workers could not start; the lines above say why")
            await asyncio.sleep(0.01)

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        limit_s = self.settings.drain_notice_s + self.settings.drain_s + _STOP_LIMIT_S
        await asyncio.gather(*(child.end(limit_s) for child in self._children))
        await self._stack.aclose()

    async def wait(self) -> None:
        """Wait until no worker can be kept running. Raises `CannotStart` then."""
        await self._failed.wait()
        raise CannotStart("a worker cannot be started again; the lines above say why")

    # --- ports ------------------------------------------------------------------------------------

    async def _reserve_ports(self) -> None:
        """Hold both ports for the workers, who share them, and settle which port a 0 means."""
        settled: dict[str, Any] = {}
        until_s = time.monotonic() + _PORTS_LIMIT_S
        for name in ("gateway", "api"):
            where = getattr(self.settings, name)
            while True:
                try:
                    # Without SO_REUSEPORT first: else two relays would share a port unnoticed.
                    bound(where, name, shared=False).close()
                    held = self._stack.enter_context(bound(where, name, shared=True))
                    break
                except OSError as error:
                    # The workers of a relay that was killed hold its ports for a moment longer.
                    if error.errno != errno.EADDRINUSE or time.monotonic() > until_s:
                        problem = f"{name}: {where} cannot be used ({error.strerror})"
                        raise CannotStart(problem) from None
                await asyncio.sleep(0.05)
            host = where.rpartition(":")[0]
            settled[name] = f"{host}:{held.getsockname()[1]}"
        self.settings = replace(self.settings, **settled)
        if not self.settings.gateway_url:
            url = f"ws://{self.settings.gateway}/v1/channel"
            self.settings = replace(self.settings, gateway_url=url)

    # --- keys -------------------------------------------------------------------------------------

    @property
    def _maintains_keys(self) -> bool:
        # A ring that was named is looked after by whoever made it, for all relays that share it.
        return not self.settings.redis and not self.settings.keyring_file

    def _keys(self) -> LiveRing | None:
        """The key ring of a file, or None if it is in the environment."""
        file = KeyFile(self.settings.ring_path)
        try:
            if self._maintains_keys:
                with suppress(KeyFileExists):
                    file.create(_now_ms(), KEYS_AHEAD_MS)
                ring = LiveRing.of_file(file)
                self._renew(ring)
                return ring
            if self.settings.keyring_file:
                return LiveRing.of_file(file)
            LiveRing.of_environment(os.environ)
        except KeyFileError as error:
            raise CannotStart(str(error)) from None
        return None

    def _renew(self, ring: LiveRing) -> None:
        change = ring.maintain(
            _now_ms(),
            ahead_ms=KEYS_AHEAD_MS,
            longest_trip_ms=self.settings.longest_trip_s * 1000,
            longest_retention_ms=self.settings.longest_retention_s * 1000,
            longest_evidence_ms=self.settings.evidence_retention_s * 1000,
        )
        if change.made or change.destroyed:
            log.info("keys_renewed", made=len(change.made), destroyed=len(change.destroyed))

    async def _maintain_keys(self) -> None:
        assert self._ring is not None
        while True:
            await asyncio.sleep(_MAINTAIN_S)
            try:
                self._renew(self._ring)
            except KeyFileError as error:
                log.error("keys_not_renewed", reason=str(error))

    # --- workers ----------------------------------------------------------------------------------

    async def _keep_worker(self, order: bytes) -> None:
        """Run one worker and start it again whenever it dies."""
        wait_s = _FIRST_RESTART_S
        while True:
            began_s = time.monotonic()
            try:
                child = _Child(order)
            except OSError as error:  # no process or no descriptor to be had: try again
                log.error("worker_not_started", reason=error.strerror)
            else:
                self._children.append(child)
                await child.listen(self._ask_all)
                while (code := child.process.poll()) is None:
                    await asyncio.sleep(0.01)
                self._children.remove(child)
                if code == CANNOT_START and not child.ready.is_set():
                    self._failed.set()
                    return
                log.error("worker_died", pid=child.process.pid, code=code)
            if time.monotonic() - began_s > 10 * _LAST_RESTART_S:
                wait_s = _FIRST_RESTART_S
            await asyncio.sleep(wait_s)
            wait_s = min(_LAST_RESTART_S, wait_s * 2)

    def _ask_all(self, asker: _Child, number: int) -> None:
        """Put a worker's question to all of them and give it their answers."""

        async def ask() -> None:
            loop = asyncio.get_running_loop()
            answers = []
            for child in self._children:
                answer = loop.create_future()
                name = id(answer)
                child.answers[name] = answer
                child.say({"ask": name})
                answers.append(answer)
            done, silent = await asyncio.wait(answers, timeout=_ASK_TIMEOUT_S)
            found = [answer.result() for answer in done if not answer.cancelled()]
            if silent or len(found) < self.settings.workers:
                found.append({"metrics": {}, "problems": ["workers_missing"]})
            asker.say({"to": number, "all": found})

        self._tasks.append(task := asyncio.create_task(ask()))
        task.add_done_callback(self._tasks.remove)


def _now_ms() -> int:
    return int(time.time() * 1000)


def stop_signals() -> asyncio.Event:
    """An event that SIGTERM and Ctrl-C set. Call it in the main thread's loop."""
    asked = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked.set)
    return asked
