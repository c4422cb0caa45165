"""The listing as a guest asked for it: what fits, page by page, and what there is to choose from."""

from __future__ import annotations

from msgspec.structs import replace

from appliance.domain import browsing
from appliance.domain.browsing import Wish
from appliance.services import conversion, listing
from appliance.services.box import Unit
from appliance.services.views import BrowseView, EventView, SessionView

PER_PAGE = 30
MOST_DAYS = 31
LEFT = ("on_sale", "on_request")


def browse(unit: Unit, wish: Wish, page: int, bucket: int | None) -> BrowseView:
    """Return page ``page`` (from 1, the nearest there is) of the events that fit ``wish``, each with the sessions that do.

    Events are those that somebody of ``bucket`` is shown where an experiment runs.
    """
    everything = listing.listing(unit)
    dressed = (replace(each, event=conversion.dress(unit, each.event, bucket)) for each in everything.events)
    everything = replace(everything, events=tuple(dressed))
    found = tuple(fit for each in everything.events if (fit := _fitting(unit, wish, each)) is not None)
    pages = max(1, -(-len(found) // PER_PAGE))
    here = min(max(1, page), pages)
    sessions = [each for event in everything.events for each in event.sessions]
    venues = {each.venue.id: each.venue for each in sorted(sessions, key=lambda each: not each.here)}
    days = {browsing.day(each.at.starts_at_ms, each.at.timezone).isoformat() for each in sessions}
    return BrowseView(
        as_of_ms=everything.as_of_ms,
        events=found[(here - 1) * PER_PAGE : here * PER_PAGE],
        found=len(found),
        page=here,
        pages=pages,
        all=everything.events,
        venues=tuple(venues.values()),
        days=tuple(sorted(days)[:MOST_DAYS]),
        prices=browsing.price_steps(kind.type for each in sessions for kind in each.types),
        knows_today=unit.now.trusted,
    )


def _fitting(unit: Unit, wish: Wish, view: EventView) -> EventView | None:
    """Return the event with those of its sessions that fit, None if none does."""
    if not wish:
        return view
    if not browsing.has_words(wish, view.event, (each.venue.name for each in view.sessions)):
        return None
    sessions = tuple(each for each in view.sessions if _fits(unit, wish, each))
    return replace(view, sessions=sessions) if sessions else None


def _fits(unit: Unit, wish: Wish, session: SessionView) -> bool:
    if wish.venue and session.venue.id != wish.venue:
        return False
    if not browsing.is_on(wish, session.at, unit.now):
        return False
    types = [each for each in session.types if browsing.costs(wish, each.type)]
    return any(each.state in LEFT for each in types) if wish.left else bool(types)
