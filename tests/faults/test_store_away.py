"""The store hangs or dies under load: posts are refused quickly and with a delay, sockets stay, and
everything comes back by itself."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import statistics
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from relay.chaos.traffic import Traffic
from relay.rig.process import frozen
from relay.rig.texts import chat
from relay.rig.waiting import until
from tests.conftest import ROOMY
from tests.support.party import Party
from tests.support.relay import RelayProcess

#: What OPERATIONS.md states, as parts of `store_timeout_s`: no post waits for longer, whatever the
#: store does, and from when on none waits for a store that hangs.
_TIMEOUT_S = 1.0
_ANSWERED = 1.25
_KNOWN = 0.75
#: A busy machine stands still for as long.
_PATIENCE_S = 3.0


class Prober:
    """A party that posts at a steady pace, and when each post was answered, and how."""

    def __init__(self, party: Party) -> None:
        self.party = party
        self.posted_s: dict[str, float] = {}
        self.answered: dict[str, tuple[float, str]] = {}

    async def probe(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            name = f"probe-{len(self.posted_s)}"
            self.posted_s[name] = loop.time()
            await self.party.post(chat(len(self.posted_s)), id=name)
            await asyncio.sleep(0.05)

    async def note(self) -> None:
        loop, noted = asyncio.get_running_loop(), 0
        while True:
            for frame in self.party.heard[noted:]:
                if frame["op"] in ("accepted", "refused", "unsure"):
                    how = frame.get("code", frame["op"])
                    assert how == "accepted" or frame["retry_after_ms"] > 0, frame
                    self.answered[frame["id"]] = loop.time(), how
            noted = len(self.party.heard)
            await asyncio.sleep(0.005)

    def took_s(self, since_s: float, how: str) -> list[float]:
        """How long those took that were posted since then and were answered so."""
        return [
            answered_s - self.posted_s[name]
            for name, (answered_s, said) in self.answered.items()
            if self.posted_s[name] >= since_s and said == how
        ]


async def _hangs(relay: RelayProcess) -> None:
    """For several times as long as an answer may be owed."""
    async with frozen(relay.store_pid(), 4):
        pass


async def _dies(relay: RelayProcess) -> None:
    """Again and again; it is started anew each time."""
    for _ in range(3):
        os.kill(relay.store_pid(), signal.SIGKILL)

        async def answers() -> bool:
            try:
                async with relay.redis() as redis:
                    return bool(await redis.ping())
            except (RedisError, OSError, ValueError):
                return False

        await until(answers, "it is there again", 20)


@pytest.mark.parametrize("fault", [_hangs, _dies])
async def test_posts_are_refused_quickly_and_everything_comes_back(
    tmp_path: Path,
    fault: Callable[[RelayProcess], Awaitable[None]],
    show: Callable[[str], None],
) -> None:
    async with RelayProcess(tmp_path, **ROOMY, store_timeout_s=_TIMEOUT_S) as relay:
        await _under_load(relay, fault, show)


async def _under_load(
    relay: RelayProcess,
    fault: Callable[[RelayProcess], Awaitable[None]],
    show: Callable[[str], None],
) -> None:
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    loop = asyncio.get_running_loop()
    tokens = await relay.open_trip("probed")
    prober = Prober(await Party.attach(relay.gateway_url, tokens["driver"]))
    async with Traffic([relay], 3, random.Random(seed)) as traffic:
        tasks = [asyncio.create_task(one()) for one in (prober.probe, prober.note)]
        await until(lambda: len(prober.answered) > 10, "posts are accepted")
        began_s = loop.time()
        await fault(relay)
        over_s = loop.time()
        recovered_s = await traffic.served()
        account = await traffic.end()
        await until(lambda: prober.took_s(over_s, "accepted"), "the prober is served, too")
        tasks[0].cancel()
        await until(lambda: len(prober.answered) == len(prober.posted_s), "all are answered")
        tasks[1].cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(outcome, asyncio.CancelledError), outcome
    assert account.violations() == []
    assert prober.party.close_code is None, "the socket did not stay"
    refused_s = prober.took_s(began_s, "store_away")
    late_s = [prober.answered[name][0] - at_s for name, at_s in prober.posted_s.items()]
    show(
        f"the store{fault.__name__.replace('_', ' ')} for {over_s - began_s:.1f} s: {account.figures()}; "
        f"{len(refused_s)} probes refused after {statistics.median(refused_s) * 1000:.0f} ms (median), "
        f"the slowest answered after {max(late_s):.2f} s; served again {recovered_s:.2f} s later"
    )
    assert max(late_s) < _ANSWERED * _TIMEOUT_S + _PATIENCE_S
    if fault is _hangs:
        # When it is known to hang nobody waits for it any more.
        later_s = prober.took_s(began_s + _ANSWERED * _TIMEOUT_S, "store_away")
        assert len(later_s) > 10
        assert statistics.median(later_s) < 0.3


async def test_a_slow_store_is_not_waited_for_and_not_given_up(tmp_path: Path) -> None:
    """Whoever posts while it owes an answer is refused at once; what it took it has taken."""
    async with RelayProcess(tmp_path, **ROOMY, store_timeout_s=8.0) as relay:
        tokens = await relay.open_trip("slow")
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        customer = await Party.attach(relay.gateway_url, tokens["customer"])
        pid = relay.store_pid()
        async with frozen(pid):
            first = await driver.post("under way")
            await asyncio.sleep(_KNOWN * 8.0 + 0.2)
            late = await customer.post("too late")
            refused = await customer.hear("refused", id=late, within_s=5)
            assert "T" in Path(f"/proc/{pid}/stat").read_text().split()[2], "it was waited for"
            assert refused["code"] == "store_away" and refused["retry_after_ms"] > 0
        await driver.hear("accepted", id=first)
        await customer.hear("message", text="under way")
        await customer.accepted("too late", id=late)
        assert driver.close_code is customer.close_code is None
        assert "store_lost" not in relay.log.read_text()


async def test_a_worker_that_stood_still_reads_the_answers_that_came_before_it_gives_up(
    tmp_path: Path,
) -> None:
    async with RelayProcess(tmp_path, store_timeout_s=_TIMEOUT_S) as relay:
        tokens = await relay.open_trip("frozen")
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        (worker,) = relay.workers()
        for _ in range(3):
            async with AsyncExitStack() as thaws, frozen(relay.store_pid()):
                # Meanwhile it is asked for a heartbeat, if it was not before.
                await asyncio.sleep(_TIMEOUT_S / 3)
                await thaws.enter_async_context(frozen(worker, 2 * _TIMEOUT_S))
            await driver.accepted("sudah di lobby")
        assert "store_lost" not in relay.log.read_text()
        assert driver.close_code is None
