"""Charts of the last hours as plain SVG shapes: pure geometry, no script needed to see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mqtt_bridge.cloud.samples import Sample
from mqtt_bridge.protocol.moments import HOUR_MS

WIDTH, HEIGHT = 1000, 200
SPANS_H = (1, 6, 24)
# From bottom to top, in the words and colours of the bars.
STACK = ("sold", "held", "free", "pool")


@dataclass(frozen=True)
class Area:
    """A filled shape: ``points`` as SVG wants them, ``kind`` the colour's class."""

    kind: str
    points: str


@dataclass(frozen=True)
class Chart:
    """Shapes in a box of ``WIDTH`` x ``HEIGHT``; ``top`` is the value of the upper edge, ``times_ms`` stand below evenly.

    ``gaps`` are (x, width) where the link was down. ``words`` says the same for those who do not see it. ``empty``: nothing was
    recorded yet.
    """

    areas: tuple[Area, ...]
    gaps: tuple[tuple[int, int], ...]
    top: int
    times_ms: tuple[int, int, int]
    words: str
    empty: bool = False


def fitting_span_h(oldest_ms: int | None, now_ms: int) -> int:
    """Return the shortest span that shows everything recorded, the longest one if none does."""
    age_ms = 0 if oldest_ms is None else now_ms - oldest_ms
    return next((each for each in SPANS_H if age_ms <= each * HOUR_MS), SPANS_H[-1])


def stock_chart(samples: Sequence[Sample], since_ms: int, until_ms: int) -> Chart:
    """Stack what was sold, held, free and in the pool over time."""
    return _chart(samples, since_ms, until_ms, STACK, _stock_words)


def backlog_chart(samples: Sequence[Sample], since_ms: int, until_ms: int) -> Chart:
    """Draw the messages a device had not synced, and when its link was down."""
    return _chart(samples, since_ms, until_ms, ("unsynced",), _backlog_words)


def _chart(
    samples: Sequence[Sample],
    since_ms: int,
    until_ms: int,
    kinds: tuple[str, ...],
    words: Callable[[Sequence[Sample]], str],
) -> Chart:
    times_ms = (since_ms, (since_ms + until_ms) // 2, until_ms)
    if not samples:
        return Chart((), (), 1, times_ms, "nothing recorded yet", empty=True)
    scale = _Scale(since_ms, until_ms, max(1, *(sum(_value(each, kind) for kind in kinds) for each in samples)))
    areas: list[Area] = []
    below = [0] * len(samples)
    for kind in kinds:
        above = [base + _value(each, kind) for base, each in zip(below, samples, strict=True)]
        if above != below:
            areas.append(Area(kind, scale.area(samples, below, above)))
        below = above
    return Chart(tuple(areas), scale.gaps(samples), scale.top, times_ms, words(samples))


def _value(sample: Sample, kind: str) -> int:
    return max(0, int(getattr(sample, kind)))


@dataclass(frozen=True)
class _Scale:
    since_ms: int
    until_ms: int
    top: int

    def x(self, at_ms: int) -> int:
        inside = min(max(at_ms, self.since_ms), self.until_ms)
        return (inside - self.since_ms) * WIDTH // max(1, self.until_ms - self.since_ms)

    def y(self, value: int) -> int:
        return HEIGHT - value * HEIGHT // self.top

    def area(self, samples: Sequence[Sample], below: Sequence[int], above: Sequence[int]) -> str:
        """A figure holds until the next sample, so edges are steps: along the top, and back along the bottom."""
        starts = [self.x(each.at_ms) for each in samples]
        ends = [*starts[1:], WIDTH]
        upper = [(x, self.y(v)) for s, e, v in zip(starts, ends, above, strict=True) for x in (s, e)]
        lower = [(x, self.y(v)) for s, e, v in zip(starts, ends, below, strict=True) for x in (s, e)]
        return " ".join(f"{x},{y}" for x, y in [*upper, *reversed(lower)])

    def gaps(self, samples: Sequence[Sample]) -> tuple[tuple[int, int], ...]:
        starts = [self.x(each.at_ms) for each in samples]
        ends = [*starts[1:], WIDTH]
        spans = zip(samples, starts, ends, strict=True)
        return tuple((start, end - start) for each, start, end in spans if not each.up and end > start)


def _stock_words(samples: Sequence[Sample]) -> str:
    first, last = samples[0], samples[-1]
    return (
        f"sold went from {first.sold} to {last.sold}; now {last.held} held, {last.free} free, {last.pool} in the pool"
    )


def _backlog_words(samples: Sequence[Sample]) -> str:
    most = max(each.unsynced for each in samples)
    down = sum(1 for each in samples if not each.up)
    return f"at most {most} messages were waiting, now {samples[-1].unsynced}; the link was seen down {down} times"
