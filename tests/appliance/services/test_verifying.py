"""Pre-enrolment at a box office: sold and pending, proven by mail, by text message or by staff, refused, late, at doors and heirs."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import msgspec
import pytest
from sqlalchemy import select

from appliance.domain.clock import HOUR_MS
from appliance.domain.errors import Invalid, LimitReached, SoldOutHere
from appliance.services import booking, door, listing, payments, privacy, sms, sweep, sync, verifying
from appliance.services.booking import Item
from appliance.services.views import OrderView
from appliance.store import allocations, records, tables
from mqtt_bridge.protocol import receipts
from mqtt_bridge.protocol.catalogue import Catalogue, Limits
from mqtt_bridge.protocol.messages import (
    CancelRefused,
    CancelRequested,
    ContactCodeEntered,
    ContactCodeWanted,
    ContactProven,
    DeviceKey,
    ErasePersonalData,
    KeyDirectory,
    OrderCancelled,
    OrderConfirmed,
    OrderPending,
    OrderRefused,
    OrderVerified,
    Private,
    Retold,
    TicketsVoided,
    VenueRetold,
    VerificationMoved,
)
from mqtt_bridge.protocol.stock import Totals
from tests.appliance.services.test_requests import hear, said, told, totals
from tests.support.box import (
    ADULT,
    BADGE,
    CHILD,
    ELSEWHERE,
    HALL,
    OPEN_LIMITS,
    ROOM,
    FakeClock,
    TestBox,
    desk,
    example_catalogue,
    guest,
    make_box,
)

MAIL = "ada@example.org"


def checked(limits: Limits = OPEN_LIMITS, **verify: str) -> Catalogue:
    """The example; adults have to prove their contact, unless said otherwise by name."""
    catalogue = example_catalogue(limits)
    event = catalogue.events[0]
    asked = {"Adult": "contact"} | verify
    sessions = tuple(
        msgspec.structs.replace(
            at,
            ticket_types=tuple(msgspec.structs.replace(kind, verify=asked.get(kind.name)) for kind in at.ticket_types),
        )
        for at in event.sessions
    )
    return msgspec.structs.replace(catalogue, events=(msgspec.structs.replace(event, sessions=sessions),))


@pytest.fixture
def office(tmp_path) -> Iterator[TestBox]:
    made = make_box(tmp_path, catalogue=checked())
    yield made
    made.database.close()


def enrol(box: TestBox, *items: tuple[str, int], contact: str = MAIL, member: str = "") -> OrderView:
    held = box.run(lambda unit: booking.place_hold(unit, guest(), [Item(*each) for each in items or ((ADULT, 2),)]))
    return box.run(
        lambda unit: booking.confirm(unit, held.id, name="Ada", contact=contact, member=member, language="de")
    )


def look(box: TestBox, order: OrderView) -> OrderView:
    return box.look(lambda unit: booking.find_order(unit, order.id))


def scan(box: TestBox, code: str) -> tuple[str, str | None]:
    seen = box.run(lambda unit: door.check_in(unit, code, BADGE, "1"))
    return seen.verdict, seen.reason


def claims(order: OrderView) -> list[bool]:
    """Whether each receipt says that it is pending."""
    return [receipts.read(each.receipt).claims.pending for each in order.tickets]


def modem(box: TestBox) -> None:
    box.run(lambda unit: records.put_hardware(unit.db, "modem", "ready", "", unit.now.wall_ms, unit.now))


def sent_code(box: TestBox) -> str:
    """The code in the message that the desk would send now."""
    message = box.run(lambda unit: sms.claim(unit, 30))
    assert message is not None
    box.run(lambda unit: sms.finish(unit, message.id, sms.Outcome("sent")))
    return message.text.removeprefix("code ")


# --- selling


def test_it_counts_as_sold_has_receipts_that_say_so_and_admits_nobody(office):
    order = enrol(office)
    assert (order.status, claims(order)) == ("pending", [True, True])
    assert totals(office) == Totals(granted=10, sold=2)
    assert scan(office, order.tickets[0].code) == ("refused", "pending")
    assert scan(office, order.tickets[0].receipt) == ("refused", "pending")
    [pending] = [each for each in told(office) if isinstance(each.body, OrderPending)]
    assert (pending.body.verify, pending.body.channel, pending.body.language) == ("contact", "mail", "de")
    assert receipts.read(order.tickets[0].receipt).claims.seq == pending.seq
    assert MAIL not in str(pending)
    with pytest.raises(Invalid, match="not verified yet"):
        office.run(lambda unit: payments.take_payment(unit, order.id, BADGE, "cash", 2400))


def test_a_door_that_knows_nothing_else_reads_it_from_the_receipt(office, tmp_path):
    south = make_box(tmp_path, venue="south", catalogue=checked(), clock=office.turn)
    south.meet(office)
    order = enrol(office, (ELSEWHERE, 1))
    south.turn.advance(HOUR_MS)
    assert scan(south, order.tickets[0].receipt) == ("refused", "pending")
    office.run(lambda unit: verifying.verify_here(unit, order.id, BADGE))
    assert scan(south, look(office, order).tickets[0].receipt)[1] == "unpaid", "the issuer signed that it is verified"
    south.database.close()


@pytest.mark.parametrize("contact", ["", "nobody", "0151 2345678", "a@b", "x y@example.org"])
def test_who_cannot_be_reached_cannot_enrol(office, contact):
    with pytest.raises(Invalid) as refused:
        enrol(office, contact=contact)
    assert refused.value.facts["field"] == "contact"
    assert totals(office) == Totals(granted=10)


def test_one_type_in_an_order_makes_all_of_it_wait_and_the_most_is_asked(office):
    office.run(lambda unit: sync.apply_catalogue(unit, msgspec.structs.replace(checked(Child="member"), version=2)))
    with pytest.raises(Invalid, match="member number"):
        enrol(office, (ADULT, 1), (CHILD, 1))
    order = enrol(office, (ADULT, 1), (CHILD, 1), member=" M 17 ")
    assert (order.status, order.proof.verify, order.proof.member) == ("pending", "member", "m17")
    [private] = [row for row in envelopes(office) if row.private is not None]
    assert private.private.member == "m17"


def envelopes(box: TestBox):
    from mqtt_bridge.mailbox import tables as mailbox
    from mqtt_bridge.protocol.codec import decode
    from mqtt_bridge.protocol.messages import Envelope

    with box.database.read() as db:
        rows = db.execute(select(mailbox.outbox.c.envelope).order_by(mailbox.outbox.c.seq)).scalars()
        return [decode(row, Envelope) for row in rows]


def test_staff_who_see_the_person_sell_at_once(office):
    order = office.run(lambda unit: door.sell(unit, BADGE, [Item(ADULT, 1)], "cash", "1"))
    assert (order.status, claims(order)) == ("confirmed", [False])


def test_nobody_waits_for_two_answers(tmp_path):
    kinds = checked()
    event = kinds.events[0]
    sessions = tuple(
        msgspec.structs.replace(
            at, ticket_types=tuple(msgspec.structs.replace(kind, policy="provisional") for kind in at.ticket_types)
        )
        for at in event.sessions
    )
    both = msgspec.structs.replace(kinds, events=(msgspec.structs.replace(event, sessions=sessions),))
    box = make_box(tmp_path, catalogue=both, grants={ROOM: 0})
    with pytest.raises(SoldOutHere):
        box.run(lambda unit: booking.place_hold(unit, guest(), [Item(ADULT, 1)]))
    box.database.close()


# --- proving


def test_the_centres_word_turns_it_into_a_ticket_once(office):
    order = enrol(office)
    paper = order.tickets[0].receipt
    assert office.run(lambda unit: verifying.enter_code(unit, order.id, "1234 5678")).result == "sent"
    assert told(office)[-1].body == ContactCodeEntered(order.id, "12345678")
    for _ in range(2):
        hear(office, OrderVerified(order.id, "centre"))
    now = look(office, order)
    assert (now.status, claims(now), now.proof) == ("confirmed", [False, False], None)
    assert said(office).count("OrderConfirmed") == 1
    confirmed = told(office)[-1]
    assert receipts.read(now.tickets[0].receipt).claims.seq == confirmed.seq
    assert confirmed.body.stock[0].totals == Totals(granted=10, sold=2), "it was sold all the time"
    office.run(lambda unit: payments.take_payment(unit, order.id, BADGE, "cash", now.due_minor))
    assert scan(office, paper) == ("admitted", None), "paper printed before is good too"


def test_progress_is_shown_and_another_code_is_asked_for(office):
    order = enrol(office)
    hear(office, VerificationMoved(order.id, "code", "wrong", 3))
    assert (look(office, order).proof.news, look(office, order).proof.tries_left) == ("wrong", 3)
    office.run(lambda unit: verifying.want_code(unit, order.id, str, "bo@example.org"))
    assert told(office)[-1].body == ContactCodeWanted(order.id)
    assert envelopes(office)[-1].private.contact == "bo@example.org"
    assert (look(office, order).contact, look(office, order).proof.contact) == ("bo@example.org", "bo…@example.org")
    with pytest.raises(Invalid):
        office.run(lambda unit: verifying.want_code(unit, order.id, str, "nobody"))
    for _ in range(2):
        office.run(lambda unit: verifying.want_code(unit, order.id, str))
    with pytest.raises(LimitReached):
        office.run(lambda unit: verifying.want_code(unit, order.id, str))


def test_typing_codes_is_bounded(office):
    order = enrol(office)
    assert office.run(lambda unit: verifying.enter_code(unit, order.id, "abc")).result == "unreadable"
    for _ in range(verifying.TYPED_PER_HOUR):
        office.run(lambda unit: verifying.enter_code(unit, order.id, "00000000"))
    with pytest.raises(LimitReached):
        office.run(lambda unit: verifying.enter_code(unit, order.id, "00000000"))


def test_a_text_message_proves_a_contact_without_any_link(office):
    modem(office)
    order = enrol(office, contact="0151 2345678")
    office.run(lambda unit: verifying.send_code(unit, order.id, "code {}".format))
    code = sent_code(office)
    wrong = "0000 0000" if code != "0000 0000" else "1111 1111"
    assert office.run(lambda unit: verifying.enter_code(unit, order.id, wrong)).result == "wrong"
    assert look(office, order).proof.tries_left == 4
    assert office.run(lambda unit: verifying.enter_code(unit, order.id, code)).result == "right"
    assert look(office, order).status == "confirmed"
    assert office.run(lambda unit: verifying.enter_code(unit, order.id, code)).result == "over"
    assert office.run(lambda unit: sms.ask(unit, order.id, "01512345678", "your ticket")).state == "queued"
    assert "ContactCodeEntered" not in said(office)


def test_the_first_code_is_sent_once_and_stays_good(office):
    """Only who asks for another one ends it."""
    modem(office)
    order = enrol(office, contact="0151 2345678")
    send = partial(verifying.send_code, order_id=order.id, words="code {}".format)
    office.run(send)
    code = sent_code(office)
    office.run(send)
    assert office.run(lambda unit: sms.claim(unit, 30)) is None
    assert look(office, order).proof.tries_left == 5
    office.run(lambda unit: verifying.want_code(unit, order.id, "code {}".format))
    another = sent_code(office)
    assert another != code
    office.run(send)
    assert office.run(lambda unit: verifying.enter_code(unit, order.id, another)).result == "right"


def test_a_code_of_an_earlier_boot_is_dead_and_the_page_says_so(office):
    modem(office)
    order = enrol(office, contact="0151 2345678")
    office.run(lambda unit: verifying.send_code(unit, order.id, "code {}".format))
    code = sent_code(office)
    office.turn.reboot()
    assert look(office, order).proof.news == "spent"
    assert office.run(lambda unit: verifying.enter_code(unit, order.id, code)).result == "spent"
    modem(office)
    office.run(lambda unit: verifying.want_code(unit, order.id, "code {}".format))
    assert office.run(partial(verifying.enter_code, order_id=order.id, typed=sent_code(office))).result == "right"


def test_of_a_member_the_device_can_prove_the_contact_alone(tmp_path):
    box = make_box(tmp_path, catalogue=checked(Adult="member"))
    modem(box)
    order = enrol(box, contact="0151 2345678", member="M17")
    box.run(lambda unit: verifying.send_code(unit, order.id, "code {}".format))
    code = sent_code(box)
    box.run(lambda unit: verifying.enter_code(unit, order.id, code))
    assert told(box)[-1].body == ContactProven(order.id)
    assert (look(box, order).status, look(box, order).proof.waits_for) == ("pending", "standing")
    box.database.close()


# --- refused, late, cancelled


def test_refused_it_gives_its_stock_back_and_says_why(office):
    order = enrol(office)
    for _ in range(2):
        hear(office, OrderRefused(order.id, "member"))
    now = look(office, order)
    assert (now.status, now.refusal) == ("refused", "member")
    assert totals(office) == Totals(granted=10, sold=2, cancelled=2)
    assert said(office).count("OrderCancelled") == 1
    assert scan(office, order.tickets[0].code) == ("refused", "refused")
    hear(office, OrderVerified(order.id, "centre"))
    assert look(office, order).status == "refused", "the first word counts"


def test_refused_elsewhere_the_host_door_voids_first(office):
    order = enrol(office, (ELSEWHERE, 1))
    hear(office, OrderRefused(order.id, "operator"))
    assert (look(office, order).status, totals(office, HALL).cancelled) == ("refused", 0)
    [asked] = [each.body for each in told(office) if isinstance(each.body, CancelRequested)]
    hear(office, TicketsVoided(order.id, tuple(each.ticket for each in asked.tickets)), "south-1")
    assert (look(office, order).status, totals(office, HALL).cancelled) == ("refused", 1)


def test_a_door_that_had_verified_and_admitted_wins(office):
    order = enrol(office, (ELSEWHERE, 1))
    hear(office, OrderRefused(order.id, "operator"))
    hear(office, OrderVerified(order.id, "S1"), "south-1")
    hear(office, CancelRefused(order.id, (order.tickets[0].id,)), "south-1")
    now = look(office, order)
    assert (now.status, claims(now), totals(office, HALL).cancelled) == ("confirmed", [False], 0)
    assert isinstance(told(office)[-1].body, OrderConfirmed)


def test_a_verdict_days_late_finds_it_also_after_a_restart_and_in_another_life(office):
    order = enrol(office)
    office.turn.advance(30 * HOUR_MS)
    office.turn.reboot()
    office.run(sync.begin_incarnation)
    hear(office, OrderVerified(order.id, "centre"))
    assert look(office, order).status == "confirmed"


def test_a_guest_may_cancel_and_a_late_verdict_changes_nothing(office):
    order = enrol(office)
    office.run(lambda unit: booking.cancel(unit, order.id))
    hear(office, OrderVerified(order.id, "centre"))
    hear(office, OrderRefused(order.id, "member"))
    hear(office, VerificationMoved(order.id, "code", "sent", 5))
    assert (look(office, order).status, totals(office).cancelled) == ("cancelled", 2)
    assert "OrderConfirmed" not in said(office)


def test_staff_verify_at_the_door_in_one_tap(office):
    order = enrol(office, (CHILD, 1), (ADULT, 1))
    seen = office.run(lambda unit: door.verify_and_admit(unit, order.tickets[0].code, BADGE, "1"))
    assert seen.reason == "unpaid"
    assert look(office, order).status == "confirmed"
    with office.database.read() as db:
        assert db.execute(select(tables.audit.c.who).where(tables.audit.c.action == "verify")).scalar() == BADGE
    with pytest.raises(Invalid):
        office.run(lambda unit: verifying.verify_here(unit, order.id, BADGE))


def test_what_is_not_verified_in_time_is_refused_by_whoever_answers_for_it(tmp_path):
    limits = msgspec.structs.replace(OPEN_LIMITS, verify_until=-30)
    clock = FakeClock()
    box = make_box(tmp_path, catalogue=checked(limits), clock=clock)
    order = enrol(box)
    clock.advance(HOUR_MS // 2 - 1000)
    assert box.run(sweep.sweep).refused_orders == 0
    clock.trust(False)
    clock.advance(2000)
    assert box.run(sweep.sweep).refused_orders == 0, "an untrusted clock ends nothing"
    clock.trust(True)
    assert box.run(sweep.sweep).refused_orders == 1
    assert (look(box, order).status, look(box, order).refusal) == ("refused", "late")
    assert totals(box).cancelled == 2
    box.database.close()


# --- doors and heirs


def pending_at(box: TestBox, order: OrderView, *, private: Private | None = None) -> OrderPending:
    """What the other box told about its order."""
    return next(each.body for each in told(box) if isinstance(each.body, OrderPending) and each.body.order == order.id)


@pytest.fixture
def south(office, tmp_path) -> Iterator[TestBox]:
    made = make_box(tmp_path, venue="south", catalogue=checked(), clock=office.turn)
    made.meet(office)
    yield made
    made.database.close()


def test_a_door_hears_of_it_and_of_the_verdict_in_any_order(office, south):
    order = enrol(office, (ELSEWHERE, 1))
    told_of = pending_at(office, order)
    hear(south, told_of, "north-1", Private("s", "Ada", MAIL))
    office.turn.advance(HOUR_MS)
    assert scan(south, order.tickets[0].code) == ("refused", "pending")
    hear(south, OrderVerified(order.id, "centre"))
    hear(south, told_of, "north-1")
    assert scan(south, order.tickets[0].code) == ("refused", "unpaid")


def test_staff_of_the_host_door_verify_what_was_sold_elsewhere(office, south):
    order = enrol(office, (ELSEWHERE, 1))
    hear(south, pending_at(office, order), "north-1")
    south.run(lambda unit: verifying.verify_here(unit, order.id, "S1"))
    word = told(south)[-1].body
    assert word == OrderVerified(order.id, "S1")
    hear(office, word, "south-1")
    assert look(office, order).status == "confirmed"


def test_a_ticket_verified_from_its_receipt_alone_stays_so_when_its_sale_arrives(office, south):
    order = enrol(office, (ELSEWHERE, 1))
    south.turn.advance(HOUR_MS)
    seen = south.run(lambda unit: door.verify_and_admit(unit, order.tickets[0].receipt, "S1", "1"))
    assert seen.reason == "unpaid"
    hear(south, pending_at(office, order), "north-1")
    assert look(south, order).status == "confirmed"


def test_whoever_answers_for_a_sealed_issuer_signs_and_refuses_for_it(office, south):
    one, two = enrol(office, (ELSEWHERE, 1)), enrol(office, (ELSEWHERE, 1))
    keys = (
        DeviceKey("north-1", "north", False, office.signer.kid, office.signer.public.hex(), False, True, "south-1"),
    )
    south.run(lambda unit: sync.apply_keys(unit, KeyDirectory(2, keys)))
    retold = tuple(Retold("north-1", pending_at(office, each)) for each in (one, two))
    hear(south, VenueRetold(1, 1, retold, ("north-1",)))
    assert claims(look(south, one)) == [True]
    hear(south, OrderVerified(one.id, "centre"))
    hear(south, OrderRefused(two.id, "member"))
    assert (look(south, one).status, claims(look(south, one))) == ("confirmed", [False])
    assert look(south, two).status == "refused"
    assert OrderVerified(one.id, "centre") in [each.body for each in told(south)]
    assert isinstance(told(south)[-1].body, TicketsVoided), "the sealed device's totals are the cloud's"


def test_a_database_that_forgot_it_hears_of_it_again(office):
    order = enrol(office)
    retold = pending_at(office, order)
    with office.database.write() as db:
        for table in (tables.verification, tables.ticket, tables.order):
            db.execute(table.delete())
    hear(office, VenueRetold(1, 1, (Retold("north-1", retold),)))
    assert (look(office, order).status, claims(look(office, order))) == ("pending", [True, True])
    hear(office, OrderVerified(order.id, "centre"))
    assert (look(office, order).status, claims(look(office, order))) == ("confirmed", [False, False])


def test_forgetting_a_person_leaves_the_booking(tmp_path):
    box = make_box(tmp_path, catalogue=checked(Adult="member"))
    order = enrol(box, member="M17")
    box.run(lambda unit: privacy.on_erase(unit, ErasePersonalData("e", order=order.id)))
    now = look(box, order)
    assert (now.status, now.contact, now.proof.member) == ("pending", "", "")
    assert all(each.private is None for each in envelopes(box))
    box.database.close()


def test_stock_that_comes_back_is_on_sale_again(office):
    before = next(each.available for each in types(office) if each.type.id == ADULT)
    order = enrol(office)
    assert next(each.available for each in types(office) if each.type.id == ADULT) == before - 2
    hear(office, OrderRefused(order.id, "operator"))
    assert next(each.available for each in types(office) if each.type.id == ADULT) == before
    assert OrderCancelled.__name__ in said(office)
    with office.database.read() as db:
        assert allocations.shelves(db)[ROOM].free == 10
    assert desk().is_staff


def types(box: TestBox):
    view = box.look(listing.listing)
    return [each for event in view.events for at in event.sessions for each in at.types]
