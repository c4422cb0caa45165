"""The one cookie of whoever signed in: out of reach of scripts, of other sites and, over HTTPS, of whoever answers for this name over HTTP.

A name that begins with ``__Host-`` is taken by browsers only from a secure page of this very host (RFC 6265bis). A neighbour on an open
Wi-Fi who answers plain HTTP for our name can therefore plant no sign-in of theirs at the secure address. Such a cookie is of the whole host; over
HTTP, which a venue has to choose, it is of ``path`` alone and has its plain name.
"""

from __future__ import annotations

from flask import Request, request
from werkzeug.wrappers import Response

# Pages kept for "back" are pages too. Not "storage": a guest's bookings on the same phone are nothing of the sign-in's.
FORGET = '"cache"'


def name_of(asked: Request, plain: str) -> str:
    """Return what the cookie called ``plain`` is called at the address that was asked."""
    return f"__Host-{plain}" if asked.is_secure else plain


def read(plain: str, asked: Request = request) -> str:
    """Return the cookie's value, empty if there is none."""
    return asked.cookies.get(name_of(asked, plain), "")


def keep(answer: Response, plain: str, value: str, life_s: int, path: str = "/") -> None:
    """Give the browser the cookie for ``life_s`` seconds."""
    secure = request.is_secure
    answer.set_cookie(
        name_of(request, plain),
        value,
        max_age=life_s,
        path="/" if secure else path,
        secure=secure,
        httponly=True,
        samesite="Strict",
    )


def forget(answer: Response, plain: str, path: str = "/") -> None:
    """Take the cookie back, and with it the pages that the browser kept."""
    secure = request.is_secure
    answer.delete_cookie(
        name_of(request, plain), path="/" if secure else path, secure=secure, httponly=True, samesite="Strict"
    )
    answer.headers["Clear-Site-Data"] = FORGET
