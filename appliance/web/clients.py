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
    hardware = site.leases.hardware_of(here)
    if hardware is not None:
        return Guest(Client(f"lease:{site.tokens.name('lease', hardware)}", here), None)
    token = given or request.headers.get(HEADER, "")
    known = site.tokens.open("client", token)
    if known is not None:
        return Guest(Client(known, here), token)
    name = site.tokens.name("first", here, retry_key) if retry_key else site.tokens.name("new", secrets.token_hex(16))
    fresh = f"nonce:{name}"
    return Guest(Client(fresh, here, known=False), site.tokens.mint("client", fresh))
