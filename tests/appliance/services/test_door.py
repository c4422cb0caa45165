from __future__ import annotations

import pytest

from appliance.domain.clock import HOUR_MS
from appliance.domain.errors import AlreadyAdmitted, NotFound
from appliance.domain.printing import SalesReceipt, Stub, decode
from appliance.services import booking, door, payments, printing, switches, sync
from appliance.services.booking import Item
from appliance.services.staff_views import CheckInView
from appliance.services.views import OrderView
from mqtt_bridge.protocol.codec import decode as decode_wire
from mqtt_bridge.protocol.ids import shown
from mqtt_bridge.protocol.messages import CheckedIn, CheckInUndone, Content, DeviceKey, Envelope, KeyDirectory
from tests.support.box import ADULT, BADGE, CHILD, ELSEWHERE, HALL, ROOM, TONIGHT, TestBox, desk, guest, make_box


def book(box: TestBox, *items: tuple[str, int], name: str = "", paid: bool = True) -> OrderView:
    def work(unit):
        held = booking.place_hold(unit, desk(), [Item(*each) for each in items])
        order = booking.confirm(unit, held.id, name=name)
        if paid and order.due_minor:
            order = payments.take_payment(unit, order.id, BADGE, "cash", order.due_minor)
        return order

    return box.run(work)


def scan(box: TestBox, code: str) -> CheckInView:
    return box.run(lambda unit: door.check_in(unit, code, BADGE, "lane-1"))


def sent(box: TestBox) -> list:
    rows = box.look(lambda unit: unit.mail.unacked("cloud", unit.inc))
    return [decode_wire(decode_wire(row.envelope, Envelope).content, Content).body for row in rows]


def jobs(box: TestBox) -> list:
    found = []
    while (job := box.run(printing.claim)) is not None:
        found.append(decode(job.document))
    return found


def test_a_paid_ticket_is_admitted_with_message_and_stub_in_one_commit(box):
    order = book(box, (ADULT, 1), name="Ada")
    jobs(box)
    commits = box.database.commits
    seen = scan(box, shown(order.tickets[0].code))
    assert (seen.verdict, seen.reason, seen.holder_name) == ("admitted", None, "Ada")
    assert box.database.commits == commits + 1
    assert sent(box)[-1] == CheckedIn(
        seen.id, "admitted", None, order.tickets[0].id, TONIGHT, BADGE, box.turn.now.wall_ms
    )
    [stub] = jobs(box)
    assert isinstance(stub, Stub)
    assert stub.ticket.code == order.tickets[0].code
    assert "Ada" not in repr(stub)
    assert {"bridge", "desk"} <= set(box.wakes.whom)


def test_a_double_scan_says_when_the_first_was(box):
    order = book(box, (ADULT, 1))
    first = scan(box, order.tickets[0].code)
    box.turn.advance(60_000)
    second = scan(box, order.tickets[0].receipt)
    assert (second.verdict, second.previous_at_ms) == ("already_admitted", first.at_ms)
    assert [each.verdict for each in box.look(door.recent)] == ["already_admitted", "admitted"]


def test_undo_makes_a_ticket_admissible_again(box):
    order = book(box, (ADULT, 1))
    first = scan(box, order.tickets[0].code)
    for _ in range(2):
        assert box.run(lambda unit: door.undo(unit, first.id, BADGE)).undone
    assert scan(box, order.tickets[0].code).verdict == "admitted"
    assert sum(isinstance(body, CheckInUndone) for body in sent(box)) == 1
    with pytest.raises(NotFound):
        box.run(lambda unit: door.undo(unit, "nothing", BADGE))


@pytest.mark.parametrize("text", ["ABCD-1234", "hello", "", "x" * 5000, "\x00", "MQ1:", "MQ1:NONSENSE", "\ud800"])
def test_what_is_no_ticket_is_recorded_as_unknown(box, text):
    seen = scan(box, text)
    assert (seen.verdict, seen.reason, seen.ticket) == ("refused", "unknown", None)
    assert box.look(door.recent)[0].id == seen.id
    assert text == "" or len(text) < 9 or text not in seen.code


