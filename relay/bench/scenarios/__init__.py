"""The scenarios, by name."""

from __future__ import annotations

from typing import Final

from ..load import Load
from .churn import Churn
from .closed import ClosedLoop
from .day import RideDay
from .idle import Idle
from .open import OpenLoop
from .peers import SocketIo, Starlette
from .storm import Storm

SCENARIOS: Final[dict[str, type[Load]]] = {
    "closed": ClosedLoop,
    "open": OpenLoop,
    "storm": Storm,
    "churn": Churn,
    "idle": Idle,
    "day": RideDay,
    "closed on socketio": SocketIo,
    "closed on starlette": Starlette,
}
