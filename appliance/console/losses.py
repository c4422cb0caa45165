"""Lost devices and a restored cloud: what a decision costs, shown first, and the button that makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flask import g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.console.desk import console, operator_pages
from appliance.console.numbers import whole
from appliance.domain.errors import NotFound
from mqtt_bridge.cloud import losses
from mqtt_bridge.cloud.doubt import ReleaseRefused
from mqtt_bridge.cloud.losses import RestoreRefused, SealRefused
from mqtt_bridge.cloud.overview import QuotaView

blueprint = operator_pages("losses", __name__)
LONGEST_REASON = 200


@blueprint.get("/devices/<name>/seal")
def seal_page(name: str) -> str:
    """What sealing a device costs."""
    here = console()
    try:
        words = losses.price_of_seal(here.database, name, here.clock()).words(here.clock())
    except SealRefused as refusal:
        raise NotFound(f"{refusal}.") from refusal
    return _page("console/seal.html", "stock.devices", name=name, words=words)


@blueprint.post("/devices/<name>/seal")
def seal(name: str) -> Response:
    """Seal it."""

    def do() -> str:
        here, stolen = console(), request.form.get("stolen") == "yes"
        reason = request.form.get("reason", "")[:LONGEST_REASON]
        losses.seal_device(here.database, name, g.who, reason, here.clock(), stolen=stolen, log=here.fleet_log)
        return url_for("device.page", name=name)

    return _decided(do, lambda: url_for("device.page", name=name))


@blueprint.get("/quotas/<quota>/release")
def release_page(quota: str) -> str:
    """What is in doubt of a quota and, for ``?number=``, what releasing so much costs."""
    here = console()
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
def release(quota: str) -> Response:
    """Release so many at the price that was shown, unless less is in doubt by now."""

    def do() -> str:
        here = console()
        _quota(quota)
        number, shown = (whole(request.form.get(name, "")) or 0 for name in ("number", "shown"))
        losses.release_stock(here.database, quota, number, g.who, here.clock(), shown=shown)
        return url_for("stock.page")

    return _decided(do, lambda: url_for("losses.release_page", quota=quota, number=request.form.get("number", "")))


@blueprint.post("/confirm-restore")
def confirm_restore() -> Response:
    """Grant again after a restore, unless a device is missing."""

    def do() -> str:
        losses.confirm_restored(console().database, g.who, console().clock())
        return url_for("stock.page")

    return _decided(do, lambda: url_for("stock.page"))


def _decided(do: Callable[[], str], else_to: Callable[[], str]) -> Response:
    """Do what the operator decided; where it cannot be done any more, show the figures again."""
    try:
        return redirect(do(), 303)
    except (SealRefused, ReleaseRefused, RestoreRefused):
        return redirect(else_to(), 303)


def _page(template: str, tab: str, **facts: object) -> str:
    return render_template(template, view=console().overview(), tab=tab, **facts)
