"""The OpenAPI 3.1 document, made from the route table and the very structs that check bodies and shape answers."""

from __future__ import annotations

import re
from importlib.metadata import version
from typing import Any

import msgspec
from flask import Blueprint, Response

from appliance.portal.api_answers import ProblemAnswer
from appliance.portal.routes import Route, Table
from appliance.web import bodies, clients, freshness, problems
from appliance.web.bodies import IDEMPOTENCY_KEY

PATH = "/api/v1/openapi.json"
_PARAMETER = re.compile(r"<(\w+)>")
_BODY_REFUSALS = (400, 413, 415, 422)
_EVERY_REFUSAL = (503,)
_REPLAYED = {
    "description": "`true` if this is the first answer to the same key, repeated.",
    "schema": {"type": "string", "const": "true"},
}
_CLIENT_TOKEN = {
    "description": "Send it back as a request header to stay the same client.",
    "schema": {"type": "string"},
}
_KEY_PARAMETER = {
    "name": IDEMPOTENCY_KEY,
    "in": "header",
    "description": "Random; the first 2xx answer is repeated to whoever sends the same request with it again.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]{1,128}$"},
}
_WORDS = {
    200: "Done.",
    201: "Created.",
    202: "Accepted; not decided yet.",
    204: "Done; there is nothing to say.",
    304: "Nothing changed.",
    503: "Not now.",
}


def document(table: Table) -> dict[str, Any]:
    """Return the document for every route of ``table``."""
    structs: list[Any] = [ProblemAnswer]
    for route in table.routes:
        structs += [each for each in (route.body, *route.answers.values()) if isinstance(each, type)]
    shapes, components = msgspec.json.schema_components(structs, ref_template="#/components/schemas/{name}")
    shape = dict(zip(structs, shapes, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in table.routes:
        path = _PARAMETER.sub(r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, shape)
    bearer = {"type": "http", "scheme": "bearer", "description": "From POST /api/v1/staff/tokens."}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Marquee", "version": version("marquee"), "license": {"name": "Apache-2.0"}},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"staff": bearer}},
    }


def _operation(route: Route, shape: dict[Any, Any]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": _answers(route, shape),
    }
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.path)
    ]
    parameters += [
        {"name": name, "in": "query", "required": True, "schema": {"type": "string"}} for name in route.queries
    ]
    if route.keyed:
        parameters.append(_KEY_PARAMETER)
    if route.who == "guest":
        parameters.append({"name": clients.HEADER, "in": "header", "schema": {"type": "string"}})
    if parameters:
        operation["parameters"] = parameters
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": {bodies.JSON: {"schema": shape[route.body]}}}
    if route.who == "staff":
        operation["security"] = [{"staff": []}]
    return operation


def _answers(route: Route, shape: dict[Any, Any]) -> dict[str, Any]:
    answers = {str(status): _answer(route, status, shape) for status in route.answers}
    for status in sorted(_refusals(route)):
        schema = {"schema": shape[ProblemAnswer]}
        answers[str(status)] = {"description": "Refused.", "content": {problems.MEDIA_TYPE: schema}}
    return answers


def _refusals(route: Route) -> set[int]:
    body = _BODY_REFUSALS if route.body is not None else ()
    keyed = (422,) if route.keyed else ()
    staff = (401,) if route.who == "staff" else ()
    return {*route.refusals, *body, *keyed, *staff, *_EVERY_REFUSAL} - set(route.answers)


def _answer(route: Route, status: int, shape: dict[Any, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": _WORDS[status]}
    struct = route.answers[status]
    if struct is not None:
        schema = shape[struct] if isinstance(struct, type) else struct
        answer["content"] = {route.media_type: {"schema": schema}}
    headers = ({IDEMPOTENCY_KEY.replace("Key", "Replayed"): _REPLAYED} if route.keyed else {}) | (
        {clients.HEADER: _CLIENT_TOKEN} if route.who == "guest" else {}
    )
    return answer | ({"headers": headers} if headers else {})


def blueprint(table: Table) -> Blueprint:
    """Return the route that serves the document; register it last, it shows what ``table`` holds by then."""
    described = Blueprint("openapi", __name__)
    route = Route("GET", PATH, "openapi", "This document", {200: {"type": "object"}})
    body: list[bytes] = []

    def show() -> Response:
        if not body:
            body.append(msgspec.json.encode(document(table)))
        response = Response(body[0], content_type=bodies.JSON)
        response.headers["Cache-Control"] = freshness.DESCRIPTION.header()
        return response

    table.add(described, route, show)
    return described
