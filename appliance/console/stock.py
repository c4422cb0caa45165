"""The operator's pages: stock of every quota, and the devices."""

from __future__ import annotations

from collections.abc import Callable

from flask import g, redirect, render_template, request, url_for
from sqlalchemy import Connection
from werkzeug.wrappers import Response

from appliance.console.charts import SPANS_H, Chart, fitting_span_h, stock_chart
from appliance.console.desk import console, operator_pages
from mqtt_bridge.cloud import samples
from mqtt_bridge.cloud.overview import Overview
from mqtt_bridge.cloud.store import lift_freeze
from mqtt_bridge.protocol.moments import HOUR_MS

blueprint = operator_pages("stock", __name__)


@blueprint.get("/")
def page() -> str:
    """Stock per quota and device, and what needs a person."""
    return _shown("console/stock.html", "stock.page", _stock_charts)


@blueprint.get("/devices")
def devices() -> str:
    """What is known of each device."""
    return _shown("console/devices.html", "stock.devices")


@blueprint.get("/alarms")
def alarms() -> str:
    """Contradictions a person works through."""
    return _shown("console/alarms.html", "stock.alarms")


@blueprint.post("/grant-again")
def grant_again() -> Response:
    """Lift a freeze: of one quota, or of everything without one."""
    here = console()
    lift_freeze(here.database, g.who, here.clock(), request.form.get("quota") or None)
    return redirect(url_for("stock.page"), 303)


Facts = dict[str, object]


def _shown(template: str, tab: str, more: Callable[[Overview], Facts] = lambda _view: {}) -> str:
    view = console().overview()
    return render_template(template, view=view, tab=tab, **more(view))


def span_h(db: Connection, now_ms: int) -> int:
    """The span of the charts: what the page was asked for, or what shows everything recorded."""
    asked = request.args.get("hours", "")
    if asked in {str(each) for each in SPANS_H}:
        return int(asked)
    return fitting_span_h(samples.oldest_ms(db), now_ms)


def _stock_charts(view: Overview) -> Facts:
    with console().database.read() as db:
        hours = span_h(db, view.as_of_ms)
        since_ms = view.as_of_ms - hours * HOUR_MS
        series = samples.read(db, (samples.of_quota(each.id) for each in view.quotas), since_ms)
    charts: dict[str, Chart] = {
        each.id: stock_chart(series[samples.of_quota(each.id)], since_ms, view.as_of_ms) for each in view.quotas
    }
    return {"charts": charts, "span_h": hours}
