"""Forms are ours: the browser says where a form comes from, and the form carries a token bound to who was shown it.

Staff pages have a cookie, so both checks count there. Attendee pages have none, and a captive browser may leave out every
header: what books or cancels is posted to an address that only its owner knows, and what anybody may post only takes a hold.
"""

from __future__ import annotations

import hmac

from flask import request

from appliance.domain.errors import Unauthorised
from appliance.web.site import Site

FIELD = "csrf"
_ELSEWHERE = "This form came from another site. Open the box office's own page and try again."


class Forbidden(Unauthorised):
    """The caller may be known but must not do this (403)."""

    status = 403


def token(site: Site, subject: str) -> str:
    """Return the hidden field for a form shown to ``subject``: a client id, or a staff token."""
    return site.tokens.mint("csrf", site.tokens.name("csrf", subject))


def check(site: Site, subject: str, *, strict: bool = False) -> None:
    """Raise ``Forbidden`` unless the posted form was made for ``subject`` by this device.

    ``strict`` is for pages with a cookie: a browser that hides where the form comes from (Origin: null) is refused too.
    """
    require_own_origin(strict=strict)
    found = site.tokens.open("csrf", request.form.get(FIELD, ""))
    if found is None or not hmac.compare_digest(found, site.tokens.name("csrf", subject)):
        msg = "This form was not made for you, or is too old. Go back, reload the page and try again."
        raise Forbidden(msg)


def require_own_page() -> None:
    """Raise ``Forbidden`` if the browser says, in whatever way it does, that a form anybody may send is not from a page of ours.

    A form on a page that caches hand to everybody carries no secret. It can only take a hold, never book, and a captive browser
    that says nothing at all is believed.
    """
    require_own_origin(strict=request.headers.get("Sec-Fetch-Site") != "same-origin")
    came_from = request.headers.get("Referer", "").partition("://")[2].partition("/")[0]
    if "Origin" not in request.headers and came_from and came_from.lower() != request.host.lower():
        raise Forbidden(_ELSEWHERE)


def require_own_origin(*, strict: bool = False) -> None:
    """Raise ``Forbidden`` if the browser says that another site sent this (Fetch Metadata, RFC 6454)."""
    fetch_site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin", "")
    foreign = fetch_site == "cross-site" or (fetch_site == "same-site" and strict)
    if origin == "null":
        foreign = foreign or strict
    elif origin:
        foreign = foreign or origin.lower().partition("://")[2] != request.host.lower()
    if foreign:
        raise Forbidden(_ELSEWHERE)
