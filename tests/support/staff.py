"""People of the staff at a running relay, with keys of their own for scripts."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import Any

import httpx2

from relay.api.auth import KeyScope, new_key
from relay.core.casework import StaffScope
from relay.store.access import pipe_to
from relay.store.operators import OperatorRecord, OperatorRecords
from relay.store.store import Store

from .relay import RelayProcess


@dataclass(frozen=True)
class Staff:
    """An operator and the personal key."""

    id: str
    scope: str
    key: str
    relay: RelayProcess

    async def call(
        self, method: str, path: str, body: Any = None, **options: Any
    ) -> httpx2.Response:
        """One call of theirs on the API."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return await self.relay.http.request(
            method, self.relay.api_url + path, json=body, headers=headers, **options
        )


async def hired(relay: RelayProcess, name: str, scope: str) -> Staff:
    """Add an operator, who has not signed in yet, and make a key for them."""
    async with pipe_to(relay.store_url, name="test") as pipe:
        now_ms = int(time.time() * 1000)
        record = OperatorRecord(name, name.title(), StaffScope(scope), now_ms)
        store = Store(pipe)
        await store.load_scripts()
        assert await OperatorRecords(store).replace(None, record)
        key = await new_key(
            pipe, KeyScope(scope), note="test", now_ms=now_ms, random_bytes=os.urandom,
            operator=name,
        )  # fmt: skip
    return Staff(name, scope, key, relay)
