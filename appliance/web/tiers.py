"""Which of the tiers a page is for: plain pages everywhere, scripts only at the address that keeps what they store.

T0 is whatever address a phone was led to, mostly over HTTP: no script, no storage. T1 and T2 are the same pages at
``portal.secure_url``. The address decides, not the browser: one page per address can be cached, and a captive browser that strays
to the secure one still gets a page that works the same without its script.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from flask import request

from appliance.web.site import site


def upgraded() -> bool:
    """Whether this request came to the secure address."""
    wanted = site().settings.secure_url
    return bool(wanted) and origin(wanted) == origin(request.host_url)


def secure_url() -> str:
    """The address with scripts, without a slash at its end; empty where there is none."""
    return site().settings.secure_url.rstrip("/")


def origin(url: str) -> str:
    """Return scheme, host and port of an address as browsers compare them (RFC 6454)."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"
