"""The guard on the way of every post: what the sender is told, what the peer gets, what survives."""

from __future__ import annotations

import asyncio
import os
import random
import re
import signal
from collections import Counter
from itertools import count
from pathlib import Path
from typing import Any

import pytest

import relay as relay_package
from relay.core.phrases import QUICK_REPLIES, SYSTEM_MESSAGES
from relay.guard import Entry, Guard, Memory
from relay.rig.waiting import until
from relay.store import keys
from tests.support.party import JSON, MSGPACK, Party
from tests.support.relay import CUSTOMER_PHONE, DRIVER_PHONE, RelayProcess, opening

_trips = count(1)

Pair = tuple[Party, Party]


async def pair(relay: RelayProcess, protocol: str = MSGPACK, **changes: Any) -> Pair:
    trip = f"guarded-{next(_trips)}"
    tokens = await relay.open_trip(trip, **changes)
    driver = await Party.attach(relay.gateway_url, tokens["driver"], protocol)
    customer = await Party.attach(relay.gateway_url, tokens["customer"], protocol)
    driver.trip, driver.tokens = trip, tokens  # type: ignore[attr-defined]
    return driver, customer


async def say(sender: Party, hearer: Party, text: str, **fields: Any) -> tuple[Any, Any]:
    """Post; give the answer and what the peer got."""
    accepted = await sender.accepted(text, **fields)
    return accepted, await hearer.hear("message", id=accepted["id"])


def digits(texts: list[str]) -> str:
    return re.sub(r"\D", "", " ".join(texts))


def longest_run(delivered: str, number: str) -> int:
    """How many digits in a row of a number's last nine stand in what was delivered."""
    last = number[-9:]
    runs = [last[i:j] for i in range(9) for j in range(i + 1, 10)]
    return max((len(run) for run in runs if run in delivered or run[::-1] in delivered), default=0)


@pytest.mark.parametrize("protocol", [MSGPACK, JSON])
async def test_a_number_is_taken_out_and_both_sides_are_told(
    relay: RelayProcess, protocol: str
) -> None:
    driver, customer = await pair(relay, protocol)
    accepted, message = await say(driver, customer, "saya di lobby, wa saja 0813-9876-5432 ya")
    assert message["text"] == accepted["text"]
    assert "lobby" in message["text"]
    assert message["text"].startswith("saya di lobby") and message["text"].endswith("ya")
    assert digits([message["text"]]) == ""
    assert [found["class"] for found in accepted["findings"]].count("number") == 1
    assert all(set(found) == {"class", "rule", "length"} for found in accepted["findings"])
    assert message["notices"]
    # The sender's own other device is shown what the peer sees, and no hint meant for the peer.
    again = await Party.attach(relay.gateway_url, driver.tokens["driver"], protocol)  # type: ignore[attr-defined]
    (replayed,) = again.all("message")
    assert (replayed["text"], replayed["from"]) == (accepted["text"], "you")
    assert "notices" not in replayed


async def test_ordinary_talk_passes_as_it_is(relay: RelayProcess) -> None:
    driver, customer = await pair(relay)
    for text in (
        "Saya sudah di depan, pak", "lantai 21 unit 2108 ya", "2 menit lagi", "Rp 25.000 pas",
        "jangan kasih OTP ke siapa pun", "Blok C3 no 12 RT 04/RW 05", "ok 👍", "B 1234 XYZ ya?",
    ):  # fmt: skip
        accepted, message = await say(driver, customer, text)
        assert message["text"] == text
        assert "text" not in accepted
        assert "findings" not in accepted
        assert "notices" not in message


async def test_a_blocked_message_reaches_nobody(relay: RelayProcess) -> None:
    driver, customer = await pair(relay)
    await driver.post("kak tekan **21*081398765432# ya biar aman", id="forward")
    refused = await driver.hear("refused", id="forward")
    assert refused["code"] == "blocked"
    assert "retry_after_ms" not in refused
    assert {found["class"] for found in refused["findings"]} >= {"call_forward"}
    # Not stored either, so asking again is answered with the same and not with `unsure`.
    await driver.post("kak tekan **21*081398765432# ya biar aman", id="forward", again=True)
    assert (await driver.hear("refused", id="forward"))["code"] == "blocked"
    await say(driver, customer, "ok")
    assert customer.texts() == ["ok"]


async def test_notices_come_in_the_receivers_language_and_with_a_replay(
    relay: RelayProcess,
) -> None:
    parties = opening("x")
    driver, customer = await pair(
        relay, driver=parties["driver"] | {"locale": "id"},
        customer=parties["customer"] | {"locale": "en-SG"},
    )  # fmt: skip
    asks = "kak kirim kode OTP yang masuk ya"
    accepted, message = await say(driver, customer, asks)
    assert message["text"] == asks  # warned about, not changed
    assert "text" not in accepted
    assert [found["class"] for found in accepted["findings"]] == ["otp_request"]
    assert any("Never give a one-time code" in notice for notice in message["notices"])
    _, other_way = await say(customer, driver, "send me the OTP code you got")
    assert any("Jangan pernah memberikan kode OTP" in notice for notice in other_way["notices"])
    replayed = await Party.attach(relay.gateway_url, driver.tokens["customer"])  # type: ignore[attr-defined]
    assert replayed.all("message")[0]["notices"] == message["notices"]


