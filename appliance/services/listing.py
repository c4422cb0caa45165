"""What is on offer, with an "as of" beside every figure."""

from __future__ import annotations

import hashlib

from appliance.domain import limits, sale
from appliance.domain import requests as on_request
from appliance.domain.errors import NotFound
from appliance.domain.inventory import Shelf
from appliance.services.box import Unit
from appliance.services.stock import sale_window, visible_shelves
from appliance.services.views import AssetView, AvailabilityView, EventView, ListingView, SessionView, TypeView
from appliance.store import documents, records, requests
from mqtt_bridge.protocol.catalogue import Event, EventSession, TicketType, Venue


def listing(unit: Unit) -> ListingView:
    """Return all events that are not over, by their first session."""
    shelves, switches = visible_shelves(unit), records.switches(unit.db)
    views = (_event(unit, event, shelves, switches) for event in unit.catalogue.events)
    shown = [view for view in views if view.sessions]
    shown.sort(key=lambda view: (view.sessions[0].at.starts_at_ms, view.event.slug))
    return ListingView(unit.now.wall_ms, tuple(shown))


def event_page(unit: Unit, slug: str) -> EventView:
    """Return one event; ``NotFound`` if there is none of this name."""
    event = unit.catalogue.event.get(slug)
    if event is None:
        msg = "This event does not exist (any more). See what else is on."
        raise NotFound(msg)
    return _event(unit, event, visible_shelves(unit), records.switches(unit.db))


def availability(unit: Unit) -> AvailabilityView:
    """Return what is free per ticket type; the ETag is the same as long as no figure and no state changed."""
    shelves, switches = visible_shelves(unit), records.switches(unit.db)
    types = [
        each
        for event in unit.catalogue.events
        for session in _event(unit, event, shelves, switches).sessions
        for each in session.types
    ]
    items = tuple((each.type.id, each.available) for each in types)
    states = tuple(each.state for each in types)
    digest = hashlib.sha256(repr((unit.device.catalogue_version, items, states)).encode()).hexdigest()[:24]
    return AvailabilityView(unit.now.wall_ms, items, states, digest)


def picture(unit: Unit, sha256: str) -> AssetView:
    """Return a picture of the catalogue; ``NotFound`` if it has not arrived."""
    found = documents.find_asset(unit.db, sha256)
    if found is None:
        msg = "This picture is not here."
        raise NotFound(msg)
    return AssetView(sha256, *found)


def _event(unit: Unit, event: Event, shelves: dict[str, Shelf], switches: dict[str, str]) -> EventView:
    sessions = sorted((at for at in event.sessions if not _over(unit, at)), key=lambda at: (at.starts_at_ms, at.key))
    return EventView(event, tuple(_session(unit, event, at, shelves, switches) for at in sessions))


def _session(
    unit: Unit, event: Event, at: EventSession, shelves: dict[str, Shelf], switches: dict[str, str]
) -> SessionView:
    window = sale_window(unit, at, switches)
    short = [kind for kind in at.ticket_types if not _available(shelves.get(kind.quota))]
    asked: dict[str, int] = {}
    if any(kind.policy == "provisional" for kind in short):
        asked = requests.requested(unit.db, unit.now)
    types = tuple(_type(unit, at, kind, window, shelves.get(kind.quota), asked) for kind in at.ticket_types)
    venue = unit.catalogue.venue.get(at.venue) or Venue(at.venue, at.venue, "")
    return SessionView(event, at, venue, at.venue == unit.identity.venue, types)


def _type(
    unit: Unit, at: EventSession, kind: TicketType, window: sale.Window, shelf: Shelf | None, asked: dict[str, int]
) -> TypeView:
    """Show one type; ``asked`` are the tickets per quota that are requested here."""
    rules, most = unit.catalogue.limits, 0
    requestable = 0
    if kind.policy == "provisional":
        limit = next(each.limit for each in at.quotas if each.id == kind.quota)
        requestable = on_request.most_per_hold(rules, limit, asked.get(kind.quota, 0), kind.price_minor)
    state = sale.state(window, shelf, on_request=requestable > 0)
    if state == "on_sale":
        most = limits.most_per_hold(rules, shelf, kind.price_minor)
    elif state == "on_request":
        most = requestable
    return TypeView(kind, _available(shelf), state, most)


def _available(shelf: Shelf | None) -> int:
    return 0 if shelf is None else shelf.available


def _over(unit: Unit, at: EventSession) -> bool:
    return unit.now.trusted and unit.now.wall_ms >= at.ends_at_ms
