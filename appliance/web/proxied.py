"""What the box office's own nginx tells and does for pages that many phones share.

It chooses the reader's language and, of experiments, the bucket (``web.clients``), because both are part of its cache key, and says
them in headers; they count only with ``portal.behind_proxy``, and the proxy must set them on every request, so that no client can. A page
it may hand to several phones cannot hold a key of its own: Flask writes ``KEY_MARKER``, and nginx puts ``$request_id`` in its
place as it sends each copy.
"""

from __future__ import annotations

from flask import Flask, current_app, request

LANGUAGE_HEADER = "X-Marquee-Language"
VARIANT_HEADER = "X-Marquee-Variant"
STAFF_HEADER = "X-Marquee-Staff"
KEY_MARKER = "marquee-key-of-this-request"
_EXTENSION = "marquee.behind_proxy"


def install(app: Flask, *, behind_proxy: bool) -> None:
    """Say whether the headers of ``app``'s requests are the proxy's."""
    app.extensions[_EXTENSION] = behind_proxy


def language() -> str | None:
    """Return the language code that the proxy chose, None where there is none of ours in front."""
    return _header(LANGUAGE_HEADER) or None


def variant() -> str:
    """Return the bucket of experiments that the proxy chose for this visit, as it wrote it; empty for none."""
    return _header(VARIANT_HEADER)


def staff_address() -> str:
    """Return where the proxy serves staff over HTTPS at its own name; it says so to who looks for them elsewhere, else empty."""
    return _header(STAFF_HEADER)


def fills_in_keys() -> bool:
    """Return whether a proxy of ours sends this answer and puts a fresh key wherever it finds ``KEY_MARKER``."""
    return language() is not None


def _header(name: str) -> str:
    return request.headers.get(name, "").strip() if current_app.extensions.get(_EXTENSION) else ""
