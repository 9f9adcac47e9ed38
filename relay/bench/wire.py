"""What the command and its load processes say to each other: one JSON document a line.

A load process reads its `Plan` on standard input, then `Go` and `Stop`; it writes the others on
standard output. Only the plan holds a secret, the API key, which so stands on no command line.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct

#: The longest line that either of them takes.
MAX_LINE_BYTES: Final = 1 << 24


class Line(Struct, tag_field="is"):
    """Anything said."""


class Plan(Line, tag="plan"):
    """What one of `parts` load processes does. `options` are the scenario's own."""

    scenario: str
    #: Of each node; with several, trips are spread over them.
    gateway_urls: list[str]
    api_url: str
    key: str
    options: dict[str, Any]
    part: int
    parts: int
    #: Of one run; what it opens bears it in its name.
    run: str

    def share(self, whole: int) -> int:
        """This process's part of a number of things."""
        return whole // self.parts + (self.part < whole % self.parts)


class Go(Line, tag="go"):
    """Begin at that moment of the machine's monotonic clock."""

    at_s: float


class Stop(Line, tag="stop"):
    """Begin nothing more; wait for what is under way."""


class Doing(Line, tag="doing"):
    """What it does that takes time, and how far it is with that: nothing of it is measured."""

    what: str
    share: float


class Ready(Line, tag="ready"):
    """It can begin."""


class Second(Line, tag="second"):
    """What happened in one second of the load: counts by name, and times by name, in buckets."""

    index: int
    took_s: float
    counts: dict[str, int]
    times: dict[str, dict[int, int]]


class Finished(Line, tag="finished"):
    """It has done all there was to do, before it was told to stop."""


class Done(Line, tag="done"):
    """How it went: violations by kind, the first ones' places, how near its limit it was."""

    violations: dict[str, int]
    examples: list[str]
    cpu_share: float
    lag_times: dict[int, int]


class Failed(Line, tag="failed"):
    """It cannot go on, and why."""

    why: str


ToLoad = Plan | Go | Stop
FromLoad = Doing | Ready | Second | Finished | Done | Failed

encode = msgspec.json.Encoder().encode
to_load: msgspec.json.Decoder[ToLoad] = msgspec.json.Decoder(ToLoad)
from_load: msgspec.json.Decoder[FromLoad] = msgspec.json.Decoder(FromLoad)
