"""The setup page. Every other address leads to it, so that a phone's captive window finds it too."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from threading import Lock

from flask import Flask, Response, g, redirect, render_template, request
from jinja2 import ChoiceLoader, FileSystemLoader
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.pins import verify_pin
from appliance.domain.setup import Setup
from appliance.services.setting_up import read_setup
from appliance.setup.words import words_for
from appliance.web import bodies, csrf, pages, problems, proxied, request_log, screens, security
from appliance.web.chunked import Chunked
from appliance.web.problems import Problem
from appliance.web.texts import PARAMETER, _, chosen

TEMPLATES = Path(__file__).parent / "templates"
PAGE = "/setup"
LARGEST_BODY = 4_096
LONGEST_PIN = 64
WRONG_PINS, WINDOW_S = 5, 300.0
_MACHINES = ("/api/", "/.well-known/", "/metrics")


def create_app(
    data: Path, *, public_url: str = "", behind_proxy: bool = False, clock: Callable[[], float] = time.monotonic
) -> Flask:
    """Return the application over a device's data folder; ``public_url`` is what phones are sent to, ``clock`` counts seconds."""
    app = Flask("marquee-setup", static_folder=None, template_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=LARGEST_BODY, MAX_FORM_MEMORY_SIZE=LARGEST_BODY, MAX_FORM_PARTS=20)
    app.wsgi_app = Chunked(app.wsgi_app, LARGEST_BODY)  # type: ignore[method-assign]
    if behind_proxy:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
    proxied.install(app, behind_proxy=behind_proxy)
    screens.install(app)
    app.jinja_env.loader = ChoiceLoader([FileSystemLoader(TEMPLATES), FileSystemLoader(screens.TEMPLATES)])
    security.register(app)
    problems.register(app, pages.render_problem)
    pins = _Pins(clock)

    def now() -> Setup:
        return read_setup(data) or Setup("no_file")

    @app.get("/healthz")
    def alive() -> Response:
        return bodies.answer({"status": "ok"})

    @app.get("/readyz")
    def ready() -> Response:
        return bodies.answer({"status": "not_ready", "checks": {"setup": now().step}}, 503)

    @app.get(PAGE)
    def page() -> str:
        return _page(now())

    @app.post(PAGE)
    def particulars() -> str:
        csrf.require_own_page()
        setup = now()
        notice = pins.objection(request.form.get("pin", "")[:LONGEST_PIN], setup.pin) if setup.pin else ""
        return _page(setup, opened=not notice, notice=notice)

    @app.before_request
    def lead_here() -> AnyResponse | None:
        if request.endpoint is not None:
            return None
        if request.path.startswith(_MACHINES):
            g.problem = "busy"
            return problems.answer(Problem("busy", 503, "This box office is being set up.", {}, {"Retry-After": "60"}))
        wanted = chosen()
        return redirect(f"{public_url}{PAGE}{f'?{PARAMETER}={wanted}' if wanted else ''}", 302)

    request_log.register(app)
    return app


def _page(setup: Setup, *, opened: bool = False, notice: str = "") -> str:
    title, todo = words_for(setup.step)
    # Who has no PIN to show has to see what is wrong all the same; none of it is secret.
    shown = setup.problems if opened or not setup.pin else ()
    return render_template(
        "setup/page.html", setup=setup, title=title, todo=todo, shown=shown, opened=opened, notice=notice
    )


class _Pins:
    """Checks PINs, five wrong ones in five minutes at most, whoever sends them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock, self._wrong = clock, Lock(), deque[float](maxlen=WRONG_PINS)

    def objection(self, pin: str, stored: str) -> str:
        """Return why this PIN opens nothing, empty if it does."""
        # One at a time: each costs some tenths of a second on purpose.
        with self._lock:
            now_s = self._clock()
            if len(self._wrong) == WRONG_PINS and now_s - self._wrong[0] < WINDOW_S:
                return _("Too many wrong PINs. Wait five minutes.")
            if verify_pin(pin, stored):
                return ""
            self._wrong.append(now_s)
            return _("That PIN is wrong.")
