"""The lists by which the guard is judged: one case a line, a message or several of a session."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

#: What parts successive messages of a session.
PARTS: Final = " ||| "
#: How a message of a session begins, if it says who sent it.
SENDERS: Final = {"D> ": "driver", "C> ": "customer"}
HARD_NEGATIVES: Final = "hard negatives"

_COLUMNS: Final = ("text", "language", "kind", "label")
_LABELS: Final = {"1": True, "stop": True, "0": False, "pass": False}
_COUNTRY_OF: Final = {"ms": "MY", "tl": "PH", "th": "TH", "vi": "VN"}
_KINDS_OF: Final = {
    "numbers": "plain plain_my foreign separators spaced own unicode fullwidth arabic keycap "
    "mathbold circled superscript zerowidth",
    "words": "words words_clipped words_glued words_stretched words_typo words_wrapped compound "
    "double doubled own_words",
    "mixed and leet": "mixed leet words_leet roman no_prefix reversed arithmetic own_leet",
    "filler": "filler stage emoji_sep letters_between own_filler",
    "split": "multi senders spread own_split split",
    "links and e-mail": "link link_broken email email_words",
    "handles": "handle",
    "one-time codes": "otp otp_request otp_reply otp_reply_words otp_dialogue call_forward",
    "off the platform": "solicit account wallet",
}
_CLASS_OF: Final = {kind: name for name, kinds in _KINDS_OF.items() for kind in kinds.split()}


class Turn(NamedTuple):
    """A message of a session, and who sent it."""

    sender: str
    text: str

    def __repr__(self) -> str:
        return f"Turn({self.sender}, {len(self.text)} characters)"


class Case(NamedTuple):
    """What one or both sides write. `bad`: it must be stopped; else it must be left alone.

    `target` is what must not arrive (a number, a handle, a code), if the list says. With `own` it
    is the number of one of the two parties. `allow` is what the platform has declared as known.
    """

    turns: tuple[Turn, ...]
    language: str
    kind: str
    bad: bool
    target: str = ""
    own: bool = False
    allow: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Case({self.kind}, {self.language}, {len(self.turns)} messages)"

    @property
    def known_kind(self) -> str:
        """The kind, or what it begins with if only that is known: `words` of `words_dialect`."""
        kind = self.kind
        while kind not in _CLASS_OF and "_" in kind:
            kind = kind.rpartition("_")[0]
        return kind if kind in _CLASS_OF else self.kind

    @property
    def class_(self) -> str:
        """The class under which the case is counted; of an unknown kind the kind itself."""
        if not self.bad:
            return HARD_NEGATIVES
        return _CLASS_OF.get(self.known_kind, self.kind)

    @property
    def country(self) -> str:
        """Where the trip is, as the language tells."""
        return _COUNTRY_OF.get(self.language, "ID")


def turns_of(line: str) -> tuple[Turn, ...]:
    """The messages of a line: ` ||| ` parts them, `D> ` and `C> ` name the sender."""
    return tuple(
        Turn(SENDERS[part[:3]], part[3:]) if part[:3] in SENDERS else Turn("driver", part)
        for part in line.split(PARTS)
    )


def parse_cases(lines: Iterable[str]) -> list[Case]:
    """The cases of a tab-separated table without quoting, whose first line names the columns.

    Columns are text, language, kind and label (`stop` or 1, `pass` or 0), and if the list has them
    target, own (1: yes) and allow (values parted by `|`, `,` or `;`). Raises `ValueError`, which
    names the line and never quotes it.
    """
    rows = iter(lines)
    names = next(rows, "").lstrip("\ufeff").rstrip("\r\n").split("\t")
    if not set(_COLUMNS) <= set(names):
        raise ValueError(f"line 1 must name the columns {', '.join(_COLUMNS)}, parted by tabs")
    cases: list[Case] = []
    for number, line in enumerate(rows, 2):
        if not line.strip():
            continue
        fields = line.rstrip("\r\n").split("\t")
        if len(fields) > len(names):
            raise ValueError(f"line {number} has more fields than line 1 names columns")
        row = dict.fromkeys(names, "") | dict(zip(names, fields, strict=False))
        if row["label"] not in _LABELS:
            raise ValueError(f"line {number}: the label must be one of {', '.join(_LABELS)}")
        cases.append(
            Case(
                turns_of(row["text"]),
                row["language"],
                row["kind"],
                _LABELS[row["label"]],
                row.get("target", ""),
                row.get("own", "") == "1",
                tuple(v.strip() for v in re.split(r"[|,;]", row.get("allow", "")) if v.strip()),
            )
        )
    return cases
