"""Reports through the SDK: sent until they are answered, by whichever connection there is."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from relay.client import (
    AttachRefused,
    Category,
    Message,
    ReportRefused,
    connect,
    report,
    reports,
)
from relay.client.conversation import Conversation
from relay.client.reports import MAX_MESSAGES, Reports, report_frame
from relay.client.state import SavedState
from tests.client.conftest import DRIVER, Connect
from tests.client.relay_model import End, Frame, RelayModel
from tests.client.scripted_relay import Caller, Fault, ScriptedRelay, close, drop
from tests.client.watching import attached, until
from tests.conftest import ROOMY
from tests.support.relay import RelayProcess

TEXT = "awas kamu nanti"


def message(**changes: Any) -> Message:
    fields = {"epoch": 1, "pos": "1795312003117-0000", "id": "m1", "sender": "peer", "at_ms": 1,
              "kind": "text", "text": TEXT, "tag": "t"}  # fmt: skip
    return Message(**fields | changes)


def quickly(url: str, *args: Any, **fields: Any) -> Any:
    return asyncio.wait_for(report(url, DRIVER, *args, rng=lambda: 0.02, **fields), 10)


async def take(caller: Caller, frame: Frame) -> None:
    await caller.say({"op": "reported", "id": frame["id"]})


def turn_down(code: str, **more: Any) -> Fault:
    async def fault(caller: Caller, frame: Frame) -> None:
        await caller.say(
            {"op": "not_reported", "id": frame["id"], "code": code, "message": "m", **more}
        )

    return fault


async def seat_nobody(caller: Caller, frame: Frame) -> None:
    """Attach for reports only."""
    assert frame["report_only"] is True
    model, other = RelayModel(), End()
    model.attach(other, "driver", {})
    attached = {**other.out[0], "state": "report_only", "deadline": 0}
    for said in (attached, {"op": "replayed"}):
        await caller.say(said)


# --- beside a channel -----------------------------------------------------------------------------


async def test_a_report_goes_by_the_channel_s_connection(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver:
        await attached(driver)
        relay.on("report", take)
        said = message(), message(id="m2", sender="you", text="ya")
        await driver.report(Category.THREAT, note=" tolong\r\nsaya ", messages=said, block=True)
    (frame,) = relay.said("report")
    kept = {"epoch": 1, "pos": said[0].pos, "tag": "t"}
    assert {k: v for k, v in frame.items() if k != "id"} == {
        "op": "report", "category": "threat", "note": "tolong\nsaya", "block": True,
        "items": [{**kept, "id": "m1", "from": "peer", "text": TEXT},
                  {**kept, "id": "m2", "from": "you", "text": "ya"}],
    }  # fmt: skip
    assert len(relay.said("attach")) == 1


async def test_a_report_is_sent_until_it_is_answered(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    later = turn_down("store_away", retry_after_ms=60)
    relay.on("report", drop, later, turn_down("too_many", retry_after_ms=1), take)
    async with channel_of(DRIVER) as driver:
        async with asyncio.timeout(5):
            await driver.report("other")
    said = relay.said("report")
    assert len(said) == 4
    assert len({frame["id"] for frame in said}) == 1


async def test_reports_go_one_after_the_other(relay: ScriptedRelay, channel_of: Connect) -> None:
    open_now = most = 0

    async def slowly(caller: Caller, frame: Frame) -> None:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.02)
        open_now -= 1
        await take(caller, frame)

    relay.on("report", *[slowly] * 5)
    async with channel_of(DRIVER) as driver:
        async with asyncio.timeout(5):
            await asyncio.gather(*(driver.report("other") for _ in range(5)))
    assert most == 1


async def test_a_report_that_is_refused_says_why(relay: ScriptedRelay, channel_of: Connect) -> None:
    relay.on("report", turn_down("too_many"))
    async with channel_of(DRIVER) as driver:
        with pytest.raises(ReportRefused, match="too_many") as caught:
            await asyncio.wait_for(driver.report("other"), 5)
    assert caught.value.code == "too_many"


async def test_when_the_channel_closes_it_goes_by_a_connection_of_its_own(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver:
        await attached(driver)

        async def close_channel(_caller: Caller, _frame: Frame) -> None:
            await relay.close_channel("ended")

        relay.on("report", close_channel, take)
        relay.on("attach", seat_nobody)
        await asyncio.wait_for(driver.report("threat"), 5)
        # And another one, now that it is closed.
        relay.on("report", take)
        relay.on("attach", seat_nobody)
        await asyncio.wait_for(driver.report("other"), 5)
    first, again, other = (frame["id"] for frame in relay.said("report"))
    assert first == again != other


async def test_a_report_that_nobody_waits_for_is_not_sent(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    relay.on("attach", drop)
    async with channel_of(DRIVER) as driver:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(driver.report("other"), 0.001)
        await attached(driver)
        relay.on("report", take)
        await driver.report("threat")
    assert [frame["category"] for frame in relay.said("report")] == ["threat"]


# --- without a channel ----------------------------------------------------------------------------


async def test_without_a_channel_it_attaches_for_that_alone(relay: ScriptedRelay) -> None:
    relay.on("attach", seat_nobody)
    relay.on("report", take)
    await quickly(relay.url, "asked_contact", messages=[message()], report_id="r-1")
    assert relay.said("attach") == [{"op": "attach", "report_only": True}]
    (frame,) = relay.said("report")
    assert (frame["id"], frame["category"]) == ("r-1", "asked_contact")


async def test_it_comes_back_until_it_is_answered(relay: ScriptedRelay) -> None:
    relay.on("attach", drop, close(4000, "draining;retry_after_ms=5"), *[seat_nobody] * 3)
    relay.on(
        "report", drop, close(4003, "store_away"), turn_down("key_away", retry_after_ms=5), take
    )
    await quickly(relay.url, "other")
    assert len({frame["id"] for frame in relay.said("report")}) == 1
    assert len(relay.said("attach")) == 5


@pytest.mark.parametrize(("code", "reason"), [(4503, "bad_token"), (4500, "channel_closed")])
async def test_it_gives_up_where_that_is_final(
    relay: ScriptedRelay, code: int, reason: str
) -> None:
    relay.on("attach", close(code, reason))
    with pytest.raises(AttachRefused) as caught:
        await quickly(relay.url, "other")
    assert caught.value.closed.code == code


async def test_it_tells_that_the_time_is_over(relay: ScriptedRelay) -> None:
    async def end(caller: Caller, _frame: Frame) -> None:
        await caller.say({"op": "closed", "reason": "ended", "undelivered": []})
        await caller.close(4500, "channel_closed")

    relay.on("attach", end)
    with pytest.raises(AttachRefused) as caught:
        await quickly(relay.url, "other")
    assert (caught.value.closed.reason, caught.value.closed.code) == ("ended", 4500)
    relay.on("attach", seat_nobody)
    relay.on("report", turn_down("closed"))
    with pytest.raises(ReportRefused, match="closed"):
        await quickly(relay.url, "other")


async def test_a_token_that_is_too_old_is_fetched_anew(relay: ScriptedRelay) -> None:
    fetched = []

    def fetch() -> str:
        fetched.append(DRIVER)
        return DRIVER

    relay.on("attach", close(4100, "token_expired"), seat_nobody)
    relay.on("report", take)
    async with asyncio.timeout(5):
        await report(relay.url, fetch, "other", rng=lambda: 0.02)
    assert len(fetched) == 2


# --- what no relay can take -----------------------------------------------------------------------


def test_what_no_relay_can_take_is_not_sent_and_not_repeated() -> None:
    secret = "rahasia"
    for category, note, messages in (
        ("rudeness " + secret, "", []),
        ("other", secret * 200, []),
        ("other", secret + "\x07", []),
        ("other", secret + "\ud83d", []),
        ("other", "", [message()] * (MAX_MESSAGES + 1)),
        ("other", "", [message(), message(epoch=2)]),
        ("other", "", [message(text=secret * 140)] * 20),
    ):
        with pytest.raises(ValueError, match=r"category|note|messages") as caught:
            report_frame("r", category, note, messages, block=False)
        assert secret not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_report_goes_only_when_attached_and_again_after_a_drop() -> None:
    relay = RelayModel()
    made = Conversation(SavedState(device="device"))
    heard: list[reports.Answer] = []
    made.ledger.reports.add(report_frame("r", "other", "", [], block=False), heard.append)
    assert made.due(0.0) == []
    for now_s in (1.0, 2.0):
        end = End()
        relay.attach(end, "driver", made.connect(1, now_s, ""))
        while end.out:
            made.receive(end.out.popleft(), now_s)
        assert [frame["op"] for frame in made.due(now_s)] == ["report"]
        assert made.due(now_s) == []
        made.dropped()
    end = End()
    relay.attach(end, "driver", made.connect(1, 3.0, ""))
    while end.out:
        made.receive(end.out.popleft(), 3.0)
    made.due(3.0)
    assert not made.is_stalled(32.9)
    assert made.is_stalled(33.0)
    made.receive({"op": "reported", "id": "of another one"}, 4.0)
    assert heard == []
    made.receive({"op": "reported", "id": "r"}, 4.0)
    assert heard == [reports.Answer()]
    assert made.due_at_s() is None


def test_a_report_that_was_put_off_waits() -> None:
    queue = Reports()
    queue.add({"op": "report", "id": "r"}, lambda _: None)
    assert len(queue.due(1.0)) == 1
    told = {"op": "not_reported", "id": "r", "code": "store_away", "message": "m"}
    queue.answer({**told, "retry_after_ms": 500}, 2.0)
    assert queue.due_at_s() == 2.5
    assert queue.due(2.4) == []
    assert len(queue.due(2.5)) == 1


# --- a relay as it is -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def served(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RelayProcess]:
    async with RelayProcess(tmp_path_factory.mktemp("relay"), **ROOMY) as running:
        yield running


async def test_a_talk_and_its_reports_on_a_relay(served: RelayProcess) -> None:
    url = served.gateway_url
    tokens = await served.open_trip("sdk", report_window_s=600)
    async with (
        connect(url, tokens["driver"]) as driver,
        connect(url, tokens["customer"]) as customer,
    ):
        await driver.post(TEXT)
        said = await until(customer, Message)
        await customer.report(Category.HARASSMENT, messages=[said])
        await report(url, tokens["driver"], "other")
        await served.end_trip("sdk")
        async with asyncio.timeout(5):
            async for _ in customer:
                pass
        await customer.report("threat", messages=[said], note="dia mengancam")
        altered = message(epoch=1, id="x" * 37)
        with pytest.raises(ReportRefused, match="malformed"):
            await customer.report("threat", messages=[altered])
    await report(url, tokens["customer"], "threat", messages=[said], report_id="kept")
    await report(url, tokens["customer"], "threat", messages=[said], report_id="kept")
    async with served.redis() as redis:
        names = [name async for name in redis.scan_iter("*:case:*", count=1000)]
        found = [await redis.hmget(name, "reporter_role", "items", "proven") for name in names]
    assert sorted(found) == [
        [b"customer", b"1", b"1"], [b"customer", b"1", b"1"], [b"customer", b"1", b"1"],
        [b"driver", b"0", b"0"],
    ]  # fmt: skip
    with pytest.raises(AttachRefused):
        await report(url, "nonsense", "other")
