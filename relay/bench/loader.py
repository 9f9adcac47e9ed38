"""A load process: `python -m relay.bench.loader`, told what to do on its standard input.

It counts by seconds from the common start, and watches itself: how much of a core it used, and how
late its event loop was. A load process at its limit measures itself, not the relay.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import resource
import signal
import socket
import ssl
import sys
import time
from contextlib import suppress
from typing import Final

import uvloop
from picows import WSError

from .dialling import reach
from .histogram import Histogram
from .load import Load
from .party import CONNECT_S
from .scenarios import SCENARIOS
from .trips import CallFailed
from .wire import (
    MAX_LINE_BYTES,
    Doing,
    Done,
    Failed,
    Finished,
    Go,
    Line,
    Plan,
    Ready,
    Second,
    Stop,
    encode,
    to_load,
)

_LAG_EVERY_S: Final = 0.01
_TOLD_EVERY_S: Final = 0.2
_LEAVE_S: Final = 4.0


def _say(line: Line) -> None:
    sys.stdout.buffer.write(encode(line) + b"\n")
    sys.stdout.buffer.flush()


class _Telling:
    """Says how far it is with what takes time, not too often."""

    _said = "", 0.0

    def __call__(self, what: str, share: float) -> None:
        now_s = time.monotonic()
        if what != self._said[0] or now_s - self._said[1] > _TOLD_EVERY_S:
            self._said = what, now_s
            _say(Doing(what, share))


async def _count_seconds(load: Load, began_s: float) -> None:
    index, since_s = 0, began_s
    while True:
        await asyncio.sleep(began_s + index + 1 - time.monotonic())
        now_s = time.monotonic()
        _say(Second(index, now_s - since_s, *load.take()))
        since_s, index = now_s, index + 1


async def _watch_lag(lag: Histogram) -> None:
    while True:
        due_s = time.monotonic() + _LAG_EVERY_S
        await asyncio.sleep(_LAG_EVERY_S)
        lag.add(max(0.0, time.monotonic() - due_s))


async def _commands() -> tuple[asyncio.StreamReader, asyncio.ReadTransport]:
    reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
    loop = asyncio.get_running_loop()
    pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader, pipe


async def _told(reader: asyncio.StreamReader) -> object:
    """The next command; nobody to work for any more counts as none."""
    line = await reader.readline()
    if not line:
        raise EOFError
    return to_load.decode(line)


async def _main() -> None:
    reader, pipe = await _commands()
    plan = await _told(reader)
    assert isinstance(plan, Plan)
    _allow_connections()
    load = SCENARIOS[plan.scenario](plan, _Telling())
    loop, working = asyncio.get_running_loop(), asyncio.ensure_future(_work(load, reader))
    loop.add_signal_handler(signal.SIGTERM, working.cancel)
    try:
        await working
    except (EOFError, asyncio.CancelledError):
        pass
    except Exception as error:
        why = _why(error, load)
        if not why:
            raise
        _say(Failed(why))
    finally:
        # Whatever came between: no trip stays open on a relay that goes on.
        loop.add_signal_handler(signal.SIGTERM, lambda: None)
        with suppress(CallFailed, OSError, TimeoutError):
            async with asyncio.timeout(_LEAVE_S):
                await load.trips.end_all()
        pipe.close()


async def _work(load: Load, reader: asyncio.StreamReader) -> None:
    """All that a load does. Raises `EOFError` if nobody is there any more to do it for."""
    for url in load.plan.gateway_urls:
        reach(url, CONNECT_S)
    await load.prepare()
    load.take()
    load.has_begun = True
    _say(Ready())
    go = await _told(reader)
    assert isinstance(go, Go)
    await asyncio.sleep(go.at_s - time.monotonic())
    await _loaded(load, reader, go.at_s)


def _why(error: Exception, load: Load) -> str:
    """What went wrong, for a person; empty if that is a mistake of the load's own."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, CallFailed):
        return str(error)
    if isinstance(error, ssl.SSLCertVerificationError):
        return (
            "the relay's certificate is not believed here: it is of another name, too old, or "
            "signed by an authority that this machine does not know. Name a file with that "
            "authority's certificate in SSL_CERT_FILE"
        )
    if isinstance(error, ssl.SSLError):
        return (
            f"no TLS where wss:// or https:// was given ({error.reason or error}): is the port "
            "one that speaks it?"
        )
    if isinstance(error, socket.gaierror):
        return (
            "the name of the gateway's or the API's machine is not known here: see --gateway and "
            "--api for a slip, or name the machine by its address"
        )
    if isinstance(error, OSError) and error.errno == errno.EMFILE:
        return (
            "the load has no more open files: allow more where you start this (`ulimit -n 65536`, "
            "which may need root), or spread it over more processes (--loaders)"
        )
    if isinstance(error, WSError):
        return (
            f"what is at --gateway did not open a WebSocket ({error}): is it the relay's gateway, "
            "and its path /v1/channel?"
        )
    if isinstance(error, OSError | TimeoutError) and load.has_begun:
        return (
            f"the relay answered at first and then no more ({_said(error)}): it may have ended, or "
            "be stuck; its log says why"
        )
    if isinstance(error, ConnectionRefusedError):
        return (
            "nothing listens at the gateway's or the API's address (connection refused): start "
            "the relay, or name another with --gateway and --api"
        )
    if isinstance(error, OSError | TimeoutError):
        return (
            f"the gateway or the API cannot be reached ({_said(error)}): are these the relay's "
            "addresses, and may this machine connect to them?"
        )
    return ""


def _said(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


async def _loaded(load: Load, reader: asyncio.StreamReader, began_s: float) -> None:
    """The load, from the start signal to the last message."""
    # What was made so far stays; no pause of the collector is taken for one of the relay.
    gc.collect()
    gc.freeze()
    gc.disable()
    lag, cpu_before_s = Histogram(), time.process_time()
    watching = [
        asyncio.create_task(_count_seconds(load, began_s)),
        asyncio.create_task(_watch_lag(lag)),
    ]
    running = asyncio.create_task(load.run())
    told = asyncio.create_task(_told(reader))
    try:
        await asyncio.wait((running, told), return_when=asyncio.FIRST_COMPLETED)
        share = (time.process_time() - cpu_before_s) / (time.monotonic() - began_s)
        if not told.done():
            running.result()
            _say(Finished())
        assert isinstance(await told, Stop)
        load.stop.set()
        await running
    finally:
        # Where this is broken off, nothing is begun any more by the time that all is ended.
        for task in (running, told):
            task.cancel()
        await asyncio.gather(running, told, return_exceptions=True)
    lag_times = lag.counts()
    load.told("waiting for what is under way", 1.0)
    await load.settle()
    load.told("ending trips", 1.0)
    try:
        await load.trips.end_all()
    except (CallFailed, OSError) as error:
        load.violations.add("gone", _why(error, load))
    for task in watching:
        task.cancel()
    # What came after the last whole second is told as one that is outside of what is measured.
    _say(Second(-1, 0.0, *load.take()))
    _say(Done(dict(load.violations.counts), load.violations.examples, share, lag_times))


def _allow_connections() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    uvloop.run(_main())