@pytest.mark.parametrize("protocol", [MSGPACK, JSON])
async def test_quick_replies_speak_the_readers_language(relay: RelayProcess, protocol: str) -> None:
    parties = opening("x")
    driver, customer = await pair(
        relay, protocol, customer=parties["customer"] | {"locale": "th"}
    )  # fmt: skip
    await driver.say("post", id="none", kind="quick", key="no_such_key")
    assert (await driver.hear("refused", id="none"))["code"] == "malformed"
    for key, texts in QUICK_REPLIES.items():
        await driver.say("post", id=key, kind="quick", key=key)
        accepted = await driver.hear("accepted", id=key)
        message = await customer.hear("message", id=key)
        assert (message["kind"], message["key"]) == ("quick", key)
        assert message["text"] == texts["th"]
        assert message["tag"] != accepted["tag"]  # each proves the text that its reader was shown
    replayed = await Party.attach(relay.gateway_url, driver.tokens["driver"], protocol)  # type: ignore[attr-defined]
    for message in replayed.all("message"):
        assert message["text"] == QUICK_REPLIES[message["key"]]["id"]
        assert message["tag"] == next(
            frame["tag"] for frame in driver.all("accepted") if frame["id"] == message["id"]
        )


async def test_a_place_passes_and_its_label_is_read(relay: RelayProcess) -> None:
    driver, customer = await pair(relay)

    async def place(text: str | None, lat: float, lon: float) -> tuple[Any, Any]:
        post_id = f"place-{next(_trips)}"
        label = {} if text is None else {"text": text}
        await driver.say("post", id=post_id, kind="location", lat=lat, lon=lon, **label)
        accepted = await driver.hear("accepted", id=post_id)
        return accepted, await customer.hear("message", id=post_id)

    accepted, message = await place("Gerbang timur", -6.2146213, 106.8451298)
    assert (message["lat"], message["lon"]) == (-6.21462, 106.84513)
    assert message["text"] == "Gerbang timur"
    assert "findings" not in accepted
    accepted, message = await place("telp 081398765432", -6.21462, 106.84513)
    assert digits([message["text"]]) == ""
    assert message["lat"] == -6.21462
    # A party's own digits as a coordinate.
    last = DRIVER_PHONE[-9:]
    accepted, message = await place(None, float(f"{last[:2]}.{last[2:7]}"), 10.5)
    assert "lat" not in message
    assert longest_run(digits([message["text"]]), DRIVER_PHONE) < 6
    assert accepted["text"] == message["text"]


# --- the trip's own numbers -----------------------------------------------------------------------


async def test_six_digits_of_a_partys_own_number_never_pass(relay: RelayProcess) -> None:
    for number in (DRIVER_PHONE, CUSTOMER_PHONE):
        last = number[-9:]
        for start in range(4):
            run = last[start : start + 6]
            # Even where the platform allows it, and whatever the policy.
            driver, customer = await pair(relay, policy={"number": "off"})
            for text in (run, " ".join(run), f"kode {run[:3]}-{run[3:]}", run[::-1]):
                accepted, message = await say(driver, customer, text)
                assert longest_run(digits([message["text"]]), number) < 6, text
                assert {found["class"] for found in accepted["findings"]} == {"number"}


