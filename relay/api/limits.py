"""What one trip may ask of a relay."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator of this relay has set for every trip.

    `token_ttl_s` is how long a token lets an app attach; `api_key_lifetime_s` for how long a key
    that was looked up is believed, and so how long a revoked one still works.
    """

    longest_trip_s: int
    longest_retention_s: int
    longest_report_window_s: int
    token_ttl_s: int
    api_key_lifetime_s: float = 2.0
