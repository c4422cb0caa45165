"""How a call of the API becomes a use case: who calls, is the body right, was this key answered before, then one unit."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec
from flask import Response, request

from appliance.domain.client import Client
from appliance.portal.routes import Route, View
from appliance.services import asking, idempotency
from appliance.services.box import Unit
from appliance.web import bodies, clients, training
from appliance.web.site import Site, site

REPLAYED = "Idempotency-Replayed"


B = TypeVar("B")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: ``client`` places holds, ``badge`` is the member of staff signed in (empty for guests)."""

    client: Client
    badge: str = ""

    @property
    def scope(self) -> str:
        """Whose idempotency keys these are: nobody finds another one's answers."""
        return f"staff:{self.badge}" if self.badge else f"client:{self.client.id}"


@dataclass(frozen=True, slots=True)
class Call(Generic[B]):
    """One write: who calls, with which body, about what (``id`` from the path, empty where there is none)."""

    caller: Caller
    body: B
    id: str = ""


Answer = tuple[int, object]
UseCase = Callable[[Unit, Call[Any]], Answer]
Work = Callable[[Unit], tuple[int, bytes, bool]]
Runner = Callable[[Site, Work], tuple[int, bytes, bool]]
PageOf = Callable[[bytes], str]


def run(here: Site, work: Work) -> tuple[int, bytes, bool]:
    """Run in one transaction."""
    return here.box.run(work)


def run_asking(here: Site, work: Work) -> tuple[int, bytes, bool]:
    """Run in one transaction; where stock is short here, ask the cloud once before refusing."""
    return asking.run(here.box, work)


def writing(route: Route, use_case: UseCase, runner: Runner = run, page_of: PageOf | None = None) -> View:
    """Return the view of a write: ``use_case(unit, call)`` answers (status, struct or None).

    ``page_of`` gives the address of the page that shows people what was answered; it travels as a Link header (RFC 8288), made
    anew for a replay too, since the key that sealed the first one may have been replaced since.
    """

    def view(**path: str) -> Response:
        key = bodies.idempotency_key()
        caller, token = _caller(site(), route, key)
        # Only now: whoever practises works in a copy.
        here = site()
        body = bodies.read(route.body) if route.body is not None else None
        call = Call(caller, body, *path.values())

        def work(unit: Unit) -> tuple[int, bytes, bool]:
            def act() -> tuple[int, bytes]:
                status, value = use_case(unit, call)
                return status, b"" if value is None else msgspec.json.encode(value)

            if not key:
                return (*act(), False)
            return idempotency.once(unit, caller.scope, key, _fingerprint(body), act, about=_about(call))

        status, payload, replayed = runner(here, work)
        response = _json(payload, status)
        if replayed:
            response.headers[REPLAYED] = "true"
        if token:
            response.headers[clients.HEADER] = token
        if page_of is not None:
            response.headers["Link"] = f'<{page_of(payload)}>; rel="alternate"; type="text/html"'
        return response

    return view


def reading(route: Route, query: Callable[..., Any], shape: Callable[[Any], object]) -> View:
    """Return the view of a read: ``query(unit, id)`` from one snapshot, shown by ``shape``.

    It may be kept for as long as the route says, by anyone unless it tells a guest who they are; a view with ``etag`` is answered
    304 where it is known.
    """

    def view(**path: str) -> Response:
        here = site()
        found = here.box.look(lambda unit: query(unit, *path.values()))
        response = _json(msgspec.json.encode(shape(found)), 200)
        token = clients.identify(here).token if route.who == "guest" else None
        if token:
            response.headers[clients.HEADER] = token
        response.headers["Cache-Control"] = route.fresh.header(shared=not token)
        etag = getattr(found, "etag", "")
        if etag:
            # Weak: the body also says as of when, which changes while the figures do not.
            response.set_etag(etag.strip('"'), weak=True)
            response.make_conditional(request)
        return response

    return view


def _caller(here: Site, route: Route, key: str) -> tuple[Caller, str | None]:
    if route.who == "staff":
        return signed_in(), None
    guest = clients.identify(here, retry_key=key)
    return Caller(guest.client), guest.token if route.who == "guest" else None


def signed_in() -> Caller:
    """Return the member of staff whose bearer this is; raises ``Unauthorised``."""
    token = bodies.bearer()
    member = training.member_of(token)
    return Caller(Client(f"staff:{member.badge}", clients.address(), kind="staff"), member.badge)


def _about(call: Call[Any]) -> str:
    """Return the hold or order that a guest acts on, empty for a new hold, which has limits of its own, and for staff."""
    return "" if call.caller.badge else call.id or str(getattr(call.body, "hold", ""))


def _fingerprint(body: object) -> str:
    """Return what makes two requests the same: operation and meaning of the body, not its spelling."""
    digest = hashlib.sha256(f"{request.method} {request.path}\0".encode())
    digest.update(msgspec.json.encode(body))
    return digest.hexdigest()


def _json(payload: bytes, status: int) -> Response:
    if status == 204:
        return Response(status=204)
    return Response(payload, status, content_type=bodies.JSON)
