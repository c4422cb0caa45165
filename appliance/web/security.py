"""Headers that every answer carries, and what each keeps out."""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from flask import Flask, Response, request

# No inline script or style anywhere: a name written as HTML stays text even if an escape were forgotten.
CONTENT_POLICY = (
    "default-src 'none'; base-uri 'none'; connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "img-src 'self' data:; manifest-src 'self'; media-src 'self'; object-src 'none'; script-src 'self'; style-src 'self'"
)

# No HSTS: the hotspot speaks plain HTTP to phones that may know the same name from elsewhere.
HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
    # Ids in addresses never leave this site; same-origin (not no-referrer) keeps the Origin of our own forms readable.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


PERMANENT = 308


def register(app: Flask) -> None:
    """Add the headers to every answer of ``app``; what a view set itself stays. Nothing is cached unless a view says so."""

    @app.after_request
    def secure(response: Response) -> Response:
        if response.status_code == PERMANENT:
            _stay_here(response)
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if "token" in (request.view_args or {}):
            # An address that gives a right is nobody's to keep, whatever the view says.
            response.headers["Cache-Control"] = "no-store"
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def _stay_here(response: Response) -> None:
    """Lead to the better spelling of an address without repeating the host that the client claims to have asked."""
    where = urlsplit(response.headers.get("Location", "/"))
    response.headers["Location"] = urlunsplit(("", "", f"/{where.path.lstrip('/')}", where.query, ""))
    response.set_data(b"")
