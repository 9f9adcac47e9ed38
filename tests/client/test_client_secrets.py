"""Neither the token nor a text shows in a log, an error or a `repr`."""

import asyncio
import logging
import traceback

import pytest

from relay.client import (
    AttachRefused,
    ChannelClosed,
    ConnectionChanged,
    Message,
    PostRefused,
    connect,
)
from relay.client.connection import Token
from tests.client.conftest import CUSTOMER, DRIVER, Connect
from tests.client.scripted_relay import ScriptedRelay, close, drop, ignore, refuse
from tests.client.watching import attached, nothing_more, until

TEXT = "meet me behind the mosque"


async def test_no_log_error_or_repr_shows_token_or_text(
    relay: ScriptedRelay,
    channel_of: Connect,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("websockets", "websockets.client", "asyncio", "relay", "relay.client.wire"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    shown: list[str] = []

    async def fetch() -> str:
        return DRIVER

    relay.on("attach", drop, close(4000, "draining"), ignore)
    async with channel_of(fetch) as driver:
        shown += [repr(driver), str(driver)]
        delivery = await driver.post(TEXT)
        shown.append(repr(delivery))
        relay.on("post", refuse("channel_full"))
        relay.callers.get("driver")
        await until(driver, ConnectionChanged, lambda e: e.retry_in_s is not None)
        async with asyncio.timeout(5):
            await relay.until(lambda: len(relay.said("attach")) == 3)
        await leave_and_return(relay, shown, channel_of)
        shown += [repr(event) for event in await nothing_more(driver)]
    try:
        await asyncio.wait_for(delivery.accepted(), 5)
    except (PostRefused, ChannelClosed) as error:
        shown.append("".join(traceback.format_exception(error)))

    async with connect(relay.url, "token-nobody-knows-3f") as stranger:
        try:
            await asyncio.wait_for(stranger.wait_attached(), 5)
        except AttachRefused as error:
            shown.append("".join(traceback.format_exception(error)))

    output = capfd.readouterr()
    # The relay of this test logs what it reads and writes; it runs in the same process.
    logged = [r for r in caplog.records if not r.name.startswith("websockets.server")]
    assert not [r for r in logged if r.name.startswith(("websockets", "relay.client.wire"))]
    everything = "\n".join([*(r.getMessage() for r in logged), output.out, output.err, *shown])
    for secret in (DRIVER, CUSTOMER, TEXT, "token-nobody-knows-3f"):
        assert secret not in everything
    assert len(shown) > 5
    assert logged, "nothing was logged, so nothing was tested"


async def leave_and_return(relay: ScriptedRelay, shown: list[str], channel_of: Connect) -> None:
    relay._faults.clear()
    async with channel_of(CUSTOMER) as customer:
        await attached(customer)
        await customer.post(TEXT)
        await customer.post_location(1, 2, TEXT)
        relay.model.store("driver", {"op": "post", "epoch": 1, "id": "d1", "text": TEXT})
        message = await until(customer, Message)
        shown += [repr(message), str(message)]
        await relay.close_channel("ended")
        shown += [repr(event) for event in await nothing_more(customer)]


def test_a_token_has_no_repr() -> None:
    assert DRIVER not in repr(Token(DRIVER))


async def test_the_application_s_own_logging_of_websockets_goes_on(
    relay: ScriptedRelay, channel_of: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    """The SDK's silence is its own: it switches no one else's logger off."""
    caplog.set_level(logging.DEBUG)
    async with channel_of(DRIVER) as driver:
        await attached(driver)
    assert not logging.getLogger("websockets.client").disabled
    assert logging.getLogger("websockets.client").isEnabledFor(logging.DEBUG)


async def test_what_a_token_callable_says_is_not_repeated(
    relay: ScriptedRelay, channel_of: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    def fetch() -> str:
        raise RuntimeError(f"401 for {DRIVER}")

    async with channel_of(fetch) as driver:
        lost = await until(driver, ConnectionChanged, lambda e: e.retry_in_s is not None)
        assert DRIVER not in repr(lost)
    assert DRIVER not in caplog.text
