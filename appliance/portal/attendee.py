"""Pages for guests: HTML only, no cookies, no JavaScript; every write is POST, then 303, then GET.

The address of a page carries the right to it: ``/holds/<token>`` and ``/tickets/<token>`` are sealed for one purpose each.
"""

from __future__ import annotations

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.client import Client
from appliance.domain.errors import (
    HoldExpired,
    Invalid,
    LimitReached,
    NotFound,
    Refusal,
    SaleClosed,
    SoldOut,
    SoldOutHere,
)
from appliance.portal import cards, forms, order_words, sms_pages
from appliance.portal.waiting_pages import url_of
from appliance.portal.waits import waits
from appliance.services import asking, booking, idempotency, listing, sms, waitlist
from appliance.services.box import Unit
from appliance.services.views import EntryView, EventView, HoldView, ListingView, OrderView
from appliance.web import clients, csrf
from appliance.web.site import site
from appliance.web.texts import _
from appliance.web.tokens import Purpose
from mqtt_bridge.protocol.catalogue import Limits
from mqtt_bridge.protocol.ids import shown

blueprint = Blueprint("attendee", __name__, template_folder="templates")
SEE_OTHER = 303


@blueprint.get("/", endpoint="listing")
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


@blueprint.get("/events/<slug>", endpoint="event")
def show_event(slug: str) -> AnyResponse:
    """One event: its dates, and a form that is ready to be sent.

    Going back shows the same form with the same key (browsers keep the page), so tapping again finds the same hold.
    """
    answer = make_response(_event_page(slug, request.args.get("at")))
    answer.headers["Cache-Control"] = "private, no-cache"
    return answer


def _event_page(slug: str, wanted: str | None, notice: str = "") -> str:
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
        **_form_fields(),
    )


def _form_fields() -> dict[str, str]:
    """Return the hidden fields that make a form ours, this phone's, and safe to send twice."""
    guest = clients.identify(site(), request.form.get(clients.FIELD))
    return {"key": forms.new_key(), "client": guest.token or "", "csrf": csrf.token(site(), guest.client.id)}


@blueprint.post("/holds", endpoint="place_hold")
def place_hold() -> AnyResponse:
    """Hold what the form says; sent twice, it leads to the same hold."""
    guest = clients.identify(site(), request.form.get(clients.FIELD))
    csrf.check(site(), guest.client.id)
    try:
        chosen = forms.items(request.form)
        fingerprint = forms.fingerprint(chosen)
        key = forms.key(request.form, fingerprint)

        def use_case(unit: Unit) -> tuple[int, bytes, bool]:
            def hold() -> tuple[int, bytes]:
                return 201, booking.place_hold(unit, guest.client, chosen).id.encode()

            return idempotency.once(unit, f"form:{guest.client.id}", key, fingerprint, hold)

        _status, hold_id, _replayed = asking.run(site().box, use_case)
    except (Invalid, SaleClosed, SoldOut, SoldOutHere) as refusal:
        return _refused_hold(_slug(), refusal)
    except LimitReached:
        g.ways = _ways_to_holds(guest.client) + _ways_back(_slug())
        raise
    return redirect(url_for("attendee.hold", token=site().tokens.mint("hold", hold_id.decode())), SEE_OTHER)


def _slug() -> str | None:
    """Return the event a form was about: what it says, else what its first ticket type belongs to."""
    given = request.form.get("event")
    wanted = [name.removeprefix(forms.QUANTITY) for name in request.form if name.startswith(forms.QUANTITY)]

    def query(unit: Unit) -> str | None:
        if given in unit.catalogue.event:
            return given
        return next(
            (unit.catalogue.ticket_type[each][0].slug for each in wanted if each in unit.catalogue.ticket_type), None
        )

    return site().box.look(query)


def _ways_back(slug: str | None) -> tuple[tuple[str, str], ...]:
    start = (url_for("attendee.listing"), _("All events"))
    return (start,) if slug is None else ((url_for("attendee.event", slug=slug), _("Back to the tickets")), start)


