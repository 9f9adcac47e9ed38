"""Two parties talk through the SDK, over real sockets."""

import asyncio
import time

import pytest

from relay.client import (
    Accepted,
    Attached,
    AttachRefused,
    ChannelClosed,
    ChannelState,
    Closed,
    ConnectionChanged,
    Message,
    OutboxFull,
    PeerGot,
    PeerSeen,
    PostRefused,
    Presence,
    Problem,
    Refused,
    StateChanged,
    Typing,
    outbox,
)
from tests.client.conftest import CUSTOMER, DRIVER, Connect
from tests.client.scripted_relay import (
    ScriptedRelay,
    be_unsure,
    drop,
    ignore,
    refuse,
    say,
    slowly,
    store_and_be_unsure,
    store_and_drop,
)
from tests.client.watching import attached, crash_after, nothing_more, texts, until


async def test_a_message_is_accepted_delivered_got_and_seen(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver, channel_of(CUSTOMER) as customer:
        told = await asyncio.wait_for(driver.wait_attached(), 5)
        assert (told.role, told.alias, told.trip) == ("driver", "customer-1", "trip-1")

        delivery = await driver.post("I am at the gate")
        accepted = await asyncio.wait_for(delivery.accepted(), 5)
        assert accepted == await until(driver, Accepted)

        message = await until(customer, Message)
        assert (message.sender, message.text, message.id) == (
            "peer",
            "I am at the gate",
            delivery.id,
        )
        assert not relay.said("got"), "the application has not asked for more yet"
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(nothing_more(customer))
            assert (await until(driver, PeerGot)).ids == (delivery.id,)
            await asking
        await customer.seen(message)
        assert (await until(driver, PeerSeen)).pos == message.pos == accepted.pos
        assert driver.outbox == ()


async def test_a_place_travels_with_its_label(relay: ScriptedRelay, channel_of: Connect) -> None:
    async with channel_of(DRIVER) as driver, channel_of(CUSTOMER) as customer:
        await driver.post_location(-6.2, 106.8, "north gate")
        message = await until(customer, Message)
        assert (message.kind, message.lat, message.lon) == ("location", -6.2, 106.8)
        assert message.text == "north gate"


async def test_line_ends_are_made_one(relay: ScriptedRelay, channel_of: Connect) -> None:
    async with channel_of(DRIVER) as driver:
        await asyncio.wait_for((await driver.post("one\r\ntwo\nthree\tfour")).accepted(), 5)
    assert relay.said("post")[0]["text"] == "one\ntwo\nthree\tfour"


async def test_typing_presence_grace_and_problems_are_told(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver:
        async with channel_of(CUSTOMER) as customer:
            await attached(driver)
            await attached(customer)
            await customer.typing(True)
            assert (await until(driver, Typing)).on
            await relay.callers["driver"].say({"op": "presence", "online": False})
            assert not (await until(driver, Presence)).online
        await relay.callers["driver"].say({"op": "state", "state": "grace", "deadline": 5})
        assert await until(driver, StateChanged) == StateChanged("grace", 5)
        assert driver.attached is not None
        assert (driver.attached.state, driver.attached.deadline_ms) == ("grace", 5)
        assert not driver.attached.online
        await relay.callers["driver"].say({"op": "error", "code": "bad_field", "message": "pos"})
        assert await until(driver, Problem) == Problem("bad_field", "pos")


async def test_the_states_of_a_channel(relay: ScriptedRelay, channel_of: Connect) -> None:
    relay.model.store("customer", {"op": "post", "epoch": 1, "id": "early", "text": "hello"})
    async with channel_of(DRIVER) as driver:
        assert driver.state is ChannelState.CONNECTING
        told = [await anext(driver) for _ in range(5)][1:]
        assert isinstance(told[0], Attached)
        assert told[1] == ConnectionChanged(ChannelState.RESUMING)
        assert isinstance(told[2], Message)
        assert told[3] == ConnectionChanged(ChannelState.ATTACHED)
        assert driver.state is ChannelState.ATTACHED
        relay.callers["driver"].drop()
        suspended = await until(driver, ConnectionChanged)
        assert suspended.state is ChannelState.SUSPENDED
        assert suspended.retry_in_s is not None
        assert suspended.cause
        await attached(driver)
        await relay.close_channel("ended")
        assert (await until(driver, Closed)).reason == "ended"
        assert driver.state is ChannelState.CLOSED
    assert driver.closed is not None
    assert driver.closed.code == 4500


async def test_posts_wait_for_a_network_in_their_order(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    port = int(relay.url.split(":")[2].split("/")[0])
    await relay.stop()
    async with channel_of(DRIVER) as driver:
        for number in range(5):
            await driver.post(f"message {number}")
        await until(driver, ConnectionChanged, lambda e: e.state is ChannelState.SUSPENDED)
        assert len(driver.outbox) == 5
        await relay.start(port)
        async with channel_of(CUSTOMER) as customer:
            assert await texts(customer, 5) == [f"message {number}" for number in range(5)]


@pytest.mark.parametrize(
    "fault",
    [drop, store_and_drop, be_unsure, store_and_be_unsure, refuse("store_away", 60), slowly(0.05)],
    ids=["lost", "stored, answer lost", "unsure", "stored, unsure", "put off", "slow"],
)
async def test_whatever_happens_to_a_post_it_comes_once_and_in_order(
    relay: ScriptedRelay, channel_of: Connect, fault: object
) -> None:
    relay.on("post", fault, ScriptedRelay.serve_next, fault, fault)  # type: ignore[arg-type]
    async with channel_of(DRIVER) as driver, channel_of(CUSTOMER) as customer:
        deliveries = [await driver.post(f"message {number}") for number in range(6)]
        assert await texts(customer, 6) == [f"message {number}" for number in range(6)]
        for delivery in deliveries:
            async with asyncio.timeout(5):
                await asyncio.wait_for(delivery.accepted(), 5)
        assert not [e for e in await nothing_more(customer) if isinstance(e, Message)]
    stored = [post_id for _role, post_id, _epoch in relay.model.history]
    assert len(stored) == len(set(stored)) == 6


async def test_a_final_refusal_is_told_and_the_next_posts_go_on(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    relay.on("post", refuse("channel_full"))
    async with channel_of(DRIVER) as driver:
        first, second = await driver.post("first"), await driver.post("second")
        with pytest.raises(PostRefused, match="channel_full"):
            await asyncio.wait_for(first.accepted(), 5)
        await asyncio.wait_for(second.accepted(), 5)
        refused = await until(driver, Refused)
        assert (refused.id, refused.post.text) == (first.id, "first")
        assert driver.outbox[0].text == "second"


async def test_a_text_over_the_limit_is_refused_without_being_sent(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver:
        early = await driver.post("x" * 201)
        assert (await until(driver, Refused)).code == "too_long"
        late = await driver.post("é" * 101)
        assert (await until(driver, Refused)).code == "too_long"
        for delivery in (early, late):
            with pytest.raises(PostRefused, match="200 bytes"):
                await asyncio.wait_for(delivery.accepted(), 5)
    assert not relay.said("post")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("secret\x07", "control"),
        ("secret\x85", "control"),
        ("secret\r", "control"),
        ("secret\ud800", "UTF-8"),
        ("secret" * 3000, "longer"),
    ],
)
async def test_what_no_relay_takes_is_refused_at_once_without_repeating_it(
    channel_of: Connect, text: str, why: str
) -> None:
    async with channel_of(DRIVER) as driver:
        with pytest.raises(ValueError, match=why) as caught:
            await driver.post(text)
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(("lat", "lon"), [(90.1, 0), (0, -180.1), (float("nan"), 0)])
async def test_no_such_place(channel_of: Connect, lat: float, lon: float) -> None:
    async with channel_of(DRIVER) as driver:
        with pytest.raises(ValueError, match="latitude"):
            await driver.post_location(lat, lon)


async def test_a_post_that_waits_holds_back_the_younger_ones(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    relay.on("post", refuse("too_many", 200))
    async with channel_of(DRIVER, in_flight=8) as driver:
        await asyncio.wait_for(driver.wait_attached(), 5)
        first = await driver.post("first")
        await relay.until(lambda: relay.said("post"))
        await asyncio.sleep(0.05)  # the refusal is there
        started_s = time.monotonic()
        second = await driver.post("second")
        await asyncio.wait_for(second.accepted(), 5)
        await asyncio.wait_for(first.accepted(), 5)
        assert time.monotonic() - started_s > 0.1
    assert [frame["id"] for frame in relay.said("post")] == [first.id, first.id, second.id]
    assert not any(frame.get("again") for frame in relay.said("post"))


@pytest.mark.parametrize(("asked", "allowed"), [(1, 16), (4, 16), (9, 3)])
async def test_no_more_posts_are_in_flight_than_asked_and_allowed(
    relay: ScriptedRelay, channel_of: Connect, asked: int, allowed: int
) -> None:
    relay.model.limits["in_flight"] = allowed
    relay.on("post", *[ignore] * 20)
    async with channel_of(DRIVER, in_flight=asked) as driver:
        await asyncio.wait_for(driver.wait_attached(), 5)
        for number in range(12):
            await driver.post(f"message {number}")
        await relay.until(lambda: len(relay.said("post")) == min(asked, allowed))
        await asyncio.sleep(0.05)
        assert len(relay.said("post")) == min(asked, allowed)


async def test_posts_keep_to_the_rate(relay: ScriptedRelay, channel_of: Connect) -> None:
    relay.model.limits["posts_per_s"] = 20.0
    relay.model.limits["posts_burst"] = 20
    async with channel_of(DRIVER, in_flight=16) as driver:
        await asyncio.wait_for(driver.wait_attached(), 5)
        started_s = time.monotonic()
        last = [await driver.post(f"message {number}") for number in range(30)][-1]
        await asyncio.wait_for(last.accepted(), 5)
        # Twenty at once, the other ten one by one.
        assert time.monotonic() - started_s >= 0.5


async def test_the_outbox_has_an_end(channel_of: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "MAX_POSTS", 3)
    async with channel_of(DRIVER) as driver:
        for number in range(3):
            await driver.post(f"message {number}")
        with pytest.raises(OutboxFull, match="3 posts"):
            await driver.post("one more")


async def test_repeated_messages_are_dropped_and_confirmed(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver, channel_of(CUSTOMER) as customer:
        await asyncio.wait_for((await driver.post("hello")).accepted(), 5)
        first = await until(customer, Message)
        entry = relay.model.log[0]
        again = relay.model.message(entry, "customer")
        # As the sender's app makes it when the store lost the first: same id, another place.
        later = {**again, "pos": "0000000000009-0000"}
        caller = relay.callers["customer"]
        for frame in (again, again, later):
            await caller.say(frame)
        reading = asyncio.create_task(nothing_more(customer, 1))
        await relay.until(
            lambda: relay.said("got") and relay.said("got")[-1]["pos"] == later["pos"]
        )
        assert not [event for event in await reading if isinstance(event, Message)]
        assert first.pos < later["pos"]


async def test_without_auto_got_only_the_application_confirms(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver, channel_of(CUSTOMER, auto_got=False) as customer:
        for text in ("one", "two", "three"):
            await driver.post(text)
        messages = [await until(customer, Message) for _ in range(3)]
        await nothing_more(customer)
        assert not relay.said("got")
        await customer.got(messages[1])
        await relay.until(lambda: relay.said("got"))
        assert relay.said("got")[0]["pos"] == messages[1].pos


async def test_a_clean_leave_confirms_the_last_message_and_closes_with_1000(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver:
        for text in ("one", "two"):
            await asyncio.wait_for((await driver.post(text)).accepted(), 5)
        async with channel_of(CUSTOMER) as customer:
            await until(customer, Message)
            last = await until(customer, Message)
            await relay.until(lambda: relay.said("got"))
            # The next receipt would have to wait for its turn.
        await relay.until(lambda: relay.said("got") and relay.said("got")[-1]["pos"] == last.pos)
    await relay.until(lambda: len(relay.codes) == 2)
    assert relay.codes == [1000, 1000]
    assert len(asyncio.all_tasks()) <= 3, "only the test and the relay are left"


async def test_leaving_by_an_exception_confirms_nothing(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver:
        await asyncio.wait_for((await driver.post("hello")).accepted(), 5)
        await crash_after(channel_of(CUSTOMER), lambda customer: until(customer, Message))
        await relay.until(lambda: relay.codes)
        assert not relay.said("got")


async def test_after_leaving_nothing_waits_for_ever(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    relay.on("post", ignore)
    async with channel_of(DRIVER) as driver:
        delivery = await driver.post("hello")
        waiting = asyncio.create_task(delivery.accepted())
        reading = asyncio.create_task(until(driver, Message))
        await relay.until(lambda: relay.said("post"))
    with pytest.raises(ChannelClosed, match="left"):
        await asyncio.wait_for(waiting, 5)
    with pytest.raises(AssertionError, match="ended without"):
        await asyncio.wait_for(reading, 5)
    with pytest.raises(ChannelClosed):
        await driver.post("too late")


async def test_cancelling_the_iterator_loses_no_event(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver, channel_of(CUSTOMER) as customer:
        await attached(driver)
        for _ in range(20):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(driver), 0.001)
        for number in range(5):
            await customer.post(f"message {number}")
        assert await texts(driver, 5) == [f"message {number}" for number in range(5)]


async def test_a_slow_application_stops_the_reading_and_loses_nothing(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    count = 1500
    for number in range(count):
        relay.model.store(
            "driver", {"op": "post", "epoch": 1, "id": f"m{number}", "text": f"{number}"}
        )
    async with channel_of(CUSTOMER) as customer:
        await relay.until(lambda: "customer" in relay.callers)
        caller = relay.callers["customer"]
        async with asyncio.timeout(5):
            while len(customer._events) < 1000:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        assert len(customer._events) <= 1001, "memory grows with what the application does not take"
        assert await texts(customer, count) == [str(number) for number in range(count)]
        assert caller.end.alive, "the same connection brought them all"


async def test_an_op_of_a_later_version_is_ignored(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver:
        await attached(driver)
        caller = relay.callers["driver"]
        await caller.say({"op": "hologram", "size": 3})
        await caller.say({"op": "typing", "on": True, "speed": 7})
        assert await until(driver, Typing) == Typing(True)
        assert caller.end.alive


async def test_a_large_closing_frame_is_read(relay: ScriptedRelay, channel_of: Connect) -> None:
    async with channel_of(DRIVER) as driver:
        await attached(driver)
        ids = [f"{number:036}" for number in range(2000)]
        await relay.callers["driver"].say({"op": "closed", "reason": "ended", "undelivered": ids})
        assert (await until(driver, Closed)).undelivered_ids == tuple(ids)


async def test_a_trip_that_is_over_says_so_at_once(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    relay.model.close("expired")
    async with channel_of(DRIVER) as driver:
        with pytest.raises(AttachRefused, match=r"time is over \(expired, code 4500\)"):
            await asyncio.wait_for(driver.wait_attached(), 5)
        assert [event async for event in driver][-1].reason == "expired"  # type: ignore[union-attr]
        assert [event async for event in driver] == []


async def test_a_frame_the_relay_should_not_send_costs_the_connection_only(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver:
        for bad in ({"op": "typing", "on": 1}, {"op": "attached"}, {"op": "message", "pos": "1"}):
            await attached(driver)
            await relay.callers["driver"].say(bad)
            lost = await until(driver, ConnectionChanged)
            assert lost.state is ChannelState.SUSPENDED
            assert "broke the protocol" in lost.cause
        await attached(driver)


async def test_a_frame_too_large_costs_the_connection_only(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    """Our own 1009, which the relay sends back, is not taken for its word that we sent too much."""
    async with channel_of(DRIVER) as driver:
        await attached(driver)
        await relay.callers["driver"].say({"op": "closed", "padding": "x" * 1_100_000})
        lost = await until(driver, ConnectionChanged)
        assert lost.state is ChannelState.SUSPENDED
        await attached(driver)


async def test_an_answer_before_attached_is_a_breach(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    relay.on("attach", say({"op": "message"}))
    async with channel_of(DRIVER) as driver:
        lost = await until(driver, ConnectionChanged, lambda e: e.state is ChannelState.SUSPENDED)
        assert "out of turn" in lost.cause
        await attached(driver)
