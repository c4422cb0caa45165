"""The operator's sign-in: one field, limited per address, every attempt written down."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.console.desk import console
from appliance.domain.errors import LimitReached
from appliance.web.csrf import require_own_origin
from mqtt_bridge.cloud.store import Attempt, attempt_sign_in

LONGEST_TOKEN = 256
blueprint = Blueprint("signing_in", __name__)


@blueprint.get("/sign-in")
def form() -> Response | str:
    """Ask for the token."""
    return redirect(url_for("stock.page"), 303) if console().signed_in() else _page()


@blueprint.post("/sign-in")
def sign_in() -> tuple[str, int] | Response:
    """Take the token and set the cookie."""
    require_own_origin(strict=True)
    here = console()
    token = request.form.get("token", "").strip()[:LONGEST_TOKEN]
    outcome = attempt_sign_in(here.database, token, request.remote_addr or "", here.clock())
    if outcome is Attempt.TOO_MANY:
        raise LimitReached("Too many attempts from your address. Wait a minute and try again.", "sign_ins", 60)
    if outcome is Attempt.WRONG:
        return _page(
            "This token opens nothing here. On the cloud's host `sudo marquee-cloud operator-token` makes a new one."
        ), 401
    answer = redirect(url_for("stock.page"), 303)
    here.sign_in(answer, token)
    return answer


@blueprint.post("/sign-out")
def sign_out() -> Response:
    """End the sign-in and forget the cookie."""
    require_own_origin(strict=True)
    answer = redirect(url_for("signing_in.form"), 303)
    console().sign_out(answer)
    return answer


def _page(notice: str = "") -> str:
    return render_template("console/sign_in.html", notice=notice, tab="")
