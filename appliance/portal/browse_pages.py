"""Pages for looking around: the listing, an event, its pictures."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.portal import cards, forms
from appliance.portal.waiting_pages import url_of
from appliance.portal.waits import waits
from appliance.services import listing, waitlist
from appliance.services.box import Unit
from appliance.services.views import EntryView, EventView, ListingView
from appliance.web import clients, csrf
from appliance.web.site import site
from appliance.web.texts import _
from mqtt_bridge.protocol.catalogue import Limits


def show_listing() -> str:
    """Every event, with the best news of each."""
    found: ListingView = site().box.look(listing.listing)
    return render_template(
        "attendee/listing.html",
        cards=[each for each in map(cards.card, found.events) if each],
        here=cards.this_venue(found.events),
        as_of_ms=found.as_of_ms,
        zone=cards.timezone_of(found.events),
    )


def show_event(slug: str) -> AnyResponse:
    """One event: its dates, and a form that is ready to be sent.

    Going back shows the same form with the same key (browsers keep the page), so tapping again finds the same hold.
    """
    answer = make_response(event_page(slug, request.args.get("at")))
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer


def event_page(slug: str, wanted: str | None, notice: str = "") -> str:
    """Return the page of an event as it is now; ``notice`` stands above the form."""
    guest = clients.identify(site(), request.form.get(clients.FIELD))

    def query(unit: Unit) -> tuple[EventView, Limits, int, tuple[EntryView, ...]]:
        mine = waitlist.open_entries(unit, guest.client)
        return listing.event_page(unit, slug), unit.catalogue.limits, unit.now.wall_ms, mine

    view, limits, as_of_ms, mine = site().box.look(query)
    current = next((each for each in view.sessions if each.at.id == wanted), None)
    if current is None and view.sessions:
        current = cards.lead_session(view.sessions)
    return render_template(
        "attendee/event.html",
        view=view,
        current=current,
        state="closed" if current is None else cards.session_state(current),
        few=None if current is None else cards.few_left(current),
        first=None if current is None else cards.first_choice(current),
        notice=notice,
        hold_minutes=limits.hold_minutes,
        waits=waits(current, limits, {each.items[0].type.quota: url_of(each.id) for each in mine}),
        as_of_ms=as_of_ms,
        zone="UTC" if current is None else current.at.timezone,
        **form_fields(),
    )


def form_fields() -> dict[str, str]:
    """Return the hidden fields that make a form ours, this phone's, and safe to send twice."""
    guest = clients.identify(site(), request.form.get(clients.FIELD))
    return {"key": forms.new_key(), "client": guest.token or "", "csrf": csrf.token(site(), guest.client.id)}


def asset(name: str) -> Response:
    """A picture of the catalogue, named by its content and hence kept for good."""
    found = site().box.look(lambda unit: listing.picture(unit, name.removesuffix(".webp")))
    answer = Response(found.body, content_type=found.media_type)
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return answer


def ways_back(slug: str | None) -> tuple[tuple[str, str], ...]:
    """Return links to the event ``slug`` and to all events, for pages that say that something did not work."""
    start = (url_for("attendee.listing"), _("All events"))
    return (start,) if slug is None else ((url_for("attendee.event", slug=slug), _("Back to the tickets")), start)


def register(blueprint: Blueprint) -> None:
    """Serve these pages."""
    blueprint.get("/", endpoint="listing")(show_listing)
    blueprint.get("/events/<slug>", endpoint="event")(show_event)
    blueprint.get("/assets/<name>", endpoint="asset")(asset)
