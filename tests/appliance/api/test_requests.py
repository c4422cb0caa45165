"""Asking for tickets past the allocation, as a program sees it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mqtt_bridge.protocol.messages import OrderRefused
from tests.appliance.api.conftest import Api, rows_of
from tests.appliance.services.test_requests import answer, hear, on_request, only_order
from tests.support.box import ADULT, CHILD, HALL, ROOM, TestBox, make_box


@pytest.fixture
def box(tmp_path: Path) -> Iterator[TestBox]:
    """One ticket left for the room, and the link is down."""
    made = make_box(tmp_path, catalogue=on_request(), grants={ROOM: 1, HALL: 0}, elsewhere=9)
    yield made
    made.database.close()


def state(api: Api) -> tuple[str, int]:
    adult = api("GET", "/api/v1/events").json["events"][0]["sessions"][0]["ticket_types"][0]
    return adult["state"], adult["available"]


def test_a_hold_past_the_allocation_is_requested_and_so_is_its_order(api: Api) -> None:
    held = api.hold(quantity=2)
    assert (held.status_code, held.json["requested"]) == (201, True)
    assert state(api) == ("on_sale", 1)
    assert api.hold().json["requested"] is False
    assert state(api) == ("on_request", 0)
    order = api("POST", "/api/v1/orders", {"hold": held.json["hold"]})
    assert order.status_code == 201
    assert (order.json["status"], order.json["payment"], order.json["refusal"]) == ("requested", "promised", None)
    assert [each["receipt"] for each in order.json["tickets"]] == ["", ""]
    assert all(each["code"] for each in order.json["tickets"])
    assert api("POST", "/api/v1/orders", {"hold": held.json["hold"]}).json == order.json


def test_a_strict_line_that_is_short_refuses_the_whole_hold(api: Api, box: TestBox) -> None:
    before = rows_of(box)
    for items in ([(CHILD, 2)], [(ADULT, 1), (CHILD, 2)]):
        body = {"items": [{"ticket_type": kind, "quantity": number} for kind, number in items]}
        refused = api("POST", "/api/v1/holds", body)
        assert (refused.status_code, refused.json["type"].rpartition("/")[2]) == (409, "sold-out-here")
    assert rows_of(box) == before


def test_the_order_shows_the_answer(api: Api, box: TestBox) -> None:
    order = api.book(quantity=2)
    url = f"/api/v1/orders/{order['order']}"
    hear(box, answer(box, only_order(box)))
    after = api("GET", url).json
    assert after["status"] == "confirmed"
    assert all(each["receipt"].startswith("MQ1:") for each in after["tickets"])
    assert [each["code"] for each in after["tickets"]] == [each["code"] for each in order["tickets"]]


def test_a_refused_order_says_why(api: Api, box: TestBox) -> None:
    order = api.book(quantity=2)
    hear(box, OrderRefused(order["order"], "sold_out"))
    after = api("GET", f"/api/v1/orders/{order['order']}").json
    assert (after["status"], after["refusal"]) == ("refused", "sold_out")


def test_a_request_is_taken_back_at_once(api: Api) -> None:
    url = f"/api/v1/orders/{api.book(quantity=2)['order']}"
    for _ in range(2):
        gone = api("DELETE", url)
        assert (gone.status_code, gone.json["status"]) == (200, "cancelled")


def test_money_and_the_door_wait_for_the_answer(api: Api, staff: Api) -> None:
    order = api.book(quantity=2)
    paid = staff("POST", f"/api/v1/orders/{order['order']}/payments", {"method": "cash", "amount": order["total"]})
    assert paid.status_code == 422
    assert "only requested" in paid.json["detail"]
    scan = staff("POST", "/api/v1/check-ins", {"code": order["tickets"][0]["code"]})
    assert (scan.json["verdict"], scan.json["reason"]) == ("refused", "requested")
