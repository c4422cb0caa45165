"""Sending a write again is safe: the first good answer is repeated to the one who got it, or should have got it."""

from __future__ import annotations

from tests.appliance.api.conftest import Api, rows_of
from tests.support.box import ADULT, CHILD, SEAT, TestBox

HOLDS = "/api/v1/holds"


def items(kind: str = ADULT, quantity: int = 1) -> dict[str, object]:
    return {"items": [{"ticket_type": kind, "quantity": quantity}]}


def test_the_same_write_under_one_key_happens_once(api: Api, box: TestBox) -> None:
    first = api("POST", HOLDS, items(), Idempotency_Key="k")
    before = rows_of(box)
    again = api("POST", HOLDS, items(), Idempotency_Key="k")
    assert (again.status_code, again.data) == (first.status_code, first.data) == (201, first.data)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first.headers
    assert rows_of(box) == before


def test_a_phone_finds_its_first_answer_with_and_without_the_token_it_was_given(api: Api) -> None:
    first = api("POST", HOLDS, items(), Idempotency_Key="k")
    token = first.headers["Client-Token"]
    assert api("POST", HOLDS, items(), Idempotency_Key="k", Client_Token=token).data == first.data
    without = api("POST", HOLDS, items(), Idempotency_Key="k")
    assert without.data == first.data
    assert without.headers["Client-Token"] == token


def test_another_client_with_the_same_weak_key_gets_its_own_hold(api: Api) -> None:
    mine = api("POST", HOLDS, items(), Idempotency_Key="1").json["hold"]
    theirs = api.at("10.0.0.2")("POST", HOLDS, items(), Idempotency_Key="1")
    assert theirs.status_code == 201
    assert theirs.json["hold"] != mine
    known = api.hold().headers["Client-Token"]
    third = api("POST", HOLDS, items(SEAT), Idempotency_Key="1", Client_Token=known)
    assert third.status_code == 201


def test_on_the_hotspot_a_key_belongs_to_the_phone_even_behind_one_address(app_of, tmp_path, box: TestBox) -> None:
    leases = tmp_path / "leases"
    leases.write_text("1 aa:00:00:00:00:01 10.0.0.1 * *\n1 aa:00:00:00:00:02 10.0.0.2 * *\n")
    api = Api(app_of(box, leases_file=leases).test_client(use_cookies=False), {})
    one = api.at("10.0.0.1")("POST", HOLDS, items(), Idempotency_Key="1")
    two = api.at("10.0.0.2")("POST", HOLDS, items(), Idempotency_Key="1")
    assert one.json["hold"] != two.json["hold"]
    assert "Client-Token" not in one.headers
    assert api.at("10.0.0.1")("POST", HOLDS, items(), Idempotency_Key="1").data == one.data


def test_another_body_or_another_operation_under_one_key_is_refused(api: Api, box: TestBox) -> None:
    hold = api("POST", HOLDS, items(), Idempotency_Key="k").json["hold"]
    before = rows_of(box)
    for body in (items(quantity=2), items(CHILD)):
        answer = api("POST", HOLDS, body, Idempotency_Key="k")
        assert (answer.status_code, answer.json["type"]) == (422, "/problems/key-reused")
    other = api("POST", "/api/v1/orders", {"hold": hold}, Idempotency_Key="k")
    assert (other.status_code, other.json["type"]) == (422, "/problems/key-reused")
    assert rows_of(box) == before


def test_the_spelling_of_the_same_body_does_not_matter(api: Api) -> None:
    first = api("POST", HOLDS, items(), Idempotency_Key="k")
    spelled = f'{{ "items": [ {{"quantity": 1,\n"ticket_type": "{ADULT}"}} ] }}'
    again = api.http.post(HOLDS, data=spelled, content_type="application/json", headers={"Idempotency-Key": "k"})
    assert again.data == first.data


def test_a_refusal_is_not_remembered(api: Api, box: TestBox) -> None:
    full = api("POST", HOLDS, items(SEAT, 6), Idempotency_Key="k")
    assert full.status_code == 409
    assert api("POST", HOLDS, items(SEAT, 1), Idempotency_Key="k").status_code == 201


def test_every_write_of_a_guest_can_be_repeated(api: Api, box: TestBox) -> None:
    hold = api.hold().json["hold"]
    first = api("POST", "/api/v1/orders", {"hold": hold}, Idempotency_Key="order")
    assert api("POST", "/api/v1/orders", {"hold": hold}, Idempotency_Key="order").data == first.data
    url = f"/api/v1/orders/{first.json['order']}"
    cancelled = api("DELETE", url, Idempotency_Key="cancel")
    again = api("DELETE", url, Idempotency_Key="cancel")
    assert again.data == cancelled.data
    assert again.headers["Idempotency-Replayed"] == "true"
    other = api.hold().json["hold"]
    for replayed in (None, "true"):
        answer = api("DELETE", f"/api/v1/holds/{other}", Idempotency_Key="give-back")
        assert answer.status_code == 204
        assert answer.headers.get("Idempotency-Replayed") == replayed


def test_staff_who_lose_an_answer_admit_and_take_money_once(api: Api, staff: Api, box: TestBox) -> None:
    order = api.book()
    pay = {"method": "cash", "amount": order["total"]}
    url = f"/api/v1/orders/{order['order']}/payments"
    paid = staff("POST", url, pay, Idempotency_Key="pay")
    assert paid.status_code == 201
    assert staff("POST", url, pay, Idempotency_Key="pay").data == paid.data
    code = {"code": order["tickets"][0]["code"]}
    seen = staff("POST", "/api/v1/check-ins", code, Idempotency_Key="scan")
    assert seen.json["verdict"] == "admitted"
    before = rows_of(box)
    assert staff("POST", "/api/v1/check-ins", code, Idempotency_Key="scan").data == seen.data
    assert rows_of(box) == before


def test_a_sign_in_is_never_kept_for_replay(api: Api) -> None:
    from tests.support.box import BADGE, PIN

    body = {"badge": BADGE, "pin": PIN}
    tokens = {api("POST", "/api/v1/staff/tokens", body, Idempotency_Key="k").json["token"] for _ in range(2)}
    assert len(tokens) == 2


def test_repeating_under_ever_new_keys_ends_before_it_fills_the_disk(api: Api, box: TestBox) -> None:
    held = api.hold().json["hold"]
    answers = [api("DELETE", f"{HOLDS}/{held}", Idempotency_Key=f"key-{number}") for number in range(25)]
    assert [each.status_code for each in answers] == [204] * 20 + [429] * 5
    assert answers[-1].json["type"].endswith("/limit-reached")
    assert api("DELETE", f"{HOLDS}/{held}", Idempotency_Key="key-0").headers["Idempotency-Replayed"] == "true"
    order = api.book()["order"]
    again = [api("DELETE", f"/api/v1/orders/{order}", Idempotency_Key=f"cancel-{number}") for number in range(25)]
    assert {each.status_code for each in again} == {200, 429}
