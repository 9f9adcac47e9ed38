"""One worker: builds the parts, opens them in order, closes them in reverse.

It talks with the process that started it over one socket, in JSON lines: its metrics and readiness
when asked, and the same of all workers when it has been asked itself. When that socket ends, that
process is dead and the worker ends, without a drain: no worker outlives its relay, and the next
relay wants the ports.
"""

from __future__ import annotations

import gc

if __name__ == "__main__":
    # Nothing that is imported is garbage, and looking through it, again and again, is a tenth of
    # the time in which a worker starts.
    gc.disable()

import asyncio
import itertools
import json
import os
import resource
import signal
import socket
import sys
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any, Final

import structlog
import uvicorn

from . import garbage, logs
from .api.app import build
from .api.connection import Connection
from .console.routes import routes as console_pages
from .gateway.gateway import Gateway
from .gateway.limits import OTHER_FILES, Limits
from .keyfile import KeyFile, KeyFileError
from .live_ring import LiveRing
from .metrics import Snapshot, as_text, joined, snapshot_of
from .ops.chores import Chores, keep_doing
from .ops.desk import Desk, desk_of
from .ops.journal import take_over_journal
from .order import CANNOT_START, MAX_LINE_BYTES, Order, bound
from .store.access import Access
from .store.copies import Copies
from .store.durability import Durability
from .store.endpoint import Endpoint, StoreError
from .store.schema import check_schema
from .store.store import Store
from .vault.ring import KeyUnavailable

log = structlog.get_logger(__name__)

_ASK_TIMEOUT_S: Final = 1.0
_SANCTIONS_S: Final = 5.0
_NOTICES_S: Final = 60.0
_JOURNAL_S: Final = 15.0
_LAST_WORDS_S: Final = 0.2


class _Server(uvicorn.Server):
    """uvicorn without its signals: when a worker ends is the worker's own business."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def _log_without_values(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Stand in for asyncio's own handler, whose traceback quotes what an exception failed on."""
    error = context.get("exception")
    at = logs.places(error) if isinstance(error, BaseException) else []
    log.error("loop_exception", error=type(error).__name__, at=at)


