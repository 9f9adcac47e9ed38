"""What the relay's guard did with a post is told to both sides; quick replies need no guard."""

import asyncio
from typing import Any

import pytest

from relay.client import (
    QUICK_REPLIES,
    Accepted,
    Channel,
    FileStorage,
    Finding,
    MemoryStorage,
    Message,
    PostRefused,
    Refused,
)
from relay.client.conversation import Conversation
from relay.client.events import Post
from relay.client.frames import BadFrame
from relay.client.ledger import Ledger
from relay.client.parse import accepted as read_accepted
from relay.client.parse import message as read_message
from relay.client.state import SavedState
from tests.client.conftest import CUSTOMER, DRIVER, Connect
from tests.client.relay_model import MASK, NOTICE, End, Frame, RelayModel
from tests.client.scripted_relay import (
    Caller,
    ScriptedRelay,
    drop,
    ignore,
    refuse,
    store_and_drop,
)
from tests.client.watching import attached, crash_after, nothing_more, texts, until

NUMBER = "0812-0000-1234"
TEXT, MASKED = f"Telepon ke {NUMBER} ya", f"Telepon ke {MASK} ya"
FOUND = Finding("number", "plain", 4)


@pytest.fixture
def guarded(relay: ScriptedRelay) -> ScriptedRelay:
    relay.model.redacts = NUMBER
    return relay


def block(*findings: Frame) -> Any:
    async def fault(caller: Caller, frame: Frame) -> None:
        refused = caller.relay.model.refused(frame, "blocked")
        await caller.say({**refused, "findings": list(findings)})

    return fault


# --- what was changed -----------------------------------------------------------------------------


async def test_the_sender_learns_what_the_peer_sees_and_the_peer_gets_the_notices(
    guarded: ScriptedRelay, channel_of: Connect
) -> None:
    async with channel_of(DRIVER) as driver, channel_of(CUSTOMER) as customer:
        delivery = await driver.post(TEXT)
        accepted = await asyncio.wait_for(delivery.accepted(), 5)
        assert (accepted.text, accepted.findings) == (MASKED, (FOUND,))
        assert accepted == await until(driver, Accepted)
        message = await until(customer, Message)
        assert (message.text, message.notices) == (MASKED, (NOTICE,))

        plain = await asyncio.wait_for((await driver.post("Halo")).accepted(), 5)
        assert (plain.text, plain.findings) == (None, ())
        assert (await until(customer, Message)).notices == ()


async def test_a_replay_has_the_notices_too(guarded: ScriptedRelay, channel_of: Connect) -> None:
    async with channel_of(DRIVER) as driver:
        await asyncio.wait_for((await driver.post(TEXT)).accepted(), 5)
    async with channel_of(CUSTOMER) as customer:
        assert (await until(customer, Message)).notices == (NOTICE,)
    # On another install of the driver's the message is what was delivered, and needs no warning.
    async with channel_of(DRIVER) as driver:
        message = await until(driver, Message)
        assert (message.sender, message.text, message.notices) == ("you", MASKED, ())


async def test_if_the_answer_was_lost_the_log_tells_what_was_changed(
    guarded: ScriptedRelay, channel_of: Connect
) -> None:
    guarded.on("post", store_and_drop, store_and_drop)
    async with channel_of(DRIVER) as driver:
        await driver.post(TEXT)
        altered = await until(driver, Accepted)
        assert (altered.text, altered.findings) == (MASKED, ())
        await driver.post("Halo")
        assert (await until(driver, Accepted)).text is None
    assert len(guarded.said("post")) == 2, "nothing was asked of the relay again"


