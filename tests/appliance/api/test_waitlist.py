"""Waiting for tickets over the API: join, look, take or leave."""

from __future__ import annotations

import pytest

from appliance.services import booking
from appliance.services.booking import Item
from appliance.services.sweep import sweep
from tests.appliance.api.conftest import Answer, Api
from tests.support.box import ADULT, BALCONY, CHILD, SEAT, TestBox, desk

OFFER_S = 20 * 60


@pytest.fixture
def sold_out(box: TestBox) -> str:
    """The balcony's five seats are one order; returns its id."""

    def buy(unit):
        held = booking.place_hold(unit, desk(), [Item(SEAT, 5)], channel="desk")
        return booking.confirm(unit, held.id, client=desk(), staff="A7").id

    return str(box.run(buy))


def join(api: Api, quantity: int = 1, kind: str = SEAT, **headers: str) -> Answer:
    return api("POST", "/api/v1/waitlist", {"items": [{"ticket_type": kind, "quantity": quantity}]}, **headers)


def entry(api: Api, joined: Answer) -> dict[str, object]:
    answer = api("GET", f"/api/v1/waitlist/{joined.json['entry']}")
    assert answer.status_code == 200, answer.text
    return answer.json


def test_joining_a_sold_out_list_says_where_one_stands(api: Api, sold_out: str) -> None:
    """201 with position, of how many and as of when; a second guest is second."""
    answer = join(api, 2)
    assert answer.status_code == 201, answer.text
    assert len(answer.json["entry"]) >= 26
    assert answer.json | {"entry": "", "as_of": ""} == {
        "entry": "",
        "state": "waiting",
        "items": [{"ticket_type": SEAT, "quantity": 2}],
        "position": 1,
        "of": 1,
        "as_of": "",
        "hold": None,
        "expires_at": None,
        "expires_in": None,
        "order": None,
    }
    assert answer.headers["Client-Token"]
    second = entry(api, join(api))
    assert (second["position"], second["of"]) == (2, 2)


def test_an_offer_is_a_hold_with_its_remaining_time_and_becomes_an_order(api: Api, box: TestBox, sold_out: str) -> None:
    """Cancelled stock is offered at once; confirming the hold takes it."""
    joined = join(api, 2)
    api("DELETE", f"/api/v1/orders/{sold_out}")
    offered = entry(api, joined)
    assert (offered["state"], offered["position"], offered["expires_in"]) == ("offered", None, OFFER_S)
    order = api("POST", "/api/v1/orders", {"hold": offered["hold"]})
    assert order.status_code == 201
    assert len(order.json["tickets"]) == 2
    taken = entry(api, joined)
    assert (taken["state"], taken["order"], taken["hold"]) == ("taken", order.json["order"], None)


def test_a_lapsed_offer_is_gone(api: Api, box: TestBox, sold_out: str) -> None:
    """410 hold-expired, although stock is free again."""
    joined = join(api)
    api("DELETE", f"/api/v1/orders/{sold_out}")
    hold = entry(api, joined)["hold"]
    box.turn.advance(OFFER_S * 1000)
    box.run(sweep)
    assert entry(api, joined)["state"] == "lapsed"
    answer = api("POST", "/api/v1/orders", {"hold": hold})
    assert (answer.status_code, answer.json["type"].rsplit("/", 1)[-1]) == (410, "hold-expired")


def test_leaving_twice_is_leaving_once(api: Api, sold_out: str) -> None:
    """204 and 204; unknown entries are 404."""
    joined = join(api)
    path = f"/api/v1/waitlist/{joined.json['entry']}"
    assert [api("DELETE", path).status_code for _ in range(2)] == [204, 204]
    assert entry(api, joined)["state"] == "left"
    assert api("DELETE", "/api/v1/waitlist/nobody").status_code == 404
    assert api("GET", "/api/v1/waitlist/nobody").status_code == 404


def test_what_is_on_sale_is_booked_and_not_waited_for(api: Api) -> None:
    """422 that says so."""
    answer = join(api, kind=ADULT)
    assert (answer.status_code, answer.json["field"]) == (422, "items")
    assert "on sale right now: 10 are free" in answer.json["detail"]


def test_bad_wishes_are_refused(api: Api, sold_out: str) -> None:
    """Two quotas in one entry, the same type twice, too many, unknown fields."""
    items = [{"ticket_type": SEAT, "quantity": 1}, {"ticket_type": CHILD, "quantity": 1}]
    assert api("POST", "/api/v1/waitlist", {"items": items}).status_code == 422
    assert api("POST", "/api/v1/waitlist", {"items": [items[0], items[0]]}).status_code == 422
    assert api("POST", "/api/v1/waitlist", {"items": items[:1], "email": "x"}).status_code in {400, 422}
    assert join(api, 6).status_code == 422


def test_one_phone_waits_once_per_list(api: Api, sold_out: str) -> None:
    """409 limit-reached for the second time."""
    token = join(api).headers["Client-Token"]
    again = join(api, Client_Token=token)
    assert (again.status_code, again.json["limit"]) == (409, "waitlist_per_client")


def test_the_same_key_joins_once(api: Api, sold_out: str) -> None:
    """A retry gets the first answer."""
    token = join(api, quantity=2).headers["Client-Token"]
    first = join(api, Idempotency_Key="k", Client_Token="")
    again = join(api, Idempotency_Key="k", Client_Token=first.headers.get("Client-Token", token))
    assert again.json["entry"] == first.json["entry"]
    assert again.headers["Idempotency-Replayed"] == "true"


def test_walk_ups_see_what_nobody_in_line_is_due(api: Api, box: TestBox, sold_out: str) -> None:
    """Three of five freed seats are offered, two are on sale."""
    join(api, 3)
    api("DELETE", f"/api/v1/orders/{sold_out}")
    items = {each["ticket_type"]: each["available"] for each in api("GET", "/api/v1/availability").json["items"]}
    assert items[SEAT] == 2
    box.grant({BALCONY: 6})
    assert api.hold(SEAT).status_code == 201
