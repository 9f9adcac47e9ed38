"""Line charts as inline SVG. Colours come from the page's style, for light and for dark.

Dashed lines are drawn over the others: where two are the same, both are seen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape
from typing import Final, NamedTuple

from .figures import number

_WIDTH, _HEIGHT = 640, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 30, 14, 40
#: The width of a character in the largest type that the style has for an axis.
_CHARACTER: Final = 9
#: The style has so many colours.
COLOURS: Final = 6
_TICKS: Final = 5
_DOTS_UP_TO: Final = 30


class Series(NamedTuple):
    """A line: its name, its points, whether it is dashed, and its colour if it is not the next."""

    name: str
    points: Sequence[tuple[float, float]]
    is_dashed: bool = False
    colour: int | None = None

    def style(self, place: int) -> str:
        """The classes of the line if it is the one at that place."""
        number = (place if self.colour is None else self.colour) % COLOURS
        return f"c{number} dashed" if self.is_dashed else f"c{number}"


class Tick(NamedTuple):
    at: float
    label: str


def chart(
    title: str,
    series: Sequence[Series],
    *,
    x_label: str,
    y_label: str,
    x_of: Callable[[float], float] = lambda x: x,
    x_ticks: Sequence[Tick] | None = None,
    bound: float | None = None,
) -> str:
    """A chart with a legend; empty if there is nothing to draw. `x_of` bends the x axis; a `bound`
    is drawn across."""
    lines = [one for one in series if one.points]
    if not lines:
        return ""
    xs = [x_of(x) for one in lines for x, _ in one.points]
    ys = [y for one in lines for _, y in one.points] + ([bound] if bound else [])
    left, right = min(xs), max(xs)
    if left == right:
        left, right = left - 0.5, right + 0.5
    y_ticks = nice_ticks(max(ys))
    top = y_ticks[-1]

    def at(x: float, y: float) -> tuple[float, float]:
        across = (x_of(x) - left) / (right - left)
        return (
            round(_LEFT + across * (_WIDTH - _LEFT - _RIGHT), 1),
            round(_HEIGHT - _BOTTOM - y / top * (_HEIGHT - _TOP - _BOTTOM), 1),
        )

    marks = x_ticks if x_ticks is not None else _plain_ticks(lines)
    parts = [f'<g class="grid">{"".join(_across(at, tick, lines) for tick in y_ticks)}</g>']
    free = 0.0
    for tick in marks:
        x, _ = at(tick.at, 0)
        half = len(tick.label) * _CHARACTER / 2
        if x - half < free:
            continue
        free = x + half + _CHARACTER
        parts.append(
            f'<text class="x" x="{x}" y="{_HEIGHT - _BOTTOM + 16}">{escape(tick.label)}</text>'
        )
    if bound:
        _, y = at(lines[0].points[0][0], bound)
        parts.append(f'<path class="bound" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>')
    for index, one in sorted(enumerate(lines), key=lambda indexed: indexed[1].is_dashed):
        places = [at(x, y) for x, y in one.points]
        colour = one.style(index)
        path = "L".join(f"{x} {y}" for x, y in places)
        parts.append(f'<path class="line {colour}" d="M{path}"/>')
        if len(places) <= _DOTS_UP_TO:
            parts += [
                f'<circle class="dot {colour}" cx="{x}" cy="{y}" r="2.5">'
                f"<title>{escape(one.name)}: {number(value)}</title></circle>"
                for (x, y), (_, value) in zip(places, one.points, strict=True)
            ]
    parts.append(
        f'<text class="axis" x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 4}">'
        f"{escape(x_label)}</text>"
    )
    legend = "".join(
        f'<span class="key {one.style(index)}">{escape(one.name)}</span>'
        for index, one in enumerate(lines)
    )
    if bound:
        legend += f'<span class="key bound">at most {number(bound)} {escape(y_label)}</span>'
    return (
        f"<figure><figcaption>{escape(title)} <small>{escape(y_label)}</small></figcaption>"
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">'
        f'{"".join(parts)}</svg><div class="legend">{legend}</div></figure>'
    )


def nice_ticks(most: float) -> list[float]:
    """Round numbers from 0 to at least `most`."""
    if most <= 0:
        return [0.0, 1.0]
    rough = most / (_TICKS - 1)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * part for part in (1, 2, 2.5, 5, 10) if size * part >= rough)
    return [step * index for index in range(math.ceil(most / step - 1e-9) + 1)]


def _plain_ticks(lines: Sequence[Series]) -> list[Tick]:
    last = max(x for one in lines for x, _ in one.points)
    first = min(x for one in lines for x, _ in one.points)
    return [Tick(x, number(x)) for x in nice_ticks(last) if first <= x <= last]


def _across(
    at: Callable[[float, float], tuple[float, float]], value: float, lines: Sequence[Series]
) -> str:
    _, y = at(lines[0].points[0][0], value)
    label = number(value)
    return (
        f'<path d="M{_LEFT} {y}H{_WIDTH - _RIGHT}"/>'
        f'<text class="y" x="{_LEFT - 8}" y="{y + 4}">{label}</text>'
    )
