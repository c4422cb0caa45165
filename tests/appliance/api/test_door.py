"""Staff: sign in, scan, take money, take back."""

from __future__ import annotations

import pytest

from tests.appliance.api.conftest import Api, rows_of
from tests.support.box import BADGE, CHILD, ELSEWHERE, PIN, TestBox

STAFF_ROUTES = [
    ("POST", "/api/v1/check-ins", {"code": "ABCD-EFGH"}),
    ("DELETE", "/api/v1/check-ins/x", None),
    ("GET", "/api/v1/orders?q=ann", None),
    ("POST", "/api/v1/orders/x/payments", {"method": "cash", "amount": {"amount": "1.00", "currency": "EUR"}}),
]


def test_badge_and_pin_give_a_token_for_some_hours(api: Api) -> None:
    answer = api("POST", "/api/v1/staff/tokens", {"badge": BADGE, "pin": PIN})
    assert answer.status_code == 201
    assert answer.json["expires_in"] == 8 * 3600
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "body", [{"badge": BADGE, "pin": "1"}, {"badge": "nobody", "pin": PIN}, {"badge": "S1", "pin": "x"}]
)
def test_wrong_badge_pin_or_venue_get_the_same_401(api: Api, body: dict[str, str]) -> None:
    answer = api("POST", "/api/v1/staff/tokens", body)
    assert (answer.status_code, answer.json["detail"]) == (401, "Badge or PIN is wrong.")
    assert answer.headers["WWW-Authenticate"] == 'Bearer realm="staff"'


def test_guessing_pins_is_slowed_down(api: Api) -> None:
    wrong = {"badge": BADGE, "pin": "0000"}
    statuses = [api("POST", "/api/v1/staff/tokens", wrong).status_code for _ in range(6)]
    assert statuses == [401] * 5 + [429]
    right = api("POST", "/api/v1/staff/tokens", {"badge": BADGE, "pin": PIN})
    assert (right.status_code, right.json["type"]) == (429, "/problems/limit-reached")
    assert int(right.headers["Retry-After"]) > 0


@pytest.mark.parametrize(("method", "path", "body"), STAFF_ROUTES)
@pytest.mark.parametrize("header", [None, "Bearer wrong", "Basic QTc6MjQ2OA==", "Bearer \x7f\xff"])
def test_nobody_does_staff_work_without_a_token(
    api: Api, box: TestBox, method: str, path: str, body: object, header: str | None
) -> None:
    before = rows_of(box)
    answer = api(method, path, body, **({"Authorization": header} if header else {}))
    assert (answer.status_code, answer.json["type"]) == (401, "/problems/unauthorised")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert rows_of(box) == before


def test_a_token_ends_with_its_hours_and_with_the_boot(staff: Api, box: TestBox) -> None:
    assert staff("POST", "/api/v1/check-ins", {"code": "x"}).status_code == 200
    box.turn.reboot()
    assert staff("POST", "/api/v1/check-ins", {"code": "x"}).status_code == 401


def test_the_signed_in_cookie_of_the_pages_opens_nothing_here(api: Api, staff: Api) -> None:
    token = staff.headers["Authorization"].removeprefix("Bearer ")
    assert api("POST", "/api/v1/check-ins", {"code": "x"}, Cookie=f"staff={token}").status_code == 401


def test_a_ticket_goes_from_unpaid_to_admitted_to_already_admitted_and_back(api: Api, staff: Api) -> None:
    order = api.book()
    (ticket,) = order["tickets"]
    unpaid = staff("POST", "/api/v1/check-ins", {"code": ticket["code"].lower()}).json
    assert (unpaid["verdict"], unpaid["reason"]) == ("refused", "unpaid")
    assert unpaid["due"] == {"amount": "12.00", "currency": "EUR"}
    paid = staff("POST", f"/api/v1/orders/{order['order']}/payments", {"method": "cash", "amount": order["total"]})
    assert (paid.status_code, paid.json["payment"], paid.json["due"]["amount"]) == (201, "paid", "0.00")
    admitted = staff("POST", "/api/v1/check-ins", {"code": paid.json["tickets"][0]["receipt"], "lane": "left"}).json
    assert (admitted["verdict"], admitted["reason"]) == ("admitted", None)
    assert admitted["ticket"] == ticket["ticket"]
    assert admitted["admits"]["event"] == "Songs of the River"
    again = staff("POST", "/api/v1/check-ins", {"code": ticket["code"]}).json
    assert again["verdict"] == "already_admitted"
    assert again["previous_at"] is not None
    for _ in range(2):
        undone = staff("DELETE", f"/api/v1/check-ins/{admitted['check_in']}")
        assert (undone.status_code, undone.data) == (204, b"")
    assert staff("POST", "/api/v1/check-ins", {"code": ticket["code"]}).json["verdict"] == "admitted"


