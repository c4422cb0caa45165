"""What holders and staff see of a cancelled or moved date, of a rebooked ticket and of money to pay back."""

from __future__ import annotations

import re

from appliance.services import booking
from appliance.services.views import OrderView
from mqtt_bridge.protocol.catalogue import Moved
from mqtt_bridge.protocol.messages import RefundOwed
from tests.appliance.portal.conftest import Phone
from tests.support.box import AWAY, ELSEWHERE, HALL, START_MS, TONIGHT, TestBox
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
