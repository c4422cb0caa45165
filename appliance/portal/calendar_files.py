"""Dates as a calendar file (RFC 5545): of an event for everybody, of an order for whoever has its page.

A date keeps its UID for good and its SEQUENCE is the catalogue's version, so a calendar that gets the file again moves what was
moved and strikes out what was called off. Times are UTC: a moment needs no table of time zones to stay right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from flask import Response, request

from appliance.domain.errors import NotFound
from appliance.portal import order_words
from appliance.portal.page_tokens import opened
from appliance.services import booking, listing
from appliance.services.box import Unit
from appliance.services.views import OrderView
from appliance.web import freshness, proxied
from appliance.web.site import site
from appliance.web.texts import _, language
from mqtt_bridge.protocol.catalogue import Event, EventSession, Venue
from mqtt_bridge.protocol.ids import shown

if TYPE_CHECKING:
    from icalendar import Event as Entry

MEDIA_TYPE = "text/calendar; charset=utf-8"


@dataclass(frozen=True)
class Dated:
    """One date for a calendar; ``words`` is what is said about it, ``off`` that it does not take place, for this reader at least."""

    event: Event
    at: EventSession
    venue: Venue
    words: str
    off: bool


@dataclass(frozen=True)
class Stamp:
    """Who publishes, in which version of the catalogue, and when the file was made."""

    org: str
    version: int
    as_of_ms: int


def of_event(slug: str) -> Response:
    """The dates of an event, or the one asked for, as a file that anybody may keep for minutes."""
    wanted = request.args.get("at", "")

    def query(unit: Unit) -> tuple[list[Dated], Stamp]:
        view = listing.event_page(unit, slug)
        sessions = [each for each in view.sessions if each.at.id == wanted] or view.sessions
        dated = [Dated(each.event, each.at, each.venue, each.event.summary, each.at.cancelled) for each in sessions]
        return dated, _stamp(unit)

    dated, stamp = site().box.look(query)
    if not dated:
        raise NotFound("This event has no dates (any more). See what else is on.")
    answer = _file(slug, dated, stamp)
    answer.headers["Cache-Control"] = freshness.CALENDAR.header(shared=proxied.fills_in_keys())
    return answer


def of_order(token: str) -> Response:
    """The dates of an order, with what was booked and its code; the link to it stays out, since calendars are shared."""
    order_id = site().tokens.open("order-manage", token) or opened("order-view", token)

    def query(unit: Unit) -> tuple[OrderView, Stamp]:
        return booking.find_order(unit, order_id), _stamp(unit)

    order, stamp = site().box.look(query)
    dated = list(_dates_of(order))
    if not dated:
        raise NotFound("This booking has no dates (any more).")
    return _file(order.code.lower(), dated, stamp)


def _stamp(unit: Unit) -> Stamp:
    return Stamp(unit.identity.org, unit.device.catalogue_version, unit.now.wall_ms)


def _dates_of(order: OrderView) -> Iterable[Dated]:
    for at in {each.at.id: each.at for each in order.tickets if each.at.starts_at_ms}.values():
        mine = [each for each in order.tickets if each.at.id == at.id]
        valid = [each for each in mine if not each.voided]
        kinds = [each.type.name for each in valid or mine]
        lines = [f"{kinds.count(name)} \N{MULTIPLICATION SIGN} {name}" for name in dict.fromkeys(kinds)]
        code = f"{_('Booking code')}: {shown(order.code)}"
        words = "\n".join([order_words.heading(order)[0], *lines, code])
        off = at.cancelled or not valid or order.status in {"cancelled", "refused"}
        yield Dated(mine[0].event, at, mine[0].venue, words, off)


def _file(name: str, dated: Iterable[Dated], stamp: Stamp) -> Response:
    """Return the file; it carries no reminder and asks nobody to answer."""
    # Some megabytes in each pool of pages, for what few ask for.
    from icalendar import Calendar

    entries = [_entry(each, stamp) for each in dated]
    made = Calendar.new(prodid="-//Marquee//EN", method="PUBLISH", language=language().code, subcomponents=entries)
    answer = Response(made.to_ical(), content_type=MEDIA_TYPE)
    answer.headers["Content-Disposition"] = f'inline; filename="{name}.ics"'
    return answer


def _entry(dated: Dated, stamp: Stamp) -> Entry:
    from icalendar import Event as Entry
    from icalendar.enums import STATUS

    at, venue, base = dated.at, dated.venue, site().settings.public_url.rstrip("/")
    place = ", ".join(each for each in (venue.name, venue.address) if each)
    return Entry.new(
        uid=f"{at.id}@{stamp.org}",
        sequence=stamp.version,
        stamp=_moment(stamp.as_of_ms),
        start=_moment(at.starts_at_ms),
        end=_moment(at.ends_at_ms),
        summary=dated.event.title,
        location=place,
        description="\n\n".join(each for each in (dated.words, at.notice) if each),
        status=STATUS.CANCELLED if dated.off else STATUS.CONFIRMED,
        url=f"{base}/events/{dated.event.slug}?at={at.id}" if base and dated.event.slug else None,
    )


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms // 1000, UTC)
