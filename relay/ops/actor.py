"""Who acts."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal

from ..core.casework import StaffScope


def address_of(host: str) -> str:
    """Where a request came from, if that is an address; a proxy may be told anything."""
    try:
        # Without the zone of an IPv6 address, which may be any text.
        return ip_address(host.partition("%")[0]).compressed
    except ValueError:
        return ""


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, as an act is written down.

    `id` is the operator's, or `host:` and the system user's name for a command on the relay's host,
    or `relay` for what it does by itself. `via` tells how: a console session, a personal API key,
    a host command. `address` is where from, as far as the relay can see.
    """

    id: str
    scope: StaffScope
    via: Literal["console", "key", "host", "relay"]
    address: str = ""

    @property
    def is_supervisor(self) -> bool:
        return self.scope is StaffScope.SUPERVISOR
