"""Five thousand apps that lose their connections and come back at the same moment."""

from __future__ import annotations

import asyncio
import json
import random
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from relay.chaos.traffic import Traffic
from relay.rig.platform import Platform
from relay.rig.process import RelayProcess
from relay.rig.waiting import until
from tests.conftest import ROOMY

APPS = 5000
WITHIN_S = 60.0
#: Files that this process and a worker have open besides.
SPARE = 600


@pytest.fixture
def many_files() -> Iterator[int]:
    """As many open files as this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Phone(asyncio.Protocol):
    """An app reduced to the handshake and `attach`, so that so many fit into one process."""

    def __init__(self, host: str, token: str) -> None:
        self._host, self._token = host, token
        self._attempt = 0
        self.transport: Any = None
        self.is_attached = False
        self._changed = asyncio.Event()
        self._read = bytearray()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._read.clear()
        transport.write(
            f"GET /v1/channel HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n".encode()
        )

    def _attach(self) -> None:
        self._attempt += 1
        attach = {
            "op": "attach", "token": self._token, "device": "phone", "attempt": self._attempt,
            "kinds": ["text"],
        }  # fmt: skip
        body = json.dumps(attach, separators=(",", ":")).encode()
        assert len(body) < 126
        # A mask of zeros leaves the text as it is.
        self.transport.write(bytes((0x81, 0x80 | len(body), 0, 0, 0, 0)) + body)

    def data_received(self, data: bytes) -> None:
        if not self.is_attached:
            was_open = b"\r\n\r\n" in self._read
            self._read += data
            if not was_open and b"\r\n\r\n" in self._read:
                self._attach()
            self.is_attached = b'"op":"attached"' in self._read
            if self.is_attached:
                self._changed.set()

    def connection_lost(self, error: Exception | None) -> None:
        self.is_attached = False
        self.transport = None
        self._changed.set()

    async def come(self) -> None:
        """Attach; try again where that is refused."""
        host, _, port = self._host.partition(":")
        loop = asyncio.get_running_loop()
        while not self.is_attached:
            self._changed.clear()
            try:
                await loop.create_connection(lambda: self, host, int(port))
            except OSError:
                await asyncio.sleep(random.uniform(0.1, 0.5))
            else:
                await self._changed.wait()

    def drop(self) -> None:
        if self.transport is not None:
            self.transport.abort()


async def test_thousands_come_back_at_once(
    tmp_path: Path, many_files: int, show: Callable[[str], None]
) -> None:
    apps = min(APPS, many_files - SPARE)
    print(f"{apps} apps, {many_files} open files")
    async with RelayProcess(tmp_path, "--workers", "2", **(ROOMY | {"ping_s": 600})) as relay:
        platform = Platform(relay.api_url, relay.key)
        host = relay.gateway_url.removeprefix("ws://").partition("/")[0]
        phones: list[Phone] = []

        async def open_trips(numbers: Iterator[int]) -> None:
            for number in numbers:
                answer = await platform.call("POST", "/v1/trips", opening(number))
                assert answer.status == 201, answer.body
                roles = ("driver", "customer")
                phones.extend(Phone(host, answer.body[role]["token"]) for role in roles)

        numbers = iter(range(apps // 2))
        await asyncio.gather(*(open_trips(numbers) for _ in range(16)))
        platform.close()
        async with Traffic([relay], 2, random.Random(1)) as traffic:
            try:
                first_s = await _all_come(phones)
                for phone in phones:
                    phone.drop()
                await until(lambda: not any(one.transport for one in phones), "all are gone")
                again_s = await _all_come(phones)
                served_s = await traffic.served()
            finally:
                for phone in phones:
                    phone.drop()
            account = await traffic.end(60)
        show(
            f"{len(phones)} apps attached within {first_s:.1f} s, and again within {again_s:.1f} s "
            f"after they had all dropped; two others' trip went on, last within {served_s:.1f} s"
        )
        assert len(phones) == apps // 2 * 2
        assert not account.violations()


def opening(number: int) -> dict[str, Any]:
    return {
        "trip_id": f"storm-{number}",
        "driver": {"party_id": f"d{number}", "phone": "+6281234567890", "alias": "Budi"},
        "customer": {"party_id": f"c{number}", "phone": "+6285711122233", "alias": "Sari"},
        "max_duration_s": 3600,
        "requested_at": int(time.time() * 1000),
    }


async def _all_come(phones: list[Phone]) -> float:
    began_s = time.monotonic()
    async with asyncio.timeout(WITHIN_S):
        await asyncio.gather(*(phone.come() for phone in phones))
    return time.monotonic() - began_s
