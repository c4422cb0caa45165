"""Reads the token in a page's address."""

from __future__ import annotations

from appliance.domain.errors import NotFound
from appliance.web.site import site
from appliance.web.tokens import Purpose


def opened(purpose: Purpose, token: str) -> str:
    """Return what ``token`` stands for; raises ``NotFound`` unless it was made here for exactly this purpose."""
    found = site().tokens.open(purpose, token)
    if found is None:
        raise NotFound("This link is not one of ours, or was cut off. Use the whole address.")
    return found
