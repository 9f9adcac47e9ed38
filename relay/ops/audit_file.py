"""The audit log outside the store: exported, and checkpoints in whatever kept them.

Both are lines of JSON. An export is checked with the public keys alone, so whoever keeps it needs
to trust neither the relay nor its store.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from ..vault.chain import GENESIS, Link, Verdict, Verifier, canonical
from ..vault.checkpoints import Checkpoint, checkpoint_of

__all__ = ["BadExport", "checkpoints_in", "verify_export"]

_HASH: Final = re.compile(r"[0-9a-f]{64}")
#: What stands in a line of an export after the first.
_LINES: Final = ({"hash", "entry"}, {"hash", "withheld"}, {"checkpoint"})


class BadExport(ValueError):
    """The lines are no export of an audit log. Says so without any of them."""

    def __init__(self, line: int) -> None:
        super().__init__(
            f"line {line} is not of an exported audit log, so nothing could be checked; "
            "give a file that `relay audit export` wrote, whole and as it was"
        )


def checkpoints_in(lines: Iterable[str]) -> list[Checkpoint]:
    """The checkpoints among lines of JSON: the relay's log, events of the platform's, an export.

    Other lines are passed over.
    """
    return [found for line in lines for found in _within(_json(line))]


def verify_export(
    lines: Iterable[str], checkpoints: Iterable[Checkpoint], keys: Mapping[str, str]
) -> Verdict:
    """Check an export against its chain, its own checkpoints and those given.

    `keys` are the public keys by key id. Raises `BadExport`.
    """
    read = [_told_once(line) for line in lines if line.strip()]
    if not read or not isinstance(read[0], dict) or read[0].get("audit") != 1:
        raise BadExport(1)
    head, *rest = read
    after, previous = head.get("after"), head.get("previous")
    if type(after) is not int or not _is_hash(previous):
        raise BadExport(1)
    known = sorted({*checkpoints, *_own(rest)})
    start = bytes.fromhex(previous) if after else GENESIS
    verifier = Verifier(known, keys, after=after, previous=start)
    for number, line in enumerate(rest, 2):
        # Nothing else in it: what is passed over here, a person could take for an entry.
        if not isinstance(line, dict) or line.keys() not in _LINES:
            raise BadExport(number)
        if "checkpoint" in line:
            continue
        if not _is_hash(line["hash"]) or line.get("withheld", True) is not True:
            raise BadExport(number)
        if "withheld" in line:
            verifier.add_withheld(bytes.fromhex(line["hash"]))
            continue
        verifier.add(Link(bytes.fromhex(line["hash"]), canonical(line["entry"])))
    return verifier.verdict()


def _own(lines: Iterable[Any]) -> Iterator[Checkpoint]:
    for line in lines:
        if isinstance(line, dict) and "checkpoint" in line:
            yield from _within(line)


def _within(value: Any) -> Iterator[Checkpoint]:
    if isinstance(value, dict):
        if (found := checkpoint_of(value)) is not None:
            yield found
        else:
            for inner in value.values():
                yield from _within(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _within(inner)


def _json(line: str) -> Any:
    try:
        return msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return None


def _told_once(line: str) -> Any:
    """The JSON of a line, no name in it twice: readers differ which of the two counts."""
    try:
        json.loads(line, object_pairs_hook=_each_once)
    except (ValueError, RecursionError):
        return None
    return _json(line)


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError
    return found


def _is_hash(value: object) -> bool:
    return isinstance(value, str) and _HASH.fullmatch(value) is not None
