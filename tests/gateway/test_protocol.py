"""The wire protocol on a running relay: attach, post, receive, resume, and every way it ends."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress

import msgpack
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from relay.rig.process import frozen
from relay.rig.texts import chat, numbered
from relay.rig.waiting import until
from relay.store import keys
from tests.support.party import JSON, MSGPACK, Party
from tests.support.relay import RelayProcess

BOTH = pytest.mark.parametrize("protocol", [MSGPACK, JSON])


async def pair(relay: RelayProcess, trip: str, protocol: str = MSGPACK) -> tuple[Party, Party]:
    tokens = await relay.open_trip(trip)
    driver = await Party.attach(relay.gateway_url, tokens["driver"], protocol)
    customer = await Party.attach(relay.gateway_url, tokens["customer"], protocol)
    await driver.hear("presence", online=True)
    return driver, customer


@BOTH
async def test_a_conversation(relay: RelayProcess, protocol: str) -> None:
    driver, customer = await pair(relay, "talk", protocol)
    assert driver.attached["role"] == "driver"
    assert driver.attached["peer"]["alias"] == "Sari"
    assert customer.attached["peer"] == {"alias": "Budi", "online": True}
    accepted = await driver.accepted("halo, saya sudah di lobby")
    message = await customer.hear("message")
    assert message["from"] == "peer"
    assert message["text"] == "halo, saya sudah di lobby"
    assert {message[k] == accepted[k] for k in ("id", "pos", "at", "tag")} == {True}
    assert abs(message["at"] - time.time() * 1000) < 5000
    await customer.say("got", pos=message["pos"])
    assert (await driver.hear("got"))["pos"] == message["pos"]
    await customer.say("seen", pos=message["pos"])
    assert (await driver.hear("seen"))["pos"] == message["pos"]
    await customer.say("typing", on=True)
    assert (await driver.hear("typing"))["on"] is True
    await customer.say("ping")
    await customer.hear("pong")
    await customer.say("post", id="here", kind="location", lat=-6.2, lon=106.8)
    place = await driver.hear("message", kind="location")
    assert (place["lat"], place["lon"], place["text"]) == (-6.2, 106.8, "-6.2, 106.8")
    await customer.leave()
    assert (await driver.hear("presence"))["online"] is False


async def test_both_encodings_in_one_channel(relay: RelayProcess) -> None:
    tokens = await relay.open_trip("mixed")
    driver = await Party.attach(relay.gateway_url, tokens["driver"], MSGPACK)
    customer = await Party.attach(relay.gateway_url, tokens["customer"], JSON)
    await driver.accepted("dari biner 🛵")
    assert (await customer.hear("message"))["text"] == "dari biner 🛵"
    await customer.accepted("dari teks 🙏")
    assert (await driver.hear("message"))["text"] == "dari teks 🙏"


async def test_resume_replays_what_was_missed_and_says_what_was_lost(relay: RelayProcess) -> None:
    driver, customer = await pair(relay, "resume")
    await driver.accepted("satu")
    first = await customer.hear("message")
    await customer.drop()
    await driver.accepted("dua")
    mine = await driver.accepted("tiga")
    token = (await relay.open_trip("resume"))["customer"]
    again = await Party.attach(
        relay.gateway_url, token, after=first["pos"], epoch=1, pending=["never-stored"]
    )
    assert again.texts() == ["dua", "tiga"]
    assert again.attached["lost"] == ["never-stored"]
    # A position that the log does not hold: everything, and the app drops what it has.
    whole = await Party.attach(relay.gateway_url, token, after="1700000000000-0000", epoch=1)
    assert whole.texts() == ["satu", "dua", "tiga"]
    # A party is replayed its own messages too, as its own.
    token = (await relay.open_trip("resume"))["driver"]
    own = await Party.attach(relay.gateway_url, token)
    assert {frame["from"] for frame in own.all("message")} == {"you"}
    assert own.all("message")[-1]["pos"] == mine["pos"]
    # `after` told what the customer's device has.
    assert own.attached["peer"]["got"] >= first["pos"]


async def test_a_long_replay_comes_whole_and_in_order(relay: RelayProcess) -> None:
    driver, customer = await pair(relay, "long")
    await customer.drop()
    for number in range(700):
        await driver.post(numbered(number))
        if number % 50 == 49:
            await until(lambda n=number: len(driver.all("accepted")) == n + 1, "accepted")
    token = (await relay.open_trip("long"))["customer"]
    again = await Party.attach(relay.gateway_url, token)
    assert again.texts() == [numbered(number) for number in range(700)]


async def test_again_stores_once(relay: RelayProcess) -> None:
    driver, customer = await pair(relay, "again")
    first = await driver.accepted("sekali", id="x")
    second = await driver.accepted("sekali", id="x", again=True)
    assert first["pos"] == second["pos"]
    assert first["tag"] == second["tag"]
    # Nor does a repeat with other words make a tag for what was never delivered.
    third = await driver.accepted("lain", id="x", again=True)
    assert third["tag"] == first["tag"]
    other = await driver.accepted("baru", id="y", again=True)
    await customer.hear("message", id="y")
    assert customer.texts() == ["sekali", "baru"]
    assert other["pos"] > first["pos"]


async def test_the_newer_connection_takes_over(relay: RelayProcess) -> None:
    driver, customer = await pair(relay, "seat")
    token = (await relay.open_trip("seat"))["driver"]
    newer = await Party.attach(relay.gateway_url, token, device="other phone", attempt=1)
    assert await driver.closed() == 4501
    await newer.accepted("dari ponsel lain")
    await customer.hear("message", text="dari ponsel lain")
    assert not [f for f in customer.all("presence") if not f["online"]]


async def test_an_older_attempt_of_the_same_device_never_takes_over(relay: RelayProcess) -> None:
    token = (await relay.open_trip("attempts"))["driver"]
    newer = await Party.attach(relay.gateway_url, token, device="phone", attempt=7)
    late = await Party.connect(relay.gateway_url)
    await late.say("attach", token=token, device="phone", attempt=6)
    assert await late.closed() == 4501
    await newer.accepted("still here")
    newest = await Party.attach(relay.gateway_url, token, device="phone", attempt=8)
    assert await newer.closed() == 4501
    await newest.accepted("and here")


async def test_takeover_across_nodes(two_nodes: tuple[RelayProcess, RelayProcess]) -> None:
    one, other = two_nodes
    tokens = await one.open_trip("cross")
    customer = await Party.attach(other.gateway_url, tokens["customer"])
    first = await Party.attach(one.gateway_url, tokens["driver"])
    assert (await customer.hear("presence"))["online"] is True
    await first.accepted("from one")
    await customer.hear("message", text="from one")
    second = await Party.attach(other.gateway_url, tokens["driver"])
    assert await first.closed() == 4501
    await second.accepted("from the other")
    await customer.hear("message", text="from the other")
    await customer.say("got", pos=customer.all("message")[-1]["pos"])
    await second.hear("got")
    third = await Party.attach(one.gateway_url, tokens["driver"])
    await customer.accepted("to one")
    await third.hear("message", text="to one")
    await customer.say("typing", on=True)
    await third.hear("typing")
    await third.leave()
    await customer.hear("presence", online=False)


async def test_answers_come_in_the_order_of_the_posts(relay: RelayProcess) -> None:
    """Also when some are refused at once and others have to wait for the store."""
    driver, _ = await pair(relay, "order")
    for number in range(60):
        await driver.post("x" * 3000 if number % 3 == 0 else "x", id=str(number))
    await until(lambda: len(answers(driver)) == 60, "all are answered")
    assert [frame["id"] for frame in answers(driver)] == [str(number) for number in range(60)]


def answers(party: Party) -> list[dict[str, object]]:
    return [f for f in party.heard if f["op"] in ("accepted", "refused", "unsure")]


async def test_refusals(relay: RelayProcess) -> None:
    driver, customer = await pair(relay, "refusals")
    for post, code in (
        ({"id": "a", "text": "x" * 2001}, "too_long"),
        ({"id": "b", "text": "é" * 1001}, "too_long"),
        ({"id": "c", "text": " "}, "malformed"),
        ({"id": "d", "text": "\x1b[2J"}, "malformed"),
        ({"id": "e"}, "malformed"),
        ({"id": "f", "text": 5}, "malformed"),
        ({"id": "g", "kind": "photo", "text": "x"}, "unsupported_kind"),
        ({"id": "h", "kind": "location"}, "malformed"),
        ({"id": "i", "kind": "location", "lat": 91, "lon": 0}, "malformed"),
    ):
        await driver.say("post", **post)
        refused = await driver.hear("refused", id=post["id"])
        assert refused["code"] == code
        assert "retry_after_ms" not in refused
    await driver.accepted("é" * 1000)
    assert (await customer.hear("message"))["text"] == "é" * 1000
    assert customer.texts() == ["é" * 1000]


async def test_errors_leave_the_socket_open(relay: RelayProcess) -> None:
    driver, _ = await pair(relay, "errors")
    for frame, code in (
        ({"op": "dance"}, "unknown_op"),
        ({"op": "report", "category": "threat"}, "bad_field"),
        ({"op": "typing"}, "bad_field"),
        ({"op": "got", "pos": "1"}, "bad_field"),
        ({"op": "got", "pos": "9999999999999-0000"}, "bad_field"),
        ({"op": "post", "text": "no id"}, "bad_field"),
        ({"op": "attach", "token": "again"}, "out_of_turn"),
    ):
        await driver.socket.send(msgpack.packb(frame))
        assert (await driver.hear("error"))["code"] == code
    await driver.accepted("still here")


@BOTH
@pytest.mark.parametrize(
    "data", [b"", b"\xc1", b"nonsense", b"[]", b"\x90", b"{}", b"\x80", b'{"op":1}', b"5"]
)
async def test_no_frame_at_all(relay: RelayProcess, protocol: str, data: bytes) -> None:
    party = await Party.connect(relay.gateway_url, protocol)
    await party.socket.send(data if protocol == MSGPACK else data.decode("latin-1"))
    assert await party.closed() == 4504


@pytest.mark.parametrize(("protocol", "data"), [(MSGPACK, '{"op":"ping"}'), (JSON, b"\x80")])
async def test_the_wrong_kind_of_message(relay: RelayProcess, protocol: str, data: bytes) -> None:
    party = await Party.connect(relay.gateway_url, protocol)
    await party.socket.send(data)
    assert await party.closed() == 4504


async def test_frames_before_attach(relay: RelayProcess) -> None:
    for op in ("post", "ping", "got", "typing"):
        party = await Party.connect(relay.gateway_url)
        await party.say(op, id="a", text="x", pos="1700000000000-0000", on=True)
        assert await party.closed() == 4504
        assert party.heard[-1]["op"] == "error", op
    tokens = await relay.open_trip("hasty")
    party = await Party.connect(relay.gateway_url)
    await party.say("attach", token=tokens["driver"])
    await party.say("post", id="early", text="x")
    answer = await until(lambda: answers(party), "an answer")
    # Either it came before `attached` and may be repeated, or after it and was taken.
    assert answer[0]["op"] == "accepted" or answer[0]["code"] == "not_attached"


async def test_bad_tokens(relay: RelayProcess) -> None:
    tokens = await relay.open_trip("tokens")
    other = await relay.open_trip("other")
    forged = tokens["driver"].replace("tokens", "other")
    swapped = tokens["driver"].replace(".d.", ".c.")
    for token in ("", "x", "a.b.c", forged, swapped, tokens["driver"] + "x", other["driver"][1:]):
        party = await Party.connect(relay.gateway_url)
        await party.say("attach", token=token)
        assert await party.closed() == 4503, token


async def test_a_revoked_token(relay: RelayProcess) -> None:
    driver, _ = await pair(relay, "revoked")
    old = (await relay.open_trip("revoked"))["driver"]
    answer = await relay.call(
        "POST", "/v1/trips/revoked/parties/driver/token", {"party_id": "drv-1", "revoke": True}
    )
    assert await driver.closed() == 4503
    party = await Party.connect(relay.gateway_url)
    await party.say("attach", token=old)
    assert await party.closed() == 4503
    await Party.attach(relay.gateway_url, answer.json()["token"])


async def test_a_token_that_is_too_old(tmp_path_factory: pytest.TempPathFactory) -> None:
    """It opens nothing any more, but whoever is attached stays; a fresh one is what is needed."""
    async with RelayProcess(tmp_path_factory.mktemp("old"), token_ttl_s=1) as relay:
        token = (await relay.open_trip("old"))["driver"]
        driver = await Party.attach(relay.gateway_url, token)

        async def expired() -> bool:
            party = await Party.connect(relay.gateway_url)
            await party.say("attach", token=token)
            await until(lambda: party.heard or party.close_code, "an answer")
            return party.close_code == 4100

        await asyncio.sleep(0.9)
        await until(expired, "the token is refused")
        token = (await relay.open_trip("old"))["driver"]
        again = await Party.attach(relay.gateway_url, token)
        await again.accepted("with a fresh token")
        del driver


async def test_silence_before_attach(relay: RelayProcess) -> None:
    party = await Party.connect(relay.gateway_url)
    began_s = time.monotonic()
    assert await party.closed(10) == 4002
    assert 4 < time.monotonic() - began_s < 8


async def test_the_handshake(relay: RelayProcess) -> None:
    base = relay.gateway_url.removesuffix("/v1/channel")
    for url, protocols, status in (
        (base + "/v1/other", None, 404),
        (base + "/", None, 404),
    ):
        with pytest.raises(InvalidStatus) as caught:
            await connect(url, subprotocols=protocols, proxy=None, compression=None)
        assert caught.value.response.status_code == status
    async with connect(relay.gateway_url, subprotocols=["chat"], proxy=None) as socket:
        await socket.wait_closed()
        assert socket.close_code == 4505
    async with connect(relay.gateway_url, proxy=None) as socket:
        assert socket.subprotocol is None
        tokens = await relay.open_trip("plain")
        await socket.send(json.dumps({"op": "attach", "token": tokens["driver"]}))
        assert json.loads(await socket.recv())["op"] == "attached"
    async with connect(relay.gateway_url, subprotocols=["x", JSON, MSGPACK], proxy=None) as socket:
        assert socket.subprotocol == JSON


@BOTH
async def test_half_an_emoji_is_refused_and_kills_nothing(
    relay: RelayProcess, protocol: str
) -> None:
    tokens = await relay.open_trip("emoji")
    driver = await Party.attach(relay.gateway_url, tokens["driver"], protocol)
    if protocol == JSON:
        await driver.socket.send('{"op":"post","id":"cut","text":"\\ud83d"}')
    else:
        packed = msgpack.packb(
            {"op": "post", "id": "cut", "text": "\ud83d"}, unicode_errors="surrogatepass"
        )
        await driver.socket.send(packed)
    assert (await driver.hear("refused", id="cut"))["code"] == "malformed"
    await driver.accepted("utuh 🛵")


@BOTH
async def test_null_means_left_out(relay: RelayProcess, protocol: str) -> None:
    token = (await relay.open_trip("null"))["driver"]
    nothing = dict.fromkeys(["after", "pending", "device", "attempt", "epoch", "app", "kinds"])
    driver = await Party.attach(relay.gateway_url, token, protocol, **nothing)
    await driver.accepted("x", kind=None, epoch=None, again=None, lat=None)
    await Party.attach(relay.gateway_url, token, protocol, after="")


async def test_what_was_written_for_one_party_never_reaches_another(relay: RelayProcess) -> None:
    """A post that was under way during a reassignment names the epoch it was written in."""
    driver, customer = await pair(relay, "intended")
    answer = await relay.call(
        "PUT", "/v1/trips/intended/parties/driver",
        {"epoch": 1, "party_id": "drv-2", "phone": "+6281298765432", "alias": "Wati"},
    )  # fmt: skip
    new = await Party.attach(relay.gateway_url, answer.json()["token"])
    await customer.hear("reassigned")
    await customer.say("post", id="secret", epoch=1, text="untuk Budi saja")
    assert (await customer.hear("refused", id="secret"))["code"] == "reassigned"
    await customer.say("got", pos="9999999999999-0000", epoch=1)
    await customer.accepted("untuk Wati", epoch=2)
    await new.hear("message", text="untuk Wati")
    assert new.texts() == ["untuk Wati"]
    assert not customer.all("error")
    # The one that was replaced is told so, also if it comes back later.
    assert await driver.closed() == 4502
    tokens = await relay.open("intended")
    assert tokens.status_code == 409


async def test_a_party_that_was_replaced_while_it_was_away(relay: RelayProcess) -> None:
    tokens = await relay.open_trip("replaced")
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    await driver.accepted("belum sampai", id="a")
    await driver.leave()
    await relay.call(
        "PUT", "/v1/trips/replaced/parties/driver",
        {"epoch": 1, "party_id": "drv-2", "phone": "+6281298765432", "alias": "Wati"},
    )  # fmt: skip
    back = await Party.connect(relay.gateway_url)
    await back.say("attach", token=tokens["driver"], epoch=1)
    told = await back.hear("closed")
    assert (told["reason"], told["undelivered"]) == ("reassigned", ["a"])
    assert await back.closed() == 4502


async def test_reassignment(relay: RelayProcess) -> None:
    driver, customer = await pair(relay, "swap")
    await customer.accepted("untuk Budi", id="b1")
    await driver.hear("message")
    await driver.drop()
    await customer.accepted("belum sampai", id="b2")
    answer = await relay.call(
        "PUT", "/v1/trips/swap/parties/driver",
        {"epoch": 1, "party_id": "drv-2", "phone": "+6281298765432", "alias": "Wati"},
    )  # fmt: skip
    assert answer.json()["epoch"] == 2
    told = await customer.hear("reassigned")
    assert (told["epoch"], told["alias"]) == (2, "Wati")
    assert "b2" in told["undelivered"]
    new = await Party.attach(relay.gateway_url, answer.json()["token"])
    assert new.texts() == []
    assert new.attached["epoch"] == 2
    await customer.accepted("halo Wati")
    await new.hear("message", text="halo Wati")
    await new.accepted("halo")
    await customer.hear("message", text="halo")
    # An app that was away during it is told at its next attach, and what was lost is not re-asked.
    token = (await relay.call(
        "POST", "/v1/trips/swap/parties/customer/token", {"party_id": "cus-1"}
    )).json()["token"]  # fmt: skip
    back = await Party.attach(relay.gateway_url, token, epoch=1, pending=["b2"])
    assert back.attached["lost"] == []
    assert back.all("reassigned")[0]["alias"] == "Wati"


async def test_close_tells_what_never_arrived(relay: RelayProcess) -> None:
    driver, customer = await pair(relay, "undelivered")
    await driver.accepted("sampai", id="a")
    await customer.say("got", pos=(await customer.hear("message"))["pos"])
    await driver.hear("got")
    await customer.drop()
    await driver.accepted("tidak sampai", id="b")
    await relay.end_trip("undelivered")
    closed = await driver.hear("closed")
    assert closed["reason"] == "ended"
    assert closed["undelivered"] == ["b"]
    assert await driver.closed() == 4500


async def test_system_messages(relay: RelayProcess) -> None:
    driver, customer = await pair(relay, "system")
    for to, text in (("both", "Tarif berubah"), ("driver", "Hanya untuk driver")):
        answer = await relay.call(
            "POST", "/v1/trips/system/system-messages", {"id": f"s-{to}", "text": text, "to": to}
        )
        assert answer.status_code == 201, answer.text
    await driver.hear("message", text="Hanya untuk driver")
    assert [m["from"] for m in driver.all("message")] == ["system", "system"]
    await driver.accepted("ok")
    await customer.hear("message", text="ok")
    assert customer.texts() == ["Tarif berubah", "ok"]


async def test_the_rate_is_the_partys_not_the_connections(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with RelayProcess(tmp_path_factory.mktemp("rate"), posts_per_s=2) as relay:
        token = (await relay.open_trip("rate"))["driver"]
        accepted = 0
        began_s = time.monotonic()
        for _ in range(6):
            party = await Party.attach(relay.gateway_url, token)
            for _ in range(8):
                await party.post("x")
            await until(lambda p=party: len(answers(p)) == 8, "all are answered")
            accepted += len(party.all("accepted"))
            for refused in party.all("refused"):
                assert refused["code"] == "too_many"
                assert refused["retry_after_ms"] > 0
            await party.leave()
        assert accepted <= 8 + 2 * 2 * (time.monotonic() - began_s) + 1


async def test_in_flight_is_bounded(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with RelayProcess(
        tmp_path_factory.mktemp("flight"), posts_per_s=1e4, in_flight=2
    ) as relay:
        driver, _ = await pair(relay, "flight")
        await driver.socket.send(msgpack.packb({"op": "ping"}))
        for _ in range(50):
            await driver.post("x")
        await until(lambda: len(answers(driver)) == 50, "all are answered")
        codes = {frame.get("code") for frame in driver.all("refused")}
        assert codes <= {"in_flight"}


async def test_a_log_that_is_gone_is_asked_about_once_for_all_posts(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Else a party that posts thousands while its trip ends keeps the node busy with questions."""
    settings = {"posts_per_s": 1e6, "frames_per_s": 1e6, "in_flight": 10_000}
    async with RelayProcess(tmp_path_factory.mktemp("gone"), **settings) as relay:
        tokens = await relay.open_trip("gone")
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        async with relay.redis() as redis:

            async def looks() -> int:
                # A post asks once by itself, with its XADD.
                stats = await redis.info("commandstats")
                return int(stats["cmdstat_hmget"]["calls"]) - int(stats["cmdstat_xadd"]["calls"])

            before = await looks()
            await redis.delete(keys.log("gone", 1))
            (worker,) = relay.workers()
            async with frozen(worker):  # so that they arrive together, however fast it is
                for number in range(1000):
                    await driver.post("x", id=f"late-{number}")
            await driver.hear("refused", id="late-999", code="closed")
            assert len(driver.all("refused")) == 1000
            # Far fewer than posts; how many depends on how they arrive.
            assert await looks() - before < 200


