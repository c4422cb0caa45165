"""Tells one phone from another: by DHCP lease on the hotspot, elsewhere by a token given in the first answer.

A client's id is a name derived with this device's key; hardware and network addresses are not stored in it. Whether a
client is *new* is decided by the use case from its rows, never by what the phone claims, so collecting tokens from pages
gains nothing.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from flask import request

from appliance.domain.client import Client
from appliance.domain.experiments import bucket_from, bucket_of
from appliance.web import proxied
from appliance.web.seeing import visitor_name
from appliance.web.site import Site

HEADER = "Client-Token"
FIELD = "client"


@dataclass(frozen=True, slots=True)
class Guest:
    """The calling phone; ``token`` names it next time (None where the lease does)."""

    client: Client
    token: str | None


def address() -> str:
    """Return where the request came from; behind the proxy what the proxy saw."""
    return request.remote_addr or "local"


def identify(site: Site, given: str | None = None, *, retry_key: str = "") -> Guest:
    """Return who is calling.

    ``given`` is the form's ``client`` field, else the ``Client-Token`` header counts. A phone without a token that sends
    ``retry_key`` (its idempotency key) gets a name made of its address and that key: if the first answer is lost, the same
    request is the same client and finds its first answer again, before and after it learned its token, while the same
    key from another address is somebody else.
    """
    here = address()
    visitor, bucket = visit(site)
    hardware = site.leases.hardware_of(here)
    if hardware is not None:
        leased = f"lease:{site.tokens.name('lease', hardware)}"
        return Guest(Client(leased, here, visitor=visitor, bucket=bucket), None)
    token = given or request.headers.get(HEADER, "")
    known = site.tokens.open("client", token)
    if known is not None:
        return Guest(Client(known, here, visitor=visitor, bucket=bucket), token)
    name = site.tokens.name("first", here, retry_key) if retry_key else site.tokens.name("new", secrets.token_hex(16))
    fresh = f"nonce:{name}"
    client = Client(fresh, here, known=False, visitor=visitor, bucket=bucket)
    return Guest(client, site.tokens.mint("client", fresh))


def visit(site: Site) -> tuple[str, int | None]:
    """Return (visitor, bucket) of the caller: its name in what is counted of visits, and which variants it is shown.

    A proxy that keeps pages chooses the bucket, because the pages differ by it; without one the name does.
    """
    name = visitor_name(site.tokens, site.leases, address())
    return name, bucket_from(proxied.variant()) if proxied.fills_in_keys() else bucket_of(name)
