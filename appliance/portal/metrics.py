"""/metrics for Prometheus: requests counted over all workers, everything else read from the rows at scrape time.

Guests must not see it: it is answered to the addresses of ``portal.metrics_from`` (default: this machine) and to staff. A
request that a proxy passed on for somebody else does not count as local, even where the proxy is not set up as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from appliance.domain.hardware import phones
from appliance.portal.api_calls import signed_in
from appliance.portal.routes import Route, Table
from appliance.services.gauges import GaugesView, gauges_view
from appliance.web import clients
from appliance.web.csrf import Forbidden
from appliance.web.request_log import counters_of
from appliance.web.site import site

ROUTE = Route(
    "GET",
    "/metrics",
    "metrics",
    "Figures for Prometheus; only for this machine and for staff",
    {200: {"type": "string"}},
    refusals=(401, 403),
    media_type="text/plain",
)
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-Ip")


class _Now:
    """A collector that gives what was read for one scrape."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def metrics() -> Response:
    """Answer a scrape."""
    require_watcher()
    view = site().box.look(gauges_view)
    registry = CollectorRegistry()
    registry.register(_Now([*_stock(view), *_rows(view), *_states(view), *counters_of(current_app).collect()]))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def require_watcher() -> None:
    """Raise ``Forbidden`` or ``Unauthorised`` unless the caller may read figures."""
    here = site()
    if request.headers.get("Authorization"):
        signed_in()
        return
    passed_on = not here.settings.behind_proxy and any(name in request.headers for name in _FORWARDED)
    if passed_on or clients.address() not in here.settings.metrics_from:
        msg = "Figures are for this machine and for staff. Send a staff bearer, or add your address to portal.metrics_from."
        raise Forbidden(msg)


def _stock(view: GaugesView) -> Iterator[Metric]:
    totals = CounterMetricFamily(
        "marquee_stock", "Monotone totals of a quota in this epoch.", labels=["quota", "total"]
    )
    now = GaugeMetricFamily(
        "marquee_stock_now", "Tickets of a quota: available, or in open holds.", labels=["quota", "what"]
    )
    for each in view.stock:
        for name in each.totals.__struct_fields__:
            totals.add_metric([each.quota, name], getattr(each.totals, name))
        now.add_metric([each.quota, "available"], each.available)
        now.add_metric([each.quota, "held"], each.held)
    yield totals
    yield now


def _rows(view: GaugesView) -> Iterator[Metric]:
    yield _gauge("marquee_holds", "Holds.", ("state",), {(state,): number for state, number in view.holds.items()})
    yield _gauge("marquee_orders", "Orders.", ("status", "payment"), view.orders)
    entries = {(state,): number for state, number in view.waitlist.items()}
    yield _gauge("marquee_waitlist", "Waitlist entries.", ("state",), entries)
    yield _gauge("marquee_check_ins", "Scans.", ("verdict", "reason"), view.check_ins)
    jobs = {(state,): number for state, number in view.print_jobs.items()}
    yield _gauge("marquee_print_jobs", "Print jobs.", ("state",), jobs)
    messages = {(state,): number for state, number in view.text_messages.items()}
    yield _gauge("marquee_text_messages", "Text messages to guests.", ("state",), messages)
    phones = CounterMetricFamily(
        "marquee_phones",
        "Phones that came so far with an event: seen, held, confirmed, admitted.",
        labels=["event", "experiment", "variant", "stage"],
    )
    for count in view.conversion:
        phones.add_metric([count.event, count.experiment, count.variant, count.stage], count.phones)
    yield phones
    states = {(each.name, each.state): 1 for each in view.hardware}
    yield _gauge("marquee_hardware", "1 for the state a device is in.", ("name", "state"), states)
    since = {(each.name,): each.since_ms / 1000 for each in view.hardware}
    yield _gauge("marquee_hardware_since_timestamp_seconds", "When that state began.", ("name",), since)
    seen = {(each.name,): each.seen_at_ms / 1000 for each in view.hardware}
    yield from _hotspot(view)
    yield _gauge("marquee_hardware_seen_timestamp_seconds", "When the desk last said so.", ("name",), seen)


def _hotspot(view: GaugesView) -> Iterator[Metric]:
    seen = next((found for each in view.hardware if (found := phones(each.name, each.reason)) is not None), None)
    if seen is None:
        return
    figures = {("phones",): seen.phones, ("limit",): seen.limit, ("refused",): seen.refused}
    yield _gauge(
        "marquee_hotspot", "Phones on the guests' Wi-Fi, how many fit, others turned away.", ("what",), figures
    )


def _states(view: GaugesView) -> Iterator[Metric]:
    yield _gauge("marquee_outbox_messages", "Messages the cloud has not acknowledged.", (), {(): view.unsynced})
    yield _gauge(
        "marquee_outbox_oldest_seconds", "Age of the oldest of them.", (), {(): view.oldest_unsynced_ms / 1000}
    )
    yield _gauge("marquee_catalogue_version", "Version of the catalogue.", (), {(): view.catalogue_version})
    yield _gauge(
        "marquee_cloud_state_timestamp_seconds", "When the cloud last spoke.", (), {(): view.state_as_of_ms / 1000}
    )
    flags = {"link_up": view.link_up, "clock_trusted": view.clock_trusted, "frozen": view.frozen, "door": view.door}
    yield _gauge("marquee_device", "1 if it is so.", ("what",), {(name,): int(value) for name, value in flags.items()})


def _gauge(name: str, words: str, labels: tuple[str, ...], values: Mapping[Any, float]) -> Metric:
    family = GaugeMetricFamily(name, words, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def blueprint(table: Table) -> Blueprint:
    """Return the one route."""
    watched = Blueprint("metrics", __name__)
    table.add(watched, ROUTE, metrics)
    return watched
