"""What a worker is started with. Light to import: the process that starts workers serves nobody."""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import Final

from .settings import Settings, address

#: A worker that ends with this cannot start, and starting it again would not help.
CANNOT_START: Final = 3

#: The longest line between a relay and its workers: the metrics of all of them.
MAX_LINE_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Order:
    """What a worker is started with; it comes over standard input, because it holds secrets."""

    settings: Settings
    store_url: str
    ring_path: str | None

    def to_json(self) -> bytes:
        fields = {name: getattr(self.settings, name) for name in Settings.__slots__}
        return json.dumps([fields, self.store_url, self.ring_path]).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Order:
        fields, store_url, ring_path = json.loads(text)
        return cls(Settings(**fields), store_url, ring_path)


def bound(where: str, name: str, *, shared: bool) -> socket.socket:
    """A socket bound to HOST:PORT. `shared` ones of several processes take turns (SO_REUSEPORT)."""
    host, port = address(where, name)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    found = socket.socket(family, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        found.bind((host, port))
    except OSError:
        found.close()
        raise
    return found
