"""What the relay measures, as Prometheus text: all workers together.

A snapshot is plain data, so that workers can send theirs to each other; labels come from closed
sets. Nothing here can hold an id, a number or a text.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from .gateway.gateway import Gateway
from .ops.watch import Watch

#: A metric's values by its label values, with blanks between; "" where it has no label.
Snapshot = dict[str, dict[str, float]]

_COUNTERS: Final = {
    "accepted": "Messages stored and acknowledged.",
    "delivered": "Messages sent to an attached app, replays included.",
    "unsure": "Posts whose fate was not known when they had to be answered.",
    "deferred": "Messages of apps that waited because others had filled a tick.",
    "attached": "Connections that got their party's seat.",
    "detached": "Connections that gave it up.",
    "receipts": "Receipts from apps.",
    "gaps": "Times a missing message was read from the log.",
    "published": "Batches of hints sent to other nodes.",
    "suspensions": "Times a node stopped delivering because it might not know the store's state.",
    "swept": "Deadlines and retentions done.",
    "cpu_seconds": "Processor time of the workers.",
}
_LABELLED: Final = {
    "refused": ("Posts refused.", "code"),
    "turned_away": ("Connections and attempts to attach that were turned away, by why.", "why"),
    "closed": ("Connections closed by the relay.", "code"),
    "findings": ("What the guard found in posts, by class and what was done.", "class action"),
    "alarms": ("Operators who opened more than is usual, by what.", "kind"),
    "reports": ("Reports taken, repeated ones included.", "category"),
}
_GAUGES: Final = {
    "connections": "Connections open now.",
    "channels": "Channels with a party attached now, summed over the workers.",
    "tasks": "Steps under way in the workers, with those that always are.",
    "memory_bytes": "Resident memory of the workers.",
    "workers": "Workers that answered.",
}


def snapshot_of(gateway: Gateway, watch: Watch) -> Snapshot:
    """What one worker has counted so far."""
    counts, node = gateway.node.counts, gateway.node
    usage = resource.getrusage(resource.RUSAGE_SELF)
    found: Snapshot = {
        name: {"": float(getattr(counts, name))} for name in _COUNTERS if name != "cpu_seconds"
    }
    found["cpu_seconds"] = {"": usage.ru_utime + usage.ru_stime}
    found["refused"] = {str(code): float(n) for code, n in counts.refused.items()}
    found["closed"] = {str(code): float(n) for code, n in counts.closed.items()}
    found["turned_away"] = {why: float(n) for why, n in node.admission.turned_away.items()}
    found["findings"] = {
        f"{kind} {action}": float(n) for (kind, action), n in counts.findings.items()
    }
    found["alarms"] = {kind: float(n) for kind, n in watch.alarms_total.items()}
    found["reports"] = {str(category): float(n) for category, n in counts.reports.items()}
    found["connections"] = {"": float(len(node.connections))}
    found["channels"] = {"": float(len(node.channels))}
    found["tasks"] = {"": float(len(asyncio.all_tasks()))}
    found["memory_bytes"] = {"": float(_resident_bytes())}
    found["workers"] = {"": 1.0}
    return found


def _resident_bytes() -> int:
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:  # not Linux: the peak is the best there is
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def joined(snapshots: Iterable[Mapping[str, Mapping[str, float]]]) -> Snapshot:
    """The sum over workers."""
    total: dict[str, Counter[str]] = {}
    for snapshot in snapshots:
        for name, values in snapshot.items():
            total.setdefault(name, Counter()).update(values)
    return {name: dict(values) for name, values in total.items()}


class _Fixed(Collector):
    def __init__(self, snapshot: Mapping[str, Mapping[str, float]]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"relay_{name}", text, value=self._value(name))
        for name, (text, labels) in _LABELLED.items():
            family = CounterMetricFamily(f"relay_{name}", text, labels=labels.split())
            for values, number in sorted(self._snapshot.get(name, {}).items()):
                family.add_metric(values.split(), number)
            yield family
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"relay_{name}", text, value=self._value(name))

    def _value(self, name: str) -> float:
        return self._snapshot.get(name, {}).get("", 0.0)


def as_text(snapshot: Mapping[str, Mapping[str, float]]) -> bytes:
    """Prometheus exposition format 0.0.4."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Fixed(snapshot))
    return generate_latest(registry)
