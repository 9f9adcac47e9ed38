"""All faults; importing a module declares what is in it."""

from __future__ import annotations

from ..fault import FAULTS
from . import apps, clocks, failovers, networks, relays, stores, subscriptions

__all__ = ["FAULTS", "apps", "clocks", "failovers", "networks", "relays", "stores", "subscriptions"]
