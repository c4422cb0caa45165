"""Headers that every answer carries, and what each keeps out."""

from __future__ import annotations

from flask import Flask, Response, request

# No inline script or style anywhere: a name written as HTML stays text even if an escape were forgotten.
CONTENT_POLICY = (
    "default-src 'none'; base-uri 'none'; connect-src 'self'; font-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "img-src 'self' data:; manifest-src 'self'; media-src 'self'; script-src 'self'; style-src 'self'"
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


def register(app: Flask) -> None:
    """Add the headers to every answer of ``app``; what a view set itself stays. Nothing is cached unless a view says so."""

    @app.after_request
    def secure(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if "token" in (request.view_args or {}):
            # An address that gives a right is nobody's to keep, whatever the view says.
            response.headers["Cache-Control"] = "no-store"
        response.headers.setdefault("Cache-Control", "no-store")
        return response
