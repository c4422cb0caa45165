"""Pre-enrolment on guests' and staff's pages, without scripts and cookies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.services import sms, sync
from appliance.store import records
from mqtt_bridge.protocol.ids import shown
from mqtt_bridge.protocol.messages import (
    ContactCodeEntered,
    ContactCodeWanted,
    ContactLinkFollowed,
    OrderRefused,
    OrderVerified,
    VerificationMoved,
)
from tests.appliance.portal.conftest import Phone, forms
from tests.appliance.services.test_requests import hear, only_order, told
from tests.appliance.services.test_verifying import checked
from tests.support.box import CHILD, TestBox, make_box

MAIL = "ada@example.org"
LINK = "a" * 26


@pytest.fixture
def box(tmp_path: Path) -> Iterator[TestBox]:
    """Adults prove their contact, children (for once) that they are members."""
    made = make_box(tmp_path, catalogue=checked(Child="member"))
    made.run(lambda unit: sync.link_changed(unit, up=True))
    yield made
    made.database.close()


def enrol(phone: Phone, **more: str) -> str:
    page = phone.hold()
    assert "A code is sent to you." in page
    return phone.send(page, "/confirm", name="Ada", contact=MAIL, **more)


def fields(page: str, action: str) -> set[str]:
    return set(next(named for where, named in forms(page) if action in where))


def test_a_guest_fills_in_two_fields_and_the_page_becomes_the_ticket(phone: Phone, box: TestBox):
    page = phone.hold()
    assert fields(page, "/confirm") == {"name", "contact"}
    page = enrol(phone)
    assert "Almost booked" in page
    assert "A code is on its way to ad…@example.org." in page
    assert "Not a ticket yet" in page
    assert 'class="qr"' not in page.split("handover")[0]
    order = only_order(box)
    assert shown(order.code) in page
    hear(box, VerificationMoved(order.id, "code", "sent", 5))
    page = phone.get(phone.path)
    assert "A code was sent to ad…@example.org. Type it here." in page
    assert "5 tries left" in page
    page = phone.send(page, "/code", code="1234 5678")
    assert told(box)[-1].body == ContactCodeEntered(order.id, "12345678")
    assert "Your code is being checked." in page
    assert "Look again" in page
    hear(box, OrderVerified(order.id, "centre"))
    page = phone.get(phone.path)
    assert "You are booked" in page
    assert "Prove that it is you" not in page


@pytest.mark.parametrize(
    ("news", "left", "words"),
    [
        ("wrong", 3, "This is not the code."),
        ("spent", 0, "This code is of no use any more."),
        ("undeliverable", 0, "The code could not be delivered."),
        ("limited", 0, "No more codes are sent for now."),
    ],
)
def test_each_piece_of_news_says_what_to_do(phone: Phone, box: TestBox, news, left, words):
    enrol(phone)
    hear(box, VerificationMoved(only_order(box).id, "code", news, left))
    page = phone.get(phone.path)
    assert words in page
    assert ("Check the code" in page) == (left > 0)
    assert "Send another code" in page
    assert "Staff at the door can check it" in page


def test_a_mistyped_address_is_corrected(phone: Phone, box: TestBox):
    page = enrol(phone)
    page = phone.send(page, "/code/again", contact="nobody")
    assert "Write an e-mail address." in page
    page = phone.send(page, "/code/again", contact="bo@example.org")
    assert told(box)[-1].body == ContactCodeWanted(only_order(box).id)
    assert "bo…@example.org" in page


def test_what_cannot_be_reached_is_said_at_the_field(phone: Phone):
    page = phone.hold()
    page = phone.send(page, "/confirm", contact="0151 2345678")
    assert phone.status == 422
    assert "Write an address that can be reached" in page
    assert 'value="0151 2345678"' in page


def test_a_member_gives_a_number_instead_of_a_name(phone: Phone, box: TestBox):
    page = phone.hold(**{f"q.{CHILD}": "1"})
    assert fields(page, "/confirm") == {"member", "contact"}
    page = phone.send(page, "/confirm", member="M 17", contact=MAIL)
    order = only_order(box)
    hear(box, VerificationMoved(order.id, "standing", "", 0))
    page = phone.get(phone.path)
    assert "Whether you are a member is being looked up." in page
    assert 'data-again="20"' in page
    box.run(lambda unit: sync.link_changed(unit, up=False))
    assert "This venue has no connection to the centre now" in phone.get(phone.path)
    hear(box, OrderRefused(order.id, "member"))
    page = phone.get(phone.path)
    assert "Not confirmed" in page
    assert "No member has this number together with this contact." in page


def test_with_a_modem_the_code_comes_by_text_message_without_any_link(phone: Phone, box: TestBox):
    box.run(lambda unit: records.put_hardware(unit.db, "modem", "ready", "", unit.now.wall_ms, unit.now))
    page = phone.hold()
    page = phone.send(page, "/confirm", contact="0151 2345678")
    message = box.run(lambda unit: sms.claim(unit, 30))
    assert message is not None
    [code] = re.findall(r"\d{4} \d{4}", message.text)
    page = phone.send(page, "/code", code=code)
    assert "You are booked" in page


def test_a_form_sent_again_sends_no_other_code_and_leaves_the_first_good(phone: Phone, box: TestBox):
    """A second tap, a page reloaded, a script that heard nothing for eight seconds; also while the message is on its way."""
    box.run(lambda unit: records.put_hardware(unit.db, "modem", "ready", "", unit.now.wall_ms, unit.now))
    held = phone.hold()

    def send_twice() -> None:
        for _ in range(2):
            assert "Almost booked" in phone.send(held, "/confirm", contact="0151 2345678")

    send_twice()
    message = box.run(lambda unit: sms.claim(unit, 30))
    assert message is not None
    send_twice()
    box.run(lambda unit: sms.finish(unit, message.id, sms.Outcome("sent")))
    send_twice()
    assert box.run(lambda unit: sms.claim(unit, 30)) is None
    [code] = re.findall(r"\d{4} \d{4}", message.text)
    assert "You are booked" in phone.send(phone.get(phone.path), "/code", code=code)


def test_a_mailed_link_asks_first_and_says_the_same_whatever_it_is(phone: Phone, box: TestBox):
    page = phone.get(f"/prove/{LINK}")
    assert "Is this you?" in page
    assert told(box) == []
    page = phone.send(page, "/prove/")
    assert "Thank you" in page
    assert told(box)[-1].body == ContactLinkFollowed(LINK)
    before = len(told(box))
    assert "Thank you" in phone.post("/prove/nothing", {})
    assert len(told(box)) == before
    strange = phone.http.post(f"/prove/{LINK}", headers={"Origin": "https://evil.example"})
    assert strange.status_code == 403


def test_a_shared_page_proves_nothing(phone: Phone, box: TestBox):
    enrol(phone)
    order = only_order(box)
    hear(box, OrderVerified(order.id, "centre"))
    share = re.search(r'href="[^"]*(/tickets/[^"]+)" data-share', phone.get(phone.path))
    assert share is not None
    assert phone.http.post(f"{share.group(1)}/code", data={"code": "12345678"}).status_code == 404


def test_staff_see_why_it_is_refused_and_verify_in_one_tap(phone: Phone, door: Phone, box: TestBox):
    enrol(phone)
    order = only_order(box)
    page = door.send(door.get("/staff/"), "/check-ins", code=order.tickets[0].code)
    assert "Not verified yet" in page
    assert "then tap Verified" in page
    page = door.send(page, "/verified")
    assert "Not paid" in page, "what is due is asked for next"
    assert only_order(box).status == "confirmed"


def test_staff_find_it_by_name_and_verify_it_there(phone: Phone, door: Phone, box: TestBox):
    enrol(phone)
    page = door.get("/staff/orders?code=Ada")
    assert "Not verified yet" in page
    page = door.get(f"/staff/orders?code={only_order(box).code}")
    assert "Waits for a code from ad…@example.org." in page
    page = door.send(page, "/verifications")
    assert "To pay" in page
    again = door.post(
        "/staff/verifications", {**forms(page)[0][1], "code": only_order(box).code, "key": "x", "csrf": ""}
    )
    assert "Verified" not in again or door.status == 403
