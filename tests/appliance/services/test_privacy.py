"""People are forgotten when they ask, and some time after their event; what was signed stays verifiable."""

from __future__ import annotations

from functools import partial

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from appliance.domain.clock import DAY_MS, HOUR_MS
from appliance.services import booking, printing, privacy, sync, waitlist
from appliance.services.booking import Item
from appliance.services.door_list import print_door_list
from appliance.services.sweep import sweep
from appliance.store import jobs, waiting
from mqtt_bridge.protocol.codec import decode, open_envelope
from mqtt_bridge.protocol.messages import Content, Envelope, ErasePersonalData, PersonalDataErased
from mqtt_bridge.protocol.privacy import contact_digest
from tests.support.box import ADULT, BADGE, SEAT, TONIGHT, TestBox, desk, guest

SALT = "salt"


def book(box: TestBox, name: str, contact: str):
    def work(unit):
        held = booking.place_hold(unit, desk(), [Item(ADULT, 1)])
        return booking.confirm(unit, held.id, name=name, contact=contact)

    return box.run(work)


def person(box: TestBox, order_id: str) -> tuple[str, str]:
    view = box.look(lambda unit: booking.find_order(unit, order_id))
    return view.name, view.contact


def envelopes(box: TestBox) -> list[Envelope]:
    rows = box.look(lambda unit: unit.mail.unacked("cloud", unit.inc))
    return [decode(row.envelope, Envelope) for row in rows]


def erase(box: TestBox, **whom: str) -> None:
    box.run(lambda unit: privacy.on_erase(unit, ErasePersonalData("e1", **whom)))


def by_contact(contact: str) -> dict[str, str]:
    return {"salt": SALT, "digest": contact_digest(SALT, contact)}


def test_an_erased_order_has_no_name_and_no_contact_but_all_its_tickets(box: TestBox):
    anna, berta = book(box, "Anna", "anna@example.org"), book(box, "Berta", "berta@example.org")
    erase(box, order=anna.id)
    assert person(box, anna.id) == ("", "")
    assert person(box, berta.id) == ("Berta", "berta@example.org")
    after = box.look(lambda unit: booking.find_order(unit, anna.id))
    assert [each.receipt for each in after.tickets] == [each.receipt for each in anna.tickets]


def test_printed_lists_and_badges_go_with_the_name_they_show(box: TestBox):
    """Which names a list shows no query can tell: all lists that are on paper go; stubs name nobody and stay."""
    anna = book(box, "Anna", "anna@example.org")
    box.run(lambda unit: print_door_list(unit, TONIGHT, BADGE))
    box.run(lambda unit: printing.finish(unit, printing.claim(unit).id, "printed"))
    assert b"Anna" in box.look(lambda unit: jobs.recent(unit.db, 1))[0].document
    erase(box, order=anna.id)
    assert not box.look(lambda unit: jobs.recent(unit.db, 1))


def test_messages_not_yet_sent_lose_the_person_and_keep_their_signature(box: TestBox):
    anna = book(box, "Anna", "anna@example.org")
    book(box, "Berta", "berta@example.org")
    erase(box, order=anna.id)
    first, second, *_ = envelopes(box)
    assert first.private is None
    assert second.private.name == "Berta"
    key = Ed25519PublicKey.from_public_bytes(box.signer.public)
    assert open_envelope(first, key).private_hash is not None


def test_a_contact_is_found_however_it_was_written(box: TestBox):
    anna = book(box, "Anna", "Anna@Example.org ")
    berta = book(box, "Berta", "")
    erase(box, **by_contact("anna@example.org"))
    assert person(box, anna.id) == ("", "")
    assert person(box, berta.id) == ("Berta", "")


def test_the_cloud_hears_that_it_was_done(box: TestBox):
    book(box, "Anna", "anna@example.org")
    erase(box, **by_contact("anna@example.org"))
    assert decode(envelopes(box)[-1].content, Content).body == PersonalDataErased("e1", 1)


def test_what_arrives_after_the_erasure_brings_nobody_back(box: TestBox, south: TestBox):
    anna = book(box, "Anna", "anna@example.org")
    envelope = envelopes(box)[0]
    content = decode(envelope.content, Content)
    erase(south, **by_contact("anna@example.org"))
    south.run(partial(sync.apply_message, content=content, private=envelope.private))
    assert person(south, anna.id) == ("", "")


def test_people_are_forgotten_the_stated_days_after_their_last_session(box: TestBox):
    anna = book(box, "Anna", "anna@example.org")
    box.turn.advance(30 * DAY_MS)
    box.run(sweep)
    assert person(box, anna.id) == ("Anna", "anna@example.org")
    box.turn.advance(DAY_MS)
    assert box.run(sweep).forgotten_orders == 1
    assert person(box, anna.id) == ("", "")
    assert all(each.private is None for each in envelopes(box))


def test_an_untrusted_clock_forgets_nobody(box: TestBox):
    anna = book(box, "Anna", "anna@example.org")
    box.turn.trust(trusted=False)
    box.turn.advance(60 * DAY_MS + HOUR_MS)
    box.run(sweep)
    assert person(box, anna.id) == ("Anna", "anna@example.org")


def test_who_waits_is_forgotten_by_contact_and_keeps_the_place(box: TestBox):
    """A waitlist keeps a contact only as long as its entry is open."""
    box.run(lambda unit: booking.place_hold(unit, desk(), [Item(SEAT, 5)]))
    entry = box.run(lambda unit: waitlist.join(unit, guest(), [Item(SEAT, 1)], "anna@example.org")).id
    erase(box, **by_contact("Anna@example.org"))
    row = box.look(lambda unit: waiting.find(unit.db, entry))
    assert (row.contact, row.state) == ("", "waiting")
