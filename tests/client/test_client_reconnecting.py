"""What the SDK does when a connection ends, the store forgets, or another party takes the seat."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.asyncio.server import serve

from relay.client import (
    Accepted,
    AttachRefused,
    ChannelClosed,
    ChannelState,
    Closed,
    ConnectionChanged,
    HandedBack,
    MemoryStorage,
    Message,
    PeerGot,
    Reassigned,
    Refused,
    connect,
    conversation,
    outbox,
)
from relay.client.backoff import full_jitter_s, reconnect_delay_s
from tests.client.conftest import CUSTOMER, DRIVER, Connect
from tests.client.scripted_relay import (
    Caller,
    ScriptedRelay,
    close,
    drop,
    ignore,
    refuse,
    store_and_drop,
)
from tests.client.watching import attached, nothing_more, texts, until

SECOND_TOKEN = "second-token-of-the-driver-77"


@settings(deadline=None)
@given(tries=st.integers(0, 10_000), draw=st.floats(0, 1, exclude_max=True))
def test_jitter_is_drawn_from_the_whole_span(tries: int, draw: float) -> None:
    delay_s = full_jitter_s(tries, lambda: draw)
    assert delay_s == draw * min(30.0, 0.5 * 2 ** min(tries, 100))
    assert 0 <= delay_s <= 30


@settings(deadline=None)
@given(st.integers(0, 20), st.none() | st.integers(0, 10**30), st.floats(0, 1, exclude_max=True))
def test_advice_is_followed_up_to_an_hour(tries: int, advised_ms: int | None, draw: float) -> None:
    delay_s = reconnect_delay_s(tries, advised_ms, lambda: draw)
    if advised_ms:
        assert delay_s == min(3600, advised_ms / 1000)
    else:
        assert delay_s == full_jitter_s(tries, lambda: draw)


@pytest.mark.parametrize("code", [1001, 1006, 1011, 1013, 3000, 4000, 4001, 4002, 4003, 4004, 4444])
async def test_codes_after_which_the_app_comes_back(
    relay: ScriptedRelay, channel_of: Connect, code: int
) -> None:
    async with channel_of(DRIVER) as driver:
        await attached(driver)
        caller = relay.callers["driver"]
        if code == 1006:
            caller.drop()
        else:
            await caller.close(code, "some_reason")
        suspended = await until(driver, ConnectionChanged)
        assert suspended.state is ChannelState.SUSPENDED
        if code != 1006:
            assert str(code) in suspended.cause
        await attached(driver)
    first, second = relay.said("attach")
    assert first["device"] == second["device"]
    assert first["attempt"] < second["attempt"]
    assert "epoch" not in first
    assert second["epoch"] == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (1002, "protocol_error"),
        (1007, "invalid_text"),
        (1009, "message_too_big"),
        (4501, "taken_over"),
        (4503, "bad_token"),
        (4504, "bad_frame"),
        (4505, "unsupported"),
        (4999, "code_4999"),
    ],
)
async def test_codes_after_which_the_app_stops_and_keeps_its_posts(
    relay: ScriptedRelay, channel_of: Connect, code: int, reason: str
) -> None:
    relay.on("post", ignore)
    async with channel_of(DRIVER) as driver:
        await attached(driver)
        delivery = await driver.post("hello")
        await relay.until(lambda: relay.said("post"))
        await relay.callers["driver"].close(code, "reason")
        closed = await until(driver, Closed)
        assert (closed.reason, closed.code, closed.undelivered) == (reason, code, ())
        assert [post.text for post in closed.kept] == ["hello"]
        with pytest.raises(ChannelClosed, match=str(code)):
            await asyncio.wait_for(delivery.accepted(), 5)
        assert await nothing_more(driver) == []
    assert len(relay.said("attach")) == 1


async def test_a_refused_attach_says_why(relay: ScriptedRelay, channel_of: Connect) -> None:
    async with channel_of("no-such-token") as channel:
        with pytest.raises(AttachRefused, match="unknown or was revoked") as caught:
            await asyncio.wait_for(channel.wait_attached(), 5)
    assert caught.value.closed.code == 4503


async def test_the_advised_delay_is_waited_for(relay: ScriptedRelay, channel_of: Connect) -> None:
    relay.on("attach", close(4000, "draining;retry_after_ms=300"))
    async with channel_of(DRIVER, rng=lambda: 0.0) as driver:
        suspended = await until(
            driver, ConnectionChanged, lambda e: e.state is ChannelState.SUSPENDED
        )
        assert suspended.retry_in_s == 0.3
        started_s = time.monotonic()
        await attached(driver)
        assert time.monotonic() - started_s >= 0.29


async def test_delays_grow_while_nobody_answers(channel_of: Connect, relay: ScriptedRelay) -> None:
    await relay.stop()
    async with channel_of(DRIVER) as driver:
        delays = [
            (await until(driver, ConnectionChanged, lambda e: e.retry_in_s is not None)).retry_in_s
            for _ in range(4)
        ]
    assert delays == [0.01, 0.02, 0.04, 0.08]


async def test_hours_without_a_network_leave_one_event(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    await relay.stop()
    async with channel_of(DRIVER, rng=lambda: 0.001) as driver:
        await asyncio.sleep(0.3)
        events = []
        async with asyncio.timeout(5):
            events.append(await anext(driver))
        while driver._events:
            events.append(await anext(driver))
        assert len(events) <= 2
        last = events[-1]
        assert isinstance(last, ConnectionChanged)
        assert last.state is driver.state


async def test_a_steady_connection_starts_the_count_anew(
    relay: ScriptedRelay, channel_of: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relay.client.link.STEADY_S", 0.1)
    relay.on("attach", drop, drop)
    async with channel_of(DRIVER) as driver:
        await attached(driver)
        await asyncio.sleep(0.15)
        relay.callers["driver"].drop()
        last = await until(driver, ConnectionChanged)
        assert last.retry_in_s == 0.01


async def test_an_expired_token_is_fetched_anew(relay: ScriptedRelay, channel_of: Connect) -> None:
    tokens = iter([DRIVER, SECOND_TOKEN])

    async def fetch() -> str:
        return next(tokens)

    relay.on("attach", close(4100, "token_expired"))
    async with channel_of(fetch) as driver:
        await attached(driver)
        relay.callers["driver"].drop()
        await attached(driver)
    assert relay.tokens == [DRIVER, SECOND_TOKEN, SECOND_TOKEN]


async def test_an_expired_token_that_cannot_be_fetched_stops(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    relay.on("attach", close(4100, "token_expired"))
    async with channel_of(DRIVER) as driver:
        with pytest.raises(AttachRefused, match="callable that fetches one"):
            await asyncio.wait_for(driver.wait_attached(), 5)


async def test_a_backend_that_fails_is_asked_again(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    answers: list[object] = [OSError("no backend"), "", 7, DRIVER]

    def fetch() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[return-value]

    async with channel_of(fetch) as driver:
        lost = await until(driver, ConnectionChanged, lambda e: e.state is ChannelState.SUSPENDED)
        assert lost.cause == "no token (OSError)"
        await attached(driver)


async def test_resuming_brings_what_was_missed_once(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver, channel_of(CUSTOMER) as customer:
        await customer.post("one")
        assert await texts(driver, 1) == ["one"]
        relay.callers["driver"].drop()
        await customer.post("two")
        await customer.post("three")
        assert await texts(driver, 2) == ["two", "three"]
        assert not [e for e in await nothing_more(driver) if isinstance(e, Message)]
        await relay.until(lambda: len(relay.said("got")) > 0)


async def test_a_receipt_lost_with_the_connection_is_repeated(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    relay.on("got", drop)
    async with channel_of(DRIVER) as driver, channel_of(CUSTOMER) as customer:
        delivery = await driver.post("hello")
        reading = asyncio.create_task(nothing_more(customer, 2))
        assert (await until(driver, PeerGot, lambda e: e.ids)).ids == (delivery.id,)
        assert [e.text for e in await reading if isinstance(e, Message)] == ["hello"]


async def test_a_dropped_replay_is_taken_up_again(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    for number in range(40):
        relay.model.store(
            "driver", {"op": "post", "epoch": 1, "id": f"m{number}", "text": f"{number}"}
        )
    cuts = [5, 23]

    async def cut(caller: Caller, frame: dict[str, object]) -> None:
        relay.model.attach(caller.end, "customer", frame)
        keep = cuts.pop(0)
        while len(caller.end.out) > keep:
            caller.end.out.pop()
        await caller.flush()
        caller.drop()

    relay.on("attach", cut, cut)
    async with channel_of(CUSTOMER) as customer:
        assert await texts(customer, 40) == [str(number) for number in range(40)]
    assert len(relay.said("attach")) == 3


async def test_what_the_store_forgot_is_posted_again(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver, channel_of(CUSTOMER) as customer:
        await attached(customer)
        relay.on("got", *[ignore] * 9)
        for text in ("one", "two", "three"):
            await asyncio.wait_for((await driver.post(text)).accepted(), 5)
        assert await texts(customer, 1) == ["one"]
        for caller in tuple(relay.callers.values()):
            caller.drop()
        relay.model.lose_tail(3)
        assert await texts(customer, 2) == ["two", "three"]
        assert not [e for e in await nothing_more(customer) if isinstance(e, Message)]
        moved = [event for event in await nothing_more(driver) if isinstance(event, Accepted)]
        assert len(moved) >= 3, "the application is told the new places"
    posts = relay.said("post")
    assert [frame["text"] for frame in posts] == ["one", "two", "three"] * 2
    assert [frame.get("again", False) for frame in posts] == [False] * 3 + [True] * 3


async def test_more_than_a_hundred_unconfirmed_posts_survive_a_failover(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER, in_flight=16) as driver:
        await attached(driver)
        deliveries = [await driver.post(f"{number}") for number in range(150)]
        await deliveries[-1].accepted()
        relay.callers["driver"].drop()
        relay.model.lose_tail(120)
        async with channel_of(CUSTOMER) as customer:
            assert await texts(customer, 150) == [f"{number}" for number in range(150)]
    assert [len(f["pending"]) for f in relay.said("attach") if f.get("pending")] == [100]
    assert len(relay.model.history) == 150 + 120


async def test_a_reassignment_hands_back_what_was_not_delivered(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    relay.model.store("driver", {"op": "post", "epoch": 1, "id": "d0", "text": "from before"})
    async with channel_of(DRIVER) as driver:
        async with channel_of(CUSTOMER) as customer:
            await attached(driver)
            confirmed = await driver.post("confirmed")
            reading = asyncio.create_task(nothing_more(customer, 0.5))
            await until(driver, PeerGot, lambda e: confirmed.id in e.ids)
            await reading
        accepted = await driver.post("accepted")
        await asyncio.wait_for(accepted.accepted(), 5)
        relay.on("post", ignore)
        unanswered = await driver.post("unanswered")
        await relay.until(lambda: len(relay.said("post")) == 3)
        queued = await driver.post("queued")

        relay.model.reassign("customer", "customer-2")
        told = await until(driver, Reassigned)
        assert (told.epoch, told.alias) == (2, "customer-2")
        assert driver.attached is not None
        assert (driver.attached.epoch, driver.attached.alias) == (2, "customer-2")
        back = [accepted, unanswered, queued]
        assert [post.id for post in told.undelivered] == [delivery.id for delivery in back]
        for delivery in (unanswered, queued):
            with pytest.raises(HandedBack):
                await asyncio.wait_for(delivery.accepted(), 5)
        assert driver.outbox == ()

        async with channel_of(CUSTOMER) as newcomer:
            await driver.post("hello, newcomer")
            assert await texts(newcomer, 1) == ["hello, newcomer"]
            await newcomer.post("hello, driver")
            assert await texts(driver, 1) == ["hello, driver"]
    assert all(epoch == 2 for _r, _i, epoch in relay.model.history[3:])


async def test_a_reassignment_while_away_hands_back_as_well(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver:
        accepted = await driver.post("accepted")
        await asyncio.wait_for(accepted.accepted(), 5)
        relay.on("attach", drop, drop)
        relay.callers["driver"].drop()
        await until(driver, ConnectionChanged, lambda e: e.state is ChannelState.SUSPENDED)
        queued = await driver.post("queued")
        relay.model.reassign("customer", "customer-2")
        told = await until(driver, Reassigned)
        assert [post.id for post in told.undelivered] == [accepted.id, queued.id]
        assert driver.attached is not None
        assert driver.attached.alias == "customer-2"
        await nothing_more(driver)
    assert relay.model.log == [], "nothing reached the new party"


async def test_a_post_that_crossed_with_the_reassignment_stops_the_ones_behind_it(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    relay.on("post", refuse("reassigned"))
    async with channel_of(DRIVER) as driver:
        first = await driver.post("first")
        await driver.post("second")
        refused = await until(driver, Refused)
        assert (refused.id, refused.code) == (first.id, "reassigned")
        await nothing_more(driver)
        assert len(relay.said("post")) == 1, "the second is not for the new party either"
        relay.model.reassign("customer", "customer-2")
        told = await until(driver, Reassigned)
        assert [post.text for post in told.undelivered] == ["second"]


async def test_the_close_hands_back_what_was_not_delivered(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    storage = MemoryStorage()
    async with channel_of(DRIVER, storage=storage) as driver:
        accepted = await driver.post("accepted")
        await asyncio.wait_for(accepted.accepted(), 5)
        relay.on("post", ignore)
        unanswered = await driver.post("unanswered")
        await relay.until(lambda: len(relay.said("post")) == 2)
        await relay.close_channel("ended")
        closed = await until(driver, Closed)
        assert (closed.reason, closed.code, closed.kept) == ("ended", 4500, ())
        assert [post.id for post in closed.undelivered] == [accepted.id, unanswered.id]
        with pytest.raises(ChannelClosed, match="the trip has ended"):
            await asyncio.wait_for(unanswered.accepted(), 5)
        with pytest.raises(ChannelClosed):
            await driver.post("too late")
        assert [event async for event in driver] == []
    assert b"unanswered" not in (await storage.load() or b"")


async def test_a_close_heard_of_later_tells_the_same(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    """What the peer confirmed meanwhile is delivered; what the relay lists is not."""
    async with channel_of(DRIVER) as driver:
        first = await driver.post("first")
        second = await driver.post("second")
        await asyncio.wait_for(first.accepted(), 5)
        await asyncio.wait_for(second.accepted(), 5)
        relay.callers["driver"].drop()
        relay.model.got["customer"] = relay.model.log[0].pos
        relay.model.close("ended")
        assert (await until(driver, PeerGot)).ids == (first.id,)
        closed = await until(driver, Closed)
        assert [post.id for post in closed.undelivered] == [second.id]


async def test_a_party_that_lost_its_seat_is_told(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(CUSTOMER) as customer:
        delivery = await customer.post("hello")
        await asyncio.wait_for(delivery.accepted(), 5)
        caller = relay.callers["customer"]
        relay.model.reassign("customer", "customer-2")
        await caller.flush()
        closed = await until(customer, Closed)
        assert (closed.reason, closed.code) == ("reassigned", 4502)
        assert [post.id for post in closed.undelivered] == [delivery.id]


async def test_the_last_connection_of_a_party_wins_and_the_other_stops(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as phone:
        await attached(phone)
        async with channel_of(DRIVER) as tablet:
            assert (await until(phone, Closed)).reason == "taken_over"
            await tablet.post("hello")
            await attached(tablet)
    assert len(relay.said("attach")) == 2, "they do not steal the seat from each other in a loop"


async def test_a_connection_that_owes_an_answer_is_given_up(
    relay: ScriptedRelay, channel_of: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "ANSWER_TIMEOUT_S", 0.2)
    relay.on("post", ignore)
    async with channel_of(DRIVER) as driver:
        delivery = await driver.post("hello")
        lost = await until(driver, ConnectionChanged, lambda e: e.state is ChannelState.SUSPENDED)
        assert lost.cause == "the connection was given up"
        await asyncio.wait_for(delivery.accepted(), 5)
    assert len(relay.said("attach")) == 2
    assert relay.said("post")[1]["again"]


async def test_a_relay_that_does_not_answer_the_attach_is_given_up(
    relay: ScriptedRelay, channel_of: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "ATTACH_TIMEOUT_S", 0.2)
    relay.on("attach", ignore)
    async with channel_of(DRIVER) as driver:
        await attached(driver)
    assert len(relay.said("attach")) == 2


async def test_dropped_at_every_frame_two_parties_still_talk(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async def cut_at_times(caller: Caller, frame: dict[str, object]) -> None:
        await caller.relay.serve(caller, frame)
        await caller.flush()
        caller.drop()

    async with channel_of(DRIVER) as driver, channel_of(CUSTOMER) as customer:
        await attached(driver)
        await attached(customer)
        relay.on("post", *[cut_at_times, store_and_drop, drop] * 3)
        relay.on("got", *[drop, cut_at_times] * 3)
        for number in range(6):
            await driver.post(f"d{number}")
            await customer.post(f"c{number}")
        async with asyncio.TaskGroup() as group:
            at_driver = group.create_task(texts(driver, 6, limit_s=10))
            at_customer = group.create_task(texts(customer, 6, limit_s=10))
        assert at_driver.result() == [f"c{number}" for number in range(6)]
        assert at_customer.result() == [f"d{number}" for number in range(6)]


# --- what answers is no gateway -------------------------------------------------------------------


@pytest.fixture
async def answers() -> AsyncIterator[tuple[str, list[bytes], list[bytes]]]:
    """An HTTP server: its address, what it is to answer (the last one for ever), what it heard."""
    responses: list[bytes] = []
    heard: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(responses.pop(0) if len(responses) > 1 else responses[0])
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        yield f"ws://127.0.0.1:{port}/v1/channel", responses, heard


def http(status: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "Content-Length: 0", "", ""]).encode()


Answers = tuple[str, list[bytes], list[bytes]]


async def test_an_http_error_is_tried_again(answers: Answers) -> None:
    url, responses, heard = answers
    responses.append(http("503 Service Unavailable"))
    async with connect(url, DRIVER, rng=lambda: 0.02) as driver:
        for _ in range(2):
            lost = await until(driver, ConnectionChanged, lambda e: e.retry_in_s is not None)
            assert lost.cause == "HTTP 503"
    assert len(heard) >= 2
    assert all(DRIVER.encode() not in request for request in heard)


async def test_a_balancer_that_names_a_time_is_obeyed(answers: Answers) -> None:
    """And all its callers are told the same, so a random time is waited besides."""
    url, responses, _ = answers
    responses.append(http("503 Service Unavailable", "Retry-After: 30"))
    async with connect(url, DRIVER, rng=lambda: 0.5) as driver:
        lost = await until(driver, ConnectionChanged, lambda e: e.retry_in_s is not None)
    assert lost.retry_in_s == 30 + 0.5 * 0.5


async def test_a_wrong_path_stops(answers: Answers) -> None:
    url, responses, heard = answers
    responses.append(http("404 Not Found"))
    async with connect(url, DRIVER) as driver:
        with pytest.raises(AttachRefused, match="no gateway at this address") as caught:
            await asyncio.wait_for(driver.wait_attached(), 5)
    assert (caught.value.closed.reason, caught.value.closed.code) == ("no_gateway", None)
    assert len(heard) == 1


async def test_a_server_that_chooses_no_subprotocol_stops() -> None:
    async with serve(lambda socket: socket.wait_closed(), "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/v1/channel", DRIVER) as driver:
            with pytest.raises(AttachRefused, match=r"update it.*4505"):
                await asyncio.wait_for(driver.wait_attached(), 5)


async def test_a_redirect_is_not_followed(answers: Answers, relay: ScriptedRelay) -> None:
    url, responses, heard = answers
    responses.append(http("302 Found", f"Location: {relay.url}"))
    async with connect(url, DRIVER, rng=lambda: 0.02) as driver:
        await until(driver, ConnectionChanged, lambda e: e.cause == "HTTP 302")
    assert heard
    assert not relay.tokens, "whoever redirects would get the token"


async def test_a_proxy_of_the_environment_is_not_used(
    relay: ScriptedRelay,
    channel_of: Connect,
    answers: Answers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url, responses, heard = answers
    responses.append(http("502 Bad Gateway"))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, url.replace("ws:", "http:").replace("/v1/channel", ""))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    async with channel_of(DRIVER) as driver:
        await attached(driver)
    assert not heard


@pytest.mark.parametrize(
    "url",
    ["http://gateway/v1/channel", "gateway/v1/channel", "wss:///x", "", "wss://a:x/", "wss://a/#b"],
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match="wss://"):
        connect(url, DRIVER)


def test_what_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="wss://"):
        connect("ws://gateway/v1/channel", DRIVER, tls=ssl.create_default_context())
    with pytest.raises(ValueError, match="at least one"):
        connect("wss://gateway/v1/channel", DRIVER, in_flight=0)
