"""A store that forgets the end of a log and whose clock goes back, as in a failover.

What comes then has smaller positions than what was lost, so a receipt that names a lost position
must count for nothing.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from relay.client import MemoryStorage, Message, PeerGot, connect
from relay.rig.texts import numbered
from relay.rig.waiting import until
from relay.store import keys
from tests.conftest import ROOMY
from tests.support.party import JSON, Party
from tests.support.past import RESUMES_SLOWLY, TELLS_OF_ANOTHER_LOG, Past, slow_to_look
from tests.support.relay import RelayProcess


async def record(relay: RelayProcess, trip: str, field: str) -> str:
    async with relay.redis() as redis:
        return (await redis.hget(keys.trip(trip), field) or b"").decode()


async def settled(customer: Party, driver: Party, pos: str) -> None:
    await customer.say("got", pos=pos)
    await driver.hear("got", pos=pos)


async def test_the_receipt_of_a_lost_place_confirms_nothing_that_came_since(
    relay: RelayProcess,
) -> None:
    tokens = await relay.open_trip("stale")
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    customer = await Party.attach(relay.gateway_url, tokens["customer"])
    first = await driver.accepted("kept")
    await settled(customer, driver, first["pos"])
    past = await Past(relay, "stale").keep()
    await past.leap(10)
    lost = await driver.accepted("lost")
    await settled(customer, driver, lost["pos"])
    await past.come_back()

    for party in (driver, customer):
        assert await party.closed() == 4003, "what it was served is not in the log any more"
    driver = await Party.attach(relay.gateway_url, tokens["driver"], epoch=1, pending=[lost["id"]])
    assert driver.attached["lost"] == [lost["id"]]
    assert driver.attached["peer"]["got"] == first["pos"]
    customer = await Party.attach(relay.gateway_url, tokens["customer"], epoch=1, after=lost["pos"])
    assert customer.texts() == ["kept"]
    smaller = await driver.accepted("comes to a smaller place")
    await past.leap(20)
    larger = await driver.accepted("comes to a larger place")
    assert smaller["pos"] < lost["pos"] < larger["pos"]
    await customer.hear("message", pos=larger["pos"])
    for op in ("got", "seen"):
        await customer.say(op, pos=lost["pos"])
    await customer.say("ping")
    await customer.hear("pong")
    await settled(customer, driver, larger["pos"])
    assert [frame["pos"] for frame in driver.all("got")] == [larger["pos"]]
    assert driver.all("seen") == []
    assert await record(relay, "stale", "c.got") == larger["pos"]
    assert await record(relay, "stale", "c.seen") == ""


async def test_another_message_at_the_place_of_a_lost_one_is_not_taken_for_it(
    tmp_path: Path,
) -> None:
    """Two stores that take writes for a moment both may give one place, to different messages."""
    async with slow_to_look(tmp_path) as relay:
        tokens = await relay.open_trip("same-place")
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        customer = await Party.attach(relay.gateway_url, tokens["customer"])
        past = await Past(relay, "same-place").keep()
        one = await driver.accepted("one", id="one")
        two = await customer.accepted("two", id="two")
        await driver.hear("message", text="two")
        _, (_, kept), (place, _) = await past.entries()
        await past.come_back(then=(place, kept))
        for party in (driver, customer):
            assert await party.closed() == 4003, "the log does not hold what it was served"
        driver = await Party.attach(
            relay.gateway_url, tokens["driver"], epoch=1, pending=["one"], after=two["pos"],
            after_id="two",
        )  # fmt: skip
        assert driver.attached["lost"] == []
        (again,) = driver.all("message")
        assert (again["from"], again["id"]) == ("you", "one")
        assert one["pos"] < again["pos"] == two["pos"]
        customer = await Party.attach(
            relay.gateway_url, tokens["customer"], epoch=1, pending=["two"]
        )
        assert (customer.attached["lost"], customer.texts()) == (["two"], ["one"])
        customer = await Party.attach(
            relay.gateway_url, tokens["customer"], epoch=1, after=again["pos"], after_id="one"
        )
        assert customer.texts() == []


async def test_no_post_gets_before_those_that_the_store_has_lost(tmp_path: Path) -> None:
    """The app knows nothing yet, and goes on over a connection that the relay is about to end."""
    async with slow_to_look(tmp_path) as relay:
        tokens = await relay.open_trip("goes-on")
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        await driver.accepted("kept")
        past = await Past(relay, "goes-on").keep()
        lost = await driver.accepted("lost")
        await past.come_back()

        async def code() -> int | None:
            with suppress(ConnectionClosed):
                await driver.post("made after it")
            return driver.close_code

        assert await until(code, "the end of the connection", 5) == 4003
        driver = await Party.attach(
            relay.gateway_url, tokens["driver"], epoch=1, pending=[lost["id"]]
        )
        assert driver.attached["lost"] == [lost["id"]]
        assert driver.texts() == ["kept"]


async def test_an_app_stays_whose_messages_the_next_store_has(tmp_path: Path) -> None:
    """What it posts before the relay has looked waits for that."""
    async with slow_to_look(tmp_path) as relay:
        tokens = await relay.open_trip("stays")
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        customer = await Party.attach(relay.gateway_url, tokens["customer"])
        await driver.accepted("one")
        past = await Past(relay, "stays").keep()
        await past.come_back()
        await until(lambda: "deliveries_suspended" in relay.log.read_text(), "the store is back")
        accepted = await driver.accepted("two")
        await customer.hear("message", text="two")
        await settled(customer, driver, accepted["pos"])
        assert not driver.all("refused")


async def test_no_post_gets_before_those_that_wait_for_the_next_store(tmp_path: Path) -> None:
    """Also once the relay has looked at this channel, while others are still to be looked at."""
    async with slow_to_look(tmp_path, RESUMES_SLOWLY, **ROOMY) as relay:
        tokens = await relay.open_trip("in-order")
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        await driver.accepted("one")
        past = await Past(relay, "in-order").keep()
        await past.come_back()

        posted = ["one"]

        async def goes_on() -> bool:
            posted.append(await driver.post("lantai 2" if len(posted) % 2 else "siap"))
            await asyncio.sleep(0.02)
            return "deliveries_resumed" in relay.log.read_text()

        await until(goes_on, "the store is taken up")

        def places() -> list[str]:
            # One that was under way as the connection to the store was cut is `unsure`.
            answered = [one for op in ("accepted", "refused", "unsure") for one in driver.all(op)]
            return [one.get("pos", "") for one in answered] if len(answered) >= len(posted) else []

        found = [place for place in await until(places, "all is answered") if place]
        assert len(found) > 10
        assert found == sorted(found)


async def test_what_another_node_tells_counts_only_behind_what_was_served(tmp_path: Path) -> None:
    """Its store may be another one by now, with a log that is as long: there is what it tells, and
    not what came before it. Else it would be shown, and before what the app has missed."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    async with slow_to_look(tmp_path / "one", TELLS_OF_ANOTHER_LOG, **ROOMY) as one:
        other = RelayProcess(tmp_path / "other", **ROOMY)
        other.data = one.data
        async with other:
            tokens = await one.open_trip("elsewhere")
            customer = await Party.attach(other.gateway_url, tokens["customer"])
            driver = await Party.attach(one.gateway_url, tokens["driver"])
            before = await gaps(other)
            for text in TEXTS[:4]:
                await driver.accepted(text)
                await customer.hear("message", text=text)
            assert customer.texts() == [*TEXTS[:4]]
            assert await gaps(other) - before == 4, "each is read from the log"


