"""Pages for staff: sign in, then door, sales and orders. One cookie, HttpOnly and SameSite=Strict; every form is bound to it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.errors import LimitReached, Unauthorised
from appliance.portal import (
    forms,
    staff_door,
    staff_frames,
    staff_guests,
    staff_messages,
    staff_more,
    staff_orders,
    staff_passkeys,
    staff_photos,
    staff_sell,
    staff_shifts,
)
from appliance.services import staff, staff_badges
from appliance.services.staff_views import StaffMemberView, StaffToken
from appliance.web import clients, cookies, csrf, training
from appliance.web.site import site
from appliance.web.texts import _
from mqtt_bridge.protocol import badges

COOKIE = staff_more.COOKIE
PATH = "/staff"
SEE_OTHER = 303
OPEN_TO_ALL = {"staff.sign_in", "staff.enter", "staff.sign_out", *staff_passkeys.OPEN_TO_ALL}

blueprint = Blueprint("staff", __name__, url_prefix=PATH, template_folder="templates")
staff_door.register(blueprint)
staff_sell.register(blueprint)
staff_orders.register(blueprint)
staff_more.register(blueprint)
staff_photos.register(blueprint)
staff_guests.register(blueprint)
staff_messages.register(blueprint)
staff_shifts.register(blueprint)
staff_passkeys.register(blueprint)
staff_frames.register(blueprint)


@blueprint.before_request
def require_sign_in() -> AnyResponse | None:
    """Let only signed-in staff beyond the sign-in page, and only forms that were made for them."""
    g.ways = ((url_for("staff.door"), _("Door")), (url_for("staff.orders"), _("Orders")))
    if request.endpoint in OPEN_TO_ALL:
        return None
    token = cookies.read(COOKIE)
    try:
        g.token = token
        g.member = training.member_of(token)
    except Unauthorised:
        return redirect(url_for("staff.sign_in"), SEE_OTHER)
    if request.method != "GET":
        csrf.check(site(), token, strict=True)
    return None


@blueprint.context_processor
def staff_fields() -> dict[str, Any]:
    """Give every template who is signed in, which tab is open and the hidden fields of a form."""
    member: StaffMemberView | None = g.get("member")
    token = cookies.read(COOKIE)
    return {
        "member": member,
        "tab": request.endpoint,
        "csrf": csrf.token(site(), token) if member else "",
        "key": forms.new_key(),
    }


@blueprint.get("/sign-in", endpoint="sign_in")
def show_sign_in() -> str:
    """The form for badge and PIN."""
    return _sign_in_page("", "")


def _sign_in_page(badge: str, notice: str) -> str:
    # What a card says stays on the card: only a typed name is shown again.
    shown = "" if badges.is_badge(badge) else badge
    seen, passkey = site().box.look(lambda unit: (staff_badges.seen(unit), staff_passkeys.offer(unit)))
    return render_template("staff/sign_in.html", badge=shown, notice=notice, seen=seen, passkey=passkey)


@blueprint.post("/sign-in", endpoint="enter")
def sign_in() -> AnyResponse:
    """Sign in; a wrong PIN says no more than that."""
    csrf.require_own_origin(strict=True)
    badge, pin = request.form.get("badge", "").strip(), request.form.get("pin", "")
    chosen = request.form.get("seen", "")
    if chosen and not badge:
        badge = site().box.look(lambda unit: staff_badges.text_of_seen(unit, chosen))
    try:
        entered = staff.sign_in(site().box, badge, pin, clients.address())
    except LimitReached as refusal:
        wait = _("Too many attempts. Wait some minutes, then try again.")
        return make_response(_sign_in_page(badge, wait), refusal.status)
    except Unauthorised as refusal:
        wrong = _("Badge and PIN do not fit together.")
        return make_response(_sign_in_page(badge, wrong), refusal.status)
    return _let_in(entered)


@blueprint.post("/sign-in/passkey", endpoint="enter_by_passkey")
def sign_in_by_passkey() -> AnyResponse:
    """Sign in with what a passkey answered; badge and PIN stand beside it on the page that says no."""
    csrf.require_own_origin(strict=True)
    try:
        return _let_in(staff_passkeys.enter())
    except LimitReached as refusal:
        wait = _("Too many attempts. Wait some minutes, then try again.")
        return make_response(_sign_in_page("", wait), refusal.status)
    except Unauthorised as refusal:
        wrong = _("This passkey is not good here now. Sign in with badge and PIN.")
        return make_response(_sign_in_page("", wrong), refusal.status)


def _let_in(entered: StaffToken) -> AnyResponse:
    _end(cookies.read(COOKIE))
    answer = redirect(url_for("staff.door"), SEE_OTHER)
    cookies.keep(answer, COOKIE, entered.token, entered.expires_in_s, PATH)
    return answer


def _end(token: str) -> None:
    """End a sign-in, and what was practised with it; whoever signs in anew has one, not two."""
    if token:
        site().box.run(lambda unit: staff.sign_out(unit, token))
        training.tidy()


@blueprint.post("/sign-out", endpoint="sign_out")
def sign_out() -> AnyResponse:
    """End the sign-in, also when it has ended by itself."""
    token = cookies.read(COOKIE)
    csrf.require_own_origin(strict=True)
    _end(token)
    answer: Response = make_response(redirect(url_for("staff.sign_in"), SEE_OTHER))
    cookies.forget(answer, COOKIE, PATH)
    return answer