def test_an_unpaid_ticket_is_refused_with_the_amount_and_admitted_once_paid(box):
    order = book(box, (ADULT, 2), paid=False)
    code = order.tickets[0].code
    seen = scan(box, code)
    assert (seen.reason, seen.amount_due_minor, seen.currency) == ("unpaid", 2400, "EUR")
    paid = box.run(lambda unit: door.pay_and_admit(unit, code, BADGE, "terminal", "lane-1"))
    assert paid.verdict == "admitted"
    assert box.look(lambda unit: booking.find_order(unit, order.id)).payment == "paid"
    assert scan(box, order.tickets[1].code).verdict == "admitted"
    assert [type(each) for each in jobs(box)] == [SalesReceipt, Stub, Stub]


def test_no_money_is_taken_for_a_ticket_that_would_be_refused_anyway(box):
    order = book(box, (ELSEWHERE, 1), paid=False)
    seen = box.run(lambda unit: door.pay_and_admit(unit, order.tickets[0].code, BADGE, "cash", "lane-1"))
    assert seen.reason == "wrong_session"
    assert box.look(lambda unit: booking.find_order(unit, order.id)).paid_minor == 0


def test_an_old_receipt_follows_what_the_door_knows_since(box):
    unpaid = book(box, (ADULT, 1), paid=False)
    box.run(lambda unit: payments.take_payment(unit, unpaid.id, BADGE, "cash", 1200))
    assert scan(box, unpaid.tickets[0].receipt).verdict == "admitted"
    cancelled = book(box, (ADULT, 1))
    box.run(lambda unit: booking.cancel(unit, cancelled.id))
    assert scan(box, cancelled.tickets[0].receipt).reason == "cancelled"


def test_a_ticket_for_another_venue_is_for_the_wrong_session(box):
    order = book(box, (ELSEWHERE, 1))
    seen = scan(box, order.tickets[0].code)
    assert seen.reason == "wrong_session"
    assert seen.words == "This ticket is for Songs of the River at South Barn."


def test_the_door_opens_by_the_clock_and_by_the_switch(box):
    order = book(box, (ADULT, 1))
    code = order.tickets[0].code
    box.turn.advance(4 * HOUR_MS)
    assert scan(box, code).reason == "wrong_session"
    box.run(lambda unit: switches.set_door(unit, TONIGHT, "open", BADGE))
    assert scan(box, code).verdict == "admitted"


def test_an_untrusted_clock_opens_no_door(box):
    code = book(box, (ADULT, 1)).tickets[0].code
    box.turn.trust(False)
    assert scan(box, code).reason == "wrong_session"
    box.run(lambda unit: switches.set_door(unit, TONIGHT, "open", BADGE))
    assert scan(box, code).verdict == "admitted"


def test_a_ticket_sold_by_another_venue_is_admitted_by_its_signature_alone(tmp_path, box, south):
    south.grant({ROOM: 3, HALL: 3})
    order = book(south, (ADULT, 2), (ELSEWHERE, 1))
    here = [each for each in order.tickets if each.at.id == TONIGHT]
    assert scan(box, here[0].code).reason == "unknown"
    assert scan(box, here[0].receipt).verdict == "admitted"
    assert scan(box, here[0].code).verdict == "already_admitted"
    away = next(each for each in order.tickets if each.at.id != TONIGHT)
    assert scan(box, away.receipt).reason == "wrong_session"


def test_a_foreign_unpaid_ticket_can_be_paid_at_the_door_before_its_message_arrives(box, south):
    south.grant({ROOM: 3})
    receipt = book(south, (ADULT, 1), paid=False).tickets[0].receipt
    assert scan(box, receipt).amount_due_minor == 1200
    assert box.run(lambda unit: door.pay_and_admit(unit, receipt, BADGE, "cash", "")).verdict == "admitted"


def test_a_receipt_of_an_unknown_box_office_is_never_called_invalid(tmp_path, box):
    stranger = make_box(tmp_path, venue="west", grants={ROOM: 3}, clock=box.turn)
    seen = scan(box, book(stranger, (ADULT, 1)).tickets[0].receipt)
    assert (seen.verdict, seen.reason) == ("refused", "unknown_issuer")
    assert "genuine" in seen.words
    stranger.database.close()


