"""Plots as inline SVG, whose colours the page's style gives."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 400, 250
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 30, 36
#: Which multiples of ten are marked on an axis of so many decades at most.
_STEPS = ((0.8, (1, 1.5, 2, 3, 5, 7)), (2.2, (1, 2, 5)), (math.inf, (1,)))


@dataclass(frozen=True)
class Axis:
    """From where to where, and what is written beside it."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]

    def part(self, value: float) -> float:
        """Where a value lies, from 0 to 1."""
        return (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5


def logarithmic(values: Sequence[float], write: Callable[[float], str]) -> Axis:
    """An axis of the logarithms of ``values``, with as many ticks as are read well."""
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max(0.05 * (high - low), 0.02)
    low, high = low - margin, high + margin
    steps = next(steps for wide, steps in _STEPS if high - low < wide)
    ticks = [
        (math.log10(step) + power, write(step * 10.0**power))
        for power in range(math.floor(low), math.ceil(high) + 1)
        for step in steps
    ]
    return Axis(low, high, [tick for tick in ticks if low <= tick[0] <= high])


def plot(title: str, lines: Mapping[str, Points], x: Axis, y: Axis, x_title: str) -> str:
    """A plot with a line for each name; points are in the units of the axes."""
    parts = [
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">',
        f"<title>{escape(title)}</title>",
        *_grid(x, y),
        _text("axis", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 4, x_title),
        *_legend(list(lines)),
    ]
    for name, points in lines.items():
        places = [(_across(x, a), _down(y, b)) for a, b in points]
        parts.append(
            f'<polyline class="line {escape(name)}" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in places)}"/>'
        )
        if len(points) <= 12:
            parts += [f'<circle class="dot {escape(name)}" cx="{a:.1f}" cy="{b:.1f}" r="2.5"/>' for a, b in places]
    return "".join([*parts, "</svg>"])


def _across(axis: Axis, value: float) -> float:
    return LEFT + axis.part(value) * (WIDTH - LEFT - RIGHT)


def _down(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.part(value) * (HEIGHT - TOP - BOTTOM)


def _text(kind: str, x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _grid(x: Axis, y: Axis) -> list[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for value, text in y.ticks:
        place = _down(y, value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{place:.1f}" y2="{place:.1f}"/>')
        parts.append(_text("tick", LEFT - 5, place + 3.5, text, "end"))
    for value, text in x.ticks:
        place = _across(x, value)
        parts.append(f'<line class="grid" x1="{place:.1f}" x2="{place:.1f}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(_text("tick", place, bottom + 13, text))
    return parts


def _legend(names: Sequence[str]) -> list[str]:
    parts, place = [], LEFT
    for name in names:
        parts.append(f'<line class="line {escape(name)}" x1="{place}" x2="{place + 16}" y1="14" y2="14"/>')
        parts.append(_text("legend", place + 21, 18, name, "start"))
        place += 34 + 7 * len(name)
    return parts
