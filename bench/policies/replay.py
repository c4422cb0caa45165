"""Play one trace against one way of sharing stock, and count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from bench.policies.trace import Arrival, Trace


class Sharing(Protocol):
    """A way of sharing the seats of one sale among its venues; built when all of them are online, at minute 0."""

    def link(self, minute: float, venue: int, *, up: bool) -> None:
        """The venue's link came up or went down."""

    def sell(self, minute: float, venue: int, size: int) -> bool:
        """Sell a party its seats, all or none; whatever is asked of others meanwhile takes no time."""


Builder = Callable[[Trace], Sharing]


@dataclass(frozen=True)
class Outcome:
    """What came of a trace, in tickets; ``refused_with_stock`` counts tickets refused while as many seats were unsold anywhere."""

    sold: int
    oversold: int
    refused: int
    refused_with_stock: int
    feasible: int

    @property
    def ratio(self) -> float:
        """Seats sold over what foresight could have sold; tickets beyond the seats are no sales."""
        return (self.sold - self.oversold) / self.feasible


def play(trace: Trace, build: Builder) -> Outcome:
    """Return the outcome of one sale."""
    sharing = build(trace)
    sold = refused = with_stock = 0
    for event in trace.events:
        if not isinstance(event, Arrival):
            sharing.link(event.minute, event.venue, up=event.up)
        elif sharing.sell(event.minute, event.venue, event.size):
            sold += event.size
        else:
            refused += event.size
            with_stock += event.size if trace.seats - sold >= event.size else 0
    return Outcome(sold, max(0, sold - trace.seats), refused, with_stock, trace.feasible)
