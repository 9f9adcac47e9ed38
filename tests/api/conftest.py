"""The API as it runs: a real Valkey, a real HTTP server in the test's own loop, a real client.

Every answer and every log line of every test is searched for the planted phone numbers, and every
error has to be a valid problem document of a status that the OpenAPI document knows.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import os
import re
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import msgspec
import pytest
import structlog
import uvicorn

from relay.api import auth
from relay.api.app import build
from relay.api.connection import Connection
from relay.api.problems import MEANING, ProblemDocument
from relay.api.trips import Limits
from relay.ops.desk import desk_of
from relay.ops.limits import DeskLimits
from relay.store import keys
from relay.store.copies import Copies
from relay.store.endpoint import Endpoint, StoreError
from relay.store.pipe import ServerPipe
from relay.store.records import Attachment, NotAttached
from relay.store.server_process import find_program, server_arguments
from relay.store.store import Store
from relay.vault.ring import KeyRing
from relay.vault.tokens import parse_party_token

DRIVER_PHONE = "+6281234567890"
CUSTOMER_PHONE = "+6285712345678"
OTHER_PHONE = "+12025550123"
THIRD_PHONE = "+4915123456789"
GATEWAY_URL = "wss://gateway.example/v1/channel"
AHEAD_MS = 2 * 24 * 3600 * 1000

PLANTED = {
    DRIVER_PHONE: "81234567890",
    CUSTOMER_PHONE: "85712345678",
    THIRD_PHONE: "15123456789",
}
#: The example of the OpenAPI document may stand there and is no person's.
PUBLIC_EXAMPLES = {OTHER_PHONE: "2025550123"}


def leaks(data: bytes, numbers: dict[str, str] = PLANTED) -> list[str]:
    """The ways in which one of the numbers can be read in these bytes."""
    found = []
    digits = re.sub(rb"[^0-9]+", b"", data)
    for e164, national in numbers.items():
        whole = int(e164[1:])
        shapes = {
            "spaced": national.encode() in digits,
            "integer": whole.to_bytes(8, "big") in data or whole.to_bytes(8, "little") in data,
            "hex": f"{whole:x}".encode() in data.lower(),
            "hex text": national.encode().hex().encode() in data.lower(),
            "base64": any(
                # Inner characters only: those at the edges depend on what stands beside.
                base64.b64encode(b"\0" * shift + national.encode())[4:-4] in data
                for shift in range(3)
            ),
        }
        found += [shape for shape, there in shapes.items() if there]
    return found


class Observed:
    """What came out of the API in a test, and the secrets that must not be in its logs."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, httpx2.Response]] = []
        self.logs: list[bytes] = []
        self.secrets: set[str] = set()
        self.expects_errors = False

    def log(self, _logger: Any, method: str, event: dict[str, Any]) -> dict[str, Any]:
        """A structlog processor."""
        self.logs.append(json.dumps([method, event], default=repr).encode())
        raise structlog.DropEvent

    def emit(self, record: logging.LogRecord) -> None:
        # The client's own log has its URLs, and only the relay's side is on trial.
        if not record.name.startswith(("httpx2", "httpcore2")):
            text = logging.Formatter().format(record)
            self.logs.append(f"{record.name}: {text}".encode())

    def line(self, word: str) -> dict[str, Any]:
        """The one structlog line with this event."""
        lines = [json.loads(line)[1] for line in self.logs if line.startswith(b"[")]
        (found,) = [line for line in lines if line["event"] == word]
        return found


class _Sink(logging.Handler):
    def __init__(self, observed: Observed) -> None:
        super().__init__(logging.DEBUG)
        self._observed = observed

    def emit(self, record: logging.LogRecord) -> None:
        self._observed.emit(record)


@pytest.fixture(autouse=True)
def observed(capfd: pytest.CaptureFixture[str]) -> Iterator[Observed]:
    """Collect all answers and logs, and judge them when the test is over."""
    seen = Observed()
    before = structlog.get_config()
    structlog.configure(
        processors=[seen.log],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        cache_logger_on_first_use=False,
    )
    sink, root = _Sink(seen), logging.getLogger()
    level = root.level
    root.addHandler(sink)
    root.setLevel(logging.DEBUG)
    try:
        yield seen
    finally:
        root.removeHandler(sink)
        root.setLevel(level)
        structlog.configure(**before)
    for _, answer in seen.answers:
        head = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
        assert not leaks(head.encode() + b"\n\n" + answer.content), answer.url.path
        assert answer.headers["cache-control"] == "no-store"
        if answer.status_code >= 400:
            check_problem(answer)
    out = capfd.readouterr()
    for line in [*seen.logs, out.out.encode(), out.err.encode()]:
        assert not leaks(line), "a number is in the log"
        assert not [secret for secret in seen.secrets if secret.encode() in line], "a secret"
    if not seen.expects_errors:
        assert not [line for line in seen.logs if b'"api_failed"' in line]


