"""Who is turned away, with what advice, and that nobody else feels it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage

from relay.client import ChannelState, ConnectionChanged
from relay.client import connect as sdk_connect
from relay.gateway.admission import Admission
from relay.gateway.limits import Limits
from relay.rig.waiting import until
from tests.support.party import JSON, Party
from tests.support.relay import RelayProcess

# --- the book ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "counts_as"),
    [
        ("", "9.9.9.9", [], "9.9.9.9"),
        ("", "9.9.9.9", ["8.8.8.8"], "9.9.9.9"),  # nobody's word is taken that was not named
        ("", "10.0.0.1", [], ""),  # a balancer, perhaps: then it is all apps
        ("", "127.0.0.1", ["8.8.8.8"], ""),
        ("10.0.0.0/8", "10.0.0.1", ["8.8.8.8"], "8.8.8.8"),
        ("10.0.0.0/8", "10.0.0.1", ["1.1.1.1, 8.8.8.8"], "8.8.8.8"),  # the rest an app made up
        ("10.0.0.0/8", "10.0.0.1", ["1.1.1.1", "8.8.8.8, 10.0.0.2"], "8.8.8.8"),
        ("10.0.0.0/8", "10.0.0.1", ["192.168.1.5"], "192.168.1.5"),
        ("10.0.0.0/8", "10.0.0.1", ["8.8.8.8:4711"], "8.8.8.8"),
        ("10.0.0.0/8", "10.0.0.1", ["[2a00:1450:1:2:9::9]:4711"], "2a00:1450:1:2::"),
        ("10.0.0.0/8", "10.0.0.1", ["unknown"], ""),
        ("10.0.0.0/8", "::ffff:10.0.0.1", ["8.8.8.8"], "8.8.8.8"),
        ("10.0.0.0/8", "10.0.0.1", [], ""),
        (
            "9.9.9.0/24",
            "9.9.9.9",
            [],
            "",
        ),  # a proxy that is trusted and does not tell: it is all apps
        ("0.0.0.0/0, ::/0", "fe80::1%eth0", ["2a00:1450:1:2:3::4"], "2a00:1450:1:2::"),
        ("", "2a00:1450:1:2:9::9", [], "2a00:1450:1:2::"),  # all of one owner's are one
    ],
)
def test_an_address_is_that_of_the_app(
    trusted: str, peer: str, forwarded: list[str], counts_as: str
) -> None:
    admission = Admission(Limits(trusted_proxies=trusted), 0.0)
    assert admission.address(peer, forwarded) == counts_as


def test_a_fleet_that_comes_at_once_is_told_to_come_one_after_the_other() -> None:
    """As many a second as are let in a second, and none later than a minute or so."""
    admission = Admission(Limits(connections_per_s=100), 50.0)
    outcomes = [admission.comes("", 50.0) for _ in range(20_000)]
    waits_ms = [refusal.retry_after_ms for refusal in outcomes if refusal is not None]
    assert len(waits_ms) == 20_000 - 100
    for second in range(1, 40):
        told = sum(wait_ms <= second * 1000 for wait_ms in waits_ms)
        assert 60 * second <= told <= 100 * second
    assert max(waits_ms) <= 80_000
    assert admission.comes("", 51.0) is None


def test_nothing_stays_of_those_who_have_left() -> None:
    admission = Admission(Limits(), 0.0)
    for number in range(1000):
        now_s = number * 0.1
        address = f"9.9.{number // 250}.{number % 250}"
        assert admission.takes_socket("") == "" and admission.comes(address, now_s) is None
        admission.leaves(address)
        admission.is_known("")
    assert admission.inside == admission.strangers == len(admission._at) == 0
    assert len(admission._by_address) < 200


def test_one_address_that_comes_again_and_again_takes_no_room_from_others() -> None:
    admission = Admission(Limits(), 0.0)
    for number in range(2000):
        now_s = number / 2000
        if admission.comes("9.9.9.9", now_s) is None:
            admission.leaves("9.9.9.9")
        if number % 40 == 0:
            assert admission.comes(f"8.8.8.{number // 40}", now_s) is None


def test_who_shares_an_address_comes_one_after_the_other_too() -> None:
    """The SDK obeys, so that all of them would come again at once, and again."""
    admission = Admission(Limits(address_connections_per_s=50), 0.0)
    outcomes = [admission.comes("9.9.9.9", 0.0) for _ in range(400)]
    waits_ms = [refusal.retry_after_ms for refusal in outcomes if refusal is not None]
    assert len(waits_ms) == 200
    for second in range(1, 4):
        assert 30 * second <= sum(wait_ms <= second * 1000 for wait_ms in waits_ms) <= 50 * second


def test_one_address_that_says_nothing_does_not_fill_what_is_for_strangers() -> None:
    limits = Limits()
    admission = Admission(limits, 0.0)
    taken = [admission.takes_socket("9.9.9.9") for _ in range(20_000)]
    heard = [at for at in taken if at is not None]
    assert admission.strangers == len(heard) < limits.strangers
    assert admission.takes_socket("8.8.8.8") == "8.8.8.8"
    assert admission.comes("8.8.8.8", 0.0) is None
    for at in [*heard, "8.8.8.8"]:
        admission.is_known(at)
    assert admission.strangers == len(admission._strangers_at) == 0


def test_where_files_are_few_most_of_them_are_for_apps() -> None:
    """All of them are used, no more, and strangers have at most about a third."""
    for per_s in (0.5, 20, 500, 100_000):
        wanted = Limits(connections=50_000, connections_per_s=per_s)
        for most in (200, 700, 4_000, 20_000, 60_000):
            found = wanted.with_sockets(most)
            assert most - 2 <= found.sockets <= most or found is wanted
            assert found.connections >= min(50_000, most * 2 // 3, most - 128)
    assert Limits().with_sockets(20_000).connections == 15_000


# --- on real sockets --------------------------------------------------------------------------------


async def _come(relay: RelayProcess, address: str = "") -> ClientConnection:
    headers = {"X-Forwarded-For": address} if address else None
    return await connect(
        relay.gateway_url, subprotocols=[JSON], additional_headers=headers, proxy=None,  # type: ignore[list-item]
        compression=None, open_timeout=20,
    )  # fmt: skip


async def _outcome(connection: ClientConnection) -> int | None:
    """The advised delay in milliseconds, of one that is turned away; None for one that is let in."""
    with suppress(ConnectionClosed):
        await connection.send('{"op":"ping"}')  # nothing to begin with: the answer is 4504
    async with asyncio.timeout(10):
        await connection.wait_closed()
    if connection.close_code == 4504:
        return None
    assert connection.close_code == 4004
    found = re.fullmatch(r"too_many;retry_after_ms=(\d+)", connection.close_reason or "")
    assert found, connection.close_reason
    return int(found[1])


async def _wait_ms(relay: RelayProcess, address: str = "") -> int | None:
    """What one that comes now is told."""
    return await _outcome(await _come(relay, address))


async def turned_away(relay: RelayProcess) -> dict[str, int]:
    text = (await relay.call("GET", "/metrics")).text
    found = re.findall(r'^relay_turned_away_total\{why="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {why: int(float(count)) for why, count in found}


@pytest.fixture
async def guests(relay: RelayProcess) -> tuple[Party, Party]:
    tokens = await relay.open_trip("guests")
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    return driver, await Party.attach(relay.gateway_url, tokens["customer"])


@pytest.fixture(scope="module")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RelayProcess]:
    async with RelayProcess(
        tmp_path_factory.mktemp("relay"), connections_per_s=10, connections=24,
        address_connections=3, address_connections_per_s=2.5, attaches_per_minute=4,
        trusted_proxies="127.0.0.1",
    ) as running:  # fmt: skip
        yield running


async def _earn() -> None:
    """Let the time pass in which a worker's burst is earned again."""
    await asyncio.sleep(1.0)


