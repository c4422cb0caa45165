"""Whatever is sent: a clear 4xx that names field and fix, nothing changed, never a 5xx."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.appliance.api.conftest import Answer, Api, rows_of
from tests.support.box import ADULT, TestBox

HOLDS = "/api/v1/holds"
ORDERS = "/api/v1/orders"


def refused(answer: Answer, status: int, field: str | None = None) -> dict[str, Any]:
    """Check that this is a problem a program can act upon; returns it."""
    assert answer.status_code == status, answer.text
    assert answer.content_type == "application/problem+json"
    problem = answer.json
    assert problem["status"] == status
    assert problem["type"].startswith("/problems/")
    assert problem["title"]
    assert len(problem["detail"]) > 10
    if field is not None:
        assert problem["field"] == field
    return problem


def line(**changes: object) -> dict[str, list[Any]]:
    return {"items": [{"ticket_type": ADULT, "quantity": 1, **changes}]}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (line(quantity=0), "items[0].quantity"),
        (line(quantity=-1), "items[0].quantity"),
        (line(quantity=10_001), "items[0].quantity"),
        (line(quantity=10**30), "items[0].quantity"),
        (line(quantity=1.5), "items[0].quantity"),
        (line(quantity="1"), "items[0].quantity"),
        (line(quantity=True), "items[0].quantity"),
        (line(quantity=None), "items[0].quantity"),
        (line(quantity=[1]), "items[0].quantity"),
        (line(ticket_type=""), "items[0].ticket_type"),
        (line(ticket_type="x" * 65), "items[0].ticket_type"),
        (line(ticket_type=7), "items[0].ticket_type"),
        (line(ticket_type="t_unknown"), "ticket_type"),
        (line(ticket_type="' OR 1=1 --"), "ticket_type"),
        (line(ticket_type="\x00\u202e🎟"), "ticket_type"),
        (line(price=0), "items[0].price"),
        ({"items": []}, "items"),
        ({"items": {}}, "items"),
        ({"items": [[]]}, "items[0]"),
        ({"items": line()["items"] * 2}, "items[1].ticket_type"),
        ({"items": line()["items"] * 21}, "items"),
        ({**line(), "client": "x"}, "client"),
        ({}, "items"),
        ([], "body"),
        ("text", "body"),
        (1, "body"),
        (None, "body"),
    ],
)
def test_a_hold_that_cannot_be_meant_is_refused_by_name(api: Api, box: TestBox, body: object, field: str) -> None:
    before = rows_of(box)
    answer = api.http.post(HOLDS, data=json.dumps(body), content_type="application/json")
    refused(answer, 422, field)
    assert rows_of(box) == before


@pytest.mark.parametrize(
    ("data", "media_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        (b'{"items": [{"ticket_type": "\xff"}]}', "application/json", 400),
        (b'{"items": [{"ticket_type": "\\ud800", "quantity": 1}]}', "application/json", 400),
        (b'{"items": ' + b"[" * 30_000, "application/json", 422),
        (b"[" * 60_000, "application/json", 422),
        (b"{}", "text/plain", 415),
        (b"{}", "", 415),
        (b"items=1", "application/x-www-form-urlencoded", 415),
        (b'{"items": []}' + b" " * 65_536, "application/json", 413),
        (b"x" * 10_000_000, "text/plain", 413),
    ],
)
def test_a_body_that_is_no_small_json_object_is_refused(
    api: Api, box: TestBox, data: bytes, media_type: str, status: int
) -> None:
    before = rows_of(box)
    refused(api.http.post(HOLDS, data=data, content_type=media_type), status)
    assert rows_of(box) == before


@pytest.mark.parametrize("field", ["name", "contact"])
@pytest.mark.parametrize(
    "value",
    ["x" * 201, "x" * 10_000, "a\x00b", "a\x07b", "\x1b[31mred", "e\u0301" * 201, 5, None, ["a"]],
)
def test_a_name_that_is_too_long_or_unprintable_is_refused(api: Api, box: TestBox, field: str, value: object) -> None:
    hold = api.hold().json["hold"]
    before = rows_of(box)
    refused(api("POST", ORDERS, {"hold": hold, field: value}), 422, field)
    assert rows_of(box) == before
    assert api("POST", ORDERS, {"hold": hold}).status_code == 201


@pytest.mark.parametrize(
    "name",
    [
        "Robert'); DROP TABLE orders;--",
        "<script>alert(1)</script>",
        "{{ 7 * 7 }} ${7*7} %s %(a)s",
        "👩‍👩‍👧‍👦 שלום مرحبا \u202eabc",
        "e\u0301" * 200,
        "x" * 200,
        "  spaced\tout \n",
        "",
    ],
)
def test_any_name_people_have_is_stored_as_text_and_shown_escaped(api: Api, box: TestBox, name: str) -> None:
    import unicodedata

    from appliance.services import booking

    hold = api.hold().json["hold"]
    answer = api("POST", ORDERS, {"hold": hold, "name": name})
    assert answer.status_code == 201, answer.text
    stored = box.look(lambda unit: booking.find_order(unit, answer.json["order"])).name
    assert stored == " ".join(unicodedata.normalize("NFC", name).split())


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 129, "schlüssel", "tab\there"])
def test_a_key_of_the_wrong_form_is_refused(api: Api, box: TestBox, key: str) -> None:
    before = rows_of(box)
    headers = {"Idempotency-Key": key.encode().decode("latin-1")}
    answer = api.http.post(HOLDS, json=line(), headers=headers)
    refused(answer, 422, "Idempotency-Key")
    assert rows_of(box) == before


def test_odd_client_tokens_make_a_new_client(api: Api) -> None:
    for token in ("x", "A" * 5000, "🎟".encode().decode("latin-1"), "=", "....", "%00"):
        answer = api.hold(Client_Token=token)
        assert answer.status_code == 201
        assert answer.headers["Client-Token"] != token
        api("DELETE", f"/api/v1/holds/{answer.json['hold']}")


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v2/events",
        "/api/v1/stock",
        "/api/v1/events/",
        "/api/v1/%2e%2e/holds",
        "/api/v1/\u202e",
    ],
)
def test_an_unknown_address_under_api_is_a_problem(api: Api, path: str) -> None:
    problem = refused(api("GET", path), 404)
    assert problem["type"] == "/problems/not-found"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", HOLDS, "POST"),
        ("GET", HOLDS, "POST"),
        ("POST", "/api/v1/events", "GET"),
        ("PATCH", "/api/v1/orders/x", "DELETE"),
        ("TRACE", "/api/v1/availability", "GET"),
        ("POST", "/healthz", "GET"),
    ],
)
def test_a_wrong_method_is_answered_with_the_right_ones(api: Api, method: str, path: str, allowed: str) -> None:
    answer = api(method, path)
    refused(answer, 405)
    assert allowed in answer.headers["Allow"]


def test_requests_of_the_wrong_shape_never_reach_a_5xx(api: Api) -> None:
    for path in (
        "/api/v1/orders/" + "a" * 8000,
        "/api/v1/orders/%ff%fe",
        "/api/v1/events?x=%ff",
        "/%00",
        "//",
        "/api/v1//events",
    ):
        assert api("GET", path).status_code < 500
    assert api("GET", "/api/v1/events", Host="a b<>").status_code < 500
    assert api("GET", "/api/v1/availability", If_None_Match='W/"broken, "').status_code < 500
    assert api("GET", "/api/v1/events", Range="bytes=-1", Accept_Language="\x7f;q=x").status_code < 500
    assert api("DELETE", "/api/v1/holds/x", line()).status_code == 404


def test_a_database_that_cannot_be_written_is_503_and_a_time_to_retry(api: Api, box: TestBox, monkeypatch) -> None:
    import sqlite3

    from sqlalchemy.exc import OperationalError

    from mqtt_bridge.database import Database

    for text in ("database is locked", "database or disk is full", "disk I/O error"):

        def broken(*_args: object, text: str = text) -> None:
            raise OperationalError("INSERT", {}, sqlite3.OperationalError(text))

        with monkeypatch.context() as patched:
            patched.setattr(Database, "run", broken)
            answer = api.hold()
        refused(answer, 503)
        assert answer.headers["Retry-After"] == "2"
    assert api.hold().status_code == 201
