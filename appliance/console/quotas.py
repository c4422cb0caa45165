"""Change a quota's limit: the price first, then the change, and never dearer than what was shown."""

from __future__ import annotations

from flask import g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from appliance.console.desk import console, operator_pages
from appliance.domain.errors import NotFound
from mqtt_bridge.cloud import price
from mqtt_bridge.cloud.limits import LARGEST_LIMIT, Dearer, change_limit, read
from mqtt_bridge.cloud.overview import Overview, QuotaView
from mqtt_bridge.cloud.price import LimitPrice, Situation

blueprint = operator_pages("quotas", __name__)
_LONGEST_NUMBER = len(str(LARGEST_LIMIT))


@blueprint.get("/quotas/<quota>")
def page(quota: str) -> str:
    """One quota; with ``?limit=`` also what that limit would cost."""
    view, found, at = _found(quota)
    asked = request.args.get("limit")
    if asked is None:
        return _page(view, found, at, done=request.args.get("done", "") == "1")
    new = _number(asked)
    if new is None:
        return _page(view, found, at, notice=f"Write a whole number from 0 to {LARGEST_LIMIT}.")
    try:
        return _page(view, found, at, cost=price.limit(at, new))
    except price.Refused as refusal:
        return _page(view, found, at, notice=f"This cannot be: {refusal}.")


@blueprint.post("/quotas/<quota>")
def change(quota: str) -> str | Response:
    """Set the limit at the price that was shown."""
    here = console()
    view, found, at = _found(quota)
    new, shown = (_number(request.form.get(name, "")) for name in ("limit", "shown"))
    if new is None or shown is None:
        return _page(view, found, at, notice=f"Write a whole number from 0 to {LARGEST_LIMIT}.")
    try:
        change_limit(here.database, quota, new, g.who, here.clock(), shown=shown)
    except price.Refused as refusal:
        return _page(view, found, at, notice=f"Nothing was changed: {refusal}.")
    except Dearer as dearer:
        return _page(
            view, found, at, cost=dearer.now, notice="Nothing was changed: meanwhile it costs more. Look again."
        )
    return redirect(url_for("quotas.page", quota=quota, done="1"), 303)


def _found(quota: str) -> tuple[Overview, QuotaView, Situation]:
    here = console()
    view = here.overview()
    with here.database.read() as db:
        at = read(db, quota, here.clock())
    found = next((each for each in view.quotas if each.id == quota), None)
    if found is None or at is None:
        raise NotFound("This quota is not on sale (any more).")
    return view, found, at


def _page(
    view: Overview,
    quota: QuotaView,
    at: Situation,
    *,
    cost: LimitPrice | None = None,
    notice: str = "",
    done: bool = False,
) -> str:
    aimed = at.limit if at.target is None else at.target
    gap = price.limit(at, at.target) if at.target is not None and at.target + at.extra >= at.sold else None
    return render_template(
        "console/quota.html",
        view=view,
        tab="stock.page",
        quota=quota,
        at=at,
        aimed=aimed,
        pending=gap,
        recalls={each.device: price.recall(at, each.device, each.free) for each in at.holdings},
        seals={each.device: price.seal(at, each.device) for each in at.holdings},
        release=price.release(at, at.doubt.covered) if at.doubt.covered else None,
        willing=price.optimistic(at, at.extra),
        cost=cost,
        notice=notice,
        done=done,
        largest=LARGEST_LIMIT,
        soon=_soon,
    )


def _soon(hours: float | None) -> str:
    """Say how long something is expected to take."""
    if hours is None:
        return "unknown"
    if hours == 0:
        return "within seconds"
    minutes = round(hours * 60)
    return f"about {minutes} min" if minutes < 90 else f"about {round(hours)} h"


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER else None
