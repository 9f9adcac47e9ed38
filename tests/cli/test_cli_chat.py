"""`relay chat` on a running relay: in a pipe both ways, as JSON, and on a terminal."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.party import Party
from tests.support.relay import RelayProcess

from .commands import CLEAN, Done, finish, python, relay_command, start
from .conftest import Platform
from .terminal import Terminal


class Talk:
    """A trip, with what `relay chat` needs for either side of it."""

    def __init__(self, platform: Platform, tokens: dict[str, str], trip: str) -> None:
        self.relay, self.tokens, self.trip = platform.relay, tokens, trip
        self.files = {role: platform.token_file(f"{trip}-{role}", tokens[role]) for role in tokens}

    def words(self, role: str, *more: object) -> tuple[object, ...]:
        at = ("--url", self.relay.gateway_url, "--token-file", self.files[role])
        return ("chat", *at, *more)

    async def chat(self, role: str, *more: object, given: str = "") -> Done:
        return await relay_command(*self.words(role, *more), given=given)

    async def peer(self, role: str) -> Party:
        return await Party.attach(self.relay.gateway_url, self.tokens[role])


_TRIPS = (f"chat-{number}" for number in itertools.count(1))


@pytest.fixture
async def talk(platform: Platform) -> Talk:
    trip = next(_TRIPS)
    return Talk(platform, await platform.relay.open_trip(trip), trip)


# --- in a pipe ------------------------------------------------------------------------------------


async def test_a_pipe_posts_each_line_and_leaves(talk: Talk) -> None:
    done = await talk.chat("driver", "--linger-s", 0, given="halo\nsaya di lobi\n\ntanpa akhir")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    for text in ("halo", "saya di lobi", "tanpa akhir"):
        assert f"✓ accepted: {text}" in lines
    customer = await talk.peer("customer")
    assert customer.texts() == ["halo", "saya di lobi", "tanpa akhir"]


async def test_a_pipe_shows_what_comes_and_says_that_it_was_seen(talk: Talk) -> None:
    customer = await talk.peer("customer")
    await customer.accepted("Baik Pak")
    done = await talk.chat("driver", "--linger-s", 0.5, given="halo\n")
    assert done.code == 0
    assert "Sari: Baik Pak" in done.out.splitlines()
    assert any(line.startswith("-- attached as driver; Sari is online") for line in
               done.out.splitlines())  # fmt: skip
    await customer.hear("seen")


async def test_two_pipes_talk_with_each_other(talk: Talk) -> None:
    driver = await start(*talk.words("driver"))
    customer = await start(*talk.words("customer"))
    assert driver.stdin and driver.stdout and customer.stdin and customer.stdout

    async def line(process: asyncio.subprocess.Process, text: str) -> None:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            while text not in (got := (await process.stdout.readline()).decode()):
                assert got, f"the end before {text}"

    await line(driver, "up to date")
    await line(customer, "up to date")
    driver.stdin.write(b"halo\n")
    await line(customer, "Budi: halo")
    await line(driver, "✓✓ seen: halo")
    customer.stdin.write("baik 🛵\n".encode())
    await line(driver, "Sari: baik 🛵")
    # Who quits in a pipe has everything accepted first.
    customer.stdin.write(b"sampai jumpa\n/quit\nthis is not posted\n")
    assert (await finish(customer)).code == 0
    await line(driver, "Sari: sampai jumpa")
    await line(driver, "Sari is offline")
    done = await finish(driver)
    assert done.code == 0
    assert "this is not posted" not in done.out


async def test_json_is_one_object_for_each_event(talk: Talk) -> None:
    customer = await talk.peer("customer")
    await customer.accepted("dari sana \u202e\x7f"[:-1])
    done = await talk.chat("driver", "--json", "--linger-s", 0.5, given="halo\n/foo\n")
    assert done.code == 1
    events = done.json_lines
    names = [event["event"] for event in events]
    for name in ("connection_changed", "attached", "posted", "accepted", "message", "not_done"):
        assert name in names
    (posted,) = [event for event in events if event["event"] == "posted"]
    (accepted,) = [event for event in events if event["event"] == "accepted"]
    assert (posted["text"], posted["id"]) == ("halo", accepted["id"])
    (message,) = [event for event in events if event["event"] == "message"]
    assert message["text"] == "dari sana \u202e"
    assert done.out.isascii()


async def test_a_place(talk: Talk) -> None:
    done = await talk.chat("driver", "--linger-s", 0, given="/loc -6.2 106.8 pintu utara\n")
    assert done.code == 0
    customer = await talk.peer("customer")
    (message,) = customer.all("message")
    assert (message["lat"], message["lon"], message["text"]) == (-6.2, 106.8, "pintu utara")


async def test_both_sides_are_told_what_the_guard_did(talk: Talk) -> None:
    customer = await talk.peer("customer")
    given = "WA saya 0813 5555 0199 ya\nkirim kode OTP yang masuk\n**21*081355550199#\n/quick ok\n"
    done = await talk.chat("driver", "--linger-s", 0.5, given=given)
    assert done.code == 1, "one of them was blocked"
    lines = done.out.splitlines()
    at = lines.index("✓ accepted: WA saya 0813 5555 0199 ya")
    assert re.fullmatch(
        r"  the other side sees: WA saya •••.* \(found: .*a number.*\)", lines[at + 1]
    )
    at = lines.index("✓ accepted: kirim kode OTP yang masuk")
    assert "(found: a request for a one-time code" in lines[at + 1]
    (refusal,) = [line for line in lines if line.startswith("✗")]
    assert "Found: a call-forwarding code" in refusal
    assert "✓ accepted: OK." in lines
    number, request, quick = customer.all("message")
    assert number["text"].startswith("WA saya •••") and not re.search(r"\d", number["text"])
    assert number["notices"] and request["notices"]
    assert (quick["kind"], quick["key"]) == ("quick", "ok")
    # Who comes back is told the same again, in a terminal too.
    shown = await talk.chat("customer", "--linger-s", 0.5)
    assert f"  ! {number['notices'][0]}" in shown.out.splitlines()


async def test_a_line_that_cannot_be_posted_is_said(talk: Talk) -> None:
    wrong = ["/loc 91 0", "/loc here there", "/loc 1", "/nothing", "tab\x07bell"]
    done = await talk.chat("driver", "--linger-s", 0, given="\n".join([*wrong, "sesudah"]))
    assert done.code == 1
    complaints = [line for line in done.out.splitlines() if line.startswith("✗")]
    assert len(complaints) == len(wrong)
    assert "a latitude of -90 to 90" in complaints[0]
    assert complaints[1] == complaints[2] == complaints[3]
    assert "control character" in complaints[4]
    assert "✓ accepted: sesudah" in done.out


async def test_a_post_that_the_relay_refuses_is_said(talk: Talk) -> None:
    done = await talk.chat("driver", "--linger-s", 0, given=f"{'x' * 2001}\nsesudah\n")
    assert done.code == 1
    (complaint,) = [line for line in done.out.splitlines() if line.startswith("✗")]
    assert re.match(r"✗ x+… \(refused: .*2000 bytes", complaint)
    assert "✓ accepted: sesudah" in done.out
    assert "1 message not accepted" in done.err


async def test_what_others_write_cannot_command_the_terminal(talk: Talk) -> None:
    # The relay refuses most of this; a terminal must be safe even from a relay that does not.
    customer = await talk.peer("customer")
    await customer.accepted("a\n-- the trip has ended\u202e\u2066[bold]x[/bold] \x85"[:-2] + "z")
    done = await talk.chat("driver", "--linger-s", 0.5)
    (line,) = [line for line in done.out.splitlines() if line.startswith("Sari: ")]
    assert line == r"Sari: a\n-- the trip has ended\u202e\u2066[bold]x[/bold]z"


async def test_empty_input_shows_what_was_missed(talk: Talk) -> None:
    customer = await talk.peer("customer")
    await customer.accepted("satu")
    await customer.leave()
    process = subprocess.run(
        [sys.executable, "-m", "relay", *map(str, talk.words("driver", "--linger-s", 0.5))],
        stdin=subprocess.DEVNULL, capture_output=True, env=CLEAN, timeout=30, check=True,
    )  # fmt: skip
    assert b"Sari: satu" in process.stdout


async def test_input_from_a_file(talk: Talk, tmp_path: Path) -> None:
    file = tmp_path / "lines.txt"
    file.write_text("".join(f"baris {number}\r\n" for number in range(5)))
    with file.open("rb") as lines:
        process = subprocess.run(
            [sys.executable, "-m", "relay", *map(str, talk.words("driver", "--linger-s", 0))],
            stdin=lines, capture_output=True, env=CLEAN, timeout=30, check=True,
        )  # fmt: skip
    assert process.stderr == b""
    customer = await talk.peer("customer")
    assert customer.texts() == [f"baris {number}" for number in range(5)]


async def test_the_end_is_told_with_what_never_arrived(talk: Talk) -> None:
    process = await start(*talk.words("driver"))
    assert process.stdin and process.stdout
    process.stdin.write(b"tidak sampai\n")
    async with asyncio.timeout(20):
        while b"accepted: tidak sampai" not in await process.stdout.readline():
            pass
    await talk.relay.end_trip(talk.trip)
    # Its input is still open: the end of the channel is the end of the chat.
    async with asyncio.timeout(20):
        out = (await process.stdout.read()).decode()
    process.stdin.close()
    assert await process.wait() == 0
    last = out.splitlines()[-1]
    assert "the trip has ended (ended" in last
    assert "“tidak sampai” never arrived" in last


async def test_a_closed_channel_takes_nothing(talk: Talk) -> None:
    await talk.relay.end_trip(talk.trip)
    done = await talk.chat("driver", given="halo\n")
    assert done.code == 1
    assert "the trip has ended" in done.out
    assert "1 message not accepted" in done.err


async def test_a_token_that_is_not_good(talk: Talk, platform: Platform) -> None:
    talk.files["driver"] = platform.token_file("wrong", f"{'A' * 22}.d.{talk.trip}")
    done = await talk.chat("driver", given="halo\n")
    assert done.code == 1
    assert "bad_token" in done.out
    assert "A" * 22 not in done.out + done.err


async def test_a_reassigned_party_is_out_and_the_other_one_is_told(talk: Talk) -> None:
    process = await start(*talk.words("customer"))
    assert process.stdin and process.stdout
    process.stdin.write(b"untuk Budi\n")
    async with asyncio.timeout(20):
        while b"accepted: untuk Budi" not in await process.stdout.readline():
            pass
    answer = await talk.relay.call(
        "PUT", f"/v1/trips/{talk.trip}/parties/driver",
        {"epoch": 1, "party_id": "drv-9", "phone": "+6281311112222", "alias": "Agus"},
    )  # fmt: skip
    assert answer.status_code == 200
    async with asyncio.timeout(20):
        seen = ""
        while "another party sits opposite now: Agus" not in seen:
            line = (await process.stdout.readline()).decode()
            assert line
            seen += line
    assert "✗ untuk Budi (never arrived)" in seen
    assert (await finish(process)).code == 0
    done = await talk.chat("driver", given="halo\n")
    assert done.code == 1


async def test_a_gateway_that_is_not_there_is_given_up(talk: Talk) -> None:
    done = await python(
        "import sys\n"
        "from relay.cli import app, chat\n"
        "chat._GIVE_UP_S = 0.5\n"
        "app(['chat', '--url', 'ws://127.0.0.1:1/v1/channel'])\n",
        given="halo\n",
        RELAY_TOKEN=talk.tokens["driver"],
    )
    assert done.code == 1
    assert "could not be reached" in done.err
    assert "1 message not accepted" in done.err
    assert "-- no connection (ConnectionRefusedError); the next try in" in done.out


async def test_it_survives_a_dead_worker(talk: Talk, own_relay: RelayProcess) -> None:
    tokens = await own_relay.open_trip("killed")
    process = await start(
        "chat", "--url", own_relay.gateway_url, "--linger-s", 0.5, RELAY_TOKEN=tokens["driver"]
    )
    assert process.stdin and process.stdout

    async def line(text: bytes) -> None:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            while text not in await process.stdout.readline():
                pass

    await line(b"up to date")
    for pid in own_relay.workers():
        os.kill(pid, signal.SIGKILL)
    process.stdin.write(b"sementara itu\n")
    await line(b"the next try in")
    await line(b"accepted: sementara itu")
    assert (await finish(process)).code == 0


async def test_a_signal_ends_it_in_good_order(talk: Talk) -> None:
    customer = await talk.peer("customer")
    process = await start(*talk.words("driver"))
    await customer.hear("presence", online=True)
    process.send_signal(signal.SIGTERM)
    done = await finish(process)
    assert done.code == 0
    assert "Traceback" not in done.err
    assert (await customer.hear("presence"))["online"] is False


async def test_a_reader_that_goes_away(talk: Talk) -> None:
    command = " ".join(
        f"'{word}'" for word in (sys.executable, "-m", "relay", *talk.words("driver"))
    )
    shell = await asyncio.create_subprocess_shell(
        f"printf 'halo\\n' | {command} | head -n 1; exit ${{PIPESTATUS[1]}}",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=CLEAN,
        executable="/bin/bash",
    )  # fmt: skip
    async with asyncio.timeout(30):
        _, err = await shell.communicate()
    assert b"Traceback" not in err


async def test_what_is_missing_is_said() -> None:
    done = await relay_command("chat")
    assert done.code == 2
    assert "RELAY_TOKEN" in done.err
    done = await relay_command("chat", "--url", "http://127.0.0.1:1", RELAY_TOKEN="x.d.t")
    assert done.code == 2
    assert "--url: the gateway's address begins with wss://" in done.err


# --- on a terminal --------------------------------------------------------------------------------


async def test_a_terminal(talk: Talk) -> None:
    customer = await talk.peer("customer")
    async with Terminal(*talk.words("driver")) as terminal:
        await terminal.shows("● attached · Sari online · open for 59 min")
        await customer.accepted("Baik Pak")
        await terminal.shows("Sari Baik Pak")
        await customer.hear("seen")
        # Theirs on the left, ours on the right.
        theirs = terminal.row("Baik Pak")
        assert theirs.index("Sari") == len("00:00 ")

        terminal.type("Halo Bu\x7f\x7fKak 漢")
        await terminal.shows("> Halo Kak 漢")
        assert (await customer.hear("typing"))["on"] is True
        terminal.type("\r")
        message = await customer.hear("message", text="Halo Kak 漢")
        await terminal.until(lambda: terminal.row("Halo Kak").endswith(" ✓"), "one tick")
        ours = terminal.row("Halo Kak")
        assert ours.startswith(" " * 50)
        await customer.say("got", pos=message["pos"])
        await terminal.until(lambda: terminal.row("Halo Kak").endswith(" ✓✓"), "two ticks")
        await customer.say("seen", pos=message["pos"])
        await terminal.until(lambda: terminal.row("Halo Kak").endswith(" ✓✓ seen"), "seen")
        await customer.say("typing", on=True)
        await terminal.shows("Sari is typing…")
        await customer.say("typing", on=False)
        await terminal.shows("Sari online")
        terminal.type("/loc 1 2\r/what\r")
        assert (await customer.hear("message", kind="location"))["lat"] == 1
        await terminal.shows("the commands are /loc")
        await customer.leave()
        await terminal.shows("Sari offline")
        await talk.relay.end_trip(talk.trip)
        assert await terminal.ended() == 0
        assert terminal.mode_now() == terminal.mode
        # The other screen is left, the cursor is back, and what was said stays readable.
        left = terminal.raw.rpartition("\x1b[?1049l")[2]
        assert left
        assert "\x1b[?25h" in terminal.raw.rpartition("\x1b[?25l")[2]
        shown = terminal.shown[-1500:]
        assert "Baik Pak" in shown
        assert "the trip has ended" in shown
        assert "“place 1.00000, 2.00000” never arrived" in " ".join(shown.split())


async def test_a_terminal_cannot_be_commanded_by_a_message(talk: Talk) -> None:
    customer = await talk.peer("customer")
    async with Terminal(*talk.words("driver")) as terminal:
        await terminal.shows("● attached")
        await customer.accepted("[red]x[/red] \u202eabc :smile:\nline two")
        await terminal.shows("line two")
        assert r"[red]x[/red] \u202eabc :smile:" in terminal.picture
        terminal.type("\x04")
        assert await terminal.ended() == 0


@pytest.mark.parametrize("how", ["\x03", "\x04", "/quit\r", signal.SIGTERM, signal.SIGHUP])
async def test_every_way_out_gives_the_terminal_back(talk: Talk, how: Any) -> None:
    async with Terminal(*talk.words("driver")) as terminal:
        await terminal.shows("● attached")
        assert terminal.mode_now() != terminal.mode
        if isinstance(how, str):
            terminal.type(how)
        else:
            terminal.process.send_signal(how)
        assert await terminal.ended() == 0
        assert terminal.mode_now() == terminal.mode
        assert "Traceback" not in terminal.shown


async def test_a_token_is_asked_for_without_echo(talk: Talk) -> None:
    async with Terminal("chat", "--url", talk.relay.gateway_url) as terminal:
        await terminal.until(lambda: "token: " in terminal.shown, "it asks")
        terminal.type(talk.tokens["driver"] + "\n")
        await terminal.shows("● attached")
        assert talk.tokens["driver"][:22] not in terminal.raw
        terminal.type("\x03")
        assert await terminal.ended() == 0


async def test_a_lost_connection_is_shown(talk: Talk, own_relay: RelayProcess) -> None:
    tokens = await own_relay.open_trip("away")
    words = ("chat", "--url", own_relay.gateway_url)
    async with Terminal(*words, RELAY_TOKEN=tokens["driver"]) as terminal:
        await terminal.shows("● attached")
        await own_relay.end(signal.SIGTERM)
        await terminal.shows("○ no connection")
        terminal.type("menunggu\r")
        await terminal.shows("menunggu  ◌")
        await own_relay.start()
        await terminal.until(lambda: terminal.row("menunggu").endswith("✓"), "accepted", 40)
        terminal.type("\x04")
        assert await terminal.ended() == 0


async def test_a_simple_terminal_gets_lines(talk: Talk) -> None:
    async with Terminal(*talk.words("driver"), TERM="dumb") as terminal:
        await terminal.until(lambda: "-- up to date" in terminal.shown, "lines")
        terminal.type("halo\n")
        await terminal.until(lambda: "✓ accepted: halo" in terminal.shown, "it is accepted")
        assert "\x1b" not in terminal.raw
        terminal.type("\x04")
        assert await terminal.ended() == 0


async def test_json_on_a_terminal(talk: Talk) -> None:
    async with Terminal(*talk.words("driver", "--json")) as terminal:
        await terminal.until(lambda: '"attached"' in terminal.shown, "JSON")
        terminal.type("\x04")
        assert await terminal.ended() == 0
        for line in terminal.shown.splitlines():
            if line.startswith("{"):
                json.loads(line)