def _ways_to_holds(client: Client) -> tuple[tuple[str, str], ...]:
    """Return links to what a phone holds already: it cannot hold more before it finished or gave back one of these."""
    found = site().box.look(lambda unit: booking.open_holds(unit, client))
    words = [_("Your held tickets: %(code)s", code=shown(each.code)) for each in found]
    tokens = [site().tokens.mint("hold", each.id) for each in found]
    return tuple((url_for("attendee.hold", token=token), label) for token, label in zip(tokens, words, strict=True))


def _refused_hold(slug: str | None, refusal: Refusal) -> Response:
    """Show the event as it is now, with what went wrong above the form, or the state that says it all."""
    if slug is None:
        raise refusal
    wanted = [
        name.removeprefix(forms.QUANTITY)
        for name, value in request.form.items()
        if name.startswith(forms.QUANTITY) and value != "0"
    ]

    def session_of(unit: Unit) -> str | None:
        return next(
            (unit.catalogue.ticket_type[each][1].id for each in wanted if each in unit.catalogue.ticket_type), None
        )

    page = _event_page(slug, site().box.look(session_of), _hold_notice(refusal))
    return make_response(page, refusal.status)


def _hold_notice(refusal: Refusal) -> str:
    if isinstance(refusal, SoldOutHere):
        return _(
            "So many are not left at this box office. Other venues may still have some. Choose fewer, or try again soon."
        )
    if isinstance(refusal, SoldOut):
        return _("So many are not left. Choose fewer, or try again soon.")
    if isinstance(refusal, SaleClosed):
        return _("Some of these tickets are not on sale now.")
    fields = {"items": _("Choose at least one ticket."), "quantity": _("Choose a number of tickets.")}
    return fields.get(str(refusal.facts.get("field")), _("Reload this page and try again."))


@blueprint.get("/holds/<token>", endpoint="hold")
def show_hold(token: str) -> AnyResponse:
    """A hold: running, over, given back, or the way to the tickets it became."""
    found = site().box.look(lambda unit: booking.find_hold(unit, _opened("hold", token)))
    return _hold_page(found, token)


def _hold_page(found: HoldView, token: str, notice: str = "", status: int = 200) -> AnyResponse:
    if found.order is not None:
        return redirect(url_for("attendee.order", token=site().tokens.mint("order-manage", found.order)), SEE_OTHER)
    if found.state != "open" and found.entry is not None:
        return redirect(url_of(found.entry), SEE_OTHER)
    if found.state != "open":
        return make_response(_hold_over(found, notice), status)
    page = render_template(
        "attendee/hold.html",
        hold=found,
        token=token,
        zone=found.items[0].at.timezone,
        minutes=max(1, round(found.expires_in_ms / 60_000)),
        notice=notice,
        name=request.form.get("name", "")[:200],
        contact=request.form.get("contact", "")[:200],
        texts=not found.requested and site().box.look(sms.offered),
        wants_text=request.form.get("sms") == "yes",
    )
    return make_response(page, status)


def _hold_over(found: HoldView, words: str) -> str:
    if found.requested:
        title, why = _("Your request was not sent"), _("Nobody looks for tickets for you. Changed your mind?")
    elif found.state == "released":
        title, why = _("You gave these tickets back"), _("They are on sale again. Changed your mind?")
    else:
        title, why = _("Your time is up"), _("The tickets went back on sale. There may still be some.")
    return render_template("attendee/hold_over.html", hold=found, title=title, words=words or why, **_form_fields())


@blueprint.post("/holds/<token>/confirm", endpoint="confirm")
def confirm(token: str) -> AnyResponse:
    """Turn a hold into tickets; sent twice, it leads to the same tickets."""
    csrf.require_own_origin()
    hold_id = _opened("hold", token)
    g.ways = ((url_for("attendee.hold", token=token), _("Back")), *_ways_back(None))
    name, contact = request.form.get("name", ""), request.form.get("contact", "")

    def use_case(unit: Unit) -> OrderView:
        order = booking.confirm(unit, hold_id, name=name, contact=contact)
        sms_pages.ask_along(unit, order, number)
        return order

    try:
        number = sms_pages.number_in(contact)
        order = asking.run(site().box, use_case)
    except Invalid as refusal:
        found = site().box.look(lambda unit: booking.find_hold(unit, hold_id))
        return _hold_page(found, token, _field_notice(refusal), refusal.status)
    except HoldExpired:
        # A waitlist offer whose time is over leads to its place in line, which says so; a hold given back, to itself.
        return redirect(url_for("attendee.hold", token=token), SEE_OTHER)
    except (SoldOut, SoldOutHere) as refusal:
        found = site().box.look(lambda unit: booking.find_hold(unit, hold_id))
        gone = _("Your time was up, and meanwhile others took the tickets. Try again soon, or choose others.")
        return _hold_page(found, token, gone, refusal.status)
    return redirect(url_for("attendee.order", token=site().tokens.mint("order-manage", order.id)), SEE_OTHER)