async def gaps(relay: RelayProcess) -> float:
    text = (await relay.call("GET", "/metrics")).text
    return sum(
        float(line.rpartition(" ")[2])
        for line in text.splitlines()
        if line.startswith("relay_gaps_total")
    )


async def test_a_stale_receipt_hides_no_later_one(relay: RelayProcess) -> None:
    """Also where the record itself names what is lost, as an older relay could make it do."""
    tokens = await relay.open_trip("hides")
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    first = await driver.accepted("one")
    lost = f"{int(first['at']) + 60_000:013}-0000"
    await driver.drop()
    async with relay.redis() as redis:
        await redis.hset(keys.trip("hides"), mapping={"c.got": lost, "c.seen": lost})
    customer = await Party.attach(relay.gateway_url, tokens["customer"])
    assert await record(relay, "hides", "c.got") == await record(relay, "hides", "c.seen") == ""
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    async with relay.redis() as redis:
        await redis.execute_command("XSETID", keys.log("hides", 1), f"{lost[:13]}-1")
    second = await driver.accepted("two")
    await customer.hear("message", pos=second["pos"])
    assert first["pos"] < lost < second["pos"]
    await customer.say("got", pos=lost)

    async def told() -> bool:
        # It may be joined with the stale one, which then stands for both; the next is not.
        await customer.say("got", pos=first["pos"])
        return bool(driver.all("got"))

    await until(told, "the receipt is told", 5)
    assert driver.all("got") == [{"op": "got", "pos": first["pos"]}]
    await driver.drop()
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    assert driver.attached["peer"] == {"alias": "Sari", "online": True, "got": first["pos"]}


@pytest.mark.parametrize("are_apart", [False, True])
async def test_after_counts_as_got(
    two_nodes: tuple[RelayProcess, RelayProcess], are_apart: bool
) -> None:
    one, other = two_nodes
    tokens = await one.open_trip(f"after-{are_apart}")
    driver = await Party.attach(one.gateway_url, tokens["driver"])
    url = other.gateway_url if are_apart else one.gateway_url
    customer = await Party.attach(url, tokens["customer"])
    accepted = await driver.accepted("hello")
    await customer.hear("message")
    await customer.drop()
    await driver.hear("presence", online=False)
    await Party.attach(url, tokens["customer"], epoch=1, after=accepted["pos"])
    await driver.hear("got", pos=accepted["pos"])


