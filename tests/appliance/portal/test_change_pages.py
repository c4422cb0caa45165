"""A guest changes a booking on its page, a party books at once, and the page says how and until when to pay."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from appliance.portal import WebSettings, create_app
from appliance.services import listing, payments, sync
from appliance.store import tables
from mqtt_bridge.protocol.catalogue import Limits
from tests.appliance.portal.conftest import Phone, forms
from tests.support.box import ADULT, AWAY, BADGE, CHILD, ELSEWHERE, ROOM, TestBox, example_catalogue, make_box


def left(box: TestBox, kind: str = ADULT) -> int:
    return dict(box.look(listing.availability).items)[kind]


def changing(phone: Phone, query: str = "") -> str:
    return phone.get(f"{phone.path}/change{query}")


def test_three_taps_change_how_many_and_the_old_page_leads_to_the_new_one(phone: Phone, box: TestBox):
    phone.book()
    old = phone.path
    form = changing(phone)
    assert "Your tickets stay yours until the new ones are" in form
    page = phone.send(form, "/change", **{f"q.{ADULT}": "3", f"q.{CHILD}": "1"})
    assert "You are booked" in page
    assert page.count('class="qr"') == 4
    assert phone.path != old
    new = phone.path
    assert left(box) == 6
    seen = phone.get(old)
    assert "You changed this booking" in seen
    assert f'href="{new}"' in seen
    assert 'class="qr"' not in seen
    assert phone.send(form, "/change", **{f"q.{ADULT}": "2"}).count('class="qr"') == 4
    assert left(box) == 6


def test_the_form_starts_with_what_the_booking_has_and_another_date_with_as_many(phone: Phone, box: TestBox):
    phone.send(phone.hold(**{f"q.{ADULT}": "2"}), "/confirm")
    own, away = changing(phone), phone.get(f"{phone.path}?at={AWAY}")
    for page in (own, away):
        assert re.search(r"<option selected>2</option>", page)
    moved = phone.send(away, "/change", **{f"q.{ELSEWHERE}": "2"})
    assert "South Barn" in moved
    assert (left(box), left(box, ELSEWHERE)) == (10, 2)


def test_what_cannot_be_had_says_so_and_the_tickets_stay(phone: Phone, box: TestBox):
    phone.book()
    old = phone.path
    page = phone.send(changing(phone, f"?at={AWAY}"), "/change", **{f"q.{ELSEWHERE}": "5"})
    assert phone.status == 409
    assert "Your tickets stay as they are." in page
    page = phone.send(phone.get(f"{old}/change"), "/change", **{f"q.{ADULT}": "9"})
    assert "At most 8 tickets in one booking. For a larger party, ask at the desk." in page
    assert 'class="qr"' in phone.get(old)
    assert left(box) == 9


def test_changing_asks_for_the_name_and_shows_its_form_again_after_a_wrong_one(phone: Phone, box: TestBox):
    phone.send(phone.hold(), "/confirm", name="Zoë")
    form = changing(phone)
    page = phone.send(form, "/change", **{f"q.{ADULT}": "2"})
    assert (phone.status, left(box)) == (422, 9)
    assert "This is not the name" in page
    assert "You are booked" in phone.send(page, "/change", **{f"q.{ADULT}": "2", "proof": "zoe"})
    assert left(box) == 8


def test_one_who_may_only_look_can_never_get_to_change_or_cancel(phone: Phone, box: TestBox):
    page = phone.book()
    shared = re.search(r'href="http://localhost(/tickets/([^"]+))"', page)
    assert shared is not None
    manage = phone.path.rsplit("/", 1)[1]
    assert manage not in (seen := phone.get(shared[1]))
    assert not [action for action, _fields in forms(seen) if "/code/" not in action]
    for rule in ("/cancel", "/change", "/sms"):
        for answer in (phone.http.get(shared[1] + rule), phone.http.post(shared[1] + rule, data={f"q.{ADULT}": "1"})):
            assert answer.status_code in {404, 405}
    for purpose in ("order-manage", "hold", "waitlist"):
        assert phone.http.post(f"/code/{purpose}/{shared[2]}").status_code == 404
    assert left(box) == 9


def test_paid_and_admitted_bookings_say_where_they_are_changed(phone: Phone, box: TestBox):
    phone.book()
    with box.database.read() as db:
        (order,) = db.execute(tables.order.select()).all()
    box.run(lambda unit: payments.take_payment(unit, order.id, BADGE, "cash", order.total_minor))
    page = phone.get(phone.path)
    assert "Change this booking" not in page
    assert "Paid tickets are changed at the desk" in changing(phone)


@pytest.fixture
def party(tmp_path: Path) -> TestBox:
    return make_box(tmp_path, catalogue=example_catalogue(Limits(unpaid_until=-30)), grants={ROOM: 24})


def test_a_party_of_eight_books_in_one_step_is_told_the_limit_and_how_and_until_when_to_pay(
    tmp_path: Path, party: TestBox
):
    phone = Phone(create_app(party, WebSettings(data=tmp_path)))
    page = phone.get("/events/river")
    assert "At most 8 tickets in one booking. For a larger party, ask at the desk." in page
    assert "<option>8</option>" in page
    booked = phone.send(phone.send(page, "/holds", **{f"q.{ADULT}": "6", f"q.{CHILD}": "2"}), "/confirm")
    assert booked.count('class="qr"') == 8
    code = re.search(r"Say or show ([0-9A-Z-]{9}) and pay €72.00, in cash or by card", booked)
    assert code is not None
    assert "09:30: after that the booking is cancelled" in booked


def test_without_a_deadline_and_for_free_tickets_nothing_is_said_of_it(phone: Phone):
    assert "after that the booking is cancelled" not in phone.book()
    assert 'id="pay"' not in phone.send(phone.hold(**{f"q.{ADULT}": "0", f"q.{CHILD}": "1"}), "/confirm")


def test_a_refusal_by_limit_names_the_number(tmp_path: Path, box: TestBox, phone: Phone):
    few = msgspec.structs.replace(example_catalogue(Limits(unpaid_per_client=2)), version=2)
    box.run(lambda unit: sync.apply_catalogue(unit, few))
    page = phone.hold(**{f"q.{ADULT}": "3"})
    assert "One phone may have 2 unpaid tickets at a time" in page
