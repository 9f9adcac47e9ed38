"""The figures as people read them: what each is called, in which unit, and which way is better."""

from __future__ import annotations

from typing import Final, NamedTuple


class Shown(NamedTuple):
    """How a figure is shown. `more_is_better` is None where neither is."""

    label: str
    unit: str
    more_is_better: bool | None


_NAMED: Final = {
    "posted_per_s": Shown("messages posted", "/s", None),
    "accepted_per_s": Shown("messages accepted", "/s", True),
    "delivered_per_s": Shown("messages delivered", "/s", True),
    "attached_per_s": Shown("connections attached", "/s", True),
    "open_per_s": Shown("trips opened", "/s", True),
    "end_per_s": Shown("trips ended", "/s", True),
    "reassign_per_s": Shown("drivers reassigned", "/s", True),
    "relay_cpu_us_per_message": Shown("server CPU a message", "µs", False),
    "store_cpu_us_per_message": Shown("store CPU a message", "µs", False),
    "relay_cpu_us_per_message_itself": Shown("server CPU a message, less silence", "µs", False),
    "store_cpu_us_per_message_itself": Shown("store CPU a message, less silence", "µs", False),
    "silent_relay_cpu_share": Shown("server CPU in silence", "cores", False),
    "silent_store_cpu_share": Shown("store CPU in silence", "cores", False),
    "relay_cpu_us_per_attach": Shown("server CPU an attach", "µs", False),
    "store_cpu_us_per_attach": Shown("store CPU an attach", "µs", False),
    "relay_cpu_us_per_trip": Shown("server CPU a trip", "µs", False),
    "store_cpu_us_per_trip": Shown("store CPU a trip", "µs", False),
    "relay_cpu_share": Shown("server CPU", "cores", None),
    "store_cpu_share": Shown("store CPU", "cores", None),
    "relay_rss_mib": Shown("server memory", "MiB", False),
    "store_rss_mib": Shown("store memory", "MiB", False),
    "kib_per_connection": Shown("server memory a connection", "KiB", False),
    "connections": Shown("connections held", "", None),
    "knee_per_s": Shown("knee: last rate within bounds", "/s", True),
}
_TIMED: Final = {
    "delivery": "delivery",
    "rough_delivery": "delivery, bad network",
    "rough_accept": "acceptance, bad network",
    "rough_attach": "attach, bad network",
    "accept": "acceptance",
    "attach": "attach and resume",
    "open": "open by HTTP",
    "end": "end by HTTP",
    "reassign": "reassign by HTTP",
    "cut": "sockets cut after end",
}
_UNITS: Final = {"_per_s": "/s", "_ms": "ms", "_us": "µs", "_kib": "KiB", "_mib": "MiB"}


def shown(name: str) -> Shown:
    """How a figure is shown, whatever its name."""
    if name in _NAMED:
        return _NAMED[name]
    what, _, rest = name.partition("_p")
    if what in _TIMED and rest.endswith("_ms"):
        return Shown(f"{_TIMED[what]} p{_percent(rest[:-3])}", "ms", False)
    for end, unit in _UNITS.items():
        if name.endswith(end):
            label = name[: -len(end)].replace("_", " ")
            return Shown(label, unit, {"/s": None}.get(unit, False))
    return Shown(name.replace("_", " "), "", None)


def _percent(digits: str) -> str:
    return f"{digits[:2]}.{digits[2:]}" if len(digits) > 2 else digits


def number(value: float) -> str:
    """Three digits that matter, and never fewer than there are before the point."""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.2f}"