def _field_notice(refusal: Invalid) -> str:
    fields = {
        "name": _("This name is too long or contains characters that cannot be shown."),
        "sms": _("For a text message, write your phone number above; or untick it."),
        "contact": _("This phone number or e-mail is too long or contains characters that cannot be shown."),
    }
    return fields.get(str(refusal.facts.get("field")), _("These tickets are not sold any more. Choose others."))


@blueprint.post("/holds/<token>/release", endpoint="release")
def release(token: str) -> AnyResponse:
    """Give a hold back."""
    csrf.require_own_origin()
    hold_id = _opened("hold", token)
    try:
        site().box.run(lambda unit: booking.release_hold(unit, hold_id))
    except Invalid:
        pass  # it has become an order meanwhile: the hold's page leads there
    return redirect(url_for("attendee.hold", token=token), SEE_OTHER)


@blueprint.get("/tickets/<token>", endpoint="order")
def show_order(token: str) -> str:
    """The tickets of an order. The address given after booking may also cancel; the one for sharing only shows."""
    manage = site().tokens.open("order-manage", token)
    order_id = manage or _opened("order-view", token)

    def query(unit: Unit) -> tuple[OrderView, sms_pages.Section | None]:
        found = booking.find_order(unit, order_id)
        return found, sms_pages.section(unit, found, token) if manage else None

    order, text_message = site().box.look(query)
    share = cancel_url = None
    if manage and order.status == "confirmed":
        share = url_for("attendee.order", token=site().tokens.mint("order-view", order_id), _external=True)
    if manage and order_words.can_cancel(order):
        cancel_url = url_for("attendee.ask_cancel", token=token)
    title, words = order_words.heading(order)
    again = url_for("attendee.order", token=token)
    waits = url_of(order.waits) if manage and order.waits else None
    ways = {"share": share, "cancel": cancel_url, "again": again, "waits": waits, "text_message": text_message}
    return render_template("attendee/order.html", order=order, title=title, words=words, **ways)


@blueprint.get("/tickets/<token>/cancel", endpoint="ask_cancel")
def ask_cancel(token: str) -> AnyResponse:
    """Ask before cancelling."""
    order_id = _opened("order-manage", token)
    order = site().box.look(lambda unit: booking.find_order(unit, order_id))
    if not order_words.can_cancel(order):
        return redirect(url_for("attendee.order", token=token), SEE_OTHER)
    return make_response(render_template("attendee/cancel.html", order=order, token=token))


@blueprint.post("/tickets/<token>/cancel", endpoint="cancel")
def cancel(token: str) -> AnyResponse:
    """Cancel an order; sent twice, it stays cancelled."""
    csrf.require_own_origin()
    order_id = _opened("order-manage", token)
    g.ways = ((url_for("attendee.order", token=token), _("Back to the tickets")),)
    order = site().box.look(lambda unit: booking.find_order(unit, order_id))
    if order.status not in {"cancelled", "cancel_pending"}:
        site().box.run(lambda unit: booking.cancel(unit, order_id, by="guest"))
    return redirect(url_for("attendee.order", token=token), SEE_OTHER)


@blueprint.get("/assets/<name>", endpoint="asset")
def asset(name: str) -> Response:
    """A picture of the catalogue, named by its content and hence kept for good."""
    found = site().box.look(lambda unit: listing.picture(unit, name.removesuffix(".webp")))
    answer = Response(found.body, content_type=found.media_type)
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return answer


def _opened(purpose: Purpose, token: str) -> str:
    found = site().tokens.open(purpose, token)
    if found is None:
        raise NotFound("This link is not one of ours, or was cut off. Use the whole address.")
    return found


sms_pages.register(blueprint, lambda token: _opened("order-manage", token))
