"""The command line: parses and prints, nothing else.

Exit codes: 0 done · 1 the relay or the store said no, or cannot be reached, or standard output
cannot be written · 2 the command was called wrongly · 3 cannot start with these settings. `--json`
on every command that reads.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Annotated, Any, Final

import typer
from typer.core import TyperGroup

from .standard import OutputFailed, prepare, unwritten

#: Every command, where it is and what it does. A command's module is imported when the command
#: runs, so that none waits for what only another one needs.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "demo": ("demo.demo", "Run a whole relay in a temporary folder, to try it out."),
    "serve": ("serve.serve", "Serve apps and the platform until stopped."),
    "trip": ("trip.app", "Open, watch and end trips over the relay's HTTP API."),
    "ops": ("ops.app", "Watch and close channels, work on cases: as an operator, over HTTP."),
    "chat": ("chat.chat", "Take part in a trip's channel from a terminal or a pipe."),
    "operator": ("operator.app", "Add, reset, disable and list operators."),
    "apikey": ("apikey.app", "Make, list and revoke API keys."),
    "guard": ("guard.app", "Try the guard on messages: screen them, measure it, see why."),
    "privacy": ("privacy.app", "Export, erase or restrict a party's data when it asks for that."),
    "audit": ("audit.app", "Read, check and export the audit log."),
    "keyring": ("keyring.app", "Make, rotate, retire and list the keys that seal data."),
    "bench": ("bench.app", "Put a load on a relay: how fast it is, and whether it stays correct."),
    "chaos": ("chaos.chaos", "Let parts fail under traffic, and see that no promise is broken."),
    "doctor": ("doctor.doctor", "Check what this relay depends on, and say what to do."),
}

_EPILOG: Final = """\b
Exit codes:
  0  done
  1  the relay or the store said no, or cannot be reached; or standard output
     cannot be written, or is read no more
  2  the command was called wrongly
  3  cannot start with these settings
"""


class _Commands(TyperGroup):
    """The commands of `COMMANDS`, imported when they are asked for."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        later: dict[str, Any] = dict.fromkeys(COMMANDS)
        self.commands = later | {**self.commands}

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS and self.commands[cmd_name] is None:
            module, _, name = COMMANDS[cmd_name][0].partition(".")
            found = getattr(import_module(f".{module}", __name__), name)
            if not isinstance(found, typer.Typer):
                alone = typer.Typer(add_completion=False, rich_markup_mode=None)
                alone.command(name=cmd_name)(found)
                found = alone
            self.commands[cmd_name] = typer.main.get_command(found)
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])


app = typer.Typer(
    name="relay",
    cls=_Commands,
    help="A masked channel between a driver and a customer, open exactly while their trip runs.",
    epilog=_EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from .versions import relay_version

        typer.echo(f"relay {relay_version()}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", is_eager=True, callback=_print_version, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point of `relay`."""
    prepare()
    code: Any = 0
    try:
        try:
            app()
        except SystemExit as end:
            code = end.code
        sys.stdout.flush()
    except OutputFailed as failed:
        unwritten(failed)
        code = code or 1
    sys.exit(code)