async def test_a_number_of_a_new_party_is_guarded_too(relay: RelayProcess) -> None:
    driver, customer = await pair(relay)
    await say(driver, customer, "no 12 ya")  # so that the guard is there
    phone = "+6281298765432"
    answer = await relay.call(
        "PUT", f"/v1/trips/{driver.trip}/parties/driver",  # type: ignore[attr-defined]
        {"epoch": 1, "party_id": "drv-2", "phone": phone, "alias": "Wati"},
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    await customer.hear("reassigned")
    second = await Party.attach(relay.gateway_url, answer.json()["token"])
    run = phone[-6:]
    _, message = await say(customer, second, f"ini ya {run}", epoch=2)
    assert run not in message["text"]
    # The customer came in the first epoch: that number is still known.
    _, message = await say(second, customer, f"ini ya {CUSTOMER_PHONE[-6:]}", epoch=2)
    assert CUSTOMER_PHONE[-6:] not in message["text"]


async def test_the_rules_of_a_trip_can_change(relay: RelayProcess) -> None:
    driver, customer = await pair(relay)
    _, message = await say(driver, customer, "rekening BCA 0987612345 ya")
    assert "0987612345" not in message["text"]
    answer = await relay.call(
        "PATCH", f"/v1/trips/{driver.trip}", {"policy": {"account": "off", "number": "off"}}  # type: ignore[attr-defined]
    )  # fmt: skip
    assert answer.status_code == 200, answer.text

    async def passes() -> bool:
        _, heard = await say(driver, customer, "rekening BCA 0987612345 ya")
        return "0987612345" in heard["text"]

    await until(passes, "the new policy holds", 5)
    answer = await relay.call(
        "PATCH", f"/v1/trips/{driver.trip}", {"policy": {"phone": "off"}}  # type: ignore[attr-defined]
    )  # fmt: skip
    assert (answer.status_code, answer.json()["field"]) == (422, "policy")


# --- numbers in pieces ----------------------------------------------------------------------------


def left_by_one_guard(pieces: list[str]) -> list[str]:
    """What is delivered of pieces that all go through one guard, which never forgets."""
    guard = Guard("ID", [DRIVER_PHONE, CUSTOMER_PHONE])
    memory, texts = Memory(), []
    for at_ms, piece in enumerate(pieces, start=1):
        verdict = guard.screen(memory, "d", piece, at_ms)
        entry = Entry(str(at_ms), "d", verdict.text, at_ms, f"{at_ms}-0")
        memory.feed(entry, verdict.trace)
        texts.append(verdict.text)
    return texts


async def test_pieces_through_other_workers_takeovers_and_kills(
    tmp_path: Path,
) -> None:
    """Each piece goes through another worker, after a takeover, after a SIGKILL, said twice."""
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    rng = random.Random(seed)
    async with RelayProcess(tmp_path, "--workers", "2", posts_per_s=1000) as relay:
        trips = [await relay.open_trip(f"pieces-{n}") for n in range(12)]
        for round_number in range(12):
            # Without zeros: a piece such as "91200" passes as an amount, whoever reads it.
            foreign = "+62813" + "".join(rng.choices("123456789", k=8))
            number = rng.choice([DRIVER_PHONE, CUSTOMER_PHONE, foreign])
            national = "0" + number[3:]
            cuts = sorted(rng.sample(range(2, len(national) - 1), 3))
            pieces = [national[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
            tokens = trips[round_number]
            for turn, piece in enumerate(pieces):
                # A new connection lands on either worker; one that was killed takes a moment.
                driver = await Party.come_back(relay.gateway_url, tokens["driver"])
                await driver.accepted(piece, id=f"piece-{turn}")
                if rng.random() < 0.5:
                    await driver.accepted(piece, id=f"piece-{turn}", again=True)
                if rng.random() < 0.3:
                    os.kill(rng.choice(relay.workers()), signal.SIGKILL)
            customer = await Party.come_back(relay.gateway_url, tokens["customer"])
            texts = customer.texts()
            assert texts == left_by_one_guard(pieces), (round_number, pieces)
            assert longest_run(digits(texts), number) < 6, (round_number, pieces)


async def test_pieces_of_both_parties_at_once_on_two_nodes(
    two_nodes: tuple[RelayProcess, RelayProcess],
) -> None:
    """Driver and customer help each other, on different nodes, in the same instant."""
    one, other = two_nodes
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    rng = random.Random(seed)
    redacted = 0
    for round_number in range(60):
        trip = f"both-{round_number}"
        tokens = await one.open_trip(trip)
        driver = await Party.attach(one.gateway_url, tokens["driver"])
        customer = await Party.attach(other.gateway_url, tokens["customer"])
        if rng.random() < 0.5:
            await driver.accepted("no 3 ya")  # both nodes know the log
            await customer.accepted("lt 7")
        number = rng.choice([DRIVER_PHONE, CUSTOMER_PHONE])
        start = rng.randrange(3)
        run = number[-9:][start : start + 6]
        cut = rng.randrange(2, 5)
        await asyncio.gather(
            driver.accepted(run[:cut], id="first"), customer.accepted(run[cut:], id="second")
        )
        reader = await Party.attach(other.gateway_url, tokens["customer"])
        texts = {frame["id"]: frame["text"] for frame in reader.all("message")}
        in_order = [
            frame["text"] for frame in reader.all("message") if frame["id"] in ("first", "second")
        ]
        assert set(texts) >= {"first", "second"}
        # In the order of the log, whichever that was, six digits never stand in a row.
        assert longest_run(digits(in_order), number) < 6
        redacted += "•" in "".join(in_order)
        await driver.leave()
        await reader.leave()
    assert redacted > 10, "the halves never met in order: the race was not run"


async def test_posts_in_flight_count_as_said(relay: RelayProcess) -> None:
    """A party that does not wait for answers gets nothing more across."""
    for protocol in (MSGPACK, JSON):
        driver, customer = await pair(relay, protocol)
        national = "0" + DRIVER_PHONE[3:]
        posts = [await driver.post(digit, id=f"one-{n}") for n, digit in enumerate(national)]
        for post_id in posts:
            await customer.hear("message", id=post_id)
        assert [frame["id"] for frame in customer.all("message")] == posts
        assert longest_run(digits(customer.texts()), DRIVER_PHONE) < 6


async def test_order_is_kept_where_posts_depend_on_each_other(
    two_nodes: tuple[RelayProcess, RelayProcess],
) -> None:
    """Both write at once, with and without digits; each party's posts stay in their order."""
    one, other = two_nodes
    tokens = await one.open_trip("order")
    driver = await Party.attach(one.gateway_url, tokens["driver"])
    customer = await Party.attach(other.gateway_url, tokens["customer"])
    await driver.hear("presence", online=True)
    texts = ["halo", "lantai 3", "ya", "unit 12", "sebentar", "jam 8", "ok", "2 menit lagi"]

    async def talk(party: Party, letter: str) -> list[str]:
        ids = []
        for number in range(60):
            ids.append(await party.post(texts[number % len(texts)], id=f"{letter}{number}"))
            await until(lambda: len(ids) - len(party.all("accepted")) < 8, "few are in flight", 20)
        return ids

    sent = await asyncio.gather(talk(driver, "d"), talk(customer, "c"))
    for party, theirs in ((driver, sent[1]), (customer, sent[0])):
        await until(lambda p=party: len(p.texts()) == 60, "all arrive", 20)
        assert [frame["id"] for frame in party.all("message")] == theirs
        assert not party.all("refused")


#: A node whose post "late" leaves it only when another node's post has come to be known here.
LATE = """
from pathlib import Path

from relay.gateway.posting import Pending
from relay.gateway.screening import Screening
from relay.store.pipe import ServerPipe

folder, held = Path(__file__).parent, []
send, learn, answer = ServerPipe.send, Screening.learn, Pending._answer

def send_late(self, packed, callback=lambda reply: None, skip=0, *, firm=False):
    post = getattr(callback, "__self__", None)
    if isinstance(post, Pending) and post.id == "late" and not post.tries:
        held.append(lambda: send(self, packed, callback, skip, firm=firm))
        (folder / "held").touch()
    else:
        send(self, packed, callback, skip, firm=firm)

def learn_and_send(self, *news):
    learn(self, *news)
    while held:
        held.pop()()

def note_tries(self, frame):
    if self.id == "late":
        (folder / "tries").write_text(str(self.tries))
    answer(self, frame)

ServerPipe.send, Screening.learn, Pending._answer = send_late, learn_and_send, note_tries
"""


async def test_a_post_before_which_another_came_is_stored_at_its_next_try(
    relay: RelayProcess, tmp_path: Path
) -> None:
    """Also where that other one was heard of before the store's answer."""
    (tmp_path / "sitecustomize.py").write_text(LATE)
    path = os.pathsep.join([str(tmp_path), str(Path(relay_package.__file__).parents[1])])
    second = RelayProcess(tmp_path, environment={"PYTHONPATH": path})
    second.data = relay.data
    tokens = await relay.open_trip("late")
    async with second:
        driver = await Party.attach(relay.gateway_url, tokens["driver"])
        customer = await Party.attach(second.gateway_url, tokens["customer"])
        await driver.hear("presence", online=True)
        await say(customer, driver, "lantai 3")  # so that the guard knows the trip
        await customer.post("unit 12", id="late")
        await until((tmp_path / "held").exists, "it is judged")
        await say(driver, customer, "jam 8")
        await customer.hear("accepted", id="late")
        assert (tmp_path / "tries").read_text() == "1"
        await driver.hear("message", id="late", text="unit 12")


#: A node that gives way for long, and says when.
PATIENT = """
from pathlib import Path

import relay.gateway.screening as screening

screening._TURN_S = 30.0
give_way = screening.Screening.give_way

def note(self, *channel):
    give_way(self, *channel)
    Path(__file__).with_name("gives_way").touch()

screening.Screening.give_way = note
"""
#: One whose post "late" leaves it for the second time only when the file "go" is there.
SLOW = LATE.replace("not post.tries:", "post.tries < 2:").replace(
    "held.append(lambda: send(self, packed, callback, skip, firm=firm))",
    """go_on = lambda: send(self, packed, callback, skip, firm=firm)
        if post.tries:
            def look():
                go_on() if (folder / "go").exists() else post.node.loop.call_later(0.01, look)
            look()
        else:
            held.append(go_on)""",
)


async def test_who_has_won_a_race_lets_the_loser_go_first(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    own = str(Path(relay_package.__file__).parents[1])
    relays = []
    for folder, change in ((one, PATIENT), (other, SLOW)):
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(change)
        path = os.pathsep.join([str(folder), own])
        relays.append(RelayProcess(folder, environment={"PYTHONPATH": path}))
    winning, losing = relays
    losing.data = winning.data
    async with winning, losing:
        tokens = await winning.open_trip("turns")
        driver = await Party.attach(winning.gateway_url, tokens["driver"])
        customer = await Party.attach(losing.gateway_url, tokens["customer"])
        await driver.hear("presence", online=True)
        await say(customer, driver, "lantai 3")
        await customer.post("unit 12", id="late")
        await until((other / "held").exists, "it is judged")
        await driver.accepted("jam 8", id="first")
        await until((one / "gives_way").exists, "the loser has asked")
        await driver.post("jam 9", id="next")
        await driver.post("ok", id="harmless")
        (other / "go").touch()
        await customer.hear("accepted", id="late")
        await driver.hear("accepted", id="next")
        await driver.hear("accepted", id="harmless")
        assert (other / "tries").read_text() == "1"
        reader = await Party.attach(winning.gateway_url, tokens["driver"])
        ids = [frame["id"] for frame in reader.all("message")]
        assert ids[1:] == ["first", "late", "next", "harmless"]


async def test_no_post_is_refused_because_the_peer_posts_without_pause(
    two_nodes: tuple[RelayProcess, RelayProcess],
) -> None:
    one, other = two_nodes
    seed = int(os.environ.get("SEED", random.randrange(2**32)))
    print(f"SEED={seed}")
    rng = random.Random(seed)
    judged, harmless = ["lantai 3", "unit 12", "jam 8", "2 menit lagi"], ["halo", "ya", "ok"]
    for trip, (mine, theirs) in {
        "eager-1": (judged, judged),
        "eager-2": (judged + harmless, judged + harmless),
        "eager-3": (harmless, judged),
    }.items():
        tokens = await one.open_trip(trip)
        driver = await Party.attach(one.gateway_url, tokens["driver"])
        customer = await Party.attach(other.gateway_url, tokens["customer"])
        await driver.hear("presence", online=True)

        async def talk(party: Party, texts: list[str], in_flight: int) -> list[str]:
            ids: list[str] = []
            while len(ids) < 400:
                answers = sum(frame["op"] in ("accepted", "refused") for frame in party.heard)
                if len(ids) - answers < in_flight:
                    ids.append(await party.post(rng.choice(texts)))
                else:
                    await asyncio.sleep(0)
            return ids

        flights = rng.choice([2, 4, 8, 32]), rng.choice([4, 8, 32])
        sent = await asyncio.gather(
            talk(driver, mine, flights[0]), talk(customer, theirs, flights[1])
        )
        for party, own, others in ((driver, *sent), (customer, *reversed(sent))):
            await party.hear("accepted", id=own[-1])
            await until(lambda p=party: len(p.texts()) == 400, "all arrive", 20)
            assert [frame["id"] for frame in party.all("accepted")] == own, (trip, flights)
            assert [frame["id"] for frame in party.all("message")] == others
            assert not party.all("refused")


async def test_what_the_log_has_lost_is_forgotten_and_the_rest_is_not(relay: RelayProcess) -> None:
    driver, _ = await pair(relay)
    last = DRIVER_PHONE[-9:]
    await driver.accepted(last[:3], id="kept")
    await driver.accepted("unit 12", id="lost")
    async with relay.redis() as redis:
        log = keys.log(driver.trip, 1)  # type: ignore[attr-defined]
        ((entry_id, fields),) = await redis.xrevrange(log, count=1)
        assert b"lost" in fields.values()
        await redis.xdel(log, entry_id)
    await driver.accepted(last[3:], id="rest")
    reader = await Party.attach(relay.gateway_url, driver.tokens["customer"])  # type: ignore[attr-defined]
    texts = {frame["id"]: frame["text"] for frame in reader.all("message")}
    assert list(texts) == ["kept", "rest"]
    assert longest_run(digits(list(texts.values())), DRIVER_PHONE) < 6


async def test_a_harmless_post_costs_no_script_whatever_was_judged_before_it(
    relay: RelayProcess,
) -> None:
    driver, customer = await pair(relay)
    await driver.accepted("lantai 3")  # so that the guard knows the trip
    async with relay.redis() as redis:
        before = (await redis.info("commandstats"))["cmdstat_multi"]["calls"]
        ids = [await driver.post(text) for text in ("lantai 3", "ya", "sebentar", "unit 12", "ok")]
        ids += [await customer.post("halo")]
        for party, own in ((driver, ids[:5]), (customer, ids[5:])):
            for name in own:
                await party.hear("accepted", id=name)
        after = (await redis.info("commandstats"))["cmdstat_multi"]["calls"]
    assert after - before == 4
    assert [frame["id"] for frame in customer.all("message")][1:] == ids[:5]


async def test_what_is_found_in_a_post_that_is_stored_is_counted_once(relay: RelayProcess) -> None:
    driver, customer = await pair(relay)
    accepted, _ = await say(driver, customer, "wa saja 0813-9876-5432 ya", id="once")
    await driver.accepted("wa saja 0813-9876-5432 ya", id="once", again=True)
    async with relay.redis() as redis:
        record = await redis.hgetall(keys.trip(driver.trip))  # type: ignore[attr-defined]
    classes = {f"d.f.{found['class']}".encode() for found in accepted["findings"]}
    assert {name: count for name, count in record.items() if b".f." in name} == dict.fromkeys(
        classes, b"1"
    )
    assert (record[b"findings"], record[b"d.masks"]) == (b"%d" % len(classes), b"1")


# --- asking by other ways -------------------------------------------------------------------------


async def test_what_is_said_again_is_answered_by_what_is_stored_and_asks_nothing(
    relay: RelayProcess,
) -> None:
    """Another text under an id that is in the log would be a question that costs nothing."""
    driver, customer = await pair(relay)
    first = await driver.accepted("lt 3", id="once")
    for text in (CUSTOMER_PHONE[-6:], "998877", "kak tekan **21*081398765432#", "x" * 900):
        again = await driver.accepted(text, id="once", again=True)
        assert (again["pos"], again["text"]) == (first["pos"], "lt 3")
        assert "findings" not in again
    # Nor does it while the first try is still on its way.
    await driver.post("lt 4", id="twice")
    await driver.post(CUSTOMER_PHONE[-6:], id="twice", again=True)
    await driver.hear("accepted", id="twice")
    again = await driver.hear("accepted", id="twice")
    assert (again["text"], "findings" in again) == ("lt 4", False)
    await driver.accepted("lt 5")
    await customer.hear("message", text="lt 5")  # whatever else was sent has come before it
    assert customer.texts() == ["lt 3", "lt 4", "lt 5"]


async def test_pieces_stay_known_whatever_is_said_again(relay: RelayProcess) -> None:
    last = DRIVER_PHONE[-9:]
    driver, customer = await pair(relay)
    for number, piece in enumerate((last[:3], last[3:6], last[6:])):
        await driver.accepted(piece, id=f"piece-{number}")
        await driver.accepted("tekan **21*081398765432#", id=f"piece-{number}", again=True)
    await until(lambda: len(customer.texts()) == 3, "all arrive")
    assert longest_run(digits(customer.texts()), DRIVER_PHONE) < 6


async def test_one_id_for_every_post_hides_nothing(relay: RelayProcess) -> None:
    driver, customer = await pair(relay)
    for digit in "0" + DRIVER_PHONE[3:]:
        await driver.accepted(digit, id="same")
    await until(lambda: len(customer.texts()) == 12, "all arrive")
    assert longest_run(digits(customer.texts()), DRIVER_PHONE) < 6
    replayed = await Party.attach(relay.gateway_url, driver.tokens["customer"])  # type: ignore[attr-defined]
    assert replayed.texts() == customer.texts()


async def test_an_alias_counts_as_said(relay: RelayProcess) -> None:
    last = DRIVER_PHONE[-9:]
    named = opening("x")["driver"] | {"alias": f"Budi {last[:5]}"}
    driver, customer = await pair(relay, driver=named)
    _, message = await say(driver, customer, last[5:])
    assert longest_run(last[:5] + digits([message["text"]]), DRIVER_PHONE) < 6


async def test_the_guard_reads_a_place_as_the_peer_gets_it(relay: RelayProcess) -> None:
    last = DRIVER_PHONE[-9:]
    driver, customer = await pair(relay)
    lat, lon = float(f"{last[:2]}.{last[2:4]}"), float(f"{last[4:6]}.{last[6:8]}")
    await driver.say("post", id="own", kind="location", lat=lat, lon=lon)
    message = await customer.hear("message", id="own")
    assert longest_run(digits([message["text"], str(message.get("lat", ""))]), DRIVER_PHONE) < 6
    # People on the move share many.
    driver, customer = await pair(relay)
    for step in range(12):
        await driver.say(
            "post", id=f"p{step}", kind="location", lat=-6.2 + step / 700, lon=106.8 + step / 900
        )
        assert "lat" in await customer.hear("message", id=f"p{step}")
    # A label may be longer than what the guard reads.
    await driver.say("post", id="long", kind="location", lat=-6.2, lon=106.8, text="1 " * 495)
    assert (await driver.hear("refused", id="long"))["code"] == "too_long"


async def test_rules_that_change_all_the_time_stop_nobody(relay: RelayProcess) -> None:
    driver, customer = await pair(relay)
    path = f"/v1/trips/{driver.trip}"  # type: ignore[attr-defined]
    over = asyncio.Event()

    async def change() -> None:
        while not over.is_set():
            body = {"policy": {"account": "off"}, "allow": ["4821"]}
            assert (await relay.call("PATCH", path, body)).status_code == 200

    changing = [asyncio.create_task(change()) for _ in range(4)]
    for number in range(60):
        await say(driver, customer, f"lantai {number % 9} ya")
    over.set()
    await asyncio.gather(*changing)


async def test_a_platform_key_finds_no_digits_by_what_it_allows(relay: RelayProcess) -> None:
    driver, _ = await pair(relay, allow=["4821"])
    path = f"/v1/trips/{driver.trip}"  # type: ignore[attr-defined]
    codes = []
    for number in range(8):
        answer = await relay.call("PATCH", path, {"allow": [f"{number}{n:09}" for n in range(4)]})
        codes.append(answer.status_code)
    assert codes == [200, 200, 200, 422, 422, 422, 422, 422]
    assert (await relay.call("PATCH", path, {"allow": ["4821"]})).status_code == 200


async def test_what_was_taken_out_counts_for_who_stays_after_a_reassignment(
    relay: RelayProcess,
) -> None:
    driver, customer = await pair(relay)
    for number in range(3):
        await customer.accepted(f"wa 08139876543{number}", id=f"n{number}")
    _, message = await say(customer, driver, "lantai 21")
    assert "21" not in message["text"]  # the budget is closed
    answer = await relay.call(
        "PUT", f"/v1/trips/{driver.trip}/parties/driver",  # type: ignore[attr-defined]
        {"epoch": 1, "party_id": "drv-2", "phone": "+6281298765432", "alias": "Wati"},
    )  # fmt: skip
    await customer.hear("reassigned")
    second = await Party.attach(relay.gateway_url, answer.json()["token"])
    _, message = await say(customer, second, "lantai 21", epoch=2)
    assert "21" not in message["text"]
    _, message = await say(second, customer, "lantai 21", epoch=2)
    assert message["text"] == "lantai 21"  # it is not the new party's doing
    # But who may replace parties finds no way round either.
    for epoch in (2, 3):
        for number in range(2):
            await second.accepted(f"wa 08139876543{number}", id=f"e{epoch}-{number}", epoch=epoch)
        answer = await relay.call(
            "PUT", f"/v1/trips/{driver.trip}/parties/driver",  # type: ignore[attr-defined]
            {"epoch": epoch, "party_id": f"drv-{epoch + 1}", "phone": f"+628129876540{epoch}",
             "alias": "Wati"},
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        second = await Party.attach(relay.gateway_url, answer.json()["token"])
    accepted = await second.accepted("lantai 21", epoch=4)
    assert "21" not in accepted["text"]


# --- when it fails --------------------------------------------------------------------------------

BROKEN = """
import relay.guard.guard, time

sound = relay.guard.guard.Guard.screen

def broken(self, memory, sender, text, now_ms):
    if text in ("Budi", "Sari"):
        return sound(self, memory, sender, text, now_ms)
    {body}

relay.guard.guard.Guard.screen = relay.guard.guard.Guard.judge = broken
"""


@pytest.mark.parametrize(
    "body",
    [
        "raise RuntimeError('no verdict about ' + text)",
        "end = time.thread_time() + 0.1\n    while time.thread_time() < end: pass",
    ],
    ids=["fails", "hangs"],
)
async def test_a_broken_guard_lets_nothing_through_but_quick_replies(
    tmp_path: Path, body: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(BROKEN.format(body=body))
    path = os.pathsep.join([str(tmp_path), str(Path(relay_package.__file__).parents[1])])
    async with RelayProcess(tmp_path, environment={"PYTHONPATH": path}) as relay:
        driver, customer = await pair(relay)
        if "raise" in body:
            unread = opening("unread")
            unread["driver"]["alias"] = "Joko"
            answer = await relay.call("POST", "/v1/trips", unread)
            assert (answer.status_code, answer.json()["code"]) == (503, "guard_unavailable")
        await driver.post("lantai 3 unit 739184265", id="digits")
        refused = await driver.hear("refused", id="digits")
        assert refused["code"] == "guard_away"
        assert refused["retry_after_ms"] > 0
        # An earlier try might have got into the log, so that is looked at before it is refused.
        await driver.post("lantai 3 unit 739184265", id="digits", again=True)
        assert (await driver.hear("refused", id="digits"))["code"] == "guard_away"
        await driver.say("post", id="quick", kind="quick", key="arrived")
        await driver.hear("accepted", id="quick")
        path = f"/v1/trips/{driver.trip}/system-messages"  # type: ignore[attr-defined]
        answer = await relay.call("POST", path, {"id": "s1", "text": "Tarif 25.000"})
        if "raise" in body:
            assert (answer.status_code, answer.json()["code"]) == (503, "guard_unavailable")
        answer = await relay.call("POST", path, {"id": "s2", "template": "stay_safe"})
        assert answer.status_code == 201, answer.text
        await customer.hear("message", id="s2", text=SYSTEM_MESSAGES["stay_safe"]["id"])
        assert "digits" not in {frame["id"] for frame in customer.all("message")}
        assert "739184265" not in relay.log.read_text()
        assert "verdict about" not in relay.log.read_text()


FAILS_ONCE = """
import relay.gateway.posting

sound, failed = relay.gateway.posting.pack_body, []

def broken(body):
    if "unit 12" in body.text and not failed:
        failed.append(body.text)
        raise RuntimeError('no body of ' + body.text)
    return sound(body)

relay.gateway.posting.pack_body = broken
"""


async def test_a_post_that_fails_when_its_turn_comes_is_unsure_and_keeps_none_waiting(
    tmp_path: Path,
) -> None:
    (tmp_path / "sitecustomize.py").write_text(FAILS_ONCE)
    path = os.pathsep.join([str(tmp_path), str(Path(relay_package.__file__).parents[1])])
    async with RelayProcess(tmp_path, environment={"PYTHONPATH": path}) as relay:
        driver, customer = await pair(relay)
        # The first one waits until the guard has read the log.
        await driver.post("lantai 3 unit 12", id="first")
        await driver.post("lantai 4 unit 13", id="second")
        await driver.hear("unsure", id="first")
        await driver.hear("accepted", id="second")
        await driver.post("lantai 3 unit 12", id="first", again=True)
        await driver.hear("accepted", id="first")
        await customer.hear("message", id="first", text="lantai 3 unit 12")
        assert "unit" not in relay.log.read_text()


async def test_without_the_key_of_the_numbers_nothing_is_judged(relay: RelayProcess) -> None:
    driver, customer = await pair(relay)
    key = keys.trip(driver.trip)  # type: ignore[attr-defined]
    async with relay.redis() as redis:
        sealed = await redis.hget(key, "d.phone")
        assert sealed is not None
        await redis.hset(key, "d.phone", b"\xff\xff\xff\xff" + sealed[4:])
    await driver.post("lantai 3 unit 12", id="digits")
    assert (await driver.hear("refused", id="digits"))["code"] == "key_away"
    async with relay.redis() as redis:
        await redis.hset(key, "d.phone", sealed)
    await say(driver, customer, "lantai 3 unit 12")


# --- what it leaves behind ------------------------------------------------------------------------


async def test_findings_are_counted_and_leave_no_trace(relay: RelayProcess) -> None:
    async def counted() -> Counter[str]:
        metrics = (await relay.call("GET", "/metrics")).text
        assert "98765432" not in metrics
        found = re.findall(r'relay_findings_total\{action="(\w+)",class="(\w+)"\} (\S+)', metrics)
        return Counter({f"{action} {name}": int(float(times)) for action, name, times in found})

    driver, customer = await pair(relay)
    before = await counted()
    await say(driver, customer, "wa 081398765432")
    await driver.post("tekan **21*081398765432#", id="forward")
    await driver.hear("refused", id="forward")
    await say(driver, customer, "kirim kode OTP dong")
    after = await counted()
    for finding in ("redact number", "block call_forward", "warn otp_request"):
        assert after[finding] == before[finding] + 1
    shown = relay.log.read_text()
    assert "98765432" not in shown
    assert "OTP dong" not in shown


# --- free text of the platform --------------------------------------------------------------------


async def test_the_platforms_own_text_is_guarded(relay: RelayProcess) -> None:
    driver, customer = await pair(relay, allow=["4821"])
    path = f"/v1/trips/{driver.trip}/system-messages"  # type: ignore[attr-defined]

    async def tell(text: str) -> str:
        name = f"s{next(_trips)}"
        answer = await relay.call("POST", path, {"id": name, "text": text})
        assert answer.status_code == 201, answer.text
        assert set(answer.json()) == {"trip_id", "epoch", "id", "pos", "at"}
        return str((await customer.hear("message", id=name))["text"])

    assert await tell("PIN jemput 4821, tarif Rp 25.000") == "PIN jemput 4821, tarif Rp 25.000"
    own = await tell(f"hubungi {DRIVER_PHONE[-8:]}")
    assert longest_run(digits([own]), DRIVER_PHONE) < 6
    assert "0813" not in await tell("hubungi 081398765432")
    # Nobody finds out digits by trying many.
    guesses = [await tell(f"kode {n:06}") for n in range(100, 130)]
    assert sum("•" in guess for guess in guesses) > 10


@pytest.mark.parametrize(
    "alias", ["Budi 081398765432", "wa.me/budi", "budi@example.org", "Budi 123456", "IG: budi_88"]
)
async def test_an_alias_holds_no_contact(relay: RelayProcess, alias: str) -> None:
    trip = f"alias-{next(_trips)}"
    body = opening(trip)
    body["driver"]["alias"] = alias
    answer = await relay.call("POST", "/v1/trips", body)
    assert (answer.status_code, answer.json()["field"]) == (422, "driver.alias")
    assert alias not in answer.text
    await relay.open_trip(trip)
    answer = await relay.call(
        "PUT", f"/v1/trips/{trip}/parties/customer",
        {"epoch": 1, "party_id": "c2", "phone": "+6281298765432", "alias": alias},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["field"]) == (422, "alias")


@pytest.mark.parametrize(
    "alias", ["Budi", "Wa Ode Siti", "Pak Tele", "Sri Eka Dwi", "นายสมชาย", "Budi 88", "Line Tan"]
)
async def test_names_that_people_have_pass(relay: RelayProcess, alias: str) -> None:
    body = opening(f"alias-{next(_trips)}")
    body["driver"]["alias"] = alias
    assert (await relay.call("POST", "/v1/trips", body)).status_code == 201
