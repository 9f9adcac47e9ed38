"""Networks that are cut, silent or slow for a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ...rig.proxy import Proxy


@contextmanager
def cut(tunnel: Proxy) -> Iterator[None]:
    """Every connection ends, and there are no new ones."""
    tunnel.is_shut = True
    tunnel.cut()
    try:
        yield
    finally:
        tunnel.is_shut = False


@contextmanager
def silent(tunnel: Proxy, *, there: bool = True, back: bool = True) -> Iterator[None]:
    """Nothing goes through, in one direction or both, and nothing is closed."""
    tunnel.hold(there=there, back=back)
    try:
        yield
    finally:
        tunnel.release()


@contextmanager
def slow(tunnels: list[Proxy], delay_s: float) -> Iterator[None]:
    """Everything takes so much longer in each direction."""
    for tunnel in tunnels:
        tunnel.delay_s = delay_s
    try:
        yield
    finally:
        for tunnel in tunnels:
            tunnel.delay_s = 0.0
