"""Pages for looking around: the listing, an event, its pictures."""

from __future__ import annotations

from typing import Any, NamedTuple

from flask import Blueprint, Response, g, make_response, request, url_for
from msgspec.structs import replace

from appliance.domain.browsing import wish_of
from appliance.domain.errors import Refusal
from appliance.portal import calendar_files, cards, choices, forms, shared_pages, visits
from appliance.portal.waits import waits
from appliance.services import browsing, conversion, listing
from appliance.services.box import Unit
from appliance.services.views import BrowseView, EventView
from appliance.web import clients, freshness
from appliance.web.site import site
from appliance.web.texts import _
from mqtt_bridge.protocol.catalogue import Limits

MOST_DIGITS = 4


def show_listing() -> Response:
    """The events that fit what is asked for, with the best news of each."""
    wish = wish_of(request.args)
    asked = request.args.get("page", "")
    page = int(asked) if asked.isascii() and asked.isdigit() and len(asked) <= MOST_DIGITS else 1
    bucket = clients.visit(site())[1]
    found: BrowseView = site().box.look(lambda unit: browsing.browse(unit, wish, page, bucket))
    shared_pages.stands_at("attendee.listing", **choices.query(wish, found.page))
    return shared_pages.answer(
        "attendee/listing.html",
        found.as_of_ms,
        cards.timezone_of(found.all),
        cards=[each for each in map(cards.card, found.events) if each],
        here=cards.this_venue(found.all),
        found=found,
        asked=bool(wish),
        choices=choices.choices(wish, found),
    )


def show_event(slug: str) -> Response:
    """One event: its dates, and a form that is ready to be sent."""
    page = _event(slug, request.args.get("at"))
    visits.count(slug)
    return shared_pages.answer("attendee/event.html", page.as_of_ms, page.zone, **page.context)


def share_event(slug: str) -> Response:
    """The address of an event to pass on: as text, as a QR code, and the dates as a calendar file. It gives no right to anything."""
    page = _event(slug, request.args.get("at"))
    own: dict[str, Any] = {**g.address[1]}
    base = _site_url() or request.host_url.rstrip("/")
    url = base + url_for("attendee.event", **own | {"lang": None})
    shared_pages.stands_at("attendee.share", **own)
    return shared_pages.answer("attendee/share.html", page.as_of_ms, page.zone, url=url, own=own, **page.context)


def slug_of_form() -> str | None:
    """Return the event a form was about: what it says, else what its first ticket type belongs to."""
    given = request.form.get("event")
    wanted = [name.removeprefix(forms.QUANTITY) for name in request.form if name.startswith(forms.QUANTITY)]

    def query(unit: Unit) -> str | None:
        if given in unit.catalogue.event:
            return given
        return next(
            (unit.catalogue.ticket_type[each].event.slug for each in wanted if each in unit.catalogue.ticket_type), None
        )

    return site().box.look(query)


def refused_form(refusal: Refusal, notice: str) -> Response:
    """Answer a form of an event's page with the event as it is now: ``notice`` above the form, or the state that says it all."""
    slug = slug_of_form()
    if slug is None:
        raise refusal
    # Where nothing was chosen, any of the form's ticket types says which date it was about.
    named = sorted((value == "0", name) for name, value in request.form.items() if name.startswith(forms.QUANTITY))
    wanted = [name.removeprefix(forms.QUANTITY) for _zero, name in named]

    def session_of(unit: Unit) -> str | None:
        return next(
            (unit.catalogue.ticket_type[each].at.id for each in wanted if each in unit.catalogue.ticket_type), None
        )

    page = _event(slug, site().box.look(session_of), notice)
    shown = shared_pages.now(
        "attendee/event.html", page.as_of_ms, page.zone, forms.kept_key(request.form), **page.context
    )
    return make_response(shown, refusal.status)


class _EventPage(NamedTuple):
    """What the page of an event shows, as of when, in which time zone."""

    as_of_ms: int
    zone: str
    context: dict[str, Any]


def _event(slug: str, wanted: str | None, notice: str = "") -> _EventPage:
    bucket = clients.visit(site())[1]

    def query(unit: Unit) -> tuple[EventView, Limits, int]:
        found = listing.event_page(unit, slug)
        shown = replace(found, event=conversion.dress(unit, found.event, bucket))
        return shown, unit.catalogue.limits, unit.now.wall_ms

    view, limits, as_of_ms = site().box.look(query)
    current = next((each for each in view.sessions if each.at.id == wanted), None)
    shared_pages.stands_at("attendee.event", slug=slug, **({} if current is None else {"at": current.at.id}))
    if current is None and view.sessions:
        current = cards.lead_session(view.sessions)
    context = {
        "view": view,
        "current": current,
        "state": "closed" if current is None else cards.session_state(current),
        "few": None if current is None else cards.few_left(current),
        "first": None if current is None else cards.first_choice(current),
        "notice": notice,
        "hold_minutes": limits.hold_minutes,
        "per_hold": limits.per_hold,
        "waits": waits(current, limits),
    }
    return _EventPage(as_of_ms, "UTC" if current is None else current.at.timezone, context)


def asset(name: str) -> Response:
    """A picture of the catalogue, named by its content and hence kept for good."""
    found = site().box.look(lambda unit: listing.picture(unit, name.removesuffix(".webp")))
    answer = Response(found.body, content_type=found.media_type)
    answer.headers["Cache-Control"] = freshness.CONTENT.header()
    return answer


def _site_url() -> str:
    """Return what people type, without a slash at the end; empty where only the address they called is known."""
    return site().settings.public_url.rstrip("/")


def _indexed() -> bool:
    """Return whether search engines may list pages: of the shop on the web, never of a hotspot that nobody reaches from elsewhere."""
    return bool(_site_url()) and site().settings.leases_file is None


def ways_back(slug: str | None) -> tuple[tuple[str, str], ...]:
    """Return links to the event ``slug`` and to all events, for pages that say that something did not work."""
    start = (url_for("attendee.listing"), _("All events"))
    return (start,) if slug is None else ((url_for("attendee.event", slug=slug), _("Back to the tickets")), start)


def register(blueprint: Blueprint) -> None:
    """Serve these pages."""
    blueprint.add_app_template_global(_site_url, "site_url")
    blueprint.add_app_template_global(_indexed, "indexed")
    blueprint.get("/", endpoint="listing")(show_listing)
    blueprint.get("/events/<slug>", endpoint="event")(show_event)
    blueprint.get("/events/<slug>/share", endpoint="share")(share_event)
    blueprint.get("/events/<slug>/calendar.ics", endpoint="event_calendar")(calendar_files.of_event)
    blueprint.get("/assets/<name>", endpoint="asset")(asset)
