"""The key ring's file: who can read it, what survives a crash, what several do to it at once."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import relay
from relay import keyfile
from relay.keyfile import KeyChange, KeyFile, KeyFileError, KeyFileExists, KeyFileMissing, ring_text
from relay.live_ring import LiveRing
from relay.vault.ring import KeyRing, KeyUnavailable, Purpose

NOW_MS = 1_732_233_600_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
DEADLINE_S = 60


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    made = KeyFile(tmp_path / "keys" / "ring.json")
    made.create(NOW_MS, HOUR_MS)
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def ids(ring: KeyRing) -> set[str]:
    return {key.id for key in ring}


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a process that runs the code with this package and NOW_MS at hand."""
    root = str(Path(relay.__file__).parent.parent)
    head = (
        "import os, sys, time\n"
        f"sys.path.insert(0, {root!r})\n"
        "from relay.keyfile import *\n"
        "from relay.live_ring import LiveRing\n"
        f"NOW_MS, HOUR_MS = {NOW_MS}, {HOUR_MS}\n"
        "file = KeyFile(sys.argv[1])\n"
    )
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", head + code, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def begin(code: str, *arguments: object) -> subprocess.Popen[str]:
        started.append(python(code, *arguments))
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def finished(process: subprocess.Popen[str]) -> list[str]:
    """What the process printed, by lines; it must have ended well."""
    output, _ = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    return output.splitlines()


def test_only_the_owner_can_read_it_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        file = KeyFile(tmp_path / "keys" / "ring.json")
        file.create(NOW_MS, HOUR_MS)
        file.rotate(NOW_MS + DAY_MS, HOUR_MS)
    finally:
        os.umask(before)
    assert mode(file.path.parent) == 0o700
    assert {path.name: mode(path) for path in file.path.parent.iterdir()} == {
        "ring.json": 0o600,
        "ring.json.journal": 0o600,
        "ring.json.lock": 0o600,
    }


def test_a_ring_is_made_once(file: KeyFile) -> None:
    before = file.path.read_bytes()
    with pytest.raises(KeyFileExists, match="left as it is"):
        file.create(NOW_MS, HOUR_MS)
    assert file.path.read_bytes() == before


def test_creation_tells_the_ids_of_its_keys(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "ring.json")
    change = file.create(NOW_MS, HOUR_MS)
    assert set(change.made) == ids(file.read())
    assert change.destroyed == ()


@pytest.mark.parametrize("extra", [0o040, 0o004, 0o020, 0o002, 0o010, 0o001, 0o066])
def test_a_file_open_to_others_is_refused_until_it_is_closed(file: KeyFile, extra: int) -> None:
    live = LiveRing.of_file(file)
    file.path.chmod(0o600 | extra)
    before = file.path.read_bytes()
    for use in (
        file.read,
        lambda: file.rotate(NOW_MS + DAY_MS, 0),
        lambda: file.retire([]),
        lambda: LiveRing.of_file(file),
    ):
        with pytest.raises(KeyFileError, match=f"chmod 600 {file.path}"):
            use()
    assert file.path.read_bytes() == before
    file.path.chmod(0o600)
    assert ids(file.read()) == ids(live.ring)


def test_the_command_can_be_pasted_even_if_the_path_has_a_space(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "my keys.json")
    file.create(NOW_MS, 0)
    file.path.chmod(0o644)
    with pytest.raises(KeyFileError) as caught:
        file.read()
    command = str(caught.value).split("`")[1]
    subprocess.run(command, shell=True, check=True)
    assert len(file.read()) == len(Purpose)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    for file in (KeyFile(tmp_path / "none"), KeyFile(tmp_path / "no" / "folder")):
        for use in (file.read, file.stamp, lambda file=file: file.rotate(NOW_MS, 0)):
            with pytest.raises(KeyFileMissing, match="relay keyring new"):
                use()


