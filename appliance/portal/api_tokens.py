"""Short-lived tokens by the API: who knows an order's id gets one for a date of it; who has one may end it."""

from __future__ import annotations

from flask import Blueprint, Response

from appliance.domain.errors import Unauthorised
from appliance.portal import api_answers as answers
from appliance.portal.api_bodies import TokenRequest
from appliance.portal.routes import Route, Table
from appliance.services import gateway
from appliance.services.box import Unit
from appliance.web import bodies
from appliance.web.site import site


def issue() -> Response:
    """Give a token. Never replayed: an answer that is a secret is stored nowhere."""
    bodies.idempotency_key()
    body = bodies.read(TokenRequest)
    made = site().box.look(lambda unit: gateway.issue(unit, body.order, body.event_session, body.audience))
    found = answers.Token(made.token, made.audience, made.purpose, made.event_session, made.expires_in_s)
    return bodies.answer(found, 201)


def give_up() -> Response:
    """End the token that is sent as the bearer."""
    token = bodies.bearer()

    def use_case(unit: Unit) -> None:
        held = gateway.bearer_of(unit, token)
        if held is None or held.audience == "staff":
            raise Unauthorised("Send a token of POST /api/v1/tokens that is still good as the bearer.")
        gateway.revoke(unit, held.serial, "holder")

    site().box.run(use_case)
    return Response(status=204)


ISSUE = Route(
    "POST",
    "/tokens",
    "issue_token",
    "A short-lived token for a date of an order",
    {201: answers.Token},
    TokenRequest,
    (404, 422),
)
GIVE_UP = Route("DELETE", "/tokens", "give_up_token", "End the token sent as the bearer", {204: None}, refusals=(401,))


def register(table: Table, api: Blueprint) -> None:
    """Add both to the API."""
    table.add(api, ISSUE, issue)
    table.add(api, GIVE_UP, give_up)