def check_problem(answer: httpx2.Response) -> None:
    """Assert that this is a problem document as RFC 9457 describes it."""
    assert answer.headers["content-type"] == "application/problem+json"
    if answer.request.method == "HEAD":
        return
    problem = msgspec.json.decode(answer.content, type=ProblemDocument)
    assert MEANING[problem.code] == (answer.status_code, problem.title)
    assert problem.status == answer.status_code
    assert problem.kind == f"urn:relay:problem:{problem.code}"
    assert problem.detail
    assert ("retry-after" in answer.headers) == (
        answer.status_code == 503 or problem.code == "rate"
    )
    assert ("www-authenticate" in answer.headers) == (answer.status_code in (401, 403))
    assert ("allow" in answer.headers) == (answer.status_code == 405)


class Clock:
    """The store's time, which a test may move for the API alone."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return int(time.time() * 1000) + self.ahead_ms


class World:
    """A running API and all that it stands on."""

    driver_phone, customer_phone = DRIVER_PHONE, CUSTOMER_PHONE
    other_phone, third_phone = OTHER_PHONE, THIRD_PHONE
    gateway_url = GATEWAY_URL
    leaks = staticmethod(leaks)

    def __init__(self, store: Store, server: Valkey, observed: Observed) -> None:
        self.store = store
        self._server = server
        self.observed = observed
        self.clock = Clock()
        self.ring = KeyRing().extended(self.clock(), AHEAD_MS, os.urandom)
        self.on_ring: Callable[[], None] = lambda: None
        self.problems: list[str] = []
        self.metrics: Callable[[], bytes] = lambda: b"# no metrics\n"
        self.limits = Limits(
            longest_trip_s=6 * 3600,
            longest_retention_s=30 * 24 * 3600,
            longest_report_window_s=7 * 24 * 3600,
            token_ttl_s=24 * 3600,
            api_key_lifetime_s=0.3,
        )
        self.port = 0
        self.key = ""
        self.http: httpx2.AsyncClient

    async def _readiness(self) -> list[str]:
        return self.problems

    async def _metrics(self) -> bytes:
        return self.metrics()

    def current_ring(self) -> KeyRing:
        self.on_ring()
        return self.ring

    async def new_key(self, scope: str, note: str = "", operator: str = "") -> str:
        key = await auth.new_key(
            self.store.pipe,
            auth.KeyScope(scope),
            note=note,
            now_ms=self.clock(),
            random_bytes=os.urandom,
            operator=operator,
        )
        self.observed.secrets |= {key, key.split("_", 2)[2]}
        return key

    # --- calls ------------------------------------------------------------------------------------

    async def call(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **more: Any
    ) -> httpx2.Response:
        """Make a call with a body as JSON, and the platform's key if no other is given."""
        headers = {"authorization": f"Bearer {self.key if key is None else key}"}
        headers |= more.pop("headers", {})
        if body is not None:
            more["content"] = json.dumps(body).encode()
            headers.setdefault("content-type", "application/json")
        return await self.http.request(method, path, headers=headers, **more)

    def opening(self, trip: str, **changes: Any) -> dict[str, Any]:
        """A good body for `open`."""
        return {
            "trip_id": trip,
            "driver": {"party_id": "driver-19", "phone": DRIVER_PHONE, "alias": "Pak Budi"},
            "customer": {
                "party_id": "rider-7", "phone": CUSTOMER_PHONE, "alias": "Rani", "locale": "en",
            },
            "requested_at": self.clock(),
        } | changes  # fmt: skip

    async def open(self, trip: str, **changes: Any) -> dict[str, Any]:
        """Open a trip; give the answer's body."""
        answer = await self.call("POST", "/v1/trips", self.opening(trip, **changes))
        assert answer.status_code == 201, answer.text
        opened: dict[str, Any] = answer.json()
        return opened

    async def reassign(
        self, trip: str, role: str, party: str, *, epoch: int, phone: str = THIRD_PHONE
    ) -> httpx2.Response:
        body = {"epoch": epoch, "party_id": party, "phone": phone, "alias": "Bu Sari"}
        return await self.call("PUT", f"/v1/trips/{trip}/parties/{role}", body)

    async def end(self, trip: str, **body: Any) -> dict[str, Any]:
        answer = await self.call("POST", f"/v1/trips/{trip}/end", body or None)
        assert answer.status_code == 200, answer.text
        ended: dict[str, Any] = answer.json()
        return ended

    async def get(self, trip: str) -> dict[str, Any]:
        answer = await self.call("GET", f"/v1/trips/{trip}")
        assert answer.status_code == 200, answer.text
        seen: dict[str, Any] = answer.json()
        return seen

    async def attach(self, token: str) -> Attachment | NotAttached:
        """What a gateway would get for this token."""
        shown = parse_party_token(token)
        # A seat counts as taken while its node lives.
        await self.store.pipe.call("ZADD", keys.NODES, 1, "n")
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.store.attach_soon(
            shown.trip, digest=shown.digest, node="n", connection=os.urandom(4).hex(), device="",
            attempt=0, epoch=0, after="", after_id="", page=1, pending=[], callback=answered.set_result,
        )  # fmt: skip
        found = await answered
        if isinstance(found, StoreError):
            raise found
        seated: Attachment | NotAttached = found
        return seated

    async def lets_in(self, token: str) -> bool:
        return isinstance(await self.attach(token), Attachment)

    # --- the store --------------------------------------------------------------------------------

    async def kill_store(self) -> None:
        """End the store's server at once, and wait until the API's connection to it is gone."""
        self._server.end()
        async with asyncio.timeout(5):
            while self.store.pipe.connected:
                await asyncio.sleep(0.01)

    async def dump(self) -> bytes:
        """Everything in the store, as one text."""
        parts = []
        for key in sorted(await self.store.pipe.call("KEYS", "*")):
            kind = await self.store.pipe.call("TYPE", key)
            read = {
                "hash": ("HGETALL", key),
                "stream": ("XRANGE", key, "-", "+"),
                "zset": ("ZRANGE", key, "0", "-1", "WITHSCORES"),
                "list": ("LRANGE", key, "0", "-1"),
                "set": ("SMEMBERS", key),
                "string": ("GETRANGE", key, "0", "-1"),
            }[kind.decode() if isinstance(kind, bytes) else kind]
            parts += [key, *_flat(await self.store.pipe.call(*read))]
        return b"\n".join(parts)

    async def until(self, holds: Callable[[], Awaitable[Any]], limit_s: float = 5.0) -> Any:
        """Wait for a thing itself; give what it was."""
        async with asyncio.timeout(limit_s):
            while not (found := await holds()):
                await asyncio.sleep(0.01)
        return found

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        app = build(
            store=self.store,
            copies=Copies(self.store.pipe, now_s=time.monotonic),
            ring=self.current_ring,
            limits=self.limits,
            now_ms=self.clock,
            random_bytes=os.urandom,
            readiness=self._readiness,
            metrics=self._metrics,
            gateway_url=GATEWAY_URL,
            desk=desk_of(
                self.store, ring=self.current_ring, now_ms=self.clock, random_bytes=os.urandom,
                limits=DeskLimits(evidence_s=86400, record_s=86400, notice_delay_s=86400),
            ),
        )  # fmt: skip
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, lifespan="off", http=Connection, ws="none",
            log_config=None, access_log=False,
        )  # fmt: skip
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        try:
            self.port = server.servers[0].sockets[0].getsockname()[1]
            async with httpx2.AsyncClient(
                base_url=f"http://127.0.0.1:{self.port}",
                trust_env=False,
                verify=False,  # plain HTTP; it only saves the reading of certificates
                event_hooks={"response": [self._look]},
            ) as self.http:
                yield
        finally:
            # Not `shutdown`, which sleeps: a tenth of a second for each test.
            for listener in server.servers:
                listener.close()
            async with asyncio.timeout(5):
                while server.server_state.connections:
                    await asyncio.sleep(0.001)

    async def _look(self, answer: httpx2.Response) -> None:
        await answer.aread()
        self.observed.answers.append((answer.request.method, answer))
        if answer.status_code in (200, 201):
            self.observed.secrets |= set(re.findall(r'"token":"([^"]+)"', answer.text))


