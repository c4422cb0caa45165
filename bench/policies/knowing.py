"""What knowing more would give: how much of what ours loses a better guess or plan could win back at most.

Nothing here is a way of sharing that could exist: each knows what nobody knows while a sale goes on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench.policies.ours import PredictiveEscrow
from bench.policies.replay import Builder
from bench.policies.trace import Arrival, LinkChange, Trace
from mqtt_bridge.cloud.estimates import Demand


class _Told(PredictiveEscrow):
    """Ours, told the true rate of each device that has been watched for ``after_h`` hours."""

    def __init__(self, trace: Trace, after_h: float) -> None:
        wanted = [0] * trace.venues
        for each in trace.events:
            if isinstance(each, Arrival):
                wanted[each.venue] += each.size
        self.true = [tickets * 60 / trace.minutes for tickets in wanted]
        self.after_h = after_h
        super().__init__(trace)

    def _rate(self, venue: int, demand: Demand, usual: float | None) -> float | None:
        return self.true[venue] if demand.hours >= self.after_h else super()._rate(venue, demand, usual)


def told(after_h: float) -> Builder:
    """Return a builder of ours that knows the true rates of devices it has watched for ``after_h`` hours."""
    return lambda trace: _Told(trace, after_h)


@dataclass(frozen=True)
class Foresight:
    """One sale as it would be known right after minute 0, to the end.

    ``back``: tickets wanted in an outage that began at minute 0 and ends before the sale does, for each such venue; ``gone``:
    the same where it does not end; ``rest``: all other tickets wanted.
    """

    back: tuple[int, ...]
    gone: tuple[int, ...]
    rest: int
    seats: int
    feasible: int

    def ratio(self, start: int) -> float:
        """Return what sold / feasible cannot exceed where every device has ``start`` tickets at minute 0.

        A device in its first outage sells at most these; where the outage outlasts the sale, those left are nobody's. All else
        is given for granted: every party outside that outage is served.
        """
        served = sum(min(start, wanted) for wanted in self.back + self.gone) + self.rest
        stuck = sum(max(0, start - wanted) for wanted in self.gone)
        return min(served, self.seats - stuck, self.feasible) / self.feasible


def foresee(trace: Trace) -> Foresight:
    """Look at the whole of a trace."""
    until = _first_return(trace)
    early, rest = dict.fromkeys(until, 0), 0
    for each in trace.events:
        if not isinstance(each, Arrival):
            continue
        if each.minute < until.get(each.venue, 0.0):
            early[each.venue] += each.size
        else:
            rest += each.size
    back = tuple(early[venue] for venue, minute in until.items() if minute < trace.minutes)
    gone = tuple(early[venue] for venue, minute in until.items() if minute >= trace.minutes)
    return Foresight(back, gone, rest, trace.seats, trace.feasible)


def _first_return(trace: Trace) -> dict[int, float]:
    """When the outage ends that began at minute 0, of each venue that had one: the sale's end if it never does."""
    until: dict[int, float] = {}
    for each in trace.events:
        if isinstance(each, LinkChange) and each.minute == 0 and not each.up:
            until[each.venue] = trace.minutes
        elif isinstance(each, LinkChange) and each.up and until.get(each.venue) == trace.minutes:
            until[each.venue] = each.minute
    return until


def most(traces: Sequence[Trace], others: Sequence[float]) -> tuple[list[float], int]:
    """Return the bound of each trace, and the start it is for: that for which the mean of bound / other is highest.

    Before anything is known all venues look alike, and the bound is concave in what each starts with: no uneven start is better
    on average.
    """
    seen = [foresee(each) for each in traces]

    def gained(start: int) -> float:
        return sum(each.ratio(start) / other for each, other in zip(seen, others, strict=True))

    best = max(range(traces[0].seats // traces[0].venues + 1), key=gained)
    return [each.ratio(best) for each in seen], best
