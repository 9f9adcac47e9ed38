"""A run as one HTML page without a script: a table, what was wrong, and a picture of each arena.

Pure. In a picture time goes to the right: how much was posted, accepted and delivered in each tenth
of a second, with a band for each fault, from its begin until it is mended, and a paler one until
everybody is served again. What was accepted is drawn over what was posted and broader than what was
delivered, so that each is seen where they are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from .account import Wrong
from .run import Outcome, Played
from .timeline import BIN_S, Timeline

_PX_PER_S: Final = 24
_HEIGHT: Final = 150
_TOP: Final = 46
_LEFT: Final = 34
_ROWS: Final = 3

_STYLE: Final = """
:root { --ink: #1c2430; --paper: #fff; --faint: #8893a3; --rule: #dde2ea; --bad: #b3261e;
  --good: #11823b;
  --posted: #c6ccd6; --accepted: #8fbcf5; --delivered: #0d4f9e; --fault: #d9480f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e3e8f0; --paper: #14181f; --faint: #7d8897;
  --rule: #2b323d; --bad: #ff8a80; --good: #57c785; --posted: #4a5361; --accepted: #2f62a8;
  --delivered: #a9cdff; --fault: #ff9a5c; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 2rem auto; max-width: 74rem; padding: 0 1rem; }
h1 { font-size: 1.5rem } h2 { font-size: 1.1rem; margin-top: 2.2rem }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .2rem .5rem; border-bottom: 1px solid var(--rule); text-align: right;
  white-space: nowrap }
