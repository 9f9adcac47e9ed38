"""`relay chat` shows both sides what the guard did, and posts quick replies. On a scripted relay."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from relay.cli.chat_findings import WORDS, in_words
from relay.cli.chat_input import ListQuick, Quick, Wrong, command_of
from relay.cli.chat_posts import Mark, OwnPosts, text_of
from relay.client import QUICK_REPLIES, Accepted, Finding, Post, Refused
from relay.guard.policy import FindingClass
from tests.client.relay_model import MASK, Frame
from tests.client.scripted_relay import Caller, ScriptedRelay, running

from .commands import Done, finish, relay_command, start
from .terminal import Terminal

DRIVER = "token-of-the-driver-5c8d"
NUMBER = "0812-0000-1234"
MASKED = f"Telepon ke {MASK} ya"


@pytest.fixture
async def scripted() -> AsyncIterator[ScriptedRelay]:
    async with running() as relay:
        relay.model.redacts = NUMBER
        yield relay


async def chat(relay: ScriptedRelay, *more: object, given: str = "") -> Done:
    words = ("chat", "--url", relay.url, "--linger-s", 0.2, *more)
    return await relay_command(*words, given=given, RELAY_TOKEN=DRIVER)


async def block(caller: Caller, frame: Frame) -> None:
    found = {"class": "call_forward", "rule": "forward", "length": 13}
    await caller.say({**caller.relay.model.refused(frame, "blocked"), "findings": [found, found]})


async def warn(caller: Caller, frame: Frame) -> None:
    answer: Any = caller.relay.model.store("driver", frame)
    found = {"class": "otp_request", "rule": "ask", "length": 0}
    await caller.say({**answer, "findings": [found]})


# --- lines ----------------------------------------------------------------------------------------


async def test_the_sender_is_shown_what_the_other_side_sees(scripted: ScriptedRelay) -> None:
    done = await chat(scripted, given=f"Telepon ke {NUMBER} ya\nhalo\n")
    assert done.code == 0
    lines = done.out.splitlines()
    at = lines.index(f"✓ accepted: Telepon ke {NUMBER} ya")
    assert lines[at + 1] == f"  the other side sees: {MASKED} (found: a number)"
    assert lines[at + 2] == "✓ accepted: halo"


async def test_a_warning_is_told_to_the_sender(scripted: ScriptedRelay) -> None:
    scripted.on("post", warn)
    done = await chat(scripted, given="kirim kodenya\n")
    assert done.code == 0
    assert (
        "\n  the other side gets it with a safety hint (found: a request for a one-time code)\n"
        in done.out
    )


async def test_what_was_blocked_is_said_with_what_was_found(scripted: ScriptedRelay) -> None:
    scripted.on("post", block)
    done = await chat(scripted, given="**21*08120000#\n")
    assert done.code == 1
    assert "✗ **21*08120000# (refused: No. Found: a call-forwarding code.)" in done.out


async def test_notices_stand_below_their_message(scripted: ScriptedRelay) -> None:
    scripted.model.store("customer", {"op": "post", "epoch": 1, "id": "c1", "text": f"ke {NUMBER}"})
    scripted.model.store("customer", {"op": "post", "epoch": 1, "id": "c2", "text": "halo"})
    done = await chat(scripted)
    lines = done.out.splitlines()
    at = lines.index(f"customer-1: ke {MASK}")
    assert lines[at + 1 : at + 3] == ["  ! Talk in the app.", "customer-1: halo"]


async def test_a_notice_cannot_command_the_terminal(scripted: ScriptedRelay) -> None:
    process = await start("chat", "--url", scripted.url, RELAY_TOKEN=DRIVER)
    await scripted.until(lambda: "driver" in scripted.callers, 20)
    caller = scripted.callers["driver"]
    entry = {"op": "message", "pos": "1", "id": "x", "from": "peer", "at": 0, "kind": "text"}
    await caller.say({**entry, "text": "a", "tag": "t", "notices": ["\x1b[2J\n-- b"]})
    await scripted.until(lambda: scripted.said("seen"), 20)
    done = await finish(process)
    assert r"  ! \x1b[2J\n-- b" in done.out.splitlines()


async def test_json_has_all_of_it(scripted: ScriptedRelay) -> None:
    scripted.on("post", ScriptedRelay.serve_next, block)
    scripted.model.store("customer", {"op": "post", "epoch": 1, "id": "c1", "text": f"ke {NUMBER}"})
    given = f"Telepon ke {NUMBER} ya\n**21#\n/quick ok\n/quick\n"
    done = await chat(scripted, "--json", given=given)
    events = {event["event"]: event for event in done.json_lines if event["event"] != "accepted"}
    first, second = (event for event in done.json_lines if event["event"] == "accepted")
    assert first["text"] == MASKED
    assert first["findings"] == [{"finding_class": "number", "rule": "plain", "length": 4}]
    assert (second["text"], second["findings"]) == (None, [])
    assert events["refused"]["findings"][0]["finding_class"] == "call_forward"
    assert events["message"]["notices"] == ["Talk in the app."]
    assert events["posted"]["key"] == "ok"
    assert events["quick_replies"]["replies"]["ok"] == "OK."
    assert done.out.isascii()


async def test_quick_replies_are_listed_and_posted(scripted: ScriptedRelay) -> None:
    done = await chat(scripted, given="/quick\n/quick coming_out\n")
    assert done.code == 0
    for key, texts in QUICK_REPLIES.items():
        (line,) = [
            line for line in done.out.splitlines() if line.split()[:3] == ["--", "/quick", key]
        ]
        assert line.endswith(texts["en"])
    assert "✓ accepted: I am coming out, please wait." in done.out
    (post,) = scripted.said("post")
    assert (post["kind"], post["key"]) == ("quick", "coming_out")


async def test_an_unknown_key_is_answered_with_those_there_are(scripted: ScriptedRelay) -> None:
    done = await chat(scripted, given="/quick arived\nsesudah\n")
    assert done.code == 1
    (complaint,) = [line for line in done.out.splitlines() if line.startswith("✗")]
    assert "not posted: there is no such quick reply; use one of on_my_way, arrived" in complaint
    assert [post.get("text") for post in scripted.said("post")] == ["sesudah"]


# --- on a terminal --------------------------------------------------------------------------------


async def test_a_terminal_shows_it_too(scripted: ScriptedRelay) -> None:
    async with Terminal("chat", "--url", scripted.url, RELAY_TOKEN=DRIVER) as terminal:
        await scripted.until(lambda: "driver" in scripted.callers, 20)
        await terminal.shows("/quick · /loc LAT LON · /quit")
        terminal.type(f"Telepon ke {NUMBER} ya\r")
        await terminal.shows(f"the other side sees: {MASKED} (found: a number)")
        # Ours on the right, the remark as well; the tick stays with the message.
        assert terminal.row("the other side sees").startswith(" " * 20)
        assert terminal.row(NUMBER).endswith(" ✓")
        post = {"op": "post", "epoch": 1, "id": "c1", "text": f"ke {NUMBER}"}
        scripted.model.store("customer", post)
        await terminal.shows("! Talk in the app.")
        assert terminal.row("! Talk in the app.").startswith("!")
        scripted.on("post", block)
        terminal.type("**21#\r")
        await terminal.shows("✗ refused: No. Found: a call-forwarding code.")
        terminal.type("/quick\r")
        for key, texts in QUICK_REPLIES.items():
            await terminal.shows(f"/quick {key}")
            assert terminal.row(f"/quick {key} ").endswith(texts["en"])
        terminal.type("/quick thank_you\r")
        await terminal.until(lambda: is_ours("Thank you.", terminal.picture), "it is accepted")
        terminal.type("/quick thanks\r")
        await terminal.shows("there is no such quick reply; use one of on_my_way")
        terminal.type("\x04")
        assert await terminal.ended() == 1, "one message was blocked"


def is_ours(text: str, picture: str) -> bool:
    """Whether an accepted message with this text stands on the right."""
    lines = [line.rstrip() for line in picture.splitlines() if text in line]
    return any(line.startswith(" " * 40) and line.endswith(" ✓") for line in lines)


# --- the parts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "command"),
    [("/quick", ListQuick()), ("/quick ", ListQuick()), ("/quick ok", Quick("ok"))],
)
def test_commands(line: str, command: object) -> None:
    assert command_of(line) == command


@pytest.mark.parametrize("line", ["/quick a b", "/Quick", "/quickly"])
def test_what_is_no_command(line: str) -> None:
    wrong = command_of(line)
    assert isinstance(wrong, Wrong)
    assert "/quick [KEY]" in wrong.text


def test_every_class_has_its_words() -> None:
    assert set(WORDS) == set(FindingClass)
    found = [Finding(name, "rule", 1) for name in ("link", "number", "link", "hologram")]
    assert in_words(found) == "a link, a number, something that this version does not know"
    assert in_words([]) == ""


def test_a_post_stored_again_shows_what_the_peer_sees_now() -> None:
    posts = OwnPosts()
    own = posts.add(Post("a", "Halo"))
    found = (Finding("number", "plain", 4),)
    posts.apply(Accepted("a", "1", 0, "tag", "H•••", found))
    assert own.remark == "the other side sees: H••• (found: a number)"
    posts.apply(Accepted("a", "2", 0, "tag", "H•••"))
    assert own.remark == "the other side sees: H•••"
    posts.apply(Accepted("a", "3", 0, "tag"))
    assert own.remark == ""
    posts.apply(Refused("a", "blocked", "No.", Post("a", "Halo"), found))
    assert (own.mark, own.problem) == (Mark.FAILED, "refused: No. Found: a number.")


def test_an_own_quick_reply_is_shown_by_its_sentence() -> None:
    for key, texts in QUICK_REPLIES.items():
        assert text_of(Post("a", None, "quick", key=key)) == texts["en"]


def test_a_place_is_shown_to_a_metre() -> None:
    post = Post("a", None, "location", -6.2001249, 106.8)
    assert text_of(post) == "place -6.20012, 106.80000"
