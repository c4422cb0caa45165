"""The document and the application are one thing: whoever believes the one is never surprised by the other."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from appliance.portal import WebSettings, create_app
from appliance.portal.app import programs
from appliance.portal.openapi import document
from appliance.portal.routes import Table
from appliance.services import booking, staff
from tests.appliance.api.conftest import Api
from tests.support.box import ADULT, BALCONY, HALL, OPEN_LIMITS, ROOM, SEAT, desk, example_catalogue, make_box

TOKEN = "a-token-of-the-tests"
# An answer that is a secret is stored nowhere, hence never replayed.
SECRETS = {"/api/v1/staff/tokens", "/api/v1/tokens"}
SIGNED_IN = {"Authorization": f"Bearer {TOKEN}"}
# Every check except this one: stock, unknown ids and keys used before may refuse what the schema allows.
EXCLUDED: list[schemathesis.CheckFunction] = [positive_data_acceptance]


def described() -> dict[str, Any]:
    table = Table()
    programs(table)
    return document(table)


class Served:
    """The application under test, made when the first test runs; ``real`` are ids that exist in it."""

    app: Flask
    real: dict[str, str]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        return self.app(environ, start_response)


SERVED = Served()
schema = schemathesis.openapi.from_dict(described())
schema.app = SERVED


@pytest.fixture(scope="module", autouse=True)
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """A venue with stock, an order, a hold and a check-in, where every client may have everything."""
    folder = tmp_path_factory.mktemp("openapi")
    box = make_box(folder, catalogue=example_catalogue(OPEN_LIMITS), grants={ROOM: 20_000, BALCONY: 5, HALL: 10})
    box.run(lambda unit: staff.grant_token(unit, TOKEN, "A7", "Ada", 10_000))
    SERVED.app = create_app(box, WebSettings(folder))
    api = Api(SERVED.app.test_client(), dict(SIGNED_IN))
    order = api.book()
    scan = api("POST", "/api/v1/check-ins", {"code": order["tickets"][0]["code"]}).json
    box.run(lambda unit: booking.place_hold(unit, desk(), [booking.Item(SEAT, 5)]))
    joined = api("POST", "/api/v1/waitlist", {"items": [{"ticket_type": SEAT, "quantity": 1}]}).json
    SERVED.real = {"order": order["order"], "hold": api.hold().json["hold"], "check_in": scan["check_in"]}
    SERVED.real["entry"] = joined["entry"]
    yield SERVED.app
    box.database.close()


def with_real_ids(case: Case) -> Case:
    """Replace made-up ids of an otherwise unchanged case by ids that exist, so that it gets past the first look-up."""
    for name in case.path_parameters or {}:
        case.path_parameters[name] = SERVED.real[name]
    if isinstance(case.body, dict):
        if isinstance(case.body.get("hold"), str):
            case.body["hold"] = SERVED.real["hold"]
        items = case.body.get("items")
        for item in items if isinstance(items, list) else []:
            if isinstance(item, dict) and isinstance(item.get("ticket_type"), str):
                item["ticket_type"] = SEAT if case.path.endswith("/waitlist") else ADULT
    return case


def drive(case: Case, *, real: bool) -> None:
    """Send a case and hold the answer against the document; real ids are no longer what was generated as wrong."""
    if not real:
        case.call_and_validate(headers=SIGNED_IN, excluded_checks=EXCLUDED)
        return
    answer = with_real_ids(case).call(headers=SIGNED_IN)
    case.validate_response(answer, headers=SIGNED_IN, excluded_checks=[*EXCLUDED, negative_data_rejection])


@schema.given(real=st.booleans())
@schema.parametrize()
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_the_document_promises(case: Case, real: bool) -> None:
    drive(case, real=real)


@pytest.mark.slow
@schema.given(real=st.booleans())
@schema.parametrize()
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_answer_is_one_the_document_promises_at_length(case: Case, real: bool) -> None:
    drive(case, real=real)


def test_the_document_lists_exactly_what_programs_can_call(served: Flask) -> None:
    listed = {(method.upper(), path) for path, methods in described()["paths"].items() for method in methods}
    screens = ("attendee.", "waiting.", "phone.", "staff.", "hotspot.", "problem_pages.", "web_static", "brand_static")
    pages = (*screens, "internal.")
    served_now = {
        (method, re.sub(r"<(\w+)>", r"{\1}", rule.rule))
        for rule in served.url_map.iter_rules()
        if not rule.endpoint.startswith(pages)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert listed == served_now
    assert served.test_client().get("/api/v1/openapi.json").json == described()


def test_the_document_is_valid_openapi_and_names_what_the_contract_names() -> None:
    schema.validate()
    schemas = described()["components"]["schemas"]
    assert {"hold", "expires_at", "expires_in", "requested"} <= set(schemas["Hold"]["required"])
    assert {"order", "status", "payment", "total", "tickets"} <= set(schemas["Order"]["required"])
    assert {"ticket", "ticket_type", "code", "receipt"} <= set(schemas["OrderTicket"]["required"])
    assert {"check_in", "verdict", "reason", "ticket"} <= set(schemas["CheckIn"]["required"])
    assert schemas["HoldRequest"]["additionalProperties"] is False


def test_every_write_of_a_guest_or_staff_takes_a_key_except_those_that_give_a_secret() -> None:
    for path, methods in described()["paths"].items():
        for method, operation in methods.items():
            keyed = any(each["name"] == "Idempotency-Key" for each in operation.get("parameters", []))
            assert keyed == (method != "get" and path not in SECRETS)
