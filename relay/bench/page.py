"""A result as one HTML page that needs nothing else: figures, charts, and what to doubt."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from typing import Final

from .figures import number, shown
from .plots import Series, Tick, chart
from .result import Result, Round, Spread
from .table import is_told, verdict_of

_SHARES: Final = (
    (0.5, "50 %"), (0.9, "90 %"), (0.99, "99 %"), (0.999, "99.9 %"), (0.9999, "99.99 %"),
)  # fmt: skip
_LAST: Final = 0.9999
_STYLE: Final = """
:root { color-scheme: light dark; --text: #1c2024; --soft: #60646c; --back: #fcfcfd; --card: #fff;
  --rule: #e0e1e6; --good: #18794e; --bad: #ce2c31; --doubt: #946800;
  --c0: #0b68cb; --c1: #cc4e00; --c2: #218358; --c3: #8e4ec6; --c4: #b0127b; --c5: #7d6600; }
@media (prefers-color-scheme: dark) { :root { --text: #edeef0; --soft: #b0b4ba; --back: #111113;
  --card: #18191b; --rule: #363a3f; --good: #3dd68c; --bad: #ff9592; --doubt: #f5e147;
  --c0: #70b8ff; --c1: #ffa057; --c2: #3dd68c; --c3: #d19dff; --c4: #ff8dcc; --c5: #f5e147; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1360px; padding: 24px 20px 48px; background: var(--back);
  color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 0 0 4px; } h2 { font-size: 17px; margin: 32px 0 10px; }
p { margin: 4px 0; } .soft { color: var(--soft); }
.verdict { border-left: 4px solid var(--good); background: var(--card); padding: 10px 14px;
  margin: 16px 0; }
.verdict.failed { border-color: var(--bad); }
.good { color: var(--good); } .bad { color: var(--bad); font-weight: 600; }
.doubt { color: var(--doubt); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; background: var(--card); }
th, td { padding: 4px 12px; text-align: right; border-bottom: 1px solid var(--rule);
  white-space: nowrap; }
th { font-weight: 600; } th:first-child, td:first-child, .unit { text-align: left; }
.unit { padding-left: 0; }
td small { color: var(--soft); }
.charts { display: grid; gap: 16px;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); }
figure { margin: 0; background: var(--card); border: 1px solid var(--rule); border-radius: 8px;
  padding: 12px 14px; }
figcaption { font-weight: 600; } figcaption small { color: var(--soft); font-weight: 400; }
svg { width: 100%; height: auto; display: block; overflow: visible; }
svg text { fill: var(--soft); font: 12px system-ui, sans-serif; }
@media (max-width: 520px) { svg text { font-size: 16px; } }
.x, .axis { text-anchor: middle; } .y { text-anchor: end; }
.grid path { stroke: var(--rule); }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.line.dashed { stroke-dasharray: 6 4; }
.bound { stroke: var(--bad); stroke-dasharray: 2 4; fill: none; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; color: var(--soft); font-size: 13px; }
.key::before { content: ""; display: inline-block; width: 18px; margin-right: 6px;
  vertical-align: middle; border-top: 3px solid currentColor; }
.key.dashed::before { border-top-style: dashed; }
.key.bound::before { color: var(--bad); border-top-style: dotted; }
""" + "".join(
    f".line.c{n} {{ stroke: var(--c{n}); }} .dot.c{n} {{ fill: var(--c{n}); }} "
    f".key.c{n}::before {{ color: var(--c{n}); }}\n"
    for n in range(6)
)


def page_of(result: Result) -> str:
    """The whole page."""
    options = " · ".join(_option(name, value) for name, value in result.options.items())
    machine = " · ".join(
        {"cores": f"{value} cores", "python": f"Python {value}"}.get(name, str(value))
        for name, value in result.machine.items()
    )
    charts = "".join(_charts(result))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>relay bench {escape(result.scenario)}</title><style>{_STYLE}</style></head><body>"
        f"<h1>relay bench {escape(result.scenario)}</h1>"
        f'<p>{escape(options)}</p><p class="soft">{escape(result.at)} · {escape(machine)}</p>'
        f'<div class="verdict{"" if result.ok else " failed"}">{"".join(_verdict(result))}</div>'
        f"{_steps(result)}<h2>Figures</h2>{_figures(result)}"
        f'<h2>Charts</h2>{_which(result)}<div class="charts">{charts}</div></body></html>\n'
    )


def _option(name: str, value: object) -> str:
    """`warm_up_s` and 2 as a person reads it: warm up 2 s."""
    words = name.split("_")
    unit = f" {words.pop()}" if words[-1] in ("s", "ms") else ""
    return f"{' '.join(words)} {value}{unit}"


def _verdict(result: Result) -> Iterator[str]:
    kinds = {"bold red": "bad", "red": "bad", "green": "good", "yellow": "doubt", "dim": "soft"}
    for line in verdict_of(result):
        yield f'<p class="{kinds[str(line.style)]}">{escape(line.plain)}</p>'


def _figures(result: Result) -> str:
    peers = [name for name in result.targets if name != "relay"]
    ratios = {(ratio.peer, ratio.figure): ratio.spread for ratio in result.ratios}
    headings = [*result.targets, "", *(f"relay / {peer}" for peer in peers)]
    rows = ["".join(f"<th>{escape(text)}</th>" for text in ("", *headings))]
    names = dict.fromkeys(n for one in result.targets.values() for n in one.summary)
    for name in filter(is_told, names):
        cells = [escape(shown(name).label)]
        cells += [_cell(one.summary.get(name)) for one in result.targets.values()]
        units = f'<td class="unit"><small>{escape(shown(name).unit)}</small></td>'
        compared = [_cell(ratios.get((peer, name))) for peer in peers]
        rows.append(f"{_data(cells)}{units}{_data(compared)}")
    return f'<div class="wide"><table>{"".join(f"<tr>{row}</tr>" for row in rows)}</table></div>'


def _data(cells: list[str]) -> str:
    return "".join(f"<td>{cell}</td>" for cell in cells)


def _cell(found: Spread | None) -> str:
    if found is None:
        return "<small>-</small>"
    if found.least == found.most:
        return number(found.median)
    spread = f"{number(found.least)} … {number(found.most)}"
    return f"{number(found.median)} <small>({spread})</small>"


def _steps(result: Result) -> str:
    """The rates of a ramp, and why the last one was the last."""
    if not result.steps:
        return ""
    rates = [float(step.rate) for step in result.steps]

    def of(figure: str) -> list[tuple[float, float]]:
        found = zip(rates, result.steps, strict=True)
        return [(rate, step.figures[figure]) for rate, step in found if figure in step.figures]

    ticks = [Tick(rate, number(rate)) for rate in rates[:: max(1, len(rates) // 6)]]
    latency = chart(
        "Delivery by rate",
        [Series("p99", of("delivery_p99_ms")), Series("p50", of("delivery_p50_ms"), True)],
        x_label="messages a second", y_label="ms", x_ticks=ticks, bound=result.options["p99_ms"],
    )  # fmt: skip
    carried = chart(
        "Carried by rate",
        [Series("delivered", of("delivered_per_s")), Series("meant", of("posted_per_s"), True)],
        x_label="messages a second", y_label="messages/s", x_ticks=ticks,
    )  # fmt: skip
    return f'<h2>Ramp</h2><div class="charts">{latency}{carried}</div>'


def _which(result: Result) -> str:
    """What has to be known of the charts' lines."""
    told = []
    if result.steps:
        within = [step.rate for step in result.steps if not step.broke]
        which = f"the last rate within bounds, {within[-1]:,}/s" if within else "the first rate"
        told.append(f"Figures and charts are of {which}.")
    if warm_up_s := result.options.get("warm_up_s"):
        first = "The first second is" if warm_up_s == 1 else f"The first {warm_up_s} seconds are"
        told.append(f"{first} the warm-up, which no figure counts.")
    if any(len(target.rounds) > 1 for target in result.targets.values()):
        told.append("Each target by its median round.")
    return f'<p class="soft">{" ".join(told)}</p>' if told else ""


def _median_round(rounds: list[Round]) -> Round:
    by_speed = sorted(rounds, key=lambda one: one.figures.get("delivered_per_s", 0.0))
    return by_speed[len(by_speed) // 2]


def _charts(result: Result) -> Iterator[str]:
    """Several targets have a colour each; one has a colour for each line."""
    rounds = [(name, _median_round(target.rounds)) for name, target in result.targets.items()]
    seconds = "seconds since the start"
    latencies, rates, quantiles = list[Series](), list[Series](), list[Series]()
    for place, (target, one) in enumerate(rounds):
        colour = place if len(rounds) > 1 else None
        before = f"{target} " if len(rounds) > 1 else ""
        for what in ("p99", "p50"):
            found = [(point.at_s, getattr(point, f"{what}_ms")) for point in one.points]
            known = [(x, y) for x, y in found if y is not None]
            latencies.append(Series(f"{before}{what}", known, what == "p50", colour))
        for what, values in _rates(one).items():
            if colour is None or what == "delivered":
                rates.append(Series(f"{before}{what}", values, what == "accepted", colour))
        below = [(share, ms) for share, ms in one.quantiles if share <= _LAST]
        quantiles.append(Series(target, below, colour=colour))
    yield chart("Delivery over time", latencies, x_label=seconds, y_label="ms")
    yield chart(
        "Delivery by share of messages", quantiles,
        x_label="share of messages that took at most so long", y_label="ms",
        x_of=lambda share: -math.log10(1 - share),
        x_ticks=[Tick(share, label) for share, label in _SHARES],
    )  # fmt: skip
    yield chart("Throughput over time", rates, x_label=seconds, y_label="a second")
    yield chart(
        "Processor time over time", _processes(rounds, "cpu", ("relay", "store", "load")),
        x_label=seconds, y_label="cores",
    )  # fmt: skip
    yield chart(
        "Memory over time", _processes(rounds, "rss_mib", ("relay", "store")),
        x_label=seconds, y_label="MiB",
    )  # fmt: skip


def _processes(
    rounds: list[tuple[str, Round]], attribute: str, processes: tuple[str, ...]
) -> list[Series]:
    """What the processes of each target used; of several targets the load is left out."""
    series = []
    for place, (target, one) in enumerate(rounds):
        for process in processes:
            points = [
                (point.at_s, getattr(point, attribute)[process])
                for point in one.points
                if process in getattr(point, attribute)
            ]
            if len(rounds) == 1:
                series.append(Series(process, points))
            elif process == "relay":
                series.append(Series(target, points, colour=place))
            elif process == "store":
                series.append(Series(f"{target}'s store", points, True, place))
    return series


def _rates(one: Round) -> dict[str, list[tuple[float, float]]]:
    """What happened a second: messages, and whatever else was a matter of this scenario."""
    found = {
        "accepted": [(point.at_s, point.accepted_per_s) for point in one.points],
        "delivered": [(point.at_s, point.delivered_per_s) for point in one.points],
    }
    for name in ("attached", "open", "end"):
        if any(point.rates.get(name) for point in one.points):
            found[shown(f"{name}_per_s").label] = [
                (point.at_s, point.rates.get(name, 0.0)) for point in one.points
            ]
    return {name: points for name, points in found.items() if any(y for _, y in points)}
