"""Name badges: by themselves where the session says so, and once per admission."""

from __future__ import annotations

import pytest

from appliance.domain.errors import Invalid
from appliance.domain.printing import Badge, decode
from appliance.services import badges, booking, door, printing
from appliance.services.booking import Item
from appliance.services.views import OrderView
from tests.appliance.services.test_exits import allow_re_entry
from tests.support.box import BADGE, CHILD, TestBox, desk


def book(box: TestBox, name: str, quantity: int) -> OrderView:
    def work(unit):
        held = booking.place_hold(unit, desk(), [Item(CHILD, quantity)])
        return booking.confirm(unit, held.id, name=name)

    return box.run(work)


def papers(box: TestBox) -> list[Badge]:
    found = []
    while (job := box.run(printing.claim)) is not None:
        document = decode(job.document)
        if isinstance(document, Badge):
            found.append(document)
    return found


def scan(box: TestBox, code: str, way: str = "in") -> None:
    box.run(lambda unit: door.check_in(unit, code, BADGE, "lane-1", way))  # type: ignore[arg-type]


def test_a_session_with_badges_prints_one_at_the_first_admission_only(box):
    allow_re_entry(box, badges=True)
    order = book(box, "Zoë Müller", 1)
    for way in ("in", "out", "in", "in"):
        scan(box, order.code, way)
    [badge] = papers(box)
    assert (badge.name, badge.ticket.ticket_type, badge.ticket.code) == ("Zoë Müller", "Child", order.tickets[0].code)
    assert badge.ticket.receipt == order.tickets[0].receipt


def test_other_sessions_print_none_by_themselves(box):
    scan(box, book(box, "Zoë", 1).code)
    assert papers(box) == []


def test_the_name_stands_on_one_badge_of_a_party_and_company_gets_blank_ones(box):
    order = book(box, "Zoë", 3)
    assert box.run(lambda unit: badges.print_badges(unit, order.id, BADGE)) == 3
    assert [each.name for each in papers(box)] == ["Zoë", "", ""]


def test_a_cancelled_order_gets_no_badge(box):
    order = book(box, "Zoë", 1)
    box.run(lambda unit: booking.cancel(unit, order.id))
    with pytest.raises(Invalid):
        box.run(lambda unit: badges.print_badges(unit, order.id, BADGE))
