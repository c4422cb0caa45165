"""One device: what it counts, how its link was, and every message it exchanged with the cloud."""

from __future__ import annotations

from flask import render_template, request

from appliance.console.charts import backlog_chart, stock_chart
from appliance.console.desk import console, operator_pages
from appliance.console.numbers import whole
from appliance.console.stock import span_h
from appliance.domain.errors import NotFound
from mqtt_bridge.cloud import message_log, samples
from mqtt_bridge.protocol.moments import HOUR_MS

blueprint = operator_pages("device", __name__)
PER_PAGE = 50


@blueprint.get("/devices/<name>")
def page(name: str) -> str:
    """Everything about one device; ``?direction=``, ``?life=`` and ``?before=`` leaf through its messages."""
    here = console()
    view = here.overview()
    device = next((each for each in view.devices if each.name == name), None)
    if device is None:
        msg = f"No device {name!r} is registered."
        raise NotFound(msg)
    direction: message_log.Direction = "down" if request.args.get("direction") == "down" else "up"
    subject = samples.of_device(name)
    with here.database.read() as db:
        hours = span_h(db, view.as_of_ms)
        since_ms = view.as_of_ms - hours * HOUR_MS
        series = samples.read(db, [subject], since_ms)[subject]
        lives = message_log.streams(db, name, direction)
        life = request.args.get("life", lives[0] if lives else "")
        entries = message_log.read(db, name, direction, life, whole(request.args.get("before", "")), PER_PAGE + 1)
    return render_template(
        "console/device.html",
        view=view,
        tab="stock.devices",
        device=device,
        shares=[(quota, each) for quota in view.quotas for each in quota.shares if each.device.name == name],
        stock=stock_chart(series, since_ms, view.as_of_ms),
        backlog=backlog_chart(series, since_ms, view.as_of_ms),
        span_h=hours,
        direction=direction,
        lives=lives,
        life=life,
        entries=entries[:PER_PAGE],
        older=entries[PER_PAGE - 1].seq if len(entries) > PER_PAGE else None,
    )