async def test_a_full_channel(tmp_path_factory: pytest.TempPathFactory) -> None:
    async with RelayProcess(
        tmp_path_factory.mktemp("full"), posts_per_s=1e4, channel_messages=5
    ) as relay:
        driver, _ = await pair(relay, "full")
        for _ in range(5):
            await driver.accepted("x")
        await driver.post("x", id="six")
        assert (await driver.hear("refused", id="six"))["code"] == "channel_full"


async def test_a_half_open_socket_is_noticed(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A connection that answers nothing any more is gone after ping_s and its timeout."""
    async with RelayProcess(tmp_path_factory.mktemp("half"), ping_s=1, pong_timeout_s=1) as relay:
        driver, customer = await pair(relay, "half")
        customer.socket.transport.pause_reading()  # it neither reads nor answers pings
        began_s = time.monotonic()
        await driver.hear("presence", online=False, within_s=8)
        assert time.monotonic() - began_s < 2 + 2 + 2 + 1  # ping, timeout, ticks, close timeout
        await driver.accepted("the living one stays, it answers pings")


async def test_a_slow_reader_is_cut_off_and_resumes(relay: RelayProcess) -> None:
    tokens = await relay.open_trip("slow")
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    customer = await Party.attach(relay.gateway_url, tokens["customer"], receive_bytes=4096)
    customer.socket.transport.pause_reading()
    text, posted = "é" * 1000, 0

    async def gone() -> bool:
        nonlocal posted
        for _ in range(50):
            await driver.post(text, id=f"s{posted}")
            posted += 1
        await until(lambda: len(answers(driver)) == posted, "answered")
        return bool([f for f in driver.all("presence") if not f["online"]])

    await until(gone, "the slow reader is cut off", 20)
    stored = [f["id"] for f in driver.all("accepted")]
    token = (await relay.open_trip("slow"))["customer"]
    again = await Party.attach(relay.gateway_url, token)
    assert [m["id"] for m in again.all("message")] == stored


async def test_a_slow_reader_is_told_so_and_has_everything_once_when_it_comes_back(
    relay: RelayProcess,
) -> None:
    """Cut off where it stands still; what it then still reads of its socket ends with the advice."""
    tokens = await relay.open_trip("slower")
    driver = await Party.attach(relay.gateway_url, tokens["driver"])
    customer = await Party.attach(relay.gateway_url, tokens["customer"], receive_bytes=4096)
    customer.socket.transport.pause_reading()
    before, posted = await closings(relay, "slow_reader"), 0

    async def cut_off() -> bool:
        nonlocal posted
        for _ in range(20):
            await driver.post("é" * 1000, id=f"s{posted}")
            posted += 1
        await until(lambda: len(answers(driver)) == posted, "answered")
        return await closings(relay, "slow_reader") > before

    await until(cut_off, "the slow reader is cut off", 20)
    await driver.accepted("behind it", id=f"s{posted}")
    posted += 1
    customer.socket.transport.resume_reading()
    assert await customer.closed() == 4001 and customer.close_reason == "slow_reader"
    first = customer.all("message")
    for number in range(5):
        await driver.accepted(f"meanwhile {chat(number)}")
    again = await Party.attach(
        relay.gateway_url, tokens["customer"], after=first[-1]["pos"], epoch=1
    )
    await driver.accepted("and after")
    await again.hear("message", text="and after")
    shown = [message["id"] for message in (*first, *again.all("message"))]
    assert shown == [frame["id"] for frame in driver.all("accepted")]
    assert 0 < len(first) < posted


async def closings(relay: RelayProcess, code: str) -> float:
    text = (await relay.call("GET", "/metrics")).text
    _, _, found = text.partition(f'\nrelay_closed_total{{code="{code}"}} ')
    return float(found.partition("\n")[0] or 0)


async def test_a_flood_of_frames_is_cut_off_and_harms_nobody(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async with RelayProcess(tmp_path_factory.mktemp("flood")) as relay:
        driver, customer = await pair(relay, "flood")
        with suppress(ConnectionClosed):
            for _ in range(2000):
                await customer.say("typing", on=True)
        assert await customer.closed() == 4004
        await driver.accepted("unharmed")


async def test_draining(own_relay: RelayProcess) -> None:
    """SIGTERM sends everybody elsewhere with a code that says come back, and loses nothing."""
    driver, customer = await pair(own_relay, "drain")
    for number in range(20):
        await driver.post(chat(number))
    assert own_relay.process is not None
    own_relay.process.terminate()
    assert await driver.closed(10) == 4000
    assert await customer.closed(10) == 4000
    assert "retry_after_ms=" in driver.close_reason
    await until(lambda: own_relay.process.poll() is not None, "the relay ends", 20)  # type: ignore[union-attr]
    assert own_relay.process.returncode == 0
    assert len(answers(driver)) == 20
    await own_relay.start()
    token = (await own_relay.open_trip("drain"))["customer"]
    again = await Party.attach(own_relay.gateway_url, token)
    assert [m["id"] for m in again.all("message")] == [f["id"] for f in driver.all("accepted")]


async def test_many_at_once_do_not_mix(relay: RelayProcess) -> None:
    """Each of 40 channels hears its own messages only."""

    async def one(number: int) -> None:
        driver, customer = await pair(relay, f"mix-{number}")
        for index in range(20):
            await driver.post(chat(100 * number + index))
            await customer.post(chat(100 * number + index))
        for party in (driver, customer):
            await until(lambda p=party: len(p.texts()) == 20, "all arrive")
            assert party.texts() == [chat(100 * number + index) for index in range(20)]
            await party.leave()

    await asyncio.gather(*(one(number) for number in range(40)))


async def test_both_parties_may_count_their_ids_alike(
    two_nodes: tuple[RelayProcess, RelayProcess],
) -> None:
    """Ids are a party's own: the peer's message with the same id is another message."""
    one, other = two_nodes
    for number in range(3):
        tokens = await one.open_trip(f"alike-{number}")
        driver = await Party.attach(one.gateway_url, tokens["driver"])
        customer = await Party.attach(other.gateway_url, tokens["customer"])
        for index in range(20):
            await driver.post(f"d {chat(index)}", id=str(index))
            await customer.post(f"c {chat(index)}", id=str(index))
        for party, theirs in ((driver, "c"), (customer, "d")):
            await until(lambda p=party: len(p.texts()) >= 20, "all arrive")
            assert party.texts() == [f"{theirs} {chat(index)}" for index in range(20)]


async def test_requests_that_are_no_handshake_leave_nothing_behind(relay: RelayProcess) -> None:
    url = "http" + relay.gateway_url[2:]
    before = await connections(relay)
    for _ in range(50):
        assert (await relay.http.get(url)).status_code == 400
    await until(lambda: connections_are(relay, before), "no connection is left")


async def connections(relay: RelayProcess) -> float:
    text = (await relay.call("GET", "/metrics")).text
    return float(text.partition("\nrelay_connections ")[2].partition("\n")[0])


async def connections_are(relay: RelayProcess, expected: float) -> bool:
    return await connections(relay) <= expected
