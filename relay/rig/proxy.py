"""A TCP proxy that can be told to misbehave: the tunnel between a phone and the relay, or the
network between a relay and its store."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Self

_READ_BYTES = 65536
_RECEIVE_BYTES = 16384


class Proxy:
    """Forwards to HOST:PORT until it is told otherwise. New connections meet the same fate as those
    that there are."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._there, self._back = asyncio.Event(), asyncio.Event()
        self._there.set()
        self._back.set()
        self.address = ""
        #: Whether new connections are turned away.
        self.is_shut = False
        #: How long everything takes in each direction.
        self.delay_s = 0.0
        #: Which pushed messages of a store do not arrive, by their channel; all else does.
        self.swallows: Callable[[bytes], bool] | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, backlog=4096)
        self.address = f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """End every connection at once and without a word, with what was under way."""
        for writer in self._writers:
            _abort(writer)
        self._writers.clear()

    def hold(self, *, there: bool = True, back: bool = True) -> None:
        """Let nothing through any more, to the target or from it, and close nothing."""
        if there:
            self._there.clear()
        if back:
            self._back.clear()

    def release(self) -> None:
        """Let through what was held, and all that follows."""
        self._there.set()
        self._back.set()

    def abandon(self) -> None:
        """End every connection for who made it; the target hears no word of that."""
        for task in self._tasks:
            task.cancel()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_shut:
            _abort(writer)
            return
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._writers.add(writer)
        try:
            there, back = await self._connect()
        except OSError:
            writer.transport.abort()
            self._writers.discard(writer)
            return
        self._writers.add(back)
        line = _Line()
        try:
            await asyncio.gather(
                self._pump(reader, back, self._there, line.said),
                self._pump(there, writer, self._back, lambda data: line.pushed(data, self)),
                return_exceptions=True,
            )
        except asyncio.CancelledError:
            _abort(writer)
            self._writers.discard(writer)
            return  # the other side stays as it is
        for side in (writer, back):
            self._writers.discard(side)
            side.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        sock = socket.socket()
        # Who is not read from here has to notice it soon.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, self._target)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return await asyncio.open_connection(sock=sock, limit=_RECEIVE_BYTES)
        except BaseException:
            sock.close()
            raise

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flows: asyncio.Event,
        take: Callable[[bytes], bytes],
    ) -> None:  # fmt: skip
        with suppress(OSError):
            while data := await reader.read(_READ_BYTES):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await flows.wait()
                writer.write(take(data))
                await writer.drain()
        writer.close()


class _Line:
    """One connection to a store, as far as it has subscribed to something there."""

    def __init__(self) -> None:
        self._listens = False
        self._rest = b""

    def said(self, data: bytes) -> bytes:
        self._listens = self._listens or b"SUBSCRIBE" in data
        return data

    def pushed(self, data: bytes, proxy: Proxy) -> bytes:
        """What of `data` is to arrive. Messages are left out as a whole, so what follows them can
        be read."""
        if not self._listens:
            return data
        data = self._rest + data
        out = bytearray()
        while (end := _end_of_reply(data)) is not None:
            reply, data = data[:end], data[end:]
            words = reply.split(b"\r\n", 6)
            is_message = words[0] == b"*3" and words[2] in (b"smessage", b"message")
            if not (is_message and proxy.swallows is not None and proxy.swallows(words[4])):
                out += reply
        self._rest = data
        return bytes(out)


def _end_of_reply(data: bytes) -> int | None:
    """Where the first reply ends; None if it is not whole."""
    at, left = 0, 1
    while left:
        end = data.find(b"\r\n", at)
        if end < 0:
            return None
        kind, line, at, left = data[at : at + 1], data[at + 1 : end], end + 2, left - 1
        if kind == b"*":
            left += int(line)
        elif kind == b"$" and line != b"-1":
            at += int(line) + 2
    return at if at <= len(data) else None


def _abort(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    writer.transport.abort()
