"""What the console works with, and who may use it: an operator's token, as a bearer or in a sealed cookie."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from flask import Flask, Response, current_app, request

from appliance.domain.errors import Unauthorised
from appliance.web.tokens import Tokens
from mqtt_bridge.cloud.fleet_log import FleetLog
from mqtt_bridge.cloud.overview import Overview, overview
from mqtt_bridge.cloud.store import is_operator, operator_by_hash
from mqtt_bridge.database import Database

_EXTENSION = "marquee.console"
COOKIE = "operator"
LIFE_MS = 12 * 3600 * 1000


@dataclass(frozen=True)
class Console:
    """One console: database, cookie key, clock (wall ms), addresses that may read figures, list of devices outside the database."""

    database: Database
    tokens: Tokens
    clock: Callable[[], int]
    metrics_from: tuple[str, ...]
    fleet_log: FleetLog | None = None

    def install(self, app: Flask) -> None:
        """Make ``console()`` work inside ``app``."""
        app.extensions[_EXTENSION] = self

    def overview(self) -> Overview:
        """Read the inventory now."""
        with self.database.read() as db:
            return overview(db, self.clock())

    def bearer(self) -> bool:
        """Whether the request carries an operator's bearer token."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return False
        with self.database.read() as db:
            return is_operator(db, token.strip())

    def signed_in(self) -> str:
        """The short name (hash) of the operator whose cookie the request carries, empty if it is no longer good."""
        sealed = self.tokens.open("operator", request.cookies.get(COOKIE, ""))
        digest, _, until_ms = (sealed or "").partition(" ")
        if not until_ms.isdecimal() or not 0 < int(until_ms) - self.clock() <= LIFE_MS:
            return ""
        with self.database.read() as db:
            return digest[:8] if operator_by_hash(db, digest) else ""

    def sign_in(self, response: Response, token: str) -> None:
        """Set the cookie: sealed, bound to the token's hash, so that revoking the token ends it."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        sealed = self.tokens.mint("operator", f"{digest} {self.clock() + LIFE_MS}")
        response.set_cookie(
            COOKIE, sealed, max_age=LIFE_MS // 1000, httponly=True, samesite="Strict", secure=request.is_secure
        )


def console() -> Console:
    """Return the console of the request being answered."""
    return cast("Console", current_app.extensions[_EXTENSION])


def require_bearer() -> None:
    """Raise ``Unauthorised`` unless a program shows an operator's token, or an operator signed in with a browser."""
    here = console()
    if not here.bearer() and not here.signed_in():
        msg = "Send Authorization: Bearer <operator token>; `marquee operator-token` makes one."
        raise Unauthorised(msg)
