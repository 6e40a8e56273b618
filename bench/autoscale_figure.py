"""The figure of a simulated day: two charts over the same hours, as one SVG.

Plain text and arithmetic. The SVG has a light and a dark theme, and a title for screen readers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import log10

WIDTH, LEFT, RIGHT = 760, 56, 24
TOP, HIGH, GAP = 64, 176, 72
STYLE = """
  svg { color-scheme: light dark }
  text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif }
  .ground { fill: #ffffff } text { fill: #575c65 } .strong { fill: #17181b; font-weight: 600 }
  .grid { stroke: #e1e3e6 } .axis { stroke: #858a93 } .sale { fill: #eeeff1 }
  .line { fill: none; stroke-width: 2; stroke-linejoin: round }
  .needed { stroke: #858a93; stroke-dasharray: 2 4 } .first { stroke: #b4540a }
  .second { stroke: #3b4cca } .target { stroke: #17181b; stroke-width: 1; stroke-dasharray: 6 4 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #191a1d } text { fill: #a9aeb8 } .strong { fill: #f3f4f6 }
    .grid { stroke: #2f3136 } .axis { stroke: #777c86 } .sale { fill: #232529 }
    .needed { stroke: #777c86 } .first { stroke: #f0a35c } .second { stroke: #8c99ff }
    .target { stroke: #f3f4f6 }
  }"""


@dataclass(frozen=True, slots=True)
class Line:
    """One curve. kind: its CSS class; points: (hour, value); steps: whether to draw steps."""

    kind: str
    name: str
    points: Sequence[tuple[float, float]]
    steps: bool = False


@dataclass(frozen=True, slots=True)
class Frame:
    """One chart's place and its scale from values to pixels."""

    top: float
    low: float
    high: float
    is_log: bool = False

    def x(self, hour: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * hour / 24

    def y(self, value: float) -> float:
        low, high, at = self.low, self.high, min(max(value, self.low), self.high)
        if self.is_log:
            low, high, at = log10(low), log10(high), log10(at)
        return self.top + HIGH * (1 - (at - low) / (high - low))


def draw(
    *,
    workers: Sequence[Line],
    waits: Sequence[Line],
    target_s: float,
    sale_h: tuple[float, float],
) -> str:
    """The whole SVG: workers above, seconds to a picture below on a logarithmic scale."""
    most = max(value for line in workers for _, value in line.points)
    above = Frame(TOP, 0, 5 * (int(most) // 5 + 1))
    slowest = max(value for line in waits for _, value in line.points)
    below = Frame(TOP + HIGH + GAP, 1, 10 ** (int(log10(slowest)) + 1), is_log=True)
    height = below.top + HIGH + 44
    body = [
        *_chart(above, "Workers that are paid for", _ticks(above), sale_h, workers),
        *_chart(below, "95 of 100 have their picture within, s", _ticks(below), sale_h, waits),
        _target(below, target_s),
        *_legend([*workers, Line("target", f"target {target_s:.0f} s", [])]),
        *_hours(below),
        _under(above, sum(sale_h) / 2, "sale"),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}"'
            ' role="img" aria-labelledby="title">',
            '<title id="title">Workers and seconds to a picture over a day with a sale, '
            "for two ways of scaling</title>",
            f"<style>{STYLE}\n</style>",
            f'<rect class="ground" width="{WIDTH}" height="{height:.0f}" rx="8"/>',
            *body,
            "</svg>",
            "",
        ]
    )


def _ticks(frame: Frame) -> list[float]:
    if frame.is_log:
        return [10.0**n for n in range(round(log10(frame.high)) + 1)]
    return [5.0 * n for n in range(round(frame.high / 5) + 1)]


def _chart(
    frame: Frame,
    title: str,
    ticks: Sequence[float],
    sale_h: tuple[float, float],
    lines: Sequence[Line],
) -> list[str]:
    left, right = frame.x(sale_h[0]), frame.x(sale_h[1])
    parts = [
        f'<text class="strong" x="{LEFT}" y="{frame.top - 12:.0f}">{escape(title)}</text>',
        f'<rect class="sale" x="{left:.1f}" y="{frame.top:.0f}" width="{right - left:.1f}"'
        f' height="{HIGH}"/>',
    ]
    for tick in ticks:
        y = frame.y(tick)
        kind = "axis" if tick == ticks[0] else "grid"
        parts.append(
            f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        )
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tick:,.0f}</text>')
    return parts + [_path(frame, line) for line in lines]


def _path(frame: Frame, line: Line) -> str:
    words, before = [], None
    for hour, value in line.points:
        x, y = frame.x(hour), frame.y(value)
        if before is None:
            words.append(f"M{x:.1f} {y:.1f}")
        elif line.steps:
            words.append(f"H{x:.1f}" + (f"V{y:.1f}" if y != before else ""))
        else:
            words.append(f"L{x:.1f} {y:.1f}")
        before = y
    return f'<path class="line {line.kind}" d="{"".join(words)}"/>'


def _target(frame: Frame, target_s: float) -> str:
    y = frame.y(target_s)
    return f'<path class="line target" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'


def _legend(lines: Sequence[Line]) -> list[str]:
    parts, x = [], float(LEFT)
    for line in lines:
        parts.append(f'<path class="line {line.kind}" d="M{x:.0f} 20h24"/>')
        parts.append(f'<text x="{x + 32:.0f}" y="24">{escape(line.name)}</text>')
        x += 32 + 8 * len(line.name) + 24
    return parts


def _hours(frame: Frame) -> list[str]:
    return [_under(frame, hour, f"{hour:02d}:00") for hour in range(0, 25, 4)]


def _under(frame: Frame, hour: float, word: str) -> str:
    at = f'x="{frame.x(hour):.1f}" y="{frame.top + HIGH + 20:.0f}"'
    return f'<text {at} text-anchor="middle">{word}</text>'
