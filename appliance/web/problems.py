"""Every refusal and failure as one answer: problem+json (RFC 9457) for programs, a page for people."""

from __future__ import annotations

import errno
import sqlite3
import traceback
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from flask import Flask, Response, g, request
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from appliance.domain.errors import Refusal
from mqtt_bridge.filelock import LockTimeout

MEDIA_TYPE = "application/problem+json"
RETRY_S = 2
# A full disk stays full until somebody makes room.
FULL_RETRY_S = 60
# What programs talk to; everything else is shown to people.
_MACHINE = ("/api", "/.well-known/", "/healthz", "/readyz", "/metrics", "/demo/")
_log = structlog.get_logger("web")


class Problem(msgspec.Struct, frozen=True):
    """An answer that is not what was asked for: what kind, and what to do about it."""

    slug: str
    status: int
    detail: str
    facts: dict[str, Any] = {}
    headers: dict[str, str] = {}

    @property
    def title(self) -> str:
        """The kind of problem in a few words."""
        return KINDS[self.slug][0]

    def body(self) -> bytes:
        """Return the JSON of RFC 9457; the type resolves to this very device's page about it."""
        words = {"type": f"/problems/{self.slug}", "title": self.title, "status": self.status, "detail": self.detail}
        return msgspec.json.encode({**self.facts, **words})


Page = Callable[[Problem], str]

# slug: (title, what it means and what to do).
KINDS: dict[str, tuple[str, str]] = {
    "sold-out": ("Sold out", "No ticket is left at any venue, as of the last word from the cloud."),
    "sold-out-here": (
        "Sold out here",
        "This device has no ticket left to promise. Other venues may have some; ask again in some minutes.",
    ),
    "hold-expired": ("Hold expired", "The tickets were given back and are gone. Hold tickets again."),
    "sale-closed": ("Not on sale", "The sale has not opened, has closed, or this device waits for the cloud's word."),
    "limit-reached": (
        "Limit reached",
        "One client may hold and book only so much, so that everybody gets a chance. Wait where `retry_after_s` is given.",
    ),
    "key-reused": ("Key used before", "This Idempotency-Key belongs to another request. Send a fresh random one."),
    "invalid": ("Invalid request", "The request does not fit the contract. `detail` names the field and the fix."),
    "already-admitted": ("Already admitted", "A ticket of this order was used at the door, so it cannot be cancelled."),
    "unauthorised": ("Not allowed", "Sign in, sign in again, or use the token that allows this."),
    "not-found": ("Not found", "There is no such thing here, or the id you have gives no right to it."),
    "method-not-allowed": (
        "Method not allowed",
        "The path exists but not with this method. `Allow` lists those it has.",
    ),
    "busy": ("Try again", "The device could not write just now. Nothing changed; send the same request again."),
    "disk-full": (
        "Disk full",
        "The disk of this device has no room for anything new. Nothing changed, what was promised stays; somebody has to make room.",
    ),
    "internal": ("Our mistake", "Something failed here. Nothing changed; the device's log has the particulars."),
}
_BY_STATUS = {401: "unauthorised", 403: "unauthorised", 404: "not-found", 405: "method-not-allowed", 503: "busy"}
_WORDS = {
    404: "There is nothing at this address. GET /api/v1/openapi.json lists what there is.",
    413: "The body is larger than 64 KiB. Send less.",
}


def register(app: Flask, page: Page | None = None) -> None:
    """Answer every exception of ``app`` as a problem; ``page`` renders it for people, without it they get JSON too."""

    @app.errorhandler(Exception)
    def refuse(error: Exception) -> Response:
        if isinstance(error, RequestRedirect):
            return Response(status=error.code, headers={"Location": error.new_url})
        problem = problem_of(error)
        g.problem = problem.slug
        return answer(problem, None if request.path.startswith(_MACHINE) else page)


def answer(problem: Problem, page: Page | None = None) -> Response:
    """Return the response for ``problem``."""
    if page is None:
        return Response(problem.body(), problem.status, problem.headers, content_type=MEDIA_TYPE)
    return Response(page(problem), problem.status, problem.headers, content_type="text/html; charset=utf-8")


def problem_of(error: Exception) -> Problem:
    """Return what to answer to ``error``; anything unforeseen is logged without its values and told nobody."""
    if isinstance(error, Refusal):
        return _refused(error)
    if isinstance(error, HTTPException):
        return _from_http(error)
    if _is_full(error):
        return _later(error, "disk-full", "The disk of this device is full. Nothing changed.", FULL_RETRY_S)
    if isinstance(error, OperationalError | LockTimeout) or getattr(error, "errno", None) == errno.EROFS:
        return _later(error, "busy", "The device is busy. Nothing changed; send the same request again.", RETRY_S)
    _log.error("failed", error=type(error).__name__, where=_where(error))
    return Problem("internal", 500, "Something failed here and was logged. Nothing changed; please try again.")


def _is_full(error: Exception) -> bool:
    """Return whether there was no room for what had to be written."""
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    return getattr(error, "errno", None) == errno.ENOSPC or code == sqlite3.SQLITE_FULL


def _later(error: Exception, slug: str, detail: str, wait_s: int) -> Problem:
    _log.warning(slug, error=type(error).__name__, cause=type(getattr(error, "orig", error)).__name__)
    return Problem(slug, 503, detail, {"retry_after_s": wait_s}, {"Retry-After": str(wait_s)})


def _refused(error: Refusal) -> Problem:
    headers = {}
    if error.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="staff"'
    if "retry_after_s" in error.facts:
        headers["Retry-After"] = str(error.facts["retry_after_s"])
    slug = error.problem if error.problem in KINDS else "invalid"
    return Problem(slug, error.status, error.detail, error.facts, headers)


def _from_http(error: HTTPException) -> Problem:
    status = error.code or 500
    keep = {"Allow", "Retry-After", "WWW-Authenticate"}
    headers = {name: value for name, value in error.get_headers() if name in keep}
    detail = _WORDS.get(status) or str(error.description or "The request cannot be answered.")
    slug = _BY_STATUS.get(status, "invalid" if status < 500 else "internal")
    if status == 405:
        detail = f"{request.method} is not possible here. Use {headers.get('Allow', 'another method')}."
    return Problem(slug, status, detail, {}, headers)


def _where(error: Exception) -> str:
    """Return file and line of every frame, innermost first; never values, which may be personal."""
    frames = traceback.extract_tb(error.__traceback__)[-8:]
    return " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}:{frame.name}" for frame in reversed(frames))
