"""Who is let in, of all that want to come in to one process.

A phone that reconnects in a loop, a guesser of tokens, a fleet that comes back all at once: what
they may cost is bounded here, before anything is asked of the store. Whoever is turned away is told
when to come again, and each is told another time: as many a second as are let in a second.

Many phones share an address (carriers put thousands behind one), so the bounds for an address are
wide. Behind a balancer all would have the balancer's, so only addresses that tell apps apart count:
public ones, and what a proxy tells that is trusted (`trusted_proxies`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple, TypeAlias

from ..core.bucket import Bucket
from ..core.rates import Rates
from .limits import Limits

#: How long an app is sent away at most: it may be alone by then.
_LONGEST_WAIT_S: Final = 60.0
#: From when on there may be room again, where there was none for one more.
_FULL_WAIT_S: Final = 10.0
#: Attempts to attach that one with a token nobody gave out costs its address.
_WRONG_TOKEN_COSTS: Final = 10.0
#: What one owner of IPv6 addresses has at least.
_IPV6_PREFIX: Final = 64
_BALANCERS: Final = 64

_Address: TypeAlias = IPv4Address | IPv6Address
Networks: TypeAlias = Sequence[IPv4Network | IPv6Network]


class TurnedAway(NamedTuple):
    """Why somebody was not let in, as the metrics name it, and when to come again."""

    why: str
    retry_after_ms: int


class Admission:
    """The book of one process's connections. Times are seconds of one clock."""

    def __init__(self, limits: Limits, now_s: float) -> None:
        self._limits = limits
        self._most_strangers = limits.strangers
        self._trusted = networks(limits.trusted_proxies)
        self._arrivals = Bucket(limits.connections_per_s, limits.connections_burst, now_s)
        self._by_address = Rates(
            limits.address_connections_per_s, 4 * limits.address_connections_per_s
        )
        #: Those of an address that were sent away, each told to come after the one before.
        self._turns = Rates(
            limits.address_connections_per_s, _LONGEST_WAIT_S * limits.address_connections_per_s
        )
        self._by_token = Rates(limits.attaches_per_minute / 60, limits.attaches_per_minute)
        #: Up to when those that were sent away were told to come.
        self._promised_s = now_s
        #: Sockets that nobody has attached on.
        self.strangers = 0
        self._strangers_at: Counter[str] = Counter()
        self.inside = 0
        self._at: Counter[str] = Counter()
        #: How many were turned away, by why.
        self.turned_away: Counter[str] = Counter()

    def address(self, peer: str, forwarded: Sequence[str]) -> str:
        """Under which address a connection counts: `peer` has connected, `forwarded` are the values
        of its X-Forwarded-For. Empty if none tells it apart."""
        here, is_told = _connected(peer), False
        hops = [hop for line in forwarded for hop in line.split(",")]
        while here is not None and any(here in one for one in self._trusted):
            if not hops:
                if not is_told:
                    return ""  # a proxy that does not tell
                break
            here, is_told = _parsed(hops.pop()), True
        if here is None or not (is_told or here.is_global):
            return ""
        if isinstance(here, IPv6Address):
            here = IPv6Address(int(here) >> 128 - _IPV6_PREFIX << 128 - _IPV6_PREFIX)
        return str(here)

    def takes_socket(self, peer: str) -> str | None:
        """Note a socket; give what `is_known` is to be told, or None if there are so many strangers
        that this one must not even be heard."""
        limits, strangers = self._limits, self.strangers + 1
        address = ""
        if strangers > self._most_strangers // 2:
            # It is filling up. One address alone must not fill it: it would shut out all others.
            address = self.address(peer, ())
            if strangers > 2 * self._most_strangers or (
                address and self._strangers_at[address] >= limits.address_strangers
            ):
                self.turned_away["sockets"] += 1
                return None
        self.strangers = strangers
        if address:
            self._strangers_at[address] += 1
        return address

    def is_known(self, address: str) -> None:
        """Note that somebody has attached on a socket, or that it is gone."""
        self.strangers -= 1
        _take_one(self._strangers_at, address)

    def comes(self, address: str, now_s: float) -> TurnedAway | None:
        """Note a connection, or say why it is not to be."""
        limits = self._limits
        if self.inside >= limits.connections:
            return self._away("full", _FULL_WAIT_S)
        if address and self._at[address] >= limits.address_connections:
            return self._away("address", _FULL_WAIT_S)
        if self.strangers > self._most_strangers:
            return self._away("strangers", self._next_turn_s(now_s))
        # First the address: one that comes again and again must not use up what is for all.
        if address and self._by_address.take(address, now_s):
            return self._away("address", self._turns.charge(address, 1.0, now_s))
        if self._arrivals.take(now_s):
            return self._away("rate", self._next_turn_s(now_s))
        self.inside += 1
        if address:
            self._at[address] += 1
        return None

    def _away(self, why: str, wait_s: float) -> TurnedAway:
        self.turned_away[why] += 1
        # Later rather than earlier, and not in step.
        return TurnedAway(why, int(wait_s * 1000 * random.uniform(1.0, 1.3)) + 1)

    def _next_turn_s(self, now_s: float) -> float:
        """How long to wait so that those who were sent away come one after the other."""
        latest_s = now_s + _LONGEST_WAIT_S
        earliest_s = max(self._promised_s, now_s) + 1 / self._limits.connections_per_s
        self._promised_s = min(earliest_s, latest_s)
        return self._promised_s - now_s

    def attempts(self, digest: str, now_s: float) -> TurnedAway | None:
        """Note that somebody shows a token, or say why it is not looked at."""
        wait_s = self._by_token.take(digest, now_s)
        return self._away("attempts", wait_s) if wait_s else None

    def wrong_token(self, address: str, now_s: float) -> None:
        """Note a token that nobody gave out."""
        if address:
            self._by_address.charge(address, _WRONG_TOKEN_COSTS, now_s)

    def leaves(self, address: str) -> None:
        """Note that a connection is gone that was let in."""
        self.inside -= 1
        _take_one(self._at, address)


def _take_one(counts: Counter[str], address: str) -> None:
    if address:
        counts[address] -= 1
        if not counts[address]:
            del counts[address]


def networks(text: str) -> Networks:
    """Addresses and networks with commas between. Raises `ValueError`."""
    return [ip_network(one.strip()) for one in text.split(",") if one.strip()]


@lru_cache(_BALANCERS)
def _connected(peer: str) -> _Address | None:
    """The address of a socket's other end; behind balancers these are the same few."""
    return _parsed(peer)


def _parsed(text: str) -> _Address | None:
    text = text.strip().partition("%")[0]
    if text.startswith("[") or text.count(":") == 1:
        # Some proxies name the port, too.
        text = text[1:].partition("]")[0] if text.startswith("[") else text.partition(":")[0]
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
