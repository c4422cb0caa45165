"""Lost devices and a restored cloud: what a decision costs, shown first, and the button that makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flask import Blueprint, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.console.desk import console
from appliance.console.numbers import whole
from appliance.domain.errors import NotFound
from appliance.web.csrf import require_own_origin
from mqtt_bridge.cloud import losses
from mqtt_bridge.cloud.doubt import ReleaseRefused
from mqtt_bridge.cloud.losses import RestoreRefused, SealRefused
from mqtt_bridge.cloud.overview import QuotaView

blueprint = Blueprint("losses", __name__)
LONGEST_REASON = 200


@blueprint.get("/devices/<name>/seal")
def seal_page(name: str) -> str | Response:
    """What sealing a device costs."""
    here = console()
    if not here.signed_in():
        return redirect(url_for("signing_in.form"), 303)
    try:
        words = losses.price_of_seal(here.database, name, here.clock()).words(here.clock())
    except SealRefused as refusal:
        raise NotFound(f"{refusal}.") from refusal
    return _page("console/seal.html", "stock.devices", name=name, words=words)


@blueprint.post("/devices/<name>/seal")
def seal(name: str) -> str | Response:
    """Seal it."""

    def do(who: str) -> str:
        here, stolen = console(), request.form.get("stolen") == "yes"
        reason = request.form.get("reason", "")[:LONGEST_REASON]
        losses.seal_device(here.database, name, who, reason, here.clock(), stolen=stolen, log=here.fleet_log)
        return url_for("device.page", name=name)

    return _decided(do, lambda: url_for("device.page", name=name))


@blueprint.get("/quotas/<quota>/release")
def release_page(quota: str) -> str | Response:
    """What is in doubt of a quota and, for ``?number=``, what releasing so much costs."""
    here = console()
    if not here.signed_in():
        return redirect(url_for("signing_in.form"), 303)
    number = whole(request.args.get("number", ""))
    found = _quota(quota)
    words: Iterable[str] = ()
    could_oversell, notice = 0, ""
    if number is not None:
        try:
            price = losses.price_of_release(here.database, quota, number)
            words, could_oversell = price.words(), price.could_oversell
        except ReleaseRefused as refusal:
            notice = f"{refusal}."
    facts = {"number": number, "words": words, "could_oversell": could_oversell, "notice": notice}
    return _page("console/release.html", "stock.page", quota=found, **facts)


def _quota(quota: str) -> QuotaView:
    found = next((each for each in console().overview().quotas if each.id == quota), None)
    if found is None:
        raise NotFound("There is no such quota (any more).")
    return found


@blueprint.post("/quotas/<quota>/release")
def release(quota: str) -> str | Response:
    """Release so many at the price that was shown, unless less is in doubt by now."""

    def do(who: str) -> str:
        here = console()
        _quota(quota)
        number, shown = (whole(request.form.get(name, "")) or 0 for name in ("number", "shown"))
        losses.release_stock(here.database, quota, number, who, here.clock(), shown=shown)
        return url_for("stock.page")

    return _decided(do, lambda: url_for("losses.release_page", quota=quota, number=request.form.get("number", "")))


@blueprint.post("/confirm-restore")
def confirm_restore() -> str | Response:
    """Grant again after a restore, unless a device is missing."""

    def do(who: str) -> str:
        losses.confirm_restored(console().database, who, console().clock())
        return url_for("stock.page")

    return _decided(do, lambda: url_for("stock.page"))


def _decided(do: Callable[[str], str], else_to: Callable[[], str]) -> Response:
    """Do what a signed-in operator decided; where it cannot be done any more, show the figures again."""
    require_own_origin(strict=True)
    who = console().signed_in()
    if not who:
        return redirect(url_for("signing_in.form"), 303)
    try:
        return redirect(do(who), 303)
    except (SealRefused, ReleaseRefused, RestoreRefused):
        return redirect(else_to(), 303)


def _page(template: str, tab: str, **facts: object) -> str:
    return render_template(template, view=console().overview(), tab=tab, **facts)