def _flat(reply: Any) -> list[bytes]:
    if isinstance(reply, list):
        return [part for item in reply for part in _flat(item)]
    return [reply if isinstance(reply, bytes) else str(reply).encode()]


class Valkey:
    """A server on a Unix socket that keeps nothing."""

    def __init__(self, folder: Path) -> None:
        path = folder / "valkey.sock"
        self.url = f"unix://{path}"
        self._process = subprocess.Popen(
            [find_program(), *server_arguments(path, durable=False)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            cwd=folder,
        )
        end_s = time.monotonic() + 10
        while not path.exists():
            assert self._process.poll() is None
            assert time.monotonic() < end_s
            time.sleep(0.005)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    # A short path: a socket's has a limit of about 100 bytes.
    with tempfile.TemporaryDirectory() as folder:
        server = Valkey(Path(folder))
        try:
            yield server
        finally:
            server.end()


@asynccontextmanager
async def _world(valkey: Valkey, observed: Observed) -> AsyncIterator[World]:
    pipe = ServerPipe(Endpoint.parse(valkey.url), name="api-test", reply_timeout_s=2)
    await pipe.start()
    try:
        await pipe.call("FLUSHALL")
        store = Store(pipe)
        await store.load_scripts()
        world = World(store, valkey, observed)
        world.key = await world.new_key("platform")
        async with world.serving():
            yield world
    finally:
        await pipe.stop()


@pytest.fixture
async def world(valkey: Valkey, observed: Observed) -> AsyncIterator[World]:
    """The API over an empty store, and a key of the scope `platform`."""
    async with _world(valkey, observed) as world:
        yield world


@pytest.fixture
async def mortal(observed: Observed) -> AsyncIterator[World]:
    """The same over a store of its own, which the test may kill."""
    with tempfile.TemporaryDirectory() as folder:
        server = Valkey(Path(folder))
        try:
            async with _world(server, observed) as world:
                yield world
        finally:
            server.end()
