"""The scenarios, by name."""

from __future__ import annotations

from typing import Final

from ..load import Load
from .closed import ClosedLoop

SCENARIOS: Final[dict[str, type[Load]]] = {
    "closed": ClosedLoop,
}
