"""The addresses of the authority: its own certificate, certificates for devices, and the one that phones believe."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import msgspec
import structlog
from cryptography import x509
from flask import Flask, Response, request

from appliance.authority.throttle import Throttle
from appliance.domain.errors import Invalid, LimitReached, Refusal
from appliance.web import bodies, problems, request_log
from appliance.web.chunked import Chunked
from mqtt_bridge.cloud.authority import LIFE, Authority, CsrRefused, IssuedLog, Request, read_csr
from mqtt_bridge.cloud.enrolments import EnrolmentRefused, Issued, check_known, enrol, renew
from mqtt_bridge.database import Database
from mqtt_bridge.protocol.portal_pairs import PortalPair

LARGEST_BODY = 16_384
PEM = "application/x-pem-file"
_log = structlog.get_logger("authority")


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """A request for a certificate: with the token it is the first one, without it a renewal."""

    csr: str
    token: str = ""


class Proof(msgspec.Struct, forbid_unknown_fields=True):
    """A request signed by the key that speaks for a device, as for a renewal."""

    csr: str


class Granted(msgspec.Struct, frozen=True, omit_defaults=True):
    """A certificate (PEM), who signed it, what else a device needs to reach the cloud, and what phones believe, if there is that."""

    certificate: str
    ca: str
    broker_url: str
    cloud_key: str
    portal: PortalPair | None = None


class NoCertificate(Refusal):
    """Nobody gets a certificate for this; facts: ``reason``."""

    problem = "unauthorised"
    status = 403


@dataclass(frozen=True)
class Offer:
    """What devices are told beside their certificate: address of the broker, public key (hex) of the cloud, what phones believe.

    ``portal`` gets the device's name and the time (ms since the epoch) and returns None while there is nothing good to hand out.
    """

    broker_url: str
    cloud_key: str
    portal: Callable[[str, int], PortalPair | None] = lambda _device, _wall_ms: None


def create_app(
    database: Database,
    authority: Authority,
    offer: Offer,
    *,
    throttle: Throttle | None = None,
    wall_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
) -> Flask:
    """Return the application over a cloud database; ``wall_ms`` is the wall clock."""
    app = Flask("marquee-authority", static_folder=None, template_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=LARGEST_BODY)
    app.wsgi_app = Chunked(app.wsgi_app, LARGEST_BODY)  # type: ignore[method-assign]
    problems.register(app)
    limit, desk = throttle or Throttle(), _Desk(database, authority, offer)

    @app.before_request
    def throttled() -> None:
        # Probes of this machine, and nothing else, may ask as often as they like.
        if request.endpoint == "healthz":
            return
        if wait_s := limit.wait_s(request.remote_addr or "", wall_ms() / 1000):
            raise LimitReached("Too many requests. Wait a moment.", "requests_per_minute", wait_s)

    @app.get("/healthz")
    def healthz() -> Response:
        return bodies.answer({"status": "ok"})

    @app.get("/ca.pem")
    def ca() -> Response:
        return Response(authority.pem, content_type=PEM)

    @app.post("/v1/certificates")
    def certificates() -> Response:
        asked = bodies.read(Asked)
        csr = _proven(asked.csr)
        with _refusals():
            return bodies.answer(desk.give(csr, asked.token, wall_ms()), 201)

    @app.post("/v1/portal")
    def portal() -> Response:
        csr = _proven(bodies.read(Proof).csr)
        with _refusals():
            check_known(database, csr.name, csr.key)
        pair = offer.portal(csr.name, wall_ms())
        return Response(status=204) if pair is None else bodies.answer(pair)

    @app.after_request
    def kept_nowhere(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response

    request_log.register(app)
    return app


def _proven(text: str) -> Request:
    try:
        return read_csr(text)
    except CsrRefused as error:
        raise Invalid(f"The certificate signing request cannot be signed: {error}.", field="csr") from None


@contextmanager
def _refusals() -> Iterator[None]:
    """Answer who is refused, and write down why."""
    try:
        yield
    except EnrolmentRefused as error:
        request_log.note(reason=error.reason)
        raise NoCertificate(f"No certificate: {error}.", reason=error.reason) from None


class _Desk:
    """Writes a certificate down, then signs it and gives it away."""

    def __init__(self, database: Database, authority: Authority, offer: Offer) -> None:
        self._database, self._authority, self._offer = database, authority, offer
        self._issued = IssuedLog(authority.folder)
        # The order of the log is the order of the rows.
        self._one = threading.Lock()

    def give(self, csr: Request, token: str, wall_ms: int) -> Granted:
        serial, now = x509.random_serial_number(), dt.datetime.fromtimestamp(wall_ms // 1000, dt.UTC)
        number, ends_ms = f"{serial:x}", int((now + LIFE).timestamp() * 1000)
        with self._one:
            issued = self._written_down(csr, token, number, ends_ms, wall_ms)
            self._issued.append(issued)
        _log.info("certificate.issued", to=issued.device, serial=issued.serial, first=bool(token))
        return Granted(
            certificate=self._authority.sign(csr, issued.device, serial, now).decode(),
            ca=self._authority.pem.decode(),
            broker_url=self._offer.broker_url,
            cloud_key=self._offer.cloud_key,
            portal=self._offer.portal(issued.device, wall_ms),
        )

    def _written_down(self, csr: Request, token: str, serial: str, ends_ms: int, wall_ms: int) -> Issued:
        if token:
            return enrol(self._database, token, csr.key, serial, ends_ms, wall_ms)
        return renew(self._database, csr.name, csr.key, serial, ends_ms, wall_ms)
