"""seen -> held -> confirmed -> admitted: how far phones come with an event, by variant where an experiment runs.

Counted once per phone and event, from names that this device's key made of a DHCP lease or an address; they are dropped a week after
the event, the totals go to the cloud. It decides nothing, and no booking waits for it beyond the rows it writes along.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from appliance.domain.client import Client
from appliance.domain.clock import DAY_MS, MINUTE_MS
from appliance.domain.experiments import STAGES, Stage, dressed, is_running, variant_for
from appliance.services import rates
from appliance.services.box import Unit
from appliance.store import conversion
from mqtt_bridge.protocol.catalogue import Event, Experiment
from mqtt_bridge.protocol.messages import ConversionCount, ConversionCounted

KEPT_MS = 7 * DAY_MS
# Phones of one event that are told apart; far beyond what a hall holds, so that nobody fills the card with visits.
MOST_PHONES = 50_000
# A message holds so many totals; the rest goes with the next.
MOST_TOLD = 200
TELL_EVERY_MS = MINUTE_MS


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody looked at an event's page: ``visitor`` names the phone, ``bucket`` decides what it was shown (None: no variant)."""

    event: str
    visitor: str
    bucket: int | None


def experiment_of(unit: Unit, event: str) -> Experiment | None:
    """Return the experiment that runs on an event now, None if it is shown to everybody alike."""
    for each in unit.catalogue.experiments:
        if each.event == event and is_running(each, unit.now.wall_ms, trusted=unit.now.trusted):
            return each
    return None


def dress(unit: Unit, event: Event, bucket: int | None) -> Event:
    """Return the event as somebody of this bucket is shown it."""
    running = experiment_of(unit, event.slug)
    return event if running is None or bucket is None else dressed(event, variant_for(running, bucket))


def is_new(unit: Unit, visit: Visit) -> bool:
    """Return whether ``seen`` would count this visit, without writing anything."""
    experiment, _ = _shown(unit, visit.event, visit.bucket)
    return conversion.stage_of(unit.db, visit.event, experiment, visit.visitor)[1] == 0


def seen(unit: Unit, visits: Iterable[Visit]) -> int:
    """Count phones that looked at an event for the first time; return how many that were. Unknown events are left out."""
    by_kind: defaultdict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for each in visits:
        if each.event in unit.catalogue.event:
            experiment, variant = _shown(unit, each.event, each.bucket)
            by_kind[each.event, experiment].setdefault(each.visitor, variant)
    counted = 0
    for (event, experiment), phones in by_kind.items():
        room = MOST_PHONES - conversion.seen_in_all(unit.db, event)
        known = conversion.stages_of(unit.db, event, experiment, phones.keys())
        fresh = [(name, variant) for name, variant in phones.items() if name not in known][: max(0, room)]
        for name, variant in fresh:
            _advance(unit, event, experiment, variant, name, 0, "seen")
        counted += len(fresh)
    return counted


def held(unit: Unit, client: Client, hold: str, events: Iterable[str]) -> None:
    """Count that a phone holds tickets for these events, and remember for whom the hold counts."""
    if not client.visitor:
        return
    for event in sorted(set(events)):
        experiment, variant = _shown(unit, event, client.bucket)
        before, stage = conversion.stage_of(unit.db, event, experiment, client.visitor)
        if stage == 0 and conversion.seen_in_all(unit.db, event) >= MOST_PHONES:
            continue
        # What it saw first is what it is counted for, even if its address changed since.
        variant = before or variant
        conversion.bind(unit.db, hold, event, experiment, variant, client.visitor)
        _advance(unit, event, experiment, variant, client.visitor, stage, "held")


def reached(unit: Unit, hold: str | None, stage: Stage) -> None:
    """Count that what a hold became got this far; nothing for holds of staff and of other devices."""
    for row in conversion.of_hold(unit.db, hold) if hold else ():
        _, before = conversion.stage_of(unit.db, row.event, row.experiment, row.visitor)
        _advance(unit, row.event, row.experiment, row.variant, row.visitor, before, stage)


def tidy(unit: Unit) -> None:
    """Tell the cloud what grew, at most once a minute, and forget the phones of events long over."""
    if unit.now.trusted:
        _forget_ended(unit)
    if rates.counted(unit, "conversion", "", TELL_EVERY_MS):
        return
    grown = conversion.untold(unit.db, MOST_TOLD)
    if grown:
        rates.count(unit, "conversion", "", TELL_EVERY_MS)
        conversion.set_told(unit.db, grown)
        unit.emit(ConversionCounted(_counts(grown)))


def totals(unit: Unit) -> tuple[ConversionCount, ...]:
    """Return what was counted here so far."""
    return _counts(conversion.totals(unit.db))


def _counts(rows: Iterable[Row[Any]]) -> tuple[ConversionCount, ...]:
    return tuple(ConversionCount(row.event, row.experiment, row.variant, row.stage, row.phones) for row in rows)


def _shown(unit: Unit, event: str, bucket: int | None) -> tuple[str, str]:
    """Return (experiment, variant) that somebody of this bucket is shown; empty where nothing is compared."""
    running = experiment_of(unit, event)
    return ("", "") if running is None or bucket is None else (running.key, variant_for(running, bucket).name)


def _advance(unit: Unit, event: str, experiment: str, variant: str, visitor: str, before: int, stage: Stage) -> None:
    after = STAGES.index(stage) + 1
    if after > before:
        conversion.put_stage(unit.db, event, experiment, visitor, variant, after)
        conversion.count(unit.db, event, experiment, variant, STAGES[before:after])


def _forget_ended(unit: Unit) -> None:
    ends = {each.slug: max((at.ends_at_ms for at in each.sessions), default=0) for each in unit.catalogue.events}
    old = [each for each in conversion.events(unit.db) if ends.get(each, 0) < unit.now.wall_ms - KEPT_MS]
    if old:
        conversion.forget(unit.db, old)