async def test_more_than_a_worker_takes_in_a_second_are_told_when_to_come(
    relay: RelayProcess, guests: tuple[Party, Party]
) -> None:
    await _earn()
    crowd = await asyncio.gather(*(_come(relay) for _ in range(40)))
    outcomes = await asyncio.gather(*(_outcome(one) for one in crowd))
    waits_ms = [one for one in outcomes if one is not None]
    assert 15 <= len(waits_ms) <= 30, "the burst, and what is earned while they come"
    assert len(set(waits_ms)) > len(waits_ms) // 2, "they are not to come together"
    assert max(waits_ms) > len(waits_ms) * 1000 / 10 * 0.5
    assert (await turned_away(relay))["rate"] >= len(waits_ms)
    driver, customer = guests
    await driver.accepted("unharmed")
    await customer.hear("message", text="unharmed")
    # Whoever obeys is let in.
    await asyncio.sleep(max(waits_ms) / 1000)
    assert await _wait_ms(relay) is None


async def test_the_sdk_comes_when_it_is_told_to(relay: RelayProcess) -> None:
    tokens = await relay.open_trip("patient")
    await _earn()
    crowd = await asyncio.gather(*(_come(relay) for _ in range(25)))
    seen: list[Any] = []
    async with asyncio.timeout(20):
        async with sdk_connect(relay.gateway_url, tokens["driver"]) as channel:
            async for event in channel:
                if isinstance(event, ConnectionChanged):
                    seen.append(event)
                    if event.state is ChannelState.ATTACHED:
                        break
    delays_s = [event.retry_in_s for event in seen if event.state is ChannelState.SUSPENDED]
    assert delays_s and "4004 too_many" in str(seen)
    await asyncio.gather(*(one.close() for one in crowd))