def test_a_receipt_signed_with_a_revoked_key_is_a_bad_signature(box, south):
    south.grant({ROOM: 3})
    receipt = book(south, (ADULT, 1)).tickets[0].receipt
    key = DeviceKey("south-1", "south", True, south.signer.kid, south.signer.public.hex(), revoked=True)
    for revoked in (True, False):  # once revoked stays revoked, whatever an older directory says
        directory = KeyDirectory(2, (DeviceKey(*(*_fields(key)[:5], revoked)),))
        box.run(lambda unit, directory=directory: sync.apply_keys(unit, directory))
        assert scan(box, receipt).reason == "bad_signature"


def _fields(key: DeviceKey) -> tuple:
    return tuple(getattr(key, each) for each in key.__struct_fields__)


def test_a_device_cannot_sign_in_the_name_of_another(box, south):
    south.grant({ROOM: 3})
    receipt = book(south, (ADULT, 1)).tickets[0].receipt
    key = DeviceKey("east-1", "east", True, south.signer.kid, south.signer.public.hex())
    box.run(lambda unit: sync.apply_keys(unit, KeyDirectory(3, (key,))))
    assert scan(box, receipt).reason == "bad_signature"


def test_an_order_code_admits_its_tickets_one_after_the_other(box):
    order = book(box, (ADULT, 2), (CHILD, 1))
    seen = [scan(box, order.code) for _ in range(4)]
    assert [each.verdict for each in seen] == ["admitted"] * 3 + ["already_admitted"]
    assert seen[0].words == "Welcome. Admitted. Ticket 1 of 3 of this order."
    assert "3 of 3" in seen[2].words


def test_whoever_came_in_cannot_cancel(box):
    order = book(box, (ADULT, 2))
    scan(box, order.tickets[1].code)
    with pytest.raises(AlreadyAdmitted):
        box.run(lambda unit: booking.cancel(unit, order.id))


def test_a_device_that_is_not_the_door_admits_nobody(tmp_path, box):
    code = book(box, (ADULT, 1)).tickets[0].code

    def no_door(unit):
        from appliance.store import device

        device.change(unit.db, door=False)
        unit.reload()

    box.run(no_door)
    seen = scan(box, code)
    assert seen.reason == "wrong_session"
    assert "not the door" in seen.words


def test_a_walk_up_is_sold_to_paid_admitted_and_printed_in_one_commit(box):
    commits = box.database.commits
    order = box.run(lambda unit: door.sell(unit, BADGE, [Item(ADULT, 2)], "cash", "lane-1"))
    assert box.database.commits == commits + 1
    assert (order.payment, order.paid_minor) == ("paid", 2400)
    assert all(ticket.admitted_at_ms for ticket in order.tickets)
    assert [type(each) for each in jobs(box)] == [SalesReceipt, Stub, Stub]


def test_a_walk_up_sale_for_another_venue_prints_but_admits_nobody(box):
    order = box.run(lambda unit: door.sell(unit, BADGE, [Item(ELSEWHERE, 1)], "terminal", "lane-1"))
    assert order.tickets[0].admitted_at_ms is None
    assert [type(each) for each in jobs(box)] == [SalesReceipt]


def test_a_walk_up_who_has_not_paid_yet_gets_a_promised_order(box):
    order = box.run(lambda unit: door.sell(unit, BADGE, [Item(ADULT, 1)], None, "lane-1"))
    assert (order.payment, order.tickets[0].admitted_at_ms) == ("promised", None)


def test_the_overview_counts_and_shows_switches_jobs_and_backlog(box):
    box.run(lambda unit: door.sell(unit, BADGE, [Item(ADULT, 1)], "cash", "lane-1"))
    box.run(lambda unit: booking.place_hold(unit, guest(), [Item(ADULT, 1)]))
    box.run(lambda unit: switches.set_sale(unit, TONIGHT, "closed", BADGE))
    seen = box.look(door.door_view)
    [tonight] = seen.sessions
    assert (tonight.sold, tonight.admitted, tonight.door_open, tonight.sale) == (1, 1, True, "closed")
    assert seen.unsynced == 3
    assert (seen.clock_trusted, seen.door, seen.frozen) == (True, True, False)
    assert len(seen.jobs) == 2
