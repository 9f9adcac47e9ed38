"""`relay guard`: screening, measuring and explaining, from files and pipes."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .commands import CLEAN, Done, Quickly, finish, relay_command, start
from .terminal import Terminal

DATA = Path(__file__).parents[1] / "data/guard"
OWN = "+6281290417356"


async def scan_bytes(given: bytes, *words: object) -> Done:
    process = await start("guard", "scan", *words)
    out, err = await asyncio.wait_for(process.communicate(given), 40)
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


async def test_scan_says_of_each_line_what_becomes_of_it() -> None:
    done = await relay_command(
        "guard",
        "scan",
        given="sudah di depan pak\nwa saya 0857-1122-3344 ya\nkirim kode otp nya kak\n"
        "0857 ||| C> ok ||| 1122 ||| 3344\n",
    )
    assert (done.code, done.err) == (0, "")
    passed, redacted, warned, session = done.json_lines
    assert passed == {"action": "off", "findings": [], "delivered": "sudah di depan pak"}
    assert redacted["action"] == "redact"
    assert redacted["delivered"] == "wa saya ••• ya"
    (finding,) = redacted["findings"]
    assert finding.keys() == {"class", "rule", "length"}
    assert finding["class"] == "number"
    assert 12 <= finding["length"] <= len("0857-1122-3344")
    assert (warned["action"], warned["delivered"]) == ("warn", "kirim kode otp nya kak")
    assert [finding["class"] for finding in warned["findings"]] == ["otp_request"]
    assert session["action"] == ["off", "off", "redact", "redact"]
    assert session["delivered"] == ["0857", "ok", "•••", "•••"]
    assert [bool(findings) for findings in session["findings"]] == [False, False, True, True]


async def test_scan_reads_a_file_and_knows_the_parties_numbers(
    quickly: Quickly, tmp_path: Path
) -> None:
    file = tmp_path / "messages"
    file.write_text(f"order {OWN[-6:]}\norder {OWN[-6:-3]}\npin 4821\n")
    strange = await quickly("guard", "scan", file)
    assert [row["action"] for row in strange.json_lines] == ["off", "off", "off"]
    known = await quickly("guard", "scan", file, "--own", OWN, "--own", "+6281300000000")
    assert [row["action"] for row in known.json_lines] == ["redact", "off", "off"]
    assert (known.code, known.err) == (0, "")


async def test_scan_lets_what_is_declared_pass_but_never_an_own_number(quickly: Quickly) -> None:
    given = f"081290417355\n{OWN[-9:]}\n"
    allowed = ("--allow", "081290417355", "--allow", OWN[-9:])
    plain = await quickly("guard", "scan", given=given)
    assert plain.json_lines[0]["action"] == "redact"
    declared = await quickly("guard", "scan", *allowed, given=given.splitlines()[0])
    assert declared.json_lines[0]["action"] == "off"
    own = await quickly("guard", "scan", *allowed, "--own", OWN, given=given)
    assert own.json_lines[1]["action"] == "redact"


async def test_scan_goes_by_the_country(quickly: Quickly) -> None:
    given = "912345678\n"
    here = await quickly("guard", "scan", given=given)
    there = await quickly("guard", "scan", "--country", "th", given=given)
    assert [done.json["action"] for done in (here, there)] == ["off", "redact"]


async def test_scan_takes_any_bytes_and_says_why_it_refuses_some() -> None:
    lines = [
        b"ok", b"\xff 081234567890", b"1" * 1001, b"", b"\x00\x1b[2J\r", "a\u2028b\u202ec".encode(),
        b"0812 ||| " + b"2" * 1001 + b" ||| ok", b"3" * 3_000_000, b"{\"a\": '\\", b"last",
    ]  # fmt: skip
    done = await scan_bytes(b"\n".join(lines))
    rows = done.json_lines
    assert len(rows) == len(lines)
    refused = {"action": "refused", "findings": [], "delivered": None}
    assert [number for number, row in enumerate(rows, 1) if row == refused] == [2, 3, 8]
    assert rows[5]["delivered"] == "a\u2028b\u202ec"
    assert rows[6]["action"] == ["off", "refused", "off"]
    assert rows[-1]["delivered"] == "last"
    assert "\x1b" not in done.out
    assert done.code == 1
    complaints = done.err.splitlines()
    assert [line.split(" was refused")[0] for line in complaints] == [
        "relay: line 2", "relay: line 3", "relay: line 7, message 2", "relay: line 8",
    ]  # fmt: skip
    assert "UTF-8" in complaints[0]
    assert "1001 characters, of at most 1000" in complaints[1]
    assert not any(text in done.err for text in ("1111", "0812", "2222", "3333"))


async def test_scan_answers_line_by_line() -> None:
    process = await start("guard", "scan", PYTHONUNBUFFERED="")
    assert process.stdin is not None
    assert process.stdout is not None
    for text in ("satu", "dua"):
        process.stdin.write(f"{text} pak\n".encode())
        async with asyncio.timeout(20):
            answer = await process.stdout.readline()
        assert json.loads(answer)["delivered"] == f"{text} pak"
    assert (await finish(process)).code == 0


async def test_scan_shows_its_progress_to_who_watches(tmp_path: Path) -> None:
    file = tmp_path / "messages.txt"
    file.write_text("halo\n" * 500)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-W", "error", "-m", "relay", "guard", "scan", str(file)]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=theirs,
        env={**CLEAN, "TERM": "xterm-256color"}, timeout=40,
    )  # fmt: skip
    os.close(theirs)
    shown = os.read(ours, 65536).decode()
    os.close(ours)
    assert "messages.txt" in shown and "100%" in shown
    assert len(done.stdout.splitlines()) == 500
    assert "delivered" not in shown


async def test_scan_of_a_file_that_is_not_there(quickly: Quickly, tmp_path: Path) -> None:
    for file in (tmp_path / "none", tmp_path):
        done = await quickly("guard", "scan", file)
        assert (done.code, done.out) == (2, "")
        assert "cannot be read" in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("--country", "Indonesia"), ("--country", "1D"), ("--own", "7356"), ("--own", "rahasia77"),
        ("--own", "+62812904173561234"), ("--own", ""),
    ],
)  # fmt: skip
async def test_a_wrong_option_is_told_and_not_quoted(
    quickly: Quickly, words: tuple[str, str]
) -> None:
    done = await quickly("guard", "scan", *words, given="halo\n")
    assert (done.code, done.out) == (2, "")
    assert words[0] in done.err
    assert not words[1] or words[1] not in done.err


async def test_an_own_number_is_asked_for_without_echo(tmp_path: Path) -> None:
    file = tmp_path / "messages"
    file.write_text(f"order {OWN[-6:]}\n")
    async with Terminal("guard", "scan", file, "--own", "-") as terminal:
        await terminal.until(lambda: "Number" in terminal.shown, "it asks")
        terminal.type(OWN + "\n")
        assert await terminal.ended() == 0
        assert '"action": "redact"' in terminal.shown
        assert OWN[-6:] not in terminal.shown
        assert "other users" not in terminal.shown


async def test_who_writes_a_number_on_the_command_line_is_told(tmp_path: Path) -> None:
    file = tmp_path / "messages"
    file.write_text("halo\n")
    async with Terminal("guard", "scan", file, "--own", OWN) as terminal:
        assert await terminal.ended() == 0
        assert "other users of this machine can read" in terminal.shown
        assert OWN[-6:] not in terminal.shown


async def test_eval_prints_tables() -> None:
    done = await relay_command("guard", "eval", DATA / "public.tsv")
    assert (done.code, done.err) == (0, "")
    heads = [line for line in done.out.splitlines() if line.startswith("to be ")]
    assert "recall" in heads[0] and "95 % interval" in heads[0]
    assert "held back" in heads[1] and "warned" in heads[1]
    rows = {line[:22].strip(): line[22:].split() for line in done.out.splitlines()}
    assert rows["number forms"][0] == "43"
    assert rows["split"][0] == "3"
    assert rows["handles"][0] == "4"
    assert rows["hard negatives"][0] == "60"
    forms = next(line for line in done.out.splitlines() if line.startswith("number forms"))
    assert forms.index("43") + len("43") == heads[0].index("cases") + len("cases")
    assert forms.rindex("to ") - 6 == heads[0].index("95 %") - 1
    assert "messages/s" in done.out
    assert "trips are disturbed" in done.out


async def test_eval_as_json(quickly: Quickly) -> None:
    done = await quickly("guard", "eval", DATA / "public.tsv", "--json")
    figures = done.json
    recall = {row["name"]: row for row in figures["recall"]}
    assert recall["numbers"]["cases"] == 21
    assert sum(row["cases"] for row in recall.values()) == 60
    low, high = recall["numbers"]["interval"]
    assert 0 <= low < recall["numbers"]["share"] <= high + 1e-9 <= 1 + 1e-9
    assert figures["touched"]["cases"] == 60
    assert sum(row["cases"] for row in figures["held_back"]) == 60
    assert 0 <= figures["trip_fpr"] <= 1
    assert figures["speed"]["stream_per_s"] > 0


async def test_eval_of_a_list_of_one_sort(quickly: Quickly, tmp_path: Path) -> None:
    file = tmp_path / "cases.tsv"
    file.write_text("text\tlanguage\tkind\tlabel\nwa 081234567890\tid\tplain\t1\n")
    done = await quickly("guard", "eval", file)
    assert done.code == 0
    assert "to be left alone" not in done.out
    assert "speed: not measured" in done.out


async def test_eval_of_what_is_no_list(quickly: Quickly, tmp_path: Path) -> None:
    file = tmp_path / "cases.tsv"
    contents: list[tuple[bytes, str]] = [
        (b"", "line 1"), (b"text\tlanguage\tkind\tlabel\n", "no case"), (b"\xff", "UTF-8"),
        (b"text\tlanguage\tkind\tlabel\nrahasia\tid\tchat\tmaybe\n", "line 2"),
    ]  # fmt: skip
    for content, said in contents:
        file.write_bytes(content)
        done = await quickly("guard", "eval", file)
        assert (done.code, done.out) == (2, ""), content
        assert said in done.err
        assert "rahasia" not in done.err
    missing = await quickly("guard", "eval", tmp_path / "none.tsv")
    assert missing.code == 2
    assert "cannot be read" in missing.err


def section(shown: str, name: str) -> str:
    """What stands in the lines of one step."""
    lines, inside = [], False
    for line in shown.splitlines():
        if line[:11].strip():
            inside = line[:11].strip() == name
        if inside:
            lines.append(line[11:])
    return "\n".join(lines)


async def test_explain_shows_every_step() -> None:
    done = await relay_command("guard", "explain", "jam 8, WA ๐๘๕๗ satu 122-3344 ya")
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in done.out
    assert "looked into" in section(done.out, "gate")
    assert section(done.out, "folded") == "jam 8, wa 0857 satu 122-3344 ya"
    digits = section(done.out, "digits").splitlines()
    assert any("from “0857”: digits" in line for line in digits)
    assert any("from “satu”: number word" in line for line in digits)
    assert "number/" in section(done.out, "rules")
    text, marks = section(done.out, "message").splitlines()
    assert text[marks.index("^") : marks.rindex("^") + 1] == "๐๘๕๗ satu 122-3344"
    assert section(done.out, "action").startswith("redact")
    assert section(done.out, "delivered") == "jam 8, WA ••• ya"
    assert "en: " in section(done.out, "notice")


async def test_explain_of_what_cannot_matter(quickly: Quickly) -> None:
    done = await quickly("guard", "explain", "-", given="sudah di depan pak\n")
    assert "passed at once" in section(done.out, "gate")
    assert section(done.out, "rules") == ""
    assert section(done.out, "delivered") == "sudah di depan pak"


async def test_explain_of_a_session_and_of_a_block(quickly: Quickly) -> None:
    done = await quickly("guard", "explain", "0857 ||| C> 1122 3344 ||| ketik **21*0857#")
    first, second, third = done.out.split("\n\n")
    assert "from the customer" in second
    assert section(first, "action").startswith("none")
    assert section(second, "delivered") == "•••"
    assert section(third, "delivered") == "nothing"


async def test_explain_as_json(quickly: Quickly) -> None:
    done = await quickly(
        "guard", "explain", "--json", "--own", OWN, "-", given=f"x\u200b {OWN[-6:]} y"
    )
    message: dict[str, Any]
    (message,) = done.json["messages"]
    assert message["action"] == "redact"
    assert message["delivered"] == "x\u200b ••• y"
    assert message["units"][-1]["digits"] == OWN[-6:]
    (rule,) = message["rules"]
    assert rule["spans"] == [[3, 9]]
    assert rule["action"] == "redact"


async def test_explain_obeys_nothing_in_the_text_and_refuses_a_long_one(quickly: Quickly) -> None:
    done = await quickly("guard", "explain", "-", given="\x1b[2J 0857 satu\u202e 1223344\x07")
    assert "\x1b" not in done.out and "\x07" not in done.out and "\u202e" not in done.out
    long = await quickly("guard", "explain", "-", given="1" * 1001)
    assert (long.code, long.out) == (1, "")
    assert "1000 characters" in long.err
    assert "11111" not in long.err
