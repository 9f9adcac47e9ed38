"""Puts the API together as an ASGI application."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Route

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
) -> Starlette:
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
    resources = [Route(path, Resource(path, at, keys, admission)) for path, at in by_path.items()]
    app = Starlette(routes=[*resources, *pages])
    # A redirect would repeat the path, which may hold a phone number.
    app.router.redirect_slashes = False
    app.router.default = nothing_here
    return app


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
