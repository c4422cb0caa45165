"""What a listing says about an event at a glance: pure choices over views."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.services.views import EventView, SessionView, TypeView
from mqtt_bridge.protocol.catalogue import Event, Venue

# Best news first: an event is as good as its best session, a session as its best ticket type.
RANK = ("on_sale", "on_request", "not_yet", "sold_out_here", "sold_out", "closed", "cancelled")
FEW = 5


@dataclass(frozen=True)
class Card:
    """An event on the listing; ``lead`` is the session it shows, ``more`` how many others there are.

    ``price_minor`` is the lowest price (None without ticket types), ``from_price`` whether others cost more, ``few`` the
    number left in all where it is small.
    """

    event: Event
    lead: SessionView
    state: str
    more: int
    price_minor: int | None
    currency: str
    from_price: bool
    few: int | None


def session_state(session: SessionView) -> str:
    """Return the state of the best ticket type of a session."""
    if session.at.cancelled:
        return "cancelled"
    return min((each.state for each in session.types), key=RANK.index, default="closed")


def few_left(session: SessionView) -> int | None:
    """Return how many tickets are left where that is worth a badge; types that share a quota count once."""
    if session_state(session) != "on_sale":
        return None
    per_quota = {each.type.quota: each.available for each in session.types if each.state == "on_sale"}
    left = sum(per_quota.values())
    return left if left <= FEW else None


def lead_session(sessions: tuple[SessionView, ...]) -> SessionView:
    """Return the session to show first: the earliest of those with the best state, this venue's before others'."""
    return min(sessions, key=lambda each: (RANK.index(session_state(each)), not each.here, each.at.starts_at_ms))


def first_choice(session: SessionView) -> TypeView | None:
    """Return the ticket type to select beforehand, so that one tap holds one ticket."""
    return next((each for each in session.types if each.state in RANK[:2] and each.max_quantity > 0), None)


def card(view: EventView) -> Card | None:
    """Return the card of an event, or None while it has no session to show."""
    if not view.sessions:
        return None
    lead = lead_session(view.sessions)
    offered = [each.type for each in lead.types if each.state == "on_sale"] or [each.type for each in lead.types]
    cheapest = min(offered, key=lambda each: each.price_minor, default=None)
    return Card(
        event=view.event,
        lead=lead,
        state=session_state(lead),
        more=len(view.sessions) - 1,
        price_minor=None if cheapest is None else cheapest.price_minor,
        currency="" if cheapest is None else cheapest.currency,
        from_price=len({each.price_minor for each in offered}) > 1,
        few=few_left(lead),
    )


def this_venue(events: tuple[EventView, ...]) -> Venue | None:
    """Return the venue these pages are served at, as far as the listing shows it."""
    return next((each.venue for view in events for each in view.sessions if each.here), None)


def timezone_of(events: tuple[EventView, ...]) -> str:
    """Return the time zone for times that belong to no session: this venue's, else any session's, else UTC."""
    sessions = [each for view in events for each in view.sessions]
    return next((each.at.timezone for each in sorted(sessions, key=lambda each: not each.here)), "UTC")
