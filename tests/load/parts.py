"""Where a worker's processor time for a message goes, part by part.

    python -m tests.load.parts [SECONDS]

Needs `py-spy` on the PATH, which looks at the worker from outside while a closed loop of 50 trips
with 4 posts in flight is on it. Looking slows the worker down, so what a message costs is taken from
a run before that, and only how it is shared out from the run that was looked at. It looks by the
clock, so where other things keep the cores busy, a part that waited for one counts for too much.
"""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from relay.bench.measure import Course, Unwatched, measure
from relay.bench.result import Point
from relay.bench.target import RAISED, Started
from relay.rig.process import RelayProcess

LOAD = {"trips": 50, "in_flight": 4}
#: The parts, in the order in which a message passes them.
PARTS = {
    "socket": "reading and writing WebSockets: kernel, event loop, frames",
    "decode": "what the app sent, as checked objects",
    "guard": "judging the text, remembering what was said",
    "cipher": "sealing, and the tag by which a report proves the text",
    "store": "commands to the store and its answers, written and read",
    "encode": "what apps are sent, as bytes",
    "deliver": "the way of a message itself: limits, order, answers, receipts",
    "else": "calls by HTTP, silent trips, heartbeat, collecting garbage",
}
_RATE = 200
_WARM_UP_S = 2


def part_of(frames: list[str]) -> str:
    """The part that was at work; `frames` from the innermost one out, as py-spy names them."""
    by_library = "else"
    for frame in frames:
        if "gc_collect" in frame:
            return "else"
        if "(msgspec" in frame and by_library == "else":
            by_library = "encode" if "ncode" in frame else "decode"
        elif any(name in frame for name in ("(aiofastnet", "(picows")) or "uv__" in frame:
            by_library = "socket" if by_library == "else" else by_library
        elif "relay/guard/" in frame or "relay/trip_guard.py" in frame:
            return "guard"
        elif "relay/gateway/screening.py" in frame:
            return "guard" if by_library == "else" else by_library
        elif "relay/vault/" in frame:
            return "cipher"
        elif "relay/store/" in frame:
            return "store"
        elif "relay/core/websocket.py" in frame:
            return "encode"
        elif "relay/core/frames.py" in frame:
            return by_library if by_library in ("decode", "encode") else "decode"
        elif "relay/gateway/gateway.py" in frame and ("_look" in frame or "_sweep" in frame):
            return "else"
        elif "relay/gateway/" in frame or "relay/core/" in frame:
            return "deliver" if by_library == "else" else by_library
        elif "relay/worker.py" in frame or "uvicorn" in frame:
            break
    return by_library


def shared_out(stacks: str) -> dict[str, float]:
    """The share of each part in samples, as `py-spy record --format raw` writes them."""
    found = Counter[str]()
    for line in stacks.splitlines():
        frames, _, count = line.rpartition(" ")
        found[part_of(frames.split(";")[::-1])] += int(count)
    return {part: found[part] / found.total() for part in PARTS}


class _LookedAt(Unwatched):
    """Has py-spy look at a worker as soon as the load is in full swing."""

    def __init__(self, pid: int, file: Path, seconds: int) -> None:
        self._words = [
            "py-spy", "record", "--pid", str(pid), "--native", "--format", "raw", "--output",
            str(file), "--duration", str(seconds), "--rate", str(_RATE),
        ]  # fmt: skip
        self.looking: asyncio.Task[asyncio.subprocess.Process] | None = None

    def second(self, point: Point, share: float) -> None:
        if self.looking is None and point.at_s >= _WARM_UP_S:
            quiet = asyncio.subprocess.DEVNULL
            self.looking = asyncio.ensure_future(
                asyncio.create_subprocess_exec(*self._words, stdout=quiet, stderr=quiet)
            )


async def looked_at(seconds: int) -> dict[str, float]:
    """The share of each part in a worker's processor time under the load."""
    with TemporaryDirectory(prefix="relay-parts-") as name:
        folder = Path(name)
        async with RelayProcess(folder, **RAISED) as relay:
            (worker,) = relay.workers()
            looked = _LookedAt(worker, folder / "stacks", seconds)
            course = Course(seconds + 3, _WARM_UP_S, 1)
            await measure(Started([relay], [relay.store_pid()]), "closed", LOAD, course, looked)
            assert looked.looking is not None
            process = await looked.looking
            if await process.wait():
                raise RuntimeError("py-spy could not look at the worker: it may need to be root")
        return shared_out((folder / "stacks").read_text())


async def cost_us(seconds: int) -> float:
    """The worker's processor time for a message, when nobody looks."""
    with TemporaryDirectory(prefix="relay-parts-") as name:
        async with RelayProcess(Path(name), **RAISED) as relay:
            target = Started([relay], [relay.store_pid()])
            course = Course(seconds, _WARM_UP_S, 1)
            found = await measure(target, "closed", LOAD, course, Unwatched())
    return found.figures["relay_cpu_us_per_message"]


async def main(seconds: int) -> None:
    if shutil.which("py-spy") is None:
        raise SystemExit("tests.load.parts needs py-spy: `pip install py-spy`")
    whole = statistics.median([await cost_us(seconds) for _ in range(3)])
    shares = await looked_at(seconds)
    print("| part | µs a message | share | what |\n|---|---|---|---|")
    for part, what in PARTS.items():
        print(f"| {part} | {shares[part] * whole:.1f} | {shares[part]:.0%} | {what} |")
    print(f"| all | {whole:.1f} | | of the worker, without anybody looking |")


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10))
