"""`relay chaos`: it says what it did, how that went, and leaves nothing behind."""

from __future__ import annotations

import signal
from pathlib import Path

from relay.chaos.faults import FAULTS
from relay.rig.process import children

from .commands import finish, relay_command, start


async def test_the_faults_can_be_named() -> None:
    listed = (await relay_command("chaos", "--list", "--json")).json
    assert [one["name"] for one in listed] == list(FAULTS)
    assert all(one["what"] and one["where"] for one in listed)
    done = await relay_command("chaos", "--fault", "no-such-fault")
    assert done.code == 2 and "relay chaos --list" in done.err


async def test_a_run_says_what_became_of_every_message(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    done = await relay_command(
        "chaos", "--minutes", 0.1, "--seed", 4, "--fault", "worker-kill", "--json",
        "--report", page,
    )  # fmt: skip
    found = done.json
    assert (done.code, found["ok"], found["whole"], found["seed"]) == (0, True, True, 4)
    assert {one["fault"] for one in found["faults"]} == {"worker-kill"}
    for one in found["faults"]:
        assert one["posted"] >= one["accepted"] > 0 and one["delivered"] > 0
        assert one["lost"] == one["doubled"] == one["misordered"] == one["late"] == 0
        assert one["recovery_s"] is not None
    assert "seed 4" in done.err
    assert "<svg" in page.read_text()


async def test_a_run_that_is_stopped_says_so_and_ends_what_it_started() -> None:
    process = await start("chaos", "--minutes", 5, "--fault", "worker-kill")
    assert process.stderr is not None
    while b"starting" not in await process.stderr.readline():
        pass
    process.send_signal(signal.SIGTERM)
    done = await finish(process)
    assert done.code == 1
    assert "stopped before its end" in done.out
    assert not children(process.pid)
