"""Puts the portal together."""

from __future__ import annotations

from flask import Blueprint, Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from appliance.portal import (
    api,
    attendee,
    captive,
    health,
    internal,
    metrics,
    openapi,
    phone_pages,
    problem_pages,
    styleguide,
    waiting_pages,
    way_to_staff,
)
from appliance.portal.routes import Table
from appliance.services.box import Box
from appliance.web import bodies, branding, pages, problems, proxied, request_log, screens, security, site
from appliance.web.chunked import Chunked
from appliance.web.site import WebSettings


def create_app(box: Box, web: WebSettings) -> Flask:
    """Return the portal of one venue as a WSGI application."""
    app = Flask("marquee", static_folder=None, template_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=bodies.LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=bodies.LARGEST_BODY,
        MAX_FORM_PARTS=bodies.MOST_FORM_FIELDS,
    )
    app.wsgi_app = Chunked(app.wsgi_app, bodies.LARGEST_BODY)  # type: ignore[method-assign]
    if web.behind_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    proxied.install(app, behind_proxy=web.behind_proxy)
    site.install(app, box, web)
    screens.install(app)
    branding.install(app)
    security.register(app)
    problems.register(app, pages.render_problem)
    for blueprint in (
        *programs(Table(staff=web.staff)),
        captive.pages,
        problem_pages.blueprint,
        attendee.blueprint,
        waiting_pages.blueprint,
        phone_pages.blueprint,
        internal.blueprint,
    ):
        app.register_blueprint(blueprint)
    if web.staff:
        from appliance.portal import staff

        app.register_blueprint(staff.blueprint)
    else:
        app.register_blueprint(way_to_staff.blueprint)
    if web.styleguide:
        app.register_blueprint(styleguide.blueprint)
    captive.install(app)
    request_log.register(app)
    return app


def programs(table: Table) -> tuple[Blueprint, ...]:
    """Return the blueprints that programs talk to, with every route entered in ``table``."""
    return (
        api.blueprint(table),
        health.blueprint(table),
        metrics.blueprint(table),
        captive.blueprint(table),
        openapi.blueprint(table),
    )
