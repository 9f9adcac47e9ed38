"""The services of a running relay's store, and people who are signed in at its console."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx2
import pyotp

from relay.core.casework import StaffScope
from relay.keyfile import KeyFile
from relay.live_ring import LiveRing
from relay.ops.actor import Actor
from relay.ops.desk import Desk, desk_of
from relay.settings import Settings

from .relay import RelayProcess

PASSWORD = "kelapa muda di pagi hari"
_HOST = Actor("host:root", StaffScope.SUPERVISOR, "host")


@asynccontextmanager
async def desk_on(relay: RelayProcess) -> AsyncIterator[Desk]:
    """The services, as a command on the relay's host uses them."""
    ring = LiveRing.of_file(KeyFile(relay.data / "keyring.json"))
    async with relay.store() as store:
        yield desk_of(
            store,
            ring=lambda: ring.ring,
            now_ms=lambda: time.time_ns() // 1_000_000,
            random_bytes=os.urandom,
            limits=Settings().desk_limits,
        )


async def on_host(relay: RelayProcess, *words: str) -> str:
    """Run a command on the relay's host; give what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("RELAY_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relay", *words, "--data", str(relay.data),
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE, env=clean,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


@dataclass
class Visitor:
    """Somebody with a console session, without a browser around it."""

    id: str
    cookie: str
    csrf: str
    relay: RelayProcess

    async def get(self, path: str) -> httpx2.Response:
        return await self._ask("GET", path)

    async def post(self, path: str, csrf: str | None = None, **fields: str) -> httpx2.Response:
        """Post a form of the console's, with the session's token unless another is given."""
        token = self.csrf if csrf is None else csrf
        return await self._ask(
            "POST", path, content=urlencode({"csrf": token} | fields),
            headers={
                "Content-Type": "application/x-www-form-urlencoded",
                "Sec-Fetch-Site": "same-origin",
            },
        )  # fmt: skip

    async def _ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, **options: Any
    ) -> httpx2.Response:
        headers = {"Cookie": f"__Host-relay-ops={self.cookie}"} | (headers or {})
        return await self.relay.http.request(
            method, self.relay.api_url + path, headers=headers, **options
        )


async def visitor(relay: RelayProcess, desk: Desk, name: str, scope: str) -> Visitor:
    """Add an operator, enrol and sign in."""
    ticket = await desk.operators.begin_enrolment(
        await desk.operators.add(_HOST, name, name.title(), StaffScope(scope))
    )
    totp = pyotp.TOTP(ticket.totp_secret)
    await desk.operators.enrol(ticket.ticket, PASSWORD, totp.at(time.time()))
    signed_in = await desk.sessions.sign_in(name, PASSWORD, totp.at(time.time() + 30), "127.0.0.1")
    return Visitor(name, signed_in.cookie, signed_in.session.csrf, relay)