@pytest.mark.parametrize("kind", ["folder", "pipe"])
def test_what_is_not_a_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "ring"
    if kind == "folder":
        path.mkdir(0o700)
    else:
        os.mkfifo(path, 0o600)
    with pytest.raises(KeyFileError, match="is not a file"):
        KeyFile(path).read()


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"\0" * 500, b"\xff\xfe", b"[" * 100_000, b'{"version":1}', b"9" * 9999],
)
def test_a_damaged_file_is_refused(file: KeyFile, content: bytes) -> None:
    file.path.write_bytes(content)
    for use in (file.read, lambda: file.rotate(NOW_MS, 0), lambda: LiveRing.of_file(file)):
        with pytest.raises(KeyFileError, match="is damaged"):
            use()
    assert file.path.read_bytes() == content


def test_rotation_keeps_every_key_and_adds_the_missing(file: KeyFile) -> None:
    before = file.read()
    change = file.rotate(NOW_MS + 5 * HOUR_MS, 2 * HOUR_MS)
    after = file.read()
    assert set(change.made) == ids(after) - ids(before)
    assert change.destroyed == ()
    old = {key.id: key.material for key in before}
    assert old == {key.id: key.material for key in after if key.id in old}
    assert after.current(Purpose.NUMBERS, NOW_MS + 7 * HOUR_MS)


def test_what_changes_nothing_writes_nothing(file: KeyFile) -> None:
    before = file.stamp()
    assert file.rotate(NOW_MS, HOUR_MS) == KeyChange()
    assert file.retire([]) == KeyChange()
    assert file.retire_due(NOW_MS, 0, 0, 0) == KeyChange()
    assert file.stamp() == before


def test_a_retired_key_is_nowhere_in_the_folder(file: KeyFile) -> None:
    doomed = file.read().current(Purpose.NUMBERS, NOW_MS)
    text = base64.urlsafe_b64encode(doomed.material).rstrip(b"=")
    assert text in file.path.read_bytes()
    assert file.retire([doomed.id]) == KeyChange(destroyed=(doomed.id,))
    for path in file.path.parent.iterdir():
        assert text not in path.read_bytes()
    with pytest.raises(KeyUnavailable):
        file.read().get(Purpose.NUMBERS, doomed.id)


def test_the_old_files_bytes_are_overwritten(file: KeyFile) -> None:
    """Held open, the old file shows what is left of it on disk."""
    with file.path.open("rb") as old:
        size = os.fstat(old.fileno()).st_size
        file.retire([next(iter(file.read())).id])
        assert os.fstat(old.fileno()).st_nlink == 0
        assert old.read() == bytes(size)


def test_retiring_an_unknown_key_changes_nothing(file: KeyFile) -> None:
    before = file.path.read_bytes()
    known = next(iter(file.read())).id
    with pytest.raises(KeyUnavailable):
        file.retire([known, "00000000"])
    assert file.path.read_bytes() == before


def test_due_keys_are_retired_together(file: KeyFile) -> None:
    ring = file.read()
    later_ms = NOW_MS + 3 * DAY_MS
    expected = {key.id for key in ring.due(later_ms, HOUR_MS, HOUR_MS, HOUR_MS)}
    assert expected
    assert set(file.retire_due(later_ms, HOUR_MS, HOUR_MS, HOUR_MS).destroyed) == expected
    assert ids(file.read()) == ids(ring) - expected


