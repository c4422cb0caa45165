from __future__ import annotations

import pytest

from appliance.domain.errors import Invalid
from appliance.services import booking, door, foreign, privacy, searching
from appliance.services.booking import Item
from appliance.services.staff_views import SearchView
from appliance.services.views import OrderView
from appliance.store import orders
from mqtt_bridge.protocol.messages import ErasePersonalData, OrderConfirmed, Private, TicketFact
from tests.support.box import ADULT, BADGE, CHILD, ELSEWHERE, ROOM, TONIGHT, TestBox, desk


def book(box: TestBox, name: str, kind: str = CHILD, quantity: int = 1) -> OrderView:
    def work(unit):
        held = booking.place_hold(unit, desk(), [Item(kind, quantity)])
        return booking.confirm(unit, held.id, name=name)

    return box.run(work)


def look(box: TestBox, text: str) -> SearchView:
    return box.look(lambda unit: searching.search(unit, text))


def names(found: SearchView) -> list[str]:
    return [each.name for each in found.orders]


def test_the_best_fit_comes_first_and_other_venues_last(box):
    book(box, "Ann Away", ELSEWHERE)
    book(box, "Anna")
    book(box, "Bea Ann")
    book(box, "Zoë")
    assert names(look(box, "ANN")) == ["Bea Ann", "Anna", "Ann Away"]


def test_part_of_a_ticket_code_finds_its_order(box):
    order = book(box, "Ann", quantity=2)
    assert [each.id for each in look(box, order.tickets[1].code[2:6].lower()).orders] == [order.id]


def test_what_no_name_and_code_can_be_is_refused(box):
    for text in ("", "  ", "!?", "-"):
        with pytest.raises(Invalid):
            look(box, text)


def test_percent_signs_and_underscores_find_nothing(box):
    book(box, "Ann")
    assert look(box, "ab%").orders == ()


def test_a_long_list_says_there_are_more(box):
    for number in range(searching.SHOWN + 1):
        fact = TicketFact(f"t{number}", f"ABCD{number:04}", CHILD, TONIGHT, ROOM, 1, 0, "EUR")
        message = OrderConfirmed(f"o{number}", f"WXYZ{number:04}", "paid", (fact,), (), 1)
        box.run(lambda unit, sold=message: foreign.take_order(unit, sold, "south-1", Private("s", f"Ann {sold.order}")))
    found = look(box, "ann")
    assert (len(found.orders), found.more) == (searching.SHOWN, True)


def test_who_was_erased_is_not_found(box):
    order = book(box, "Ann")
    box.run(lambda unit: privacy.on_erase(unit, ErasePersonalData("e1", order=order.id)))
    assert look(box, "ann").orders == ()


def test_a_party_is_admitted_ticket_by_ticket_in_one_commit(box):
    order = book(box, "Ann", quantity=3)
    box.run(lambda unit: door.check_in(unit, order.tickets[1].code, BADGE, "lane-1"))
    commits = box.database.commits
    seen = box.run(lambda unit: door.admit_party(unit, order.id, BADGE, "lane-1"))
    assert [each.verdict for each in seen] == ["admitted", "admitted"]
    assert box.database.commits == commits + 1
    with pytest.raises(Invalid):
        box.run(lambda unit: door.admit_party(unit, order.id, BADGE, "lane-1"))


def test_no_money_is_taken_for_a_party_that_cannot_come_in(box):
    order = book(box, "Ann", ELSEWHERE)
    with pytest.raises(Invalid):
        box.run(lambda unit: door.admit_party(unit, order.id, BADGE, "lane-1", "cash"))
    assert box.look(lambda unit: orders.paid_minor(unit.db, order.id)) == 0


def test_an_unpaid_party_pays_once_and_comes_in(box):
    order = book(box, "Ann", ADULT, 2)
    seen = box.run(lambda unit: door.admit_party(unit, order.id, BADGE, "lane-1", "cash"))
    assert [each.verdict for each in seen] == ["admitted", "admitted"]
    assert box.look(lambda unit: orders.paid_minor(unit.db, order.id)) == 2400


def test_an_unpaid_party_stays_outside_without_money(box):
    order = book(box, "Ann", ADULT, 2)
    seen = box.run(lambda unit: door.admit_party(unit, order.id, BADGE, "lane-1"))
    assert [each.reason for each in seen] == ["unpaid", "unpaid"]
