"""Guests may ask for their code by text message, only where a modem is ready; staff decide what is in doubt."""

from __future__ import annotations

import pytest
from flask import Flask

from appliance.services import hardware, sms
from appliance.services.sms import Outcome
from appliance.services.staff_views import SmsView
from appliance.store import tables
from drivers.modem.pdu import submit
from mqtt_bridge.protocol.ids import shown
from tests.appliance.portal.conftest import Phone, forms
from tests.support.box import TestBox

NUMBER = "0170 123 45 67"


@pytest.fixture
def modem(box: TestBox) -> TestBox:
    """A modem that is ready, as the desk tells it."""
    say(box, "ready")
    return box


def say(box: TestBox, state: str) -> None:
    box.run(lambda unit: hardware.report(unit, "modem", state, "Registered.", unit.now.wall_ms))


def messages(box: TestBox) -> tuple[SmsView, ...]:
    return box.look(sms.recent)


def test_without_a_modem_nobody_is_offered_a_message(phone: Phone, box: TestBox) -> None:
    held = phone.hold()
    assert "text message" not in held
    # A form made by hand changes nothing about that.
    page = phone.send(held, "/confirm", contact=NUMBER, sms="yes")
    assert "text message" not in page
    assert messages(box) == ()


def test_a_booking_alone_never_sends_anything(phone: Phone, modem: TestBox) -> None:
    held = phone.hold()
    assert "Send my code by text message" in held
    where, fields = next(each for each in forms(held) if "/confirm" in each[0])
    del fields["sms"]
    phone.post(where, {**fields, "contact": NUMBER})
    assert "/tickets/" in phone.path
    assert messages(modem) == ()


def test_who_ticks_gets_the_code_and_nothing_secret(phone: Phone, modem: TestBox) -> None:
    page = phone.send(phone.hold(), "/confirm", contact=NUMBER, sms="yes")
    assert "A text message with your code is on its way." in page
    [message] = messages(modem)
    assert (message.number, message.state) == ("01701234567", "queued")
    assert shown(message.order_code) in message.text
    assert "North Hall" in message.text
    assert "Songs of the River" in message.text
    assert "€12.00" in message.text
    assert "http" not in message.text
    assert phone.path.rpartition("/")[2] not in message.text
    assert len(submit(message.number, message.text, 1)) == 1


def test_the_message_speaks_the_language_of_the_page(app: Flask, modem: TestBox) -> None:
    phone = Phone(app, language="de")
    phone.send(phone.hold(), "/confirm", contact=NUMBER, sms="yes")
    [message] = messages(modem)
    assert message.text.startswith("1 Karte: ")
    assert "Dort zu zahlen: 12,00" in message.text
    assert len(submit(message.number, message.text, 1)) == 1


@pytest.mark.parametrize("contact", ["", "anna@example.org", "110"])
def test_what_is_no_number_is_asked_for_again_before_anything_is_booked(
    phone: Phone, modem: TestBox, contact: str
) -> None:
    page = phone.send(phone.hold(), "/confirm", contact=contact, sms="yes")
    assert phone.status == 422
    assert "write your phone number above" in page
    assert 'value="yes" checked' in page
    with modem.database.read() as db:
        assert db.execute(tables.order.select()).all() == []
    page = phone.send(page, "/confirm", contact=NUMBER, sms="yes")
    assert "on its way" in page


def test_sending_the_form_twice_is_one_message(phone: Phone, modem: TestBox) -> None:
    held = phone.hold()
    for _ in range(2):
        phone.send(held, "/confirm", contact=NUMBER, sms="yes")
    assert len(messages(modem)) == 1


def test_a_modem_that_is_out_of_reach_for_a_moment_keeps_what_was_asked_for(phone: Phone, modem: TestBox) -> None:
    held = phone.hold()
    say(modem, "degraded")
    assert "on its way" in phone.send(held, "/confirm", contact=NUMBER, sms="yes")


def test_it_can_be_asked_for_afterwards_with_the_page_that_may_cancel(app: Flask, phone: Phone, modem: TestBox) -> None:
    page = phone.send(phone.hold(), "/confirm", contact=NUMBER, sms="")
    assert messages(modem) == ()
    wrong = phone.send(page, "/sms", number="my number")
    assert "This is not a phone number." in wrong
    asked = phone.send(page, "/sms", number="+49 170 7654321")
    assert "on its way" in asked
    assert not any("/sms" in action for action, _fields in forms(asked))
    assert [each.number for each in messages(modem)] == ["+491707654321"]
    share = next(line for line in page.split('"') if line.startswith("http") and "/tickets/" in line)
    other = Phone(app)
    shared = other.get("/tickets/" + share.rpartition("/")[2])
    assert other.status == 200
    assert "text message" not in shared
    other.post("/tickets/" + share.rpartition("/")[2] + "/sms", {"number": NUMBER})
    assert other.status == 404
    assert len(messages(modem)) == 1


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("sent", "was sent."),
        ("ambiguous", "nobody confirmed it"),
        ("failed", "could not be sent"),
    ],
)
def test_the_page_says_how_the_message_is_doing(phone: Phone, modem: TestBox, state, words: str) -> None:
    phone.send(phone.hold(), "/confirm", contact=NUMBER, sms="yes")
    modem.run(lambda unit: sms.claim(unit, 9))
    modem.run(lambda unit: sms.finish(unit, 1, Outcome(state)))
    page = phone.get(phone.path)
    assert words in page
    assert any("/sms" in action for action, _fields in forms(page)) == (state == "failed")


def test_staff_see_what_is_in_doubt_and_decide(phone: Phone, door: Phone, modem: TestBox) -> None:
    assert "Nobody asked for one yet." in door.get("/staff/messages")
    phone.send(phone.hold(), "/confirm", contact=NUMBER, sms="yes")
    assert "waiting" in door.get("/staff/messages")
    modem.run(lambda unit: sms.claim(unit, 9))
    modem.run(lambda unit: sms.finish(unit, 1, Outcome("ambiguous", "The modem did not say.")))
    assert "Text messages · 1 to decide about" in door.get("/staff/more")
    page = door.get("/staff/messages")
    for words in ("perhaps sent: ask the guest", "01701234567", "The modem did not say."):
        assert words in page
    page = door.send(page, "/messages/1", decision="again")
    assert [each.state for each in messages(modem)] == ["queued"]
    modem.run(lambda unit: sms.claim(unit, 9))
    modem.run(lambda unit: sms.finish(unit, 1, Outcome("ambiguous", "Again.")))
    page = door.send(door.get("/staff/messages"), "/messages/1", decision="arrived")
    assert "01701234567" not in page
    assert not any("/messages/" in action for action, _fields in forms(page))
    with modem.database.read() as db:
        actions = [row.action for row in db.execute(tables.audit.select())]
    assert [each for each in actions if each.startswith("sms")] == ["sms_again", "sms_arrived"]
    door.post("/staff/messages/1", {"decision": "burn"})
    assert door.status in {403, 404}


def test_strangers_see_no_messages(phone: Phone) -> None:
    phone.get("/staff/messages")
    assert phone.path == "/staff/sign-in"
