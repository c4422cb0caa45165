"""What monitoring asks: alive, ready, and figures for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from flask import Blueprint, Response, current_app, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from sqlalchemy.exc import SQLAlchemyError

from appliance.console.desk import console, require_bearer
from appliance.web import bodies
from appliance.web.request_log import counters_of
from mqtt_bridge.cloud.copied import copied_ms
from mqtt_bridge.cloud.overview import Overview
from mqtt_bridge.cloud.store import tables_are_current

_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-Ip")
blueprint = Blueprint("machines", __name__)


@blueprint.get("/healthz")
def alive() -> Response:
    """Answer without touching anything that may be broken."""
    return bodies.answer({"status": "ok"})


@blueprint.get("/readyz")
def ready() -> Response:
    """Answer 503 unless the database can be read and has this version's tables."""
    try:
        with console().database.read() as db:
            words = (
                "ok" if tables_are_current(db) else "run the reconciler of this version once: it upgrades the tables"
            )
    except (SQLAlchemyError, OSError) as error:
        words = f"cannot be read: {type(error).__name__}"
    good = words == "ok"
    return bodies.answer(
        {"status": "ready" if good else "not_ready", "checks": {"database": words}}, 200 if good else 503
    )


@blueprint.get("/metrics")
def metrics() -> Response:
    """Figures, for this machine and for operators only."""
    here = console()
    passed_on = any(name in request.headers for name in _FORWARDED)
    if passed_on or request.remote_addr not in here.metrics_from:
        require_bearer()
    registry = CollectorRegistry()
    registry.register(_Now([*_stock(here.overview()), *_copies(here.copied), *counters_of(current_app).collect()]))
    return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class _Now:
    """A collector that gives what was read for one scrape."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return iter(self._families)


def _copies(file: Path | None) -> Iterator[Metric]:
    if file is not None:
        words = "When the last good copy of the cloud was made, 0 if none was."
        yield GaugeMetricFamily("marquee_copied_timestamp_seconds", words, copied_ms(file) / 1000)


def _running(view: Overview) -> Iterator[Metric]:
    """What runs where, as each device last said it."""
    labels = ["device", "image", "program", "slot"]
    systems = GaugeMetricFamily("marquee_cloud_system", "1 for what a device runs.", labels=labels)
    slots = GaugeMetricFamily("marquee_cloud_slot", "1 where it is so of a device's slots.", labels=["device", "what"])
    for device in view.devices:
        if (now := device.running()) is None:
            continue
        systems.add_metric([device.name, now.image, now.program, now.slot], 1)
        if now.slot:
            for what, is_so in (("trial", now.trial), ("went_back", now.went_back is not None), ("alone", now.alone)):
                slots.add_metric([device.name, what], int(is_so))
    yield systems
    yield slots


def _stock(view: Overview) -> Iterator[Metric]:
    quotas = GaugeMetricFamily("marquee_quota", "Tickets of a quota.", labels=["quota", "what"])
    totals = CounterMetricFamily("marquee_allocation", "Monotone totals.", labels=["quota", "device", "total"])
    for quota in view.quotas:
        for what in ("limit", "extra", "pool", "sold", "held", "free", "in_doubt", "requested", "oversold"):
            quotas.add_metric([quota.id, what], getattr(quota, what))
        for share in quota.shares:
            for name, value in msgspec.structs.asdict(share.totals).items():
                totals.add_metric([quota.id, share.device.name, name], value)
    yield quotas
    yield totals
    devices = GaugeMetricFamily("marquee_cloud_device", "A device as the cloud sees it.", labels=["device", "what"])
    for device in view.devices:
        devices.add_metric([device.name, "present"], int(device.present(view.as_of_ms)))
        devices.add_metric([device.name, "unsynced"], device.unsynced)
        devices.add_metric([device.name, "downlink_waiting"], view.waiting.get(device.name, 0))
        devices.add_metric([device.name, "last_seen_timestamp_seconds"], (device.last_seen_ms or 0) / 1000)
    yield devices
    yield from _running(view)
    yield GaugeMetricFamily("marquee_undecided", "Contradictions that wait for a decision.", view.undecided)
    listed = GaugeMetricFamily("marquee_alarms", "Alarms listed.", labels=["kind"])
    for kind in sorted({each.kind for each in view.alarms}):
        listed.add_metric([kind], sum(each.count for each in view.alarms if each.kind == kind))
    yield listed
    yield GaugeMetricFamily("marquee_grants_frozen", "1 if nothing is granted at all.", int(bool(view.frozen)))
