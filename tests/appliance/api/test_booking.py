"""From listing to order, as DESIGN's contract says it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from appliance.web import freshness
from tests.appliance.api.conftest import Api, rows_of
from tests.support.box import ADULT, BALCONY, CHILD, ELSEWHERE, OPEN_LIMITS, ROOM, SEAT, START_MS, TestBox

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def available(api: Api) -> dict[str, int]:
    return {each["ticket_type"]: each["available"] for each in api("GET", "/api/v1/availability").json["items"]}


def test_the_listing_names_events_sessions_and_types_with_price_and_availability(api: Api) -> None:
    answer = api("GET", "/api/v1/events")
    assert answer.status_code == 200
    assert answer.content_type == "application/json"
    assert TIME.fullmatch(answer.json["as_of"])
    (event,) = answer.json["events"]
    assert (event["slug"], event["title"]) == ("river", "Songs of the River")
    tonight = event["sessions"][0]
    assert tonight["venue"] == {"id": "north", "name": "North Hall", "address": "1 North St"}
    assert TIME.fullmatch(tonight["starts_at"])
    assert TIME.fullmatch(tonight["ends_at"])
    adult = tonight["ticket_types"][0]
    assert adult == {
        "id": ADULT,
        "name": "Adult",
        "quota": ROOM,
        "price": {"amount": "12.00", "currency": "EUR"},
        "available": 10,
        "state": "on_sale",
    }


def test_availability_is_small_and_answered_304_until_a_figure_changes(api: Api) -> None:
    first = api("GET", "/api/v1/availability")
    assert first.json["max_age"] == 5
    assert first.headers["Cache-Control"] == freshness.AVAILABILITY.header()
    assert {"ticket_type": ADULT, "available": 10, "state": "on_sale"} in first.json["items"]
    etag = first.headers["ETag"]
    same = api("GET", "/api/v1/availability", If_None_Match=etag)
    assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", etag)
    assert "Client-Token" not in first.headers
    api.hold()
    changed = api("GET", "/api/v1/availability", If_None_Match=etag)
    assert changed.status_code == 200
    assert changed.headers["ETag"] != etag


def test_a_hold_says_until_when_and_takes_the_stock(api: Api) -> None:
    answer = api.hold(quantity=2)
    assert answer.status_code == 201
    assert answer.json["requested"] is False
    assert answer.json["expires_in"] == 600
    expires_at = datetime.fromisoformat(answer.json["expires_at"])
    assert expires_at == datetime.fromtimestamp(START_MS / 1000 + 600, UTC)
    assert answer.json["total"] == {"amount": "24.00", "currency": "EUR"}
    assert len(answer.json["hold"]) == 26
    assert available(api)[ADULT] == available(api)[CHILD] == 8


def test_several_types_are_held_together_or_not_at_all(api: Api, box: TestBox) -> None:
    both = [{"ticket_type": ADULT, "quantity": 1}, {"ticket_type": SEAT, "quantity": 1}]
    assert api("POST", "/api/v1/holds", {"items": both}).status_code == 201
    before = rows_of(box)
    too_many = [{"ticket_type": ADULT, "quantity": 1}, {"ticket_type": SEAT, "quantity": 5}]
    refused = api.at("10.0.0.9")("POST", "/api/v1/holds", {"items": too_many})
    assert refused.status_code == 409
    assert rows_of(box) == before


def test_a_released_hold_gives_the_stock_back_and_releasing_twice_is_fine(api: Api) -> None:
    hold = api.hold(quantity=3).json["hold"]
    for _ in range(2):
        answer = api("DELETE", f"/api/v1/holds/{hold}")
        assert (answer.status_code, answer.data) == (204, b"")
    assert available(api)[ADULT] == 10
    gone = api("POST", "/api/v1/orders", {"hold": hold})
    assert (gone.status_code, gone.json["type"]) == (410, "/problems/hold-expired")


def test_confirming_gives_an_order_with_signed_tickets(api: Api) -> None:
    hold = api.hold(quantity=2).json["hold"]
    answer = api("POST", "/api/v1/orders", {"hold": hold, "name": "Zoë <b>O'Hara</b> 🎟 שלום", "contact": "+49 1"})
    assert answer.status_code == 201
    order = answer.json
    assert (order["status"], order["payment"]) == ("confirmed", "promised")
    assert order["total"] == order["due"] == {"amount": "24.00", "currency": "EUR"}
    assert len(order["tickets"]) == 2
    for ticket in order["tickets"]:
        assert ticket["ticket_type"] == ADULT
        assert ticket["receipt"].startswith("MQ1:")
        assert len(ticket["code"]) == 8
    assert api("GET", f"/api/v1/orders/{order['order']}").json == order
    assert "Zo" not in answer.text, "names stay out of answers that are kept for replays"


def test_a_second_order_for_one_hold_returns_the_first(api: Api, box: TestBox) -> None:
    hold = api.hold().json["hold"]
    first = api("POST", "/api/v1/orders", {"hold": hold, "name": "Ada"})
    before = rows_of(box)
    second = api("POST", "/api/v1/orders", {"hold": hold, "name": "Bob"})
    assert (second.status_code, second.json) == (201, first.json)
    assert rows_of(box) == before


def test_a_free_order_is_paid_at_once(api: Api) -> None:
    order = api.book(CHILD)
    assert (order["payment"], order["total"]["amount"]) == ("paid", "0.00")


def test_an_expired_hold_is_confirmed_while_stock_remains_and_refused_when_it_is_gone(
    app_of, tmp_path, box: TestBox, api: Api
) -> None:
    late = api.hold(SEAT, 1).json["hold"]
    lost = api.at("10.0.0.2").hold(SEAT, 1).json["hold"]
    box.turn.advance(11 * 60_000)
    assert api("POST", "/api/v1/orders", {"hold": late}).status_code == 201
    box.grant({BALCONY: 5}, elsewhere=0)
    for number in range(4):
        api.at(f"10.0.1.{number}").book(SEAT, 1)
    refused = api("POST", "/api/v1/orders", {"hold": lost})
    assert refused.status_code == 409
    assert refused.json["type"] in {"/problems/sold-out", "/problems/sold-out-here"}


def test_selling_beyond_what_is_here_is_sold_out_here_with_the_figure(api: Api, box: TestBox) -> None:
    refused = api.hold(ELSEWHERE, 5)
    assert (refused.status_code, refused.json["type"]) == (409, "/problems/sold-out-here")
    assert refused.json["available"] == 4


def test_cancelling_an_order_of_this_venue_is_decided_at_once(api: Api, box: TestBox) -> None:
    box.grant({ROOM: 10})
    order = api.book(quantity=2)
    assert available(api)[ADULT] == 8
    answer = api("DELETE", f"/api/v1/orders/{order['order']}")
    assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
    assert available(api)[ADULT] == 10
    assert api("DELETE", f"/api/v1/orders/{order['order']}").json["status"] == "cancelled"


def test_cancelling_what_another_venue_hosts_waits_for_its_door(api: Api) -> None:
    order = api.book(ELSEWHERE)
    answer = api("DELETE", f"/api/v1/orders/{order['order']}")
    assert (answer.status_code, answer.json["status"]) == (202, "cancel_pending")
    assert available(api)[ELSEWHERE] == 3


def test_ids_of_other_people_cannot_be_guessed_and_codes_give_no_right(api: Api) -> None:
    order = api.book()
    for wrong in (
        "a" * 26,
        order["code"],
        order["tickets"][0]["ticket"],
        order["tickets"][0]["code"],
        "%00",
        "x" * 500,
    ):
        assert api("GET", f"/api/v1/orders/{wrong}").status_code == 404
        assert api("DELETE", f"/api/v1/orders/{wrong}").status_code == 404
        assert api("DELETE", f"/api/v1/holds/{wrong}").status_code == 404
    assert api("GET", f"/api/v1/orders/{order['order']}").json["status"] == "confirmed"


def test_one_client_meets_its_limits_and_a_new_one_does_not(api: Api) -> None:
    assert api.hold(quantity=9).json["limit"] == "per_hold"
    token = api.hold().headers["Client-Token"]
    assert api.hold(Client_Token=token).status_code == 201
    refused = api.hold(Client_Token=token)
    assert (refused.status_code, refused.json["type"]) == (409, "/problems/limit-reached")
    assert refused.json["limit"] == "holds_per_client"
    assert api.hold().status_code == 201


def test_new_clients_of_one_address_are_slowed_down(app_of, tmp_path) -> None:
    from msgspec.structs import replace

    from tests.support.box import example_catalogue, make_box

    folder = tmp_path / "slow"
    folder.mkdir()
    box = make_box(folder, catalogue=example_catalogue(replace(OPEN_LIMITS, new_clients_per_minute=2)))
    api = Api(app_of(box).test_client(use_cookies=False), {})
    assert [api.hold().status_code for _ in range(3)] == [201, 201, 429]
    assert int(api.hold().headers["Retry-After"]) > 0
    assert api.at("10.0.0.2").hold().status_code == 201
    box.database.close()


def test_the_first_answer_names_the_client_and_later_ones_keep_the_name(api: Api) -> None:
    first = api("GET", "/api/v1/events")
    token = first.headers["Client-Token"]
    assert first.headers["Cache-Control"] == "private, max-age=5"
    assert api("GET", "/api/v1/events", Client_Token=token).headers["Client-Token"] == token
    assert api.hold(Client_Token=token).headers["Client-Token"] == token


def test_hold_and_order_name_the_page_that_shows_them_also_when_replayed(api: Api) -> None:
    def page_of(answer) -> str:
        found = re.fullmatch(r'<(/[^>]+)>; rel="alternate"; type="text/html"', answer.headers["Link"])
        assert found is not None
        return found[1]

    held = api("POST", "/api/v1/holds", {"items": [{"ticket_type": ADULT, "quantity": 1}]}, Idempotency_Key="k")
    again = api("POST", "/api/v1/holds", {"items": [{"ticket_type": ADULT, "quantity": 1}]}, Idempotency_Key="k")
    assert page_of(again) == page_of(held)
    assert held.json["hold"] not in page_of(held)
    shown = api.http.get(page_of(held))
    assert f"{held.json['code'][:4]}-{held.json['code'][4:]}" in shown.text
    booked = api("POST", "/api/v1/orders", {"hold": held.json["hold"]})
    assert booked.json["order"] not in page_of(booked)
    assert "/cancel" in api.http.get(page_of(booked)).text


def test_an_order_is_changed_all_or_nothing_and_a_repetition_gets_the_first_answer(api: Api) -> None:
    order = api.book(quantity=2)
    where = f"/api/v1/orders/{order['order']}/changes"
    wanted = {"items": [{"ticket_type": ADULT, "quantity": 1}, {"ticket_type": CHILD, "quantity": 2}]}
    first = api("POST", where, wanted, Idempotency_Key="change-1")
    assert first.status_code == 201
    assert len(first.json["tickets"]) == 3
    assert api("POST", where, wanted, Idempotency_Key="change-1").json == first.json
    assert api("GET", f"/api/v1/orders/{order['order']}").json["status"] == "cancelled"
    assert available(api)[ADULT] == 7
    more = {"items": [{"ticket_type": ELSEWHERE, "quantity": 5}]}
    refused = api("POST", f"/api/v1/orders/{first.json['order']}/changes", more)
    assert (refused.status_code, refused.json["type"]) == (409, "/problems/sold-out-here")
    assert available(api)[ADULT] == 7
