"""What the proxy asks before it serves something itself (nginx ``auth_request``); nobody else is answered.

The proxy must keep ``/internal/`` from the outside (``internal;``). Should it not, a stranger still learns nothing: the address that
is judged is the one that was called, and the gateway knows no ``/internal/``.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from appliance.domain.errors import NotFound
from appliance.web import gateway
from appliance.web.site import LOOPBACK, site

URI, METHOD = "X-Original-URI", "X-Original-Method"
# In every answer, empty where there is nobody: what a client sent under these names never comes through.
AUDIENCE, PURPOSE, SUBJECT = "Marquee-Audience", "Marquee-Purpose", "Marquee-Subject"

blueprint = Blueprint("internal", __name__, url_prefix="/internal")


@blueprint.get("/token", endpoint="token")
def judge() -> Response:
    """Answer 204, 401 or 403 for the request that the proxy describes, and say in headers whose token it carries."""
    if _peer() not in LOOPBACK or URI not in request.headers:
        raise NotFound("There is nothing here.")
    found = gateway.judge(site(), request, request.headers.get(METHOD, "GET"), request.headers[URI])
    answer = Response(status=found.status)
    answer.headers[AUDIENCE] = found.audience or ""
    answer.headers[PURPOSE] = found.purpose
    answer.headers[SUBJECT] = found.subject
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _peer() -> str:
    """Return who really called: the proxy itself, not whom it speaks for. A unix socket has no address."""
    before = request.environ.get("werkzeug.proxy_fix.orig", request.environ)
    return str(before.get("REMOTE_ADDR") or LOOPBACK[0])
