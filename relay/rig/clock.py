"""A wall clock that is wrong: what a Python process takes for the time is shifted from outside.

The process is started with `environment`; its interpreter then runs `sitecustomize`, which puts
another `time.time` and `time.time_ns` in place of the real ones. What measures spans
(`time.monotonic`) stays right, as it does where a clock is set.
"""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path
from typing import Final

_SHIFT: Final = struct.Struct("d")
_SITE: Final = """
import mmap, os, struct, time
with open(os.environ["SHIFTED_CLOCK"], "rb") as file:
    _shift = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
_read, _time_s, _time_ns = struct.Struct("d").unpack_from, time.time, time.time_ns
time.time = lambda: _time_s() + _read(_shift)[0]
time.time_ns = lambda: _time_ns() + int(_read(_shift)[0] * 1e9)
"""


class Clock:
    """That of the processes that are started with its `environment`. It lies in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        (folder / "sitecustomize.py").write_text(_SITE)
        file = folder / "shift"
        file.write_bytes(_SHIFT.pack(0.0))
        with file.open("r+b") as opened:
            self._shift = mmap.mmap(opened.fileno(), 0)
        paths = [str(folder), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.environment = {"SHIFTED_CLOCK": str(file), "PYTHONPATH": os.pathsep.join(paths)}

    def jump(self, to_s: float) -> None:
        """Be wrong by so much from now on."""
        _SHIFT.pack_into(self._shift, 0, to_s)
