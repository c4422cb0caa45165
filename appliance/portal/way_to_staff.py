"""The way to staff's pages, for who looks for them where they are not: the pool of guests has none of them, and knows the address."""

from __future__ import annotations

from flask import Blueprint, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from appliance.domain.errors import NotFound
from appliance.services import certificates
from appliance.web import proxied
from appliance.web.site import site

blueprint = Blueprint("way_to_staff", __name__, url_prefix="/staff")


@blueprint.get("", strict_slashes=False)
@blueprint.get("/<path:_page>")
def lead(_page: str = "") -> AnyResponse:
    """Lead to the same page under the name that phones believe, else under the proxy's own; raises ``NotFound`` without either."""
    box, here = site().box, site().settings
    believed = certificates.judge(here.certificate, here.secure_url, box.clock(), here.data).good
    address = here.secure_url if believed else proxied.staff_address()
    if not address:
        raise NotFound("There is no such page.")
    return redirect(address + request.full_path.rstrip("?"), 302)
