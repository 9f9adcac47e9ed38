"""The platform's backend, as far as a load or a fault run plays it: calls of the HTTP API."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httptools
import msgspec

_READ_BYTES: Final = 65536
#: How long a connection is kept that nothing is asked on: the API ends one after five seconds, and
#: might just then.
_KEPT_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Answer:
    """The status of an answer, and its body as JSON (None where it has none)."""

    status: int
    body: Any


class Platform:
    """Calls with one key over connections that are kept: as many as there are calls at a time.

    An `https://` address is believed by the certificate authorities of the system, or by those of
    SSL_CERT_FILE.
    """

    def __init__(self, api_url: str, key: str) -> None:
        parts = urlsplit(api_url)
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (80 if self._tls is None else 443)
        self._headers = (
            f"Host: {parts.netloc}\r\nAuthorization: Bearer {key}\r\n"
            "Content-Type: application/json\r\n"
        )
        self._idle: list[_Connection] = []

    async def call(self, method: str, path: str, body: Any = None) -> Answer:
        """One call. Raises OSError if the API cannot be reached or ends the connection meanwhile:
        what was asked for may then have been done."""
        connection = self._kept() or await self._connect()
        try:
            content = b"" if body is None else msgspec.json.encode(body)
            answer = await connection.call(f"{method} {path}", self._headers, content)
        except BaseException:
            connection.close()
            raise
        if connection.goes_on:
            connection.idle_since_s = time.monotonic()
            self._idle.append(connection)
        else:
            connection.close()
        return answer

    def _kept(self) -> _Connection | None:
        """A connection that is there already, the one used last."""
        while self._idle:
            connection = self._idle.pop()
            if not connection.ended and time.monotonic() - connection.idle_since_s < _KEPT_S:
                return connection
            connection.close()
        return None

    async def _connect(self) -> _Connection:
        return _Connection(*await asyncio.open_connection(self._host, self._port, ssl=self._tls))

    def close(self) -> None:
        while self._idle:
            self._idle.pop().close()


class _Connection:
    """One connection, and the answer that is coming in on it."""

    goes_on = False
    idle_since_s = 0.0

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def call(self, line: str, headers: str, content: bytes) -> Answer:
        self._body, self._is_whole, self.goes_on = bytearray(), False, False
        self._parser = httptools.HttpResponseParser(self)
        head = f"{line} HTTP/1.1\r\n{headers}Content-Length: {len(content)}\r\n\r\n"
        self._writer.write(head.encode() + content)
        while not self._is_whole:
            data = await self._reader.read(_READ_BYTES)
            if not data:
                raise ConnectionResetError("the API ended the connection before its answer")
            self._parser.feed_data(data)
        body = msgspec.json.decode(self._body) if self._body else None
        return Answer(self._parser.get_status_code(), body)

    @property
    def ended(self) -> bool:
        """Whether the API has ended it meanwhile."""
        return self._reader.at_eof() or self._writer.is_closing()

    def on_body(self, data: bytes) -> None:
        self._body += data

    def on_message_complete(self) -> None:
        self._is_whole = True
        # Not later: the parser forgets the answer as soon as this returns.
        self.goes_on = self._parser.should_keep_alive()

    def close(self) -> None:
        self._writer.close()
