"""A first figure: messages a second through a relay, accepted and delivered, with everything on.

    python -m tests.load.closed_loop TRIPS IN_FLIGHT SECONDS

Starts a relay of its own (one worker, embedded store with `appendfsync always`), opens TRIPS trips by
HTTP, attaches both parties of each and keeps IN_FLIGHT posts of each party outstanding. Each delivery
is confirmed with `got`. Prints one line: accepted and delivered a second, latency of delivery, and
what went wrong (a run with anything wrong is no figure).
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import msgspec
import uvloop
from picows import WSListener, WSMsgType, ws_connect

from tests.guard.speed import mixed_stream
from tests.support.relay import RelayProcess

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_BINARY = WSMsgType.BINARY


class Tally:
    """What all parties together have seen."""

    accepted = delivered = attached = wrong = 0
    latencies: ClassVar[list[float]] = []


class Party(WSListener):
    """One app: posts, confirms, checks order."""

    #: What people write, 30 % of it with digits: the guard has to read it.
    texts: ClassVar[Iterator[str]] = itertools.cycle(mixed_stream(20_000))

    def __init__(self, token: str) -> None:
        self._token = token
        self._ids = itertools.count(1)
        self._sent: dict[str, float] = {}
        self._last = ""
        self.peer: Party

    def on_ws_connected(self, transport) -> None:  # type: ignore[no-untyped-def]
        self._transport = transport
        self.say({"op": "attach", "token": self._token})

    def say(self, frame: dict[str, object]) -> None:
        self._transport.send(_BINARY, _encode(frame))

    def post(self) -> None:
        name = str(next(self._ids))
        self._sent[name] = time.perf_counter()
        self.say({"op": "post", "id": name, "text": next(Party.texts)})

    def on_ws_frame(self, transport, frame) -> None:  # type: ignore[no-untyped-def]
        if frame.msg_type != _BINARY:
            return
        message = _decode(frame.get_payload_as_memoryview())
        op = message["op"]
        if op == "accepted":
            Tally.accepted += 1
            self.post()
        elif op == "message":
            Tally.delivered += 1
            Tally.latencies.append(time.perf_counter() - self.peer._sent.pop(message["id"]))
            if message["pos"] <= self._last:
                Tally.wrong += 1
            self._last = message["pos"]
            self.say({"op": "got", "pos": message["pos"]})
        elif op == "replayed":
            Tally.attached += 1
        elif op not in ("attached", "presence", "got"):
            Tally.wrong += 1


async def measure(
    relay: RelayProcess, trips: int, in_flight: int, seconds: float
) -> dict[str, float]:
    parties = []
    for number in range(trips):
        tokens = await relay.open_trip(f"load-{number}")
        pair = [Party(tokens["driver"]), Party(tokens["customer"])]
        pair[0].peer, pair[1].peer = pair[1], pair[0]
        parties += pair
    for party in parties:
        await ws_connect(
            lambda *_, p=party: p,
            relay.gateway_url,
            extra_headers={"Sec-WebSocket-Protocol": "relay.v1.msgpack"},
        )
    while Tally.attached < len(parties):
        await asyncio.sleep(0.05)
    for party in parties:
        for _ in range(in_flight):
            party.post()
    await asyncio.sleep(2)
    Tally.latencies.clear()
    before, cpu_before, began = (
        (Tally.accepted, Tally.delivered),
        relay.worker_cpu_s(),
        time.perf_counter(),
    )
    await asyncio.sleep(seconds)
    took = time.perf_counter() - began
    cpu_s = relay.worker_cpu_s() - cpu_before
    accepted, delivered = Tally.accepted - before[0], Tally.delivered - before[1]
    latencies = sorted(Tally.latencies)
    return {
        "accepted_per_s": round(accepted / took),
        "delivered_per_s": round(delivered / took),
        "p50_ms": round(latencies[len(latencies) // 2] * 1000, 2),
        "p99_ms": round(latencies[len(latencies) * 99 // 100] * 1000, 2),
        "relay_cpu_us_per_message": round(cpu_s / max(1, accepted) * 1e6, 1),
        "wrong": Tally.wrong,
    }


async def main(trips: int, in_flight: int, seconds: float) -> None:
    with TemporaryDirectory() as folder:
        # Rate limits raised, not removed.
        settings = {
            "posts_per_s": 1e5,
            "frames_per_s": 1e5,
            "in_flight": 64,
            "channel_messages": 10**8,
        }
        async with RelayProcess(Path(folder), **settings) as relay:
            print(json.dumps(await measure(relay, trips, in_flight, seconds)), flush=True)


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
