"""What one trip, and one caller, may ask of a relay."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator of this relay has set for every trip.

    `token_ttl_s` is how long a token lets an app attach; `api_key_lifetime_s` for how long a key
    that was looked up is believed, and so how long a revoked one still works. The last four are for
    one node: calls with a key of the platform's and with any other, keys from an address that turn
    out to be none, and calls that are being answered.
    """

    longest_trip_s: int
    longest_retention_s: int
    longest_report_window_s: int
    token_ttl_s: int
    api_key_lifetime_s: float = 2.0
    calls_per_s: float = 1000.0
    staff_calls_per_s: float = 50.0
    unknown_keys_per_s: float = 20.0
    calls_at_a_time: int = 256
