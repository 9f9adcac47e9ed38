"""P5: store or key broken: refused only what was not stored, unsure what may have been."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

from relay.rig.texts import chat
from relay.rig.waiting import until
from tests.support.party import Party
from tests.support.relay import RelayProcess


async def settle(party: Party, texts: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Send again, as PROTOCOL.md says, until each post has a final answer."""
    final: dict[str, dict[str, Any]] = {}
    again: dict[str, bool] = {}
    for frame in list(party.heard):
        _note(frame, final, again)
    while len(final) < len(texts):
        for post_id in [name for name in texts if name in again]:
            maybe = again.pop(post_id)
            seen = len(party.heard)  # before it is said: the answer may be here when `say` returns
            await party.say("post", id=post_id, text=texts[post_id], again=maybe)
            while post_id not in final and post_id not in again:
                await until(lambda n=seen: len(party.heard) > n, "an answer")
                new = party.heard[seen:]
                seen += len(new)
                for frame in new:
                    _note(frame, final, again)
        await asyncio.sleep(0.1)
    return final


def _note(frame: dict[str, Any], final: dict[str, dict[str, Any]], again: dict[str, bool]) -> None:
    if frame["op"] == "accepted":
        final[frame["id"]] = frame
    elif frame["op"] == "unsure":
        again[frame["id"]] = True
    elif frame["op"] == "refused" and frame.get("retry_after_ms"):
        again[frame["id"]] = again.get(frame["id"], False)
    elif frame["op"] == "refused":
        final[frame["id"]] = frame


async def test_a_store_that_hangs_and_comes_back(mended_relay: RelayProcess) -> None:
    """SIGSTOP of the store: no answer is `accepted` without it, `again` settles what was unsure."""
    tokens = await mended_relay.open_trip("hang")
    driver = await Party.attach(mended_relay.gateway_url, tokens["driver"])
    customer = await Party.attach(mended_relay.gateway_url, tokens["customer"])
    store = mended_relay.store_pid()
    ids = [f"p{number}" for number in range(40)]
    texts = {post_id: chat(number) for number, post_id in enumerate(ids)}
    for post_id in ids[:10]:
        await driver.post(texts[post_id], id=post_id)
    await until(lambda: len(driver.all("accepted")) == 10, "the first ten")
    os.kill(store, signal.SIGSTOP)
    try:
        for post_id in ids[10:]:
            await driver.post(texts[post_id], id=post_id)
            await asyncio.sleep(0.1)
        await until(lambda: len(_answers(driver)) == 40, "every post is answered", 10)
        assert len(driver.all("accepted")) == 10
        assert driver.all("unsure"), "nothing was under way when the store stopped"
        assert (await mended_relay.http.get(f"{mended_relay.api_url}/livez")).status_code == 200
        assert (await mended_relay.http.get(f"{mended_relay.api_url}/readyz")).status_code == 503
        answer = await mended_relay.open("meanwhile")
        assert answer.status_code == 503
    finally:
        os.kill(store, signal.SIGCONT)
    final = await settle(driver, texts)
    assert {frame["op"] for frame in final.values()} == {"accepted"}
    await until(lambda: len({m["id"] for m in customer.all("message")}) == 40, "all arrive")
    # In the log each stands once, in spite of the second tries.
    replayed = await Party.attach(mended_relay.gateway_url, tokens["customer"])
    assert sorted(m["id"] for m in replayed.all("message")) == sorted(ids)
    assert all(m["text"] == texts[m["id"]] for m in replayed.all("message"))


def _answers(party: Party) -> list[dict[str, Any]]:
    return party.all("accepted") + party.all("refused") + party.all("unsure")


async def test_what_was_refused_for_good_is_in_no_log(mended_relay: RelayProcess) -> None:
    """With the store down, `refused` means not stored: the log holds none of them afterwards."""
    tokens = await mended_relay.open_trip("down")
    driver = await Party.attach(mended_relay.gateway_url, tokens["driver"])
    os.kill(mended_relay.store_pid(), signal.SIGKILL)
    ids = [f"p{number}" for number in range(20)]
    for post_id in ids:
        await driver.post(chat(int(post_id[1:])), id=post_id)
    await until(lambda: len(_answers(driver)) == 20, "every post is answered")
    refused = {frame["id"] for frame in driver.all("refused")}
    unsure = {frame["id"] for frame in driver.all("unsure")}
    accepted = {frame["id"] for frame in driver.all("accepted")}
    await until(lambda: _ready(mended_relay), "the store is back")
    reader = await Party.attach(mended_relay.gateway_url, tokens["customer"])
    stored = {frame["id"] for frame in reader.all("message")}
    assert not refused & stored
    assert accepted <= stored <= accepted | unsure


async def _ready(relay: RelayProcess) -> bool:
    return (await relay.http.get(f"{relay.api_url}/readyz")).status_code == 200


async def test_keys_gone(mended_relay: RelayProcess) -> None:
    """Without the key ring nothing is opened, attached or accepted, and it comes back by itself."""
    tokens = await mended_relay.open_trip("keyless")
    driver = await Party.attach(mended_relay.gateway_url, tokens["driver"])
    ring = mended_relay.data / "keyring.json"
    ring.rename(ring.with_suffix(".away"))

    async def refused() -> bool:
        post_id = await driver.post("secret")
        answer = await until(
            lambda: next((f for f in _answers(driver) if f["id"] == post_id), None), "an answer"
        )
        return bool(answer["op"] == "refused" and answer["code"] == "key_away")

    await until(refused, "posts are refused")
    refusals = {frame["code"] for frame in driver.all("refused")}
    assert refusals == {"key_away"}
    assert not await _ready(mended_relay)
    assert (await mended_relay.open("other")).status_code == 503
    ring.with_suffix(".away").rename(ring)
    await until(lambda: _ready(mended_relay), "the relay is ready again")
    await driver.accepted("back")


async def test_a_store_that_is_away_at_attach(mended_relay: RelayProcess) -> None:
    """The app is told to come back, with a delay, and not that its token were bad."""
    tokens = await mended_relay.open_trip("away")
    os.kill(mended_relay.store_pid(), signal.SIGSTOP)
    try:
        party = await Party.connect(mended_relay.gateway_url)
        await party.say("attach", token=tokens["driver"])
        assert await party.closed(10) == 4003
        assert "retry_after_ms=" in party.close_reason
    finally:
        os.kill(mended_relay.store_pid(), signal.SIGCONT)
