"""The demo page: every venue at a glance, with the switches a person would otherwise need a screwdriver for.

Answers on loopback only and to its own name only, because it shows the demo's tokens.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Self

import msgspec
from flask import Flask, Response, abort, redirect, render_template, request, url_for
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from appliance.demo import ports
from appliance.demo.children import Family
from appliance.demo.crowd import Crowd
from appliance.demo.devices import Simulated
from appliance.demo.state import Reader, ScanState, scan_state
from appliance.demo.town import Town
from appliance.demo.truth import Auditor
from appliance.demo.venue import LANES, DemoVenue
from appliance.domain.errors import Invalid, NotFound
from appliance.services import door
from appliance.web import bodies, problems, security
from drivers.errors import DeviceError
from drivers.lamp.api import Button

VERDICT_S = 3.0
LONGEST_CODE = 2000
LOOKED_THROUGH = 16
_POLL_S = 0.05
_STOP_S = 2.0


class LinkSwitch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cut or heal a venue's link."""

    up: bool


class ScanRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hold a code before the scanner of a lane."""

    code: str
    lane: int = 1


class DeviceSwitch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Break a piece of hardware in one way, or mend it."""

    fault: str | None


class Press(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Press a button at the lamp of a lane."""

    button: str
    lane: int = 1


class CrowdSwitch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Let visitors book everywhere, or send them home."""

    on: bool


class Crashed(msgspec.Struct, frozen=True):
    """Whose processes were killed."""

    crashed: str


class Scanned(msgspec.Struct, frozen=True):
    """What came of a scan; None if the desk did not answer in time (it may be starting again)."""

    scan: ScanState | None


def create_app(town: Town, family: Family, crowd: Crowd, auditor: Auditor) -> Flask:
    """Return the demo page of a town."""
    app = Flask("appliance.demo", static_url_path="/static")
    app.config["MAX_CONTENT_LENGTH"] = bodies.LARGEST_BODY
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    problems.register(app)
    security.register(app)
    app.before_request(_only_from_here)
    reader = Reader(town.venues, crowd, auditor, town.mailbox)
    _add_api(app, town, family, reader)
    _add_trouble(app, town, family, crowd, reader)
    _add_forms(app, town, family, reader)
    return app


def _only_from_here() -> None:
    """A page elsewhere must not reach us through a name of its own, nor post to us through the reader's browser."""
    if request.host.partition(":")[0] not in {ports.HOST, "localhost"}:
        abort(403, f"Open this page as http://{ports.HOST}.")
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin is not None and origin != request.host_url.rstrip("/"):
        abort(403, "This came from another site.")


def _add_api(app: Flask, town: Town, family: Family, reader: Reader) -> None:
    @app.get("/demo/v1/state")
    def state() -> Response:
        return bodies.answer(reader.read(family.pids()))

    @app.post("/demo/v1/venues/<int:k>/link")
    def link(k: int) -> Response:
        venue, switch = _venue(town, k), bodies.read(LinkSwitch)
        set_link(venue, up=switch.up)
        reader.forget()
        return bodies.answer(switch)

    @app.post("/demo/v1/venues/<int:k>/scan")
    def scan(k: int) -> Response:
        venue, asked = _venue(town, k), bodies.read(ScanRequest)
        found = scan_code(venue, asked.code, asked.lane)
        reader.forget()
        return bodies.answer(Scanned(found), 200 if found else 202)

    @app.post("/demo/v1/venues/<int:k>/<device>")
    def device(k: int, device: str) -> Response:
        found, switch = _device(_venue(town, k), device), bodies.read(DeviceSwitch)
        break_device(found, switch.fault)
        reader.forget()
        return bodies.answer(switch)

    @app.post("/demo/v1/venues/<int:k>/press")
    def press(k: int) -> Response:
        venue, asked = _venue(town, k), bodies.read(Press)
        press_button(venue, asked.lane, asked.button)
        return bodies.answer(asked)

    @app.get("/demo/v1/venues/<int:k>/receipt.png")
    def receipt(k: int) -> Response:
        picture = _venue(town, k).printer.receipt_png()
        if picture is None:
            raise NotFound("Nothing has been printed here yet.")
        return Response(picture, content_type="image/png")


def _add_trouble(app: Flask, town: Town, family: Family, crowd: Crowd, reader: Reader) -> None:
    """What a long evening brings: visitors without end, and somebody who pulls the plug."""

    @app.post("/demo/v1/venues/<int:k>/crash")
    def crash(k: int) -> Response:
        name = _venue(town, k).venue.id
        family.crash(name)
        return bodies.answer(Crashed(name))

    @app.post("/demo/v1/cloud/crash")
    def crash_cloud() -> Response:
        family.crash("cloud")
        return bodies.answer(Crashed("cloud"))

    @app.post("/demo/v1/crowd")
    def crowd_switch() -> Response:
        switch = bodies.read(CrowdSwitch)
        crowd.let_in(on=switch.on)
        reader.forget()
        return bodies.answer(switch)

    @app.post("/venues/<int:k>/crash")
    def crash_form(k: int) -> Any:
        family.crash(_venue(town, k).venue.id)
        return _back(reader, k)

    @app.post("/cloud/crash")
    def crash_cloud_form() -> Any:
        family.crash("cloud")
        return redirect(url_for("page"), 303)

    @app.post("/crowd")
    def crowd_form() -> Any:
        crowd.let_in(on=request.form.get("on") == "true")
        reader.forget()
        return redirect(url_for("page"), 303)


def _add_forms(app: Flask, town: Town, family: Family, reader: Reader) -> None:
    """The same switches for a browser without JavaScript: each form leads back to the page."""

    @app.get("/")
    def page() -> str:
        return render_template(
            "demo.html",
            town=town,
            state=reader.read(family.pids()),
            refresh=not request.args.get("still"),
        )

    @app.post("/venues/<int:k>/link")
    def link_form(k: int) -> Any:
        set_link(_venue(town, k), up=request.form.get("up") == "true")
        return _back(reader, k)

    @app.post("/venues/<int:k>/scan")
    def scan_form(k: int) -> Any:
        lane = request.form.get("lane", "1")
        scan_code(_venue(town, k), request.form.get("code", ""), int(lane) if lane.isdigit() else 0)
        return _back(reader, k)

    @app.post("/venues/<int:k>/press")
    def press_form(k: int) -> Any:
        lane = request.form.get("lane", "1")
        press_button(_venue(town, k), int(lane) if lane.isdigit() else 0, request.form.get("button", ""))
        return _back(reader, k)

    @app.post("/venues/<int:k>/<device>")
    def device_form(k: int, device: str) -> Any:
        break_device(_device(_venue(town, k), device), request.form.get("fault") or None)
        return _back(reader, k)


def _back(reader: Reader, k: int) -> Any:
    reader.forget()
    return redirect(url_for("page", _anchor=f"venue-{k}"), 303)


def _venue(town: Town, k: int) -> DemoVenue:
    if not 1 <= k <= len(town.venues):
        raise NotFound(f"There is no venue {k}; they are counted from 1 to {len(town.venues)}.")
    return town.venues[k - 1]


def set_link(venue: DemoVenue, *, up: bool) -> None:
    """Heal or cut the link."""
    if up:
        venue.link.heal()
    else:
        venue.link.cut()


def _device(venue: DemoVenue, name: str) -> Simulated:
    for each in venue.devices:
        if each.name == name:
            return each
    raise NotFound(f"There is no {name} here; there are {', '.join(each.name for each in venue.devices)}.")


def break_device(device: Simulated, fault: str | None) -> None:
    """Break it in one way, or mend it with None; raises ``Invalid`` for a fault it does not know."""
    if fault is not None and fault not in device.faults:
        raise Invalid(f"There is no such fault. Use one of: {', '.join(device.faults)}, or null.", field="fault")
    device.set_fault(fault)


def press_button(venue: DemoVenue, lane: int, name: str) -> None:
    """Press a button at the lamp of a lane, counted from 1."""
    names = [button.value for button in Button]
    if name not in names:
        raise Invalid(f"There is no such button. Use one of: {', '.join(names)}.", field="button")
    venue.lamps[_lane(venue, lane)].press(Button(name))


def _lane(venue: DemoVenue, number: int) -> int:
    if not 1 <= number <= len(venue.scanners):
        raise Invalid(f"Lanes are counted from 1 to {len(venue.scanners)}.", field="lane")
    return number - 1


def scan_code(venue: DemoVenue, text: str, lane: int = 1) -> ScanState | None:
    """Hold a code before the scanner and return what the door said, None if it said nothing within ``VERDICT_S`` seconds."""
    code = text.strip()
    if not 1 <= len(code) <= LONGEST_CODE or not code.isprintable():
        raise Invalid(f"A code has 1 to {LONGEST_CODE} printable characters.", field="code")
    index = _lane(venue, lane)
    before = {each.check_in for each in _scans(venue, index)}
    try:
        venue.scanners[index].hold_up(code)
    except DeviceError as error:
        raise Invalid(str(error), field="code") from None
    until_s = time.monotonic() + VERDICT_S
    while time.monotonic() < until_s:
        for each in _scans(venue, index):
            if each.check_in not in before:
                return each
        time.sleep(_POLL_S)
    return None


def _scans(venue: DemoVenue, index: int) -> list[ScanState]:
    """The latest scans of a lane, newest first."""
    scans = venue.box.look(lambda unit: door.recent(unit, LOOKED_THROUGH))
    return [scan_state(each) for each in scans if each.lane == LANES[index]]


class _Quiet(WSGIRequestHandler):
    """One line for every poll of every page would drown what the demo has to say."""

    def log(self, type: str, message: str, *args: Any) -> None:
        """Say nothing."""


class PageServer:
    """Serves the page from a thread of the demo; a context manager."""

    def __init__(self, town: Town, family: Family, port: int) -> None:
        self.url = f"http://{ports.HOST}:{port}/"
        self._crowd = Crowd(town.venues)
        self._app = create_app(town, family, self._crowd, Auditor(town.venues, town.cloud))
        self._port = port
        self._server: BaseWSGIServer | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self._server = make_server(ports.HOST, self._port, self._app, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, name="demo page", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._crowd.close()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join(_STOP_S)
            self._server.server_close()