async def test_what_the_store_lost_is_posted_again_as_it_was_written(
    guarded: ScriptedRelay, channel_of: Connect
) -> None:
    guarded.on("got", *[ignore] * 9)
    storage = MemoryStorage()
    async with channel_of(CUSTOMER) as customer:
        async with channel_of(DRIVER, storage=storage) as driver:
            await asyncio.wait_for((await driver.post(TEXT)).accepted(), 5)
            assert [post.text for post in driver.outbox] == [TEXT]
            await until(customer, Message)
        guarded.callers["customer"].drop()
        guarded.model.lose_tail(1)
        await attached(customer)
        async with channel_of(DRIVER, storage=storage) as driver:
            assert (await until(driver, Accepted)).text == MASKED
    first, second = guarded.said("post")
    assert (first["text"], second["text"], second["again"]) == (TEXT, TEXT, True)


@pytest.mark.parametrize(
    ("post", "kind", "text", "altered"),
    [
        (Post("a", TEXT), "text", MASKED, MASKED),
        (Post("a", "Halo"), "text", "Halo", None),
        (Post("a", None, "quick", key="ok"), "quick", "Baik.", None),
        (Post("a", None, "location", -6.2, 106.8), "location", "-6.2, 106.8", None),
        (Post("a", None, "location", -6.2, 106.8), "text", "-6.2, •••", "-6.2, •••"),
        (Post("a", "gate", "location", -6.2, 106.8), "location", "gate", None),
        (Post("a", TEXT, "location", -6.2, 106.8), "location", MASKED, MASKED),
    ],
)
def test_what_counts_as_altered(post: Post, kind: str, text: str, altered: str | None) -> None:
    assert post.altered(Message(1, "1", "a", "you", 0, kind, text, "tag")) == altered


# --- what was blocked -----------------------------------------------------------------------------


