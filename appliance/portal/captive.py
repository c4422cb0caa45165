"""Where phones on the hotspot learn that there is a portal and no internet (RFC 8908)."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response, request

from appliance.portal.routes import Route, Table
from appliance.web import bodies
from appliance.web.site import site

MEDIA_TYPE = "application/captive+json"


class CaptivePortal(msgspec.Struct, frozen=True, rename="kebab"):
    """The hotspot stays captive for good: everything a guest needs is on the portal itself."""

    captive: bool
    user_portal_url: str
    venue_info_url: str


def captive_portal() -> Response:
    """Answer the captive portal API."""
    url = site().settings.public_url.rstrip("/") or request.host_url.rstrip("/")
    return bodies.answer(
        CaptivePortal(captive=True, user_portal_url=f"{url}/", venue_info_url=f"{url}/"), 200, MEDIA_TYPE
    )


ROUTE = Route(
    "GET",
    "/.well-known/captive-portal",
    "captive_portal",
    "Tells phones where the portal is (RFC 8908)",
    {200: CaptivePortal},
    media_type=MEDIA_TYPE,
)


def blueprint(table: Table) -> Blueprint:
    """Return the one route."""
    captive = Blueprint("captive", __name__)
    table.add(captive, ROUTE, captive_portal)
    return captive
