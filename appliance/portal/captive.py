"""The way from joining the hotspot to the tickets: what systems ask, the welcome page, and RFC 8908.

The proxy in front sends everything that is addressed to other names either here (the names that systems ask) or to the welcome
page; so these answers depend on the name that was asked, and nothing else of the portal does.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec
from flask import Blueprint, Flask, Response, g, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain import captive as rules
from appliance.domain.clock import HOUR_MS
from appliance.portal.routes import Route, Table
from appliance.services import captive
from appliance.services.box import Unit
from appliance.services.captive import Standing
from appliance.web import bodies, clients, csrf
from appliance.web.site import Site, site
from mqtt_bridge.protocol.catalogue import Venue

MEDIA_TYPE = "application/captive+json"
# Android shows the portal in the real browser instead of its own window if the answer has this key (source.android.com, "Captive
# portals in custom tabs"); the number is the least version of its module that can.
CUSTOM_TABS = 361335020
SEE_OTHER = 303
# RFC 6585, 6: for what stands between a client and the network it wanted.
NETWORK_LOGIN_REQUIRED = 511
pages = Blueprint("hotspot", __name__, template_folder="templates")
_ACTIONS: dict[str, rules.Action] = {"enter": "enter", "accept": "accept"}


class CaptivePortal(msgspec.Struct, frozen=True, rename="kebab", omit_defaults=True):
    """RFC 8908, 5. Not captive means: this phone was told that there is no internet, and stays all the same."""

    captive: bool
    user_portal_url: str
    venue_info_url: str
    can_extend_session: bool
    x_android_use_custom_tabs: int
    seconds_remaining: int | None = None


def captive_portal() -> Response:
    """Answer the captive portal API."""
    found = _standing()
    is_open = rules.is_open(found.state, _family())
    address = _address(site(), secure=True)
    answer = CaptivePortal(
        captive=not is_open,
        user_portal_url=f"{address}/welcome",
        venue_info_url=f"{address}/",
        can_extend_session=True,
        x_android_use_custom_tabs=CUSTOM_TABS,
        seconds_remaining=found.left_ms // 1000 if is_open else None,
    )
    return bodies.answer(answer, 200, MEDIA_TYPE)


ROUTE = Route(
    "GET",
    "/.well-known/captive-portal",
    "captive_portal",
    "Tells phones where the portal is (RFC 8908)",
    {200: CaptivePortal},
    media_type=MEDIA_TYPE,
)


@pages.get("/welcome", endpoint="welcome")
def welcome() -> str:
    """The first page on the hotspot: what this Wi-Fi is, and the way to the tickets."""
    here = site().settings

    def query(unit: Unit) -> tuple[Standing, Venue | None]:
        return captive.standing(unit, _phone()), unit.catalogue.venue.get(unit.identity.venue)

    standing, venue = site().box.look(query)
    return render_template(
        "attendee/welcome.html",
        family=_family(),
        stays_open=_family() in rules.STAYS_OPEN,
        state=standing.state,
        venue=venue,
        address=urlsplit(here.public_url).netloc or request.host,
        url=here.public_url or request.host_url.rstrip("/"),
    )


@pages.post("/welcome", endpoint="act")
def act() -> AnyResponse:
    """Take the tap on the welcome page: on to the tickets, or a word that the phone may stay without internet."""
    csrf.require_own_origin()
    action = _ACTIONS.get(request.form.get("go", ""), "enter")
    life_ms = site().settings.captive_hours * HOUR_MS
    site().box.run(lambda unit: captive.act(unit, _phone(), action, life_ms))
    # A whole new page, not a script: only that makes Apple's window ask again.
    return redirect(url_for("attendee.listing" if action == "enter" else "hotspot.welcome"), SEE_OTHER)


def blueprint(table: Table) -> Blueprint:
    """Return the one route that programs ask."""
    captive = Blueprint("captive", __name__)
    table.add(captive, ROUTE, captive_portal)
    return captive


def install(app: Flask) -> None:
    """Answer what systems ask under their makers' names, before any route of ours is looked at."""
    app.before_request(_answer_probe)
    app.jinja_env.globals["hotspot"] = lambda: site().settings.leases_file is not None


def _answer_probe() -> AnyResponse | None:
    here = site().settings
    host = request.host.partition(":")[0].lower()
    if host not in rules.HOSTS or not here.public_url:
        return None
    g.quiet = True
    if request.method not in {"GET", "HEAD"}:
        return Response("This network has no internet.\n", NETWORK_LOGIN_REQUIRED, content_type="text/plain")
    asked = rules.probe(host, request.path)
    if asked is not None and rules.is_open(_standing().state, asked.family):
        return _success(asked.success)
    # Found (302), because that is what the systems were built to see.
    return redirect(f"{here.public_url}/welcome", 302)


def _success(found: rules.Success) -> Response:
    answer = make_response(found.body, found.status)
    answer.content_type = found.media_type
    return answer


def _standing() -> Standing:
    return site().box.look(lambda unit: captive.standing(unit, _phone()))


def _phone() -> str:
    """Return the name of the asking phone: of its DHCP lease, or of its address where there are no leases to see."""
    here, asking = site(), clients.address()
    hardware = here.leases.hardware_of(asking)
    return here.tokens.name("address", asking) if hardware is None else here.tokens.name("lease", hardware)


def _family() -> rules.Family:
    return rules.family_of(request.headers.get("User-Agent", ""))


def _address(here: Site, *, secure: bool) -> str:
    """Return where people find the portal; RFC 8908 wants HTTPS, if there is any."""
    return (here.settings.secure_url if secure else "") or here.settings.public_url or request.host_url.rstrip("/")