def test_a_symbolic_link_stays_one(file: KeyFile, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(file.path)
    change = KeyFile(link).rotate(NOW_MS + DAY_MS, 0)
    assert change.made
    assert link.is_symlink()
    assert set(change.made) <= ids(file.read())


def test_what_a_crash_left_is_destroyed(file: KeyFile) -> None:
    left = file.path.with_name("ring.json.new")
    left.write_text("half a key ring")
    with left.open("rb") as old:
        file.rotate(NOW_MS + DAY_MS, 0)
        assert not left.exists()
        assert old.read() == bytes(len("half a key ring"))


def test_two_that_create_at_once_make_one_ring(
    tmp_path: Path, start: Callable[..., subprocess.Popen[str]]
) -> None:
    path = tmp_path / "keys" / "ring.json"
    code = (
        "print('ready', flush=True); sys.stdin.readline()\n"
        "try: print(*file.create(NOW_MS, HOUR_MS).made)\n"
        "except KeyFileExists: print('exists')\n"
    )
    processes = [start(code, path) for _ in range(4)]
    together(processes)
    printed = [finished(process)[-1] for process in processes]
    assert printed.count("exists") == 3
    (made,) = (line for line in printed if line != "exists")
    assert set(made.split()) == ids(KeyFile(path).read())


def together(processes: list[subprocess.Popen[str]]) -> None:
    """Let them all go once all are ready."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def test_processes_that_change_it_at_once_lose_no_key(
    file: KeyFile, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """Each makes keys for times of its own and destroys one of them, while others read."""
    code = (
        "me = int(sys.argv[2])\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for round in range(15):\n"
        "    made = file.rotate(NOW_MS + (1 + me * 100 + round) * 24 * HOUR_MS, 0).made\n"
        "    gone = file.retire(made[:1]).destroyed\n"
        "    print(*made, '-', *gone)\n"
    )
    reading = (
        "print('ready', flush=True); sys.stdin.readline()\n"
        "live = LiveRing.of_file(file)\n"
        "seen = 0\n"
        "while file.path.with_name('go on').exists():\n"
        "    assert len(file.read()) >= 4\n"
        "    seen += live.reload_if_changed()\n"
        "print(seen)\n"
    )
    go_on = file.path.with_name("go on")
    go_on.touch()
    expected = ids(file.read())
    writers = [start(code, file.path, me) for me in range(4)]
    readers = [start(reading, file.path) for _ in range(2)]
    together(writers + readers)
    for writer in writers:
        for line in finished(writer):
            made, gone = line.split(" - ")
            assert made
            assert gone
            expected |= set(made.split())
            expected -= set(gone.split())
    go_on.unlink()
    for reader in readers:
        assert int(finished(reader)[-1]) > 1
    assert ids(file.read()) == expected


def test_a_process_killed_while_it_rotates_leaves_a_whole_ring(
    file: KeyFile, start: Callable[..., subprocess.Popen[str]]
) -> None:
    code = (
        "start = int(sys.argv[2])\n"
        "for day in range(start, start + 10**6):\n"
        "    print(*file.rotate(NOW_MS + day * 24 * HOUR_MS, 0).made, flush=True)\n"
    )
    told = ids(file.read())
    day = 1
    for _ in range(8):
        process = start(code, file.path, day)
        assert process.stdout is not None
        told |= set(process.stdout.readline().split())
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate(timeout=DEADLINE_S)
        complete = rest.splitlines(keepends=True)
        told |= {key_id for line in complete if line.endswith("\n") for key_id in line.split()}
        day += len(complete) + 2
        assert told <= ids(file.read())  # and the lock is free again


def test_a_full_disk_leaves_the_old_ring(
    file: KeyFile, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """A limit on the size of files fails the write as a full disk does."""
    before = file.path.read_bytes()
    code = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "try: file.rotate(NOW_MS + 1000 * HOUR_MS, 0)\n"
        "except KeyFileError as error: print(error)\n"
    )
    (line,) = finished(start(code, file.path))
    assert "could not be changed: File too large" in line
    assert file.path.read_bytes() == before
    assert not file.path.with_name("ring.json.new").exists()
    assert file.rotate(NOW_MS + 1000 * HOUR_MS, 0).made


def test_a_lock_that_is_never_given_back_is_an_error_not_a_hang(
    file: KeyFile,
    start: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    holder = start(
        "import fcntl\n"
        "lock = open(sys.argv[1] + '.lock')\n"
        "fcntl.flock(lock, fcntl.LOCK_EX)\n"
        "print('ready', flush=True); sys.stdin.readline()\n",
        file.path,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == "ready\n"
    monkeypatch.setattr(keyfile, "_LOCK_WAIT_S", 0.2)
    with pytest.raises(KeyFileError, match="has kept the lock"):
        file.rotate(NOW_MS + DAY_MS, 0)
    assert len(file.read()) == 1 + len(Purpose)  # reading needs no lock
    live = LiveRing.of_file(file)
    assert (
        live.maintain(
            NOW_MS,
            ahead_ms=HOUR_MS,
            longest_trip_ms=HOUR_MS,
            longest_retention_ms=HOUR_MS,
            longest_evidence_ms=HOUR_MS,
        )
        == KeyChange()
    ), "nor does maintenance that has nothing to do"
    holder.kill()
    holder.wait(DEADLINE_S)
    assert file.rotate(NOW_MS + DAY_MS, 0).made


def test_a_node_sees_what_another_process_changed(
    file: KeyFile, start: Callable[..., subprocess.Popen[str]]
) -> None:
    live = LiveRing.of_file(file)
    assert live.source == str(file.path)
    assert not live.reload_if_changed()
    same = live.ring
    (line,) = finished(start("print(*file.rotate(NOW_MS + 50 * HOUR_MS, 0).made)", file.path))
    assert live.ring is same  # until it looks
    assert live.reload_if_changed()
    assert set(line.split()) == ids(live.ring) - ids(same)
    assert not live.reload_if_changed()


def test_a_file_in_disorder_is_an_error_each_time_and_the_last_ring_stays(file: KeyFile) -> None:
    live = LiveRing.of_file(file)
    ring = live.ring
    aside = file.path.with_name("aside")

    def check(error: type[KeyFileError]) -> None:
        for _ in range(2):
            with pytest.raises(error):
                live.reload_if_changed()
            assert live.ring is ring

    file.path.rename(aside)
    check(KeyFileMissing)
    file.path.write_text("damaged")
    file.path.chmod(0o600)
    check(KeyFileError)
    file.path.unlink()
    shutil.copy(aside, file.path)
    file.path.chmod(0o644)
    check(KeyFileError)
    file.path.chmod(0o600)
    assert live.reload_if_changed()
    assert live.ring.to_document() == ring.to_document()


def maintain(live: LiveRing, now_ms: int) -> KeyChange:
    return live.maintain(
        now_ms,
        ahead_ms=2 * HOUR_MS,
        longest_trip_ms=HOUR_MS,
        longest_retention_ms=DAY_MS,
        longest_evidence_ms=2 * DAY_MS,
    )


def test_maintenance_over_days_has_a_key_for_each_hour_and_keeps_none_too_long(
    file: KeyFile,
) -> None:
    live = LiveRing.of_file(file)
    for minute in range(0, 4 * 24 * 60, 20):
        now_ms = NOW_MS + minute * 60_000
        change = maintain(live, now_ms)
        assert not set(change.made) & set(change.destroyed)
        for purpose in Purpose:
            assert live.ring.current(purpose, now_ms)
            assert live.ring.current(purpose, now_ms + 2 * HOUR_MS)
        for key in live.ring:
            if key.purpose is Purpose.NUMBERS:
                assert key.until_ms + HOUR_MS > now_ms
    assert ids(live.ring) == ids(file.read())
    assert len(live.ring) < 16


def test_maintenance_writes_only_when_it_must(file: KeyFile) -> None:
    live = LiveRing.of_file(file)
    assert maintain(live, NOW_MS).made
    before = file.stamp()
    assert maintain(live, NOW_MS) == KeyChange()
    assert maintain(live, NOW_MS + HOUR_MS - 1) == KeyChange()
    assert file.stamp() == before
    assert maintain(live, NOW_MS + HOUR_MS).made  # another hour has come into view
    assert file.stamp() != before
    assert not live.reload_if_changed()


def test_workers_that_maintain_at_once_make_each_key_once(
    file: KeyFile, start: Callable[..., subprocess.Popen[str]]
) -> None:
    code = (
        "live = LiveRing.of_file(file)\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for hour in range(30):\n"
        "    change = live.maintain(NOW_MS + hour * HOUR_MS, ahead_ms=HOUR_MS,\n"
        "                           longest_trip_ms=HOUR_MS, longest_retention_ms=HOUR_MS,\n"
        "                           longest_evidence_ms=HOUR_MS)\n"
        "    print('made', *change.made); print('gone', *change.destroyed)\n"
    )
    workers = [start(code, file.path) for _ in range(3)]
    before = ids(file.read())
    together(workers)
    lines = [line.split() for worker in workers for line in finished(worker)]
    made = [key_id for kind, *key_ids in lines if kind == "made" for key_id in key_ids]
    gone = [key_id for kind, *key_ids in lines if kind == "gone" for key_id in key_ids]
    assert len(gone) == len(set(gone)) > 20
    assert len(made) == len(set(made)) > 20
    assert ids(file.read()) == (before | set(made)) - set(gone)
    numbers = [key for key in file.read() if key.purpose is Purpose.NUMBERS]
    assert [key.until_ms for key in numbers[:-1]] == [key.from_ms for key in numbers[1:]]


RING = KeyRing().extended(NOW_MS, DAY_MS, os.urandom)
TEXT = ring_text(RING)
WRAPPED = "\n".join(
    base64.b64encode(TEXT.encode()).decode()[i : i + 76] for i in range(0, 2 * len(TEXT), 76)
)


@pytest.mark.parametrize(
    "value",
    [
        TEXT,
        f"\n {TEXT}\n",
        json.dumps(json.loads(TEXT), indent=2),
        base64.b64encode(TEXT.encode()).decode(),
        base64.b64encode(TEXT.encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(TEXT.encode()).decode(),
        base64.b64encode(TEXT.encode() + b"\n").decode() + "\n",
        WRAPPED,
    ],
    ids=["plain", "spaced", "indented", "base64", "unpadded", "urlsafe", "newline", "wrapped"],
)
def test_the_ring_of_the_environment(value: str) -> None:
    live = LiveRing.of_environment({"RELAY_KEYRING": value, "HOME": "/"})
    assert live.ring.to_document() == RING.to_document()
    assert live.source == "RELAY_KEYRING"
    assert live.reload_if_changed() is False
    with pytest.raises(KeyFileError, match="can't be changed from here"):
        maintain(live, NOW_MS)


@pytest.mark.parametrize(
    "value",
    [
        "",
        " ",
        "{",
        "{}",
        "x",
        "é",
        "=",
        "null",
        TEXT[:-1],
        TEXT[1:],
        base64.b64encode(b"{}").decode(),
    ],
)
def test_a_bad_environment_is_refused(value: str) -> None:
    with pytest.raises(KeyFileError, match="RELAY_KEYRING does not hold a key ring"):
        LiveRing.of_environment({"RELAY_KEYRING": value})


def test_an_environment_without_a_ring_says_so() -> None:
    with pytest.raises(KeyFileMissing, match="RELAY_KEYRING is not set"):
        LiveRing.of_environment({})


def test_a_month_of_keys_fits_into_a_variable() -> None:
    """As the documentation says; the kernel refuses a longer one."""
    month = KeyRing().extended(NOW_MS, 30 * DAY_MS, os.urandom)
    value = base64.b64encode(ring_text(month).encode()).decode()
    subprocess.run(["true"], env={**os.environ, "RELAY_KEYRING": value}, check=True)
    with pytest.raises(OSError, match="Argument list too long"):
        subprocess.run(["true"], env={**os.environ, "RELAY_KEYRING": value * 2}, check=True)


# --- the journal ----------------------------------------------------------------------------------


def noted(file: KeyFile) -> list[tuple[str, str, int, tuple[str, ...], str]]:
    return [(line.by, line.act, line.made, line.destroyed, line.outcome) for line in file.journal()]


def test_every_change_is_in_the_journal_and_nothing_else_is(tmp_path: Path) -> None:
    file = KeyFile(tmp_path / "ring.json", by="host:ani")
    file.create(NOW_MS, HOUR_MS)
    with pytest.raises(KeyFileExists):
        file.create(NOW_MS, HOUR_MS)
    file.rotate(NOW_MS, HOUR_MS)
    file.rotate(NOW_MS + HOUR_MS, HOUR_MS)
    doomed = file.read().current(Purpose.NUMBERS, NOW_MS).id
    file.retire([doomed])
    maintain(LiveRing.of_file(KeyFile(file.path)), NOW_MS + 9 * HOUR_MS)
    maintain(LiveRing.of_file(KeyFile(file.path)), NOW_MS + 9 * HOUR_MS)
    file.read()
    lines = noted(file)
    gone = lines.pop()
    assert lines == [
        ("host:ani", "keyring.new", 7, (), ""),
        ("host:ani", "keyring.rotate", 1, (), ""),
        ("host:ani", "keyring.retire", 0, (doomed,), ""),
        ("relay", "keyring.rotate", 3, (), ""),
    ]
    assert gone[:3] == ("relay", "keyring.retire", 0)
    assert len(gone[3]) == 2
    assert len({line.id for line in file.journal()}) == 5
    text = Path(f"{file.path}.journal").read_text()
    for entries in json.loads(file.path.read_text()).values():
        for entry in entries if isinstance(entries, list) else []:
            assert entry["key"] not in text


def test_what_cannot_be_noted_is_not_done(file: KeyFile) -> None:
    journal = Path(f"{file.path}.journal")
    journal.unlink()
    journal.mkdir()
    before = file.path.read_bytes()
    for change in (lambda: file.rotate(NOW_MS, DAY_MS), lambda: file.retire(ids(file.read()))):
        with pytest.raises(KeyFileError, match="could not be changed"):
            change()
    assert file.path.read_bytes() == before
    with pytest.raises(KeyFileError, match="not in the audit log"):
        file.journal()


def test_a_change_that_failed_after_it_was_noted_says_so(
    file: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(os, "rename", refused)
    with pytest.raises(KeyFileError):
        file.rotate(NOW_MS + DAY_MS, 0)
    assert [line[1:] for line in noted(file)[1:]] == [
        ("keyring.rotate", 2, (), ""),
        ("keyring.rotate", 2, (), "failed"),
    ]


def test_half_a_line_is_none_and_hides_no_other(file: KeyFile) -> None:
    with Path(f"{file.path}.journal").open("a") as stream:
        stream.write('{"id": "ab", "at": 1, "by": "re')
    assert len(file.journal()) == 1
    file.rotate(NOW_MS + DAY_MS, 0)
    assert [line.act for line in file.journal()] == ["keyring.new", "keyring.rotate"]


def test_lines_are_dropped_by_name(file: KeyFile) -> None:
    file.rotate(NOW_MS + DAY_MS, 0)
    first, second = file.journal()
    file.drop_from_journal({first.id})
    assert file.journal() == [second]
    assert mode(Path(f"{file.path}.journal")) == 0o600
    file.drop_from_journal({second.id, "unknown"})
    assert file.journal() == []
    assert sorted(path.name for path in file.path.parent.iterdir()) == [
        "ring.json",
        "ring.json.lock",
    ]
    file.drop_from_journal(set())
    file.rotate(NOW_MS + 2 * DAY_MS, 0)
    assert len(file.journal()) == 1


def test_changes_meanwhile_are_not_dropped(
    file: KeyFile, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """One process takes lines out while others write them: none is lost, none stays."""
    writing = (
        "print('ready', flush=True); sys.stdin.readline()\n"
        "for n in range(40):\n"
        "    file.rotate(NOW_MS, n * HOUR_MS)\n"
    )
    taking = (
        "import time\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "end = time.monotonic() + 1\n"
        "while time.monotonic() < end:\n"
        "    lines = file.journal()\n"
        "    file.drop_from_journal({line.id for line in lines})\n"
        "    for line in lines: print(line.id, line.made)\n"
    )
    processes = [start(writing, file.path), start(writing, file.path), start(taking, file.path)]
    together(processes)
    taken = [line.split() for line in finished(processes[2])]
    for process in processes[:2]:
        finished(process)
    lines = [*taken, *([line.id, str(line.made)] for line in file.journal())]
    assert len({name for name, _ in lines}) == len(lines)
    assert sum(int(made) for _, made in lines) == len(file.read())


def test_looking_for_a_change_is_cheap(file: KeyFile) -> None:
    """A stat, not a read: a thousand in well under what a thousand reads take."""
    live = LiveRing.of_file(file)
    file.rotate(NOW_MS, 90 * DAY_MS)
    assert live.reload_if_changed()

    def seconds(action: Callable[[], object], times: int) -> float:
        begun = time.perf_counter()
        for _ in range(times):
            action()
        return (time.perf_counter() - begun) / times

    assert seconds(live.reload_if_changed, 300) * 20 < seconds(file.read, 10)
