"""The command line as a whole: help, version, exit codes, and that it starts quickly."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import typer

from relay.cli import COMMANDS, app

from .commands import Quickly, python, relay_command

GROUPS = {
    "trip": ("open", "show", "list", "end", "reassign", "token"),
    "ops": (
        "list", "show", "close", "cases", "case", "take", "note", "handover", "answer", "reopen",
        "sanctions", "sanction", "lift", "appeal", "decide", "holds", "hold", "release", "audit",
        "alarms", "acknowledge",
    ),
    "apikey": ("new", "list", "revoke"),
    "operator": ("add", "reset", "disable", "scope", "list"),
    "audit": ("list", "verify", "export", "public-key"),
    "privacy": ("export", "erase", "restrict", "request", "requests"),
    "guard": ("scan", "eval", "explain"),
    "bench": ("closed", "open", "storm", "churn", "idle", "day", "ramp", "compare"),
    "keyring": ("new", "rotate", "retire", "list"),
}  # fmt: skip
EVERY_COMMAND = [(name,) for name in COMMANDS] + [
    (group, name) for group, names in GROUPS.items() for name in names
]


async def test_help_lists_every_command_and_the_exit_codes() -> None:
    done = await relay_command("--help")
    assert (done.code, done.err) == (0, "")
    for name, (_, text) in COMMANDS.items():
        assert name in done.out
        assert text.split()[0] in done.out
    for code, meaning in ((0, "done"), (1, "said no"), (2, "wrongly"), (3, "cannot start")):
        line = next(line for line in done.out.splitlines() if line.strip().startswith(f"{code} "))
        assert meaning in line


async def test_every_command_has_help(quickly: Quickly) -> None:
    for words in EVERY_COMMAND:
        done = await quickly(*words, "--help")
        assert (done.code, done.err) == (0, ""), words
        assert f"relay {' '.join(words)} [OPTIONS]" in done.out
        assert "--help" in done.out


def test_every_option_and_command_says_what_it_is_for() -> None:
    root = typer.main.get_command(app)
    found = []

    def walk(command: Any, path: str) -> None:
        found.append(path)
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert parameter.help, f"{path} {parameter.name}"
        if hasattr(command, "list_commands"):
            for name in command.list_commands(None):
                inner = command.get_command(None, name)
                assert inner.hidden or inner.help, f"{path} {name}"
                walk(inner, f"{path} {name}")

    walk(root, "relay")
    assert {f"relay {' '.join(words)}" for words in EVERY_COMMAND} < set(found)


def test_the_list_of_commands_says_what_the_commands_say() -> None:
    for place, text in COMMANDS.values():
        module, _, name = place.partition(".")
        found = getattr(import_module(f"relay.cli.{module}"), name)
        said = found.info.help if isinstance(found, typer.Typer) else inspect.getdoc(found)
        assert said.splitlines()[0] == text


async def test_version() -> None:
    done = await relay_command("--version")
    assert done.code == 0
    assert done.out.startswith("relay ")


async def test_a_wrong_call_is_told_from_a_refused_one(quickly: Quickly) -> None:
    wrong: list[tuple[str, ...]] = [
        (), ("trip",), ("no-such-command",), ("trip", "no-such-command"), ("--no-such-option",),
        ("trip", "show"), ("apikey", "new"), ("apikey", "new", "--scope", "emperor"),
        ("trip", "end", "t", "--reason", "boredom"), ("trip", "end", "t", "--grace-s", "soon"),
        ("trip", "token", "t", "passenger", "--party", "p"), ("keyring", "new", "--days", "0"),
        ("ops",), ("ops", "close", "t", "--note", "n"), ("ops", "cases", "--category", "boredom"),
        ("ops", "close", "t", "--reason", "boredom", "--note", "n"),
        ("ops", "sanction", "p", "exile", "--reason", "fraud", "--note", "n"),
    ]  # fmt: skip
    for words in wrong:
        done = await quickly(*words)
        assert done.code == 2, words
        assert "Usage:" in done.err + done.out
    assert (await relay_command("no-such-command")).code == 2


async def test_a_typing_error_is_recognised() -> None:
    done = await relay_command("trp")
    assert done.code == 2
    assert "'trip'" in done.err


async def test_a_light_command_does_not_wait_for_the_server_s_libraries() -> None:
    done = await python(
        "import sys\n"
        "from relay.cli import app\n"
        "for words in (['--help'], ['trip', 'open', '--help'], ['ops', 'close', '--help']):\n"
        "    app(words, standalone_mode=False)\n"
        "heavy = {'uvicorn', 'starlette', 'picows', 'redis', 'cryptography', 'phonenumbers'}\n"
        "print('LOADED', sorted(heavy & sys.modules.keys()))\n"
    )
    assert done.out.splitlines()[-1] == "LOADED []"


async def test_a_reader_that_goes_away_is_no_traceback() -> None:
    done = await python(
        "import subprocess, sys\n"
        "relay = subprocess.Popen([sys.executable, '-m', 'relay', '--help'],\n"
        "    stdout=subprocess.PIPE, stderr=subprocess.PIPE)\n"
        "relay.stdout.close()\n"
        "print(relay.stderr.read().decode())\n"
        "sys.exit(relay.wait())\n"
    )
    assert done.code == 1
    assert "Traceback" not in done.out
