"""Search the baselines' grid on the tuning seeds, then play everybody on the held-out ones, and put intervals on the means."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from bench.plot import Point
from bench.policies import baselines
from bench.policies.ours import PredictiveEscrow
from bench.policies.replay import Builder, Outcome, play
from bench.policies.trace import Trace

OURS = "predictive escrow (ours)"
COUNTER = "bounded counter"
STRONGER = "bounded counter, strengthened"
RESAMPLES = 4000


@dataclass(frozen=True)
class Contender:
    """One way of sharing, at its best grid point (``setting`` in words)."""

    name: str
    build: Builder
    setting: str = "none"


@dataclass(frozen=True)
class Result:
    """A contender's outcomes over the same traces as everybody's."""

    contender: Contender
    outcomes: tuple[Outcome, ...]

    @property
    def ratio(self) -> Point:
        """Mean of sold/feasible with its 95 % interval."""
        return interval([each.ratio for each in self.outcomes])

    def mean(self, figure: Callable[[Outcome], int]) -> float:
        """Mean of a figure of the outcomes."""
        return fmean(figure(each) for each in self.outcomes)


def contenders(tuning: Sequence[Trace]) -> list[Contender]:
    """Everybody, those with free parameters at what sells most of the ``tuning`` traces."""
    as_published = [each for each in baselines.GRID if each.gives == 0.5 and not each.retries]
    return [
        Contender(OURS, PredictiveEscrow, "the constants of the code"),
        _best(STRONGER, baselines.GRID, tuning),
        _best(COUNTER, as_published, tuning),
        *(Contender(name, build) for name, build in baselines.WITHOUT_PARAMETERS.items()),
    ]


def _best(name: str, grid: Iterable[baselines.CounterOptions], tuning: Sequence[Trace]) -> Contender:
    def sold(options: baselines.CounterOptions) -> float:
        return fmean(play(each, baselines.counter(options)).ratio for each in tuning)

    best = max(grid, key=sold)
    words = (
        f"gives {best.gives:.0%}, asks up to {best.donors}, "
        f"{'serves the party that failed' if best.retries else 'the party that failed leaves'}, rests {best.rests:.0f} min"
    )
    return Contender(name, baselines.counter(best), words)


def results(everybody: Iterable[Contender], traces: Sequence[Trace]) -> list[Result]:
    """Play all on the same traces."""
    return [Result(each, tuple(play(trace, each.build) for trace in traces)) for each in everybody]


def paired(ours: Result, other: Result) -> Point:
    """Ours over the other, seed by seed: the mean of the ratios with its 95 % interval."""
    return interval([mine.ratio / its.ratio for mine, its in zip(ours.outcomes, other.outcomes, strict=True)])


def interval(values: Sequence[float]) -> Point:
    """Mean and the 95 % percentile bootstrap interval; resampling is seeded, so the same values give the same interval."""
    rng = random.Random("marquee bootstrap")
    means = sorted(fmean(rng.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return Point(fmean(values), means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1])
