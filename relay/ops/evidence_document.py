"""What a case's evidence says: the note, the reported messages, and what stood around them.

It is sealed as one piece and destroyed as one. Whoever opens it has a case and a purpose, and has
been written down before.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from ..core.casework import Proof

Side = Literal["reporter", "reported", "system"]


class EvidenceItem(Struct, omit_defaults=True):
    """A message as the reporter's app sent it, and whether the relay can tell that it is genuine.

    `at` is the store's time of its position (ms). `kind` is empty where only the app's word is left
    of it. Of a forged one everything but `proof` is the reporter's claim.
    """

    epoch: int
    pos: str
    id: str
    sender: Side
    at: int
    text: str
    proof: Proof
    kind: str = ""

    def __repr__(self) -> str:
        return f"EvidenceItem(pos={self.pos!r}, ****)"


class EvidenceMessage(Struct, omit_defaults=True):
    """A message as the relay's log held it at the time. `reported` marks those that are meant."""

    epoch: int
    pos: str
    id: str
    sender: Side
    at: int
    kind: str
    text: str
    reported: bool = False

    def __repr__(self) -> str:
        return f"EvidenceMessage(pos={self.pos!r}, ****)"


class EvidenceDocument(Struct, omit_defaults=True):
    """All that is sealed of a report. `window` is in the log's order, empty where that is gone."""

    note: str = ""
    items: list[EvidenceItem] = []
    window: list[EvidenceMessage] = []

    def __repr__(self) -> str:
        return f"EvidenceDocument(items={len(self.items)}, window={len(self.window)}, ****)"