def test_an_order_somebody_came_in_on_cannot_be_cancelled(api: Api, staff: Api) -> None:
    order = api.book(CHILD)
    staff("POST", "/api/v1/check-ins", {"code": order["tickets"][0]["code"]})
    answer = api("DELETE", f"/api/v1/orders/{order['order']}")
    assert (answer.status_code, answer.json["type"]) == (409, "/problems/already-admitted")


def test_what_is_not_admissible_says_why(api: Api, staff: Api) -> None:
    def reason(code: str) -> str:
        return staff("POST", "/api/v1/check-ins", {"code": code}).json["reason"]

    assert reason("ZZZZ-ZZZZ") == "unknown"
    assert reason("'; DROP TABLE ticket; --") == "unknown"
    assert reason("\u202e🎟\x00") == "unknown"
    assert reason("MQ1:garbage") in {"unknown", "bad_signature"}
    assert reason(api.book(ELSEWHERE)["tickets"][0]["code"]) == "wrong_session"
    order = api.book(CHILD)
    api("DELETE", f"/api/v1/orders/{order['order']}")
    assert reason(order["tickets"][0]["code"]) == "cancelled"


@pytest.mark.parametrize(
    ("method", "amount", "currency", "field"),
    [
        ("cash", "12.001", "EUR", "amount.amount"),
        ("cash", "-1", "EUR", "amount.amount"),
        ("cash", "NaN", "EUR", "amount.amount"),
        ("cash", "1e400", "EUR", "amount.amount"),
        ("cash", "9" * 400, "EUR", "amount.amount"),
        ("cash", "", "EUR", "amount.amount"),
        ("cash", "٣", "EUR", "amount"),
        ("cash", "0", "EUR", "amount"),
        ("cash", "13.00", "EUR", "amount"),
        ("comp", "1.00", "EUR", "amount"),
        ("cash", "12.00", "USD", "amount.currency"),
        ("card", "12.00", "EUR", "method"),
    ],
)
def test_money_that_does_not_fit_is_refused_by_name(
    api: Api, staff: Api, box: TestBox, method: str, amount: str, currency: str, field: str
) -> None:
    order = api.book()
    before = rows_of(box)
    body = {"method": method, "amount": {"amount": amount, "currency": currency}}
    answer = staff("POST", f"/api/v1/orders/{order['order']}/payments", body)
    assert answer.status_code == 422, answer.text
    assert answer.json["field"].startswith(field)
    assert rows_of(box) == before


def test_an_order_is_paid_once_and_an_unknown_one_never(api: Api, staff: Api) -> None:
    order = api.book()
    body = {"method": "terminal", "amount": order["total"]}
    url = f"/api/v1/orders/{order['order']}/payments"
    assert staff("POST", url, body).status_code == 201
    assert staff("POST", url, body).status_code == 422
    assert staff("POST", "/api/v1/orders/nothing/payments", body).status_code == 404
    assert staff("DELETE", "/api/v1/check-ins/nothing").status_code == 404


def test_a_lane_cannot_pass_for_another_door(staff: Api) -> None:
    """Scans of other doors have lanes with @, are not listed here and cannot be undone here."""
    answer = staff("POST", "/api/v1/check-ins", {"code": "K7QF2M9D", "lane": "@elsewhere"})
    assert (answer.status_code, answer.json["field"]) == (422, "lane")


def test_staff_find_orders_by_name_and_nothing_keeps_the_answer(api: Api, staff: Api) -> None:
    hold = api("POST", "/api/v1/holds", {"items": [{"ticket_type": CHILD, "quantity": 1}]}).json["hold"]
    order = api("POST", "/api/v1/orders", {"hold": hold, "name": "Zoë Müller"}).json
    answer = staff("GET", "/api/v1/orders?q=ZOE")
    assert answer.json == {"orders": [{"name": "Zoë Müller", "order": order}], "more": False}
    assert answer.headers["Cache-Control"] == "no-store"
    for wrong, field in (("q=", "q"), ("", "q"), ("q=a&q=b", "q"), ("q=zoe&name=x", "name")):
        refused = staff("GET", f"/api/v1/orders?{wrong}")
        assert (refused.status_code, refused.json["field"]) == (422, field)
