"""What the cloud does with each kind of uplink message, and how to teach it another one.

Write a function ``(at: Telling, body: YourMessage) -> None`` in the module of its topic and decorate it::

    @applies(YourMessage, needs=lambda work, body: [[(Order, "id", body.order)]])
    def _your_message(at: Telling, body: YourMessage) -> None: ...

It changes records through ``at.work`` and decides nothing about stock: it calls ``at.counts.waiting.add(quota)`` where a
quota has to be looked at, and ``planning`` does so under that quota's lock. The body's ``stock`` is merged before it is called.
``needs`` is only for speed: rounds of records (kind, column, value) to read ahead, where a round may use what the one before
brought. Import the module in ``reconcile``. A new table gets a ``records.Record`` (add it to ``KINDS`` there). If other devices
must hear of it, add it to ``routing.Fact`` and its tuples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from mqtt_bridge.cloud.alarms import raise_alarm
from mqtt_bridge.cloud.counts import Counts
from mqtt_bridge.cloud.work import Need, Work
from mqtt_bridge.protocol.messages import Private


@dataclass(slots=True)
class Telling:
    """Who tells a fact, with which personal part, and the working set it changes."""

    work: Work
    device: str
    wall_ms: int
    counts: Counts
    private: Private | None = None

    def alarm(self, kind: str, subject: str, detail: str) -> None:
        """List a contradiction."""
        raise_alarm(self.work, kind, subject, detail, self.wall_ms)


Apply = Callable[[Telling, Any], None]
Needs = Callable[[Work, Any], Iterable[Iterable[Need]]]


@dataclass(frozen=True)
class Kind:
    """How one kind of message is applied, and what to read before."""

    apply: Apply
    needs: Needs


_KINDS: dict[type, Kind] = {}


def applies(body: type, needs: Needs = lambda _work, _body: ()) -> Callable[[Apply], Apply]:
    """Register the function for a kind of message."""

    def register(apply: Apply) -> Apply:
        _KINDS[body] = Kind(apply, needs)
        return apply

    return register


def apply(at: Telling, body: object) -> None:
    """Merge what the message counts, then apply it; a kind that is not for the cloud changes nothing else."""
    for count in getattr(body, "stock", ()):
        at.counts.report(at.device, count)
    kind = _KINDS.get(type(body))
    if kind is not None:
        kind.apply(at, body)


def read_ahead(work: Work, bodies: Iterable[object], others: Iterable[Need] = ()) -> None:
    """Read what all these messages need, and ``others`` with it, round by round, each in one go."""
    rounds: list[Iterator[Iterable[Need]]] = [
        iter(kind.needs(work, body)) for body in bodies if (kind := _KINDS.get(type(body))) is not None
    ]
    wanted = [*others]
    while rounds or wanted:
        left = []
        for each in rounds:
            found = next(each, None)
            if found is not None:
                wanted += found
                left.append(each)
        work.fetch(wanted)
        rounds, wanted = left, []
