"""TLS in front of a server, as a balancer brings it: the other side of `wss://`, `https://` and `rediss://`."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit


@asynccontextmanager
async def encrypting(url: str, certificate: Path) -> AsyncIterator[str]:
    """The address at which the server of `url` is reached with TLS."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    plain = urlsplit(url)
    talks: set[asyncio.Task[None]] = set()

    async def talk(app: asyncio.StreamReader, to_app: asyncio.StreamWriter) -> None:
        relay, to_relay = await asyncio.open_connection(plain.hostname, plain.port)
        both = asyncio.gather(_pump(app, to_relay), _pump(relay, to_app))
        try:
            await both
        except OSError:
            pass
        finally:
            to_relay.close()
            to_app.close()

    def accepted(app: asyncio.StreamReader, to_app: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(talk(app, to_app))
        talks.add(task)
        task.add_done_callback(talks.discard)

    server = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    try:
        yield plain._replace(scheme=f"{plain.scheme}s", netloc=f"localhost:{port}").geturl()
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65536):
        sink.write(data)
        await sink.drain()
    sink.close()
