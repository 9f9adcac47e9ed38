"""People of the staff at a running relay, with keys of their own for scripts."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import httpx2

from relay.api.auth import KeyScope
from relay.core.casework import StaffScope
from relay.store.operators import OperatorRecord, OperatorRecords

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
    async with relay.store() as store:
        record = OperatorRecord(name, name.title(), StaffScope(scope), int(time.time() * 1000))
        await store.load_scripts()
        assert await OperatorRecords(store).replace(None, record)
    return Staff(name, scope, await relay.new_key(KeyScope(scope), operator=name), relay)
