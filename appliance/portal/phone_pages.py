"""What a phone keeps by itself at the secure address: the page about it, and the service worker that keeps it."""

from __future__ import annotations

import hashlib
import json

from flask import Blueprint, Response, make_response, render_template, request

from appliance.domain.errors import NotFound
from appliance.web import freshness, screens, static_files, tiers

blueprint = Blueprint("phone", __name__, template_folder="templates")
# What a page needs where nobody answers; everything else is kept as it passes by.
SHELL = ("marquee.css", "icon.svg", "guest.js")
WORKER = "sw.js"


@blueprint.get("/phone", endpoint="show")
def show_phone() -> Response:
    """The page about this phone, the same for everybody: what it lists, a script finds on the phone itself."""
    answer = make_response(render_template("attendee/phone.html", secure=tiers.secure_url()))
    answer.headers["Cache-Control"] = freshness.PHONE.header()
    return answer


@blueprint.get("/sw.js", endpoint="worker")
def worker() -> Response:
    """The service worker, only where there are scripts; its text changes with every file of the design system."""
    if not tiers.upgraded():
        raise NotFound("There is no service worker at this address.")
    answer = Response(worker_text(), content_type="text/javascript; charset=utf-8")
    answer.headers["Cache-Control"] = freshness.PHONE.header()
    answer.add_etag()
    answer.make_conditional(request)
    return answer


def worker_text() -> str:
    """Return the worker with the list of what it keeps from the start, and the version that ends what it kept before."""
    shell = [url for name in SHELL for url in screens.needed_urls(name)]
    names = "\n".join(each.name for each in static_files.files().values())
    version = hashlib.sha256(names.encode()).hexdigest()[:12]
    body = static_files.files()[WORKER].body.decode()
    return f"const SHELL = {json.dumps(shell)};\nconst VERSION = {json.dumps(version)};\n{body}"