async def test_one_address_has_its_share_and_no_more(relay: RelayProcess) -> None:
    await _earn()
    mine = [await _come(relay, "9.9.9.9") for _ in range(3)]
    assert (await _wait_ms(relay, "9.9.9.9") or 0) >= 10_000
    assert await _wait_ms(relay, "9.9.9.8") is None
    # What an app says of itself counts for nothing: the proxy's word is the last.
    assert (await _wait_ms(relay, "1.2.3.4, 9.9.9.9") or 0) >= 10_000
    await mine[0].close()

    async def is_let_in() -> bool:
        return await _wait_ms(relay, "9.9.9.9") is None

    await until(is_let_in, "there is room for another one of that address")
    await asyncio.gather(*(one.close() for one in mine))
    assert (await turned_away(relay))["address"] >= 2


async def test_who_shows_a_token_again_and_again_is_sent_away_with_it(relay: RelayProcess) -> None:
    tokens = await relay.open_trip("loop")
    await _earn()
    for _ in range(4):
        await (await Party.attach(relay.gateway_url, tokens["driver"])).drop()
    late = await Party.connect(relay.gateway_url)
    await late.say("attach", token=tokens["driver"])
    assert await late.closed() == 4004
    wait_ms = int(late.close_reason.rpartition("=")[2])
    assert 1_000 < wait_ms <= 20_000, "a fourth of a minute"
    await Party.attach(relay.gateway_url, tokens["customer"])
    assert (await turned_away(relay))["attempts"] >= 1


async def test_guessing_tokens_costs_an_address_more_than_coming(relay: RelayProcess) -> None:
    await _earn()
    guesser = await _come(relay, "8.8.4.4")
    await guesser.send('{"op":"attach","token":"guess"}')
    await guesser.wait_closed()
    assert guesser.close_code == 4503
    # It might have come ten times at once; all of that is gone.
    assert 0 < (await _wait_ms(relay, "8.8.4.4") or 0) < 1500


async def test_those_who_say_nothing_are_bounded(relay: RelayProcess) -> None:
    """First they are told to come later, then they are not even heard; they go after five seconds."""
    await _earn()
    host, _, port = relay.gateway_url[5:].partition("/")[0].rpartition(":")
    async with AsyncExitStack() as stack:
        silent = [await asyncio.open_connection(host, int(port)) for _ in range(50)]
        for _, writer in silent:
            stack.callback(writer.close)
        assert await _wait_ms(relay)
        more = [await asyncio.open_connection(host, int(port)) for _ in range(50)]
        for _, writer in more:
            stack.callback(writer.close)
        with pytest.raises((OSError, InvalidMessage)):
            await _come(relay)
        found = await turned_away(relay)
        assert found["strangers"] >= 1 and found["sockets"] >= 1

    async def is_let_in() -> bool:
        try:
            return await _wait_ms(relay) is None
        except (OSError, InvalidMessage):
            return False

    await until(is_let_in, "there is room again")


async def test_a_worker_has_so_many_connections(relay: RelayProcess) -> None:
    for number in range(12):
        tokens = await relay.open_trip(f"full-{number}")
        driver = await Party.come_back(relay.gateway_url, tokens["driver"])
        await Party.come_back(relay.gateway_url, tokens["customer"])
    assert (await _wait_ms(relay) or 0) >= 10_000
    assert (await turned_away(relay))["full"] >= 1
    await driver.accepted("unharmed")
