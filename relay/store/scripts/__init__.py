"""The rare transitions as Lua, each an atomic step; the common post needs none.

A script is known to the store by the hash of its text (EVALSHA), so two versions of the relay can
run side by side, each with the scripts it shipped with.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Final

from ...core.lifecycle import TABLE

#: How long a closed trip's tombstone keeps a late or repeated `open` from opening it again.
TOMBSTONE_S: Final = 7 * 24 * 3600


def _moves() -> str:
    rows = (
        f"['{state}'] = {{ " + ", ".join(f"['{c}'] = '{o}'" for c, o in row.items()) + " }"
        for state, row in TABLE.items()
    )
    return "local MOVES = { " + ", ".join(rows) + " }\n"


class Script:
    """One script: its text and the hash that names it."""

    __slots__ = ("name", "sha", "text")

    def __init__(self, name: str) -> None:
        folder = files(__name__)
        head = f"{_moves()}local TOMBSTONE_MS = {TOMBSTONE_S * 1000}\n"
        self.name = name
        self.text = (
            head + (folder / "prelude.lua").read_text() + (folder / f"{name}.lua").read_text()
        )
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


OPEN: Final = Script("open")
END: Final = Script("end")
REASSIGN: Final = Script("reassign")
TOKEN: Final = Script("token")
CHANGE: Final = Script("change")
ATTACH: Final = Script("attach")
DETACH: Final = Script("detach")
RECEIPT: Final = Script("receipt")
POST: Final = Script("post")
SWEEP: Final = Script("sweep")

ALL: Final = (OPEN, END, REASSIGN, TOKEN, CHANGE, ATTACH, DETACH, RECEIPT, POST, SWEEP)
