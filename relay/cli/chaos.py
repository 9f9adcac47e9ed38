"""`relay chaos`: faults on this machine, and whether every promise is kept."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import gettempdir
from typing import Annotated, Any, Final

import typer

from ..app import stop_signals
from ..chaos.account import Wrong
from ..chaos.faults import FAULTS
from ..chaos.report import page
from ..chaos.run import Outcome, Played, Run, schedule
from .options import AsJson
from .output import MISUSED, REFUSED, err, fail, out, print_json
from .words import count_of

_TRIPS: Final = 4
_PASS_BY: Final = 4
_LASTS_S: Final = 2.0, 6.0
#: Stores sync every write; a disk that stalls meanwhile is a fault that no schedule has.
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 - a folder of a random name is made in it
_SHOWN: Final = 20


def chaos(
    minutes: Annotated[
        float, typer.Option(min=0.1, max=24 * 60, help="begin no fault after so long")
    ] = 5.0,
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="repeat the faults of a run in its order; else a random one"),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="only this one; may be given more than once"),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="also write an HTML page with a picture of the run"),
    ] = None,
    list_them: Annotated[
        bool, typer.Option("--list", help="name the faults and what happens in each, and exit")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let parts fail under traffic, and see that no promise is broken.

    Starts stores and relays of its own on this machine, in every topology, lets parties talk while
    trips are opened, reassigned and ended, and lets one part after the other fail. It knows every
    post, acceptance and delivery. Prints for each fault how many messages were posted, accepted
    and delivered, what is wrong, how long the fault lasted, and how long after it everybody was
    served again. It needs nothing but two cores and some memory, and touches no relay that runs.

    Exits with 1 if a message was lost, shown twice, in another order or to another party; if
    anything was accepted or shown after its trip's end; if a closed trip was open again; if the
    relay did not serve again within 45 s after a fault; or if the run was stopped before its end.
    """
    if list_them:
        _list(as_json=as_json)
        return
    unknown = sorted(set(fault or ()) - FAULTS.keys())
    if unknown:
        fail("there is no such fault; `relay chaos --list` names them all", MISUSED)
    if report is not None and not report.absolute().parent.is_dir():
        fail("the report's folder does not exist, so nothing was started", MISUSED)
    seed = random.randrange(2**32) if seed is None else seed
    err.print(f"relay: seed {seed}")
    names = sorted(set(fault or FAULTS))
    play = _Play(seed, names, minutes * 60)
    asyncio.run(play.until_over())
    if report is not None:
        try:
            report.write_text(page(seed, play.phases, play.missed), "utf-8")
        except OSError as error:
            err.print(f"relay: the report could not be written ({error.strerror})")
    if as_json:
        print_json(play.document())
    else:
        for line in play.lines():
            out.print(line)
    if not play.is_well:
        raise typer.Exit(REFUSED)


def _list(*, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {"name": one.name, "what": one.text, "where": [a.name for a in one.arenas]}
                for one in FAULTS.values()
            ]
        )
        return
    for one in FAULTS.values():
        out.print(f"{one.name:<22} {one.text}")


class _Play:
    """A run, and what is to be said of it."""

    def __init__(self, seed: int, names: Sequence[str], length_s: float) -> None:
        self._seed, self._names, self._length_s = seed, names, length_s
        self.phases: list[Played] = []
        self._is_whole = False
        self._began_s = time.monotonic()

    async def until_over(self) -> None:
        """Play until the time is over, or somebody stops it."""
        stop = asyncio.create_task(stop_signals().wait())
        playing = asyncio.create_task(self._play())
        await asyncio.wait((stop, playing), return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if playing.done():
            playing.result()
            self._is_whole = True
            return
        err.print("relay: stopping")
        playing.cancel()
        await asyncio.wait((playing,))

    async def _play(self) -> None:
        until_s = asyncio.get_running_loop().time() + self._length_s
        folder = _MEMORY if _MEMORY.is_dir() else Path(gettempdir())
        run = Run(folder, trips=_TRIPS, pass_by=_PASS_BY, tell=self._tell)
        for phase in schedule(self._seed, [FAULTS[name] for name in self._names], _LASTS_S):
            if asyncio.get_running_loop().time() > until_s:
                break
            self._tell(f"{phase.arena.name}: starting")
            played = await run.play(phase, until_s)
            self.phases.append(played)
            for one in played.violations[:_SHOWN]:
                err.print(f"relay: {one.wrong}: {one.text}")

    def _tell(self, text: str) -> None:
        err.print(f"{time.monotonic() - self._began_s:6.0f} s  {text}")

    # --- what came of it --------------------------------------------------------------------------

    @property
    def outcomes(self) -> list[Outcome]:
        return [one for phase in self.phases for one in phase.outcomes]

    @property
    def missed(self) -> list[str]:
        """Faults for which there was no time."""
        return sorted(set(self._names) - {one.fault for one in self.outcomes})

    @property
    def is_well(self) -> bool:
        return self._is_whole and not any(phase.violations for phase in self.phases)

    def lines(self) -> Iterator[str]:
        names = ("posted", "accepted", "delivered", *Wrong, "lasted", "recovery")
        yield f"{'fault':<22} {'where':<36}" + "".join(f"{name:>11}" for name in names)
        for one in self.outcomes:
            counts = (one.posted, one.accepted, one.delivered, *(one.wrong[kind] for kind in Wrong))
            recovery = "never" if one.recovered_s is None else f"{one.recovered_s:.1f} s"
            yield (
                f"{one.fault:<22} {one.arena:<36}"
                + "".join(f"{count:>11}" for count in counts)
                + f"{one.mended_s - one.began_s:>9.1f} s{recovery:>11}"
            )
        yield ""
        if self.missed:
            yield f"no time for: {', '.join(self.missed)}"
        if not self._is_whole:
            yield "stopped before its end"
        wrong = sum(len(phase.violations) for phase in self.phases)
        again = "".join(f" --fault {name}" for name in self._names)
        yield (
            f"{count_of(wrong, 'violation')}; to repeat: relay chaos --seed {self._seed}"
            f" --minutes {self._length_s / 60:g}{'' if len(self._names) == len(FAULTS) else again}"
        )

    def document(self) -> dict[str, Any]:
        return {
            "seed": self._seed,
            "ok": self.is_well,
            "whole": self._is_whole,
            "missed": self.missed,
            "faults": [
                {
                    "fault": one.fault, "where": one.arena, "posted": one.posted,
                    "accepted": one.accepted, "delivered": one.delivered,
                    **{str(kind): one.wrong[kind] for kind in Wrong},
                    "lasted_s": round(one.mended_s - one.began_s, 3),
                    "recovery_s": None if one.recovered_s is None else round(one.recovered_s, 3),
                }
                for one in self.outcomes
            ],
            "violations": [
                {
                    "where": phase.arena, "kind": one.wrong,
                    "at_s": round(one.at_s - phase.timeline.began_s, 3), "what": one.text,
                }
                for phase in self.phases
                for one in phase.violations
            ],
        }  # fmt: skip