class App:
    """A party on the SDK: what it was shown, and which of its posts it takes for confirmed."""

    def __init__(self, relay: RelayProcess, token: str) -> None:
        self._channel = connect(relay.gateway_url, token)
        self.shown: list[str] = []
        self.confirmed: set[str] = set()

    async def __aenter__(self) -> App:
        await self._channel.__aenter__()
        self._listening = asyncio.create_task(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.cancel()
        await asyncio.wait([self._listening])
        await self._channel.__aexit__(None, None, None)

    async def _listen(self) -> None:
        async for event in self._channel:
            match event:
                case Message():
                    self.shown.append(event.text)
                case PeerGot():
                    self.confirmed.update(event.ids)

    async def post(self, text: str) -> str:
        delivery = await self._channel.post(text)
        await delivery.accepted()
        return delivery.id


#: No digits, which the guard would take for a number that comes in pieces.
TEXTS = ("hello", "coming", "by the gate", "left", "I wait", "the red one", "here", "good", "bye")


async def test_two_apps_lose_nothing_by_a_store_that_forgets_twice(
    two_nodes: tuple[RelayProcess, RelayProcess],
) -> None:
    one, other = two_nodes
    tokens = await one.open_trip("twice")
    async with App(one, tokens["driver"]) as driver, App(other, tokens["customer"]) as customer:
        posts = [await driver.post(TEXTS[0])]
        await until(lambda: customer.shown == [TEXTS[0]], "the first arrives")
        past = await Past(one, "twice").keep()
        for text, minutes in zip(TEXTS[1:], (10, 20, 30, 0, 15, 25, 0, 5), strict=True):
            if minutes:
                await past.leap(minutes)
            else:
                await past.come_back()
            posts.append(await driver.post(text))
        await until(lambda: len(customer.shown) == len(TEXTS), "all arrive", 20)
        assert customer.shown == [*TEXTS]
        await until(lambda: driver.confirmed == {*posts}, "all are confirmed", 20)


async def test_a_trip_that_the_store_forgot_goes_on_once_it_is_opened_again(
    two_nodes: tuple[RelayProcess, RelayProcess],
) -> None:
    one, other = two_nodes
    tokens = await one.open_trip("unknown")
    storage = {role: MemoryStorage() for role in tokens}
    shown: list[str] = []
    async with (
        connect(one.gateway_url, tokens["driver"], storage=storage["driver"]) as driver,
        connect(other.gateway_url, tokens["customer"], storage=storage["customer"]) as customer,
    ):
        await driver.wait_attached()
        await customer.wait_attached()
        await (await driver.post(TEXTS[0])).accepted()
        async with one.redis() as redis:
            await redis.delete(keys.trip("unknown"), keys.log("unknown", 1))
        for channel in (driver, customer):
            async with asyncio.timeout(10):
                shown += [e.text async for e in channel if isinstance(e, Message) and e.text]
            assert channel.closed is not None and channel.closed.reason == "bad_token"

    tokens = await other.open_trip("unknown")
    async with (
        connect(other.gateway_url, tokens["driver"], storage=storage["driver"]) as driver,
        connect(one.gateway_url, tokens["customer"], storage=storage["customer"]) as customer,
    ):
        await driver.wait_attached()
        await driver.post(TEXTS[1])
        async with asyncio.timeout(10):
            async for event in customer:
                shown += [event.text] if isinstance(event, Message) and event.text else []
                if TEXTS[1] in shown:
                    break
    assert shown == [*TEXTS[:2]]


async def test_the_parties_are_told_while_nothing_comes_through(own_relay: RelayProcess) -> None:
    """The store hangs: the sockets stay, posts are refused or wait, and all goes on by itself."""
    tokens = await own_relay.open_trip("hung")
    driver = await Party.attach(own_relay.gateway_url, tokens["driver"])
    customer = await Party.attach(own_relay.gateway_url, tokens["customer"], JSON)
    await driver.accepted(numbered(1))
    deadline = driver.attached["deadline"]
    os.kill(own_relay.store_pid(), signal.SIGSTOP)
    try:
        for party in (driver, customer):
            told = await party.hear("state", within_s=10)
            assert (told["state"], told["deadline"]) == ("suspended", deadline)
    finally:
        os.kill(own_relay.store_pid(), signal.SIGCONT)
    for party in (driver, customer):
        told = await party.hear("state", within_s=10)
        assert (told["state"], told["deadline"]) == ("open", deadline)
    await driver.accepted(numbered(2))
    await customer.hear("message", text=numbered(2))
    assert driver.close_code is None and customer.close_code is None
