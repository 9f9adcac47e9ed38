"""Cycles of a trip, again and again: what is there afterwards that was not there before?

    python -m tests.load.soak CYCLES [AT_ONCE]

A cycle opens a trip by HTTP, connects and attaches both parties, has each post and the other confirm,
ends the trip and sees both sockets closed. Now and then all is at rest, the week for which a closed
trip's record is kept is made to pass, and what the relay and its store hold is looked at: memory,
file descriptors, tasks, connections, channels, subscriptions and keys. The last line says whether it
is what it was (`soak: kept nothing`), and the exit code with it.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import uvloop
from picows import WSListener, WSMsgType, ws_connect

from relay.api.auth import KeyScope
from relay.gateway.finality import MOST
from relay.rig.platform import Platform
from relay.rig.waiting import until
from relay.store import keys
from tests.support.relay import RelayProcess, opening

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode
_BINARY = WSMsgType.BINARY
_PROTOCOL = {"Sec-WebSocket-Protocol": "relay.v1.msgpack"}

#: How long one cycle may take.
_PATIENCE_S = 30.0
#: What may be there more at the end than in the middle, for each cycle between: less than anything
#: that a trip, a connection or a task would leave behind.
_MOST_BYTES_A_CYCLE = 200
#: What memory does by itself, whatever is kept.
_WAVERS_BYTES = 6 * 2**20
#: Descriptors, tasks and keys that come and go by themselves.
_FEW = 4
#: What the news of one ended trip takes in a node's memory.
_NEWS_BYTES = 2048


class Party(WSListener):
    """An app for one trip: attaches, posts once, confirms, waits for the close."""

    def __init__(self, token: str) -> None:
        loop = asyncio.get_running_loop()
        self._token = token
        self.attached, self.got, self.gone = (loop.create_future() for _ in range(3))
        self.is_closed = False

    def on_ws_connected(self, transport: Any) -> None:
        self._transport = transport
        self._say({"op": "attach", "token": self._token})

    def _say(self, frame: dict[str, object]) -> None:
        self._transport.send(_BINARY, _encode(frame))

    def post(self) -> None:
        self._say({"op": "post", "id": "m1", "text": "by the gate", "epoch": 1})

    def on_ws_frame(self, transport: Any, frame: Any) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self.is_closed = frame.get_close_code() == 4500
            transport.send_close(4500)
            transport.disconnect()
            return
        if frame.msg_type != _BINARY:
            return
        message = _decode(frame.get_payload_as_memoryview())
        match message["op"]:
            case "replayed":
                self.attached.set_result(None)
            case "message":
                self._say({"op": "got", "pos": message["pos"]})
            case "got":
                self.got.set_result(None)

    def on_ws_disconnected(self, transport: Any) -> None:
        self.gone.set_result(None)
        for waiting in (self.attached, self.got):
            if not waiting.done():
                waiting.set_exception(ConnectionResetError())
                waiting.exception()


@dataclass(frozen=True)
class Held:
    """What is held at rest."""

    worker_bytes: int
    relay_bytes: int
    store_bytes: int
    worker_fds: int
    relay_fds: int
    store_connections: int
    subscriptions: int
    tasks: int
    #: How many there are of each kind.
    keys: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        shown = asdict(self) | {"keys": sum(count for _, count in self.keys)}
        return ", ".join(
            f"{name[:-6]} {value / 2**20:.1f} MiB" if name.endswith("_bytes") else f"{name} {value}"
            for name, value in shown.items()
        )

    def kept_since(self, before: Held, cycles: int, remembered: int) -> list[str]:
        """What is there that was not there before those cycles. Of `remembered` ended trips a node
        keeps the news (`gateway.finality`), for a while or until there are too many."""
        allowed = _WAVERS_BYTES + cycles * _MOST_BYTES_A_CYCLE + remembered * _NEWS_BYTES
        found = []
        for name, now in asdict(self).items():
            then = getattr(before, name)
            if name.endswith("_bytes"):
                if now - then > allowed:
                    found.append(f"{name}: {(now - then) / cycles:.0f} in each cycle")
            elif name == "keys":
                more = Counter(dict(now)) - Counter(dict(then))
                found += [f"keys {kind}: {count}" for kind, count in more.items() if count > _FEW]
            elif now > then + _FEW:
                found.append(f"{name}: {now - then}")
        return found


class Soak:
    """Cycles on a relay of one worker with a store of its own."""

    def __init__(self, relay: RelayProcess) -> None:
        self._relay = relay
        self._platform = Platform(relay.api_url, relay.key)
        self._numbers = itertools.count()
        self._scraper = ""

    async def run(self, cycles: int, at_once: int) -> None:
        """So many cycles, some of them at a time. Raises if one does not go as it should."""
        left = itertools.count(1)

        async def go_on() -> None:
            while next(left) <= cycles:
                async with asyncio.timeout(_PATIENCE_S):
                    await self._cycle(next(self._numbers))

        async with asyncio.TaskGroup() as group:
            for _ in range(at_once):
                group.create_task(go_on())

    async def _cycle(self, number: int) -> None:
        trip = f"soak-{number}"
        driver, customer = (
            # Each drives and rides again and again.
            {"party_id": f"{role}-{number % 500}", "phone": phone, "alias": alias}
            for role, phone, alias in (
                ("drv", "+6281234567890", "Budi"), ("cus", "+6285711122233", "Sari"),
            )
        )  # fmt: skip
        opened = await self._platform.call(
            "POST", "/v1/trips", opening(trip, driver=driver, customer=customer)
        )
        assert opened.status == 201, opened
        pair = [Party(opened.body[role]["token"]) for role in ("driver", "customer")]
        for party in pair:
            await ws_connect(
                lambda *_, party=party: party, self._relay.gateway_url, extra_headers=_PROTOCOL
            )
        for party in pair:
            await party.attached
            party.post()
        for party in pair:
            await party.got
        ended = await self._platform.call("POST", f"/v1/trips/{trip}/end", {})
        assert ended.status == 200 and ended.body["state"] == "closed", ended
        for party in pair:
            await party.gone
            assert party.is_closed

    async def at_rest(self) -> Held:
        """Let the day pass for which the records of closed trips are kept, and whatever else expires,
        and see what is held."""
        await until(self._is_calm, "all connections are gone", 60)
        async with self._relay.redis() as redis:

            async def is_over() -> bool:
                left = 0
                for number in range(keys.PARTITIONS):
                    due = f"{keys.tag(number)}:due"
                    records = [one for one in await redis.zrange(due, 0, -1) if b"record:" in one]
                    left += len(records)
                    if records:
                        await redis.zadd(due, dict.fromkeys(records, 1), xx=True)
                return left == 0

            await until(is_over, "the records of closed trips are gone", 600)
            kinds = Counter[str]()
            async for key in redis.scan_iter(count=1000):
                if await redis.pttl(key) >= 0:
                    await redis.delete(key)
                else:
                    kinds[_kind(key.decode())] += 1
            info = await redis.info()
            subscriptions = len(await redis.execute_command("PUBSUB SHARDCHANNELS"))
        metrics = await self._metrics()
        assert self._relay.process is not None
        (worker,) = self._relay.workers()
        return Held(
            worker_bytes=int(metrics["relay_memory_bytes"]),
            relay_bytes=_resident_bytes(self._relay.process.pid),
            store_bytes=info["used_memory"],
            worker_fds=_descriptors(worker),
            relay_fds=_descriptors(self._relay.process.pid),
            store_connections=info["connected_clients"],
            subscriptions=subscriptions,
            tasks=int(metrics["relay_tasks"]),
            keys=tuple(sorted(kinds.items())),
        )

    async def _is_calm(self) -> bool:
        metrics = await self._metrics()
        return metrics["relay_connections"] == 0 and metrics["relay_channels"] == 0

    async def _metrics(self) -> dict[str, float]:
        if not self._scraper:
            self._scraper = await self._relay.new_key(KeyScope.METRICS)
        headers = {"Authorization": f"Bearer {self._scraper}"}
        answer = await self._relay.http.get(self._relay.api_url + "/metrics", headers=headers)
        lines = [line.split(" ") for line in answer.text.splitlines() if line[0] not in "#{"]
        return {name: float(value) for name, value, *_ in lines}

    def close(self) -> None:
        self._platform.close()


def _kind(key: str) -> str:
    """A key's name up to what differs from trip to trip and from partition to partition."""
    return re.sub(r"^{p\d+}:(\w+).*|^(relay:\w+).*", r"\1\2", key)


def _resident_bytes(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


async def soak(
    folder: Path, cycles: int, at_once: int, rounds: int, say: Callable[[str], None]
) -> list[str]:
    """Run so many cycles in rounds, the first of which is to warm up; give what was kept."""
    async with RelayProcess(folder, in_flight=64, log_level="warning") as relay:
        run = Soak(relay)
        held = []
        each = -(-cycles // rounds)
        for number in range(rounds):
            began_s = time.monotonic()
            await run.run(each, at_once)
            took_s = time.monotonic() - began_s
            held.append(await run.at_rest())
            say(f"{(number + 1) * each} cycles, {each / took_s:.0f}/s: {held[-1]}")
        run.close()
        more = each * (rounds - 1)
        remembered = max(0, min(MOST, each * rounds) - each)
        return held[-1].kept_since(held[0], more, remembered)


async def main(cycles: int, at_once: int) -> int:
    with TemporaryDirectory() as name:
        kept = await soak(Path(name), cycles, at_once, 10, partial(print, flush=True))
    print(f"soak: kept {'; '.join(kept) or 'nothing'}")
    return 1 if kept else 0


if __name__ == "__main__":
    sys.exit(uvloop.run(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 16)))
