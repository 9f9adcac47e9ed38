"""Peers: other servers that do the same work, started for a run from a folder that holds them.

Each stores every message in a stream of a Valkey that syncs every write, acknowledges it, and
delivers it to the other party; guard, encryption, tokens and receipts are the relay's alone. What
the folder has to hold is told in deploy/LOADTEST.md.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

from redis.asyncio import Redis

from ..rig.servers import free_ports
from ..rig.waiting import until
from .target import Target, Where, own_store
from .watch import Usage, usage_of

_START_S: Final = 20.0
_END_S: Final = 5.0


class Peer(NamedTuple):
    """How a peer is started: `needs` is its file in the folder, `command` is filled with the
    folder, the port and the store's socket. Its scenario bears its name."""

    name: str
    needs: str
    command: tuple[str, ...]


PEERS: Final = (
    Peer(
        "socketio", "socketio/server.js",
        ("node", "{folder}/socketio/server.js", "{port}", "{socket}"),
    ),
    Peer(
        "starlette", "naive/app.py",
        (
            sys.executable, "-m", "uvicorn", "--app-dir", "{folder}/naive", "app:app",
            "--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning",
            "--ws", "websockets-sansio", "--ws-per-message-deflate", "false",
        ),
    ),
)  # fmt: skip


def found_in(folder: Path) -> list[Peer]:
    """The peers that a folder holds and this machine can start."""
    return [
        peer
        for peer in PEERS
        if (folder / peer.needs).is_file() and shutil.which(peer.command[0]) is not None
    ]


class _Running(Target):
    """A peer that runs. Its own process is told as `relay`, so that it stands beside the relay."""

    def __init__(self, name: str, port: int, pid: int, store_pid: int) -> None:
        self.name = name
        self.where = Where([f"ws://127.0.0.1:{port}"], "", "")
        self._pids = {"relay": [pid], "store": [store_pid]}

    async def usage(self) -> dict[str, Usage]:
        return {name: usage_of(pids) for name, pids in self._pids.items()}


@asynccontextmanager
async def started(peer: Peer, folder: Path, trips: int) -> AsyncIterator[Target]:
    """A peer with a store of its own in which so many trips are open."""
    with TemporaryDirectory(prefix="relay-bench-") as name:
        home = Path(name)
        async with own_store(home / "store") as (url, store_pid):
            socket = url.removeprefix("unix://")
            async with Redis.from_url(url) as redis, redis.pipeline() as pipe:
                for number in range(trips):
                    pipe.xadd(f"trip:{{{number}}}:log", {"d": b"open"})
                await pipe.execute()
            (port,) = free_ports(1)
            process = _spawn(peer, folder, port, socket, home / "peer.log")
            try:
                await until(lambda: _serves(process, port, home), f"{peer.name} serves", _START_S)
                yield _Running(peer.name, port, process.pid, store_pid)
            finally:
                process.terminate()
                try:
                    await asyncio.to_thread(process.wait, _END_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def _spawn(
    peer: Peer, folder: Path, port: int, socket: str, log_file: Path
) -> subprocess.Popen[bytes]:
    words = [
        word.format(folder=folder.absolute(), port=port, socket=socket) for word in peer.command
    ]
    with log_file.open("wb") as log:
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env=os.environ | {"REDIS_SOCKET": socket, "NODE_ENV": "production"},
        )  # fmt: skip


async def _serves(process: subprocess.Popen[bytes], port: int, home: Path) -> bool:
    if process.poll() is not None:
        said = (home / "peer.log").read_text(errors="replace")[-400:]
        raise RuntimeError(f"the peer ended with {process.returncode}: {said}")
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
