"""`relay doctor`: whether everything that a relay depends on is as it has to be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from . import host
from .checks import Finding, Level, all_findings
from .options import AsJson, Config, Data, Redis
from .output import REFUSED, out, print_json

_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


def doctor(
    gateway: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="where the apps' side should listen")
    ] = None,
    api: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="where the API should listen")
    ] = None,
    redis: Redis = None,
    data: Data = None,
    keyring_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="the key ring, as for `relay serve`")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Check what this relay depends on, and say what to do.

    Looks at versions, limits, files, keys, store, API and gateway, with the settings of `relay
    serve`. Changes nothing. Exits with 1 if anything fails; a warning is no failure.
    """
    where = host.settings(
        {
            "gateway": gateway,
            "api": api,
            "redis": redis,
            "data": data,
            "keyring_file": None if keyring_file is None else str(keyring_file),
        },
        config,
    )
    findings = all_findings(where)
    failed = any(finding.level is Level.FAIL for finding in findings)
    if as_json:
        print_json({"ok": not failed, "checks": [finding._asdict() for finding in findings]})
    else:
        for finding in findings:
            _show(finding)
    if failed:
        raise typer.Exit(REFUSED)


def _show(finding: Finding) -> None:
    line = Text.assemble(
        (f"{finding.level:<5}", _STYLES[finding.level]), f"{finding.name:<12} {finding.text}"
    )
    out.print(line)
    if finding.advice:
        out.print(f"{'':17} → {finding.advice}")
