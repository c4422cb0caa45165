"""What holders and staff see of a cancelled or moved date, of a rebooked ticket and of money to pay back."""

from __future__ import annotations

import re

from appliance.services import booking, changing
from appliance.services.booking import Item
from appliance.services.views import OrderView
from mqtt_bridge.protocol.catalogue import Moved
from mqtt_bridge.protocol.messages import PaymentTaken, RefundOwed
from tests.appliance.portal.conftest import Phone
from tests.support.box import AWAY, CHILD, ELSEWHERE, HALL, START_MS, TONIGHT, TestBox
from tests.support.repairs import import_into, rebooked, tell, with_session, withdrawn


def order_of(box: TestBox, page: str) -> OrderView:
    found = re.search(r'class="code">([^<]+)<', page)
    assert found
    return box.look(lambda unit: booking.find_by_code(unit, found.group(1)))


def test_holders_of_a_cancelled_date_read_what_becomes_of_their_money(phone: Phone, door: Phone, box: TestBox) -> None:
    """Called off, then to be paid back, then paid back; staff do it with one tap and only once."""
    order = order_of(box, phone.book())
    door.send(door.get(f"/staff/orders?code={order.code}"), "/payments", method="cash")
    import_into(box, with_session(2, TONIGHT, cancelled=True, notice="The singer is ill."))
    page = phone.get(phone.path)
    assert "<h1>This date is cancelled</h1>" in page
    assert "Your money is paid back" in page
    assert "The singer is ill." in page
    assert 'class="qr"' not in page
    assert "/cancel" not in page
    tell(box, withdrawn(box, order))
    tell(box, RefundOwed(order.id, 1200, "EUR", "session-cancelled"))
    assert "You get €12.00 back at any desk" in phone.get(phone.path)
    shown = door.get(f"/staff/orders?code={order.code}")
    assert "To pay back: €12.00" in shown
    paid = door.send(shown, "/refunds", method="cash")
    assert "Paid back: €12.00" in paid
    assert "To pay back" not in paid
    again = door.post("/staff/refunds", {"code": order.code, "amount": "1200", "method": "cash", **_hidden(shown)})
    assert "Paid back: €12.00" in again
    assert "€12.00 was paid back to you" in phone.get(phone.path)


def _hidden(page: str) -> dict[str, str]:
    return {name: re.findall(rf'name="{name}" value="([^"]*)"', page)[-1] for name in ("csrf", "key")}


def test_holders_of_a_moved_date_read_where_it_is_now(phone: Phone, box: TestBox) -> None:
    """The ticket stays valid and shows the new place and time first."""
    phone.book()
    moved = Moved("north", START_MS + 3_600_000, START_MS + 7_200_000, START_MS)
    import_into(box, with_session(2, TONIGHT, venue="south", moved=moved))
    page = phone.get(phone.path)
    assert "Moved: this date was planned for" in page
    assert "at North Hall. Your ticket stays valid." in page
    assert "South Barn" in page
    assert 'class="qr"' in page
    assert "Moved: this date was planned for" in phone.get("/events/river")


def test_a_rebooked_order_shows_its_new_tickets_and_what_they_replace(phone: Phone, door: Phone, box: TestBox) -> None:
    """One ticket is shown, not two; the desk sees both."""
    order = order_of(box, phone.book())
    tell(box, rebooked(box, order, ELSEWHERE, AWAY, HALL))
    page = phone.get(phone.path)
    assert "Ticket 1 of 1" in page
    assert "Rebooked: this ticket takes the place of yours for" in page
    assert 'class="qr"' in page
    assert "Rebooked: see the other ticket" in door.get(f"/staff/orders?code={order.code}")


def test_the_door_says_what_to_do_with_tickets_of_cancelled_and_moved_dates(
    door: Phone, phone: Phone, box: TestBox
) -> None:
    """Big words first, then what to do."""
    order = order_of(box, phone.book())
    import_into(box, with_session(2, TONIGHT, cancelled=True))
    page = door.send(door.get("/staff/"), "/check-ins", code=order.tickets[0].code)
    assert "Date cancelled" in page
    assert "it says what is paid back" in page
    assert "This date is cancelled" in page
    import_into(box, with_session(3, TONIGHT, venue="south", moved=Moved("north", START_MS, START_MS + 1, START_MS)))
    page = door.send(door.get("/staff/"), "/check-ins", code=order.tickets[0].code)
    assert "This date was moved to the place shown below" in page
    assert "South Barn" in page


def test_who_cancels_a_paid_booking_reads_what_comes_back_and_gets_it_with_one_tap(
    phone: Phone, door: Phone, box: TestBox
) -> None:
    order = order_of(box, phone.book())
    assert "Paid:" not in phone.get(phone.path)
    door.send(door.get(f"/staff/orders?code={order.code}"), "/payments", method="cash")
    assert "Paid: €12.00" in phone.get(phone.path)
    asked = phone.get(phone.path + "/cancel")
    assert "Money is returned at the desk, not by this page." in asked
    phone.send(asked, "/cancel", proof="Ada")
    page = phone.get(phone.path)
    assert "<h1>This booking is cancelled</h1>" in page
    assert "You get €12.00 back at any desk" in page
    shown = door.get(f"/staff/orders?code={order.code}")
    assert "Paid: €12.00" in shown
    assert "To pay back: €12.00" in shown
    paid = door.send(shown, "/refunds", method="terminal")
    assert "Paid back: €12.00" in paid
    assert "€12.00 was paid back to you" in phone.get(phone.path)


def test_staff_who_cancel_a_paid_order_are_told_to_pay_it_back(phone: Phone, door: Phone, box: TestBox) -> None:
    order = order_of(box, phone.book())
    door.send(door.get(f"/staff/orders?code={order.code}"), "/payments", method="cash")
    gone = door.send(door.get(f"/staff/orders?code={order.code}&cancel=ask"), "/orders/cancel")
    assert "To pay back: €12.00" in gone


def test_who_was_given_a_ticket_is_promised_no_money(phone: Phone, door: Phone, box: TestBox) -> None:
    order = order_of(box, phone.book())
    door.send(door.get(f"/staff/orders?code={order.code}"), "/payments", method="comp")
    assert "Paid:" not in phone.get(phone.path)
    assert "Money is returned" not in phone.get(phone.path + "/cancel")


def test_money_for_a_booking_that_was_changed_meanwhile_is_named_on_its_page(
    phone: Phone, door: Phone, box: TestBox
) -> None:
    order = order_of(box, phone.book())
    changed = box.run(lambda unit: changing.change(unit, order.id, [Item(CHILD, 1)]))
    taken = PaymentTaken(order.id, "p", "cash", 1200, "EUR", "S1", True, (order.tickets[0].id,))
    tell(box, taken, "south-1")
    page = phone.get(phone.path)
    assert "Other tickets took the place of these. You get €12.00 back at any desk" in page
    assert "To pay back" not in door.get(f"/staff/orders?code={changed.code}")
