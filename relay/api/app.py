"""Puts the API together as an ASGI application."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from starlette.applications import Starlette
from starlette.routing import BaseRoute, compile_path
from starlette.types import ASGIApp, Receive, Scope, Send

from ..ops.desk import Desk
from ..store.copies import Copies
from ..store.store import Store
from ..vault.ring import KeyRing
from .admission import Admission
from .asyncapi import asyncapi
from .auth import ApiKeys
from .calls import Answer, Asked, Call, Resource, nothing_here
from .events import PlatformEvents
from .health import Health
from .limits import Limits
from .openapi import openapi
from .ops import OpsCalls
from .system_messages import SystemMessages
from .trips import Trips


def build(
    *,
    store: Store,
    copies: Copies,
    ring: Callable[[], KeyRing],
    limits: Limits,
    now_ms: Callable[[], int],
    random_bytes: Callable[[int], bytes],
    readiness: Callable[[], Awaitable[Sequence[str]]],
    metrics: Callable[[], Awaitable[bytes]],
    gateway_url: str,
    desk: Desk,
    pages: Sequence[BaseRoute] = (),
) -> ASGIApp:
    """Make the API of one node.

    `copies` tells how far changes have got; `ring` gives the key ring of the moment; `now_ms` the
    store's time in milliseconds; `readiness` what the workers wait for besides keys; `metrics` the
    text for Prometheus; `gateway_url` is what the parties' apps are told; `pages` are served beside
    the calls. Run it with the server's access log off: a path may hold a phone number.
    """
    calls = [
        *Trips(
            store,
            copies,
            desk.sanctions,
            desk.parties,
            ring=ring,
            limits=limits,
            now_ms=now_ms,
            random_bytes=random_bytes,
            gateway_url=gateway_url,
        ).calls(),
        *SystemMessages(store, ring=ring, now_ms=now_ms, random_bytes=random_bytes).calls(),
        *PlatformEvents(desk.events).calls(),
        *OpsCalls(desk).calls(),
        *Health(ring=ring, now_ms=now_ms, readiness=readiness, metrics=metrics).calls(),
    ]
    calls += _documents(calls, gateway_url)
    admission = Admission(limits)
    keys = ApiKeys(store.pipe, lifetime_s=limits.api_key_lifetime_s)
    by_path: dict[str, list[Call]] = {}
    for call in calls:
        by_path.setdefault(call.path, []).append(call)
    resources = [Resource(path, at, keys, admission) for path, at in by_path.items()]
    others = Starlette(routes=pages)
    # A redirect would repeat the path, which may hold a phone number.
    others.router.redirect_slashes = False
    others.router.default = nothing_here
    return _Addresses(resources, others)


class _Addresses:
    """Hands a request to the resource at its address, and all that is none of the API's to the
    pages. A call is spared the framework's way, which looks through all routes and wraps each
    request in what only pages need."""

    def __init__(self, resources: Sequence[Resource], others: ASGIApp) -> None:
        self._others = others
        self._fixed = {one.path: one for one in resources if "{" not in one.path}
        #: By the number of slashes, the others: what each is like, and the resource.
        self._shaped = defaultdict(list)
        for one in resources:
            if one.path not in self._fixed:
                pattern, _, _ = compile_path(one.path)
                self._shaped[one.path.count("/")].append((pattern, one))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["path"]
            if (fixed := self._fixed.get(path)) is not None:
                scope["path_params"] = {}
                await fixed(scope, receive, send)
                return
            for pattern, shaped in self._shaped.get(path.count("/"), ()):
                if match := pattern.match(path):
                    scope["path_params"] = match.groupdict()
                    await shaped(scope, receive, send)
                    return
        await self._others(scope, receive, send)


def _documents(calls: Sequence[Call], gateway_url: str) -> list[Call]:
    """The calls that describe the others, and themselves."""

    def document(path: str, name: str, summary: str) -> Call:
        async def give(asked: Asked[None]) -> Answer:
            return Answer(200, texts[path])

        return Call("GET", path, name, summary, give, {200: None}, media_type="application/json")

    both = [
        document("/openapi.json", "openapi", "This document"),
        document("/asyncapi.json", "asyncapi", "The same for the gateway's sockets"),
    ]
    texts = {
        "/openapi.json": msgspec.json.encode(openapi([*calls, *both])),
        "/asyncapi.json": msgspec.json.encode(asyncapi(gateway_url)),
    }
    return both
