"""What the gateway makes of a request: the tokens it carries, whatever their kind, against what its address needs.

Pages' sealed tokens, staff's cookie, and signed tokens in a header or the address all come to the same question, asked in one place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from flask import Request

from appliance.domain.gateway import Audience, Need, Status, need_of, status_of
from appliance.services import gateway
from appliance.services.gateway import Bearer
from appliance.web import cookies
from appliance.web.site import Site
from appliance.web.tokens import Purpose

COOKIES = ("staff",)
# The purposes of sealed tokens that stand in the addresses of pages.
_PAGES: tuple[Purpose, ...] = ("hold", "waitlist", "order-view", "order-manage")
LONGEST_URI = 8190


class Verdict(NamedTuple):
    """The status to answer with, and whose token it was; ``subject`` is a badge, else a name that gives no right."""

    status: Status
    audience: Audience | None = None
    purpose: str = ""
    subject: str = ""


def judge(site: Site, request: Request, method: str, uri: str) -> Verdict:
    """Return whether ``method uri`` may go on with the tokens that ``request`` carries; the first that fits counts."""
    need = need_of(method.upper(), unquote(urlsplit(uri).path)) if len(uri) <= LONGEST_URI else None
    if need is None or need.open:
        return Verdict(status_of(need, None))
    best = Verdict(401)
    for token in _carried(request, need):
        held = _held(site, token)
        status = status_of(need, None if held is None else (held.audience, held.purpose))
        if status == 204 and held is not None:
            return Verdict(204, held.audience, held.purpose, _subject(site, held))
        best = Verdict(max(best.status, status))
    return best


def _carried(request: Request, need: Need) -> Iterator[str]:
    """Give the tokens of a request: what is in the address, then the bearer, then cookies."""
    if need.token:
        yield need.token
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and bearer.strip():
        yield bearer.strip()
    for name in COOKIES:
        if token := cookies.read(name, request):
            yield token


def _held(site: Site, token: str) -> Bearer | None:
    for purpose in _PAGES:
        found = site.tokens.open(purpose, token)
        if found is not None:
            return Bearer("attendee", purpose, found)
    return site.box.look(lambda unit: gateway.bearer_of(unit, token))


def _subject(site: Site, held: Bearer) -> str:
    # The id of an order or a hold is the right to act, and stays out of every header and log.
    return held.subject if held.audience == "staff" else site.tokens.name(held.purpose, held.subject)
