"""What several commands have in common on the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

DEFAULT_URL: Final = "http://127.0.0.1:8701"

AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="print JSON")]
Redis: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--redis",
        metavar="URL",
        help="the external store, as for `relay serve`; one with a password belongs into "
        "RELAY_REDIS or the TOML file, because other users can read the command line",
    ),
]
Data: TypeAlias = Annotated[
    str | None,
    typer.Option("--data", metavar="FOLDER", help="the embedded store's, as for `relay serve`"),
]
Config: TypeAlias = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="TOML file with any of the settings"),
]
ApiUrl: TypeAlias = Annotated[
    str,
    typer.Option("--url", envvar="RELAY_URL", metavar="URL", help="the relay's API"),
]
ApiKeyFile: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--api-key-file",
        metavar="FILE",
        help="file with the API key; without it the key is taken from RELAY_API_KEY",
    ),
]


def group(text: str) -> typer.Typer:
    """A command that has commands of its own."""
    return typer.Typer(help=text, no_args_is_help=True, rich_markup_mode=None, add_completion=False)
