"""One worker: builds the parts, opens them in order, closes them in reverse."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
import uvicorn

from . import api
from .gateway.gateway import Gateway
from .gateway.limits import Limits
from .keyfile import KeyFile, LiveRing
from .metrics import Snapshot, snapshot_of
from .settings import Settings
from .store.endpoint import Endpoint
from .store.pipe import Pipe
from .store.store import Store

log = structlog.get_logger(__name__)


class _Server(uvicorn.Server):
    """uvicorn without its signal handling: when the worker ends is the worker's business."""

    def capture_signals(self) -> Any:
        from contextlib import nullcontext

        return nullcontext()