th:first-child, td:first-child, th:nth-child(2), td:nth-child(2) { text-align: left }
.bad { color: var(--bad); font-weight: 600 } .soft, .none { color: var(--faint) }
.verdict { border-left: 4px solid var(--good); padding: .3rem .9rem }
.verdict.bad { border-color: var(--bad) }
svg text { font: 11px system-ui, sans-serif; fill: var(--ink) }
svg .axis { stroke: var(--rule) } svg .tick { fill: var(--faint) }
svg { display: block }
svg .line { fill: none; stroke-linejoin: round } .posted { fill: var(--posted); opacity: .75 }
.accepted { stroke: var(--accepted); stroke-width: 4 }
.delivered { stroke: var(--delivered); stroke-width: 1.25 }
.fault { fill: var(--fault); opacity: .28 } .mending { fill: var(--fault); opacity: .1 }
.key span { margin-right: 1.2rem; white-space: nowrap }
.key i { display: inline-block; width: 1.1rem; height: .6rem; margin-right: .4rem }
"""


def page(seed: int, phases: Sequence[Played], missed: Sequence[str]) -> str:
    """The whole page. `missed` are faults for which there was no time."""
    return "\n".join(_lines(seed, phases, missed))


def _lines(seed: int, phases: Sequence[Played], missed: Sequence[str]) -> Iterator[str]:
    wrong = sum(len(phase.violations) for phase in phases)
    yield "<!doctype html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>Fault run {seed}</title><style>{_STYLE}</style></head><body>"
    yield f"<h1>Fault run, seed {seed}</h1>"
    if wrong:
        yield (
            f'<p class="verdict bad">{wrong} violation{"" if wrong == 1 else "s"}, named below the '
            "pictures.</p>"
        )
    else:
        yield (
            '<p class="verdict">Nothing was lost, doubled, misordered, late, stuck or shown to '
            "another than the peer.</p>"
        )
    yield from _table([one for phase in phases for one in phase.outcomes])
    yield (
        "<p class=\"soft\">Messages count from a fault's begin to the next one's. What the columns "
        "mean is told in deploy/OPERATIONS.md, &ldquo;Letting it fail on purpose&rdquo;."
    )
    if missed:
        yield f"<br>There was no time for {escape(', '.join(missed))}."
    yield "</p>"
    yield (
        '<p class="key"><span><i style="background:var(--posted)"></i>posted</span>'
        '<span><i style="background:var(--accepted)"></i>accepted</span>'
        '<span><i style="background:var(--delivered)"></i>delivered, each per 0.1 s</span>'
        '<span><i style="background:var(--fault);opacity:.4"></i>a fault lasts</span>'
        '<span><i style="background:var(--fault);opacity:.15"></i>until all are served again'
        "</span></p>"
    )
    for phase in phases:
        yield f"<h2>{escape(phase.arena)}</h2>"
        yield f'<div class="scroll">{"".join(_picture(phase))}</div>'
        if phase.violations:
            yield "<ul>"
            for one in phase.violations:
                at_s = one.at_s - phase.timeline.began_s
                yield f'<li class="bad">{one.wrong} at {at_s:.1f} s: {escape(one.text)}</li>'
            yield "</ul>"
    yield "</body></html>"


def _table(outcomes: Sequence[Outcome]) -> Iterator[str]:
    names = ("fault", "where", "posted", "accepted", "delivered", *Wrong, "lasted", "recovery")
    yield '<div class="scroll"><table><tr>'
    yield "".join(f"<th>{escape(str(name))}</th>" for name in names)
    yield "</tr>"
    for one in outcomes:
        counts = (one.posted, one.accepted, one.delivered)
        wrongs = "".join(
            f'<td class="{"bad" if one.wrong[kind] else "none"}">{one.wrong[kind]}</td>'
            for kind in Wrong
        )
        recovery = "never" if one.recovered_s is None else f"{one.recovered_s:.1f} s"
        yield (
            f"<tr><td>{escape(one.fault)}</td><td>{escape(one.arena)}</td>"
            + "".join(f"<td>{count:,}</td>" for count in counts)
            + f"{wrongs}<td>{one.mended_s - one.began_s:.1f} s</td><td>{recovery}</td></tr>"
        )
    yield "</table></div>"


def _picture(phase: Played) -> Iterator[str]:
    timeline = phase.timeline
    length_s = len(timeline.posted) * BIN_S
    width = int(_LEFT + length_s * _PX_PER_S + 10)
    most = max(1, *timeline.posted, *timeline.accepted, *timeline.delivered)
    bottom = _TOP + _HEIGHT
    yield (
        f'<svg width="{width}" height="{bottom + 22}" role="img" '
        f'aria-label="posted, accepted and delivered over time: {escape(phase.arena)}">'
    )
    for outcome in phase.outcomes:
        yield from _band(timeline, outcome)
    yield f'<line class="axis" x1="{_LEFT}" y1="{bottom}" x2="{width}" y2="{bottom}"/>'
    yield f'<text class="tick" x="0" y="{_TOP + 8}">{most}</text>'
    yield f'<text class="tick" x="0" y="{bottom}">0</text>'
    for at_s in range(0, int(length_s) + 1, 5):
        x = _LEFT + at_s * _PX_PER_S
        yield f'<text class="tick" x="{x}" y="{bottom + 15}">{at_s} s</text>'
    for name in ("posted", "accepted", "delivered"):
        counts: list[int] = getattr(timeline, name)
        points = " ".join(
            f"{_LEFT + (index + 0.5) * BIN_S * _PX_PER_S:.1f},{bottom - count * _HEIGHT / most:.1f}"
            for index, count in enumerate(counts)
        )
        if name == "posted":
            yield (
                f'<polygon class="posted" points="{_LEFT},{bottom} {points} '
                f'{_LEFT + length_s * _PX_PER_S:.1f},{bottom}"/>'
            )
        else:
            yield f'<polyline class="line {name}" points="{points}"/>'
    for number, outcome in enumerate(phase.outcomes):
        left, y = _x(timeline, outcome.began_s), 12 + number % _ROWS * 13
        yield f'<text x="{left:.1f}" y="{y}">{escape(outcome.fault)}</text>'
    yield "</svg>"


def _band(timeline: Timeline, outcome: Outcome) -> Iterator[str]:
    began, mended = (_x(timeline, at_s) for at_s in (outcome.began_s, outcome.mended_s))
    served = _x(timeline, outcome.mended_s + (outcome.recovered_s or 0.0))
    for kind, left, right in (("fault", began, mended), ("mending", mended, served)):
        yield (
            f'<rect class="{kind}" x="{left:.1f}" y="{_TOP}" width="{max(1.0, right - left):.1f}" '
            f'height="{_HEIGHT}"><title>{escape(outcome.fault)}</title></rect>'
        )


def _x(timeline: Timeline, at_s: float) -> float:
    return _LEFT + (at_s - timeline.began_s) * _PX_PER_S
