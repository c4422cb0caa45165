"""What the console works with, and who may use it: an operator's token, as a bearer or in a sealed cookie."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from flask import Blueprint, Flask, current_app, g, redirect, request, url_for
from werkzeug.wrappers import Response

from appliance.domain.errors import Unauthorised
from appliance.web import cookies
from appliance.web.csrf import require_own_origin
from appliance.web.tokens import Tokens
from mqtt_bridge.cloud.copied import LATE_MS, copied_ms
from mqtt_bridge.cloud.fleet_log import FleetLog
from mqtt_bridge.cloud.overview import Overview, overview
from mqtt_bridge.cloud.store import end_sign_in, is_operator, operator_by_hash, sign_in_ended
from mqtt_bridge.database import Database

_EXTENSION = "marquee.console"
COOKIE = "operator"
LIFE_MS = 12 * 3600 * 1000
_ONLY_SHOWS = {"GET", "HEAD"}


@dataclass(frozen=True)
class Console:
    """One console: database, cookie key, clock (wall ms), addresses that may read figures, list of devices outside the database.

    ``copied`` is the file that a good copy of the cloud leaves behind, None where nobody looks.
    """

    database: Database
    tokens: Tokens
    clock: Callable[[], int]
    metrics_from: tuple[str, ...]
    fleet_log: FleetLog | None = None
    copied: Path | None = None

    def install(self, app: Flask) -> None:
        """Make ``console()`` work inside ``app``."""
        app.extensions[_EXTENSION] = self

    def overview(self) -> Overview:
        """Read the inventory now."""
        with self.database.read() as db:
            return overview(db, self.clock())

    def uncopied(self) -> int | None:
        """Return when the last good copy of the cloud was made (ms; 0: never) if that is too long ago, else None."""
        if self.copied is None:
            return None
        made = copied_ms(self.copied)
        return made if self.clock() - made > LATE_MS else None

    def bearer(self) -> bool:
        """Whether the request carries an operator's bearer token."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            return False
        with self.database.read() as db:
            return is_operator(db, token.strip())

    def signed_in(self) -> str:
        """The short name (hash) of the operator whose cookie the request carries, empty if it is no longer good."""
        found = self._cookie()
        if found is None:
            return ""
        sealed, digest, _until_ms = found
        with self.database.read() as db:
            return digest[:8] if operator_by_hash(db, digest) and not sign_in_ended(db, sealed) else ""

    def _cookie(self) -> tuple[str, str, int] | None:
        """Return what the cookie says while its time is not over: itself, the token's hash, when it ends."""
        opened = self.tokens.open("operator", cookies.read(COOKIE))
        digest, until_ms, *_nonce = [*(opened or "").split(" "), ""]
        if opened is None or not until_ms.isdecimal() or not 0 < int(until_ms) - self.clock() <= LIFE_MS:
            return None
        return opened, digest, int(until_ms)

    def sign_out(self, response: Response) -> None:
        """Take the cookie back and end what it stood for, also for whoever copied it."""
        self._end()
        cookies.forget(response, COOKIE)

    def _end(self) -> None:
        found, who = self._cookie(), self.signed_in()
        if found is not None and who:
            end_sign_in(self.database, found[0], who, found[2], self.clock())

    def sign_in(self, response: Response, token: str) -> None:
        """Set the cookie: sealed, bound to the token's hash, so that revoking the token ends it."""
        self._end()
        digest = hashlib.sha256(token.encode()).hexdigest()
        cookies.keep(
            response,
            COOKIE,
            self.tokens.mint("operator", f"{digest} {self.clock() + LIFE_MS} {secrets.token_hex(8)}"),
            LIFE_MS // 1000,
        )


def console() -> Console:
    """Return the console of the request being answered."""
    return cast("Console", current_app.extensions[_EXTENSION])


def operator_pages(name: str, import_name: str) -> Blueprint:
    """Return a blueprint whose pages are for operators alone: ``g.who`` is the name of the one who signed in.

    A form of another site is refused, everybody else is led to the sign-in, also from what does not exist.
    """
    blueprint = Blueprint(name, import_name)

    @blueprint.before_request
    def admit() -> Response | None:
        if request.method not in _ONLY_SHOWS:
            require_own_origin(strict=True)
        g.who = console().signed_in()
        return None if g.who else redirect(url_for("signing_in.form"), 303)

    return blueprint


def require_bearer() -> None:
    """Raise ``Unauthorised`` unless a program shows an operator's token, or an operator signed in with a browser."""
    here = console()
    if not here.bearer() and not here.signed_in():
        msg = "Send Authorization: Bearer <operator token>; `sudo marquee-cloud operator-token` makes one."
        raise Unauthorised(msg)
