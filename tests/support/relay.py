"""A whole relay, and the platform that calls it."""

from __future__ import annotations

import time
from typing import Any

import httpx2

from relay.rig import process

DRIVER_PHONE = "+6281234567890"
CUSTOMER_PHONE = "+6285711122233"


class RelayProcess(process.RelayProcess):
    """`relay serve`, and calls to it as the platform's backend makes them."""

    http: httpx2.AsyncClient = None  # type: ignore[assignment]

    async def start(self) -> None:
        await super().start()
        if self.http is None:
            self.http = httpx2.AsyncClient(timeout=10)

    async def stop(self) -> None:
        if self.http is not None:
            await self.http.aclose()
            self.http = None  # type: ignore[assignment]
        await super().stop()

    async def call(
        self, method: str, path: str, body: Any = None, **options: Any
    ) -> httpx2.Response:
        """One call as the platform's backend makes it."""
        headers = {"Authorization": f"Bearer {self.key}"}
        return await self.http.request(
            method, self.api_url + path, json=body, headers=headers, **options
        )

    async def open(self, trip: str, **changes: Any) -> httpx2.Response:
        return await self.call("POST", "/v1/trips", opening(trip, **changes))

    async def open_trip(self, trip: str, **changes: Any) -> dict[str, str]:
        """Open a trip; give the tokens by role."""
        answer = await self.open(trip, **changes)
        assert answer.status_code in (200, 201), answer.text
        found = answer.json()
        return {role: found[role]["token"] for role in ("driver", "customer")}

    async def end_trip(self, trip: str, **body: Any) -> dict[str, Any]:
        answer = await self.call("POST", f"/v1/trips/{trip}/end", body)
        assert answer.status_code == 200, answer.text
        return answer.json()


def opening(trip: str, **changes: Any) -> dict[str, Any]:
    """The body of an `open` that is right, with changes."""
    return {
        "trip_id": trip,
        "driver": {"party_id": "drv-1", "phone": DRIVER_PHONE, "alias": "Budi"},
        "customer": {"party_id": "cus-1", "phone": CUSTOMER_PHONE, "alias": "Sari"},
        "max_duration_s": 3600,
        "requested_at": int(time.time() * 1000),
    } | changes
