"""Is this process alive, and can this device sell?"""

from __future__ import annotations

from flask import Blueprint, Response

from appliance.portal.api_answers import Health, Readiness
from appliance.portal.routes import Route, Table
from appliance.services.readiness import OK, readiness
from appliance.web import bodies
from appliance.web.site import site

ALIVE = Route("GET", "/healthz", "healthz", "The process answers", {200: Health})
READY = Route(
    "GET", "/readyz", "readyz", "The device can sell: database, schema, catalogue", {200: Readiness, 503: Readiness}
)


def alive() -> Response:
    """Answer without touching anything that may be broken."""
    return bodies.answer(Health("ok"))


def ready() -> Response:
    """Answer 503 with what is wrong unless every check is well."""
    checks = readiness(site().box.database)
    good = all(each == OK for each in checks.values())
    return bodies.answer(Readiness("ready" if good else "not_ready", checks), 200 if good else 503)


def blueprint(table: Table) -> Blueprint:
    """Return both routes."""
    health = Blueprint("health", __name__)
    table.add(health, ALIVE, alive)
    table.add(health, READY, ready)
    return health
