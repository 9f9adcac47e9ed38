"""Store servers as the tests and `relay chaos` start them: none is left behind."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from relay.rig.cluster import Cluster
from relay.rig.sentinel import Watched
from relay.rig.servers import Servers
from relay.rig.single import Single
from relay.rig.waiting import until

#: Starts, says which process it is, and serves nobody.
MUTE = """#!/bin/sh
echo $$ >"$(mktemp '{folder}/pid.XXXXXX')"
exec sleep 600
"""


@pytest.mark.parametrize("kind", [Single, Watched, Cluster])
async def test_servers_that_do_not_come_up_are_not_left_running(
    tmp_path: Path, kind: type[Servers]
) -> None:
    program = tmp_path / "mute-server"
    program.write_text(MUTE.format(folder=tmp_path))
    program.chmod(0o700)

    def started() -> list[int]:
        return [int(text) for one in tmp_path.glob("pid.*") if (text := one.read_text())]

    servers = kind(tmp_path, program=program)
    entering = asyncio.create_task(servers.__aenter__())
    await until(started, "a server has started")
    entering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await entering
    assert not [pid for pid in started() if Path(f"/proc/{pid}").exists()]
