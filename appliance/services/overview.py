"""What staff see at a glance."""

from __future__ import annotations

from appliance.domain import admission
from appliance.domain.clock import HOUR_MS
from appliance.services import hardware, printing
from appliance.services.box import Unit
from appliance.services.staff_views import DoorSession, DoorView
from appliance.services.stock import sale_window
from appliance.store import jobs, orders, records, waiting
from mqtt_bridge.protocol.catalogue import Event, EventSession
from mqtt_bridge.protocol.topics import CLOUD

JOBS_SHOWN = 10
KEPT_AFTER_END_MS = 6 * HOUR_MS


def door_view(unit: Unit) -> DoorView:
    """Return the sessions of this venue with their switches and counts, the outbox, clock, hardware and print jobs."""
    switches = records.switches(unit.db)
    hosted = [(event, at) for event in unit.catalogue.events for at in event.sessions if _shown(unit, at)]
    hosted.sort(key=lambda pair: (pair[1].starts_at_ms, pair[1].id))
    known = orders.sold_and_admitted(unit.db, [at.id for _, at in hosted])
    lines = waiting.open_per_quota(unit.db)
    sessions = tuple(_session(unit, event, at, switches, known.get(at.id, (0, 0, 0)), lines) for event, at in hosted)
    unsynced, oldest_at_ms = unit.mail.backlog(CLOUD)
    return DoorView(
        sessions=sessions,
        admitted=sum(each.admitted for each in sessions),
        inside=sum(each.inside for each in sessions),
        sold=sum(each.sold for each in sessions),
        unsynced=unsynced,
        oldest_unsynced_ms=max(0, unit.now.wall_ms - oldest_at_ms) if unsynced else 0,
        clock_trusted=unit.now.trusted,
        link_up=unit.device.link_up,
        door=unit.device.door,
        frozen=unit.device.frozen,
        sealed=unit.device.sealed,
        retold=(unit.device.retold_part, unit.device.retold_parts),
        hardware=hardware.seen(unit),
        jobs=tuple(printing.view(row) for row in jobs.recent(unit.db, JOBS_SHOWN)),
    )


def _shown(unit: Unit, at: EventSession) -> bool:
    over = unit.now.trusted and unit.now.wall_ms >= at.ends_at_ms + KEPT_AFTER_END_MS
    return at.venue == unit.identity.venue and not over


def _session(
    unit: Unit,
    event: Event,
    at: EventSession,
    switches: dict[str, str],
    known: tuple[int, int, int],
    lines: dict[str, int],
) -> DoorSession:
    door_switch = switches.get(f"door:{at.id}")
    return DoorSession(
        event=event,
        at=at,
        door_open=unit.device.door and admission.door_open(at, unit.now, door_switch),
        door_switch=door_switch,
        sale=sale_window(unit, at, switches),
        sale_switch=switches.get(f"sale:{at.id}"),
        admitted=known[1],
        sold=known[0],
        waiting=sum(lines.get(each.id, 0) for each in at.quotas),
        inside=known[1] - known[2],
        capacity=at.room_for,
    )
