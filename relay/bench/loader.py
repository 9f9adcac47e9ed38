"""A load process: `python -m relay.bench.loader`, told what to do on its standard input.

It counts by seconds from the common start, and watches itself: how much of a core it used, and how
late its event loop was. A load process at its limit measures itself, not the relay.
"""

from __future__ import annotations

import asyncio
import gc
import resource
import ssl
import sys
import time
from typing import Final

import uvloop

from .histogram import Histogram
from .load import Load
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


async def _commands() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=MAX_LINE_BYTES)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


async def _told(reader: asyncio.StreamReader) -> object:
    """The next command; nobody to work for any more counts as none."""
    line = await reader.readline()
    if not line:
        raise EOFError
    return to_load.decode(line)


async def _main() -> None:
    reader = await _commands()
    plan = await _told(reader)
    assert isinstance(plan, Plan)
    _allow_connections()
    load = SCENARIOS[plan.scenario](plan, _Telling())
    try:
        await load.prepare()
        load.take()
        _say(Ready())
        go = await _told(reader)
        assert isinstance(go, Go)
        await asyncio.sleep(go.at_s - time.monotonic())
        await _loaded(load, reader, go.at_s)
    except EOFError:
        return
    except (CallFailed, OSError, TimeoutError) as error:
        _say(Failed(_why(error)))
    except ExceptionGroup as group:
        first = group.exceptions[0]
        if not isinstance(first, CallFailed | OSError | TimeoutError):
            raise
        _say(Failed(_why(first)))


def _why(error: Exception) -> str:
    """What went wrong, for a person."""
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
    if isinstance(error, ConnectionRefusedError):
        return (
            "nothing listens at the gateway's or the API's address (connection refused): start "
            "the relay, or name another with --gateway and --api"
        )
    return f"{type(error).__name__}: {error}"


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
    await asyncio.wait((running, told), return_when=asyncio.FIRST_COMPLETED)
    share = (time.process_time() - cpu_before_s) / (time.monotonic() - began_s)
    if not told.done():
        running.result()
        _say(Finished())
    assert isinstance(await told, Stop)
    load.stop.set()
    await running
    lag_times = lag.counts()
    load.told("waiting for what is under way", 1.0)
    await load.settle()
    load.told("ending trips", 1.0)
    await load.trips.end_all()
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
