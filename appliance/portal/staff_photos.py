"""Photos of guests who agreed: asked for, shown to signed-in staff alone, deleted."""

from __future__ import annotations

from flask import Blueprint, after_this_request, g, make_response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.errors import Invalid
from appliance.portal import forms
from appliance.services import idempotency, photos
from appliance.services.box import Unit
from appliance.services.staff_views import PhotoView, SearchView
from appliance.services.views import OrderView
from appliance.web.site import site
from appliance.web.texts import _

SEE_OTHER = 303
LOOK_AGAIN_S = 2


def register(blueprint: Blueprint) -> None:
    """Serve photos below ``blueprint``."""
    blueprint.add_url_rule("/photos", "photos", take, methods=["POST"])
    blueprint.add_url_rule("/photos/<photo_id>.jpg", "photo", show)
    blueprint.add_url_rule("/photos/<photo_id>/small.jpg", "small_photo", show_small)
    blueprint.add_url_rule("/photos/<photo_id>/deletion", "delete_photo", delete, methods=["POST"])


def beside(order: OrderView | None) -> tuple[dict[str, PhotoView], bool]:
    """Return the photos of an order's tickets, and whether there is a camera; a page that waits for one looks again by itself."""
    if order is None:
        return {}, False
    tickets = [each.id for each in order.tickets]
    found, camera = site().box.look(lambda unit: (photos.of_tickets(unit, tickets), photos.offered(unit)))
    if any(each.state == "wanted" for each in found.values()):
        again = f"{LOOK_AGAIN_S};url={url_for('staff.orders', code=order.code)}"

        @after_this_request
        def look_again(answer: AnyResponse) -> AnyResponse:
            answer.headers["Refresh"] = again
            return answer

    return found, camera


def faces(found: SearchView | None) -> dict[str, str]:
    """Return the ids of the photos there are of the tickets of all orders found, by ticket."""
    tickets = [ticket.id for order in found.orders for ticket in order.tickets] if found is not None else []
    return site().box.look(lambda unit: photos.taken(unit, tickets)) if tickets else {}


def take() -> AnyResponse:
    """Ask for a photo of a ticket's holder who agreed; the same form sent twice asks once."""
    code, ticket, badge = request.form.get("code", ""), request.form.get("ticket", ""), g.member.badge
    if request.form.get("agreed") != "yes":
        raise Invalid(_("Ask the guest first, then tick that they agreed."), field="agreed")
    key = forms.key(request.form, f"photo {ticket}")

    def use_case(unit: Unit) -> tuple[int, bytes, bool]:
        def act() -> tuple[int, bytes]:
            return 200, photos.ask(unit, ticket, badge, agreed=True).id.encode()

        return idempotency.once(unit, f"form:staff:{badge}", key, key, act)

    site().box.run(use_case)
    return redirect(url_for("staff.orders", code=code), SEE_OTHER)


def show(photo_id: str) -> AnyResponse:
    """A photo; kept by no browser and no proxy."""
    return _picture(photo_id, small=False)


def show_small(photo_id: str) -> AnyResponse:
    """The same for lists."""
    return _picture(photo_id, small=True)


def _picture(photo_id: str, *, small: bool) -> AnyResponse:
    answer = make_response(site().box.look(lambda unit: photos.picture(unit, photo_id, small=small)))
    answer.headers["Content-Type"] = "image/jpeg"
    answer.headers["Cache-Control"] = "private, no-store"
    return answer


def delete(photo_id: str) -> AnyResponse:
    """Delete a photo for good."""
    site().box.run(lambda unit: photos.delete(unit, photo_id, g.member.badge))
    return redirect(url_for("staff.orders", code=request.form.get("code", "")), SEE_OTHER)
