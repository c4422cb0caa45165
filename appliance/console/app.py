"""Puts the console together."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, g
from jinja2 import ChoiceLoader, FileSystemLoader
from werkzeug.middleware.proxy_fix import ProxyFix

from appliance.console import (
    api,
    badges,
    device_page,
    losses,
    machines,
    paper,
    preenrolment,
    quotas,
    repair,
    requests,
    sessions,
    shown,
    signing_in,
    stock,
)
from appliance.console.desk import Console
from appliance.web import bodies, pages, problems, request_log, screens, security
from appliance.web.chunked import Chunked
from appliance.web.languages import ENGLISH
from appliance.web.site import LOOPBACK
from appliance.web.tokens import Tokens
from mqtt_bridge.cloud.fleet_log import FleetLog
from mqtt_bridge.database import Database

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

TEMPLATES = Path(__file__).parent / "templates"
KEY_FILE = "console.key"


def create_app(
    database: Database,
    data: Path,
    *,
    fleet_log: FleetLog | None = None,
    copied: Path | None = None,
    metrics_from: tuple[str, ...] = LOOPBACK,
    proxies: tuple[str, ...] = LOOPBACK,
    clock: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> Flask:
    """Return the operator's application over a cloud database; ``data`` holds the key of its cookies.

    ``fleet_log`` lists seals outside the database, ``copied`` is the file that a good copy of the cloud leaves behind, ``metrics_from`` are the addresses that may read /metrics without a token, ``proxies`` those
    whose word is taken for who asks (each a single proxy, which writes ``X-Forwarded-For`` itself), ``clock`` returns wall-clock ms.
    """
    app = Flask("marquee-console", static_folder=None, template_folder=None)
    app.config.update(
        MAX_CONTENT_LENGTH=bodies.LARGEST_BODY,
        MAX_FORM_MEMORY_SIZE=bodies.LARGEST_BODY,
        MAX_FORM_PARTS=bodies.MOST_FORM_FIELDS,
    )
    app.wsgi_app = Chunked(app.wsgi_app, bodies.LARGEST_BODY)  # type: ignore[method-assign]
    app.wsgi_app = _Proxied(app.wsgi_app, proxies)  # type: ignore[method-assign]
    tokens = Tokens.from_file(data / KEY_FILE, lambda until_ms: clock() > until_ms)
    here = Console(database, tokens, clock, metrics_from, fleet_log, copied)
    here.install(app)
    screens.install(app)
    app.jinja_env.loader = ChoiceLoader([FileSystemLoader(TEMPLATES), FileSystemLoader(screens.TEMPLATES)])
    shown.install(app)
    app.jinja_env.globals.update(uncopied=here.uncopied)
    security.register(app)
    problems.register(app, pages.render_problem)
    app.before_request(_in_english)
    for blueprint in (
        signing_in.blueprint,
        badges.blueprint,
        stock.blueprint,
        api.blueprint,
        machines.blueprint,
        device_page.blueprint,
        losses.blueprint,
        paper.blueprint,
        preenrolment.blueprint,
        quotas.blueprint,
        repair.blueprint,
        requests.blueprint,
        sessions.blueprint,
    ):
        app.register_blueprint(blueprint)
    request_log.register(app)
    return app


class _Proxied:
    """Takes the word of a proxy for the address that asks, and nobody else's: sign-ins are limited and written down by it."""

    def __init__(self, app: WSGIApplication, proxies: tuple[str, ...]) -> None:
        self._app = app
        # The scheme is the server's to believe; the headers stay, so that figures are not told to whom a proxy speaks for.
        self._told = ProxyFix(app, x_for=1, x_proto=0)
        self._proxies = proxies

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer like the wrapped application."""
        app = self._told if environ.get("REMOTE_ADDR") in self._proxies else self._app
        return app(environ, start_response)


def _in_english() -> None:
    """Operators' words are the project's own; so is the language the page declares."""
    g.language = ENGLISH
