"""The rare transitions as Lua, each an atomic step; the common post needs none.

A script is known to the store by the hash of its text (EVALSHA), so two versions of the relay can
run side by side, each with the scripts it shipped with.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from importlib.resources import files
from typing import Final

from ...core.lifecycle import TABLE, Command

#: How long a closed trip's tombstone keeps a late or repeated `open` from opening it again.
TOMBSTONE_S: Final = 7 * 24 * 3600
#: How long a case's record stays after its evidence is destroyed.
CASE_RECORD_S: Final = 30 * 24 * 3600
#: How long an event waits for a platform that does not fetch it.
EVENTS_S: Final = 30 * 24 * 3600
#: Steps of a channel's timeline that are kept, and a partition's events that wait to be read.
MAX_TIMELINE: Final = 300
MAX_EVENTS: Final = 10_000


#: Stands in the comment of a definition that most runs of a script do not come to.
_SELDOM: Final = "(seldom)"


def _with_needed(prelude: Sequence[str], script: str) -> str:
    """A script after what it needs of the prelude, whose definitions use only those before them.

    The store runs all of a script's text each time, and to define what it does not come to would
    take most of the time of one that does little. So what is needed seldom is defined when it is.
    """
    needed: list[str] = []
    code = re.sub("--.*", "", script)
    for index in range(len(prelude) - 1, -1, -1):
        block = "\n".join(line for line in prelude[index].split("\n") if line[:2] != "--")
        names = re.findall(r"^local (?:function )?(\w+)", block, re.MULTILINE)
        if not block or (names and not any(re.search(rf"\b{name}\b", code) for name in names)):
            continue
        if _SELDOM in prelude[index]:
            (name,) = names
            inner = _with_needed([one for one in prelude[:index] if "\nlocal" in f"\n{one}"], block)
            needed.append(f"local function {name}(...)\n{inner}\nreturn {name}(...)\nend")
        else:
            needed.append(block)
            code += block
    return "\n".join([*reversed(needed), script])


def _moves(text: str) -> str:
    """Of `core.lifecycle.TABLE` what a script with this text looks up."""
    if "MOVES" not in text:
        return ""
    states = ", ".join(f"{state} = true" for state in TABLE)
    rows = (
        f"['{command}'] = {{ " + ", ".join(f"{s} = '{TABLE[s][command]}'" for s in TABLE) + " }"
        for command in Command
        if re.search(rf"step\(.*'{command}'", text)
    )
    return f"local STATES = {{ {states} }}\nlocal MOVES = {{ " + ", ".join(rows) + " }\n"


class Script:
    """One script: its text and the hash that names it; `firm` if what it does must not be lost."""

    __slots__ = ("firm", "name", "sha", "text")

    def __init__(self, name: str, *, firm: bool = False) -> None:
        folder = files(__name__)
        head = (
            "local TOMBSTONE_MS, CASE_RECORD_MS, EVENTS_MS, MAX_LINE, MAX_EVENTS = "
            f"{TOMBSTONE_S * 1000}, {CASE_RECORD_S * 1000}, {EVENTS_S * 1000}, {MAX_TIMELINE}, "
            f"{MAX_EVENTS}\n"
        )
        self.name, self.firm = name, firm
        prelude = re.split(r"\n\n(?=\S)", (folder / "prelude.lua").read_text())
        text = _with_needed(prelude, (folder / f"{name}.lua").read_text())
        self.text = head + _moves(text) + text
        self.sha = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()


OPEN: Final = Script("open", firm=True)
END: Final = Script("end", firm=True)
REASSIGN: Final = Script("reassign", firm=True)
TOKEN: Final = Script("token", firm=True)
CHANGE: Final = Script("change", firm=True)
ATTACH: Final = Script("attach")
DETACH: Final = Script("detach")
RECEIPT: Final = Script("receipt")
POST: Final = Script("post", firm=True)
SWEEP: Final = Script("sweep")
CLOSE: Final = Script("close", firm=True)
BAR: Final = Script("bar")
HOLD: Final = Script("hold")
FOUND: Final = Script("found")
REPORT_ONLY: Final = Script("report_only")
EMIT: Final = Script("emit")
AGAIN: Final = Script("again")
REPORT: Final = Script("report", firm=True)
PARTY_SANCTION: Final = Script("partysanction")
PARTY_TRIP: Final = Script("partytrip")
PARTY_ERASE: Final = Script("partyerase")
CASE: Final = Script("case")
CASE_NOTE: Final = Script("case_note")
CASE_WIDE: Final = Script("case_wide")
CASE_LIST: Final = Script("case_list")
CASE_NOTICE: Final = Script("case_notice")
CASE_NOTICES: Final = Script("case_notices")
CASE_WATCH: Final = Script("case_watch")
CASE_ALARM: Final = Script("case_alarm")
CASE_SEAL: Final = Script("case_seal")
AUDIT_APPEND: Final = Script("audit_append", firm=True)
OPERATOR: Final = Script("operator")
SIGNIN: Final = Script("signin")

ALL: Final = (
    OPERATOR, SIGNIN,
    CASE, CASE_NOTE, CASE_WIDE, CASE_LIST, CASE_NOTICE, CASE_NOTICES, CASE_WATCH, CASE_ALARM,
    CASE_SEAL,
    PARTY_SANCTION, PARTY_TRIP, PARTY_ERASE,
    OPEN, END, REASSIGN, TOKEN, CHANGE, ATTACH, DETACH, RECEIPT, POST, SWEEP, CLOSE, BAR, HOLD,
    FOUND, REPORT_ONLY, EMIT, AGAIN, REPORT,
)  # fmt: skip
