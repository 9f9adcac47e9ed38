"""What was done to a key ring comes into the audit log, also if the store was away then."""

from __future__ import annotations

import asyncio

from ..core.casework import StaffScope
from ..keyfile import JournalLine, KeyFile
from .actor import Actor
from .audit import Audit, Doing


async def take_over_journal(audit: Audit, file: KeyFile) -> int:
    """Write the lines of a ring's journal into the audit log, each once; give how many were new.

    Whoever is killed meanwhile, or does it at the same time, makes none of them come twice: the
    log knows the lines that it holds. Raises `StoreError`, `KeyFileError`; call it again then.
    """
    lines = await asyncio.to_thread(file.journal)
    if not lines:
        return 0
    new = [
        await audit.record_line(_actor(line), _doing(line), at_ms=line.at, line=line.id)
        for line in lines
    ]
    await asyncio.to_thread(file.drop_from_journal, {line.id for line in lines})
    return sum(new)


def _actor(line: JournalLine) -> Actor:
    return Actor(line.by, StaffScope.SUPERVISOR, "relay" if line.by == "relay" else "host")


def _doing(line: JournalLine) -> Doing:
    details: dict[str, str | int] = {}
    if line.made:
        details["made"] = line.made
    if line.destroyed:
        details |= {"destroyed": len(line.destroyed), "keys": " ".join(line.destroyed)}
    return Doing(line.act, outcome=line.outcome, details=details)