def _within_files(limits: Limits) -> Limits:
    """Allow this process the files for all connections, and them no more than it may have files.

    With none left the system would go on to take connections that nobody here can answer, and the
    store could not be reached either.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = limits.sockets + OTHER_FILES
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    found = limits.with_sockets(soft - OTHER_FILES)
    if found is not limits:
        log.info("few_open_files", connections=found.connections)
    return found


class Worker:
    """A running worker. `relay` is the socket to the process that started it."""

    def __init__(self, order: Order, relay: socket.socket) -> None:
        self._order = order
        self._socket = relay
        self._stop = asyncio.Event()
        self._orphaned = asyncio.Event()
        self._questions: dict[int, asyncio.Future[Any]] = {}
        self._numbers = itertools.count(1)
        self._writer: asyncio.StreamWriter | None = None
        self._gateway: Gateway | None = None
        self._desk: Desk | None = None

    async def run(self) -> None:
        """Serve until told to stop. Raises what keeps it from starting."""
        settings, identity = self._order.settings, os.urandom(4).hex()
        structlog.contextvars.bind_contextvars(node=identity)
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_without_values)
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGINT, self._stop.set)

        ring = (
            LiveRing.of_file(KeyFile(self._order.ring_path))
            if self._order.ring_path
            else LiveRing.of_environment(os.environ)
        )
        access = Access(
            Endpoint.parse(self._order.store_url), Durability.parse(settings.durability)
        )
        await access.start()
        pipe = access.pipe(
            name=f"relay-{identity}", reply_timeout_s=settings.store_timeout_s,
            on_connected=self._greet,
        )  # fmt: skip
        await pipe.start()
        await check_schema(pipe)
        limits = _within_files(settings.limits)
        gateway = self._gateway = Gateway(identity, Store(pipe), access, ring, limits)
        await gateway.start(bound(settings.gateway, "gateway", shared=True))
        # A connection of its own: a call must not wait behind all the posts that are on their way.
        api_pipe = access.pipe(
            name=f"relay-{identity}-api", reply_timeout_s=settings.store_timeout_s,
            on_connected=lambda: gateway.say_what_is_final(store),
        )  # fmt: skip
        store = Store(api_pipe, on_final=gateway.remember_final, on_unstored=gateway.end_unstored)
        await api_pipe.start()
        copies_pipe = access.pipe(
            name=f"relay-{identity}-copies", reply_timeout_s=settings.store_timeout_s
        )
        await copies_pipe.start()
        desk = self._desk = desk_of(
            store, ring=gateway.node.keys, now_ms=gateway.node.now_ms, random_bytes=os.urandom,
            limits=settings.desk_limits,
        )  # fmt: skip
        server = _Server(
            uvicorn.Config(
                build(
                    store=store, copies=Copies(copies_pipe, now_s=loop.time),
                    ring=gateway.node.keys, limits=settings.api_limits,
                    now_ms=gateway.node.now_ms, random_bytes=os.urandom,
                    readiness=self._all_problems, metrics=self._all_metrics,
                    gateway_url=settings.gateway_url, desk=desk,
                    pages=console_pages(desk, now_ms=gateway.node.now_ms),
                ),
                loop="none", http=Connection, ws="none", lifespan="off", access_log=False,
                log_config=None, server_header=False, timeout_graceful_shutdown=5,
                # Nobody's word for where a request comes from is taken, but for a proxy's that
                # was named.
                forwarded_allow_ips=(proxies := os.environ.get("FORWARDED_ALLOW_IPS", "")),
                proxy_headers=bool(proxies),
            )
        )  # fmt: skip
        api_socket = bound(settings.api, "api", shared=True)
        api_socket.listen(2048)
        serving = asyncio.create_task(server.serve(sockets=[api_socket]), name="api")
        reader, self._writer = await asyncio.open_connection(
            sock=self._socket, limit=MAX_LINE_BYTES
        )
        reading = asyncio.create_task(self._read(reader), name="relay-socket")
        chores = asyncio.create_task(keep_doing(self._chores(desk)), name="chores")
        while not server.started:
            await asyncio.sleep(0.005)
        garbage.look_seldom()
        self._say({"ready": identity})

        await self._stop.wait()
        log.info("draining", connections=len(gateway.node.connections))
        await self._let_balancers_notice(gateway, settings.drain_notice_s)
        await self._drain(gateway, settings.drain_s)
        server.force_exit = self._orphaned.is_set()
        server.should_exit = True
        await serving
        await gateway.stop()
        reading.cancel()
        chores.cancel()
        await asyncio.gather(reading, chores, return_exceptions=True)
        await copies_pipe.stop()
        await api_pipe.stop()
        await pipe.stop()
        await access.stop()

    def _chores(self, desk: Desk) -> Chores:
        every_s = self._order.settings.audit_checkpoint_s
        chores: Chores = {
            "sanctions": (_SANCTIONS_S, desk.sanctions.finish),
            "notices": (_NOTICES_S, desk.notices.send_due),
            "garbage": (garbage.EVERY_S, garbage.look_at_all),
            "checkpoint": (
                min(_NOTICES_S, every_s / 4),
                lambda: desk.audit.checkpoint_if_due(every_s, desk.events.emit),
            ),
        }
        if self._order.ring_path:
            ring = KeyFile(self._order.ring_path)
            chores["journal"] = (_JOURNAL_S, lambda: take_over_journal(desk.audit, ring))
        return chores

    async def _let_balancers_notice(self, gateway: Gateway, notice_s: float) -> None:
        gateway.node.draining = True
        with suppress(TimeoutError):
            async with asyncio.timeout(notice_s):
                await self._orphaned.wait()

    async def _drain(self, gateway: Gateway, window_s: float) -> None:
        """Send the apps away over `window_s`, or all at once if the relay is dead."""
        draining = asyncio.create_task(gateway.drain(window_s))
        orphaned = asyncio.create_task(self._orphaned.wait())
        await asyncio.wait((draining, orphaned), return_when=asyncio.FIRST_COMPLETED)
        if not draining.done():
            draining.cancel()
            draining = asyncio.create_task(gateway.drain(0))
            await asyncio.wait((draining,), timeout=_LAST_WORDS_S)
        for task in (draining, orphaned):
            task.cancel()
        await asyncio.gather(draining, orphaned, return_exceptions=True)

    def _greet(self) -> None:
        if self._gateway is not None:
            self._gateway.store_is_back()

    # --- with the other workers -------------------------------------------------------------------

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while line := await reader.readline():
                self._take(json.loads(line))
        except ConnectionError:
            pass  # it died before it had read all that this worker said
        finally:
            self._orphaned.set()
            self._stop.set()

    def _take(self, message: dict[str, Any]) -> None:
        if "ask" in message:
            self._say(
                {"to": message["ask"], "metrics": self._snapshot(), "problems": self._problems()}
            )
        elif (
            question := self._questions.pop(message["to"], None)
        ) and not question.done():  # it may have waited for too long
            question.set_result(message["all"])

    def _say(self, message: dict[str, Any]) -> None:
        if self._writer is not None:
            self._writer.write(json.dumps(message).encode() + b"\n")

    def _snapshot(self) -> Snapshot:
        assert self._gateway is not None and self._desk is not None
        return snapshot_of(self._gateway, self._desk.watch)

    def _problems(self) -> list[str]:
        assert self._gateway is not None
        return self._gateway.problems()

    async def _ask_all(self) -> list[dict[str, Any]]:
        """Every worker's metrics and problems; this one's alone if the others cannot be asked."""
        number = next(self._numbers)
        answer = self._questions[number] = asyncio.get_running_loop().create_future()
        self._say({"all": number})
        try:
            async with asyncio.timeout(_ASK_TIMEOUT_S):
                found: list[dict[str, Any]] = await answer
        except TimeoutError:
            self._questions.pop(number, None)
            found = [
                {"metrics": self._snapshot(), "problems": [*self._problems(), "workers_silent"]}
            ]
        return found

    async def _all_metrics(self) -> bytes:
        return as_text(joined(one["metrics"] for one in await self._ask_all()))

    async def _all_problems(self) -> list[str]:
        return sorted({problem for one in await self._ask_all() for problem in one["problems"]})


def main(descriptor: int) -> int:
    """Entry of a worker process: its order comes over standard input; `descriptor` is the socket to
    the relay that started it. Gives the exit code."""
    import uvloop

    order = Order.from_json(sys.stdin.buffer.read())
    logs.configure(order.settings.log_level)
    relay = socket.socket(fileno=descriptor)
    try:
        uvloop.run(Worker(order, relay).run())
    except (StoreError, KeyFileError, KeyUnavailable, OSError, TimeoutError) as error:
        log.error("worker_cannot_start", reason=str(error) or type(error).__name__)
        return CANNOT_START
    return 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1])))
