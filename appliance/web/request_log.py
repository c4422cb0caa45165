"""One log line and one count per request: the route's template, never the address itself, which may carry a token."""

from __future__ import annotations

import time
from typing import cast

import structlog
from flask import Flask, Response, g, request

from appliance.web.counters import OTHER, Counters

_EXTENSION = "marquee.counters"
_QUIET = ("/healthz", "/readyz", "/metrics", "/static/", "/assets/")
_log = structlog.get_logger("web")


def register(app: Flask) -> None:
    """Log and count every request of ``app``; call it after all routes are known."""
    labels = [
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if method != "OPTIONS"
    ]
    counters = Counters(labels)
    app.extensions[_EXTENSION] = counters

    @app.before_request
    def begin() -> None:
        g.began = time.perf_counter()

    @app.after_request
    def finish(response: Response) -> Response:
        seconds = time.perf_counter() - g.get("began", time.perf_counter())
        rule = request.url_rule.rule if request.url_rule is not None else ""
        counters.count(f"{request.method} {rule}" if rule else OTHER, response.status_code, seconds)
        quiet = rule.startswith(_QUIET) or g.get("quiet", False)
        write = _log.debug if quiet and response.status_code < 500 else _log.info
        facts = {"method": request.method, "route": rule or OTHER, "status": response.status_code}
        if "problem" in g:
            facts["problem"] = g.problem
        write("request", **facts, **g.get("facts", {}), ms=round(seconds * 1000, 1))
        return response


def note(**facts: object) -> None:
    """Add facts to this request's log line: codes and ids that only find, never what gives a right or names a person."""
    g.facts = {**g.get("facts", {}), **facts}


def counters_of(app: Flask) -> Counters:
    """Return what ``register`` made for ``app``."""
    return cast(Counters, app.extensions[_EXTENSION])
