"""A small chart as SVG: lines with error bars over a few positions, readable on light and dark pages, without a library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

# Okabe and Ito's colours tell apart for nearly everybody; markers differ too.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_MARKERS = ("circle", "square", "diamond", "triangle", "cross", "ring")
_WIDTH, _HEIGHT = 800, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 520, 52, 384
_STYLE = (
    "text{font:14px system-ui,sans-serif;fill:#222}.title{font-weight:600;font-size:16px}.small{font-size:12px}"
    ".axis{stroke:#444;fill:none}.grid{stroke:#ddd}.back{fill:#fff}"
    "@media (prefers-color-scheme:dark){text{fill:#eee}.axis{stroke:#bbb}.grid{stroke:#444}.back{fill:#16181c}}"
)


@dataclass(frozen=True)
class Point:
    """A figure with the ends of its interval."""

    y: float
    low: float
    high: float


@dataclass(frozen=True)
class Series:
    """A named line: one point per position."""

    name: str
    points: tuple[Point, ...]


def chart(
    title: str, x_label: str, y_label: str, positions: Sequence[str], series: Sequence[Series], top: float
) -> str:
    """Return the SVG; the y axis runs from 0 to ``top``, ``positions`` are the labels along x. At most six series."""
    return "\n".join(_parts(title, (x_label, y_label), positions, series, top)) + "\n"


def _parts(
    title: str, labels: tuple[str, str], positions: Sequence[str], series: Sequence[Series], top: float
) -> Iterator[str]:
    yield f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-labelledby="title">'
    yield f'<title id="title">{escape(title)}</title><style>{_STYLE}</style>'
    yield f'<rect class="back" width="{_WIDTH}" height="{_HEIGHT}"/>'
    yield f'<text class="title" x="{_LEFT}" y="26">{escape(title)}</text>'
    for step in range(6):
        value = top * step / 5
        y = _y(value, top)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{_RIGHT}"/>'
        yield f'<text class="small" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:.1f}</text>'
    yield f'<path class="axis" d="M{_LEFT} {_TOP}V{_BOTTOM}H{_RIGHT}"/>'
    middle = (_LEFT + _RIGHT) / 2
    yield f'<text x="{middle}" y="{_BOTTOM + 44}" text-anchor="middle">{escape(labels[0])}</text>'
    centre = (_TOP + _BOTTOM) / 2
    yield f'<text transform="translate(20 {centre}) rotate(-90)" text-anchor="middle">{escape(labels[1])}</text>'
    for index, position in enumerate(positions):
        x = _x(index, len(positions))
        yield f'<text x="{x:.1f}" y="{_BOTTOM + 20}" text-anchor="middle">{escape(position)}</text>'
    for index, each in enumerate(series):
        yield from _line(index, each, len(series), top)
    yield "</svg>"


def _line(index: int, series: Series, of: int, top: float) -> Iterator[str]:
    """A line, its points beside those of the others, and its entry in the legend, in the order of the last points."""
    colour = _COLOURS[index]
    shift = (index - (of - 1) / 2) * 7
    at = [(_x(k, len(series.points)) + shift, point) for k, point in enumerate(series.points)]
    path = " ".join(f"{x:.1f},{_y(point.y, top):.1f}" for x, point in at)
    yield f'<g stroke="{colour}" fill="none" stroke-width="1.8"><polyline points="{path}" opacity=".55"/>'
    for x, point in at:
        low, high = _y(point.low, top), _y(point.high, top)
        yield f'<path d="M{x:.1f} {low:.1f}V{high:.1f}M{x - 3:.1f} {low:.1f}h6M{x - 3:.1f} {high:.1f}h6"/>'
        yield _marker(index, x, _y(point.y, top), colour)
    y = _TOP + 14 + 26 * index
    yield f"{_marker(index, _RIGHT + 18, y - 5, colour)}</g>"
    yield f'<text x="{_RIGHT + 30}" y="{y}">{escape(series.name)}</text>'


def _marker(index: int, x: float, y: float, colour: str) -> str:
    match _MARKERS[index]:
        case "circle":
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{colour}"/>'
        case "square":
            return f'<rect x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8" fill="{colour}"/>'
        case "diamond":
            return f'<path d="M{x:.1f} {y - 5.5:.1f}l5.5 5.5l-5.5 5.5l-5.5 -5.5z" fill="{colour}"/>'
        case "triangle":
            return f'<path d="M{x:.1f} {y - 5:.1f}l5 9h-10z" fill="{colour}"/>'
        case "cross":
            return f'<path d="M{x - 4:.1f} {y - 4:.1f}l8 8m0 -8l-8 8"/>'
        case _:
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>'


def _x(index: int, of: int) -> float:
    return _LEFT + (_RIGHT - _LEFT) * (index + 0.5) / of


def _y(value: float, top: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * min(value, top) / top
