"""The models of this folder, looked through by Spin: each holds, and fails with any part taken away.

What a model is of stands at its head, with what it leaves out. A part that can be taken away is a
name that is defined when the model is read, and the assertion that is then broken is known.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
SPIN, COMPILER = shutil.which("spin"), shutil.which("cc")

pytestmark = pytest.mark.skipif(
    not (SPIN and COMPILER),
    reason="Spin is not installed: the models need `spin` (Debian: apt-get install spin) and `cc`",
)

#: What fails in each model, by the assertion, without each of its parts.
WITHOUT = {
    "accept_and_close": {
        "MAKES_LOG": "in_time",
        "CHECKS_FIRST": "in_time",
        "NO_DEADLINE": "in_time",
        "HEARD_DEADLINE": "in_time",
        "ANSWERS_FIRST": "was_stored",
        "CLOSE_IN_STEPS": "in_time",
        "READS_AS_HEARD": "in_time",
    },
    "failover": {
        "NO_REPLAY": "final",
        "REPLAYS_LATER": "final",
        "API_IS_SILENT": "final",
        "HEARS_ONLY": "final",
        "FORGETS_GRACE": "final",
        "SAYS_NO_TOMBSTONE": "final",
        "NO_TOMBSTONE": "final",
        "DELIVERS_AT_ONCE": "was_closed",
    },
    "late_open": {
        "NO_TOMBSTONE": "has_ended",
        "NO_AGE": "has_ended",
        "NO_MARGIN": "has_ended",
    },
}

_DEEPEST = 10_000


def look_through(model: str, folder: Path, *defined: str) -> str:
    """What Spin finds in all that a model can do."""
    assert SPIN and COMPILER
    source = folder / f"{model}.pml"
    shutil.copy(FOLDER / source.name, source)
    for command in (
        [SPIN, *(f"-D{name}" for name in defined), "-a", source.name],
        [COMPILER, "-O1", "-w", "-DSAFETY", "-o", "pan", "pan.c"],
        ["./pan", f"-m{_DEEPEST}"],
    ):
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=240, check=True
        )
    assert "max search depth too small" not in done.stdout, "not everything was looked at"
    return done.stdout


def errors(found: str) -> int:
    told = re.search(r"errors: (\d+)", found)
    assert told, found[-2000:]
    return int(told[1])


@pytest.mark.parametrize("model", WITHOUT)
def test_it_holds(model: str, tmp_path: Path, show: Callable[[str], None]) -> None:
    found = look_through(model, tmp_path)
    assert errors(found) == 0, found
    # A step that never comes about proves nothing.
    never = [
        line.strip()
        for line in re.findall(r"^\t\S+\.pml:\d+, state \d+, .*$", found, re.MULTILINE)
        if '"-end-"' not in line
    ]
    assert not never
    states = re.search(r"(\d+) states, stored", found)
    assert states
    show(f"model {model}: {int(states[1]):,} states, 0 errors, {len(WITHOUT[model])} parts needed")


@pytest.mark.parametrize(
    ("model", "part"), [(model, part) for model, parts in WITHOUT.items() for part in parts]
)
def test_it_fails_without(model: str, part: str, tmp_path: Path) -> None:
    found = look_through(model, tmp_path, part)
    assert errors(found) == 1
    broken = re.search(r"assertion violated (.*) \(at depth", found)
    assert broken, found
    assert WITHOUT[model][part] in broken[1]


def test_each_part_that_can_be_taken_away_is() -> None:
    for source in FOLDER.glob("*.pml"):
        named = set(re.findall(r"^ \*   ([A-Z_]+) ", source.read_text(), re.MULTILINE))
        assert named == set(WITHOUT[source.stem])