async def test_what_is_blocked_is_told_with_its_findings(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    found = {"class": "call_forward", "rule": "forward", "length": 13}
    relay.on("post", block(found, {"class": "hologram"}))
    storage = MemoryStorage()
    findings = (Finding("call_forward", "forward", 13), Finding("hologram", "", 0))

    async def post(driver: Channel) -> None:
        delivery = await driver.post("**21*08120000#")
        with pytest.raises(PostRefused, match="blocked") as caught:
            await asyncio.wait_for(delivery.accepted(), 5)
        assert caught.value.findings == findings
        assert (await until(driver, Refused)).findings == findings

    await crash_after(channel_of(DRIVER, storage=storage), post)
    # The application had not dealt with it: the next run tells the same.
    async with channel_of(DRIVER, storage=storage) as driver:
        refused = await until(driver, Refused)
        assert (refused.code, refused.findings) == ("blocked", findings)
        assert refused.post.text == "**21*08120000#"
    assert len(relay.said("post")) == 1


# --- quick replies --------------------------------------------------------------------------------


async def test_a_quick_reply_travels_by_its_key(relay: ScriptedRelay, channel_of: Connect) -> None:
    async with channel_of(DRIVER) as driver, channel_of(CUSTOMER) as customer:
        accepted = await asyncio.wait_for((await driver.post_quick("arrived")).accepted(), 5)
        assert accepted.text is None
        message = await until(customer, Message)
        assert (message.kind, message.key) == ("quick", "arrived")
        assert message.text == "the sentence of arrived", "the relay's words, not the SDK's"
        await driver.post("Halo")
        assert (await until(customer, Message)).key is None
    quick, text = relay.said("post")
    assert (quick["kind"], quick["key"]) == ("quick", "arrived")
    assert "text" not in quick and "key" not in text
    assert "quick" in relay.said("attach")[0]["kinds"]


async def test_a_quick_reply_is_kept_and_repeated(
    relay: ScriptedRelay, channel_of: Connect, tmp_path: Any
) -> None:
    relay.on("post", drop)
    relay.on("attach", ScriptedRelay.serve_next, *[ignore] * 9)
    path = tmp_path / "driver.relay"
    async with channel_of(DRIVER, storage=FileStorage(path)) as driver:
        delivery = await driver.post_quick("thank_you")
        await relay.until(lambda: relay.said("post"))
    relay._faults.clear()
    async with channel_of(DRIVER, storage=FileStorage(path)) as driver:
        assert driver.outbox == (Post(delivery.id, None, "quick", key="thank_you"),)
        assert (await until(driver, Accepted)).id == delivery.id
    first, second = relay.said("post")
    assert (first["key"], first.get("again")) == ("thank_you", None)
    assert (second["key"], second["again"], second["id"]) == ("thank_you", True, first["id"])


@pytest.mark.parametrize("key", ["", "arived", "Arrived", "my number is 0812", None])
async def test_no_such_quick_reply(channel_of: Connect, key: str) -> None:
    async with channel_of(DRIVER) as driver:
        with pytest.raises(ValueError, match="no such quick reply") as caught:
            await driver.post_quick(key)
        for known in QUICK_REPLIES:
            assert known in str(caught.value)
        assert "0812" not in str(caught.value)
        assert driver.outbox == ()


async def test_while_the_guard_is_away_a_quick_reply_passes_and_texts_keep_their_order(
    relay: ScriptedRelay, channel_of: Connect
) -> None:
    relay.on("post", refuse("guard_away", 300))
    async with channel_of(DRIVER) as driver, channel_of(CUSTOMER) as customer:
        first, second = await driver.post("first"), await driver.post("second")
        await relay.until(lambda: relay.said("post"))
        await driver.post_quick("arrived")
        assert await texts(customer, 3) == ["the sentence of arrived", "first", "second"]
        assert not [e for e in await nothing_more(customer) if isinstance(e, Message)]
    ids = [frame["id"] for frame in relay.said("post") if frame["kind"] == "text"]
    assert ids == [first.id, first.id, second.id]
    assert not any(frame.get("again") for frame in relay.said("post"))


@pytest.mark.parametrize("code", ["store_away", "key_away", "too_many"])
async def test_behind_any_other_wait_a_quick_reply_keeps_its_place(
    relay: ScriptedRelay, channel_of: Connect, code: str
) -> None:
    relay.on("post", refuse("guard_away", 50), refuse(code, 200))
    async with channel_of(DRIVER) as driver, channel_of(CUSTOMER) as customer:
        await driver.post("first")
        await relay.until(lambda: len(relay.said("post")) == 2)
        await asyncio.sleep(0.02)  # the refusal is there
        await driver.post_quick("arrived")
        assert await texts(customer, 2) == ["first", "the sentence of arrived"]


@pytest.mark.parametrize("in_flight", [1, 3])
def test_past_a_post_that_waits_for_the_guard_no_more_go_than_may_be_in_flight(
    in_flight: int,
) -> None:
    relay, end = RelayModel(), End()
    made = Conversation(SavedState(device="device"), in_flight=in_flight)
    relay.attach(end, "driver", made.connect(1, 0.0, ""))
    while end.out:
        made.receive(end.out.popleft(), 0.0)
    ledger = made.ledger
    add(ledger, Post("text", "text"))
    [frame] = made.due(1.0)
    made.receive(relay.refused(frame, "guard_away", 500), 1.0)
    assert made.due_at_s() == pytest.approx(1.5)
    for number in range(5):
        add(ledger, Post(f"quick-{number}", None, "quick", key="ok"))
    assert made.due_at_s() is not None and made.due_at_s() <= 1.0  # type: ignore[operator]
    assert [f["id"] for f in made.due(1.0)] == [f"quick-{n}" for n in range(in_flight)]
    # The text's time has come, but all that may be unanswered is.
    assert made.due(2.0) == []
    answer = relay.store(
        "driver", {"op": "post", "id": "quick-0", "epoch": 1, "kind": "quick", "key": "ok"}
    )
    made.receive(answer, 2.0)  # type: ignore[arg-type]
    assert [f["id"] for f in made.due(2.0)] == ["text"]


def test_a_repetition_that_waits_for_the_guard_lets_quick_replies_pass_too() -> None:
    """To a repetition the relay can only answer that it may be stored."""
    relay, end = RelayModel(), End()
    made = Conversation(SavedState(device="device"))
    relay.attach(end, "driver", made.connect(1, 0.0, ""))
    while end.out:
        made.receive(end.out.popleft(), 0.0)
    add(made.ledger, Post("text", "text"))
    [frame] = made.due(1.0)
    made.receive(relay.refused(frame, "guard_away", 500), 1.0)
    made.due(2.0)
    made.receive({"op": "unsure", "id": "text", "retry_after_ms": 500}, 2.0)
    add(made.ledger, Post("quick", None, "quick", key="ok"))
    assert [f["id"] for f in made.due(2.0)] == ["quick"]


def add(ledger: Ledger, post: Post) -> None:
    ledger.post(post)
    ledger.release(post.id)


# --- the fields -----------------------------------------------------------------------------------

ACCEPTED: Frame = {"id": "a", "pos": "1", "at": 1, "tag": "t"}
MESSAGE: Frame = {**ACCEPTED, "from": "peer", "kind": "text", "text": "x"}
FINDING: Frame = {"class": "number", "rule": "plain", "length": 4}


@pytest.mark.parametrize(
    "bad",
    [
        {"text": 1},
        {"findings": FINDING},
        {"findings": "number"},
        {"findings": [["number", "plain", 4]]},
        {"findings": [{**FINDING, "class": 1}]},
        {"findings": [{"rule": "plain", "length": 4}]},
        {"findings": [{**FINDING, "rule": 1}]},
        {"findings": [{**FINDING, "length": "4"}]},
        {"findings": [{**FINDING, "length": True}]},
    ],
)
def test_an_answer_of_the_wrong_type_is_a_breach(bad: Frame) -> None:
    with pytest.raises(BadFrame):
        read_accepted({**ACCEPTED, **bad})
    if "findings" in bad:
        made = Conversation(SavedState(device="device")).ledger
        with pytest.raises(BadFrame):
            made.on_refused({"id": "a", "code": "blocked", "message": "No.", **bad}, 0.0)


@pytest.mark.parametrize(
    "bad", [{"key": 1}, {"notices": "careful"}, {"notices": [1]}, {"notices": [None]}]
)
def test_a_message_of_the_wrong_type_is_a_breach(bad: Frame) -> None:
    with pytest.raises(BadFrame):
        read_message({**MESSAGE, **bad}, 1)


@pytest.mark.parametrize("nothing", [{}, {"findings": None}, {"findings": []}, {"text": None}])
def test_what_is_left_out_of_an_answer_is_nothing(nothing: Frame) -> None:
    told = read_accepted({**ACCEPTED, **nothing})
    assert (told.text, told.findings) == (None, ())


@pytest.mark.parametrize("nothing", [{}, {"notices": None}, {"notices": []}, {"key": None}])
def test_what_is_left_out_of_a_message_is_nothing(nothing: Frame) -> None:
    told = read_message({**MESSAGE, **nothing}, 1)
    assert (told.key, told.notices) == (None, ())


def test_a_finding_of_a_later_version_has_what_is_known_of_it() -> None:
    later = {**FINDING, "certainty": 0.7}
    assert read_accepted({**ACCEPTED, "findings": [later, {"class": "x"}]}).findings == (
        FOUND,
        Finding("x", "", 0),
    )


def test_no_repr_shows_what_was_said() -> None:
    values = [
        Post("a", None, "quick", key="at_lobby"),
        Message(1, "1", "a", "peer", 0, "quick", "I am in the lobby.", "tag", key="at_lobby"),
        Message(1, "1", "a", "peer", 0, "text", "x", "tag", notices=("at_lobby lobby",)),
        Accepted("a", "1", 0, "tag", "in the lobby", (FOUND,)),
        Refused("a", "blocked", "No.", Post("a", "lobby"), (FOUND,)),
        PostRefused("a", "blocked", "No.", (FOUND,)),
    ]
    for value in values:
        assert "lobby" not in repr(value) + str(value)
