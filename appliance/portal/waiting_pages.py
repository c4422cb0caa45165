"""Waiting for tickets, for guests: join with one tap, look at your place, take the offer or leave. No cookies, no JavaScript.

``/waitlist/<token>`` is the place in line itself: its address carries the right to it, like a hold's.
"""

from __future__ import annotations

from flask import Blueprint, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.errors import Invalid, LimitReached, Refusal, SaleClosed
from appliance.portal import forms, handover_pages
from appliance.portal.browse_pages import refused_form, slug_of_form, ways_back
from appliance.portal.page_tokens import opened
from appliance.services import idempotency, waitlist
from appliance.services.box import Unit
from appliance.services.views import EntryView
from appliance.web import clients, csrf
from appliance.web.site import site
from appliance.web.texts import _, plural
from mqtt_bridge.protocol.waitlist import OPEN

blueprint = Blueprint("waiting", __name__, template_folder="templates")
SEE_OTHER = 303


@blueprint.post("/waitlist", endpoint="join")
def join() -> AnyResponse:
    """Join the line for what the form says; sent twice, and to a phone that waits already, it leads to the same place."""
    csrf.require_own_page()
    guest = clients.identify(site(), retry_key=request.form.get("key", ""))
    g.ways = ways_back(slug_of_form())
    try:
        chosen = forms.items(request.form)
        fingerprint = forms.fingerprint(chosen)
        key = forms.key(request.form, f"wait {fingerprint}")
    except Invalid as refusal:
        return refused_form(refusal, _notice(refusal))

    def use_case(unit: Unit) -> tuple[int, bytes, bool]:
        def wait() -> tuple[int, bytes]:
            return 201, waitlist.join(unit, guest.client, chosen).id.encode()

        def is_open(answer: bytes) -> bool:
            return waitlist.look(unit, answer.decode()).state in OPEN

        return idempotency.once_while(unit, f"form:{guest.client.id}", key, fingerprint, wait, lasts=is_open)

    try:
        _status, entry, _replayed = site().box.run(use_case)
    except (Invalid, SaleClosed) as refusal:
        return refused_form(refusal, _notice(refusal))
    except LimitReached as refusal:
        waits = site().box.look(lambda unit: waitlist.open_entries(unit, guest.client))
        if refusal.facts.get("limit") == "waitlist_per_client":
            kinds = site().box.look(lambda unit: unit.catalogue.ticket_type)
            quota = kinds[chosen[0].ticket_type].kind.quota
            return redirect(url_of(next(each.id for each in waits if each.items[0].type.quota == quota)), SEE_OTHER)
        places = tuple((url_of(each.id), _("Your place on the waitlist")) for each in waits)
        g.ways = (*places, *g.ways)
        raise
    return redirect(url_of(entry.decode()), SEE_OTHER)


def url_of(entry: str) -> str:
    """Return the address of a place in line."""
    return url_for("waiting.entry", token=site().tokens.mint("waitlist", entry))


def _notice(refusal: Refusal) -> str:
    """Return what stands above the form of what nobody can wait for; what is on sale by now can be booked there."""
    if isinstance(refusal, SaleClosed):
        return _("Some of these tickets are not on sale now.")
    if "available" in refusal.facts:
        return _("These tickets are on sale right now: book them instead of waiting.")
    if "most" in refusal.facts:
        return plural(
            "There is only %(num)s such ticket in all. Choose fewer.",
            "There are only %(num)s such tickets in all. Choose fewer.",
            refusal.facts["most"],
        )
    fields = {"items": _("Choose at least one ticket."), "quantity": _("Choose a number of tickets.")}
    return fields.get(str(refusal.facts.get("field")), _("Reload this page and try again."))


@blueprint.get("/waitlist/<token>", endpoint="entry")
def show(token: str) -> AnyResponse:
    """A place in line: waiting, offered, over, or the way to the tickets it became."""
    entry = opened("waitlist", token)

    def query(unit: Unit) -> tuple[EntryView, float, handover_pages.Section]:
        elsewhere = handover_pages.section(unit, "waitlist", entry, token)
        return waitlist.look(unit, entry), unit.catalogue.limits.offer_minutes, elsewhere

    found, minutes, elsewhere = site().box.look(query)
    if found.order is not None:
        return redirect(url_for("attendee.order", token=site().tokens.mint("order-manage", found.order)), SEE_OTHER)
    left_ms = found.hold.expires_in_ms if found.hold is not None else 0
    page = render_template(
        "attendee/waiting.html",
        entry=found,
        token=token,
        offer=None if found.hold is None else site().tokens.mint("hold", found.hold.id),
        zone=found.items[0].at.timezone,
        offer_minutes=minutes,
        minutes=max(1, round(left_ms / 60_000)),
        over=_over(found),
        handover_to=elsewhere,
    )
    return make_response(page)


def _over(found: EntryView) -> tuple[str, str]:
    """Return (title, words) for a place that has come to its end."""
    texts = {
        "lapsed": (
            _("Your offer is over"),
            _("Its time ran out, and the tickets went to the next in line. You may join again, at the end."),
        ),
        "left": (_("You left the waitlist"), _("Nothing is kept for you. You may join again, at the end.")),
        "closed": (_("This waitlist is closed"), _("No more tickets can come free for this date.")),
    }
    return texts.get(found.state, ("", ""))


@blueprint.post("/waitlist/<token>/leave", endpoint="leave")
def leave(token: str) -> AnyResponse:
    """Leave the line, or give the offer back."""
    csrf.require_own_origin()
    entry = opened("waitlist", token)
    try:
        site().box.run(lambda unit: waitlist.leave(unit, entry))
    except Invalid:
        pass  # it has become an order meanwhile: the page leads there
    return redirect(url_for("waiting.entry", token=token), SEE_OTHER)
