"""Holds on pages: place one, look at it, confirm it or give it back; every write is POST, then 303, then GET."""

from __future__ import annotations

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.client import Client
from appliance.domain.errors import HoldExpired, Invalid, LimitReached, Refusal, SaleClosed, SoldOut, SoldOutHere
from appliance.portal import forms, handover_pages, sms_pages, verify_pages
from appliance.portal.browse_pages import refused_form, slug_of_form, ways_back
from appliance.portal.page_tokens import opened
from appliance.portal.waiting_pages import url_of
from appliance.services import asking, booking, idempotency, sms
from appliance.services.box import Unit
from appliance.services.views import HoldView, OrderView
from appliance.web import clients, csrf
from appliance.web.site import site
from appliance.web.texts import _, language
from mqtt_bridge.protocol.ids import shown

SEE_OTHER = 303


def place_hold() -> AnyResponse:
    """Hold what the form says; sent twice, it leads to the same hold as long as that is open.

    Afterwards it is another wish: a phone may show a page, and with it the key of its form, long after the hold came to its end.
    """
    csrf.require_own_page()
    guest = clients.identify(site(), retry_key=request.form.get("key", ""))
    try:
        chosen = forms.items(request.form)
        fingerprint = forms.fingerprint(chosen)
        key = forms.key(request.form, fingerprint)

        def use_case(unit: Unit) -> tuple[int, bytes, bool]:
            def hold() -> tuple[int, bytes]:
                return 201, booking.place_hold(unit, guest.client, chosen).id.encode()

            def is_open(answer: bytes) -> bool:
                return booking.find_hold(unit, answer.decode()).state == "open"

            scope = f"form:{guest.client.id}"
            return idempotency.once_while(unit, scope, key, fingerprint, hold, lasts=is_open)

        _status, hold_id, _replayed = asking.run(site().box, use_case)
    except (Invalid, SaleClosed, SoldOut, SoldOutHere) as refusal:
        return refused_form(refusal, hold_notice(refusal))
    except LimitReached:
        g.ways = _ways_to_holds(guest.client) + ways_back(slug_of_form())
        raise
    return redirect(url_for("attendee.hold", token=site().tokens.mint("hold", hold_id.decode())), SEE_OTHER)


def _ways_to_holds(client: Client) -> tuple[tuple[str, str], ...]:
    """Return links to what a phone holds already: it cannot hold more before it finished or gave back one of these."""
    found = site().box.look(lambda unit: booking.open_holds(unit, client))
    words = [_("Your held tickets: %(code)s", code=shown(each.code)) for each in found]
    tokens = [site().tokens.mint("hold", each.id) for each in found]
    return tuple((url_for("attendee.hold", token=token), label) for token, label in zip(tokens, words, strict=True))


def hold_notice(refusal: Refusal) -> str:
    """Return what stands above the form whose tickets could not be had."""
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


def show_hold(token: str) -> AnyResponse:
    """A hold: running, over, given back, or the way to the tickets it became."""
    found = site().box.look(lambda unit: booking.find_hold(unit, opened("hold", token)))
    return _hold_page(found, token)


def _hold_page(found: HoldView, token: str, notice: str = "", status: int = 200) -> AnyResponse:
    if found.order is not None:
        return redirect(url_for("attendee.order", token=site().tokens.mint("order-manage", found.order)), SEE_OTHER)
    if found.state != "open" and found.entry is not None:
        return redirect(url_of(found.entry), SEE_OTHER)
    if found.state != "open":
        return make_response(_hold_over(found, notice), status)
    texts, by_text, elsewhere = site().box.look(
        lambda unit: (sms.offered(unit), sms.known(unit), handover_pages.section(unit, "hold", found.id, token))
    )
    page = render_template(
        "attendee/hold.html",
        hold=found,
        handover_to=elsewhere,
        token=token,
        zone=found.items[0].at.timezone,
        minutes=max(1, round(found.expires_in_ms / 60_000)),
        notice=notice,
        name=request.form.get("name", "")[:200],
        contact=request.form.get("contact", "")[:200],
        member=request.form.get("member", "")[:200],
        by_text=by_text,
        texts=not found.requested and not found.verify and texts,
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
    key = forms.new_key()
    return render_template("attendee/hold_over.html", hold=found, title=title, words=words or why, key=key)


def confirm(token: str) -> AnyResponse:
    """Turn a hold into tickets; sent twice, it leads to the same tickets."""
    csrf.require_own_origin()
    hold_id = opened("hold", token)
    g.ways = ((url_for("attendee.hold", token=token), _("Back")), *ways_back(None))
    name, contact, member = (request.form.get(each, "") for each in ("name", "contact", "member"))

    def use_case(unit: Unit) -> OrderView:
        speaks = language().code
        order = booking.confirm(unit, hold_id, name=name, contact=contact, member=member, language=speaks)
        sms_pages.ask_along(unit, order, number)
        verify_pages.send_along(unit, order)
        return order

    try:
        number = sms_pages.number_in(contact)
        order = asking.run(site().box, use_case)
    except Invalid as refusal:
        found = site().box.look(lambda unit: booking.find_hold(unit, hold_id))
        return _hold_page(found, token, _field_notice(refusal, found), refusal.status)
    except HoldExpired:
        # A waitlist offer whose time is over leads to its place in line, which says so; a hold given back, to itself.
        return redirect(url_for("attendee.hold", token=token), SEE_OTHER)
    except (SoldOut, SoldOutHere) as refusal:
        found = site().box.look(lambda unit: booking.find_hold(unit, hold_id))
        gone = _("Your time was up, and meanwhile others took the tickets. Try again soon, or choose others.")
        return _hold_page(found, token, gone, refusal.status)
    return redirect(url_for("attendee.order", token=site().tokens.mint("order-manage", order.id)), SEE_OTHER)


def _field_notice(refusal: Invalid, hold: HoldView) -> str:
    if hold.verify and refusal.facts.get("field") == "contact":
        return _("Write an address that can be reached: a code is sent to it.")
    fields = {
        "member": _("Write your member number."),
        "name": _("This name is too long or contains characters that cannot be shown."),
        "sms": _("For a text message, write your phone number above; or untick it."),
        "contact": _("This phone number or e-mail is too long or contains characters that cannot be shown."),
    }
    return fields.get(str(refusal.facts.get("field")), _("These tickets are not sold any more. Choose others."))


def release(token: str) -> AnyResponse:
    """Give a hold back."""
    csrf.require_own_origin()
    hold_id = opened("hold", token)
    try:
        site().box.run(lambda unit: booking.release_hold(unit, hold_id))
    except Invalid:
        pass  # it has become an order meanwhile: the hold's page leads there
    return redirect(url_for("attendee.hold", token=token), SEE_OTHER)


def register(blueprint: Blueprint) -> None:
    """Serve these pages."""
    blueprint.post("/holds", endpoint="place_hold")(place_hold)
    blueprint.get("/holds/<token>", endpoint="hold")(show_hold)
    blueprint.post("/holds/<token>/confirm", endpoint="confirm")(confirm)
    blueprint.post("/holds/<token>/release", endpoint="release")(release)
