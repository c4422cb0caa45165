"""What devices count of their visitors, by event and variant: kept as told, the largest total ever said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mqtt_bridge.cloud.kinds import Telling, applies
from mqtt_bridge.cloud.records import Conversion
from mqtt_bridge.cloud.work import Need, Work
from mqtt_bridge.protocol.messages import ConversionCounted


def _needs(_work: Work, body: ConversionCounted) -> Iterator[Iterable[Need]]:
    yield [(Conversion, "event", each) for each in sorted({count.event for count in body.counts})]


@applies(ConversionCounted, _needs)
def _on_counted(at: Telling, body: ConversionCounted) -> None:
    rows = at.work.of(Conversion)
    for each in body.counts:
        known = {(row.device, row.experiment, row.variant, row.stage): row for row in rows.where("event", each.event)}
        row = known.get((at.device, each.experiment, each.variant, each.stage))
        if row is None:
            rows.add(
                Conversion(at.device, each.event, each.experiment, each.variant, each.stage, each.phones, at.wall_ms)
            )
        elif row.phones < each.phones:
            rows.change(row, phones=each.phones, counted_at_ms=at.wall_ms)
