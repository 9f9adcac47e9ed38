"""What one app may ask of a node, and all of them together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

#: From the handshake to the first frame.
ATTACH_TIMEOUT_S = 5.0
#: A connection for reports only, from the handshake to its end. It has no seat that another takes.
REPORTING_TIMEOUT_S = 600.0
#: Output that an app does not read, before it is cut off.
MAX_UNREAD_BYTES = 256 * 1024
#: WebSocket frames of any kind in a second, beyond what an app may say; a flood stalls all others.
MAX_FRAMES_PER_S = 5000
#: What the kernel may hold of it besides, for one connection; left alone it grows to megabytes.
SEND_BUFFER_BYTES = 64 * 1024
#: From our close frame to the end of the connection.
CLOSE_TIMEOUT_S = 2.0
#: What a worker opens besides apps' connections: to the store, of the API's callers, its own.
OTHER_FILES = 512
#: Connections on which nobody has attached yet: at least so many, and of more than a few hundred
#: connections no more than this part.
_FEWEST_STRANGERS: Final = 64
_STRANGERS_ARE: Final = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """Settings of the gateway that bound apps; those of connections are for one worker. Bursts are
    four seconds' worth, but for that of connections, which is one second's."""

    ping_s: float = 25.0
    pong_timeout_s: float = 10.0
    text_bytes: int = 2000
    posts_per_s: float = 5.0
    frames_per_s: float = 50.0
    in_flight: int = 16
    channel_messages: int = 2000
    connections: int = 50_000
    connections_per_s: float = 500.0
    address_connections: int = 2000
    address_connections_per_s: float = 50.0
    attaches_per_minute: int = 60
    #: Addresses and networks of proxies whose word counts for where a connection comes from.
    trusted_proxies: str = ""
    #: How long what a party reports is kept.
    evidence_retention_s: int = 180 * 86400

    @property
    def connections_burst(self) -> float:
        return max(1.0, self.connections_per_s)

    @property
    def strangers(self) -> int:
        """Connections on which nobody has attached yet: as many as come in the time they have, and
        hardly more than a quarter of all there may be. Of sockets there may be twice as many."""
        most = max(_FEWEST_STRANGERS, self.connections // _STRANGERS_ARE)
        return max(16, min(self._come, most))

    @property
    def _come(self) -> int:
        return int(self.connections_per_s * ATTACH_TIMEOUT_S)

    @property
    def sockets(self) -> int:
        """How many there may be of all."""
        return self.connections + 2 * self.strangers

    def with_sockets(self, most: int) -> Limits:
        """These, or with as many connections as fit where there may be fewer sockets."""
        if self.sockets <= most:
            return self
        # What is left beside the strangers, of whom there are as many as come, or their part.
        part = min(most - 2 * _FEWEST_STRANGERS, most * _STRANGERS_ARE // (_STRANGERS_ARE + 2))
        fitting = min(most - 32, max(most - 2 * self._come, part))
        return replace(self, connections=max(16, fitting))

    @property
    def address_strangers(self) -> int:
        """Those of one address, once half of all there may be are here."""
        return max(16, int(self.address_connections_per_s * ATTACH_TIMEOUT_S))

    @property
    def posts_burst(self) -> float:
        return max(1.0, self.posts_per_s * 4)

    @property
    def frames_burst(self) -> float:
        return max(1.0, self.frames_per_s * 4)
